// common/wire/gdoi_id.h - who talks to whom: one side of a SAK or SAT, and what it means as flow.
// From:   gdoi_sat, gdoi_sa; ks/policy and gm/policy convert.
// Spec:   RFC 6407 5.3, 5.5.1; RFC 2407 4.6.2.1.
#pragma once
#include "common/base/flow.h"
#include "common/wire/gdoi_opts.h"
#include "common/wire/isakmp.h"

#define GDOI_ID_DATA_MAX 32 // two IPv6 addresses

// len 0, and three zero octets, mean any source.
struct gdoi_id {
	uint8_t type;  // enum isakmp_id_type: 1, 4, 5, 6, 7, 8
	uint16_t port; // 0 any
	uint8_t len;
	uint8_t data[GDOI_ID_DATA_MAX];
};

// Subnet when the side is a prefix, single address when it is one, range otherwise. A range of
// ports has no encoding: false unless the side has one port (not 0) or all.
MUST_CHECK bool gdoi_id_from_side(const struct flow_side *side, struct gdoi_id *out);
// family (4 or 6) decides what "any" means. False when the range is backwards, a netmask has holes
// or the family differs.
MUST_CHECK bool gdoi_id_to_side(const struct gdoi_id *id, uint8_t family, struct flow_side *out);
uint8_t gdoi_id_family(const struct gdoi_id *id); // 4, 6, or 0 for no known type
struct gdoi_id gdoi_id_of_endpoint(const struct endpoint *e);
MUST_CHECK bool gdoi_id_to_endpoint(const struct gdoi_id *id, struct endpoint *out); // one address

// How a pair of identities is read and written: the octets of their length fields, whether a
// received source may be empty, whether an octet of protocol precedes the destination, and how
// any source is written.
struct gdoi_id_form {
	uint8_t len_octets;
	bool empty_src, dst_prot;
	enum gdoi_any_src any_src;
};
void gdoi_id_pair_decode(struct rd *r, struct gdoi_id_form form, struct gdoi_id *src,
			 struct gdoi_id *dst);
// proto: what the octet before the destination says, where there is one.
void gdoi_id_pair_encode(struct wr *w, struct gdoi_id_form form, uint8_t proto,
			 const struct gdoi_id *src, const struct gdoi_id *dst);
