// ks/members.h - who is registered in a group.
// With a pre-shared key what a member has proved is that it holds the key of its address: the
// address of its last PULL is its name here, where rekeys go and what its acknowledgements say.
// Behind a NAT many have one address: there the phase 1 identity, which is the member's word alone
// unless a certificate proves it, tells them apart, and rekeys go to the port of its last PULL.
// The list keeps the order of registration so that a paced fan-out can walk it while members come
// and go.
// Owns:   the records.     From: pull.c adds, rekey.c counts, core.c and show.c read.
// Always: one record per name; a new registration replaces the old record.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/mono.h"
#include "common/wire/ike1_pl.h"

#define MEMBERS_MAX	 100000 // per group
#define MEMBERS_PER_NAT	 1024	// of one address
#define MEMBER_NAME_LEN	 64
#define MEMBER_SEQ_SHOWN 4

enum member_push {
	MEMBER_PUSH_NONE, // registered after it: has its keys already
	MEMBER_PUSH_DUE,  // is to get it, has not acknowledged it
	MEMBER_PUSH_ACKED,
	MEMBER_PUSH_MISSED, // all rounds went by without its acknowledgement
};

struct member_name {
	struct addr addr;
	uint64_t behind; // no NAT: 0
};

struct member {
	struct member *prev, *next;	// order of registration
	struct member *chain;		// of its hash bucket
	char identity[MEMBER_NAME_LEN]; // of phase 1, for people
	struct endpoint remote, local;	// where it is, and the address of ours it talks to
	uint64_t behind;		// the NAT of remote.addr, as whom; 0: there is none
	struct addr inner;		// its own address there, if it says so; or none
	uint64_t
		proved; // digest of the name that its certificate, or a key of its own, proved; 0: none
	mono_t registered;
	mono_t unspent; // from when on it may register burst times again; survives a new registration
	bool conclave; // showed our vendor id
	uint8_t major, minor;
	bool ordered;		      // takes the ordered form of the policy
	bool by_group;		      // its KEK named a group address: rekeys come to it there
	bool ack_asked;		      // its KEK came with KEK_ACK_REQUESTED
	bool next_by_group, next_ack; // the same of the KEK that the rekey in flight brings
	bool acked_ever;	      // never judged gone before that (RFC 8263 6)
	uint16_t leaf;		      // in the key tree; 0: none
	enum member_push push;	      // what the rekey in flight (or the last one) means to it
	uint16_t part;		      // of its messages, the one for this member
	uint8_t form;		      // how what is sent to it is written (ike_form)
	uint8_t home;		      // in a set: id of the key server where it registered
	uint8_t told_kek[16];	      // as of which KEK and SEQ it was served
	uint32_t told_seq;
	// Counters; they survive a new registration:
	uint32_t registrations, rekeys_sent, retransmits, acks_received, acks_missed;
	uint32_t missed_in_row;
	uint32_t sent_seq[MEMBER_SEQ_SHOWN], acked_seq[MEMBER_SEQ_SHOWN]; // newest first
};

// How often one may register: burst times in quick succession, and once more for each interval_s
// that goes by. burst 0: as often as it likes.
struct member_limit {
	uint32_t burst, interval_s;
};

struct members {
	size_t n, n_buckets;
	struct member *first, *last;
	struct member **bucket;
};

// Nobody can tell whether it is still there: it is not asked for acknowledgements, or was asked and
// has never sent one.
static inline bool member_is_silent(const struct member *m)
{
	return !m->ack_asked || (!m->acked_ever && m->acks_missed > 0);
}

void members_init(struct members *m);
void members_fini(struct members *m);

struct member *members_find(const struct members *m, const struct addr *a); // behind no NAT
struct member *members_named(const struct members *m, const struct member_name *n);
// The one behind a NAT whose messages come from there.
struct member *members_behind(const struct members *m, const struct endpoint *remote);
// Of the silent ones, of all or of one address, who registered longest ago; NULL: there is none.
struct member *members_oldest_silent(const struct members *m, const struct addr *at);
size_t members_at(const struct members *m, const struct addr *a); // how many, NAT or not
static inline struct member_name member_name(const struct member *m)
{
	return (struct member_name){ m->remote.addr, m->behind };
}
// What tells this identity from others, and one that was proved from one that was only shown.
uint64_t member_behind(const struct isakmp_id *id, bool proved);
// Is this its address, outside or inside?
bool member_is(const struct member *m, const struct addr *a);
#define MEMBER_STRLEN (ENDPOINT_STRLEN + ADDR_STRLEN + 4)
const char *member_str(const struct member *m, char buf[MEMBER_STRLEN]); // for logs
// A fresh record at the end of the list, behind no NAT, NULL when the table is full. old: a copy of the record
// this one replaces, already deleted; its counters move over. NULL: none.
struct member *members_add(struct members *m, const struct endpoint *remote,
			   const struct member *old);
// Never registered, or not too often of late.
bool member_may_register(const struct member *m, const struct member_limit *l, mono_t now);
void member_count_registration(struct member *m, const struct member_limit *l, mono_t now);
void members_del(struct members *m, struct member *r);

void member_note_seq(uint32_t shown[MEMBER_SEQ_SHOWN], uint32_t seq);
