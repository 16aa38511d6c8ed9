// common/wire/gdoi_pull.h - the four messages of GROUPKEY-PULL.
//
//   (1) member -> key server   HDR*, HASH(1), Ni, ID
//   (2) key server -> member   HDR*, HASH(2), Nr, SA
//   (3) member -> key server   HDR*, HASH(3) [, GAP]
//   (4) key server -> member   HDR*, HASH(4) [, SEQ], KD
//
// Receiving: decrypt after the header, gdoi_pull_open, verify
//   HASH(1) = prf(SKEYID_a, M-ID | covered)           HASH(2) = prf(SKEYID_a, M-ID | Ni_b |
//   covered) HASH(3), HASH(4) = prf(SKEYID_a, M-ID | Ni_b | Nr_b | covered)
// and only then gdoi_pullN_decode. Sending: ike_seal_begin (ike/protect.h), the payloads above,
// ike_seal_end.
// From:   ks/pull, gm/pull.   To: gdoi_sa, gdoi_kd.   Spec: RFC 6407 3, 5.7, 5.8.
// Never:  knows keys, cookies tables or states.
#pragma once
#include "common/wire/gdoi_kd.h"
#include "common/wire/gdoi_sa.h"
#include "common/wire/ike1_pl.h"

struct gdoi_pull1 {
	struct bytes nonce;
	struct isakmp_id id; // the group
};

struct gdoi_pull2 {
	struct bytes nonce;
	struct gdoi_sa sa;
};

struct gdoi_pull3 {
	bool has_gap;
	struct gdoi_gap gap; // of a member: sender id request
};

struct gdoi_pull4 {
	bool has_seq;
	uint32_t seq; // the last one used under the KEK
	struct gdoi_kd kd;
};

// n: 1-4, the message that is expected. payloads: decrypted, after the header. first: the
// header's next payload. pad: block size of the cipher. Judges the set of payloads.
bool gdoi_pull_open(const struct gdoi_wire_opts *o, int n, struct bytes payloads, uint8_t first,
		    size_t pad, struct isakmp_hashed *out, struct rd_err *err);
bool gdoi_pull1_decode(const struct isakmp_hashed *m, struct gdoi_pull1 *out, struct rd_err *err);
bool gdoi_pull2_decode(const struct gdoi_wire_opts *o, const struct isakmp_hashed *m,
		       struct gdoi_pull2 *out, struct rd_err *err);
bool gdoi_pull3_decode(const struct gdoi_wire_opts *o, const struct isakmp_hashed *m,
		       struct gdoi_pull3 *out, struct rd_err *err);
bool gdoi_pull4_decode(const struct gdoi_wire_opts *o, const struct isakmp_hashed *m,
		       struct gdoi_pull4 *out, struct rd_err *err);
