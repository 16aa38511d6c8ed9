// common/ike/ike.h - one phase 1 SA, what configures it and what a step of it asks for.
// Owns:   struct ike_sa: embeddable, fixed size. What only the handshake needs hangs off one
//         pointer and is freed when the SA stands or fails.
// Spec:   RFC 2408, RFC 2409 main mode with a pre-shared key or signatures, RFC 6407 2.1 (DOI 2).
// Always: the configuration is borrowed and outlives its SAs; after a reload the daemon repoints
//         sa->conf of those that live on.
#pragma once
#include "common/base/addr.h"
#include "common/base/mono.h"
#include "common/base/rng.h"
#include "common/crypto/dh.h"
#include "common/crypto/dn.h"
#include "common/ike/auth.h"
#include "common/ike/frag.h"
#include "common/ike/keymat.h"
#include "common/ike/reason.h"
#include "common/ike/retrans.h"
#include "common/wire/gdoi_opts.h"
#include "common/wire/isakmp.h"
#include "common/wire/ike1_pl.h"

#define IKE_DGRAM_MAX 8192 // of phase 1 and informational messages; PULL has its own limit
#define IKE_MSG_MAX   8192 // of what phase 1 sends

// One acceptable combination.
struct ike_proposal {
	enum cipher_alg cipher;
	enum hash_alg hash;
	enum dh_group group;
	enum sign_alg auth; // SIGN_NONE: pre-shared key
	bool aggressive;    // signatures: in aggressive mode too. Pre-shared keys say it themselves
};
#define IKE_MAX_PROPOSALS 64

// "AES-256-CBC/SHA384/ECP-384", with "/RSA" or "/ECDSA-384" behind it for signatures
#define IKE_PROPOSAL_STRLEN 48
const char *ike_proposal_str(const struct ike_proposal *p, char buf[IKE_PROPOSAL_STRLEN]);

// Readings of the RFCs that some peers have. Form 0 is the general one.
#define IKE_MAX_FORMS 4
struct ike_peer_form {
	struct prefix peer;
	uint8_t form;
};

struct ike_keylog; // keylog.h

struct ike_conf {
	const struct ike_proposal *proposals; // best first
	size_t n_proposals;
	uint32_t life_s; // 0: 86400
	struct isakmp_id own_id;
	// DOI of our SA, whether DOI 1 is answered, DOI of our notifies.
	struct gdoi_wire_opts wire;
	// Peers with readings of their own, form[0] unused; ike_wire looks them up.
	const struct gdoi_wire_opts *form;
	size_t n_forms; // 0 and 1: the general one alone
	const struct ike_peer_form *peers;
	size_t n_peers;
	uint16_t features;	      // VID_CONCLAVE_*: what our vendor id says
	struct ike_schedule schedule; // resending by the initiator
	uint32_t handshake_s; // responder: a handshake not finished by then is dropped; 0: 30
	// Main mode has to choose the key by the peer's address. NULL: none. The secret is used
	// before the call into this room returns, not kept.
	const struct secret *(*psk)(void *arg, const struct addr *peer);
	void *psk_arg;
	// Aggressive mode with pre-shared keys (aggressive.h), all with psk_arg; NULL: none. Whether
	// the key of this address allows it; the key of a name, which always does; what we call
	// ourselves to this peer (type 0: own_id).
	bool (*aggressive)(void *arg, const struct addr *peer);
	const struct secret *(*psk_of_name)(void *arg, const struct isakmp_id *id);
	struct isakmp_id (*own_name)(void *arg, const struct addr *peer);
	// Signatures, in and out: NULL has none. wall_clock gives seconds since 1970, to
	// judge certificates by.
	struct ike_pki *pki;
	int64_t (*wall_clock)(void);
	bool no_fragments;  // do not offer to reassemble
	uint16_t natt_port; // where messages go when there is a NAT (natt.h); 0: not looked for
	struct rng *rng;
#if CONCLAVE_KEYLOG
	void (*keylog)(void *arg, const struct ike_keylog *k);
	void *keylog_arg;
#endif
};

// The form of the longest prefix that holds peer, 0 when there is none; and what it says.
size_t ike_form(const struct ike_conf *conf, const struct addr *peer);
const struct gdoi_wire_opts *ike_wire(const struct ike_conf *conf, const struct addr *peer);

enum ike_role { IKE_INITIATOR, IKE_RESPONDER };

