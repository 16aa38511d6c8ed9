#include "gm/policy.h"

const char *gm_direction_text(enum gm_direction d)
{
	return d == GM_DIR_BOTH		  ? "Both"
	       : d == GM_DIR_INBOUND_ONLY ? "Inbound Only"
					  : "Inbound Optional";
}

struct gm_program *gm_program_new(uint64_t generation)
{
	struct gm_program *p = calloc(1, sizeof(*p));

	BUG_ON(!p);
	p->generation = generation;
	return p;
}

void gm_program_free(struct gm_program *p)
{
	if (!p)
		return;
	if (p->sa)
		explicit_bzero(p->sa, p->cap_sas * sizeof(p->sa[0]));
	free(p->sa);
	free(p->rule);
	free(p->exempt);
	free(p);
}

// A growing array of one kind of message. Old blocks are wiped: they may hold keys.
static void *slot(void **array, size_t *n, size_t *cap, size_t size)
{
	if (*n == *cap) {
		size_t more = *cap ? 2 * *cap : 32;
		void *grown = calloc(more, size);

		BUG_ON(!grown);
		if (*array) {
			memcpy(grown, *array, *n * size);
			explicit_bzero(*array, *cap * size);
		}
		free(*array);
		*array = grown;
		*cap = more;
	}
	return (char *)*array + (*n)++ * size;
}

void gm_policy_group(struct gm_program *p, const struct dp_group *head)
{
	BUG_ON(p->n_parts == DP_MAX_GROUPS);
	p->part[p->n_parts++] = (struct gm_part){ .head = *head };
}

static struct dp_sa *sa_slot(struct gm_program *p)
{
	p->part[p->n_parts - 1].n_sas++;
	return slot((void **)&p->sa, &p->n_sas, &p->cap_sas, sizeof(p->sa[0]));
}

static struct dp_rule *rule_slot(struct gm_program *p, enum dp_origin origin, size_t line)
{
	struct dp_rule *r = slot((void **)&p->rule, &p->n_rules, &p->cap_rules, sizeof(p->rule[0]));

	p->part[p->n_parts - 1].n_rules++;
	*r = (struct dp_rule){ .line = (uint32_t)line, .origin = (uint8_t)origin };
	return r;
}

void gm_policy_exempt(struct gm_program *p, const struct addr *own, const struct addr *peer,
		      uint16_t port)
{
	struct dp_exempt e = { .family = own->family, .proto = 17, .port = port };

	memcpy(e.local, own->b, sizeof(e.local));
	memcpy(e.remote, peer->b, sizeof(e.remote));
	for (size_t i = 0; i < p->n_exempts; i++) {
		if (memcmp(&p->exempt[i], &e, sizeof(e)) == 0)
			return;
	}
	*(struct dp_exempt *)slot((void **)&p->exempt, &p->n_exempts, &p->cap_exempts,
				  sizeof(p->exempt[0])) = e;
}

static void rule_flow(struct dp_rule *r, const struct flow *f)
{
	r->family = f->src.lo.family;
	r->proto = f->proto;
	memcpy(r->src_lo, f->src.lo.b, sizeof(r->src_lo));
	memcpy(r->src_hi, f->src.hi.b, sizeof(r->src_hi));
	memcpy(r->dst_lo, f->dst.lo.b, sizeof(r->dst_lo));
	memcpy(r->dst_hi, f->dst.hi.b, sizeof(r->dst_hi));
	r->sport_lo = f->src.port_lo;
	r->sport_hi = f->src.port_hi;
	r->dport_lo = f->dst.port_lo;
	r->dport_hi = f->dst.port_hi;
}

static void rule_spi_in(struct dp_rule *r, const struct gm_teks *t, uint32_t spi)
{
	const struct gm_tek *k = gm_teks_find(t, spi);

	if (!k || !(k->dir & DP_DIR_IN) || r->n_spi_in == DP_MAX_SPI_IN)
		return;
	for (size_t i = 0; i < r->n_spi_in; i++) {
		if (r->spi_in[i] == spi)
			return;
	}
	r->spi_in[r->n_spi_in++] = spi;
}

static void rule_arrivals_of(struct dp_rule *r, const struct gm_teks *t, const struct gm_set *s,
			     const struct gm_line *l, bool same)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct gm_line *o = &s->line[i];

		if (o->protect && flow_overlaps(&o->flow, &l->flow) &&
		    flow_eq(&o->flow, &l->flow) == same)
			rule_spi_in(r, t, o->spi);
	}
}

