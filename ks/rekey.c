#include "ks/rekey.h"

#include "common/ike/keylog.h"
#include "ks/core.h"
#include "ks/fanout.h"
#include "ks/mirror.h"
#include "ks/plan.h"
#include "ks/push.h"

#define DTD_EXTRA_S  5
#define TEK_MARGIN_S 60
#define KEK_MARGIN_S 200
#define RETRY_S	     10 // after a rekey that could not be made

// Members that have heard nothing register again by themselves in the last eighth of a life (gm/
// pull.c): by then they have the rekey.
#define MEMBERS_RENEW_S	 72
#define MEMBERS_RENEW_OF 8

// A member that is told to register again may wait so long, take so long when its first attempt
// fails, and more may come than a key server answers in a second.
#define GRACE_JITTER_S	 5
#define GRACE_RETRY_S	 30
#define GRACE_PER_SECOND 200
#define GRACE_OVERLAP_S	 10 // the former keys serve a little longer than all need them

const char *ks_rekey_tag(const struct ks_push *p, char buf[KS_TAG_LEN])
{
	snprintf(buf, KS_TAG_LEN, "rk=%02x%02x/%u", p->spi[0], p->spi[1], p->seq);
	return buf;
}

// ---- when ----

// ATD covers the spread and one more wait; it leaves room for DTD and a margin in a short life.
static struct ks_delays delays_of(const struct ks_group *g, uint32_t life_s, mono_t now)
{
	const struct ks_group_conf *c = g->conf;
	struct ks_delays d = { .spread_s = ks_fanout_spread_s(g->members.n) +
					   c->retransmit_s * c->retransmit_number };
	uint32_t atd = c->atd_s ? c->atd_s : d.spread_s + c->retransmit_s + 1;
	uint32_t left_s = mono_left_s(tek_gen_dies(&g->keys.gen[0]), now);

	if (g->shared) // before the first is sent
		atd += (g->shared->coop.conf.commit_ms + 999) / 1000;
	atd = MIN_OF(atd, life_s / 5 > 3 ? life_s / 5 - 3 : 1);
	d.atd_s = MIN_OF(MIN_OF(atd, left_s / 3), UINT16_MAX / 3);
	d.dtd_s = 2 * d.atd_s + DTD_EXTRA_S;
	return d;
}

struct ks_delays ks_rekey_delays(const struct ks_group *g, mono_t now)
{
	return delays_of(g, g->keys.gen[0].policy->life_s, now);
}

static uint32_t tek_margin_s(const struct ks_group *g)
{
	return MIN_OF(TEK_MARGIN_S, g->keys.gen[0].policy->life_s / 10);
}

static uint32_t kek_margin_s(const struct ks_group *g)
{
	return MIN_OF(KEK_MARGIN_S, g->keys.kek.params.life_s / 5);
}

static uint32_t members_renew_s(uint32_t life_s)
{
	return MIN_OF(MEMBERS_RENEW_S, life_s / MEMBERS_RENEW_OF);
}

mono_t ks_rekey_tek_due(const struct ks_group *g)
{
	const struct tek_gen *gen = &g->keys.gen[0];
	uint32_t needed_s;

	if (g->keys.n_gen == 0)
		return (mono_t){ 0 };
	needed_s =
		MAX_OF(ks_rekey_delays(g, gen->born).dtd_s, members_renew_s(gen->policy->life_s));
	return mono_add_s(tek_gen_dies(gen), -(int64_t)(needed_s + tek_margin_s(g)));
}

mono_t ks_rekey_kek_due(const struct ks_group *g)
{
	uint32_t needed_s = members_renew_s(g->keys.kek.params.life_s);

	return mono_add_s(g->keys.kek.dies, -(int64_t)(needed_s + kek_margin_s(g)));
}

// Members are shut out one after the other, and TEKs come between a new KEK and the next exclusion,
// when the KEK is everywhere. There is an end to such waiting: the TEKs in use must not die of it.
// For these two, a rekey gets as long as two copies of it take.
enum last_call { LAST_CALL_TEKS = 2, LAST_CALL_SHUT_OUT = 4 };

