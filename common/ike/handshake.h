// common/ike/handshake.h - what main mode keeps until the SA stands; sa.c, phase1.c and main_mode.c
// only.
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
	struct ike_resend resend; // initiator
	struct dh_job *dh;	  // NULL while the caller has it, or when there is none
	uint64_t dh_tag;	  // of the job that is out; 0: none is
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

// Both KE values and the shared secret are there: every key of the SA, and the first IV.
enum ike_reason main_keys(struct ike_sa *sa, const struct dh_secret *gxy);
// Decrypts msg behind the header into plain; the next IV goes to next_iv.
enum ike_reason main_decrypt(const struct ike_sa *sa, struct bytes msg, uint8_t *plain,
			     uint8_t next_iv[CIPHER_BLOCK_MAX]);
