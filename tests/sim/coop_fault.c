// What goes wrong in a world, and what operators do to it.
#include <string.h>

#include "tests/sim/coop_world.h"

#define HOUR_MS 3600000

static size_t some_ks(struct world *w)
{
	return rng_range(&w->rng, 0, w->n_ks - 1);
}

// ---- the network ----

void fault_heal(struct world *w)
{
	tell(w, "all cuts heal");
	cover(COVER_HEALS);
	memset(w->cut, 0, sizeof(w->cut));
	memset(w->side_ks, 0, sizeof(w->side_ks));
	memset(w->side_gm, 0, sizeof(w->side_gm));
	w->gm_split = false;
	net_links(w);
}

// Into two to four sides; members go along, or reach all as before. Some sides still hear others.
static void split(struct world *w)
{
	uint64_t sides = rng_range(&w->rng, 2, w->n_ks > 4 ? 4 : 3);
	bool one_way = chance(w, 150);

	w->gm_split = chance(w, 500);
	tell(w, "split%s%s", w->gm_split ? ", members too" : "", one_way ? ", one way" : "");
	cover(COVER_SPLITS);
	if (w->gm_split)
		cover(COVER_SPLITS_WITH_MEMBERS);
	if (one_way)
		cover(COVER_ONE_WAY_CUTS);
	for (size_t i = 0; i < w->n_ks; i++)
		w->side_ks[i] = (uint8_t)rng_range(&w->rng, 0, sides - 1);
	for (size_t g = 0; g < w->n_gm; g++)
		w->side_gm[g] = (uint8_t)rng_range(&w->rng, 0, sides - 1);
	for (size_t a = 0; a < w->n_ks; a++) {
		for (size_t b = 0; b < w->n_ks; b++)
			w->cut[a][b] = one_way ? w->side_ks[a] < w->side_ks[b]
					       : w->side_ks[a] != w->side_ks[b];
	}
	net_links(w);
}

// Each reaches its neighbours only, or all reach one only.
static void chain(struct world *w)
{
	bool star = chance(w, 500);
	size_t hub = some_ks(w);

	tell(w, "%s", star ? "a star" : "a chain");
	cover(COVER_CHAINS);
	for (size_t a = 0; a < w->n_ks; a++) {
		for (size_t b = 0; b < w->n_ks; b++)
			w->cut[a][b] = star ? a != hub && b != hub : a + 1 < b || b + 1 < a;
	}
	net_links(w);
}

static void cut_pair(struct world *w)
{
	size_t a = some_ks(w), b = some_ks(w);
	bool one_way = chance(w, 400);

	if (a == b)
		return;
	tell(w, "ks%zu %s ks%zu", a, one_way ? "is not heard by" : "and", b);
	cover(one_way ? COVER_ONE_WAY_CUTS : COVER_PAIR_CUTS);
	w->cut[a][b] = true;
	w->cut[b][a] |= !one_way;
	net_links(w);
}

static void isolate(struct world *w, size_t i)
{
	tell(w, "ks%zu is alone", i);
	cover(COVER_ISOLATED);
	for (size_t a = 0; a < w->n_ks; a++)
		w->cut[a][i] = w->cut[i][a] = a != i;
	net_links(w);
}

// ---- key servers ----

// In one of a few worlds a disk is not what it was: at one key server at a time, as the protocol
// asks. Alone it has nobody to tell it so.
static void disk_spoilt(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];

	if (chance(w, 600)) {
		tell(w, "ks%zu: an old copy of its disk is put back", i);
		cover(COVER_OLD_DISKS);
		disk_copy(&k->disk, &k->old);
	} else {
		tell(w, "ks%zu: its disk is lost", i);
		cover(COVER_NO_DISKS);
		disk_lose(&k->disk);
	}
	w->restored = true;
	keys_recount_bans(w);
	if (chance(w, 400))
		isolate(w, i);
}

void fault_kill(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];

	if (!k->up)
		return;
	if (!k->old.used || chance(w, 300))
		disk_copy(&k->old, &k->disk);
	ks_kill(w, i);
	if (!w->restored && chance(w, 130))
		disk_spoilt(w, i);
	if (chance(w, 100)) {
		k->newer = !k->newer;
		cover(COVER_UPGRADES);
	}
	if (chance(w, 150)) {
		k->stepped = (int64_t)rng_range(&w->rng, 0, 2 * HOUR_MS) - HOUR_MS;
		cover(COVER_CLOCK_STEPS);
	}
	later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 200,
								   chance(w, 500) ? 6000 : 40000),
				 .kind = T_KS_UP,
				 .to = (uint8_t)i });
}

// It stops in the middle of things, without noticing.
static void freeze(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];

	if (!runs(w, i))
		return;
	tell(w, "ks%zu is frozen", i);
	cover(COVER_FREEZES);
	k->frozen = w->now + (int64_t)rng_range(&w->rng, 500, 12000);
	w->changed = w->now;
	later(w, (struct thing){ .at = k->frozen, .kind = T_THAW, .to = (uint8_t)i });
}