static mono_t last_call(const struct ks_group *g, enum last_call copies)
{
	uint32_t life_s = g->keys.gen[0].policy->life_s;
	uint32_t copy_s = ks_fanout_spread_s(g->members.n) + g->conf->retransmit_s + 1;

	copy_s = MIN_OF(copy_s, life_s / 16);
	return mono_add_s(tek_gen_dies(&g->keys.gen[0]),
			  -(int64_t)(members_renew_s(life_s) + (uint32_t)copies * copy_s));
}

// A rekey that is being sent is let finish: a member whom the next one reaches first refuses it as
// old and lacks its keys. Half of the margin is what that may cost. While somebody is being shut
// out nothing else comes, if it can be helped: it holds the KEK in force until the next one is
// everywhere.
static mono_t scheduled(const struct ks_group *g)
{
	mono_t tek = ks_rekey_tek_due(g), kek = ks_rekey_kek_due(g);

	if (g->removal.pending)
		return MONO_NEVER;
	if (g->push.live && g->push.tree)
		return mono_max(tek, last_call(g, LAST_CALL_TEKS));
	if (g->push.live) {
		tek = mono_add_s(tek, tek_margin_s(g) / 2);
		kek = mono_add_s(kek, kek_margin_s(g) / 2);
	}
	return mono_min(tek, kek);
}

// After a restart the last rekey may still be on its way when it is in use: it is let finish, for as
// long as its copies take and no longer, whoever holds it up.
static mono_t retire_at(const struct ks_group *g, mono_t now)
{
	mono_t active = g->keys.gen[0].active;
	uint32_t sending_s = ks_rekey_delays(g, now).spread_s + g->conf->retransmit_s;

	if (g->shared && g->push.live) // it may bring others' keys
		return MONO_NEVER;
	return g->push.live ? mono_add_s(active, sending_s) : active;
}

static mono_t removal_at(const struct ks_group *g, mono_t now)
{
	switch (g->removal.pending) {
	case REMOVAL_RETIRE:
		return retire_at(g, now);
	case REMOVAL_SHUT_OUT:
		return g->push.live ? last_call(g, LAST_CALL_SHUT_OUT) : now;
	case REMOVAL_NONE:
		break;
	}
	return MONO_NEVER;
}

static mono_t wanted_at(const struct ks_group *g)
{
	return g->wanted && !g->push.live && !g->removal.pending ? g->removal.until : MONO_NEVER;
}

// Nothing, at a key server that follows another one.
static mono_t made_at(const struct ks_group *g, mono_t now)
{
	mono_t due;

	if (!ks_shared_may_mint(g) || g->keys.n_gen == 0)
		return MONO_NEVER;
	due = mono_min(mono_min(scheduled(g), removal_at(g, now)), wanted_at(g));
	return mono_before(due, g->not_before) ? g->not_before : due;
}

mono_t ks_rekey_next(const struct ks_group *g, mono_t now)
{
	mono_t due = made_at(g, now);

	return mono_min(mono_min(due, ks_fanout_next(&g->push)), keys_next_expiry(&g->keys));
}

// ---- making keys ----

static bool spi_taken(void *arg, uint32_t spi)
{
	const struct ks *ks = arg;

	for (size_t i = 0; i < ks->n_groups; i++) {
		if (keys_has_spi(&ks->group[i]->keys, spi))
			return true;
	}
	return false;
}

// What the next keys are drawn from: chance, or in a set the chain that all key servers have.
struct making {
	struct keys_maker teks, kek;
	struct ks_mint *mint; // NULL: alone
};

