// What an operator sees of a group's set: who leads, who is heard, how the configurations agree.
#include "ks/show.h"

static const char *role_name(enum coop_role r)
{
	static const char *const name[] = {
		[COOP_STARTING] = "Starting",
		[COOP_SECONDARY] = "Secondary",
		[COOP_CLAIMING] = "Claiming",
		[COOP_PRIMARY] = "Primary",
	};

	return name[r];
}

static const char *peer_role(const struct coop_peer *p)
{
	return p->heard.ms && p->role <= COOP_PRIMARY ? role_name((enum coop_role)p->role)
						      : "Unknown";
}

// Alive: heard both ways. Unknown: never heard.
static const char *peer_status(const struct coop_peer *p)
{
	if (p->refused)
		return "Refused";
	if (p->alive)
		return "Alive";
	return p->heard.ms ? "Dead" : "Unknown";
}

static const char *link_status(const struct coop_peer *p)
{
	return p->opened ? "Established" : p->link ? "In Progress" : "Down";
}

// The term in force: ours where we lead or are about to, that of who leads elsewhere.
static uint64_t term_of(const struct coop *c)
{
	return c->term ? c->term : c->lead.id == COOP_NOBODY ? 0 : c->lead.term;
}

static const char *drift_text(bool differs)
{
	return differs ? "Differs" : "Same";
}

// That of the KEK in force, or what the configuration wants in its place.
static const char *signing_text(const struct ks_group *g)
{
	const struct ks_sharing *s = &g->shared->sharing;

	return s->unable ? s->unable : s->n ? "Held" : "None Yet";
}

static const struct addr *leader(const struct coop *c)
{
	if (c->role == COOP_PRIMARY)
		return &c->conf.addr;
	return c->lead.id == COOP_NOBODY ? NULL : &c->lead.addr;
}

// ---- text ----

static void peer_text(const struct coop_peer *p, size_t n, mono_t now, struct ctl_text *t)
{
	char addr[ADDR_STRLEN];

	ctl_text_add(t, "        Session %zu:\n", n);
	ctl_text_add(t, "                Peer Address: %s\n", addr_str(&p->addr, addr));
	ctl_text_add(t, "                Peer Id: %u, Peer Priority: %u\n", p->id, p->priority);
	ctl_text_add(t, "                Peer KS Role: %-9s, Peer KS Status: %s\n", peer_role(p),
		     peer_status(p));
	if (p->heard.ms)
		ctl_text_add(t, "                Last Heard: %lld msec ago\n",
			     (long long)(now.ms - p->heard.ms));
	ctl_text_add(t, "                Configuration: %s\n\n", drift_text(p->drift));
	ctl_text_add(t, "                Channel status: %s\n", link_status(p));
	ctl_text_add(t, "                Counters:\n");
	ctl_text_add(t, "                    Messages sent: %llu\n",
		     (unsigned long long)p->msgs_out);
	ctl_text_add(t, "                    Messages recv: %llu\n",
		     (unsigned long long)p->msgs_in);
	ctl_text_add(t, "                    Packet Recv drops: %llu\n",
		     (unsigned long long)p->drops);
	ctl_text_add(t, "                    Total bytes sent: %llu\n",
		     (unsigned long long)p->octets_out);
	ctl_text_add(t, "                    Total bytes recv: %llu\n",
		     (unsigned long long)p->octets_in);
}

