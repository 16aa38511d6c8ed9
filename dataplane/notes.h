// dataplane/notes.h - what espd tells gmd unasked: looks at the state now and then, says news once.
// Owns:   what was said already about packets caught; groups and SAs remember the rest themselves.
// From:   door_io.c, a few times a second.
// Never:  costs a worker anything: counters are enough.
#pragma once
#include "common/base/mono.h"
#include "dataplane/sadb.h"
#include "dataplane/stats.h"
#include "dataplane/txn.h"

struct notes {
	uint64_t caught_told;
	mono_t caught_next;
};

// Where a worker leaves the last packet of the box itself that policy caught: it writes while
// full is 0 and sets it, the control thread reads and clears it.
struct caught {
	uint32_t full; // (atomic)
	struct dp_note note;
};

typedef void notes_tell(void *arg, const struct dp_note *n);

void notes_sas(struct sadb *db, unsigned n_workers, mono_t now, notes_tell *tell, void *arg);
void notes_unknown_spi(struct policy *p, unsigned n_workers, mono_t now, notes_tell *tell,
		       void *arg);
// total: all that were caught so far.
void notes_own_caught(struct notes *s, uint64_t total, struct caught *const *c, size_t n,
		      mono_t now, notes_tell *tell, void *arg);