// early, epoch: as ks_mirror_mint.
static void making_begin(struct making *m, struct ks *ks, const struct ks_group *g, bool early,
			 bool epoch)
{
	*m = (struct making){ { ks->rng, spi_taken, ks }, { ks->rng, spi_taken, ks }, NULL };
	if (!g->shared)
		return;
	m->mint = malloc(sizeof(*m->mint));
	BUG_ON(!m->mint);
	ks_mirror_mint(ks, g, early, epoch, m->mint);
	m->teks.rng = &m->mint->teks.rng;
	m->kek.rng = &m->mint->kek.rng;
}

static void making_end(struct making *m)
{
	if (m->mint)
		ks_mirror_mint_fini(m->mint);
	free(m->mint);
}

static void add_gen(struct ks_group *g, const struct making *m, struct policy *p, mono_t now,
		    mono_t active)
{
	keys_add_gen(&g->keys, &m->teks, p, now, active);
	if (!m->mint)
		return;
	g->keys.gen[0].ver = m->mint->ver;
	memcpy(g->keys.gen[0].id, m->mint->id, sizeof(m->mint->id));
}

static void new_kek(const struct making *m, const struct kek_params *p, struct keystore *store,
		    mono_t now, struct kek *out)
{
	kek_new(&m->kek, p, store, now, out);
	if (m->mint)
		out->ver = m->mint->ver;
}

static void tell_made(struct ks_group *g, mono_t now, const struct making *m, bool has_kek,
		      struct ks_out *out)
{
	if (m->mint)
		ks_mirror_made(g, now, m->mint, has_kek, out);
}

#if CONCLAVE_KEYLOG
static void log_keys(const struct ks *ks, const struct ks_group *g)
{
	const struct kek *k = &g->keys.kek;
	const struct tek_gen *gen = &g->keys.gen[0];

	keylog_kek(ks->keylog, BYTES_OF(k->spi), k->params.suite->name,
		   BYTES(k->iv, k->params.suite->iv_len), &k->key);
	for (size_t i = 0; i < gen->policy->n_slot; i++) {
		const struct tek *t = &gen->tek[i];
		uint8_t both[2 * SECRET_MAX];

		memcpy(both, t->alg_key.b, t->alg_key.len);
		memcpy(both + t->alg_key.len, t->integrity_key.b, t->integrity_key.len);
		keylog_tek(ks->keylog, t->spi, t->suite->name,
			   BYTES(both, (size_t)t->alg_key.len + t->integrity_key.len));
		explicit_bzero(both, sizeof(both));
	}
}
#else
static void log_keys(const struct ks *ks, const struct ks_group *g)
{
	(void)ks;
	(void)g;
}
#endif

// A KEK that nobody has yet, and with it a key tree without members where the policy wants one.
static void start_kek(struct ks *ks, struct ks_group *g, const struct making *mk,
		      const struct ks_plan *plan, mono_t now)
{
	const struct kek_params *p = &plan->kek;

	new_kek(mk, p, plan->store, now, &g->keys.kek);
	lkh_fini(&g->lkh);
	for (struct member *m = g->members.first; m; m = m->next)
		m->leaf = 0;
	g->removal.pending = REMOVAL_NONE;
	g->removal.until = now;
	if (p->lkh_degree == 0)
		return;
	BUG_ON(lkh_init(&g->lkh, p->cipher, p->lkh_degree, ks->rng) != 0);
	kek_set_key(&g->keys.kek, lkh_kek(&g->lkh));
}

static void start(struct ks *ks, struct ks_group *g, const struct ks_plan *plan, mono_t now,
		  struct ks_out *out)
{
	struct making mk;

	making_begin(&mk, ks, g, true, true);
	start_kek(ks, g, &mk, plan, now);
	if (g->pseudo.epoch == 0)
		ks_pseudo_start(&g->pseudo, ks->rng, now);
	add_gen(g, &mk, plan->policy, now, now);
	sid_pool_reset(&g->sids, plan->sid_bits);
	log_keys(ks, g);
	tell_made(g, now, &mk, true, out);
	making_end(&mk);
}

