// common/base/jobs_io.h - a few threads beside an event loop that run jobs in the order they come.
// Owns:   jobs between _put and _take.
// From:   ks_io.c and gm_io.c (Diffie-Hellman), common/pki/auth_io.c (signatures).
// Always: bounded: a job too many is refused and stays the caller's; a finished job makes the
//         descriptor readable; what is left at the end goes to drop.
// Never:  takes a signal: those are the event loop's.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct jobs;

// run is called on a thread, drop on the caller's. max: jobs waiting, running and finished.
MUST_CHECK int jobs_new(unsigned n_threads, size_t max, void (*run)(void *job),
			void (*drop)(void *job), struct jobs **out); // at least one thread
void jobs_free(struct jobs *j); // waits for what is running; NULL is fine
int jobs_fd(const struct jobs *j);
MUST_CHECK bool jobs_put(struct jobs *j, void *job); // false: full
void *jobs_take(struct jobs *j);		     // a finished one; NULL: none
