// common/wire/ike1_sa.h - the SA payload of phase 1: one ISAKMP proposal, some transforms.
// From:   ike/phase1.
// Spec:   RFC 2408 3.4-3.6, RFC 2409 5 and appendix A; RFC 6407 2.1 for DOI 2.
// Always: a chosen transform is sent back with its attributes as they came (RFC 2408 4.2).
#pragma once
#include "common/wire/gdoi_opts.h"
#include "common/wire/isakmp.h"

#define IKE1_MAX_TRANSFORMS 64

struct ike1_transform {
	uint8_t num;
	uint16_t enc, hash, auth, group; // 0 when absent
	uint16_t key_bits;		 // 0 when absent
	uint32_t life_s, life_kb;	 // 0 when absent
	// Not choosable: another transform id, an attribute we do not know, or one given twice.
	bool unknown;
	// Attributes as received; encoded verbatim when not empty, from the fields otherwise.
	struct bytes attrs;
};

struct ike1_sa {
	uint32_t doi, situation;
	uint8_t proposal; // number
	struct bytes spi; // 0-16 octets, without meaning in phase 1
	size_t n;
	struct ike1_transform t[IKE1_MAX_TRANSFORMS];
};

// body: after the generic header. DOI 2 with situation 0; DOI 1 with SIT_IDENTITY_ONLY only when
// opts accept it.
bool ike1_sa_decode(const struct gdoi_wire_opts *o, struct bytes body, struct ike1_sa *out,
		    struct rd_err *err);
void ike1_sa_encode(struct wr_chain *c, const struct ike1_sa *sa);
