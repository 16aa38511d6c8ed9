// common/ike/table.h - SAs by their cookie pair.
// Owns:   the SAs put in (heap, stable addresses) until taken out.
// Always: half of every cookie pair is our own random choice, so a peer cannot aim at a bucket.
#pragma once
#include "common/ike/ike.h"

struct ike_table {
	struct ike_sa **slot;
	size_t n_slots; // a power of two, at least twice the capacity
	size_t n, capacity;
};

MUST_CHECK int ike_table_init(struct ike_table *t, size_t capacity);
void ike_table_fini(struct ike_table *t); // ends and frees every SA in it

// NULL when there is none.
struct ike_sa *ike_table_find(const struct ike_table *t, const uint8_t cky_i[ISAKMP_COOKIE_LEN],
			      const uint8_t cky_r[ISAKMP_COOKIE_LEN]);
// Takes sa (malloc'ed). -EEXIST for a pair already there, -ENOSPC when full: then it is still the
// caller's.
MUST_CHECK int ike_table_put(struct ike_table *t, struct ike_sa *sa);
// Out of the table, ended and freed.
void ike_table_drop(struct ike_table *t, struct ike_sa *sa);
// Walk: start with *at = 0; NULL at the end. Dropping the SA just returned is allowed only with
// at set back by one; entries may move, so a walk that drops may see an SA twice.
struct ike_sa *ike_table_next(const struct ike_table *t, size_t *at);
