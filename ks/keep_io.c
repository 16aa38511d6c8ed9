#include "ks/keep_io.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

#define TELL_MS 10000

struct ks_keep {
	struct ks_store *store;
	struct ks_durable durable;
	bool failing;
	struct log_limit told;
};

static void write_on(struct ks_keep *k, const struct ks *ks)
{
	struct ks_write w;

	if (ks_durable_begin(&k->durable, ks, ks_store_base(k->store), &w))
		ks_store_put(k->store, &w);
}

// One write, on disk when this returns true.
static bool write_all(struct ks_keep *k, const struct ks *ks, char why[KS_STORE_WHY])
{
	ks_durable_note_all(&k->durable, ks);
	write_on(k, ks);
	ks_store_wait(k->store);
	if (ks_store_take(k->store, why) != KS_STORE_DONE)
		return false;
	ks_durable_end(&k->durable);
	return true;
}

static int take_up(struct ks_keep *k, bool mint, struct ks *ks, mono_t now, struct ks_out *out,
		   char why[KS_STORE_WHY])
{
	struct ks_saved saved = *ks_store_saved(k->store);
	struct ks_event ev = { .kind = KS_EV_ADOPT, .saved = &saved };

	if (saved.time_unknown)
		event_log(EV_KS_CLOCK_BACK, NULL,
			  "nobody knows how old the keys are: they are replaced now");
	saved.mint = mint;
	ks_step(ks, now, &ev, out);
	ks_store_forget(k->store);
	if (out->refused) {
		snprintf(why, KS_STORE_WHY,
			 "%s; start the ksd that wrote it, or restore a backup and start once with "
			 "--mint-new, or move the database away: groups then start with new keys",
			 out->answer);
		return -EBADMSG;
	}
	return write_all(k, ks, why) ? 0 : -EIO;
}

int ks_keep_open(const struct ks_store_conf *conf, bool mint, struct ks *ks, mono_t now,
		 struct ks_out *out, struct ks_keep **keep, char why[KS_STORE_WHY])
{
	struct ks_keep *k = calloc(1, sizeof(*k));
	int err;

	BUG_ON(!k);
	k->told.interval_ms = TELL_MS;
	ks_durable_init(&k->durable);
	err = ks_store_open(conf, &k->store, why);
	if (!err)
		err = take_up(k, mint, ks, now, out, why);
	if (err) {
		ks_store_close(k->store);
		ks_durable_fini(&k->durable);
		free(k);
		return err;
	}
	*keep = k;
	return 0;
}

void ks_keep_close(struct ks_keep *k, const struct ks *ks)
{
	char why[KS_STORE_WHY];

	if (!k)
		return;
	ks_store_wait(k->store);
	if (ks_store_take(k->store, why) == KS_STORE_DONE)
		ks_durable_end(&k->durable);
	if (!k->durable.busy && !write_all(k, ks, why))
		event_log(EV_KS_STATE_FAILED, NULL, "the last changes are lost: %s", why);
	ks_store_close(k->store);
	ks_durable_fini(&k->durable);
	free(k);
}

void ks_keep_step(struct ks_keep *k, const struct ks *ks, const struct ks_out *out)
{
	ks_durable_note(&k->durable, ks, out);
	write_on(k, ks);
}

bool ks_keep_holds(struct ks_keep *k, const struct ks_send *s)
{
	return ks_durable_hold(&k->durable, s);
}

bool ks_keep_holds_tell(struct ks_keep *k, const struct ks_tell *t)
{
	return ks_durable_hold_tell(&k->durable, t);
}

void ks_keep_forget_tells(struct ks_keep *k)
{
	ks_durable_forget_tells(&k->durable);
}

bool ks_keep_durable(struct ks_keep *k, uint32_t *group, uint64_t *no)
{
	return ks_durable_next(&k->durable, group, no);
}

int ks_keep_fd(const struct ks_keep *k)
{
	return ks_store_fd(k->store);
}

static void tell_failure(struct ks_keep *k, mono_t now, const char *why)
{
	uint64_t held;

	k->failing = true;
	if (log_limit_pass(&k->told, now, &held))
		event_log(EV_KS_STATE_FAILED, NULL, "%s", why);
}

static void release(struct ks_keep *k, const struct ks_keep_hooks *hooks)
{
	struct ks_send s;
	struct ks_tell t;

	while (ks_durable_release_tell(&k->durable, &t)) {
		hooks->tell(hooks->arg, &t);
		explicit_bzero(t.owned, t.frame.len);
		free(t.owned);
	}
	while (ks_durable_release(&k->durable, &s)) {
		hooks->send(hooks->arg, &s);
		free(s.owned);
	}
}

void ks_keep_news(struct ks_keep *k, const struct ks *ks, mono_t now,
		  const struct ks_keep_hooks *hooks)
{
	char why[KS_STORE_WHY];

	switch (ks_store_take(k->store, why)) {
	case KS_STORE_FAILED:
		tell_failure(k, now, why);
		return;
	case KS_STORE_NOTHING:
		return;
	case KS_STORE_DONE:
		break;
	}
	if (k->failing)
		event_log(EV_KS_STATE_OK, NULL, "state is written again");
	k->failing = false;
	ks_durable_end(&k->durable);
	write_on(k, ks); // the disk works while these go out
	release(k, hooks);
}

void ks_keep_wait(struct ks_keep *k)
{
	ks_store_wait(k->store);
}

void ks_keep_figures(struct ks_keep *k, struct ks_store_figures *out)
{
	ks_store_figures(k->store, out);
}
