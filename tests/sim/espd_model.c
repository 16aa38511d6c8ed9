#include "tests/sim/espd_model.h"
#include "tests/unit/flow_match.h"

#include <stdlib.h>
#include <string.h>

void model_start(struct espd_model *m, uint64_t boot)
{
	model_stop(m);
	m->up = true;
	m->boot = boot;
}

void model_stop(struct espd_model *m)
{
	free(m->rule);
	*m = (struct espd_model){ .up = false };
}

const struct model_sa *model_sa(const struct espd_model *m, uint32_t spi)
{
	for (size_t i = 0; i < m->n_sas; i++) {
		if (m->sa[i].spi == spi)
			return &m->sa[i];
	}
	return NULL;
}

static struct model_sa sa_of(mono_t now, const struct dp_sa *d)
{
	struct model_sa s = { .spi = d->spi,
			      .sid = d->sid,
			      .dir = d->dir,
			      .key_len = d->key_len,
			      .counter = d->sid_bits > 0,
			      .dies = mono_add_s(now, d->life_s) };

	memcpy(s.key, d->key, sizeof(s.key));
	return s;
}

static bool between(const uint8_t *lo, const struct addr *a, const uint8_t *hi)
{
	return memcmp(lo, a->b, 4) <= 0 && memcmp(a->b, hi, 4) <= 0;
}

static const struct dp_rule *first_match(const struct espd_model *m, const struct flow_key *k)
{
	for (size_t i = 0; i < m->n_rules; i++) {
		const struct dp_rule *r = &m->rule[i];

		if (between(r->src_lo, &k->src, r->src_hi) &&
		    between(r->dst_lo, &k->dst, r->dst_hi) && (!r->proto || r->proto == k->proto) &&
		    r->sport_lo <= k->sport && k->sport <= r->sport_hi && r->dport_lo <= k->dport &&
		    k->dport <= r->dport_hi)
			return r;
	}
	return NULL;
}

// A packet of each flow: its source says which line it is under.
static struct flow_key packet_of(size_t flow)
{
	return (struct flow_key){ .src = addr_from_v4(flow ? 0x0ac80001u : 0x0a010001u),
				  .dst = addr_from_v4(0x0a280001u),
				  .sport = 1000,
				  .dport = 2000,
				  .proto = 17 };
}

const char *model_apply(struct espd_model *m, mono_t now, const struct gm_program *p)
{
	m->generation = p->generation;
	if (p->part[0].head.standing == DP_KEEP) // what stands stays; without, the port is closed
		return NULL;
	if (p->n_sas > MODEL_MAX_SAS)
		return "too many SAs";
	m->n_sas = 0;
	for (size_t i = 0; i < p->n_sas; i++) {
		if (model_sa(m, p->sa[i].spi))
			return "an SPI twice";
		m->sa[m->n_sas++] = sa_of(now, &p->sa[i]);
	}
	free(m->rule);
	m->rule = NULL;
	if (p->n_rules > 0) {
		m->rule = malloc(p->n_rules * sizeof(*m->rule));
		memcpy(m->rule, p->rule, p->n_rules * sizeof(*m->rule));
	}
	m->n_rules = p->n_rules;
	for (size_t f = 0; f < MODEL_FLOWS; f++) {
		struct flow_key k = packet_of(f);

		m->match[f] = first_match(m, &k);
	}
	for (size_t i = 0; i < p->n_rules; i++) {
		m->ever_protects |= p->rule[i].action == DP_PROTECT;
		if (p->rule[i].spi_out && !model_sa(m, p->rule[i].spi_out))
			return "a rule names an SA that is not there";
	}
	return NULL;
}

bool model_opens(const struct espd_model *m, mono_t now, size_t flow,
		 const struct model_sa *sent_under)
{
	const struct dp_rule *r = m->match[flow];
	const struct model_sa *sa = model_sa(m, sent_under->spi);

	if (!r || r->action != DP_PROTECT || !sa || !(sa->dir & DP_DIR_IN) ||
	    mono_due(sa->dies, now) || memcmp(sa->key, sent_under->key, sizeof(sa->key)) != 0)
		return false;
	for (size_t i = 0; i < r->n_spi_in; i++) {
		if (r->spi_in[i] == sa->spi)
			return true;
	}
	return false;
}
