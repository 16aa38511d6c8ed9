// common/ike/handshake.h - what phase 1 keeps until the SA stands; for sa.c, phase1.c, main_mode.c,
// main_sig.c and aggressive.c only.
// Owns:   nonces, KE values, SAi_b, the DH job while it is here, SKEYID and its children.
// Always: on the heap and wiped when freed.
#pragma once
#include "common/ike/exchange.h"
#include "common/ike/phase1.h"

#define IKE_NONCE_LEN 32 // of ours

struct ike_value {
	uint16_t len;
	uint8_t b[DH_PUBLIC_MAX];
};

// Octets of a message that are needed after it is gone.
struct ike_kept {
	uint8_t *b;
	size_t len;
	uint8_t type; // of the first payload in it
};
enum ike_reason ike_kept_set(struct ike_kept *k, struct bytes b, uint8_t type);
void ike_kept_fini(struct ike_kept *k);
static inline struct bytes ike_kept_view(const struct ike_kept *k)
{
	return BYTES(k->b, k->len);
}

struct ike_handshake {
	struct ike_resend resend;	  // initiator
	struct endpoint from, to;	  // of message 5: believed once it is proved
	struct dh_job *dh;		  // NULL while the caller has it, or when there is none
	uint64_t dh_tag;		  // of the job that is out; 0: none is
	uint64_t auth_tag;		  // the same for the signature job
	struct ike_pki *pki;		  // a reference: own points into it
	const struct ike_trustpoint *own; // whose certificate we show; NULL: not chosen, or none
	struct ike_value ke_i, ke_r, ni, nr;
	// Aggressive mode: body of the peer's ID (responder) and of ours; message 2 (initiator).
	struct ike_kept id, own_id, chain;
	// Its initiator: group and method of message 1, how many answers proved nothing, and a
	// message 2 that came while another was looked at.
	struct ike_proposal asked;
	unsigned wrong;
	struct ike_kept other;
	struct endpoint other_from, other_to;
	uint8_t *sai;
	size_t sai_len;
	struct ike_skeyid k;
	uint8_t iv[CIPHER_BLOCK_MAX]; // for the next encrypted message
	enum ike_reason last_refused; // why the peer's messages did not help
	bool told;		      // an error notify was sent once
	bool hinted;		      // one of the peer's came, without protection
};

struct ike_handshake *handshake_new(void);
void handshake_free(struct ike_handshake *hs);

static inline struct bytes ike_value_view(const struct ike_value *v)
{
	return BYTES(v->b, v->len);
}

static inline struct bytes pl_body_of(const struct isakmp_chain *c, uint8_t type)
{
	const struct isakmp_pl *pl = isakmp_chain_find(c, type, 0);

	return pl ? pl->body : BYTES(NULL, 0);
}

// sa.c: the one writer of sa->state, with what each state brings along.
void ike_sa_set_state(struct ike_sa *sa, mono_t now, enum ike_state next);

// main_mode.c: one function per message. in_: judge and keep; out_: write into out.
enum ike_reason main_in_2(struct ike_sa *sa, const struct isakmp_hdr *hdr,
			  const struct isakmp_chain *c, const char **detail);
enum ike_reason main_in_3(struct ike_sa *sa, const struct isakmp_chain *c, const char **detail);
enum ike_reason main_in_4(struct ike_sa *sa, const struct isakmp_chain *c, const char **detail);
enum ike_reason main_in_5_6(struct ike_sa *sa, const struct isakmp_chain *c, const char **detail);

enum ike_reason main_out_1(struct ike_sa *sa, struct ike_out *out);
enum ike_reason main_out_3_4(struct ike_sa *sa, struct ike_out *out);
enum ike_reason main_out_5_6(struct ike_sa *sa, struct ike_out *out);

// HASH_I or HASH_R, by who proves; id: the body of the prover's ID payload.
MUST_CHECK int main_proof(const struct ike_sa *sa, enum ike_role who, struct bytes id,
			  uint8_t out[HASH_MAX]);
enum hash_alg main_proof_hash(const struct ike_sa *sa);
// An encrypted message of main mode: begin, write payloads, end.
struct wr_chain main_begin(const struct ike_sa *sa, struct wr *w, uint8_t flags,
			   struct ike_out *out);
