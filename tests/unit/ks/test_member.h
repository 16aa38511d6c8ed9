// tests/unit/ks/test_member.h - a group member as small as it can be: registers, follows rekeys,
// acknowledges. Built from common/ike and common/wire only, so it shares no line with gm.
// Drives ksd's core in unit tests and is the simulated crowd of tests/perf/keyserver.
// Owns:   its phase 1 SA and what it was given.     Never: does I/O; send is called instead.
#pragma once
#include "common/crypto/sign.h"
#include "common/ike/phase1.h"
#include "common/ike/protect.h"
#include "common/wire/gdoi_pull.h"
#include "common/wire/gdoi_push.h"

#define TM_MAX_SAT 64
#define TM_MAX_SID 32

struct tm_tek {
	uint32_t spi;
	uint8_t key_len;
	uint8_t key[64];
};

enum tm_state { TM_IDLE, TM_PHASE1, TM_WAIT_2, TM_WAIT_4, TM_REGISTERED, TM_REFUSED, TM_FAILED };

struct test_member {
	struct ike_conf *conf; // shared by a crowd; wire, proposals, psk, rng are the caller's
	struct endpoint self, server;
	struct isakmp_id own_id; // used instead of conf's when type is not 0
	struct ike_pki *pki;	 // put into conf: its certificate; NULL: none. Borrowed
	uint32_t group;
	uint16_t sid_request;	 // 0: no GAP in message 3
	struct bytes payloads_3; // of message 3 instead of a GAP: type of the first, then the chain
	bool aggressive;	 // phase 1 so
	bool silent;		 // does not answer whether it is there
	bool ack, ack_l_output;	 // acknowledge rekeys; with the other reading of L
	void (*send)(void *arg, struct test_member *m, struct bytes datagram);
	void *arg;

	enum tm_state state;
	uint16_t notify; // last error notify of the key server
	struct ike_sa sa;
	struct ike_exch exch;
	struct ike_resend resend;
	uint8_t ni[16], nr[GDOI_NONCE_MAX];
	size_t nr_len;
	uint32_t msgid; // of the PULL

	// What it holds
	bool has_sak, has_gap;
	struct gdoi_sak sak;
	struct gdoi_gap gap;
	size_t n_sat;
	struct gdoi_sat sat[TM_MAX_SAT];
	size_t n_tek;
	struct tm_tek tek[TM_MAX_SAT];
	size_t n_sid;
	uint32_t sid[TM_MAX_SID];
	uint16_t sid_bits;
	uint8_t kek_spi[GDOI_KEK_SPI_LEN], kek_iv[16];
	struct secret kek;
	enum cipher_alg kek_cipher;
	enum hash_alg sig_hash;
	uint16_t ack_type; // of the KEK it holds
	struct pubkey *signer;
	uint32_t seq;
	uint32_t n_push, n_push_repeated, n_push_bad;
	size_t n_del;
	const char *why; // of the last failure
};

// m zeroed, with conf, self, server, group, send filled in.
void tm_start(struct test_member *m, mono_t now);
void tm_in(struct test_member *m, mono_t now, struct bytes datagram);
// DH and signature work is done here and now, without revocation. Resends when due; MONO_NEVER when nothing is outstanding.
mono_t tm_deadline(const struct test_member *m);
void tm_timer(struct test_member *m, mono_t now);
// Another PULL under the same phase 1 SA (or of another group).
void tm_pull(struct test_member *m, mono_t now);
void tm_send_ack(struct test_member *m, uint32_t seq);
void tm_fini(struct test_member *m);

// Message 3 with a HASH that is wrong in one bit, for tests; sends it.
void tm_send_3(struct test_member *m, mono_t now, bool spoil_hash);