void ks_rekey_start(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_plan plan = ks_plan_staged(ks, g);

	start(ks, g, &plan, now, out);
	ks_plan_fini(&plan);
}

void ks_rekey_revive(struct ks *ks, struct ks_group *g, mono_t now)
{
	struct making mk;

	if (g->shared || !mono_due(tek_gen_dies(&g->keys.gen[0]), now))
		return;
	making_begin(&mk, ks, g, false, false);
	add_gen(g, &mk, g->keys.gen[0].policy, now, now);
	g->wanted = MAX_OF(g->wanted, KS_WANT_KEYS);
	g->revived = true;
	log_keys(ks, g);
	making_end(&mk);
}

// ---- deciding ----

static void failed(struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct logctx who;

	ks_group_logctx(g, &who);
	g->not_before = mono_add_s(now, RETRY_S);
	ks_out_event(out, EV_KS_NO_SIG_KEY, &who,
		     "rekey could not be signed with key=%s; next try in %d s",
		     g->keys.kek.params.sign_label, RETRY_S);
}

static enum event_id sent_event(const struct ks_push *p)
{
	return p->group.addr.family ? EV_KS_SEND_MCAST_REKEY : EV_KS_SEND_UNICAST_REKEY;
}

// Where the copies go.
static const char *sent_to(const struct ks_push *p, char buf[ENDPOINT_STRLEN])
{
	return p->group.addr.family ? endpoint_str(&p->group, buf) : "members";
}

static void announce(const struct ks_group *g, const struct ks_roll *r, struct ks_out *out)
{
	char tag[KS_TAG_LEN], to[ENDPOINT_STRLEN];
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_event(out, sent_event(&g->push), &who,
		     "%s members=%zu to=%s teks=%zu kek=%s atd=%u dtd=%u",
		     ks_rekey_tag(&g->push, tag), g->members.n, sent_to(&g->push, to),
		     r->tek ? g->keys.gen[0].policy->n_slot : 0, r->kek ? "new" : "same",
		     r->tek ? r->delays.atd_s : 0, r->tek ? r->delays.dtd_s : 0);
}

// The KEK that sealed this rekey is replaced by the one it carries; offers made under it can still
// be fulfilled for a while.
static void adopt_kek(struct ks_group *g, struct ks_roll *r)
{
	bool goes_on = r->ks->ike.wire.seq_across_keks;

	g->keys.kek.seq = g->push.seq;
	if (!r->kek)
		return;
	kek_fini(&g->keys.old_kek);
	g->keys.old_kek = g->keys.kek;
	g->keys.kek = r->new_kek;
	if (goes_on)
		g->keys.kek.seq = g->push.seq;
	explicit_bzero(&r->new_kek, sizeof(r->new_kek));
}

static bool make_kek(struct ks_roll *r, const struct making *mk)
{
	struct ks_group *g = r->g;

	new_kek(mk, &r->kek_params, r->store, r->now, &r->new_kek);
	if (!ks_has_tree(g))
		return true;
	if (lkh_rekey(&g->lkh, r->ks->rng, &r->update))
		return false;
	kek_set_key(&r->new_kek, lkh_update_kek(&r->update));
	return true;
}

static void roll_fini(struct ks_roll *r)
{
	kek_fini(&r->new_kek);
	lkh_update_fini(&r->update);
}

// All of it is built before any of it counts.
static bool roll_out(struct ks_roll *r, const struct making *mk, struct policy *policy,
		     struct ks_out *out)
{
	struct ks_group *g = r->g;
	struct ks_push p;

