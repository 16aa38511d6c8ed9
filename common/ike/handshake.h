// common/ike/handshake.h - what main mode keeps until the SA stands; for sa.c, phase1.c,
// main_mode.c and main_sig.c only.
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

struct ike_handshake {
	struct ike_resend resend;	  // initiator
	struct endpoint from, to;	  // of message 5: believed once it is proved
	struct dh_job *dh;		  // NULL while the caller has it, or when there is none
	uint64_t dh_tag;		  // of the job that is out; 0: none is
	uint64_t auth_tag;		  // the same for the signature job
	struct ike_pki *pki;		  // a reference: own points into it
	const struct ike_trustpoint *own; // whose certificate we show; NULL: not chosen, or none
	struct ike_value ke_i, ke_r, ni, nr;
	uint8_t *sai;
	size_t sai_len;
	struct ike_skeyid k;
	uint8_t iv[CIPHER_BLOCK_MAX]; // for the next encrypted message
	enum ike_reason last_refused; // why the peer's messages did not help
	bool told;		      // an error notify was sent once
};

struct ike_handshake *handshake_new(void);
void handshake_free(struct ike_handshake *hs);

static inline struct bytes ike_value_view(const struct ike_value *v)
{
	return BYTES(v->b, v->len);
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
enum ike_reason main_encrypt(struct ike_sa *sa, struct wr *w, struct ike_out *out);
// The peer's identity, proved: into sa.
enum ike_reason main_id_check(struct bytes id_body, struct isakmp_id *id, const char **detail);
void main_id_keep(struct ike_sa *sa, const struct isakmp_id *id);
void main_notifies_keep(struct ike_sa *sa, const struct isakmp_chain *c);

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

// Both KE values and the shared secret are there: every key of the SA, and the first IV.
enum ike_reason main_keys(struct ike_sa *sa, const struct dh_secret *gxy);
// Decrypts msg behind the header into plain; the next IV goes to next_iv.
enum ike_reason main_decrypt(const struct ike_sa *sa, struct bytes msg, uint8_t *plain,
			     uint8_t next_iv[CIPHER_BLOCK_MAX]);
