#include "ks/show.h"

// Versions as IOS counts them: of what carries, and of each kind of content.
#define INFRA_VERSION "1.0.0"
static const struct {
	const char *client, *version;
} clients[] = {
	{ "KS_POLICY_CLIENT", "1.0.0" },
	{ "GROUP_MEMBER_CLIENT", "1.0.0" },
	{ "SID_CLIENT", "1.0.0" },
	{ "SIGNING_KEY_CLIENT", "1.0.0" },
};

static const char *version_of(const struct coop_peer *p, char buf[8])
{
	if (p->version == 0)
		return "unknown";
	snprintf(buf, 8, "%u", p->version);
	return buf;
}

void ks_show_coop_version(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	char addr[ADDR_STRLEN], version[8];

	(void)now;
	(void)word;
	ctl_text_add(t, "Cooperative key server infra Version : %s\n", INFRA_VERSION);
	for (size_t i = 0; i < N_ELEMS(clients); i++)
		ctl_text_add(t, " Client : %s Version : %s\n", clients[i].client,
			     clients[i].version);
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_shared *s = ks->group[i]->shared;

		if (!s)
			continue;
		ctl_text_add(t, "Group %s : protocol version %u (%s)\n", ks->group[i]->name,
			     COOP_VERSION, s->coop.conf.text);
		for (size_t k = 0; k < s->coop.conf.n_peers; k++) {
			const struct coop_peer *p = &s->coop.peer[k];

			ctl_text_add(t, "  Peer %s : protocol version %s%s%s%s\n",
				     addr_str(&p->addr, addr), version_of(p, version),
				     p->text[0] ? " (" : "", p->text, p->text[0] ? ")" : "");
		}
	}
}

static json_t *peers_json(const struct coop *c)
{
	json_t *list = json_array();
	char addr[ADDR_STRLEN];

	for (size_t k = 0; k < c->conf.n_peers; k++) {
		const struct coop_peer *p = &c->peer[k];

		json_array_append_new(list,
				      json_pack("{s:s, s:o, s:s}", "address",
						addr_str(&p->addr, addr), "version",
						p->version ? json_integer(p->version) : json_null(),
						"software", p->text));
	}
	return list;
}

json_t *ks_show_coop_version_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *groups = json_array();

	(void)now;
	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

		if (g->shared)
			json_array_append_new(groups, json_pack("{s:s, s:i, s:o}", "name", g->name,
								"version", COOP_VERSION, "peers",
								peers_json(&g->shared->coop)));
	}
	return json_pack("{s:s, s:o}", "infra", INFRA_VERSION, "groups", groups);
}

// ---- whose member ----

bool ks_show_is_local(const struct ks_group *g, const struct member *m)
{
	return !g->shared || m->home == g->shared->coop.conf.id;
}

const char *ks_show_home(const struct ks_group *g, const struct member *m, char buf[ADDR_STRLEN])
{
	if (ks_show_is_local(g, m))
		return addr_str(&m->local.addr, buf);
	for (size_t i = 0; i < g->shared->coop.conf.n_peers; i++) {
		const struct coop_peer *p = &g->shared->coop.peer[i];

		if (p->id == m->home)
			return addr_str(&p->addr, buf);
	}
	snprintf(buf, ADDR_STRLEN, "unknown");
	return buf;
}