enum ike_reason main_finish(const struct ike_sa *sa, struct wr *w, struct ike_out *out);
// Of message 1, whose SA payload is at sa_at: SAi_b is kept.
enum ike_reason main_finish_1(struct ike_sa *sa, struct wr *w, size_t sa_at, struct ike_out *out);
void main_own_cookie(struct ike_sa *sa); // draws the initiator's
enum ike_reason main_encrypt(struct ike_sa *sa, struct wr *w, struct ike_out *out);
// The peer's identity, proved: into sa.
enum ike_reason main_id_check(struct bytes id_body, struct isakmp_id *id, const char **detail);
void main_id_keep(struct ike_sa *sa, const struct isakmp_id *id);
void main_notifies_keep(struct ike_sa *sa, const struct isakmp_chain *c);

// HASH of the peer over its ID: then its identity is kept.
enum ike_reason main_hash_judge(struct ike_sa *sa, const struct isakmp_chain *c,
				struct bytes id_body, const char **detail);

// main_sig.c: what signatures add. The jobs they make are tagged and go to out->auth.
static inline bool main_by_signature(const struct ike_sa *sa)
{
	return sa->suite.auth != SIGN_NONE;
}
void sig_requests_write(const struct ike_sa *sa, struct wr_chain *c);
void sig_requests_keep(struct ike_sa *sa, const struct isakmp_chain *c); // chooses hs->own
// Initiator, before message 5: the job that signs.
enum ike_reason sig_start(struct ike_sa *sa, struct ike_out *out);
// 5 and 6: the job that verifies, and for the responder signs.
enum ike_reason sig_in_5_6(struct ike_sa *sa, const struct isakmp_chain *c, struct ike_out *out);
enum ike_reason sig_out_5_6(struct ike_sa *sa, const struct ike_auth_job *j, struct ike_out *out);

// The job that verifies, and with sign also signs.
enum ike_reason sig_judge(struct ike_sa *sa, const struct isakmp_chain *c, struct bytes id_body,
			  bool sign, struct ike_out *out);
void sig_certs_write(const struct ike_trustpoint *tp, struct wr_chain *c);
void sig_own_choose(struct ike_sa *sa); // nobody has asked yet

// aggressive.c: what the state machine calls.
bool aggr_row(const struct ike_sa *sa, const struct isakmp_hdr *hdr, struct ike_row *row);
const struct secret *aggr_psk(struct ike_sa *sa);
enum ike_reason aggr_begin(struct ike_sa *sa); // chooses sa->suite: its group is needed first
enum ike_reason aggr_out_1(struct ike_sa *sa, struct ike_out *out);
enum ike_reason aggr_in_1(struct ike_sa *sa, const struct isakmp_chain *c, const char **detail);
enum ike_reason aggr_in_2(struct ike_sa *sa, const struct isakmp_hdr *hdr,
			  const struct isakmp_chain *c, const char **detail);
enum ike_reason aggr_in_3(struct ike_sa *sa, const struct isakmp_chain *c, struct ike_out *out);
// The answer that was looked at proved nothing: back to waiting for another, if the SA is an
// initiator's of aggressive mode that has not seen too many yet.
bool aggr_asks_on(struct ike_sa *sa, mono_t now, enum ike_reason why);
// Keeps a message 2 for that moment; false when none is looked at.
bool aggr_keep_other(struct ike_sa *sa, const struct ike_event *ev);
bool aggr_is_asking(const struct ike_sa *sa); // an initiator's, before it stands
// j: a job that has signed, or NULL with a pre-shared key.
enum ike_reason aggr_out_2(struct ike_sa *sa, const struct ike_auth_job *j, struct ike_out *out);
enum ike_reason aggr_out_3(struct ike_sa *sa, const struct ike_auth_job *j, struct ike_out *out);
// The shared secret is in hs->dh. A message or a job is in out; *next is what follows.
enum ike_reason aggr_derived(struct ike_sa *sa, struct ike_out *out, enum ike_state *next);

// Both KE values and the shared secret are there: every key of the SA, and the first IV.
enum ike_reason main_keys(struct ike_sa *sa, const struct dh_secret *gxy);
// Decrypts msg behind the header into plain; the next IV goes to next_iv.
enum ike_reason main_decrypt(const struct ike_sa *sa, struct bytes msg, uint8_t *plain,
			     uint8_t next_iv[CIPHER_BLOCK_MAX]);
