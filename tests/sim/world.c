#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/cheap_crypto.h"

#define LAST_LINES 40
#define LINE_LEN   200
#define RUNS_S	   400 // with faults, at most

// ---- the story ----

bool tell_all, tell_last;
static char told[LAST_LINES][LINE_LEN];
static size_t n_told;

void tell(const struct world *w, const char *fmt, ...)
{
	char *line = told[n_told % LAST_LINES];
	va_list ap;
	int n;

	if (!tell_all && !tell_last)
		return;
	n = snprintf(line, LINE_LEN, "[%9.3f] ", (double)w->now.ms / 1000);
	va_start(ap, fmt);
	vsnprintf(line + n, LINE_LEN - (size_t)n, fmt, ap);
	va_end(ap);
	n_told++;
	if (tell_all)
		puts(line);
}

void tell_end(void)
{
	for (size_t i = n_told > LAST_LINES ? n_told - LAST_LINES : 0; i < n_told; i++)
		printf("  %s\n", told[i % LAST_LINES]);
	n_told = 0;
}

// ---- chance ----

bool chance(struct world *w, unsigned per_mille)
{
	return rng_range(&w->rng, 1, 1000) <= per_mille;
}

int64_t between_ms(struct world *w, int64_t lo, int64_t hi)
{
	return (int64_t)rng_range(&w->rng, (uint64_t)lo, (uint64_t)hi);
}

// ---- what was seen ----

static struct seen_slot *slot_of(const struct seen *s, uint64_t key)
{
	size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (s->cap - 1);

	while (s->slot[i].key && s->slot[i].key != key)
		i = (i + 1) & (s->cap - 1);
	return &s->slot[i];
}

struct seen_slot *seen_find(const struct seen *s, uint64_t key)
{
	struct seen_slot *slot = s->cap ? slot_of(s, key) : NULL;

	return slot && slot->key ? slot : NULL;
}

static void seen_grow(struct seen *s)
{
	struct seen old = *s;

	s->cap = old.cap ? old.cap * 2 : 256;
	s->slot = calloc(s->cap, sizeof(*s->slot));
	BUG_ON(!s->slot);
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slot[i].key)
			*slot_of(s, old.slot[i].key) = old.slot[i];
	}
	free(old.slot);
}

struct seen_slot *seen_add(struct seen *s, uint64_t key)
{
	struct seen_slot *slot;

	if (2 * s->n >= s->cap)
		seen_grow(s);
	slot = slot_of(s, key);
	s->n += slot->key == 0;
	slot->key = key;
	return slot;
}

// ---- things to come ----

static bool sooner(const struct thing *a, const struct thing *b)
{
	return a->at.ms != b->at.ms ? a->at.ms < b->at.ms : a->nth < b->nth;
}

void later(struct world *w, struct thing t)
{
	size_t i = w->n_things++;

	if (i == w->cap_things) {
		w->cap_things = w->cap_things ? 2 * w->cap_things : 256;
		w->thing = reallocarray(w->thing, w->cap_things, sizeof(*w->thing));
		BUG_ON(!w->thing);
	}
	t.nth = w->nth++;
	for (; i > 0 && sooner(&t, &w->thing[(i - 1) / 2]); i = (i - 1) / 2)
		w->thing[i] = w->thing[(i - 1) / 2];
	w->thing[i] = t;
}

static struct thing take_first(struct world *w)
{
	struct thing first = w->thing[0], last = w->thing[--w->n_things];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < w->n_things) {
		if (child + 1 < w->n_things && sooner(&w->thing[child + 1], &w->thing[child]))
			child++;
		if (!sooner(&w->thing[child], &last))
			break;
		w->thing[i] = w->thing[child];
		i = child;
	}
	w->thing[i] = last;
	return first;
}

static void thing_fini(struct thing *t)
{
	free(t->b);
	gm_program_free(t->program);
}

// ---- the network ----

size_t member_at(const struct world *w, const struct addr *a)
{
	for (size_t i = 0; i < w->n_members; i++) {
		if (addr_eq(&w->m[i].address, a))
			return i;
	}
	return w->n_members;
}

// Copies of one rekey to one member count as one: was any of them delivered?
static size_t push_note(struct world *w, size_t member, uint64_t hash)
{
	struct router *m = &w->m[member];
	size_t kept = m->n_pushes < MAX_PUSHES ? m->n_pushes : MAX_PUSHES;

	for (size_t k = 1; k <= kept; k++) {
		size_t i = (m->n_pushes - k) % MAX_PUSHES;

		if (m->push[i].hash == hash)
			return i + 1;
	}
	m->push[m->n_pushes % MAX_PUSHES] = (struct push){ .hash = hash, .sent = w->now };
	return m->n_pushes++ % MAX_PUSHES + 1;
}