static void group_text(const struct ks_group *g, mono_t now, struct ctl_text *t)
{
	const struct coop *c = &g->shared->coop;
	char addr[ADDR_STRLEN];

	ctl_text_add(t, "        Local Address: %s\n", addr_str(&c->conf.addr, addr));
	ctl_text_add(t, "        Local Id: %u, Local Priority: %u\n", c->conf.id, c->conf.priority);
	ctl_text_add(t, "        Local KS Role: %-9s, Local KS Status: Alive\n",
		     role_name(c->role));
	ctl_text_add(t, "        Term: %llu, Highest Term Heard Of: %llu\n",
		     (unsigned long long)term_of(c), (unsigned long long)c->max_term);
	ctl_text_add(t, "        Primary: %s, Epoch: %u\n",
		     leader(c) ? addr_str(leader(c), addr) : "None", coop_epoch(c));
	ctl_text_add(t, "        Signing Key: %s\n", signing_text(g));
	ctl_text_add(t, "        Configuration: %s%s\n", drift_text(c->drift),
		     c->conf.maintenance ? ", Maintenance Mode" : "");
	ctl_text_add(t, "        Hello Time: %u msec, Dead After: %u missed\n", c->conf.hello_ms,
		     c->conf.dead_hellos);
	ctl_text_add(t, "        Split Policy: %s\n",
		     c->conf.split == COOP_MAJORITY ? "Majority" : "Continue");
	ctl_text_add(t, "        Items: %zu\n", c->store.n);
	ctl_text_add(t, "        Peer Sessions:\n");
	for (size_t i = 0; i < c->conf.n_peers; i++)
		peer_text(&c->peer[i], i + 1, now, t);
}

void ks_show_coop(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

		ctl_text_add(t, "Crypto Gdoi Group Name :%s\n", g->name);
		if (g->shared)
			group_text(g, now, t);
		else
			ctl_text_add(t, "        *NO* redundancy configured for this group\n");
		ctl_text_add(t, "\n");
	}
}

// ---- JSON ----

static json_t *peer_json(const struct coop_peer *p, mono_t now)
{
	char addr[ADDR_STRLEN];

	return json_pack("{s:s, s:i, s:i, s:s, s:s, s:o, s:b, s:s, s:I, s:I, s:I, s:I, s:I}",
			 "address", addr_str(&p->addr, addr), "id", p->id, "priority", p->priority,
			 "role", peer_role(p), "status", peer_status(p), "heard_ms",
			 p->heard.ms ? json_integer(now.ms - p->heard.ms) : json_null(), "drift",
			 p->drift, "channel", link_status(p), "messages_sent",
			 (json_int_t)p->msgs_out, "messages_received", (json_int_t)p->msgs_in,
			 "drops", (json_int_t)p->drops, "bytes_sent", (json_int_t)p->octets_out,
			 "bytes_received", (json_int_t)p->octets_in);
}

static json_t *group_json(const struct ks_group *g, mono_t now)
{
	const struct coop *c = &g->shared->coop;
	json_t *peers = json_array();
	char addr[ADDR_STRLEN], lead[ADDR_STRLEN];

	for (size_t i = 0; i < c->conf.n_peers; i++)
		json_array_append_new(peers, peer_json(&c->peer[i], now));
	return json_pack(
		"{s:s, s:I, s:s, s:i, s:i, s:s, s:I, s:I, s:s?, s:I, s:s, s:b, s:b, s:I, "
		"s:I, s:s, s:I, s:o}",
		"name", g->name, "identity", (json_int_t)g->identity, "address",
		addr_str(&c->conf.addr, addr), "id", c->conf.id, "priority", c->conf.priority,
		"role", role_name(c->role), "term", (json_int_t)term_of(c), "highest_term",
		(json_int_t)c->max_term, "primary", leader(c) ? addr_str(leader(c), lead) : NULL,
		"epoch", (json_int_t)coop_epoch(c), "signing_key", signing_text(g), "drift",
		c->drift, "maintenance", c->conf.maintenance, "hello_ms",
		(json_int_t)c->conf.hello_ms, "dead_hellos", (json_int_t)c->conf.dead_hellos,
		"split_policy", c->conf.split == COOP_MAJORITY ? "majority" : "continue", "items",
		(json_int_t)c->store.n, "peers", peers);
}

// Only groups that several key servers serve.
json_t *ks_show_coop_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *groups = json_array();

	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++) {
		if (ks->group[i]->shared)
			json_array_append_new(groups, group_json(ks->group[i], now));
	}
	return json_pack("{s:o}", "groups", groups);
}