	if (r->tek)
		add_gen(g, mk, policy, r->now, mono_add_s(r->now, r->delays.atd_s));
	if ((r->kek && !make_kek(r, mk)) || !ks_push_build(r, &p)) {
		if (r->tek)
			keys_drop_newest(&g->keys);
		failed(g, r->now, out);
		return false;
	}
	ks_pseudo_told(&g->pseudo, r->now);
	g->revived = g->revived && !r->tek;
	if (r->tek)
		keys_drain_old(&g->keys, r->replace ? r->now
						    : mono_add_s(r->now, r->delays.spread_s +
										 r->delays.dtd_s));
	if (r->kek && ks_has_tree(g))
		lkh_commit(&g->lkh, &r->update);
	ks_push_fini(&g->push);
	g->push = p;
	adopt_kek(g, r);
	log_keys(r->ks, g);
	announce(g, r, out);
	tell_made(g, r->now, mk, r->kek, out);
	ks_fanout_start(g, r->now, out);
	return true;
}

static bool renew(struct ks *ks, struct ks_group *g, const struct ks_plan *plan, mono_t now,
		  struct ks_out *out);

// What a rekey is to bring, and by which plan.
struct asked {
	struct ks_plan plan;
	bool tek, kek, replace;
	bool early; // it is not the schedule that asks
};

static struct ks_delays delays_for(const struct ks_group *g, const struct asked *a, mono_t now)
{
	struct ks_delays d =
		delays_of(g, MIN_OF(a->plan.policy->life_s, g->keys.gen[0].policy->life_s), now);

	if (a->replace)
		d.atd_s = d.dtd_s = 0;
	if (g->revived) // members without keys use what comes at once, by a rekey or by registering
		d.atd_s = 0;
	return d;
}

static enum ks_wanted still_wanted(const struct ks_group *g, const struct asked *a, bool staged)
{
	if (!a->tek)
		return g->wanted;
	return MAX_OF(g->wanted, a->replace ? KS_WANT_REPLACE
				 : staged   ? KS_WANT_STAGED
					    : KS_WANT_KEYS);
}

// Takes the plan's references.
static bool roll(struct ks *ks, struct ks_group *g, mono_t now, struct asked *a, bool staged,
		 struct ks_out *out)
{
	bool alone = a->kek && ks_has_tree(g) &&
		     (lkh_is_stale(&g->lkh) || g->removal.pending == REMOVAL_SHUT_OUT);
	bool with_kek = a->kek && (!ks->ike.wire.send_kek_only_push || g->shared);
	struct ks_roll r = { .ks = ks,
			     .g = g,
			     .now = now,
			     .tek = (a->tek || with_kek) && !alone,
			     .kek = a->kek,
			     .replace = a->replace && !alone,
			     .delays = delays_for(g, a, now),
			     .seal = &g->keys.kek,
			     .kek_params = a->plan.kek,
			     .store = a->plan.store };
	struct making mk;
	bool ok;

	if (a->kek && !ks_plan_fits_tree(g, &a->plan.kek)) {
		ok = renew(ks, g, &a->plan, now, out);
	} else {
		making_begin(&mk, ks, g, a->early, false);
		ok = roll_out(&r, &mk, a->plan.policy, out);
		making_end(&mk);
		roll_fini(&r);
		if (ok && r.tek && (staged || g->wanted == KS_WANT_KEYS))
			g->wanted = KS_WANT_NOTHING;
		if (ok && alone) {
			g->wanted = still_wanted(g, a, staged);
			g->removal.pending = REMOVAL_NONE;
		}
	}
	ks_plan_fini(&a->plan);
	return ok;
}

static bool roll_running(struct ks *ks, struct ks_group *g, mono_t now, bool tek, bool kek,
			 bool early, struct ks_out *out)
{
	struct asked a = { ks_plan_running(g), tek, kek, false, early };

	return roll(ks, g, now, &a, false, out);
}

bool ks_rekey_shut_out(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	return roll_running(ks, g, now, true, true, true, out);
}

static void tell_clear(const struct ks_group *g, uint32_t grace_s, struct ks_out *out)
{
	char tag[KS_TAG_LEN], to[ENDPOINT_STRLEN];
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_event(out, sent_event(&g->push), &who,
		     "%s members=%zu to=%s register-again grace=%u", ks_rekey_tag(&g->push, tag),
		     g->members.n, sent_to(&g->push, to), grace_s);
}

