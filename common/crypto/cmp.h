// common/crypto/cmp.h - ask a CA for a certificate by CMP, as OpenSSL speaks it.
//
//	ir    the first one: proved by a reference and a secret that the CA handed out
//	cr    another one: proved by a certificate that the CA knows
//	kur   its successor: proved by the certificate that it replaces
//
// Blocking, for a thread of its own: exchange is called with each message and returns the answer.
// Owns:   one transaction, until cmp_free.    From: common/pki/enrol_io.c.
// Spec:   RFC 4210, RFC 4211, RFC 6712 (HTTP, done by the caller).
// Always: an answer is bounded, protected (by the secret or by a certificate of the trust) and
//         answers this very question. A certificate that peers would refuse, or that is of no use to
//         who asked, is rejected towards the CA too. What went wrong is told in words.
// Never:  logs; keeps secret or key beyond cmp_free.
#pragma once
#include "common/crypto/secret.h"
#include "common/crypto/trust.h"

#define CMP_ANSWER_MAX (256 * 1024)
#define CMP_WHY_LEN    768
#define CMP_MAX_NAMES  8
#define CMP_NAME_LEN   128

enum cmp_kind { CMP_IR, CMP_CR, CMP_KUR };
const char *cmp_kind_name(enum cmp_kind k);

// *answer is malloc'd by the callee. -errno: there is no answer; why then says so in words.
typedef int cmp_exchange(void *arg, struct bytes message, uint8_t **answer, size_t *len, char *why,
			 size_t why_size);

// Why the certificate that came is of no use to who asked; NULL: it is.
typedef const char *cmp_flaw(void *arg, const struct cert *c);

struct cmp_request { // borrowed until cmp_new returns, but trust: until cmp_free
	enum cmp_kind kind;
	struct trust *trust; // whom to believe
	const char *subject; // "CN=gm1,O=Example"
	size_t n_names;	     // subjectAltName: addresses, mail addresses, else host names
	char name[CMP_MAX_NAMES][CMP_NAME_LEN];
	struct bytes key;      // PEM: the certificate is for this one
	const char *reference; // CMP_IR
	const struct secret *secret;
	struct bytes own; // CMP_CR, CMP_KUR: PEM of the certificate (and chain) and its key
	cmp_exchange *exchange;
	void *arg;
	cmp_flaw *flaw; // NULL: what peers would take will do
	void *flaw_arg;
};

struct cmp;

// -EINVAL, and why: subject, a name, or a key that does not do.
MUST_CHECK int cmp_new(const struct cmp_request *r, struct cmp **out, char why[CMP_WHY_LEN]);
void cmp_free(struct cmp *c); // NULL is fine

enum cmp_progress { CMP_DONE, CMP_WAIT, CMP_FAILED };
// As far as it goes. WAIT: the CA has not decided; again after *wait_s seconds. now: wall clock.
enum cmp_progress cmp_go_on(struct cmp *c, int64_t now, int *wait_s);
const char *cmp_why(const struct cmp *c); // after CMP_FAILED
// After CMP_DONE: the certificate and the intermediates below the CA, for cert_free each. Their
// number, 0: no memory.
size_t cmp_chain(const struct cmp *c, struct cert *out[TRUST_MAX_PATH]);

// Does a subject or a name have a form that cmp_new takes?
bool cmp_subject_ok(const char *text);
bool cmp_name_ok(const char *text);
