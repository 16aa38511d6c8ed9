// tests/unit/gm/test_ks.h - a key server in one struct, for tests of the member: real main mode,
// real GROUPKEY-PULL, and rekeys that a test may spoil in every way. Not ksd: it keeps one member
// and no policy of its own.
#pragma once
#include "common/crypto/crypto.h"
#include "common/crypto/signer.h"
#include "common/ike/halfopen.h"
#include "common/ike/info.h"
#include "common/ike/protect.h"
#include "common/wire/gdoi_pull.h"
#include "common/wire/gdoi_push.h"
#include "common/wire/suite.h"

#define TKS_MAX_TEKS 8
#define TKS_DGRAM    16384

struct test_tek {
	struct gdoi_sat sat;
	uint8_t key[64], auth[32];
	size_t key_len, auth_len;
};

struct test_kek {
	uint8_t spi[GDOI_KEK_SPI_LEN], iv[16];
	struct secret key;
	uint32_t seq;	   // of the last PUSH
	const char *label; // of the signing key
	uint16_t ack;
	struct endpoint group; // rekeys go there; family 0: to the member
};

struct test_ks {
	struct endpoint at;
	struct rng rng;
	struct signer *signer; // shared: RSA keys are slow to make
	struct secret psk;
	struct addr id; // phase 1 identity
	struct ike_conf conf;
	struct ike_halfopen half;
	struct ike_sa *sa;
	struct ike_exch x;
	bool pull_open;
	uint8_t ni[GDOI_NONCE_MAX], nr[32];
	size_t ni_len;
	// What it hands out.
	struct test_kek kek;
	struct gdoi_gap gap;
	bool has_gap, no_sak, no_sid;
	bool pkcs1;	  // its public key so
	bool sid_unasked; // one sender id for who does not ask
	size_t n_teks;
	struct test_tek tek[TKS_MAX_TEKS];
	uint32_t next_sid;
	uint16_t sid_bits;
	// How it misbehaves.
	bool dead;			    // answers nothing
	bool mute_2, mute_4;		    // takes the member's message, keeps its own of the PULL
	bool bad_hash_2;		    // message 2 with a spoiled HASH, once
	bool unknown_attr;		    // an attribute of the KEK that nobody knows
	void (*change)(struct gdoi_sa *sa); // what it offers, before it is written
	// What it saw.
	unsigned pulls, deletes, kek_deletes, datagrams;
	unsigned questions, answers; // of dead peer detection
	uint32_t group_asked;
	uint16_t sids_asked;
};

struct test_reply {
	size_t len;
	uint8_t b[TKS_DGRAM];
};

void test_ks_init(struct test_ks *k, struct signer *signer, const char *addr, mono_t now);
void test_ks_fini(struct test_ks *k);
// One datagram of a member; at most one answer.
void test_ks_in(struct test_ks *k, mono_t now, const struct endpoint *from, struct bytes datagram,
		struct test_reply *out);

// A fresh TEK for 10.n.0.0/16 -> 10.m.0.0/16 in front (generation 0) or behind the others.
struct test_tek *test_ks_tek(struct test_ks *k, const char *suite, uint32_t spi, uint32_t life_s,
			     unsigned n, unsigned m);
void test_kek_make(struct test_kek *kek, struct rng *rng, const char *label);
void test_ks_fill_sak(const struct test_kek *kek, struct gdoi_sak *out);

// ---- rekeys, built by hand ----

struct test_push {
	struct wr w;
	struct wr_chain c;
	uint8_t buf[TKS_DGRAM];
};

// How the sealing is to be done; zeroed is the right way.
struct test_twist {
	const char *label; // sign with this key
	bool bare;	   // RSA over the bare hash
	bool padded_len;   // sign the header with the padded length in it
	bool no_sig;	   // leave SIG out
	bool spoil_sig;	   // one bit of it
	bool after_sig;	   // a vendor id behind SIG
	uint8_t flags;	   // instead of E, if not 0
	bool clear_flags;  // no flags at all
	uint32_t msgid;
};

void test_push_begin(struct test_push *p, const struct test_kek *kek);
// SEQ, and SA with KD for the TEKs given, and a new KEK if not NULL.
void test_push_body(struct test_push *p, const struct test_ks *k, uint32_t seq,
		    const struct gdoi_gap *gap, size_t n_teks, const struct test_tek *tek,
		    const struct test_kek *new_kek);
struct bytes test_push_seal(struct test_push *p, const struct test_ks *k,
			    const struct test_kek *kek, const struct test_twist *t);
