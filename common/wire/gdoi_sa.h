// common/wire/gdoi_sa.h - the GDOI SA payload and what it holds: SAK, GAP, SATs.
// From:   gdoi_pull (message 2), gdoi_push; GAP alone also from message 3.
// Spec:   RFC 6407 5.2-5.5, RFC 8052 2.2 (IEC 61850), RFC 8263 4, RFC 2407 4.5 (attributes).
// Always: order SAK, GAP, SATs; an attribute we do not know fails the payload (RFC
// 6407 5.3.2, 5.4). Never:  judges algorithms: a number without a row in suite.h is the caller's to
// refuse.
#pragma once
#include "common/base/flow.h"
#include "common/wire/gdoi_opts.h"
#include "common/wire/isakmp.h"

#define GDOI_MAX_SAT	 256
#define GDOI_ID_DATA_MAX 32 // two IPv6 addresses
#define GDOI_KEK_SPI_LEN 16
#define GDOI_TEK_SPI_LEN 4

// One side of a SAK or SAT. len 0, and IPV4_ADDR with len 3 (zeros), mean any source.
struct gdoi_id {
	uint8_t type;  // enum isakmp_id_type: 1, 4, 5, 6, 7, 8
	uint16_t port; // 0 any
	uint8_t len;
	uint8_t data[GDOI_ID_DATA_MAX];
};

// Subnet when the side is a prefix, single address when it is one, range otherwise. A range of
// ports has no encoding: false unless the side has one port or all.
bool gdoi_id_from_side(const struct flow_side *side, struct gdoi_id *out);
// family (4 or 6) decides what "any" means. False when the range is backwards or a netmask has
// holes, or the family differs.
bool gdoi_id_to_side(const struct gdoi_id *id, uint8_t family, struct flow_side *out);
struct gdoi_id gdoi_id_of_endpoint(const struct endpoint *e);
bool gdoi_id_to_endpoint(const struct gdoi_id *id, struct endpoint *out); // single addresses only

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
};

// RFC 8052: GOOSE and sampled values. Octet strings as sent, DER inside.
struct gdoi_iec61850 {
	struct bytes oid, specific;
	uint16_t auth, enc; // enum gdoi_iec_auth, gdoi_iec_enc
	uint32_t life_s;    // remaining, 0 none
	bool has_atd, has_kda;
	uint32_t atd_s;
	uint16_t kda; // percent of members that must have the key
};

// SA TEK. proto says which members count: ESP and AH all but iec; BYPASS only ip_proto, src and
// dst; IEC61850 only spi and iec. A number is 0 when its attribute is absent.
struct gdoi_sat {
	uint8_t proto;	  // enum gdoi_proto
	uint8_t ip_proto; // of the traffic, 0 any
	struct gdoi_id src, dst;
	uint8_t transform; // enum esp_transform or ah_transform
	uint32_t spi;
	uint32_t life_s, life_kb;
	uint16_t encap; // enum ipsec_encap
	uint16_t auth;	// enum ipsec_auth
	uint16_t key_bits;
	uint16_t esn;	    // 1: 64 bit sequence numbers
	uint16_t preserve;  // enum ipsec_preserve
	uint16_t direction; // enum ipsec_direction
	struct gdoi_iec61850 iec;
};

// A SAT's traffic as a flow and back. to_flow fails as gdoi_id_to_side does, and for IEC 61850.
bool gdoi_sat_to_flow(const struct gdoi_sat *sat, struct flow *out);
bool gdoi_sat_set_flow(struct gdoi_sat *sat, const struct flow *flow);

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

// A GAP payload of its own: message 3 of GROUPKEY-PULL.
bool gdoi_gap_decode(struct bytes body, struct gdoi_gap *out, struct rd_err *err);
void gdoi_gap_encode(struct wr_chain *c, const struct gdoi_gap *gap);