// A new key tree is to begin: no member has a place in it, and a restart has to know that too.
static void leave_tree(struct ks_group *g, struct ks_out *out)
{
	for (struct member *m = g->members.first; m; m = m->next) {
		if (m->leaf != 0)
			ks_out_touch(out, g->identity, member_name(m));
	}
}

// What members may hold, newest first. False: it cannot be signed for.
static bool keks_of(struct ks *ks, struct ks_group *g, mono_t now, enum ks_mirror_which which,
		    struct ks_mirror_keks *k, struct ks_out *out)
{
	ks_mirror_keks(ks, g, now, which, k);
	if (k->n == 0)
		failed(g, now, out);
	return k->n > 0;
}

static void take_push(struct ks_group *g, const struct ks_push *p)
{
	ks_push_fini(&g->push);
	g->push = *p;
	if (memcmp(p->spi, g->keys.kek.spi, sizeof(p->spi)) == 0)
		g->keys.kek.seq = p->seq;
}

// Whoever has all of it already takes it for one more.
bool ks_rekey_again(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_roll r = { .ks = ks,
			     .g = g,
			     .now = now,
			     .tek = true,
			     .all = true,
			     .delays = ks_rekey_delays(g, now),
			     .new_kek = g->keys.kek };
	struct ks_mirror_keks keks;
	struct ks_push p;
	bool ok;

	r.delays.atd_s = mono_left_s(g->keys.gen[0].active, now);
	r.delays.dtd_s = 2 * r.delays.atd_s + DTD_EXTRA_S;
	if (!keks_of(ks, g, now, KS_KEKS_OPEN, &keks, out))
		return false;
	ok = ks_push_build_every(&r, keks.kek, keks.n, &p);
	r.kek = keks.n > 1;
	ks_mirror_keks_fini(&keks);
	if (!ok) {
		failed(g, now, out);
	} else {
		take_push(g, &p);
		ks_pseudo_told(&g->pseudo, now);
		announce(g, &r, out);
		ks_fanout_start(g, now, out);
	}
	explicit_bzero(&r, sizeof(r));
	return ok;
}

// Under every KEK that members may hold, in a set.
static bool build_delete(struct ks *ks, struct ks_group *g, mono_t now, bool teks,
			 struct ks_push *p, struct ks_out *out)
{
	struct ks_mirror_keks keks;
	bool ok;

	if (!g->shared) {
		ok = ks_push_build_delete(ks, g, teks, now, p);
	} else {
		if (!keks_of(ks, g, now, KS_KEKS_ALL, &keks, out))
			return false;
		ok = ks_push_delete_every(ks, g, keks.kek, keks.n, teks, now, p);
		ks_mirror_keks_fini(&keks);
	}
	if (!ok)
		failed(g, now, out);
	return ok;
}

bool ks_rekey_clear_again(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_mirror_keks keks;
	struct ks_push p;
	bool ok;

	ks_mirror_keks(ks, g, now, KS_KEKS_CLOSED, &keks);
	if (keks.n == 0) // nobody is left to be told
		return true;
	ok = ks_push_delete_every(ks, g, keks.kek, keks.n, false, now, &p);
	ks_mirror_keks_fini(&keks);
	if (!ok) {
		failed(g, now, out);
		return false;
	}
	p.again = true;
	take_push(g, &p);
	g->removal.until = g->keys.gen[0].active;
	tell_clear(g, mono_left_s(g->keys.gen[0].active, now), out);
	ks_fanout_start(g, now, out);
	return true;
}

static bool renew(struct ks *ks, struct ks_group *g, const struct ks_plan *plan, mono_t now,
		  struct ks_out *out)
{
	struct ks_push p;

