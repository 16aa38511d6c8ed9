// common/ike/protect.h - messages under an established SA: encrypt, authenticate by HASH, chain.
//
//	HDR* | HASH(n) payload | every other payload | zero octets up to the cipher's block
//	HASH(n) = prf(SKEYID_a, M-ID [| Ni_b] [| Nr_b] | every octet after the HASH payload)
//
// From:   ks/pull, gm/pull (GROUPKEY-PULL, exchange 32), info (exchange 5).
// Spec:   RFC 2409 5.5, 5.7, appendix B; RFC 6407 3.2.
// Always: one IV chain per message id for both directions; only a message whose HASH is right
//         moves it. HASH is compared in constant time.
#pragma once
#include "common/ike/ike.h"

// One exchange. Embed it where the exchange's own state is. No resources of its own.
struct ike_exch {
	const struct ike_sa *sa;      // borrowed, established
	uint8_t exchange;	      // GDOI_XCH_PULL, ISAKMP_XCH_INFO
	uint32_t msgid;		      // never 0
	uint8_t iv[CIPHER_BLOCK_MAX]; // for the next message, whoever sends it
};

MUST_CHECK int ike_exch_init(struct ike_exch *x, const struct ike_sa *sa, uint8_t exchange,
			     uint32_t msgid);
uint32_t ike_msgid_new(struct rng *rng); // never 0

// The nonces that HASH covers besides the message itself: bodies, empty where not yet known
// (HASH(1): none; HASH(2): ni; HASH(3), HASH(4): both).
struct ike_nonces {
	struct bytes ni, nr;
};

// Decrypts into plain (cap at least the datagram's length), verifies HASH, splits the payloads.
// *m views plain; m->chain.pl[0] is the HASH. plain holds key material afterwards when the message
// had some: the caller wipes it. IKE_R_OK, MALFORMED, BAD_FLAGS, BAD_HASH, NO_MEMORY.
enum ike_reason ike_exch_open(struct ike_exch *x, const struct isakmp_hdr *hdr,
			      struct bytes datagram, const struct ike_nonces *n, uint8_t *plain,
			      size_t cap, struct isakmp_hashed *m, const char **detail);

// A message being written: begin, write payloads through s.chain, seal.
struct ike_seal {
	struct wr w;
	struct wr_chain chain;
	struct wr_hash hash;
};
void ike_seal_begin(struct ike_seal *s, const struct ike_exch *x, uint8_t *buf, size_t cap);
// HASH, zero padding, encryption in place, Length. *msg views buf. -EMSGSIZE when buf was small.
MUST_CHECK int ike_seal_end(struct ike_seal *s, struct ike_exch *x, const struct ike_nonces *n,
			    struct bytes *msg);