static void catch_some(struct world *w, enum thing_kind kind, size_t member,
		       const struct endpoint *from, const struct endpoint *to, struct bytes d)
{
	struct caught *c = &w->caught[w->n_caught % MAX_CAUGHT];

	if (d.len > sizeof(c->b) || !chance(w, 20))
		return;
	*c = (struct caught){ .kind = kind, .member = member, .len = d.len };
	c->from = *from;
	c->to = *to;
	memcpy(c->b, d.p, d.len);
	w->n_caught++;
}

void put_on_wire(struct world *w, enum thing_kind kind, size_t member, const struct endpoint *from,
		 const struct endpoint *to, struct bytes d, uint64_t push)
{
	struct thing t = { .kind = kind, .member = member, .from = *from, .to = *to, .len = d.len };

	t.push = push ? push_note(w, member, push) : 0;
	catch_some(w, kind, member, from, to, d);
	for (unsigned copies = chance(w, w->dup) ? 2 : 1; copies > 0; copies--) {
		if (w->m[member].cut || chance(w, w->loss))
			continue;
		t.at = mono_add_ms(w->now, between_ms(w, 1, w->delay_ms));
		t.b = malloc(d.len);
		BUG_ON(!t.b);
		memcpy(t.b, d.p, d.len);
		later(w, t);
	}
}

// ---- what happens ----

static void to_member(struct world *w, struct thing *t)
{
	struct router *m = &w->m[t->member];

	if (!m->gm || m->lost)
		return;
	if (t->push && member_knows_kek(m, t->b)) // else it outran the registration it belongs to
		m->push[t->push - 1].delivered = true;
	member_event(w, t->member,
		     (struct gm_event){ .kind = GM_EV_DATAGRAM,
					.from = t->from,
					.datagram = BYTES(t->b, t->len) });
}

static void to_server(struct world *w, struct thing *t)
{
	if (w->s.up)
		server_event(w, (struct ks_event){ .kind = KS_EV_DATAGRAM,
						   .from = t->from,
						   .to = t->to,
						   .datagram = BYTES(t->b, t->len) });
}

static void thaw(struct world *w, size_t i)
{
	tell(w, "gm%zu  goes on", i);
	w->m[i].frozen = w->m[i].lost = false;
	befall(w, i, w->now);
}

// Whoever stands still finds it afterwards.
static bool put_off(struct world *w, struct thing *t)
{
	bool to_ks = t->kind == T_TO_KS || t->kind == T_WRITTEN || t->kind == T_REKEY;
	bool to_gm = t->kind == T_TO_GM || t->kind == T_APPLY || t->kind == T_RESULT;

	if (to_ks && w->s.frozen)
		t->at = w->s.thaws;
	else if (to_gm && w->m[t->member].frozen && !w->m[t->member].lost)
		t->at = w->m[t->member].thaws;
	else
		return false;
	later(w, *t);
	return true;
}

static void happen(struct world *w, struct thing *t)
{
	switch (t->kind) {
	case T_TO_KS:
		to_server(w, t);
		break;
	case T_TO_GM:
		to_member(w, t);
		break;
	case T_APPLY:
		member_apply(w, t);
		break;
	case T_RESULT:
		member_result(w, t);
		break;
	case T_GMD_UP:
		gmd_start(w, t->member);
		break;
	case T_ESPD_UP:
		espd_start(w, t->member);
		break;
	case T_UNCUT:
		tell(w, "gm%zu  is back on the network", t->member);
		w->m[t->member].cut = false;
		break;
	case T_THAW:
		if (t->member < w->n_members)
			thaw(w, t->member);
		else
			w->s.frozen = false;
		break;
	case T_KSD_UP:
		server_up(w);
		break;
	case T_WRITTEN:
		server_written(w, t->life);
		break;
	case T_REKEY:
		if (!w->s.up)
			break;
		if (t->life) // "replace-now": nobody waits for anybody
			befall_all(w);
		server_event(w, (struct ks_event){ .kind = KS_EV_REKEY, .at_once = t->life });
		break;
	}
}

static void run_due(struct world *w)
{
	while (!w->broken && w->n_things > 0 && mono_due(w->thing[0].at, w->now)) {
		struct thing t = take_first(w);

		if (put_off(w, &t))
			continue;
		happen(w, &t);
		thing_fini(&t);
	}
	if (mono_due(server_due(w), w->now))
		server_event(w, (struct ks_event){ .kind = KS_EV_TIMER });
	for (size_t i = 0; i < w->n_members; i++) {
		struct router *m = &w->m[i];

		if (m->gm && !m->frozen && mono_due(m->out.deadline, w->now))
			member_event(w, i, (struct gm_event){ .kind = GM_EV_TIMER });
	}
	if (mono_due(w->next_traffic, w->now)) {
		check_traffic(w);
		w->next_traffic = mono_add_ms(w->now, between_ms(w, 500, 4000));
	}
	if (!w->calm && mono_due(w->next_fault, w->now))
		fault(w);
}

