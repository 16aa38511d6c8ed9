// ks/nat.h - members behind NATs: what they are called, and where they are now.
//
// A NAT lends one address to many members and forgets its mappings. What we believe of a new port:
//	a registration                      HASH(3) covers our fresh nonce
//	phase 1 of the same identity        authentic, and both nonces are new
//	R-U-THERE under its phase 1 SA      authentic, and its sequence number is new
//	an acknowledgement, in a group with a key tree: made with a key of that member alone
// Never a keepalive, nor an acknowledgement made with the KEK: any member can make one. Only the
// port is followed: another address is a new registration, since authorization is by address.
//
// From:   pull.c, phase1.c, fanout.c.     To: members.
// Spec:   RFC 3947 4; RFC 8263 7.1.
#pragma once
#include "ks/phase1.h"

// What the peer of a phase 1 SA is called as a member.
struct member_name ks_nat_name(const struct ike_sa *sa);
// Its own address behind the NAT, if its identity says so; else family 0.
struct addr ks_nat_inner(const struct ike_sa *sa);

// Phase 1 stands: records go where it came from.
void ks_nat_arrived(struct ks *ks, const struct ike_sa *sa, struct ks_out *out);
// A message that proved to be the peer's: SA and records go where it came from.
void ks_nat_follow(struct ks_call *c, struct ike_sa *sa);
// The same for one record.
void ks_nat_move(struct ks_group *g, struct member *m, const struct endpoint *from,
		 const struct endpoint *to, struct ks_out *out);
// Registered: tells the operator what the NAT means.
void ks_nat_tell(const struct ks_group *g, const struct ike_sa *sa, struct ks_out *out);