enum ike_state {
	IKE_IDLE,
	IKE_I_WAIT_SA,	 // sent 1, wants 2
	IKE_I_KEYGEN,	 // has 2, own DH value being made
	IKE_I_WAIT_KE,	 // sent 3, wants 4
	IKE_I_DERIVE,	 // has 4, shared secret being made
	IKE_I_SIGN,	 // own signature being made
	IKE_I_WAIT_AUTH, // sent 5, wants 6
	IKE_I_VERIFY,	 // has 6, its signature being verified
	IKE_R_WAIT_KE,	 // sent 2, wants 3
	IKE_R_DERIVE,	 // has 3, both DH values being made
	IKE_R_SIGN,	 // aggressive mode: own signature being made
	IKE_R_WAIT_AUTH, // sent 4, wants 5
	IKE_R_VERIFY,	 // has 5, its signature being verified, then ours made
	IKE_ESTABLISHED,
	IKE_DEAD,
};
const char *ike_state_name(enum ike_state s);

// What stays of the negotiation. Used by protect.
struct ike_keys {
	enum hash_alg hash;
	enum cipher_alg cipher;
	uint8_t last_block[CIPHER_BLOCK_MAX]; // of phase 1
	struct secret skeyid_a, key;
};

struct ike_id {	      // the peer's identity, copied; authenticated once established
	uint8_t type; // enum isakmp_id_type; 0: none yet
	uint16_t len;
	uint8_t data[IKE_ID_MAX];
};
struct isakmp_id ike_id_view(const struct ike_id *id);

#define IKE_INFO_SEEN 8
struct ike_sa;
// Is the peer, by its identity or another name in its certificate, one of these? Only a peer with a
// certificate has proved a name.
bool ike_peer_is(const struct ike_sa *sa, const struct id_pattern *p, size_t n);
// For logs: a DN as text, other identities as isakmp_id_str writes them.
#define IKE_PEER_STRLEN 256
const char *ike_peer_str(const struct ike_sa *sa, char buf[IKE_PEER_STRLEN]);

struct ike_handshake; // handshake.h

struct ike_sa {
	enum ike_role role;
	bool aggressive;	// in three messages; an initiator's caller sets it
	bool name_proved;	// its key is nobody else's: peer_id is as good as a certificate's
	enum ike_state state;	// written by ike_sa_step alone
	enum ike_reason reason; // why IKE_DEAD
	const struct ike_conf *conf;
	struct ike_handshake *hs;    // NULL once established or dead
	struct endpoint local, peer; // where messages come to and from
	uint8_t cky_i[ISAKMP_COOKIE_LEN], cky_r[ISAKMP_COOKIE_LEN];
	uint32_t doi;		   // of this SA: 2, or 1
	struct ike_proposal suite; // chosen
	uint32_t life_s;	   // agreed
	mono_t deadline;	   // when it wants the timer event
	mono_t expires;		   // hard end, once established
	bool peer_dpd;		   // showed the DPD vendor id
	bool peer_conclave;	   // showed ours, with
	uint8_t peer_major, peer_minor;
	uint16_t peer_features; // VID_CONCLAVE_*
	bool peer_fragments;	// reassembles what we cut (frag.h)
	bool peer_natt;		// knows RFC 3947 as we do (natt.h)
	bool behind_nat, peer_behind_nat;
	bool initial_contact; // peer says it holds no other SA with us
	struct ike_id peer_id;
	struct cert *peer_cert; // verified; NULL without signatures. For authorization and logs.
	struct ike_frag frag;	// a message of the peer's in pieces
	struct ike_keys keys;
	struct ike_stored stored;	   // responder's answers 4 and 6
	void *owner;			   // what the daemon keeps beside it; not touched here
	uint32_t info_seen[IKE_INFO_SEEN]; // message ids of protected informationals
	uint8_t info_at;
};

// What the caller has to do after a step. At most one message; frag_cut(msg, fragments, ..) makes
// the datagrams of it.
struct ike_out {
	size_t msg_len; // 0: nothing to send
	uint8_t msg[IKE_MSG_MAX];
	struct endpoint from, to;
	bool fragments; // the peer reassembles
	// Not NULL: run it (dh_job_run) here or on another thread and hand it back with
	// IKE_EV_DH_DONE; if the SA is gone by then, dh_job_free it.
	struct dh_job *dh;
	// The same with ike_auth_job_run, IKE_EV_AUTH_DONE and ike_auth_job_free. When the run ends
	// with need set, fetch, trust_answer, run again; then hand it back.
	struct ike_auth_job *auth;
	bool established; // this very step
	bool dead;	  // this very step; sa->reason says why. The caller takes the SA away.
	// The datagram of this step was not accepted. IKE_R_OK and IKE_R_DUPLICATE are no faults.
	enum ike_reason refused;
	// Of IKE_R_MALFORMED: the decoder's words; of a certificate: its reason; else NULL.
	const char *detail;
};

// Nothing to do. The buffer keeps what it had: it is large.
static inline void ike_out_clear(struct ike_out *out)
{
	out->msg_len = 0;
	out->fragments = false;
	out->dh = NULL;
	out->auth = NULL;
	out->established = out->dead = false;
	out->refused = IKE_R_OK;
	out->detail = NULL;
}