static void kill_or_freeze(struct world *w)
{
	size_t i = some_ks(w);

	if (chance(w, 200))
		freeze(w, i);
	else if (chance(w, 300))
		w->ks[i].sniped = true;
	else
		fault_kill(w, i);
}

// ---- operators ----

static void policy(struct world *w, size_t i)
{
	bool many = chance(w, 400);

	cover(many ? COVER_POLICY_MANY : COVER_POLICY);
	w->policy_at = w->now;
	for (size_t k = 0; k < w->n_ks; k++) {
		if (k != i && !(many && chance(w, 500)))
			continue;
		w->ks[k].conf.digest[0] ^= 1;
		tell(w, "ks%zu: policy %d", k, w->ks[k].conf.digest[0]);
		if (k != i)
			ks_configure(w, k);
	}
}

static void configure(struct world *w)
{
	size_t i = some_ks(w);
	struct sim_ks *k = &w->ks[i];

	switch (rng_range(&w->rng, 0, 3)) {
	case 0:
		k->conf.maintenance = !k->conf.maintenance;
		cover(COVER_MAINTENANCE);
		tell(w, "ks%zu: maintenance %d", i, k->conf.maintenance);
		break;
	case 1:
		k->conf.preempt = !k->conf.preempt;
		cover(COVER_PREEMPT);
		tell(w, "ks%zu: preempt %d", i, k->conf.preempt);
		break;
	case 2:
		policy(w, i);
		break;
	default:
		k->conf.priority = (uint8_t)rng_range(&w->rng, 1, 4);
		cover(COVER_PRIORITY);
		tell(w, "ks%zu: priority %u", i, k->conf.priority);
		break;
	}
	ks_configure(w, i);
}

static void clear_role(struct world *w, size_t i)
{
	tell(w, "ks%zu: clear role", i);
	cover(COVER_CLEAR_ROLE);
	w->ks[i].forced |= w->ks[i].c.drift;
	ks_event(w, i, &(struct coop_event){ .kind = COOP_EV_ROLE });
}

// Two of them, who do not know of each other, may say the opposite.
static void admission(struct world *w, size_t i)
{
	size_t g = rng_range(&w->rng, 0, 2), j = some_ks(w);
	bool banned = !w->gm[g].excluded || chance(w, 200);

	if (j != i && runs(w, j) && w->gm[g].ban_ver > 0 && chance(w, 500)) {
		cover(COVER_BOTH);
		keys_ban(w, j, g, !banned);
	}
	keys_ban(w, i, g, banned);
}

static void operate(struct world *w)
{
	size_t i = some_ks(w);

	if (!runs(w, i))
		return;
	w->changed = w->now;
	if (w->ks[i].newer && chance(w, 300))
		keys_unknown(w, i);
	if (chance(w, 500))
		clear_role(w, i);
	else
		admission(w, i);
}

// Everybody's configuration names those that exist now.
void know_each_other(struct world *w)
{
	w->reconfigured = w->now;
	for (size_t i = 0; i < w->n_ks; i++) {
		struct coop_conf *c = &w->ks[i].conf;

		c->n_peers = 0;
		for (size_t j = 0; j < w->n_ks; j++) {
			if (j != i && w->ks[j].exists)
				c->peer[c->n_peers++] = w->ks[j].conf.addr;
		}
		if (w->ks[i].up)
			ks_configure(w, i);
	}
}

static void add_or_remove(struct world *w)
{
	struct sim_ks *k = &w->ks[w->n_ks - 1];

	if (w->n_ks < 4)
		return;
	k->exists = !k->exists;
	cover(k->exists ? COVER_ADDED : COVER_REMOVED);
	tell(w, "ks%zu is %s", w->n_ks - 1, k->exists ? "added" : "taken out");
	if (k->up)
		ks_kill(w, w->n_ks - 1);
	know_each_other(w);
	keys_recount_bans(w);
	if (k->exists)
		ks_start(w, w->n_ks - 1);
}

static void something(struct world *w)
{
	uint64_t what = rng_range(&w->rng, 0, 99);

	if (what < 19)
		split(w);
	else if (what < 23)
		chain(w);
	else if (what < 40)
		fault_heal(w);
	else if (what < 51)
		cut_pair(w);
	else if (what < 54)
		isolate(w, some_ks(w));
	else if (what < 80)
		kill_or_freeze(w);
	else if (what < 87)
		configure(w);
	else if (what < 97)
		operate(w);
	else
		add_or_remove(w);
}

void fault(struct world *w)
{
	something(w);
	later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 300,
								   chance(w, 300) ? 3000 : 26000),
				 .kind = T_FAULT });
}
