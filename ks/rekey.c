#include "ks/rekey.h"

#include "common/ike/keylog.h"
#include "ks/core.h"
#include "ks/fanout.h"
#include "ks/push.h"

#define DTD_EXTRA_S  5
#define TEK_MARGIN_S 60
#define KEK_MARGIN_S 200
#define RETRY_S	     10 // after a rekey that could not be made

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
struct ks_delays ks_rekey_delays(const struct ks_group *g, mono_t now)
{
	const struct ks_group_conf *c = g->conf;
	uint32_t life_s = c->policy->life_s;
	struct ks_delays d = { .spread_s = ks_fanout_spread_s(g->members.n) +
					   c->retransmit_s * c->retransmit_number };
	uint32_t atd = c->atd_s ? c->atd_s : d.spread_s + c->retransmit_s + 1;
	uint32_t left_s = mono_left_s(tek_gen_dies(&g->keys.gen[0]), now);

	atd = MIN_OF(atd, life_s / 5 > 3 ? life_s / 5 - 3 : 1);
	d.atd_s = MIN_OF(MIN_OF(atd, left_s / 3), UINT16_MAX / 3);
	d.dtd_s = 2 * d.atd_s + DTD_EXTRA_S;
	return d;
}

static uint32_t tek_margin_s(const struct ks_group *g)
{
	return MIN_OF(TEK_MARGIN_S, g->keys.gen[0].policy->life_s / 10);
}

static uint32_t kek_margin_s(const struct ks_group *g)
{
	return MIN_OF(KEK_MARGIN_S, g->keys.kek.params.life_s / 5);
}

mono_t ks_rekey_tek_due(const struct ks_group *g)
{
	const struct tek_gen *gen = &g->keys.gen[0];
	struct ks_delays d = ks_rekey_delays(g, gen->born);

	return mono_add_s(tek_gen_dies(gen), -(int64_t)(d.dtd_s + tek_margin_s(g)));
}

mono_t ks_rekey_kek_due(const struct ks_group *g)
{
	return mono_add_s(g->keys.kek.dies, -(int64_t)kek_margin_s(g));
}

// A rekey that is being sent is let finish: a member whom the next one reaches first refuses it as
// old and lacks its keys. Half of the margin is what that may cost. While somebody is being shut
// out nothing else comes: it holds the KEK in force until the next one is everywhere.
static mono_t scheduled(const struct ks_group *g)
{
	mono_t tek = ks_rekey_tek_due(g), kek = ks_rekey_kek_due(g);

	if (g->removal.pending || (g->push.live && g->push.tree))
		return MONO_NEVER;
	if (g->push.live) {
		tek = mono_add_s(tek, tek_margin_s(g) / 2);
		kek = mono_add_s(kek, kek_margin_s(g) / 2);
	}
	return mono_min(tek, kek);
}

static mono_t removal_at(const struct ks_group *g, mono_t now)
{
	switch (g->removal.pending) {
	case REMOVAL_RETIRE:
		return g->keys.gen[0].active;
	case REMOVAL_SHUT_OUT:
		return g->push.live ? MONO_NEVER : now;
	case REMOVAL_NONE:
		break;
	}
	return MONO_NEVER;
}

static mono_t wanted_at(const struct ks_group *g)
{
	return g->rekey_wanted && !g->push.live && !g->removal.pending ? g->removal.until
								       : MONO_NEVER;
}

