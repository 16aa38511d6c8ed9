#include "ks/rekey.h"

#include "common/ike/keylog.h"
#include "ks/core.h"
#include "ks/fanout.h"
#include "ks/push.h"

#define DTD_EXTRA_S  5
#define TEK_MARGIN_S 60
#define KEK_MARGIN_S 200
#define RETRY_S	     10 // after a rekey that could not be made

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
// old and lacks its keys. Half of the margin is what that may cost.
static mono_t scheduled(const struct ks_group *g)
{
	mono_t tek = ks_rekey_tek_due(g), kek = ks_rekey_kek_due(g);

	if (g->push.live) {
		tek = mono_add_s(tek, tek_margin_s(g) / 2);
		kek = mono_add_s(kek, kek_margin_s(g) / 2);
	}
	return mono_min(tek, kek);
}

mono_t ks_rekey_next(const struct ks_group *g, mono_t now)
{
	mono_t due = scheduled(g);

	if (g->rekey_wanted && !g->push.live)
		due = now;
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

void ks_rekey_start(struct ks *ks, struct ks_group *g, mono_t now)
{
	struct keys_maker mk = maker_of(ks);

	kek_new(&mk, &g->conf->kek, ks->conf->store, now, &g->keys.kek);
	keys_add_gen(&g->keys, &mk, g->conf->policy, now, now);
	sid_pool_reset(&g->sids, g->conf->sid_bits);
	log_keys(ks, g);
}

// ---- deciding ----

static bool kek_is_stale(const struct ks_group *g, const struct keystore *store)
{
	const struct kek_params *have = &g->keys.kek.params, *want = &g->conf->kek;
	const struct kek *k = &g->keys.kek;
	uint8_t pub[PUBKEY_MAX];
	size_t len;

	if (have->suite != want->suite || have->life_s != want->life_s ||
	    have->sign_hash != want->sign_hash || have->sign_form != want->sign_form ||
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

static void announce(const struct ks_group *g, const struct ks_roll *r, struct ks_out *out)
{
	char tag[KS_TAG_LEN];
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_event(out, EV_KS_SEND_UNICAST_REKEY, &who,
		     "%s members=%zu teks=%zu kek=%s atd=%u dtd=%u", ks_rekey_tag(&g->push, tag),
		     g->members.n, r->tek ? g->keys.gen[0].policy->n_slot : 0,
		     r->kek ? "new" : "same", r->tek ? r->delays.atd_s : 0,
		     r->tek ? r->delays.dtd_s : 0);
}

// The KEK that sealed this rekey is replaced by the one it carries; offers made under it can still
// be fulfilled for a while.
static void adopt_kek(struct ks_group *g, struct ks_roll *r)
{
	g->keys.kek.seq = g->push.seq;
	if (!r->kek)
		return;
	kek_fini(&g->keys.old_kek);
	g->keys.old_kek = g->keys.kek;
	g->keys.kek = r->new_kek;
	explicit_bzero(&r->new_kek, sizeof(r->new_kek));
}

// All of it is built before any of it counts.
static bool roll(struct ks *ks, struct ks_group *g, mono_t now, bool tek, bool kek,
		 struct ks_out *out)
{
	struct ks_roll r = { .ks = ks,
			     .g = g,
			     .now = now,
			     .tek = tek,
			     .kek = kek,
			     .delays = ks_rekey_delays(g, now) };
	struct keys_maker mk = maker_of(ks);
	struct ks_push p;
	bool ok;

	if (tek)
		keys_add_gen(&g->keys, &mk, g->conf->policy, now, mono_add_s(now, r.delays.atd_s));
	if (kek)
		kek_new(&mk, &g->conf->kek, ks->conf->store, now, &r.new_kek);
	ok = ks_push_init(g, &p);
	p.has_sak = kek;
	ok = ok && ks_push_build_roll(&r, &p);
	if (!ok) {
		ks_push_fini(&p);
		kek_fini(&r.new_kek);
		if (tek)
			keys_drop_newest(&g->keys);
		failed(g, now, out);
		return false;
	}
	if (tek)
		keys_drain_old(&g->keys, mono_add_s(now, r.delays.spread_s + r.delays.dtd_s));
	ks_push_fini(&g->push);
	g->push = p;
	adopt_kek(g, &r);
	g->rekey_wanted = g->policy_changed = false;
	log_keys(ks, g);
	announce(g, &r, out);
	ks_fanout_start(g, now, out);
	return true;
}

static bool renew(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_push p;
	char tag[KS_TAG_LEN];
	struct logctx who;

	if (!ks_push_init(g, &p) || !ks_push_build_clear(ks, g, &p)) {
		ks_push_fini(&p);
		failed(g, now, out);
		return false;
	}
	p.clears = true;
	ks_push_fini(&g->push);
	g->push = p;
	keys_end_all(&g->keys);
	ks_rekey_start(ks, g, now);
	g->rekey_wanted = g->policy_changed = false;
	ks_group_logctx(g, &who);
	ks_out_event(out, EV_KS_SEND_UNICAST_REKEY, &who, "%s members=%zu register-again",
		     ks_rekey_tag(&g->push, tag), g->members.n);
	ks_fanout_start(g, now, out);
	return true;
}

void ks_rekey_renew(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_event(out, EV_KS_SID_EXHAUSTED, &who, "bits=%u", g->sids.bits);
	renew(ks, g, now, out);
}

// An operator's rekey always brings new TEKs; a new KEK when its policy changed; a new length of
// sender ids only by starting over, since no SA may mix lengths (RFC 6054 3).
static bool wanted(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	if (g->sids.bits != g->conf->sid_bits)
		return renew(ks, g, now, out);
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
	if (g->push.live) {
		g->rekey_wanted = true;
		snprintf(why, why_size, "group %s: will follow %s, which is still being sent",
			 g->name, ks_rekey_tag(&g->push, tag));
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

void ks_rekey_timer(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	bool tek, kek;

	ks_fanout_timer(g, now, out);
	tek = mono_due(ks_rekey_tek_due(g), now);
	kek = mono_due(ks_rekey_kek_due(g), now);
	if (mono_due(g->not_before, now)) {
		if (mono_due(scheduled(g), now))
			roll(ks, g, now, tek, kek, out);
		else if (g->rekey_wanted && !g->push.live)
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
	return p->have && !p->clears && memcmp(kek_spi, p->spi, sizeof(p->spi)) == 0 &&
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
