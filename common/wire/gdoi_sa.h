// common/wire/gdoi_sa.h - the GDOI SA payload and what it holds: SAK, GAP, SATs.
// From:   gdoi_pull (message 2), gdoi_push; GAP alone also from message 3.
// Spec:   RFC 6407 5.2-5.4, RFC 8263 4.
// Always: order SAK, GAP, SATs; an attribute we do not know fails the payload (RFC 6407 5.3.2,
//         5.4) unless option ignore_unknown_attributes.
// Never:  judges algorithms: a number without a row in suite.h is the caller's to refuse.
#pragma once
#include "common/base/replay.h"
#include "common/wire/gdoi_sat.h"

#define GDOI_MAX_SAT	 256
#define GDOI_KEK_SPI_LEN 16

// SA KEK. A number is 0 when its attribute is absent.
struct gdoi_sak {
	uint8_t ip_proto; // of the PUSH datagram: 17
	struct gdoi_id src, dst;
	uint8_t spi[GDOI_KEK_SPI_LEN]; // the cookie pair of its PUSHes
	uint16_t management;	       // enum gdoi_kek_management
	uint16_t alg;		       // enum gdoi_kek_alg, always present
	uint16_t key_bits;
	uint32_t life_s;
	uint16_t sig_hash; // enum gdoi_sig_hash
	uint16_t sig_alg;  // enum gdoi_sig_alg, always present
	uint16_t sig_key_bits;
	uint16_t ack; // enum gdoi_ack
};

struct gdoi_gap {
	bool has_atd, has_dtd, has_sid_request;
	uint16_t atd_s, dtd_s;
	uint16_t sid_request; // how many sender ids
	bool has_pseudotime;
	struct pseudotime pseudotime;
};

struct gdoi_sa {
	bool has_sak, has_gap;
	struct gdoi_sak sak;
	struct gdoi_gap gap;
	size_t n_sat;
	struct gdoi_sat sat[GDOI_MAX_SAT]; // views (iec) die with the datagram
};

// body: after the generic header.
bool gdoi_sa_decode(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_sa *out,
		    struct rd_err *err);
void gdoi_sa_encode(const struct gdoi_wire_opts *o, struct wr_chain *c, const struct gdoi_sa *sa);

// The attribute payloads by themselves; body after the generic header. A GAP of its own is in
// message 3 of GROUPKEY-PULL.
bool gdoi_sak_decode(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_sak *out,
		     struct rd_err *err);
void gdoi_sak_encode(const struct gdoi_wire_opts *o, struct wr_chain *c,
		     const struct gdoi_sak *sak);
bool gdoi_gap_decode(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_gap *out,
		     struct rd_err *err);
void gdoi_gap_encode(struct wr_chain *c, const struct gdoi_gap *gap);
