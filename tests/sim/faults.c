// What befalls the key server, the members and the network between them.
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

void befall(struct world *w, size_t i, mono_t until)
{
	if (mono_before(w->m[i].fault, until))
		w->m[i].fault = until;
	w->m[i].steady = false;
}

// By an operator's word, or because nobody knows better, members lose their keys: until the last
// of them has come back by itself nothing is expected of them but to be safe.
void befall_all(struct world *w)
{
	uint32_t life_s = w->s.plan.tek_s;

	for (size_t i = 0; i < w->n_members; i++)
		befall(w, i, w->now);
	w->alive_after = mono_add_s(w->now, (life_s < 300 ? 300 : life_s) + GRACE_S);
}

// ---- members ----

static void gmd_dies(struct world *w, size_t i)
{
	mono_t back = mono_add_ms(w->now, between_ms(w, 200, 4000));

	if (!w->m[i].gm || w->m[i].frozen)
		return;
	gmd_stop(w, i);
	later(w, (struct thing){ .kind = T_GMD_UP, .member = i, .at = back });
	befall(w, i, back);
}

static void espd_dies(struct world *w, size_t i)
{
	mono_t back = mono_add_ms(w->now, between_ms(w, 200, 4000));

	if (!w->m[i].espd.up || w->m[i].frozen)
		return;
	espd_stop(w, i);
	later(w, (struct thing){ .kind = T_ESPD_UP, .member = i, .at = back });
	befall(w, i, back);
}

static void cut_off(struct world *w, size_t i, mono_t until)
{
	if (w->m[i].cut)
		return;
	tell(w, "gm%zu  is cut off", i);
	w->m[i].cut = true;
	later(w, (struct thing){ .kind = T_UNCUT, .member = i, .at = until });
	befall(w, i, until);
}

static void partition(struct world *w)
{
	size_t n = rng_range(&w->rng, 1, w->n_members / 2);
	mono_t until = mono_add_ms(w->now, between_ms(w, 1000, 90000));

	while (n-- > 0)
		cut_off(w, rng_range(&w->rng, 0, w->n_members - 1), until);
}

// A process stands still a while; or the whole box, its network with it.
static void freeze(struct world *w, size_t i)
{
	struct router *m = &w->m[i];

	if (!m->gm || m->frozen)
		return;
	m->lost = chance(w, 400);
	m->thaws = mono_add_ms(w->now,
			       m->lost ? between_ms(w, 5000, 300000) : between_ms(w, 200, 5000));
	m->frozen = true;
	tell(w, "gm%zu  %s", i, m->lost ? "is suspended" : "stands still");
	later(w, (struct thing){ .kind = T_THAW, .member = i, .at = m->thaws });
	befall(w, i, m->thaws);
}

static void counters_end(struct world *w, size_t i)
{
	struct dp_note iv = { .kind = chance(w, 500) ? DP_NOTE_IV_SOON : DP_NOTE_IV_GONE };
	struct router *m = &w->m[i];

	if (!m->gm || m->frozen || m->espd.n_sas == 0)
		return;
	iv.spi = m->espd.sa[0].spi;
	befall(w, i, w->now);
	member_event(w, i, (struct gm_event){ .kind = GM_EV_DP_NOTE, .note = &iv });
}

static void register_again(struct world *w, size_t i)
{
	if (!w->m[i].gm || w->m[i].frozen)
		return;
	w->m[i].steady = false;
	member_event(w, i, (struct gm_event){ .kind = GM_EV_REREGISTER });
}

// ---- the key server ----

static int64_t down_ms(struct world *w)
{
	if (!chance(w, 100))
		return between_ms(w, 50, 4000);
	befall_all(w); // nobody promises traffic through a long outage
	return between_ms(w, 10000, 90000);
}

static void ksd_stands_still(struct world *w)
{
	w->s.frozen = true;
	w->s.thaws = mono_add_ms(w->now, between_ms(w, 100, 3000));
	tell(w, "ks   stands still");
	later(w, (struct thing){ .kind = T_THAW, .member = w->n_members, .at = w->s.thaws });
}

