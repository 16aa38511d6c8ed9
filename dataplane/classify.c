#include "dataplane/classify.h"

#include <string.h>

struct rules *rules_new(void)
{
	return calloc(1, sizeof(struct rules));
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	rules_acl_free(r);
	free(r->rule);
	free(r->key);
	free(r);
}

static bool grow(struct rules *r)
{
	size_t max = r->max ? r->max * 2 : 32;
	struct rule *rule = realloc(r->rule, max * sizeof(*rule));
	struct rule_key *key;

	if (!rule)
		return false;
	r->rule = rule;
	key = realloc(r->key, max * sizeof(*key));
	if (!key)
		return false;
	r->key = key;
	r->max = max;
	return true;
}

static const char *rule_wrong(const struct dp_rule *in)
{
	if (in->action < DP_PROTECT || in->action > DP_DROP)
		return "unknown action";
	if (in->family != 4 && in->family != 6)
		return "unknown family";
	if (in->origin > DP_FROM_CLOSED)
		return "unknown origin";
	if (in->n_spi_in > DP_MAX_SPI_IN)
		return "too many SPIs to arrive under";
	if (memcmp(in->src_lo, in->src_hi, 16) > 0 || memcmp(in->dst_lo, in->dst_hi, 16) > 0)
		return "address range ends before it starts";
	if (in->sport_lo > in->sport_hi || in->dport_lo > in->dport_hi)
		return "port range ends before it starts";
	return NULL;
}

static bool names_ports(const struct dp_rule *in)
{
	return in->sport_lo > 0 || in->sport_hi < 65535 || in->dport_lo > 0 || in->dport_hi < 65535;
}

// Room for one more; both arrays are written by the caller.
static int slot(struct rules *r, const char **why)
{
	*why = "too many rules";
	if (r->n >= DP_MAX_RULES)
		return -ENOSPC;
	*why = "out of memory";
	return r->n == r->max && !grow(r) ? -ENOMEM : 0;
}

static int find_out(const struct sadb *db, uint32_t spi, const struct sa **out, const char **why)
{
	*out = sadb_find(db, spi);
	*why = "rule sends under an SA that was not named, or not for sending";
	return *out && ((*out)->dir & DP_DIR_OUT) ? 0 : -ENOENT;
}

int rules_add(struct rules *r, const struct dp_rule *in, uint8_t group, uint8_t ports,
	      const struct sadb *db, const char **why)
{
	struct rule *rule;
	int err;

	*why = rule_wrong(in);
	if (*why)
		return -EINVAL;
	if (in->family == 6)
		return 0;
	err = slot(r, why);
	if (err)
		return err;
	rule = &r->rule[r->n];
	*rule = (struct rule){ .action = in->action,
			       .line = in->line,
			       .n_spi_in = in->n_spi_in,
			       .group = group,
			       .origin = in->origin,
			       .accept_clear = in->accept_clear != 0,
			       .send_clear = in->send_clear != 0,
			       .names_ports = names_ports(in) };
	memcpy(rule->spi_in, in->spi_in, sizeof(rule->spi_in));
	if (in->action == DP_PROTECT && in->spi_out != 0) {
		err = find_out(db, in->spi_out, &rule->out, why);
		if (err)
			return err;
	}
	r->key[r->n++] = (struct rule_key){
		.src_lo = be32_get(in->src_lo),
		.src_hi = be32_get(in->src_hi),
		.dst_lo = be32_get(in->dst_lo),
		.dst_hi = be32_get(in->dst_hi),
		.sport_lo = in->sport_lo,
		.sport_hi = in->sport_hi,
		.dport_lo = in->dport_lo,
		.dport_hi = in->dport_hi,
		.proto = in->proto,
		.ports = ports,
	};
	return 0;
}

int rules_keep(struct rules *r, const struct rules *from, size_t i, uint8_t group, uint8_t ports,
	       const struct sadb *db, const char **why)
{
	struct rule *rule;
	int err = slot(r, why);

	if (err)
		return err;
	rule = &r->rule[r->n];
	*rule = from->rule[i];
	rule->group = group;
	if (rule->out) {
		err = find_out(db, rule->out->spi, &rule->out, why);
		if (err)
			return err;
	}
	r->key[r->n] = from->key[i];
	r->key[r->n++].ports = ports;
	return 0;
}

int rules_seal(struct rules *r, const char **why)
{
	int err = 0;

	if (r->n > RULES_LINEAR_MAX)
		err = rules_acl_build(r);
	if (err)
		*why = "rules could not be compiled";
	return err;
}

static inline bool key_matches(const struct rule_key *k, const struct rule *rule,
			       const struct ip4 *ip, uint8_t port)
{
	if (!(k->ports >> port & 1) || ip->src < k->src_lo || ip->src > k->src_hi ||
	    ip->dst < k->dst_lo || ip->dst > k->dst_hi || (k->proto != 0 && k->proto != ip->proto))
		return false;
	if (!rule->names_ports)
		return true;
	if (ip->opaque)
		return rule->action != DP_CLEAR;
	return ip->sport >= k->sport_lo && ip->sport <= k->sport_hi && ip->dport >= k->dport_lo &&
	       ip->dport <= k->dport_hi;
}

const struct rule *rules_match(const struct rules *r, const struct ip4 *ip, uint8_t port)
{
	for (size_t i = 0; i < r->n; i++)
		if (key_matches(&r->key[i], &r->rule[i], ip, port))
			return &r->rule[i];
	return NULL;
}

void rules_match_burst(const struct rules *r, const struct ip4 *const *ip, const uint8_t *port,
		       size_t n, const struct rule **out)
{
	if (r->acl) {
		rules_acl_match(r, ip, port, n, out);
		return;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = rules_match(r, ip[i], port[i]);
}

bool rule_admits(const struct rule *rule, uint32_t spi)
{
	for (unsigned i = 0; i < rule->n_spi_in; i++)
		if (rule->spi_in[i] == spi)
			return true;
	return false;
}
