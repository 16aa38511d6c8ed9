// ks/store_io.h - ksd's state on disk: SQLite and the device key.
//
//	STATE/state.db     one row per part of a group (replica.h), each sealed
//	STATE/device.key   32 random octets, mode 0600; made at the first start
//
// Rows are sealed with AES-256-GCM under a key derived from the device key and a salt of this run;
// the row's own place (group, part, member) is bound to it, so that rows cannot change places.
// Writing is done by a thread of its own, one transaction per write, synchronous=FULL over a WAL.
// Owns:   database, device key, thread.     From: ks_io.c, tests.
// Always: keeps the database to itself while it runs: a second ksd is refused.
// Never:  starts empty because it could not read what is there.
#pragma once
#include "ks/adopt.h"
#include "ks/durable.h"
#include "ks/elapsed.h"

#define KS_STORE_WHY 512

struct ks_store_conf {
	const char *dir;
	const char *device_key;				  // "": in dir
	const char *user;				  // who the files are given to; "": nobody
	void (*clocks)(void *arg, struct ks_clocks *out); // NULL: the machine's
	void *arg;
};

struct ks_store;

// -errno, and why in words for the operator: what is wrong, and what to do next.
MUST_CHECK int ks_store_open(const struct ks_store_conf *conf, struct ks_store **out,
			     char why[KS_STORE_WHY]);
void ks_store_close(struct ks_store *s); // finishes the write under way; NULL is fine

// What was found; until ks_store_forget, which wipes it. mint is the caller's to set.
const struct ks_saved *ks_store_saved(const struct ks_store *s);
void ks_store_forget(struct ks_store *s);
int64_t ks_store_base(const struct ks_store *s);

// Takes w. One at a time.
void ks_store_put(struct ks_store *s, struct ks_write *w);
int ks_store_fd(const struct ks_store *s); // readable when there is news
enum ks_store_news { KS_STORE_NOTHING, KS_STORE_DONE, KS_STORE_FAILED };
// FAILED: it is tried again by itself.
enum ks_store_news ks_store_take(struct ks_store *s, char why[KS_STORE_WHY]);
// Until the write under way is done, or has failed.
void ks_store_wait(struct ks_store *s);

struct ks_store_figures {
	uint64_t commits, rows, failures;
	uint32_t last_us, max_us;
};
void ks_store_figures(struct ks_store *s, struct ks_store_figures *out);
