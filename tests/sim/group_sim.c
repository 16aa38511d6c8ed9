// tests/sim/group_sim.c - whole groups in virtual time: the real key server's core, real members'
// cores, a network that loses, doubles, delays and reorders, processes that restart.
//
//	      ks (ks_step)
//	       |   datagrams: loss, duplicates, delay, cuts
//	  gm 1 … gm N (gm_step)     each with an espd of its own (espd_model): a program is applied
// a 	   |        |               little later, unless espd restarts meanwhile 	  espd 1
// espd N every second each sends a packet to each other: invariants.h
//
// Environment: SEED=n replays one world, N=worlds, V=1 tells what happens. A failure prints SEED=.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/crypto/crypto.h"
#include "gm/core.h"
#include "ks/core.h"
#include "tests/sim/espd_model.h"
#include "tests/sim/invariants.h"

#define MAX_MEMBERS 6
#define MAX_SPIS    4096
#define MAX_USES    8192
#define MAX_PUSHES  1024
#define GRACE_MS    120000 // after a fault a member may need this long
#define WORLDS	    40

enum thing_kind { T_TO_KS, T_TO_GM, T_APPLY, T_RESULT, T_GMD_UP, T_ESPD_UP, T_UNCUT };

// Something that will happen.
struct thing {
	mono_t at;
	enum thing_kind kind;
	size_t member;
	uint64_t life; // of the gmd or the espd it was meant for
	struct endpoint from, to;
	size_t len;
	uint8_t *b;
	struct gm_program *program;
	uint64_t generation;
	size_t push; // 1 + index into pushes; 0: none
};

// One rekey on its way to one member: all copies of a datagram.
struct push {
	size_t member, len;
	uint8_t head[64];
	mono_t sent;
	bool delivered;
};

struct router {
	struct addr address;
	struct gm *gm; // NULL while gmd is down
	uint64_t gmd_life;
	struct gm_out out;
	struct espd_model espd;
	bool cut;	   // from the network
	mono_t fault;	   // last one that touched it
	mono_t registered; // last time
	mono_t settles;	   // registered, and espd about to be told
	uint32_t n_registrations;
	uint8_t kek[GDOI_KEK_SPI_LEN];
	uint32_t seq;
};

struct world {
	uint64_t seed;
	struct rng rng;
	mono_t now, end;
	struct ks ks;
	struct ks_out ks_out;
	struct endpoint server;
	uint8_t ks_kek[GDOI_KEK_SPI_LEN];
	uint32_t ks_seq;
	size_t n_members;
	struct router m[MAX_MEMBERS];
	unsigned loss, dup, delay_ms; // per mille, per mille, most
	bool calm;		      // faults are over
	mono_t next_traffic, next_fault;
	size_t n_things, cap_things;
	struct thing *thing;
	size_t n_pushes;
	struct push push[MAX_PUSHES];
	size_t n_spis;
	struct model_sa spi[MAX_SPIS]; // every key ever seen
	size_t n_uses;
	struct {
		uint32_t spi, sid;
		uint64_t boot;
		size_t member;
		bool live; // named for sending in every transaction since
	} use[MAX_USES];
	unsigned same_moment;
	uint64_t n_steps, n_packets;
	bool broken;
};

static bool verbose;

static void tell(const struct world *w, const char *fmt, ...) PRINTF(2, 3);

