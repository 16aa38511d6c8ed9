// ks/keep_io.h - the core and its state on disk, tied together.
// Owns:   the store and what waits for it.     From: ks_io.c around each step; tests.
// Always: tells the operator when state cannot be written, and when it can again.
#pragma once
#include "ks/core.h"
#include "ks/durable.h"
#include "ks/store_io.h"

struct ks_keep;

// ks is fresh: it takes up what was kept, and what it is then is on disk when this returns. out
// is of that step, with datagrams still to be sent. -errno, and why.
MUST_CHECK int ks_keep_open(const struct ks_store_conf *conf, bool mint, struct ks *ks, mono_t now,
			    struct ks_out *out, struct ks_keep **keep, char why[KS_STORE_WHY]);
// Writes all there is, counters too.
void ks_keep_close(struct ks_keep *k, const struct ks *ks);

// After a step, before its datagrams are sent.
void ks_keep_step(struct ks_keep *k, const struct ks *ks, const struct ks_out *out);
bool ks_keep_holds(struct ks_keep *k, const struct ks_send *s); // true: it is sent later
bool ks_keep_holds_tell(struct ks_keep *k, const struct ks_tell *t);
void ks_keep_forget_tells(struct ks_keep *k); // peers have other numbers now

int ks_keep_fd(const struct ks_keep *k); // readable: call _news
// Hands out what may be sent now; the datagrams are freed afterwards. tell NULL: there is no set.
struct ks_keep_hooks {
	void (*send)(void *arg, const struct ks_send *s);
	void (*tell)(void *arg, const struct ks_tell *t);
	void *arg;
};
void ks_keep_news(struct ks_keep *k, const struct ks *ks, mono_t now,
		  const struct ks_keep_hooks *hooks);
// A group whose set may be told (KS_EV_DURABLE) that its writes up to *no are safe.
bool ks_keep_durable(struct ks_keep *k, uint32_t *group, uint64_t *no);
void ks_keep_wait(struct ks_keep *k); // until there is news
void ks_keep_figures(struct ks_keep *k, struct ks_store_figures *out);
