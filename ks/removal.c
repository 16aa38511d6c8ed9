#include "ks/removal.h"

#include <stdlib.h>

#include "ks/fanout.h"
#include "ks/push.h"
#include "ks/rekey.h"

#define LOOK_AGAIN_S 1 // a search goes through the whole table

void removal_fini(struct removal *r)
{
	free(r->tombstone);
	*r = (struct removal){ 0 };
}

static struct tombstone *find(const struct removal *r, const struct addr *who)
{
	for (size_t i = 0; i < r->n; i++) {
		if (addr_eq(&r->tombstone[i].who, who))
			return &r->tombstone[i];
	}
	return NULL;
}

bool removal_has(const struct removal *r, const struct addr *who)
{
	return find(r, who) != NULL;
}

bool removal_has_name(const struct removal *r, uint64_t proved)
{
	for (size_t i = 0; proved && i < r->n; i++) {
		if (r->tombstone[i].proved == proved)
			return true;
	}
	return false;
}

bool removal_has_tombstone(const struct removal *r, const struct tombstone *t)
{
	for (size_t i = 0; i < r->n; i++) {
		if (addr_eq(&r->tombstone[i].who, &t->who) && r->tombstone[i].proved == t->proved)
			return true;
	}
	return false;
}

void removal_take(struct removal *r, const struct tombstone *t)
{
	for (size_t i = r->n; i-- > 0;) {
		if (addr_eq(&r->tombstone[i].who, &t->who) && r->tombstone[i].proved == t->proved)
			r->tombstone[i] = r->tombstone[--r->n];
	}
}

static void bury(struct removal *r, const struct addr *who, uint64_t proved)
{
	r->tombstone = reallocarray(r->tombstone, r->n + 1, sizeof(*r->tombstone));
	BUG_ON(!r->tombstone);
	r->tombstone[r->n++] = (struct tombstone){ *who, proved };
}

void ks_removal_drop(struct ks_group *g, struct member *m)
{
	ks_fanout_forget(&g->push, m);
	if (m->leaf)
		lkh_leave(&g->lkh, m->leaf);
	members_del(&g->members, m);
}

void ks_removal_delete(struct ks_group *g, struct member *m, struct ks_out *out, const char *why)
{
	char gm[MEMBER_STRLEN];
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_event(out, EV_KS_GM_DELETED, &who, "gm=%s reason=%s", member_str(m, gm), why);
	ks_out_touch(out, g->identity, member_name(m));
	ks_removal_drop(g, m);
}

void ks_removal_age(struct ks_group *g, mono_t now, struct ks_out *out)
{
	uint32_t age_s = g->conf->member_age_s;

	if (age_s == 0)
		return;
	for (struct member *m = g->members.first, *next; m; m = next) {
		next = m->next;
		if (member_is_silent(m) && mono_due(mono_add_s(m->registered, age_s), now) &&
		    ks_shared_may_age(g, m))
			ks_removal_delete(g, m, out, "age");
	}
}

bool ks_removal_make_room(struct ks_group *g, const struct addr *at, mono_t now, struct ks_out *out)
{
	struct member *m;

	if (!at && !mono_due(g->removal.look_again, now))
		return false;
	m = members_oldest_silent(&g->members, at);
	if (m && ks_shared_may_age(g, m)) {
		ks_removal_delete(g, m, out, "table-full");
		return true;
	}
	g->removal.look_again = mono_add_s(now, LOOK_AGAIN_S);
	return false;
}

// Members that register meanwhile would send under the newest TEKs at once, others have them not
// before the delay they were sent with is over.
static bool retire(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	g->removal.pending = REMOVAL_RETIRE;
	return g->push.live || !mono_due(g->keys.gen[0].active, now) ||
	       ks_rekey_retire(ks, g, now, out);
}

static bool shut_out(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	g->removal.pending = REMOVAL_SHUT_OUT;
	return g->push.live || ks_rekey_shut_out(ks, g, now, out);
}

bool ks_removal_clear(struct ks *ks, struct ks_group *g, mono_t now, bool at_once,
		      struct ks_out *out, char *why, size_t why_size)
{
	bool ok = at_once ? ks_rekey_renew(ks, g, now, out) : retire(ks, g, now, out);
	char tag[KS_TAG_LEN];