static void tell(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!verbose)
		return;
	printf("[%10.3f] ", (double)w->now.ms / 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void violated(struct world *w, enum invariant i, const char *fmt, ...) PRINTF(3, 4);

static void violated(struct world *w, enum invariant i, const char *fmt, ...)
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

static bool chance(struct world *w, unsigned per_mille)
{
	return rng_range(&w->rng, 1, 1000) <= per_mille;
}

// ---- things to come ----

static void later(struct world *w, struct thing t)
{
	if (w->n_things == w->cap_things) {
		w->cap_things = w->cap_things ? 2 * w->cap_things : 256;
		w->thing = reallocarray(w->thing, w->cap_things, sizeof(*w->thing));
	}
	w->thing[w->n_things++] = t;
}

static void thing_fini(struct thing *t)
{
	free(t->b);
	gm_program_free(t->program);
}

static bool take_due(struct world *w, struct thing *out)
{
	size_t first = w->n_things;

	for (size_t i = 0; i < w->n_things; i++) {
		if (mono_due(w->thing[i].at, w->now) &&
		    (first == w->n_things || mono_before(w->thing[i].at, w->thing[first].at)))
			first = i;
	}
	if (first == w->n_things)
		return false;
	*out = w->thing[first];
	w->thing[first] = w->thing[--w->n_things];
	return true;
}

// ---- the network ----

// Copies of one rekey to one member count as one: was any of them delivered?
static size_t push_note(struct world *w, size_t member, struct bytes d)
{
	struct push *p;

	if (d.len < 64 || d.p[18] != GDOI_XCH_PUSH)
		return 0;
	for (size_t i = 0; i < w->n_pushes; i++) {
		p = &w->push[i];
		if (p->member == member && p->len == d.len && memcmp(p->head, d.p, 64) == 0)
			return i + 1;
	}
	if (w->n_pushes == MAX_PUSHES)
		return 0;
	p = &w->push[w->n_pushes++];
	*p = (struct push){ .member = member, .len = d.len, .sent = w->now };
	memcpy(p->head, d.p, 64);
	return w->n_pushes;
}

static void put_on_wire(struct world *w, enum thing_kind kind, size_t member,
			const struct endpoint *from, const struct endpoint *to, struct bytes d)
{
	struct thing t = { .kind = kind, .member = member, .from = *from, .to = *to, .len = d.len };

	t.push = kind == T_TO_GM ? push_note(w, member, d) : 0;
	for (unsigned copies = chance(w, w->dup) ? 2 : 1; copies > 0; copies--) {
		if (w->m[member].cut || chance(w, w->loss))
			continue;
		t.at = mono_add_ms(w->now, (int64_t)rng_range(&w->rng, 1, w->delay_ms));
		t.b = malloc(d.len);
		memcpy(t.b, d.p, d.len);
		later(w, t);
	}
}

// ---- the key server ----

static void ks_event(struct world *w, struct ks_event ev);

static size_t member_at(const struct world *w, const struct addr *a)
{
	for (size_t i = 0; i < w->n_members; i++) {
		if (addr_eq(&w->m[i].address, a))
			return i;
	}
	return w->n_members;
}

static void ks_check(struct world *w)
{
	const struct kek *k = &w->ks.group[0]->keys.kek;

	if (memcmp(k->spi, w->ks_kek, sizeof(w->ks_kek)) == 0) {
		if (k->seq < w->ks_seq)
			violated(w, INV_SEQ, "key server went from %u to %u", w->ks_seq, k->seq);
	} else {
		memcpy(w->ks_kek, k->spi, sizeof(w->ks_kek));
	}
	w->ks_seq = k->seq;
}

static void ks_perform(struct world *w)
{
	struct ks_dh dh[64];
	size_t n_dh = w->ks_out.n_dh < 64 ? w->ks_out.n_dh : 64;

	for (size_t i = 0; i < w->ks_out.n_note; i++)
		tell(w, "ks   %s %s", w->ks_out.note[i].text, w->ks_out.note[i].who.who);
	for (size_t i = 0; i < w->ks_out.n_send; i++) {
		const struct ks_send *s = &w->ks_out.send[i];
		size_t m = member_at(w, &s->to.addr);

		if (m < w->n_members)
			put_on_wire(w, T_TO_GM, m, &w->server, &s->to, s->datagram);
	}
	if (n_dh > 0)
		memcpy(dh, w->ks_out.dh, n_dh * sizeof(dh[0]));
	w->ks_out.n_dh = 0;
	for (size_t i = 0; i < n_dh; i++) {
		dh_job_run(dh[i].job);
		ks_event(w, (struct ks_event){ .kind = KS_EV_DH_DONE, .dh = dh[i] });
	}
}

static void ks_event(struct world *w, struct ks_event ev)
{
	w->n_steps++;
	ks_step(&w->ks, w->now, &ev, &w->ks_out);
	ks_check(w);
	ks_perform(w);
}

// All copies of some rekey to it were lost since it registered, or while its registration was on
// its way: it cannot know better.
static bool missed_a_rekey(const struct world *w, size_t i)
{
	for (size_t k = 0; k < w->n_pushes; k++) {
		if (w->push[k].member == i && !w->push[k].delivered &&
		    !mono_before(mono_add_s(w->push[k].sent, 10), w->m[i].registered))
			return true;
	}
	return false;
}

// ---- members ----

static void gm_event(struct world *w, size_t i, struct gm_event ev);

static void spi_check(struct world *w, size_t who, const struct model_sa *sa)
{
	for (size_t i = 0; i < w->n_spis; i++) {
		if (w->spi[i].spi != sa->spi)
			continue;
		if (memcmp(w->spi[i].key, sa->key, sizeof(sa->key)) != 0)
			violated(w, INV_SPI, "0x%08X at gm%zu has another key", sa->spi, who);
		return;
	}
	if (w->n_spis < MAX_SPIS)
		w->spi[w->n_spis++] = *sa;
}

static void member_check(struct world *w, size_t i)
{
	struct router *m = &w->m[i];
	const struct gm_group *g = m->gm->group[0];
	const struct gm_kek *k = gm_keks_current(&g->keks);

	if (g->n.registrations != m->n_registrations) {
		if (missed_a_rekey(w, i)) // espd hears of it a little later
			m->settles = mono_add_ms(w->now, 100);
		m->n_registrations = g->n.registrations;
		m->registered = w->now;
	}
	if (!k)
		return;
	if (memcmp(k->spi, m->kek, sizeof(m->kek)) == 0 && k->seq < m->seq)
		violated(w, INV_SEQ, "gm%zu went from %u to %u", i, m->seq, k->seq);
	memcpy(m->kek, k->spi, sizeof(m->kek));
	m->seq = k->seq;
}

static void gm_perform(struct world *w, size_t i)
{
	struct router *m = &w->m[i];
	struct gm_out todo = m->out;
	const struct endpoint own = { m->address, 848 };

	gm_out_init(&m->out);
	m->out.deadline = todo.deadline;
	for (size_t k = 0; k < todo.n_logs; k++)
		tell(w, "gm%zu  %s%s%s", i,
		     todo.log[k].event < EV_COUNT ? event_mnemonic(todo.log[k].event) : "",
		     todo.log[k].event < EV_COUNT ? ": " : "", todo.log[k].text);
	for (size_t k = 0; k < todo.n_sends; k++)
		put_on_wire(w, T_TO_KS, i, &own, &todo.send[k].to,
			    BYTES(todo.send[k].data, todo.send[k].len));
	if (todo.program)
		later(w,
		      (struct thing){ .kind = T_APPLY,
				      .member = i,
				      .life = m->espd.boot,
				      .generation = m->gmd_life,
				      .at = mono_add_ms(w->now, (int64_t)rng_range(&w->rng, 1, 20)),
				      .program = todo.program });
	todo.program = NULL;
	for (size_t k = 0; k < todo.n_dh; k++) {
		dh_job_run(todo.dh[k]);
		gm_event(w, i, (struct gm_event){ .kind = GM_EV_DH_DONE, .dh = todo.dh[k] });
	}
	todo.n_dh = 0;
	gm_out_clear(&todo);
}

static void gm_event(struct world *w, size_t i, struct gm_event ev)
{
	w->n_steps++;
	gm_step(w->m[i].gm, w->now, &ev, &w->m[i].out);
	member_check(w, i);
	gm_perform(w, i);
}

static struct gm_conf *member_conf(const struct world *w, size_t i)
{
	struct gm_conf *c = calloc(1, sizeof(*c));
	struct gm_conf_group *g = &c->group[0];

	c->address = w->m[i].address;
	c->port = 848;
	c->ike.proposal[0] = (struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
	c->ike.n_proposals = 1;
	c->ike.psk = calloc(1, sizeof(*c->ike.psk));
	c->ike.n_psks = 1;
	if (prefix_parse("any", &c->ike.psk->peer) < 0 ||
	    secret_set(&c->ike.psk->key, "of the world", 12) < 0)
		abort();
	c->n_groups = 1;
	snprintf(g->name, sizeof(g->name), "G1");
	g->identity = 1234;
	g->n_servers = 1;
	g->server[0] = w->server.addr;
	return c;
}

static void espd_hello(struct world *w, size_t i)
{
	const struct espd_model *e = &w->m[i].espd;
	const struct dp_hello_ack h = { .version = DP_API_VERSION,
					.n_workers = 1,
					.boot_id = e->boot,
					.generation = e->generation };

	if (w->m[i].gm && e->up)
		gm_event(w, i, (struct gm_event){ .kind = GM_EV_DP_UP, .hello = &h });
}

static void gmd_start(struct world *w, size_t i)
{
	struct router *m = &w->m[i];

	tell(w, "gm%zu  gmd starts", i);
	m->gm = gm_new(&w->rng);
	m->gmd_life++;
	m->n_registrations = 0;
	memset(m->kek, 0, sizeof(m->kek));
	gm_out_init(&m->out);
	gm_event(w, i, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = member_conf(w, i) });
	espd_hello(w, i);
}

static void gmd_stop(struct world *w, size_t i)
{
	tell(w, "gm%zu  gmd ends", i);
	gm_free(w->m[i].gm);
	gm_out_clear(&w->m[i].out);
	w->m[i].gm = NULL;
}

static void espd_start(struct world *w, size_t i)
{
	tell(w, "gm%zu  espd starts", i);
	model_start(&w->m[i].espd, rng_u64(&w->rng) | 1);
	espd_hello(w, i);
}

static void espd_stop(struct world *w, size_t i)
{
	tell(w, "gm%zu  espd ends", i);
	model_stop(&w->m[i].espd);
	if (w->m[i].gm)
		gm_event(w, i, (struct gm_event){ .kind = GM_EV_DP_DOWN });
}

// ---- espd ----

// Where a counter was lost, or belongs to someone else, its (key, sender id) may not be used.
static void uses_check(struct world *w, size_t i)
{
	const struct espd_model *e = &w->m[i].espd;

	for (size_t k = 0; k < w->n_uses; k++) {
		const struct model_sa *sa = model_sa(e, w->use[k].spi);

		if (w->use[k].member == i && w->use[k].boot == e->boot)
			w->use[k].live &= sa && (sa->dir & DP_DIR_OUT) && sa->sid == w->use[k].sid;
	}
}

static void use_note(struct world *w, size_t i, const struct model_sa *sa)
{
	const struct espd_model *e = &w->m[i].espd;

	if (!sa->counter)
		return;
	for (size_t k = 0; k < w->n_uses; k++) {
		if (w->use[k].spi != sa->spi || w->use[k].sid != sa->sid)
			continue;
		if (w->use[k].member != i || w->use[k].boot != e->boot || !w->use[k].live)
			violated(w, INV_NONCE,
				 "gm%zu sends under 0x%08X sid %u, used before by gm%zu", i,
				 sa->spi, sa->sid, w->use[k].member);
		return;
	}
	if (w->n_uses == MAX_USES) {
		violated(w, INV_NONCE, "the world is too long for its notes");
		return;
	}
	w->use[w->n_uses].spi = sa->spi;
	w->use[w->n_uses].sid = sa->sid;
	w->use[w->n_uses].boot = e->boot;
	w->use[w->n_uses].member = i;
	w->use[w->n_uses++].live = true;
}

static void apply(struct world *w, struct thing *t)
{
	struct router *m = &w->m[t->member];
	const char *refused;

	if (!m->espd.up || m->espd.boot != t->life)
		return;
	refused = model_apply(&m->espd, w->now, t->program);
	if (refused)
		violated(w, INV_SPI, "gm%zu gives espd %s", t->member, refused);
	for (size_t k = 0; k < m->espd.n_sas; k++)
		spi_check(w, t->member, &m->espd.sa[k]);
	uses_check(w, t->member);
	later(w, (struct thing){ .kind = T_RESULT,
				 .member = t->member,
				 .life = t->generation,
				 .generation = t->program->generation,
				 .at = mono_add_ms(w->now, 1) });
}

static void result(struct world *w, const struct thing *t)
{
	const struct dp_result r = { .of = DP_COMMIT, .generation = t->generation };

	if (w->m[t->member].gm && w->m[t->member].gmd_life == t->life && w->m[t->member].espd.up)
		gm_event(w, t->member, (struct gm_event){ .kind = GM_EV_DP_RESULT, .result = &r });
}

// ---- traffic ----

static struct flow_key flow_of(size_t from, size_t to)
{
	return (struct flow_key){ .src = addr_from_v4(0x0a000001u | (uint32_t)(from * 40) << 16),
				  .dst = addr_from_v4(0x0a000001u | (uint32_t)(to * 40) << 16),
				  .sport = 1000,
				  .dport = 2000,
				  .proto = 17 };
}

static bool good_standing(const struct world *w, size_t i)
{
	const struct router *m = &w->m[i];

	return m->gm && m->espd.up && !m->cut && mono_due(m->settles, w->now) &&
	       m->gm->group[0]->registered && mono_due(mono_add_ms(m->fault, GRACE_MS), w->now) &&
	       !missed_a_rekey(w, i);
}

static void packet(struct world *w, size_t from, size_t to)
{
	const struct flow_key k = flow_of(from, to);
	const struct espd_model *e = &w->m[from].espd;
	const struct dp_rule *r = model_match(e, &k);
	const struct model_sa *sa;

	w->n_packets++;
	if (!r || r->action != DP_PROTECT) {
		if (e->ever_protects)
			violated(w, INV_CLEAR, "gm%zu to gm%zu", from, to);
		return;
	}
	sa = r->spi_out ? model_sa(e, r->spi_out) : NULL;
	if (!sa || mono_due(sa->dies, w->now)) {
		if (good_standing(w, from))
			violated(w, INV_SENDS, "gm%zu to gm%zu: %s", from, to,
				 sa ? "key is past its life" : "no key");
		return;
	}
	if (!(sa->dir & DP_DIR_OUT))
		violated(w, INV_LIFE, "gm%zu sends under an inbound SA", from);
	use_note(w, from, sa);
	if (good_standing(w, from) && good_standing(w, to) &&
	    !model_opens(&w->m[to].espd, w->now, &k, sa))
		violated(w, INV_OPEN, "gm%zu to gm%zu under 0x%08X", from, to, sa->spi);
}

static void traffic(struct world *w)
{
	for (size_t i = 0; i < w->n_members; i++) {
		for (size_t k = 0; k < w->n_members; k++) {
			if (i != k && w->m[i].espd.up)
				packet(w, i, k);
		}
	}
	w->next_traffic = mono_add_ms(w->now, (int64_t)rng_range(&w->rng, 300, 1500));
}

// ---- faults ----

static void fault(struct world *w)
{
	size_t i = rng_range(&w->rng, 0, w->n_members - 1);
	struct router *m = &w->m[i];
	int64_t ms = (int64_t)rng_range(&w->rng, 200, 4000);
	struct dp_note iv = { .kind = DP_NOTE_IV_SOON };
	struct thing t = { .member = i, .at = mono_add_ms(w->now, ms) };

	w->next_fault = mono_add_ms(w->now, (int64_t)rng_range(&w->rng, 5000, 120000));
	switch (rng_range(&w->rng, 0, 8)) {
	case 0:
		if (!m->gm)
			return;
		gmd_stop(w, i);
		t.kind = T_GMD_UP;
		later(w, t);
		break;
	case 1:
	case 2:
		if (!m->espd.up)
			return;
		espd_stop(w, i);
		t.kind = T_ESPD_UP;
		later(w, t);
		break;
	case 3:
		if (m->cut)
			return;
		tell(w, "gm%zu  is cut off", i);
		m->cut = true;
		t.kind = T_UNCUT;
		t.at = mono_add_ms(w->now, ms * 20);
		later(w, t);
		break;
	case 4:
		if (m->gm)
			gm_event(w, i, (struct gm_event){ .kind = GM_EV_REREGISTER });
		return;
	case 5:
		if (!m->gm || m->espd.n_sas == 0)
			return;
		iv.spi = m->espd.sa[0].spi;
		gm_event(w, i, (struct gm_event){ .kind = GM_EV_DP_NOTE, .note = &iv });
		return;
	case 6:
		tell(w, "ks   all register again");
		ks_event(w, (struct ks_event){ .kind = KS_EV_CLEAR });
		return;
	case 7: // nobody that traffic would miss
		tell(w, "ks   excludes a member that has gone");
		ks_event(w, (struct ks_event){ .kind = KS_EV_EXCLUDE,
					       .group = "G1",
					       .member = addr_from_v4(rng_u32(&w->rng)) });
		return;
	default:
		tell(w, "ks   rekey on demand");
		ks_event(w, (struct ks_event){ .kind = KS_EV_REKEY });
		return;
	}
	m->fault = mono_add_ms(t.at, 0);
}

// ---- a world ----

static struct policy *world_policy(const char *transform, uint32_t life_s)
{
	struct acl_conf_line line[3] = { { .line = 1 }, { .line = 2 }, { .line = 3 } };
	struct acl_conf acl = { .name = "LANS", .n = 3, .lines = line };
	struct policy_sa sa = { 10, suite_tek_named(transform), life_s, &acl };
	struct policy_error why;
	struct policy *p;
	struct prefix ten, lower, any;

	if (prefix_parse("10.0.0.0/8", &ten) < 0 || prefix_parse("10.0.0.0/9", &lower) < 0 ||
	    prefix_parse("any", &any) < 0)
		abort();
	line[0].acl.flow.proto = 17;
	flow_side_prefix(&line[0].acl.flow.src, &any);
	flow_side_prefix(&line[0].acl.flow.dst, &any);
	line[0].acl.flow.src.port_lo = line[0].acl.flow.src.port_hi = 848;
	line[0].acl.flow.dst.port_lo = line[0].acl.flow.dst.port_hi = 848;
	line[1].acl.permit = line[2].acl.permit = true;
	flow_side_prefix(&line[1].acl.flow.src, &lower);
	flow_side_prefix(&line[1].acl.flow.dst, &ten);
	flow_side_prefix(&line[2].acl.flow.src, &ten);
	flow_side_prefix(&line[2].acl.flow.dst, &ten);
	p = policy_build(&sa, 1, &why);
	if (!p)
		abort();
	return p;
}

static struct ks_conf *ks_conf_of(struct world *w)
{
	struct ks_conf *c = calloc(1, sizeof(*c));
	struct ks_group_conf *g = calloc(1, sizeof(*g));
	uint32_t life_s = (uint32_t)rng_range(&w->rng, 200, 900);

	c->address = w->server.addr;
	c->port = 848;
	c->ike.proposal[0] = (struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
	c->ike.n_proposals = 1;
	c->ike.n_psks = 1;
	c->ike.psk = calloc(1, sizeof(*c->ike.psk));
	if (prefix_parse("any", &c->ike.psk->peer) < 0 ||
	    secret_set(&c->ike.psk->key, "of the world", 12) < 0)
		abort();
	c->store = keystore_new();
	if (signer_generate(&c->store->signer, "REKEY", SIGN_ECDSA_P256, 0) < 0)
		abort();
	snprintf(g->name, sizeof(g->name), "G1");
	g->identity = 1234;
	g->kek = (struct kek_params){ .suite = suite_kek_named("aes 256"),
				      .cipher = CIPHER_AES256_CBC,
				      .life_s = (uint32_t)rng_range(&w->rng, 600, 4000),
				      .sign_label = "REKEY",
				      .sign_alg = SIGN_ECDSA_P256,
				      .sign_bits = 256,
				      .sign_hash = HASH_ALG_SHA256 };
	g->retransmit_s = (uint32_t)rng_range(&w->rng, 1, 5);
	g->retransmit_number = (uint32_t)rng_range(&w->rng, 1, 4);
	if (chance(w, 500)) {
		g->kek.lkh_degree = (uint16_t)rng_range(&w->rng, 2, 4);
		g->kek.ack_lkh = chance(w, 500);
	}
	g->ack = true;
	g->sid_bits = 24;
	g->policy = world_policy(chance(w, 800) ? "esp-gcm 128" : "esp-256-aes esp-sha256-hmac",
				 life_s);
	c->groups = g;
	c->n_groups = 1;
	tell(w, "world: members=%zu tek=%u kek=%u resend=%ux%u loss=%u dup=%u delay=%u",
	     w->n_members, life_s, g->kek.life_s, g->retransmit_s, g->retransmit_number, w->loss,
	     w->dup, w->delay_ms);
	return c;
}

static struct world *world_new(uint64_t seed)
{
	const struct ks_options options = { .n_sas = 256, .n_halfopen = 64, .per_source = 16 };
	struct world *w = calloc(1, sizeof(*w));

	w->seed = seed;
	rng_seed(&w->rng, seed);
	w->now = (mono_t){ 1000 };
	w->end = (mono_t){ (int64_t)rng_range(&w->rng, 1200, 3600) * 1000 };
	w->server = (struct endpoint){ addr_from_v4(0xc6336401), 848 };
	w->n_members = rng_range(&w->rng, 2, MAX_MEMBERS);
	w->loss = (unsigned)rng_range(&w->rng, 0, 100);
	w->dup = (unsigned)rng_range(&w->rng, 0, 100);
	w->delay_ms = (unsigned)rng_range(&w->rng, 2, 300);
	ks_out_init(&w->ks_out);
	if (ks_init(&w->ks, &w->rng, &options, w->now, ks_conf_of(w)) < 0)
		abort();
	for (size_t i = 0; i < w->n_members; i++) {
		w->m[i].address = addr_from_v4(0xc0000201u + (uint32_t)i);
		w->m[i].fault = w->now;
		model_start(&w->m[i].espd, rng_u64(&w->rng) | 1);
		gmd_start(w, i);
	}
	w->next_traffic = w->next_fault = mono_add_ms(w->now, 5000);
	ks_event(w, (struct ks_event){ .kind = KS_EV_TIMER });
	return w;
}

static void world_free(struct world *w)
{
	for (size_t i = 0; i < w->n_members; i++) {
		gm_free(w->m[i].gm);
		gm_out_clear(&w->m[i].out);
		model_stop(&w->m[i].espd);
	}
	for (size_t i = 0; i < w->n_things; i++)
		thing_fini(&w->thing[i]);
	free(w->thing);
	ks_fini(&w->ks);
	ks_out_fini(&w->ks_out);
	free(w);
}

// A rekey that outran the registration it belongs to is as good as lost.
static bool knows_kek(const struct router *m, const uint8_t *datagram)
{
	const struct gm_keks *k = &m->gm->group[0]->keks;

	for (size_t i = 0; i < k->n; i++) {
		if (memcmp(k->kek[i].spi, datagram, GDOI_KEK_SPI_LEN) == 0)
			return true;
	}
	return false;
}

static void happen(struct world *w, struct thing *t)
{
	struct router *m = &w->m[t->member];

	switch (t->kind) {
	case T_TO_KS:
		ks_event(w, (struct ks_event){ .kind = KS_EV_DATAGRAM,
					       .from = t->from,
					       .to = t->to,
					       .datagram = BYTES(t->b, t->len) });
		break;
	case T_TO_GM:
		if (!m->gm)
			break;
		if (t->push && knows_kek(m, t->b))
			w->push[t->push - 1].delivered = true;
		gm_event(w, t->member,
			 (struct gm_event){ .kind = GM_EV_DATAGRAM,
					    .from = t->from,
					    .datagram = BYTES(t->b, t->len) });
		break;
	case T_APPLY:
		apply(w, t);
		break;
	case T_RESULT:
		result(w, t);
		break;
	case T_GMD_UP:
		gmd_start(w, t->member);
		break;
	case T_ESPD_UP:
		espd_start(w, t->member);
		break;
	case T_UNCUT:
		tell(w, "gm%zu  is back on the network", t->member);
		m->cut = false;
		break;
	}
	thing_fini(t);
}

static void run_due(struct world *w)
{
	struct thing t;

	while (take_due(w, &t))
		happen(w, &t);
	if (mono_due(w->ks_out.deadline, w->now))
		ks_event(w, (struct ks_event){ .kind = KS_EV_TIMER });
	for (size_t i = 0; i < w->n_members; i++) {
		if (w->m[i].gm && mono_due(w->m[i].out.deadline, w->now))
			gm_event(w, i, (struct gm_event){ .kind = GM_EV_TIMER });
	}
	if (mono_due(w->next_traffic, w->now))
		traffic(w);
	if (!w->calm && mono_due(w->next_fault, w->now))
		fault(w);
}

static mono_t next_time(const struct world *w)
{
	mono_t t = mono_min(w->next_traffic, w->ks_out.deadline);

	for (size_t i = 0; i < w->n_things; i++)
		t = mono_min(t, w->thing[i].at);
	for (size_t i = 0; i < w->n_members; i++) {
		if (w->m[i].gm)
			t = mono_min(t, w->m[i].out.deadline);
	}
	return w->calm ? t : mono_min(t, w->next_fault);
}

static void run_until(struct world *w, mono_t end)
{
	while (!w->broken && mono_before(w->now, end)) {
		mono_t t = next_time(w);

		if (mono_before(w->now, t)) {
			w->now = t;
			w->same_moment = 0;
		} else if (++w->same_moment > 1000) {
			violated(w, INV_REST, "a thousand steps");
		}
		run_due(w);
	}
}

// Quiet at last: the same key for the same flow everywhere, and everyone opens everyone.
static void agree(struct world *w)
{
	const struct flow_key k = flow_of(0, 1);
	const struct dp_rule *first = NULL;

	for (size_t i = 0; i < w->n_members; i++) {
		const struct dp_rule *r = model_match(&w->m[i].espd, &k);

		if (!r || r->spi_out == 0)
			violated(w, INV_AGREE, "gm%zu has no key", i);
		else if (first && r->spi_out != first->spi_out)
			violated(w, INV_AGREE, "gm%zu sends under 0x%08X, others 0x%08X", i,
				 r->spi_out, first->spi_out);
		first = r;
	}
}

static bool world_run(uint64_t seed, uint64_t *packets)
{
	struct world *w = world_new(seed);
	bool ok;

	run_until(w, w->end);
	w->calm = true;
	w->loss = w->dup = 0;
	run_until(w, mono_add_s(w->now, 1000)); // past the keys of who missed a new KEK
	if (!w->broken)
		ks_event(w, (struct ks_event){ .kind = KS_EV_REKEY });
	run_until(w, mono_add_s(w->now, 120));
	if (!w->broken)
		agree(w);
	ok = !w->broken;
	*packets += w->n_packets;
	world_free(w);
	return ok;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned long long number(const char *name, unsigned long long def)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : def;
}

int main(void)
{
	unsigned long long seed = number("SEED", 0), n = seed ? 1 : number("N", WORLDS), bad = 0;
	unsigned long long first = seed ? seed : number("FROM", 1);
	double start = seconds(), took;
	uint64_t packets = 0;

	verbose = number("V", 0) != 0;
	if (crypto_init() < 0)
		return 1;
	for (unsigned long long i = 0; i < n; i++)
		bad += !world_run(first + i, &packets);
	took = seconds() - start;
	printf("%llu worlds, %llu packets, %.1f worlds per second, %llu broken\n", n,
	       (unsigned long long)packets, (double)n / took, bad);
	return bad ? 1 : 0;
}