mono_t ks_rekey_next(const struct ks_group *g, mono_t now)
{
	mono_t due = mono_min(mono_min(scheduled(g), removal_at(g, now)), wanted_at(g));

	if (mono_before(due, g->not_before))
		due = g->not_before;
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

static struct keys_maker maker_of(struct ks *ks)
{
	return (struct keys_maker){ ks->rng, spi_taken, ks };
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
static void start_kek(struct ks *ks, struct ks_group *g, mono_t now)
{
	const struct kek_params *p = &g->conf->kek;
	struct keys_maker mk = maker_of(ks);

	kek_new(&mk, p, ks->conf->store, now, &g->keys.kek);
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

void ks_rekey_start(struct ks *ks, struct ks_group *g, mono_t now)
{
	struct keys_maker mk = maker_of(ks);

	start_kek(ks, g, now);
	keys_add_gen(&g->keys, &mk, g->conf->policy, now, now);
	sid_pool_reset(&g->sids, g->conf->sid_bits);
	log_keys(ks, g);
}

// ---- deciding ----

// A tree has one cipher and one degree for life.
static bool tree_fits(const struct ks_group *g)
{
	const struct kek_params *want = &g->conf->kek;

	if (!ks_has_tree(g))
		return want->lkh_degree == 0;
	return want->lkh_degree == g->lkh.degree && want->cipher == g->lkh.alg;
}

static bool kek_is_stale(const struct ks_group *g, const struct keystore *store)
{
	const struct kek_params *have = &g->keys.kek.params, *want = &g->conf->kek;
	const struct kek *k = &g->keys.kek;
	uint8_t pub[PUBKEY_MAX];
	size_t len;

	if (have->suite != want->suite || have->life_s != want->life_s ||
	    have->sign_hash != want->sign_hash || have->sign_form != want->sign_form ||
	    have->ack_lkh != want->ack_lkh || have->ttl != want->ttl ||
	    !endpoint_eq(&have->group, &want->group) || !tree_fits(g) ||
	    signer_public(&store->signer, want->sign_label, pub, sizeof(pub), &len))
		return true;
	return !bytes_eq(BYTES(pub, len), BYTES(k->pub, k->pub_len));
}

bool ks_rekey_is_stale(const struct ks *ks, const struct ks_group *g)
{
	return kek_is_stale(g, ks->conf->store) ||
	       !policy_eq(g->keys.gen[0].policy, g->conf->policy) ||
	       g->sids.bits != g->conf->sid_bits;
}

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

static bool make_kek(struct ks_roll *r, const struct keys_maker *mk)
{
	struct ks_group *g = r->g;

	kek_new(mk, &g->conf->kek, r->ks->conf->store, r->now, &r->new_kek);
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
static bool roll_out(struct ks_roll *r, struct ks_out *out)
{
	struct ks_group *g = r->g;
	struct keys_maker mk = maker_of(r->ks);
	struct ks_push p;

	if (r->tek)
		keys_add_gen(&g->keys, &mk, g->conf->policy, r->now,
			     mono_add_s(r->now, r->delays.atd_s));
	if ((r->kek && !make_kek(r, &mk)) || !ks_push_build(r, &p)) {
		if (r->tek)
			keys_drop_newest(&g->keys);
		failed(g, r->now, out);
		return false;
	}
	if (r->tek)
		keys_drain_old(&g->keys, mono_add_s(r->now, r->delays.spread_s + r->delays.dtd_s));
	if (r->kek && ks_has_tree(g))
		lkh_commit(&g->lkh, &r->update);
	ks_push_fini(&g->push);
	g->push = p;
	adopt_kek(g, r);
	log_keys(r->ks, g);
	announce(g, r, out);
	ks_fanout_start(g, r->now, out);
	return true;
}

static bool roll(struct ks *ks, struct ks_group *g, mono_t now, bool tek, bool kek,
		 struct ks_out *out)
{
	bool alone = kek && ks_has_tree(g) &&
		     (lkh_is_stale(&g->lkh) || g->removal.pending == REMOVAL_SHUT_OUT);
	bool with_kek = kek && !ks->ike.wire.send_kek_only_push;
	struct ks_roll r = { .ks = ks,
			     .g = g,
			     .now = now,
			     .tek = (tek || with_kek) && !alone,
			     .kek = kek,
			     .delays = ks_rekey_delays(g, now) };
	bool ok;

	if (kek && !tree_fits(g))
		return ks_rekey_renew(ks, g, now, out);
	ok = roll_out(&r, out);
	roll_fini(&r);
	if (ok && r.tek)
		g->rekey_wanted = g->policy_changed = false;
	if (ok && alone) {
		g->rekey_wanted = g->rekey_wanted || tek;
		g->removal.pending = REMOVAL_NONE;
	}
	return ok;
}

bool ks_rekey_shut_out(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	return roll(ks, g, now, true, true, out);
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

bool ks_rekey_renew(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_push p;

	if (!ks_push_build_delete(ks, g, true, &p)) {
		failed(g, now, out);
		return false;
	}
	ks_push_fini(&g->push);
	g->push = p;
	leave_tree(g, out);
	keys_end_all(&g->keys);
	ks_rekey_start(ks, g, now);
	g->rekey_wanted = g->policy_changed = false;
	tell_clear(g, 0, out);
	ks_fanout_start(g, now, out);
	return true;
}

void ks_rekey_renew_sids(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_event(out, EV_KS_SID_EXHAUSTED, &who, "bits=%u", g->sids.bits);
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
	struct keys_maker mk = maker_of(ks);
	uint32_t grace_s = grace_of(g, now);
	mono_t active = mono_add_s(now, grace_s);
	struct ks_push p;

	if (!ks_push_build_delete(ks, g, false, &p)) {
		failed(g, now, out);
		return false;
	}
	ks_push_fini(&g->push);
	g->push = p;
	leave_tree(g, out);
	keys_shorten(&g->keys, mono_add_s(active, GRACE_OVERLAP_S));
	keys_add_gen(&g->keys, &mk, g->conf->policy, now, active);
	kek_fini(&g->keys.kek);
	kek_fini(&g->keys.old_kek);
	start_kek(ks, g, now);
	g->rekey_wanted = g->policy_changed = false;
	log_keys(ks, g);
	g->removal.until = active;
	tell_clear(g, grace_s, out);
	ks_fanout_start(g, now, out);
	return true;
}

// An operator's rekey always brings new TEKs; a new KEK when its policy changed; a new length of
// sender ids only by starting over, since no SA may mix lengths (RFC 6054 3).
static bool wanted(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	if (g->sids.bits != g->conf->sid_bits)
		return ks_rekey_renew(ks, g, now, out);
	return roll(ks, g, now, true, kek_is_stale(g, ks->conf->store), out);
}

bool ks_rekey_now(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out, char *why,
		  size_t why_size)
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
		g->rekey_wanted = true;
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
	if (!wanted(ks, g, now, out)) {
		snprintf(why, why_size, "group %s: the rekey could not be signed", g->name);
		return false;
	}
	snprintf(why, why_size, "group %s: %s sent to %zu members", g->name,
		 ks_rekey_tag(&g->push, tag), g->members.n);
	return true;
}

static void removal_due(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	if (g->removal.pending == REMOVAL_RETIRE)
		ks_rekey_retire(ks, g, now, out);
	else
		ks_rekey_shut_out(ks, g, now, out);
}

void ks_rekey_timer(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	bool tek, kek;

	ks_fanout_timer(g, now, out);
	tek = mono_due(ks_rekey_tek_due(g), now);
	kek = mono_due(ks_rekey_kek_due(g), now);
	if (mono_due(g->not_before, now)) {
		if (mono_due(removal_at(g, now), now))
			removal_due(ks, g, now, out);
		else if (mono_due(scheduled(g), now))
			roll(ks, g, now, tek, kek, out);
		else if (mono_due(wanted_at(g), now))
			wanted(ks, g, now, out);
	}
	keys_expire(&g->keys, now);
}

// ---- registrations under way ----

bool ks_rekey_can_catch_up(const struct ks_group *g, const uint8_t *kek_spi, uint32_t seq)
{
	const struct ks_push *p = &g->push;

	if (memcmp(kek_spi, g->keys.kek.spi, KEYS_KEK_SPI_LEN) == 0 && seq == g->keys.kek.seq)
		return true;
	return p->have && !p->clears && !p->tree && memcmp(kek_spi, p->spi, sizeof(p->spi)) == 0 &&
	       seq + 1 == p->seq;
}

const struct kek *ks_rekey_kek(const struct ks_group *g, const uint8_t *kek_spi)
{
	if (memcmp(kek_spi, g->keys.kek.spi, KEYS_KEK_SPI_LEN) == 0)
		return &g->keys.kek;
	if (g->keys.old_kek.store && memcmp(kek_spi, g->keys.old_kek.spi, KEYS_KEK_SPI_LEN) == 0)
		return &g->keys.old_kek;
	return NULL;
}