// Its machine starts anew: another boot, a monotonic clock from zero.
static void ks_reboots(struct world *w)
{
	int64_t down = between_ms(w, 1500, 4000);

	server_kill(w, down);
	w->s.boot++;
	w->s.boot_ms = w->now.ms + down - between_ms(w, 500, 1500);
}

static void clock_steps(struct world *w)
{
	int64_t ms = chance(w, 700) ? between_ms(w, 1, 900) : between_ms(w, 10000, 7200000);

	w->s.wall_step_ms += chance(w, 500) ? ms : -ms;
	tell(w, "ks   wall clock off by %lld ms", (long long)w->s.wall_step_ms);
}

static void all_register_again(struct world *w, bool at_once)
{
	tell(w, "ks   all register again%s", at_once ? " now" : "");
	for (size_t i = 0; i < w->n_members; i++)
		w->m[i].steady = false;
	if (at_once)
		befall_all(w);
	server_event(w, (struct ks_event){ .kind = KS_EV_CLEAR, .at_once = at_once });
}

static void exclude(struct world *w, size_t i)
{
	if (w->m[i].banned)
		return;
	tell(w, "ks   excludes gm%zu", i);
	for (size_t k = 0; k < w->n_members; k++)
		w->m[k].steady = false;
	w->m[i].banned = true;
	w->m[i].banned_births = w->births;
	server_event(w, (struct ks_event){
				.kind = KS_EV_EXCLUDE, .group = "G1", .member = w->m[i].address });
}

static void readmit(struct world *w)
{
	for (size_t i = 0; i < w->n_members; i++) {
		if (!w->m[i].banned)
			continue;
		tell(w, "ks   readmits gm%zu", i);
		w->m[i].banned = false;
		w->m[i].readmitted = true;
		server_event(w, (struct ks_event){ .kind = KS_EV_READMIT,
						   .group = "G1",
						   .member = w->m[i].address });
		return;
	}
}

static void policy_changes(struct world *w)
{
	struct plan *p = &w->s.plan;

	switch (rng_range(&w->rng, 0, 4)) {
	case 0:
		p->tek_s = (uint32_t)rng_range(&w->rng, 120, 300);
		break;
	case 1:
		p->deny = !p->deny;
		break;
	case 2:
		p->multicast = !p->multicast && !p->ack_lkh;
		break;
	case 3: // who has no sender ids fetches them
		p->gcm = !p->gcm;
		for (size_t i = 0; i < w->n_members; i++)
			w->m[i].steady = false;
		break;
	default:
		p->kek_s = (uint32_t)rng_range(&w->rng, 240, 700);
	}
	tell(w, "ks   new policy: tek=%u kek=%u%s%s%s", p->tek_s, p->kek_s, p->gcm ? " gcm" : "",
	     p->deny ? " deny" : "", p->multicast ? " multicast" : "");
	server_config(w);
	if (chance(w, 900))
		later(w, (struct thing){ .kind = T_REKEY,
					 .life = chance(w, 100),
					 .at = mono_add_ms(w->now, between_ms(w, 1, 3000)) });
}

// ---- the network ----

static void forge_to_member(struct world *w, const struct caught *c)
{
	struct router *m = &w->m[c->member];
	uint64_t before;

	if (!m->gm || m->frozen)
		return;
	member_event(w, c->member, (struct gm_event){ .kind = GM_EV_TIMER });
	before = member_digest(m);
	member_event(w, c->member,
		     (struct gm_event){ .kind = GM_EV_DATAGRAM,
					.from = c->from,
					.datagram = BYTES(c->b, c->len) });
	if (member_digest(m) != before)
		violated(w, INV_FORGED, "at gm%zu", c->member);
}