// What a flow may arrive under: the key of its own line, the keys of the same line in the other
// sets, newest first (peers are at another point of the same rollover), then what those sets
// protect parts of it with, should the lines themselves have changed.
static void rule_arrivals(struct dp_rule *r, const struct gm_teks *t, const struct gm_set *active,
			  const struct gm_line *l)
{
	rule_spi_in(r, t, l->spi);
	for (int same = 1; same >= 0; same--) {
		for (const struct gm_set *s = t->set; s < t->set + t->n_sets; s++) {
			if (s != active)
				rule_arrivals_of(r, t, s, l, same);
		}
	}
}

static struct gm_tek *tek_mutable(struct gm_teks *t, const struct gm_tek *k)
{
	return &t->tek[k - t->tek];
}

// A list of the member itself: its lines are in clear.
static void add_list(struct gm_program *p, const struct acl_conf *list, enum dp_origin origin)
{
	for (size_t i = 0; list && i < list->n; i++) {
		struct dp_rule *r = rule_slot(p, origin, list->lines[i].line);

		r->action = DP_CLEAR;
		rule_flow(r, &list->lines[i].acl.flow);
	}
}

static void add_protect(mono_t now, const struct gm_policy_in *in, struct dp_rule *r, size_t line,
			bool sid_left, bool *want_sid)
{
	const struct gm_set *active = gm_teks_active(in->teks, now);
	const struct gm_tek *out = gm_teks_out(in->teks, now, line);

	r->accept_clear = in->accept_clear || in->direction != GM_DIR_BOTH;
	r->send_clear = in->direction == GM_DIR_INBOUND_ONLY;
	rule_arrivals(r, in->teks, active, &active->line[line]);
	if (r->send_clear || !out)
		return;
	if (out->counter_iv && !sid_left) {
		*want_sid = true;
	} else {
		tek_mutable(in->teks, out)->sent = true;
		r->spi_out = out->spi;
	}
}

static void add_lines(struct gm_program *p, mono_t now, const struct gm_policy_in *in,
		      bool sid_left, bool *want_sid)
{
	const struct gm_set *active = gm_teks_active(in->teks, now);

	for (size_t i = 0; active && i < active->n; i++) {
		const struct gm_line *l = &active->line[i];
		struct dp_rule *r = rule_slot(p, DP_FROM_POLICY, i + 1);

		rule_flow(r, &l->flow);
		r->action = l->protect ? DP_PROTECT : DP_CLEAR;
		if (l->protect)
			add_protect(now, in, r, i, sid_left, want_sid);
	}
}

bool gm_policy_checks_replay(const struct gm_tek *k, const struct gm_sids *sids)
{
	return k->replay.mode == REPLAY_COUNTER && k->counter_iv && sids->bits > 0;
}

// A key once used for sending stays an outbound SA, with the sender id of now, so that its
// counter lives on; one never used is inbound only.
static void add_sa(struct gm_program *p, mono_t now, const struct gm_tek *k,
		   const struct gm_sids *sids, bool sid_left, uint32_t sid)
{
	struct dp_sa *sa = sa_slot(p);

	*sa = (struct dp_sa){ .spi = k->spi, .suite = k->suite, .dir = k->dir & DP_DIR_IN };
	if (k->sent && (sid_left || !k->counter_iv))
		sa->dir |= DP_DIR_OUT;
	if (k->counter_iv) {
		sa->sid_bits = sids->bits;
		sa->sid = sid;
	}
	if (gm_policy_checks_replay(k, sids))
		sa->window = k->replay.window;
	sa->life_s = mono_left_s(k->dies, now);
	sa->key_len = (uint8_t)k->key.len;
	sa->auth_len = (uint8_t)k->auth.len;
	memcpy(sa->key, k->key.b, k->key.len);
	memcpy(sa->auth, k->auth.b, k->auth.len);
}

static bool any_counter(const struct gm_teks *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->tek[i].counter_iv)
			return true;
	}
	return false;
}

void gm_policy_add(struct gm_program *p, mono_t now, const struct gm_policy_in *in, bool *want_sid)
{
	uint32_t sid = 0;
	bool sid_left = any_counter(in->teks) && gm_sids_take(in->sids, in->boot, &sid);

	add_list(p, in->local, DP_FROM_LOCAL);
	add_lines(p, now, in, sid_left, want_sid);
	for (size_t i = 0; i < in->teks->n; i++) {
		const struct gm_tek *k = &in->teks->tek[i];

		if (k->dir & DP_DIR_IN || k->sent)
			add_sa(p, now, k, in->sids, sid_left, sid);
	}
}

void gm_policy_instead(struct gm_program *p, const struct acl_conf *local,
		       const struct acl_conf *exceptions)
{
	add_list(p, local, DP_FROM_LOCAL);
	add_list(p, exceptions, DP_FROM_EXCEPTIONS);
}