	if (!build_delete(ks, g, now, true, &p, out))
		return false;
	ks_push_fini(&g->push);
	g->push = p;
	leave_tree(g, out);
	if (g->shared) { // that they are over is news to the others
		keys_shorten(&g->keys, now);
		ks_mirror_gens(g, now, out);
		ks_mirror_close_keks(g, now, BYTES(NULL, 0), out);
	}
	keys_end_all(&g->keys);
	start(ks, g, plan, now, out);
	g->wanted = KS_WANT_NOTHING;
	tell_clear(g, 0, out);
	ks_fanout_start(g, now, out);
	return true;
}

bool ks_rekey_renew(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_plan plan = ks_plan_running(g);
	enum ks_wanted before = g->wanted;
	bool ok = renew(ks, g, &plan, now, out);

	if (before > KS_WANT_KEYS) // an operator's word stands
		g->wanted = before;
	ks_plan_fini(&plan);
	return ok;
}

void ks_rekey_renew_sids(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_event(out, EV_KS_SID_EXHAUSTED, &who,
		     "bits=%u ids=%llu members=%zu: all keys end, members register again; a larger "
		     "sid_bits, then \"crypto gdoi ks rekey\", prevents it",
		     g->sids.bits, (unsigned long long)(UINT64_C(1) << g->sids.bits), g->members.n);
	g->sids_renewed = now;
	ks_rekey_renew(ks, g, now, out);
}

static uint32_t grace_of(const struct ks_group *g, mono_t now)
{
	uint32_t left_s = mono_left_s(tek_gen_dies(&g->keys.gen[0]), now);
	uint32_t grace_s = ks_rekey_delays(g, now).spread_s + GRACE_JITTER_S + GRACE_RETRY_S +
			   (uint32_t)g->members.n / GRACE_PER_SECOND;

	return MIN_OF(grace_s,
		      left_s > 2 * GRACE_OVERLAP_S ? left_s - GRACE_OVERLAP_S : left_s / 2);
}

bool ks_rekey_retire(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	uint32_t grace_s = grace_of(g, now);
	mono_t active = mono_add_s(now, grace_s);
	struct ks_plan plan;
	struct making mk;
	struct ks_push p;

	if (!build_delete(ks, g, now, false, &p, out))
		return false;
	ks_push_fini(&g->push);
	g->push = p;
	leave_tree(g, out);
	plan = ks_plan_running(g);
	keys_shorten(&g->keys, mono_add_s(active, GRACE_OVERLAP_S));
	if (g->shared)
		ks_mirror_close_keks(g, now, BYTES(NULL, 0), out);
	making_begin(&mk, ks, g, true, g->shared && g->shared->new_epoch);
	add_gen(g, &mk, plan.policy, now, active);
	kek_fini(&g->keys.kek);
	kek_fini(&g->keys.old_kek);
	start_kek(ks, g, &mk, &plan, now);
	tell_made(g, now, &mk, true, out);
	making_end(&mk);
	if (g->shared)
		g->shared->new_epoch = false;
	ks_plan_fini(&plan);
	g->wanted = g->wanted == KS_WANT_KEYS ? KS_WANT_NOTHING : g->wanted;
	log_keys(ks, g);
	g->removal.until = active;
	tell_clear(g, grace_s, out);
	ks_fanout_start(g, now, out);
	return true;
}

// An operator's rekey always brings new TEKs; a new KEK when its policy changed, or the former keys
// are to end; a new length of sender ids only by starting over, since no SA may mix lengths (RFC
// 6054 3).
static bool send_staged(struct ks *ks, struct ks_group *g, mono_t now, bool replace,
			struct ks_out *out)
{
	bool replaces = replace || g->wanted == KS_WANT_REPLACE, ok;
	struct asked a = { ks_plan_staged(ks, g), true, replaces || ks_plan_kek_differs(ks, g),
			   replaces, true };

	if (g->sids.bits == g->conf->sid_bits)
		return roll(ks, g, now, &a, true, out);
	ok = renew(ks, g, &a.plan, now, out);
	ks_plan_fini(&a.plan);
	return ok;
}

static bool wanted(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	if (g->wanted == KS_WANT_KEYS)
		return roll_running(ks, g, now, true, false, true, out);
	return send_staged(ks, g, now, false, out);
}

