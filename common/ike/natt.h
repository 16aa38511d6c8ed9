// common/ike/natt.h - is there a NAT between us and the peer, and on whose side?
//
//	1, 2  both show the vendor id of RFC 3947
//	3, 4  NAT-D, NAT-D..: hashes of the sender's view of both endpoints, the far one first
//	5..   if there is one, from port 4500 to port 4500, behind a marker; the initiator moves
//
// Applies to us when conf->natt_port is not 0. NAT-D is not authenticated: whoever tampers with it
// can make us believe in a NAT, never in a key.
// From:   main_mode.c; the daemons read sa->behind_nat and sa->peer_behind_nat.
// Spec:   RFC 3947 3, 4.
#pragma once
#include "common/ike/ike.h"

// HASH(CKY-I | CKY-R | IP | port)
MUST_CHECK int natt_hash(enum hash_alg h, const uint8_t cky_i[ISAKMP_COOKIE_LEN],
			 const uint8_t cky_r[ISAKMP_COOKIE_LEN], const struct endpoint *at,
			 uint8_t out[HASH_MAX]);

// Our two NAT-D payloads, where both sides speak of NATs; else none.
MUST_CHECK int natt_write(const struct ike_sa *sa, struct wr_chain *c);
// Judges the peer's. Without any, no NAT is seen.
MUST_CHECK int natt_keep(struct ike_sa *sa, const struct isakmp_chain *c);
static inline bool natt_seen(const struct ike_sa *sa)
{
	return sa->behind_nat || sa->peer_behind_nat;
}
// What a NAT between key server and member means, for both sides' logs.
#define NATT_MEANS                                                                                 \
	"rekeys pass this NAT; ESP does not, it keeps the hosts' own addresses: data traffic "     \
	"needs a path without NAT"
const char *natt_side(const struct ike_sa *sa); // "no", "here", "peer" or "both" are behind one
// Initiator, before message 5: where both sides meet from here on.
void natt_move(struct ike_sa *sa);
// Responder: may a message that came to our endpoint `to` be from another place of the peer's than
// before? Only the port may be another: authorization is by address. Believed once it proved to be
// the peer's.
bool natt_may_follow(const struct ike_sa *sa, const struct endpoint *from,
		     const struct endpoint *to);
static inline void natt_follow(struct ike_sa *sa, const struct endpoint *from,
			       const struct endpoint *to)
{
	sa->peer = *from;
	sa->local = *to;
}
