// common/wire/gdoi_sat.h - SA TEK: one data SA, or one line of policy without one.
// From:   gdoi_sa.
// Spec:   RFC 6407 5.5, RFC 2407 4.5, RFC 4304; RFC 8052 2.2 (IEC 61850).
// Always: a transform or attribute without a number in gdoi.h fails the payload (RFC 2407 4.5.3).
#pragma once
#include "common/base/replay.h"
#include "common/wire/gdoi_id.h"

#define GDOI_TEK_SPI_LEN 4

// RFC 8052: GOOSE and sampled values. Octet strings as sent, DER inside.
struct gdoi_iec61850 {
	struct bytes oid, specific;
	uint16_t auth, enc; // enum gdoi_iec_auth, gdoi_iec_enc
	uint32_t life_s;    // remaining, 0 none
	bool has_atd, has_kda;
	uint32_t atd_s;
	uint16_t kda; // percent of members that must have the key
};

// proto says which members count: ESP and AH all but iec; BYPASS only ip_proto, src and dst;
// IEC61850 only spi and iec. A number is 0 when its attribute is absent.
struct gdoi_sat {
	uint8_t proto;	  // enum gdoi_proto
	uint8_t ip_proto; // of the traffic, 0 any
	struct gdoi_id src, dst;
	uint8_t transform; // enum esp_transform or ah_transform
	uint32_t spi;	   // never 0
	uint32_t life_s, life_kb;
	uint16_t encap; // enum ipsec_encap
	uint16_t auth;	// enum ipsec_auth
	uint16_t key_bits;
	uint16_t esn;	      // 1: 64 bit sequence numbers
	uint16_t preserve;    // enum ipsec_preserve
	uint16_t direction;   // enum ipsec_direction
	struct replay replay; // mode REPLAY_NONE: absent
	struct gdoi_iec61850 iec;
};

// A SAT's traffic as a flow and back. to_flow fails as gdoi_id_to_side does, and for IEC 61850.
MUST_CHECK bool gdoi_sat_to_flow(const struct gdoi_sat *sat, struct flow *out);
MUST_CHECK bool gdoi_sat_set_flow(struct gdoi_sat *sat, const struct flow *flow);

// body: after the generic header. Tries both readings of the identity lengths when allowed.
bool gdoi_sat_decode(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_sat *out,
		     struct rd_err *err);
void gdoi_sat_encode(const struct gdoi_wire_opts *o, struct wr_chain *c,
		     const struct gdoi_sat *sat);
