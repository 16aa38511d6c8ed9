// gm/keks.h - the Rekey SAs (KEKs) of a group, and the answers made with them.
// Owns:   KEKs, the last accepted SEQ of each, what was accepted lately, answers not yet sent.
// From:   gm/rekey.c, gm/pull.c.   To: crypto, wire/gdoi_push (RFC 8263 answer).
// Spec:   RFC 6407 3.3, 4, 5.7; RFC 8263 3, 6.
// Always: a SEQ never goes back while its KEK is held.
#pragma once
#include "common/base/addr.h"
#include "common/base/mono.h"
#include "common/crypto/cipher.h"
#include "common/crypto/sign.h"
#include "common/wire/gdoi_push.h"

struct gm_out;

#define GM_MAX_KEKS	   3	// newest first
#define GM_SEEN_PUSHES	   8	// accepted ones, for their repetitions
#define GM_KEK_GRACE_S	   60	// a closed KEK still answers repetitions
#define GM_ACK_JITTER_MS   1000 // multicast only; RFC 8263 6 allows 5 s
#define GM_ACK_SPACING_MS  250	// between answers to the same repetition
#define GM_ACK_MAX	   160	// octets
#define GM_MAX_ACKS_QUEUED 4
#define GM_MAX_LISTENS	   64

struct gm_seen_push {
	uint8_t hash[32]; // SHA-256 of the datagram
	uint32_t seq;
	mono_t acked;
};

struct gm_kek {
	uint8_t spi[GDOI_KEK_SPI_LEN];
	enum cipher_alg cipher;
	enum hash_alg sig_hash;
	enum sign_alg sig_alg;
	uint16_t ack;	       // enum gdoi_ack, 0 none
	struct endpoint group; // that rekeys are sent to; family 0: to our own address
	bool closed;	       // deleted or replaced long ago: repetitions only
	uint32_t life_s;
	mono_t dies;
	uint32_t seq; // last accepted
	uint8_t iv[CIPHER_BLOCK_MAX];
	struct secret key;
	struct secret leaf; // our own key of the key tree; empty without one
	size_t sig_key_len;
	uint8_t sig_key[PUBKEY_MAX]; // public key of the signer, DER
	size_t n_seen;
	struct gm_seen_push seen[GM_SEEN_PUSHES];
};

struct gm_ack {
	mono_t at; // MONO_NEVER: free
	struct endpoint from, to;
	size_t len;
	uint8_t msg[GM_ACK_MAX];
};

struct gm_keks {
	size_t n;
	struct gm_kek kek[GM_MAX_KEKS];
	struct gm_ack ack[GM_MAX_ACKS_QUEUED];
};

void gm_kek_fini(struct gm_kek *k); // wipes
// Deleted: answers repetitions for a while, takes nothing new.
void gm_kek_close(struct gm_kek *k, mono_t now);

void gm_keks_init(struct gm_keks *k);
void gm_keks_fini(struct gm_keks *k); // wipes
struct gm_kek *gm_keks_find(struct gm_keks *k, const uint8_t spi[GDOI_KEK_SPI_LEN]);
// The KEK in force, NULL when there is none.
const struct gm_kek *gm_keks_current(const struct gm_keks *k);
bool gm_keks_is_current(const struct gm_keks *k, const uint8_t spi[GDOI_KEK_SPI_LEN]);
// Did a rekey come that is newer than a registration which tells this KEK and SEQ?
bool gm_keks_newer(const struct gm_keks *k, const uint8_t spi[GDOI_KEK_SPI_LEN], uint32_t seq);
// A KEK from a download. One that is held already keeps the higher SEQ (RFC 6407 3.3), and stays
// closed when its Delete is newer than the download; a new one becomes the current one.
void gm_keks_put(struct gm_keks *k, mono_t now, const struct gm_kek *kek);
// A registration under the current one: a rekey under a former KEK that comes now was held back.
// Its keys may be those that have gone already, and the counters of their nonces with them.
void gm_keks_close_others(struct gm_keks *k, mono_t now);
void gm_keks_age(struct gm_keks *k, mono_t now);
mono_t gm_keks_next(const struct gm_keks *k);
void gm_keks_send_acks(struct gm_keks *k, mono_t now, struct gm_out *out);

// Adds the group addresses that rekeys of these KEKs come to, each once; returns how many there are
// now, at most GM_MAX_LISTENS.
size_t gm_keks_listens(const struct gm_keks *k, struct endpoint out[GM_MAX_LISTENS], size_t n);

// The acknowledgement of a PUSH, RFC 8263 3. False for a type we cannot answer.
bool gm_ack_build(const struct gm_kek *kek, const struct gdoi_wire_opts *o, uint32_t seq,
		  const struct addr *own, uint8_t *buf, size_t cap, size_t *len);
