// Looks at the world, and never touches it. invariants.h
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/cheap_crypto.h"
#include "tests/sim/world.h"

#define LATE_S 60 // what a message may be under way, and a member's clock starts with it

void violated(struct world *w, enum invariant i, const char *fmt, ...)
{
	static const char *const names[] = {
#define X(sym, text) #sym,
		INVARIANTS(X)
#undef X
	};
	static const char *const texts[] = {
#define X(sym, text) text,
		INVARIANTS(X)
#undef X
	};
	va_list ap;

	if (w->broken)
		return;
	w->broken = true;
	printf("SEED=%llu\n  %s: %s\n  at %.3f s: ", (unsigned long long)w->seed, names[i],
	       texts[i], (double)w->now.ms / 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static bool alive(const struct world *w)
{
	return mono_due(w->alive_after, w->now);
}

// ---- standing ----

// All copies of some rekey to it were lost since it registered, or while its registration was on
// its way: it cannot know better.
static bool missed_a_rekey(const struct world *w, size_t i)
{
	const struct router *m = &w->m[i];
	size_t kept = m->n_pushes < MAX_PUSHES ? m->n_pushes : MAX_PUSHES;

	for (size_t k = 0; k < kept; k++) {
		if (!m->push[k].delivered &&
		    !mono_before(mono_add_s(m->push[k].sent, 10), m->registered))
			return true;
	}
	return false;
}

// The policy had no counter mode when it registered; now it has, and it fetches its sender ids.
static bool lacks_sids(const struct router *m)
{
	const struct gm_group *g = m->gm->group[0];
	bool counter = false;

	for (size_t k = 0; k < g->teks.n; k++)
		counter |= g->teks.tek[k].counter_iv;
	return counter && !gm_sids_usable(&g->sids, m->espd.boot);
}

bool good_standing(const struct world *w, size_t i)
{
	const struct router *m = &w->m[i];

	return alive(w) && m->gm && m->espd.up && !m->cut && !m->frozen && !m->banned &&
	       !m->readmitted && mono_due(m->settles, w->now) && m->gm->group[0]->registered &&
	       mono_due(mono_add_s(m->fault, GRACE_S), w->now) && !missed_a_rekey(w, i) &&
	       !lacks_sids(m);
}

// ---- the key server ----

static uint64_t name_of(const uint8_t kek_spi[KEYS_KEK_SPI_LEN])
{
	uint64_t name;

	memcpy(&name, kek_spi, sizeof(name));
	return name | 1;
}

static struct seen_slot *born(struct world *w, struct seen *seen, uint64_t name)
{
	struct seen_slot *s = seen_add(seen, name);

	if (s->nth == 0) {
		s->nth = ++w->births;
		s->at = w->now;
	}
	return s;
}

void check_server(struct world *w)
{
	const struct keys *k = &server_group(w)->keys;
	uint64_t kek = name_of(k->kek.spi);

	if (kek == w->s.kek && k->kek.seq < w->s.seq)
		violated(w, INV_SEQ, "key server went from %u to %u", w->s.seq, k->kek.seq);
	if (kek != w->s.kek)
		born(w, &w->keks, kek);
	w->s.kek = kek;
	w->s.seq = k->kek.seq;
	if (k->last_serial == w->s.last_serial)
		return;
	w->s.last_serial = k->last_serial;
	for (size_t g = k->n_gen; g-- > 0;) {
		for (size_t i = 0; i < k->gen[g].policy->n_slot; i++)
			born(w, &w->keys, k->gen[g].tek[i].spi)->life_s = k->gen[g].tek[i].life_s;
	}
}

void check_made(struct world *w, uint64_t hash, const uint8_t *kek_spi, uint32_t seq,
		size_t variant)
{
	uint64_t id[] = { name_of(kek_spi), seq, variant };
	struct seen_slot *s = seen_add(&w->bytes, hash);

	s->value = cheap_hash(id, sizeof(id)) | 1;
	s->more = id[0];
	s->nth = seq;
}

void check_sent(struct world *w, uint64_t hash)
{
	struct seen_slot *made = seen_find(&w->bytes, hash), *wire;

	if (!made) {
		violated(w, INV_REUSE, "a rekey that the core has not made");
		return;
	}
	wire = seen_add(&w->wires, made->value);
	if (wire->value && wire->value != hash)
		violated(w, INV_REUSE, "seq %u", made->nth);
	wire->value = hash;
	wire = born(w, &w->keks, made->more);
	wire->value = wire->value > made->nth ? wire->value : made->nth;
}

static uint32_t newest_at_server(const struct world *w)
{
	const struct keys *k = &server_group(w)->keys;
	uint32_t newest = 0;

	for (size_t i = 0; i < k->gen[0].policy->n_slot; i++) {
		const struct seen_slot *s = seen_find(&w->keys, k->gen[0].tek[i].spi);

		newest = s && s->nth > newest ? s->nth : newest;
	}
	return newest;
}

static uint32_t newest_at_member(const struct world *w, size_t i)
{
	const struct espd_model *e = &w->m[i].espd;
	uint32_t newest = 0;

	for (size_t k = 0; k < e->n_sas; k++) {
		const struct seen_slot *s = seen_find(&w->keys, e->sa[k].spi);

		newest = s && s->nth > newest ? s->nth : newest;
	}
	return newest;
}

static void check_kept(struct world *w)
{
	const struct ks_group *g = server_group(w);
	const struct seen_slot *kek = seen_find(&w->keks, name_of(g->keys.kek.spi));
	uint32_t newest = newest_at_server(w);

	if (!kek) {
		violated(w, INV_KEPT, "its KEK is a new one");
		return;
	}
	if (g->keys.kek.seq < kek->value)
		violated(w, INV_KEPT, "seq %u, %u was sent", g->keys.kek.seq, (unsigned)kek->value);
	for (size_t i = 0; i < w->n_members; i++) {
		const struct seen_slot *s = seen_find(&w->keks, w->m[i].kek);

		if (s && s->nth > kek->nth)
			violated(w, INV_KEPT, "gm%zu has a newer KEK", i);
		if (newest_at_member(w, i) > newest)
			violated(w, INV_KEPT, "gm%zu has newer TEKs", i);
		if (w->m[i].steady && !members_find(&g->members, &w->m[i].address))
			violated(w, INV_KEPT, "gm%zu is forgotten", i);
	}
}

// It has taken up what was on its disk, and done nothing else yet.
void check_server_back(struct world *w)
{
	for (size_t i = 0; i < w->n_members; i++) { // an old disk may know of other ones
		bool was = w->m[i].banned;

		w->m[i].banned = removal_has(&server_group(w)->removal, &w->m[i].address);
		if (w->m[i].banned && !was)
			w->m[i].banned_births = w->births;
		w->m[i].readmitted |= was && !w->m[i].banned;
	}
	if (alive(w))
		check_kept(w);
}

// ---- members ----

static void registered_again(struct world *w, size_t i)
{
	struct router *m = &w->m[i];

	if (m->steady && mono_before(w->now, mono_add_s(w->s.killed, 60)) && good_standing(w, i))
		violated(w, INV_STAYS, "gm%zu", i);
	m->steady = m->readmitted = m->late = false;
	m->settles = mono_add_ms(w->now, 100); // espd hears of it a little later
	m->n_registrations = m->gm->group[0]->n.registrations;
	m->registered = m->began;
}

void check_member(struct world *w, size_t i)
{
	struct router *m = &w->m[i];
	const struct gm_group *g = m->gm->group[0];
	const struct gm_kek *k = gm_keks_current(&g->keks);
	uint64_t kek = k ? name_of(k->spi) : 0;

	if (g->reg.state != GM_REG_IDLE && !m->registering)
		m->began = w->now;
	m->registering = g->reg.state != GM_REG_IDLE;
	if (g->n.registrations != m->n_registrations)
		registered_again(w, i);
	if (!k)
		return;
	if (kek == m->kek && k->seq < m->seq)
		violated(w, INV_SEQ, "gm%zu went from %u to %u", i, m->seq, k->seq);
	m->kek = kek;
	m->seq = k->seq;
}

// ---- espd ----

static uint64_t use_name(const struct model_sa *sa)
{
	return ((uint64_t)sa->spi << 32 | sa->sid) + 1;
}

static bool still_sends(const struct espd_model *e, uint64_t use)
{
	for (size_t k = 0; k < e->n_sas; k++) {
		if ((e->sa[k].dir & DP_DIR_OUT) && use_name(&e->sa[k]) == use)
			return true;
	}
	return false;
}

// A program was applied: where it leaves out a key, espd forgets its counter.
void check_espd(struct world *w, size_t i)
{
	struct router *m = &w->m[i];
	size_t kept = 0;

	for (size_t k = 0; k < m->espd.n_sas; k++) {
		const struct model_sa *sa = &m->espd.sa[k];
		struct seen_slot *s = seen_add(&w->keys, sa->spi);
		uint64_t key = cheap_hash(sa->key, sizeof(sa->key)) | 1;

		if (s->value && s->value != key)
			violated(w, INV_SPI, "0x%08X at gm%zu has another key", sa->spi, i);
		s->value = key;
		if (m->banned && s->nth > m->banned_births)
			violated(w, INV_OUT, "gm%zu has 0x%08X", i, sa->spi);
	}
	for (size_t k = 0; k < m->n_uses; k++) {
		if (still_sends(&m->espd, m->use[k].id))
			m->use[kept++] = m->use[k];
		else
			seen_add(&w->uses, m->use[k].id)->nth = 1;
	}
	m->n_uses = kept;
}

static void use_note(struct world *w, size_t i, const struct model_sa *sa)
{
	struct router *m = &w->m[i];
	uint64_t me = m->espd.boot;
	struct seen_slot *s;

	if (!sa->counter)
		return;
	s = seen_add(&w->uses, use_name(sa));
	if (s->value == me && s->nth == 0)
		return;
	if (s->value)
		violated(w, INV_NONCE, "gm%zu sends under 0x%08X sid %u: %s", i, sa->spi, sa->sid,
			 s->value == me ? "its counter was lost" : "another boot has used it");
	s->value = me;
	BUG_ON(m->n_uses == MAX_USES);
	m->use[m->n_uses++] = (struct use){ .id = use_name(sa) };
}

// ---- traffic: each flow, from everyone to everyone ----

struct sending {
	size_t n;
	struct sent {
		const struct model_sa *sa;
		size_t from;
		bool good, choice; // choice: it has an older key that lives
		uint32_t nth;
	} by[16];
};

static const struct model_sa *send_one(struct world *w, size_t i, size_t flow, bool good)
{
	const struct espd_model *e = &w->m[i].espd;
	const struct dp_rule *r = e->match[flow];
	const struct model_sa *sa;
	const struct seen_slot *s;

	if (!r || r->action != DP_PROTECT) {
		if (e->ever_protects)
			violated(w, INV_CLEAR, "gm%zu, flow %zu", i, flow);
		return NULL;
	}
	sa = r->spi_out ? model_sa(e, r->spi_out) : NULL;
	if (!sa || mono_due(sa->dies, w->now)) {
		if (good)
			violated(w, INV_SENDS, "gm%zu: %s", i,
				 sa ? "key is past its life" : "no key");
		return NULL;
	}
	s = seen_find(&w->keys, sa->spi);
	if (!(sa->dir & DP_DIR_OUT) || !s ||
	    (alive(w) && !w->m[i].late && mono_due(mono_add_s(s->at, s->life_s + LATE_S), w->now)))
		violated(w, INV_LIFE, "gm%zu sends under 0x%08X", i, sa->spi);
	use_note(w, i, sa);
	return sa;
}

static bool has_older(const struct world *w, size_t i, uint32_t nth)
{
	const struct espd_model *e = &w->m[i].espd;

	for (size_t k = 0; k < e->n_sas; k++) {
		const struct seen_slot *s = seen_find(&w->keys, e->sa[k].spi);

		if (s && s->nth + 1 < nth && !mono_due(e->sa[k].dies, w->now))
			return true;
	}
	return false;
}

static void sending_add(struct world *w, struct sending *all, const struct model_sa *sa, size_t i,
			bool good)
{
	const struct seen_slot *s = seen_find(&w->keys, sa->spi);

	for (size_t k = 0; k < all->n; k++) {
		if (all->by[k].sa->spi == sa->spi) {
			if (good && !all->by[k].good)
				all->by[k].from = i;
			all->by[k].good |= good;
			return;
		}
	}
	if (all->n < N_ELEMS(all->by))
		all->by[all->n++] =
			(struct sent){ sa, i, good, s && has_older(w, i, s->nth), s ? s->nth : 0 };
}

// For whoever reads about a broken world.
static void show_espd(const struct world *w, size_t i, size_t flow)
{
	const struct espd_model *e = &w->m[i].espd;
	const struct dp_rule *r = e->match[flow];
	char in[128] = "";

	for (size_t k = 0; k < e->n_sas; k++)
		tell(w, "gm%zu  has 0x%08X%s%s for %lld s", i, e->sa[k].spi,
		     e->sa[k].dir & DP_DIR_IN ? " in" : "", e->sa[k].dir & DP_DIR_OUT ? " out" : "",
		     (long long)(e->sa[k].dies.ms - w->now.ms) / 1000);
	for (size_t k = 0; k < e->n_rules; k++)
		tell(w,
		     "gm%zu  line %u: from %u.%u.%u.%u to .%u.%u.%u proto %u action %u under "
		     "0x%08X",
		     i, e->rule[k].line, e->rule[k].src_lo[0], e->rule[k].src_lo[1],
		     e->rule[k].src_lo[2], e->rule[k].src_lo[3], e->rule[k].src_hi[1],
		     e->rule[k].src_hi[2], e->rule[k].src_hi[3], e->rule[k].proto,
		     e->rule[k].action, e->rule[k].spi_out);
	for (size_t k = 0; r && k < r->n_spi_in && strlen(in) < 100; k++)
		snprintf(in + strlen(in), sizeof(in) - strlen(in), " 0x%08X", r->spi_in[k]);
	tell(w, "gm%zu  flow %zu: line %u sends under 0x%08X, opens%s", i, flow, r ? r->line : 0,
	     r ? r->spi_out : 0, in);
}

static void receive(struct world *w, size_t to, size_t flow, const struct sending *all)
{
	for (size_t k = 0; k < all->n; k++) {
		const struct sent *s = &all->by[k];

		bool early = s->choice && s->nth > newest_at_member(w, to);

		if (model_opens(&w->m[to].espd, w->now, flow, s->sa) || !(early || s->good))
			continue;
		show_espd(w, s->from, flow);
		show_espd(w, to, flow);
		violated(w, early ? INV_EARLY : INV_OPEN, "gm%zu to gm%zu under 0x%08X", s->from,
			 to, s->sa->spi);
		return;
	}
}

void check_traffic(struct world *w)
{
	bool good[MEMBERS_OF_WORLD];

	for (size_t i = 0; i < w->n_members; i++)
		good[i] = good_standing(w, i);
	for (size_t flow = 0; flow < MODEL_FLOWS && !w->broken; flow++) {
		struct sending all = { .n = 0 };

		for (size_t i = 0; i < w->n_members; i++) {
			const struct model_sa *sa = NULL;

			if (w->m[i].espd.up && !(w->m[i].frozen && w->m[i].lost))
				sa = send_one(w, i, flow, good[i]);
			if (sa && !w->m[i].cut)
				sending_add(w, &all, sa, i, good[i]);
			w->n_packets += w->n_members - 1;
		}
		for (size_t i = 0; i < w->n_members; i++) {
			if (good[i])
				receive(w, i, flow, &all);
		}
	}
}

// Quiet at last: the same key for the same flow everywhere.
void check_quiet(struct world *w)
{
	uint32_t spi = 0;

	for (size_t i = 0; i < w->n_members; i++) {
		const struct dp_rule *r = w->m[i].espd.match[0];

		if (w->m[i].banned)
			continue;
		if (!r || r->spi_out == 0)
			violated(w, INV_BACK, "gm%zu has no key", i);
		else if (spi && r->spi_out != spi)
			violated(w, INV_AGREE, "gm%zu sends under 0x%08X, others 0x%08X", i,
				 r->spi_out, spi);
		spi = r ? r->spi_out : spi;
	}
}

// ---- forgeries ----

uint64_t member_digest(const struct router *m)
{
	const struct gm_group *g = m->gm->group[0];
	uint64_t what[16] = { g->n.registrations, g->n.rekeys, g->n.acks,    g->teks.n,
			      g->keks.n,	  g->sids.n,   g->registered };

	for (size_t i = 0; i < g->keks.n; i++)
		what[8 + i % 8] ^= name_of(g->keks.kek[i].spi) + g->keks.kek[i].seq;
	return cheap_hash(what, sizeof(what));
}

uint64_t server_digest(const struct world *w)
{
	const struct ks_group *g = server_group(w);
	uint64_t what[] = { g->members.n,	g->registrations, g->push.n_acks,
			    g->push.seq,	g->keys.kek.seq,  g->keys.last_serial,
			    g->keys.n_gen,	g->sids.next,	  g->removal.n,
			    g->removal.pending, g->rekeys_sent,	  name_of(g->keys.kek.spi) };

	return cheap_hash(what, sizeof(what));
}
