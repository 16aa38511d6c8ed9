// ks/durable.h - first durable, then sent.
// After every step it looks what of the groups has changed, and gathers it into one write at a
// time: what changes while a write is under way goes into the next, so that a slow disk makes
// writes larger, not more numerous (group commit). Datagrams that release keys (message 4 of a
// registration, rekeys; `waits` in ks_send) are held until the write that covers them is safe. All
// else, phase 1 above all, goes at once: a slow disk never looks like a dead key server.
//
// Sender ids and SEQs therefore need no reservation in blocks: none is on the wire before the
// counter behind it is on disk. Holding replies costs a registration the time of one commit, and
// no throughput, since Diffie-Hellman of others goes on meanwhile; and it is needed anyway: a
// member whose record were lost would be left out of the next rekey.
// Of a group that several key servers serve only its items are written, each in a row of its own,
// and what coop keeps besides; frames that tell peers of them wait as well, and coop hears up to
// which of its writes all is safe.
// Owns:   copies of what is held; marks of what was written.
// From:   ks_io.c around each step; tests.     To: replica.
// Always: datagrams leave in the order in which they were made, per kind.
// Never:  does I/O.
#pragma once
#include "ks/replica.h"

#define KS_HELD_MAX (64u << 20) // octets; more is lost, as any datagram may be

// One row: put, or deleted when data is empty; part 0: the whole group goes.
struct ks_row {
	uint32_t group;
	uint8_t part; // enum ks_part_kind
	uint8_t key_len;
	uint8_t key[KS_MEMBER_KEY_MAX];
	struct ks_blob data;
};

struct ks_write {
	size_t n, cap;
	struct ks_row *row;
};
void ks_write_fini(struct ks_write *w); // wipes

struct ks_held; // durable.c
struct ks_durable_group;

struct ks_durable {
	bool dirty, busy;
	uint64_t begun, done; // writes
	size_t n_groups;
	struct ks_durable_group *group;
	size_t n_touched, cap_touched;
	struct ks_touch *touched;
	size_t n_items, cap_items;
	struct ks_item_touch *items;
	struct ks_held_list {
		struct ks_held *first, *last;
	} sends, tells;
	size_t held_octets;
	uint64_t n_lost;
};

void ks_durable_init(struct ks_durable *d);
void ks_durable_fini(struct ks_durable *d);

// What the step that filled out has changed. When it is the first after a start, `all` of what
// ks holds is written.
void ks_durable_note(struct ks_durable *d, const struct ks *ks, const struct ks_out *out);
void ks_durable_note_all(struct ks_durable *d, const struct ks *ks);
// True: s is held (copied); false: send it now.
bool ks_durable_hold(struct ks_durable *d, const struct ks_send *s);
bool ks_durable_hold_tell(struct ks_durable *d, const struct ks_tell *t);
void ks_durable_forget_tells(struct ks_durable *d);

// True: there is something to write, and nothing under way: w is to be written, as one.
bool ks_durable_begin(struct ks_durable *d, const struct ks *ks, int64_t base_ms,
		      struct ks_write *w);
void ks_durable_end(struct ks_durable *d); // it is safe
// What may go now, in order; s->owned is the caller's to free.
bool ks_durable_release(struct ks_durable *d, struct ks_send *s);
bool ks_durable_release_tell(struct ks_durable *d, struct ks_tell *t); // wipe it too
// A group of a set whose writes up to *no have become safe: KS_EV_DURABLE.
bool ks_durable_next(struct ks_durable *d, uint32_t *group, uint64_t *no);
