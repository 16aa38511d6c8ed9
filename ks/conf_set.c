#include "ks/ks_conf_int.h"

#include <string.h>

#include "common/ike/auth.h"
#include "coop/coop_conf.h"
#include "ks/conf_digest.h"
#include "ks/conf_reach.h"

void ks_conf_read_coop(struct settings *s, struct set_node *n, void *out)
{
	struct ks_load *l = ks_load_of(out);
	struct ks_conf *c = l->conf;
	const struct coop_about about = { .addr = c->address,
					  .udp_port = { c->port, c->nat_port },
					  .pki = c->ike.pki };

	c->coop = calloc(1, sizeof(*c->coop));
	BUG_ON(!c->coop);
	coop_settings_read(s, n, &about, c->coop);
	if (!c->state[0])
		settings_complain(s, n, NULL,
				  "key servers of a set have to keep what they know: ksd.state is "
				  "missing, as \"/var/lib/conclave/ksd\"");
}

static void judge_set(struct ks_load *l, struct set_node *n, const struct ks_group_conf *g)
{
	if (g->kek.lkh_degree)
		settings_complain(l->s, n, "rekey",
				  "group \"%s\": a key tree (management = \"lkh\") belongs to one "
				  "key server; \"none\" is right where several serve the group",
				  g->name);
	if (g->sid_bits < 12)
		ks_conf_warn(l, settings_line(n),
			     "group \"%s\": sid_bits = %u leaves %u sender ids to each of up to 16 "
			     "key servers; 24 is right for any size",
			     g->name, g->sid_bits, 1u << (g->sid_bits - 4));
}

void ks_conf_set_group(struct ks_load *l, struct set_node *n, struct ks_group_conf *g,
		       uint32_t priority)
{
	const char text[] = "Conclave " CONCLAVE_VERSION;

	_Static_assert(sizeof(text) - 1 <= COOP_TEXT_MAX, "fits OPEN");
	if (!g->in_set || !g->policy)
		return;
	judge_set(l, n, g);
	coop_settings_core(l->conf->coop, &g->set);
	if (priority != KS_CONF_PRIORITY_OF_COOP)
		g->set.priority = (uint8_t)priority;
	g->set.group = g->identity;
	g->set.sid_bits = g->sid_bits;
	g->set.text_len = sizeof(text) - 1;
	memcpy(g->set.text, text, sizeof(text) - 1);
	conf_digest(g, g->set.digest);
}

// ---- whom members reach ----

static void print_deny(struct ks_load *l, unsigned line, const char *addr, bool from,
		       const char *port)
{
	char at[40] = "";

	if (port)
		snprintf(at, sizeof(at), " %s_port = \"%s\";", from ? "source" : "destination",
			 port);
	ks_conf_warn(l, line,
		     "  { action = \"deny\"; protocol = \"%s\"; source = \"%s\";%s destination = "
		     "\"%s\";%s },",
		     port ? "udp" : "ip", from ? addr : "any", from ? at : "", from ? "any" : addr,
		     from ? "" : at);
}

static void print_denies(struct ks_load *l, const struct reach_hit *hit, const char *addr)
{
	static const char *const ports[] = { NULL, "848", "4500" };

	for (size_t i = 0; i < N_ELEMS(ports); i++) {
		if (hit->from)
			print_deny(l, hit->line, addr, true, ports[i]);
		if (hit->to)
			print_deny(l, hit->line, addr, false, ports[i]);
	}
}

// What two key servers tell each other is protected anyway.
static void print_between(struct ks_load *l, unsigned line, const char *a, const char *b)
{
	ks_conf_warn(l, line,
		     "  { action = \"deny\"; protocol = \"ip\"; source = \"%s\"; destination = "
		     "\"%s\"; },",
		     a, b);
}

static void judge_own(struct ks_load *l, const struct ks_group_conf *g)
{
	char addr[ADDR_STRLEN];
	struct reach_hit hit;

	if (!conf_reach_find(l->sa, l->n_sa, &l->conf->address, &hit))
		return;
	addr_str(&l->conf->address, addr);
	ks_conf_warn(
		l, hit.line,
		"this permit of group \"%s\" covers the key server's own address %s: members "
		"encrypt what they send to it, a ping too, and it cannot open that; before the "
		"permit belong the lines of \"ip\" below, or those of \"udp\" if all but GDOI "
		"is to be encrypted",
		g->name, addr);
	print_denies(l, &hit, addr);
}

static void judge_peer(struct ks_load *l, const struct ks_group_conf *g, const struct addr *peer)
{
	char addr[ADDR_STRLEN], own[ADDR_STRLEN];
	struct reach_hit hit;

	if (!conf_reach_find(l->sa, l->n_sa, peer, &hit))
		return;
	addr_str(peer, addr);
	addr_str(&l->conf->address, own);
	ks_conf_warn(
		l, hit.line,
		"this permit of group \"%s\" covers the address %s of another key server of the "
		"set: members encrypt what they send to it; before the permit belong the lines of "
		"\"ip\" below, or those of \"udp\" if all but GDOI is to be encrypted, and the "
		"last "
		"two in either case, lest a box that is member too encrypts what key servers tell "
		"each other",
		g->name, addr);
	print_denies(l, &hit, addr);
	print_between(l, hit.line, own, addr);
	print_between(l, hit.line, addr, own);
}

// With the lines that mend it, ready to be pasted before the permit.
void ks_conf_judge_reach(struct ks_load *l, const struct ks_group_conf *g)
{
	if (!g->policy)
		return;
	judge_own(l, g);
	for (size_t i = 0; g->in_set && i < l->conf->coop->link.n_peers; i++)
		judge_peer(l, g, &l->conf->coop->link.peer[i].addr);
}
