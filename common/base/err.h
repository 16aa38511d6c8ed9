// common/base/err.h - how errors travel.
// Three kinds, three answers: the peer is wrong (count it, log once per interval, drop);
// we lack something (-errno upward, MUST_CHECK); impossible (BUG: print and abort).
#pragma once
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST_CHECK		      __attribute__((warn_unused_result))
#define PRINTF(f, a)		      __attribute__((format(printf, f, a)))
#define N_ELEMS(a)		      (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b)		      ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)		      ((a) > (b) ? (a) : (b))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

// A large local array that is written before it is read: spare it the automatic zeroing.
#define NO_AUTO_INIT __attribute__((uninitialized))

// A broken invariant of our own. Never reached by anything a peer or a config file sends.
#define BUG(why)                                                                                   \
	do {                                                                                       \
		fprintf(stderr, "BUG at %s:%d: %s\n", __FILE__, __LINE__, (why));                  \
		abort();                                                                           \
	} while (0)
#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (cond)                                                                          \
			BUG(#cond);                                                                \
	} while (0)
