// ks/dh_pool.h - a few threads that do Diffie-Hellman, so that the event loop never waits for it.
// Owns:   jobs between _put and _take.     From: ks_io.c.
// Always: a finished job makes the descriptor readable; jobs left at the end are freed.
#pragma once
#include "ks/out.h"

struct dh_pool;

MUST_CHECK int dh_pool_new(unsigned n_threads, struct dh_pool **out); // at least one
void dh_pool_free(struct dh_pool *p);
int dh_pool_fd(const struct dh_pool *p); // eventfd, readable when there is something to take
void dh_pool_put(struct dh_pool *p, const struct ks_dh *job);
bool dh_pool_take(struct dh_pool *p, struct ks_dh *job); // false when nothing is finished