	if (!ok)
		snprintf(why, why_size, "group %s: the rekey could not be signed", g->name);
	else if (at_once)
		snprintf(why, why_size, "group %s: %s ends all keys of %zu members now", g->name,
			 ks_rekey_tag(&g->push, tag), g->members.n);
	else if (g->removal.pending)
		snprintf(why, why_size,
			 "group %s: members register again in %u s, when the last rekey is in use",
			 g->name, mono_left_s(g->keys.gen[0].active, now));
	else
		snprintf(why, why_size,
			 "group %s: %s tells %zu members to register again; traffic goes on under "
			 "the former keys for %u s",
			 g->name, ks_rekey_tag(&g->push, tag), g->members.n,
			 mono_left_s(g->keys.gen[0].active, now));
	return ok;
}

static void tell_excluded(const struct ks_group *g, const struct addr *who, size_t n,
			  struct ks_out *out)
{
	char addr[ADDR_STRLEN];
	struct logctx lc;

	ks_group_logctx(g, &lc);
	ks_out_event(out, EV_KS_GM_DELETED, &lc, "gm=%s reason=excluded%s members=%zu",
		     addr_str(who, addr), n ? "" : " (was no member)", n);
}

// One address may be a NAT's, with several members behind it. Each has a tombstone for its name.
static size_t drop_all(struct ks_group *g, const struct addr *who, struct ks_out *out)
{
	size_t n = 0;

	bury(&g->removal, who, 0);
	for (struct member *m = g->members.first, *next; m; m = next) {
		next = m->next;
		if (!member_is(m, who))
			continue;
		if (m->proved && g->removal.n < TOMBSTONES_MAX)
			bury(&g->removal, who, m->proved);
		ks_out_touch(out, g->identity, member_name(m));
		ks_removal_drop(g, m);
		n++;
	}
	return n;
}

void ks_removal_learn(struct ks_group *g, const struct tombstone *t, struct ks_out *out)
{
	char addr[ADDR_STRLEN];
	struct logctx who;

	bury(&g->removal, &t->who, t->proved); // however many: who is excluded anywhere stays out
	for (struct member *m = g->members.first, *next; m; m = next) {
		next = m->next;
		if (!member_is(m, &t->who) && !(t->proved && m->proved == t->proved))
			continue;
		ks_removal_drop(g, m);
	}
	ks_group_logctx(g, &who);
	ks_out_event(out, EV_KS_GM_DELETED, &who, "gm=%s reason=excluded by another key server",
		     addr_str(&t->who, addr));
}

// Its tombstone stands from here on, whatever becomes of the rekeys: they are tried until they go
// out.
bool ks_removal_exclude(struct ks *ks, struct ks_group *g, mono_t now, const struct addr *who,
			struct ks_out *out, char *why, size_t why_size)
{
	char addr[ADDR_STRLEN];
	size_t n;

	addr_str(who, addr);
	if (removal_has(&g->removal, who) || g->removal.n == TOMBSTONES_MAX) {
		snprintf(why, why_size, "group %s: %s %s", g->name, addr,
			 removal_has(&g->removal, who) ? "is excluded already"
						       : "is one too many to exclude");
		return false;
	}
	n = drop_all(g, who, out);
	if (g->shared)
		g->shared->bans_changed = true;
	tell_excluded(g, who, n, out);
	if (!ks_shared_may_mint(g)) {
		snprintf(why, why_size, "group %s: %s is excluded; the primary makes new keys",
			 g->name, addr);
		return true;
	}
	if (!(ks_has_tree(g) ? shut_out(ks, g, now, out) : retire(ks, g, now, out)))
		snprintf(why, why_size,
			 "group %s: %s is excluded, but the rekey could not be signed yet", g->name,
			 addr);
	else if (g->removal.pending)
		snprintf(why, why_size,
			 "group %s: %s is excluded; new keys follow the rekey in progress", g->name,
			 addr);
	else
		snprintf(why, why_size, "group %s: %s is excluded; %s for the other %zu members",
			 g->name, addr,
			 ks_has_tree(g) ? "new KEK and TEKs" : "registration under new keys",
			 g->members.n);
	return true;
}

bool ks_removal_readmit(struct ks_group *g, const struct addr *who, struct ks_out *out, char *why,
			size_t why_size)
{
	struct tombstone *t = find(&g->removal, who);
	char addr[ADDR_STRLEN];
	struct logctx lc;

	addr_str(who, addr);
	if (!t) {
		snprintf(why, why_size, "group %s: %s is not excluded", g->name, addr);
		return false;
	}
	for (; t; t = find(&g->removal, who))
		*t = g->removal.tombstone[--g->removal.n];
	if (g->shared)
		g->shared->bans_changed = true;
	ks_group_logctx(g, &lc);
	ks_out_line(out, LOG_M_PULL, LOG_L_NOTICE, &lc, "gm=%s may register again", addr);
	snprintf(why, why_size, "group %s: %s may register again", g->name, addr);
	return true;
}