static mono_t next_time(const struct world *w)
{
	mono_t t = mono_min(w->next_traffic, server_due(w));

	if (w->n_things > 0)
		t = mono_min(t, w->thing[0].at);
	for (size_t i = 0; i < w->n_members; i++) {
		if (w->m[i].gm && !w->m[i].frozen)
			t = mono_min(t, w->m[i].out.deadline);
	}
	return w->calm ? t : mono_min(t, w->next_fault);
}

static void run_for(struct world *w, int64_t s)
{
	mono_t end = mono_add_s(w->now, s);

	while (!w->broken && mono_before(w->now, end)) {
		mono_t t = next_time(w);

		if (mono_before(w->now, t)) {
			w->now = t;
			w->same_moment = 0;
		} else if (++w->same_moment > 2000) {
			violated(w, INV_REST, "two thousand rounds");
		}
		run_due(w);
	}
}

void world_run(struct world *w)
{
	run_for(w, between_ms(w, RUNS_S / 4, RUNS_S));
	w->calm = true;
	w->loss = w->dup = 0;
	tell(w, "quiet from here on");
	run_for(w, 60);				    // all is up again
	run_for(w, w->s.plan.tek_s + GRACE_S + 60); // past the keys of who missed a new KEK
	if (!w->broken)
		server_event(w, (struct ks_event){ .kind = KS_EV_REKEY });
	run_for(w, 75);
	if (!w->broken)
		check_quiet(w);
}

// ---- life ----

static void make_plan(struct world *w)
{
	struct plan *p = &w->s.plan;

	p->tek_s = (uint32_t)rng_range(&w->rng, 120, 300);
	p->kek_s = (uint32_t)rng_range(&w->rng, 240, 700);
	p->resend_s = (uint32_t)rng_range(&w->rng, 1, 5);
	p->resend_n = (uint32_t)rng_range(&w->rng, 1, 4);
	p->gcm = chance(w, 850);
	p->deny = chance(w, 300);
	p->ack = chance(w, 900);
	p->multicast = chance(w, 300);
	p->sid_bits = chance(w, 100) ? 8 : 24;
	p->degree = chance(w, 400) ? (uint16_t)rng_range(&w->rng, 2, 4) : 0;
	p->ack_lkh = p->degree && p->ack && !p->multicast && chance(w, 500);
	tell(w,
	     "world: members=%zu tek=%u kek=%u resend=%ux%u sid-bits=%u%s%s%s degree=%u loss=%u "
	     "dup=%u delay=%u",
	     w->n_members, p->tek_s, p->kek_s, p->resend_s, p->resend_n, p->sid_bits,
	     p->gcm ? " gcm" : "", p->ack ? " ack" : "", p->multicast ? " multicast" : "",
	     p->degree, w->loss, w->dup, w->delay_ms);
}

struct world *world_new(uint64_t seed, size_t n_members)
{
	struct world *w = calloc(1, sizeof(*w));

	BUG_ON(!w);
	w->seed = seed;
	rng_seed(&w->rng, seed);
	cheap_seed(seed);
	w->now = (mono_t){ 1000 };
	w->n_members = n_members;
	w->m = calloc(n_members, sizeof(*w->m));
	BUG_ON(!w->m);
	w->loss = (unsigned)rng_range(&w->rng, 0, 100);
	w->dup = (unsigned)rng_range(&w->rng, 0, 100);
	w->delay_ms = (unsigned)rng_range(&w->rng, 2, 300);
	make_plan(w);
	server_new(w);
	for (size_t i = 0; i < w->n_members; i++) {
		w->m[i].address = addr_from_v4(0xc0000201u + (uint32_t)i);
		w->m[i].fault = w->now;
		espd_start(w, i);
		gmd_start(w, i);
	}
	w->next_traffic = w->next_fault = mono_add_ms(w->now, 5000);
	return w;
}

void world_free(struct world *w)
{
	for (size_t i = 0; i < w->n_members; i++) {
		gm_free(w->m[i].gm);
		gm_out_clear(&w->m[i].out);
		model_stop(&w->m[i].espd);
	}
	for (size_t i = 0; i < w->n_things; i++)
		thing_fini(&w->thing[i]);
	server_free(w);
	free(w->thing);
	free(w->m);
	free(w->keys.slot);
	free(w->uses.slot);
	free(w->wires.slot);
	free(w->bytes.slot);
	free(w->keks.slot);
	free(w);
}