static void forge_to_server(struct world *w, const struct caught *c)
{
	uint64_t before;

	server_event(w, (struct ks_event){ .kind = KS_EV_TIMER });
	before = server_digest(w);
	server_event(w, (struct ks_event){ .kind = KS_EV_DATAGRAM,
					   .from = c->from,
					   .to = c->to,
					   .datagram = BYTES(c->b, c->len) });
	if (server_digest(w) != before)
		violated(w, INV_FORGED, "at the key server");
}

// Something that was on the wire comes again, an octet of it changed: never of the padding, of
// which nothing depends. Main mode has no keys yet; what it costs is one handshake.
static void forge(struct world *w)
{
	struct caught c;

	if (w->n_caught == 0)
		return;
	c = w->caught[rng_range(&w->rng, 1, w->n_caught) % MAX_CAUGHT];
	if (c.len < ISAKMP_HDR_LEN + 40)
		return;
	if (c.b[18] == ISAKMP_XCH_MAIN)
		befall(w, c.member, w->now);
	c.b[rng_range(&w->rng, ISAKMP_HDR_LEN, c.len - 24)] ^= 1 << rng_range(&w->rng, 0, 7);
	if (c.kind == T_TO_GM)
		forge_to_member(w, &c);
	else
		forge_to_server(w, &c);
}

// An old datagram, octet for octet.
static void replay(struct world *w)
{
	const struct caught *c = &w->caught[rng_range(&w->rng, 0, MAX_CAUGHT - 1)];
	struct thing t = { .kind = c->kind, .member = c->member, .from = c->from, .to = c->to };

	if (c->len == 0)
		return;
	if (c->kind == T_TO_GM && c->b[18] == GDOI_XCH_PUSH)
		w->m[c->member].late = true;
	t.len = c->len;
	t.at = mono_add_ms(w->now, 1);
	t.b = malloc(c->len);
	BUG_ON(!t.b);
	memcpy(t.b, c->b, c->len);
	later(w, t);
}

// ---- one of them ----

static void member_fault(struct world *w)
{
	size_t i = rng_range(&w->rng, 0, w->n_members - 1);

	switch (rng_range(&w->rng, 0, 8)) {
	case 0:
		gmd_dies(w, i);
		break;
	case 1:
	case 2:
		espd_dies(w, i);
		break;
	case 3:
		cut_off(w, i, mono_add_ms(w->now, between_ms(w, 1000, 80000)));
		break;
	case 4:
		partition(w);
		break;
	case 5:
		freeze(w, i);
		break;
	case 6:
		counters_end(w, i);
		break;
	case 7:
		register_again(w, i);
		break;
	default:
		replay(w);
	}
}

static void server_fault(struct world *w)
{
	size_t i = rng_range(&w->rng, 0, w->n_members - 1);

	switch (rng_range(&w->rng, 0, 15)) {
	case 0:
	case 1:
	case 2:
	case 3:
		server_kill(w, down_ms(w));
		break;
	case 4:
		ks_reboots(w);
		break;
	case 5:
		ksd_stands_still(w);
		break;
	case 6:
		clock_steps(w);
		break;
	case 7:
		if (w->s.old.n == 0)
			server_backup(w);
		else if (chance(w, 300))
			server_restore(w, 2000);
		break;
	case 8:
		all_register_again(w, chance(w, 200));
		break;
	case 9:
		exclude(w, i);
		break;
	case 10:
		readmit(w);
		break;
	case 11:
	case 12:
		policy_changes(w);
		break;
	default:
		tell(w, "ks   rekey on demand");
		server_event(w, (struct ks_event){ .kind = KS_EV_REKEY });
	}
}

void fault(struct world *w)
{
	w->next_fault = mono_add_ms(w->now, between_ms(w, 200, 15000));
	if (w->s.up && !w->s.frozen && chance(w, 400))
		server_fault(w);
	else if (chance(w, 800) || !w->s.up || w->s.frozen)
		member_fault(w);
	else
		forge(w);
}
