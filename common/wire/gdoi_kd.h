// common/wire/gdoi_kd.h - key download: TEK, KEK, LKH and sender ids; and SEQ beside it.
// From:   gdoi_pull (message 4), gdoi_push.
// Spec:   RFC 6407 5.6, 5.7.
// Owns:   nothing: every key is a view into the datagram, which the caller wipes.
// Always: at most one KEK, one LKH, one SID packet; each attribute at most once where the RFC
//         says so.
#pragma once
#include "common/wire/gdoi_opts.h"
#include "common/wire/gdoi_sa.h"
#include "common/wire/isakmp.h"

#define GDOI_MAX_TEK	    512
#define GDOI_MAX_LKH_KEYS   512 // of all arrays together
#define GDOI_MAX_LKH_ARRAYS 64
#define GDOI_MAX_SID	    64

// Empty views are absent attributes. alg_key ends with the salt in counter modes.
struct gdoi_kd_tek {
	uint32_t spi;
	struct bytes alg_key, integrity_key, source_auth_key;
};

struct gdoi_kd_kek {
	uint8_t spi[GDOI_KEK_SPI_LEN];
	struct bytes alg_key; // IV (one block), then the key
	struct bytes sig_key; // public key of the PUSH signer
};

struct gdoi_lkh_key {
	uint16_t id;
	uint8_t type;		   // enum gdoi_kek_alg
	uint32_t created, expires; // Unix seconds, 0 none
	uint32_t handle;
	struct bytes data; // IV, then the key; in update arrays encrypted
};

// keys [first, first + n) of struct gdoi_kd_lkh. id and handle name the key that encrypts the
// first one (update arrays only).
struct gdoi_lkh_array {
	uint16_t id;
	uint32_t handle;
	size_t first, n;
};

struct gdoi_kd_lkh {
	uint8_t spi[GDOI_KEK_SPI_LEN];
	bool has_download;
	struct gdoi_lkh_array download; // own leaf first, up to the root
	size_t n_update;
	struct gdoi_lkh_array update[GDOI_MAX_LKH_ARRAYS];
	size_t n_keys;
	struct gdoi_lkh_key key[GDOI_MAX_LKH_KEYS];
	struct bytes sig_key;
};

struct gdoi_kd_sid {
	uint16_t bits; // 1-32
	size_t n;
	uint32_t sid[GDOI_MAX_SID];
};

struct gdoi_kd {
	bool has_kek, has_lkh, has_sid;
	struct gdoi_kd_kek kek;
	struct gdoi_kd_lkh lkh;
	struct gdoi_kd_sid sid;
	size_t n_tek;
	struct gdoi_kd_tek tek[GDOI_MAX_TEK];
};

// body: after the generic header. Encoded in the order KEK, LKH, TEKs, SID.
bool gdoi_kd_decode(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_kd *out,
		    struct rd_err *err);
void gdoi_kd_encode(const struct gdoi_wire_opts *o, struct wr_chain *c, const struct gdoi_kd *kd);

// The packet of an SPI, NULL when there is none.
const struct gdoi_kd_tek *gdoi_kd_find_tek(const struct gdoi_kd *kd, uint32_t spi);

// SEQ payload, RFC 6407 5.7: four octets: in PULL message 4, in PUSH, in its acknowledgement.
bool gdoi_seq_decode(struct bytes body, uint32_t *out, struct rd_err *err);
void gdoi_seq_encode(struct wr_chain *c, uint32_t seq);
