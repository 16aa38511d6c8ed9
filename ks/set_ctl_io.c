#include "ks/set_ctl_io.h"

#include "coop/coop_conf.h"
#include "coop/link_io.h"
#include "ks/ks.h"

static void peer_text(const struct link_peer_conf *p, const struct link_io *link, size_t at,
		      struct ctl_text *t)
{
	const struct link_stats *s = link_io_stats(link, at);
	char addr[ADDR_STRLEN];

	ctl_text_add(t, "Peer %s, stream %s\n", addr_str(&p->addr, addr),
		     link_io_is_up(link, at) ? "up" : "down");
#define X(sym, name) ctl_text_add(t, "    %-24s : %llu\n", name, (unsigned long long)s->sym);
	LINK_COUNTERS(X)
#undef X
}

static json_t *peer_json(const struct link_peer_conf *p, const struct link_io *link, size_t at)
{
	const struct link_stats *s = link_io_stats(link, at);
	json_t *j = json_object();
	char addr[ADDR_STRLEN];

	json_object_set_new(j, "address", json_string(addr_str(&p->addr, addr)));
	json_object_set_new(j, "up", json_boolean(link_io_is_up(link, at)));
#define X(sym, name) json_object_set_new(j, name, json_integer((json_int_t)s->sym));
	LINK_COUNTERS(X)
#undef X
	return j;
}

static json_t *all_json(const struct ks *ks, const struct link_io *link)
{
	json_t *peers = json_array();

	for (size_t i = 0; link && i < ks->conf->coop->link.n_peers; i++)
		json_array_append_new(peers, peer_json(&ks->conf->coop->link.peer[i], link, i));
	return json_pack("{s:I, s:o}", "strangers",
			 link ? (json_int_t)link_io_strangers(link) : (json_int_t)0, "peers",
			 peers);
}

void ks_set_ctl_counters(struct ctl_req *req, const struct ks *ks, const struct link_io *link)
{
	struct ctl_text t = { 0 };

	if (ctl_req_json(req)) {
		ctl_reply_json(req, all_json(ks, link));
		return;
	}
	if (!link)
		ctl_text_add(&t, "*NO* redundancy configured\n");
	for (size_t i = 0; link && i < ks->conf->coop->link.n_peers; i++)
		peer_text(&ks->conf->coop->link.peer[i], link, i, &t);
	if (link)
		ctl_text_add(&t, "Calls and datagrams from no peer's address : %llu\n",
			     (unsigned long long)link_io_strangers(link));
	ctl_reply_text_take(req, &t);
}
