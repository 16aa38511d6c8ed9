#include "ks/fanout.h"
#include "ks/mirror_int.h"
#include "ks/rekey.h"

#define GONE_KEPT_S (7 * INT64_C(86400)) // a split that lasts longer brings members back

// ---- members ----

static void put_member(struct ks_group *g, mono_t now, const struct member *m,
		       struct mirror_body *b)
{
	uint64_t since = coop_pseudotime(&g->shared->coop, now);

	wr_u8(&b->w, m->home);
	rep_put_str(&b->w, m->identity);
	rep_put_u64(&b->w, m->proved);
	rep_put_endpoint(&b->w, &m->remote);
	rep_put_u64(&b->w, m->behind);
	rep_put_bool(&b->w, m->inner.family);
	if (m->inner.family)
		rep_put_addr(&b->w, &m->inner);
	rep_put_u64(&b->w, since + (uint64_t)(m->registered.ms - now.ms));
	rep_put_bool(&b->w, m->conclave);
	wr_u8(&b->w, m->major);
	wr_u8(&b->w, m->minor);
	rep_put_bool(&b->w, m->ordered);
	rep_put_bool(&b->w, m->ack_asked);
	rep_put_bool(&b->w, m->by_group);
	rep_put_bool(&b->w, m->acked_ever);
	wr_u32(&b->w, m->registrations);
	wr_put(&b->w, m->told_kek, sizeof(m->told_kek));
	wr_u32(&b->w, m->told_seq);
}

static bool get_member(const struct ks_group *g, mono_t now, const struct coop_item *i,
		       struct member *m, struct rd_err *err)
{
	uint64_t pseudo = coop_pseudotime(&g->shared->coop, now), since;
	struct rd r;

	if (!mirror_open(i, &r, err))
		return false;
	m->home = rd_u8(&r);
	rep_get_str(&r, m->identity, sizeof(m->identity));
	m->proved = rep_get_u64(&r);
	rep_get_endpoint(&r, &m->remote);
	m->behind = rep_get_u64(&r);
	if (rep_get_bool(&r))
		rep_get_addr(&r, &m->inner);
	since = rep_get_u64(&r);
	m->registered = mono_add_ms(now, -(int64_t)(since < pseudo ? pseudo - since : 0));
	m->conclave = rep_get_bool(&r);
	m->major = rd_u8(&r);
	m->minor = rd_u8(&r);
	m->ordered = rep_get_bool(&r);
	m->ack_asked = rep_get_bool(&r);
	m->by_group = rep_get_bool(&r);
	m->acked_ever = rep_get_bool(&r);
	m->registrations = rd_u32(&r);
	rd_copy(&r, m->told_kek, sizeof(m->told_kek));
	m->told_seq = rd_u32(&r);
	return rd_end(&r, 0);
}

void ks_mirror_member(struct ks_group *g, mono_t now, const struct member_name *n,
		      struct ks_out *out)
{
	const struct member *m = members_named(&g->members, n);
	uint8_t key[COOP_KEY_MAX];
	struct coop_put p = { .kind = COOP_K_MEMBER,
			      .key = BYTES(key, mirror_name(&n->addr, n->behind, key)) };
	const struct coop_item *there = mirror_find(g, COOP_K_MEMBER, p.key);
	struct mirror_body b;

	if (!m && (!there || there->flags & COOP_MEMBER_GONE))
		return;
	mirror_begin(&b);
	if (m) {
		put_member(g, now, m, &b);
	} else {
		rep_put_addr(&b.w, &n->addr);
		rep_put_u64(&b.w, n->behind);
	}
	p.flags = m ? 0 : COOP_MEMBER_GONE;
	p.dies = m ? MONO_NEVER : mono_add_s(now, GONE_KEPT_S);
	p.body = mirror_view(&b);
	ks_shared_put(g, now, &p, out);
	mirror_end(&b);
}

static void drop_member(struct ks_group *g, struct member *m)
{
	ks_fanout_forget(&g->push, m);
	members_del(&g->members, m);
}

static void apply_gone(struct ks_group *g, const struct coop_item *i, struct rd_err *err)
{
	struct member_name n = { 0 };
	struct member *m;
	struct rd r;

	if (!mirror_open(i, &r, err))
		return;
	rep_get_addr(&r, &n.addr);
	n.behind = rep_get_u64(&r);
	if (!rd_end(&r, 0))
		return;
	m = members_named(&g->members, &n);
	if (m)
		drop_member(g, m);
}

