// common/ike/auth.h - phase 1 by signature: our trustpoints, and the costly work as a job.
// A struct ike_auth_job is filled by the pure state machine, run (ike_auth_job_run) where there is
// time for it, and handed back, like a struct dh_job. It verifies the peer first and signs for us
// last: nobody gets a signature of ours before it has shown its own.
//
//	path of the peer's certificate -> its identity -> its signature -> revocation
//	-> our signature
//
// Revocation may want a CRL or an OCSP answer: then the run ends with job->need set. The caller
// fetches, gives the bytes to trust_answer(job->need_of, ...) and runs the job again.
// Spec:   RFC 2409 5.1, RFC 4754, RFC 4945.
// Threads: a job touches nothing but itself, the trust (which has a lock) and the signer.
#pragma once
#include "common/base/addr.h"
#include "common/crypto/cert_info.h"
#include "common/crypto/cmp.h"
#include "common/crypto/pkcs12.h"
#include "common/crypto/signer.h"
#include "common/crypto/trust.h"
#include "common/ike/reason.h"

#define IKE_MAX_TRUSTPOINTS 16
#define IKE_MAX_CERTS	    8 // CERT payloads of one message that are looked at
#define IKE_ID_MAX	    256

// What an ECDSA signature is over: HASH_I/R hashed once more (RFC 4754's signatures are of
// messages), or HASH_I/R as the digest itself (strongSwan, for one). RSA knows the second alone.
enum ike_sig_form { IKE_SIG_REHASHED, IKE_SIG_BARE, IKE_SIG_FORMS };

// How a trustpoint gets a certificate by itself (common/pki/enrol_io.c). Names of files are ready to
// be opened.
#define IKE_PATH_LEN 512
struct ike_enrol {
	bool set;
	char url[TRUST_URL_MAX],
		ca_url[TRUST_URL_MAX]; // CMP server; where the CA's own lies, or ""
	char file[IKE_PATH_LEN];       // key and certificates, written by us
	char subject[CMP_NAME_LEN * 2];
	size_t n_names;
	char name[CMP_MAX_NAMES][CMP_NAME_LEN];
	char reference[CMP_NAME_LEN];
	struct secret secret; // len 0: the certificate there is proves us
	enum sign_alg key_alg;
	unsigned key_bits;
	uint32_t renew_percent;			   // of the lifetime; 0: the operator renews
	bool new_key;				   // at every renewal
	bool exportable;			   // crypto pki export may show the key
	char fingerprint[CERT_FINGERPRINT_STRLEN]; // of the CA, or ""
	char ca_file[IKE_PATH_LEN], chain_file[IKE_PATH_LEN], crl_file[IKE_PATH_LEN]; // or ""
};

// Whom we believe, and perhaps who we are there.
struct ike_trustpoint {
	char name[64];
	struct ike_enrol enrol;
	struct trust *trust;
	const struct signer *signer; // NULL: no certificate of our own
	char label[SIGNER_LABEL_MAX];
	enum sign_alg alg;
	size_t n_own;
	struct cert *own[PKI_CHAIN_MAX + 1]; // our certificate, then its intermediates
	uint8_t id_type;		     // what we call ourselves: named by our certificate
	uint16_t id_len;
	uint8_t id[IKE_ID_MAX];
	int id_want; // enum ike_identity
};

// What to call ourselves; AUTO: the certificate's host name if it has one, else its Subject.
enum ike_identity { IKE_ID_AUTO, IKE_ID_ADDRESS, IKE_ID_FQDN, IKE_ID_MAIL, IKE_ID_DN };

// All of a daemon's trustpoints. Counted: handshakes and jobs that began under it keep it while a
// reload already brought the next one.
struct ike_pki {
	unsigned refs;
	size_t n;
	struct ike_trustpoint tp[IKE_MAX_TRUSTPOINTS];
	struct signer signer; // the keys of those that have one
};
MUST_CHECK int ike_pki_new(struct ike_pki **out);
struct ike_pki *ike_pki_get(struct ike_pki *p); // NULL stays NULL
void ike_pki_put(struct ike_pki *p);
// A second one with the same trusts, certificates and keys, of which trustpoint `but` has none of
// its own: what a renewal fills in.
MUST_CHECK int ike_pki_copy(const struct ike_pki *p, size_t but, struct ike_pki **out);
// Gives a trustpoint that has none its key and certificates; takes the latter out of b. -ENOENT:
// they have no name of the kind that id_want says; else as signer_add_pem.
MUST_CHECK int ike_trustpoint_own(struct ike_pki *p, struct ike_trustpoint *tp,
				  struct pki_bundle *b);
// Has it a name of the kind that id_want says?
bool ike_cert_has_identity(const struct cert *c, int id_want);

struct ike_auth_verify {
	uint8_t id_type;
	uint16_t id_len;
	uint8_t id[IKE_ID_MAX];
	// An address identity has to be this one (RFC 4945 3.1.1); none behind a NAT.
	struct addr from;
	size_t n_certs;
	struct bytes cert[IKE_MAX_CERTS]; // into der
	uint8_t *der;			  // the job's own copy
	enum hash_alg hash;
	bool try_form[IKE_SIG_FORMS];
	uint8_t digest[IKE_SIG_FORMS][HASH_MAX];
	uint16_t sig_len;
	uint8_t sig[SIG_MAX];
};

struct ike_auth_sign {
	const struct ike_trustpoint *tp;
	enum hash_alg hash;
	enum ike_sig_form form; // who verified a peer answers in the peer's form
	uint8_t digest[IKE_SIG_FORMS][HASH_MAX];
	size_t sig_len; // result
	uint8_t sig[SIG_MAX];
};

struct ike_auth_job {
	uint64_t tag;		    // the machine's, as in struct dh_job
	uint8_t cky_i[8], cky_r[8]; // of its SA
	struct ike_pki *pki;	    // a reference of its own
	unsigned rounds;	    // runs so far
	int64_t now;		    // wall clock, seconds since 1970
	enum sign_alg alg;
	bool verify, sign;
	struct ike_auth_verify peer;
	struct ike_auth_sign own;
	// -- result --
	enum ike_reason reason;
	enum cert_reason cert; // why, of IKE_R_BAD_CERTIFICATE and kin
	int depth;	       // of which certificate
	struct cert *who;      // the peer's, verified; until somebody takes it
	struct trust_need *need;
	struct trust *need_of;
	struct ike_auth_work *work; // auth.c
};

struct ike_auth_job *ike_auth_job_new(void); // NULL when out of memory
void ike_auth_job_free(struct ike_auth_job *j);
// Any thread. Afterwards either j->need is set, or j->reason tells.
void ike_auth_job_run(struct ike_auth_job *j);

// Our certificate for an algorithm: of the trustpoint that has one of the CAs (DER names) the peer
// asked for, else the first. NULL when there is none of that kind.
const struct ike_trustpoint *ike_auth_own(const struct ike_pki *p, enum sign_alg alg,
					  const struct bytes *cas, size_t n_cas);
