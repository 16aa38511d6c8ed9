// common/ike/frag.h - IKEv1 fragmentation, as deployed boxes do it: certificates make messages
// that UDP would have to fragment, and firewalls drop fragments.
//
//	HDR (next payload 132, message id 0) | generic header | id (2) | number (1) | flags (1)
//	| data
//
// The data of all fragments of one id, by number from 1, is the whole ISAKMP message; flag 1 marks
// the last. Sent only to peers that show the vendor id, and only when a message is too long.
// Spec:   none; observed of Cisco IOS and strongSwan. Vendor id MD5("FRAGMENTATION").
// Owns:   one message being put together.
// Always: bounded by FRAG_MAX_MSG and FRAG_MAX; memory is there only while a message is incomplete.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/wire/isakmp.h"

#define ISAKMP_PL_FRAGMENT 132
#define FRAG_MAX	   32 // fragments of a message
#define FRAG_MAX_MSG	   8192
#define FRAG_SIZE	   1200 // octets of a datagram we send, beyond which a message is cut
#define FRAG_HDR_LEN	   (ISAKMP_HDR_LEN + 8)

struct ike_fragment {
	uint16_t id;
	uint8_t number;
	bool last;
	struct bytes data;
};
// datagram: an ISAKMP message whose first payload is a fragment. False: *why says what is wrong.
bool frag_decode(struct bytes datagram, struct ike_fragment *out, struct rd_err *err);
bool frag_is(struct bytes datagram); // by its next payload alone

struct ike_frag { // zeroed is empty
	uint16_t id;
	uint8_t n_parts, last; // number of the last one; 0: not yet seen
	size_t len[FRAG_MAX], total;
	uint8_t *part[FRAG_MAX];
};
void frag_fini(struct ike_frag *f);

// Takes a fragment in. 0: more are missing. 1: *msg is the whole, malloc'ed, the caller's; f is
// empty again. -EBADMSG when they do not fit together (f is empty again), -ENOMEM.
MUST_CHECK int frag_add(struct ike_frag *f, const struct ike_fragment *p, uint8_t **msg,
			size_t *len);

// The n-th datagram (from 0) that msg is sent as; 0 octets: there is no such one. A message that
// fits, or is none to cut, is its own first datagram. out has FRAG_SIZE octets.
size_t frag_cut(struct bytes msg, bool peer_reassembles, size_t n, const uint8_t **datagram,
		uint8_t out[FRAG_SIZE]);