// Counters of what was sent to it are each key server's own.
static void keep_own(struct member *m, const struct member *in)
{
	m->home = in->home;
	memcpy(m->identity, in->identity, sizeof(m->identity));
	m->proved = in->proved;
	m->behind = in->behind;
	m->inner = in->inner;
	m->registered = in->registered;
	m->conclave = in->conclave;
	m->major = in->major;
	m->minor = in->minor;
	m->ordered = in->ordered;
	m->ack_asked = in->ack_asked;
	m->by_group = in->by_group;
	m->acked_ever = in->acked_ever;
	m->registrations = in->registrations;
	memcpy(m->told_kek, in->told_kek, sizeof(m->told_kek));
	m->told_seq = in->told_seq;
}

void mirror_apply_member(const struct ks *ks, struct ks_group *g, mono_t now,
			 const struct coop_item *i, struct ks_out *out, struct rd_err *err)
{
	struct member in = { 0 }, *m;
	struct member_name name;

	if (i->flags & COOP_MEMBER_GONE) {
		apply_gone(g, i, err);
		return;
	}
	if (!get_member(g, now, i, &in, err))
		return;
	name = member_name(&in);
	m = members_named(&g->members, &name);
	if (m && m->registrations == in.registrations && m->home == in.home) {
		keep_own(m, &in); // the same registration: what is known of it has changed
		return;
	}
	if (m)
		drop_member(g, m);
	m = members_add(&g->members, &in.remote, NULL);
	if (!m)
		return;
	keep_own(m, &in);
	m->local = (struct endpoint){ ks->conf->address,
				      m->behind ? ks->conf->nat_port : ks->conf->port };
	if (coop_may_mint(&g->shared->coop) && ks_rekey_is_behind(g, m->told_kek, m->told_seq))
		ks_fanout_catch_up(g, m, now, out);
}

// ---- who is excluded ----

static struct bytes ban_key(const struct tombstone *t, uint8_t key[COOP_KEY_MAX])
{
	return BYTES(key, mirror_name(&t->who, t->proved, key));
}

static void put_ban(struct ks_group *g, mono_t now, const struct tombstone *t, bool banned,
		    struct ks_out *out)
{
	uint8_t key[COOP_KEY_MAX];
	struct mirror_body b;

	mirror_begin(&b);
	rep_put_addr(&b.w, &t->who);
	rep_put_u64(&b.w, t->proved);
	rep_put_u64(&b.w, g->keys.kek.ver);
	ks_shared_put(g, now,
		      &(struct coop_put){ .kind = COOP_K_BAN,
					  .flags = banned ? COOP_BANNED : 0,
					  .key = ban_key(t, key),
					  .body = mirror_view(&b),
					  .dies = MONO_NEVER },
		      out);
	mirror_end(&b);
}

static bool get_ban(const struct coop_item *i, struct tombstone *t, uint64_t *ver,
		    struct rd_err *err)
{
	struct rd r;

	if (!mirror_open(i, &r, err))
		return false;
	rep_get_addr(&r, &t->who);
	t->proved = rep_get_u64(&r);
	*ver = rep_get_u64(&r);
	return rd_end(&r, 0);
}

void ks_mirror_bans(struct ks_group *g, mono_t now, struct ks_out *out)
{
	const struct coop_item *i = NULL;
	struct rd_err err = { NULL };
	uint8_t key[COOP_KEY_MAX];
	struct tombstone t;
	uint64_t ver;

	for (size_t n = 0; n < g->removal.n; n++) {
		i = mirror_find(g, COOP_K_BAN, ban_key(&g->removal.tombstone[n], key));
		if (!i || !(i->flags & COOP_BANNED))
			put_ban(g, now, &g->removal.tombstone[n], true, out);
	}
	for (i = mirror_next(g, COOP_K_BAN, NULL); i; i = mirror_next(g, COOP_K_BAN, i)) {
		if (i->flags & COOP_BANNED && get_ban(i, &t, &ver, &err) &&
		    !removal_has_tombstone(&g->removal, &t))
			put_ban(g, now, &t, false, out); // an item that is there stays where it is
	}
}

void mirror_apply_ban(struct ks_group *g, const struct coop_item *i, struct ks_out *out,
		      struct rd_err *err)
{
	struct tombstone t = { 0 };
	uint64_t ver;

	if (!get_ban(i, &t, &ver, err))
		return;
	if (!(i->flags & COOP_BANNED)) {
		removal_take(&g->removal, &t);
	} else if (!removal_has_tombstone(&g->removal, &t)) {
		ks_removal_learn(g, &t, out);
		g->shared->ban_came |= g->shared->led;
	}
}

bool ks_mirror_ban_is_open(const struct ks_group *g)
{
	const struct coop_item *i = NULL;
	struct rd_err err = { NULL };
	struct tombstone t;
	uint64_t ver;

	while ((i = mirror_next(g, COOP_K_BAN, i)) != NULL) {
		if (i->flags & COOP_BANNED && get_ban(i, &t, &ver, &err) && ver >= g->keys.kek.ver)
			return true;
	}
	return false;
}
