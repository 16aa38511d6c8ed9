// dataplane/notes.h - what espd tells gmd unasked: looks at the state now and then, says news once.
// Owns:   what was said already about unknown SPIs; the SAs remember the rest themselves.
// From:   door_io.c, a few times a second.
// Never:  costs a worker anything: counters are enough.
#pragma once
#include "common/base/mono.h"
#include "dataplane/sadb.h"
#include "dataplane/stats.h"

struct notes {
	uint64_t unknown_told;
	mono_t unknown_next;
};

typedef void notes_tell(void *arg, const struct dp_note *n);

void notes_sas(struct sadb *db, unsigned n_workers, mono_t now, notes_tell *tell, void *arg);
void notes_unknown_spi(struct notes *s, uint64_t total, uint32_t last_spi, mono_t now,
		       notes_tell *tell, void *arg);