bool ks_rekey_now(struct ks *ks, struct ks_group *g, mono_t now, bool replace, struct ks_out *out,
		  char *why, size_t why_size)
{
	char tag[KS_TAG_LEN];

	if (g->keys.n_gen >= KEYS_MAX_GENS - 1) {
		snprintf(
			why, why_size,
			"group %s: %zu generations of keys are still in use; the next ends in %u s",
			g->name, g->keys.n_gen, mono_left_s(keys_next_expiry(&g->keys), now));
		return false;
	}
	if (g->push.live || g->removal.pending || !mono_due(g->removal.until, now)) {
		g->wanted = MAX_OF(g->wanted, replace ? KS_WANT_REPLACE : KS_WANT_STAGED);
		if (g->push.live)
			snprintf(why, why_size,
				 "group %s: will follow %s, which is still being sent", g->name,
				 ks_rekey_tag(&g->push, tag));
		else
			snprintf(why, why_size,
				 "group %s: will follow when members have registered again",
				 g->name);
		return true;
	}
	if (!send_staged(ks, g, now, replace, out)) {
		snprintf(why, why_size, "group %s: the rekey could not be signed", g->name);
		return false;
	}
	snprintf(why, why_size, "group %s: %s sent to %zu members%s", g->name,
		 ks_rekey_tag(&g->push, tag), g->members.n,
		 g->push.clears ? ", who are to register again"
		 : replace	? "; the former keys end with it"
				: "");
	return true;
}

static void removal_due(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	if (g->removal.pending == REMOVAL_RETIRE)
		ks_rekey_retire(ks, g, now, out);
	else
		ks_rekey_shut_out(ks, g, now, out);
}

static void due(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	bool tek = mono_due(ks_rekey_tek_due(g), now), kek = mono_due(ks_rekey_kek_due(g), now);

	if (mono_due(removal_at(g, now), now))
		removal_due(ks, g, now, out);
	else if (mono_due(scheduled(g), now) && (!g->shared || ks_mirror_is_due(g, now)))
		roll_running(ks, g, now, tek, kek, false, out);
	else if (mono_due(wanted_at(g), now))
		wanted(ks, g, now, out);
}

void ks_rekey_timer(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	size_t sent = out->n_send;

	ks_fanout_timer(g, now, out);
	// out views the datagrams of the rekey in flight: a new one takes their place in the next
	// step, which is due at once.
	if (out->n_send == sent && mono_due(made_at(g, now), now))
		due(ks, g, now, out);
	if (g->keys.n_gen > 0)
		keys_expire(&g->keys, now);
}

// ---- registrations under way ----

bool ks_rekey_can_catch_up(const struct ks_group *g, const uint8_t *kek_spi, uint32_t seq)
{
	const struct ks_push *p = &g->push;

	if (memcmp(kek_spi, g->keys.kek.spi, KEYS_KEK_SPI_LEN) == 0 && seq == g->keys.kek.seq)
		return true;
	return ks_rekey_is_behind(g, kek_spi, seq) && seq == p->before;
}

bool ks_rekey_is_behind(const struct ks_group *g, const uint8_t *kek_spi, uint32_t seq)
{
	const struct ks_push *p = &g->push;
	const struct ks_part *part = ks_push_part_under(p, NULL, kek_spi);

	return part && !p->clears && !p->tree && seq < (p->every ? part->seq : p->seq);
}

const struct kek *ks_rekey_kek(const struct ks_group *g, const uint8_t *kek_spi)
{
	if (memcmp(kek_spi, g->keys.kek.spi, KEYS_KEK_SPI_LEN) == 0)
		return &g->keys.kek;
	if (g->keys.old_kek.params.suite &&
	    memcmp(kek_spi, g->keys.old_kek.spi, KEYS_KEK_SPI_LEN) == 0)
		return &g->keys.old_kek;
	return NULL;
}
