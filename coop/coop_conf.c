#include "coop/coop_conf.h"

#include "common/ike/auth.h"
#include "coop/coop_key.h"
#include "coop/wire.h"

#define PATH_LEN 512

// Handed to each(): its first member.
struct load {
	struct coop_settings *out;
	const struct coop_about *about;
};

struct coop_in {
	struct load *l;
	struct coop_settings c;
	int split;
	uint16_t port, hello_port;
	char key_file[PATH_LEN];
};

struct peer_in {
	struct link_peer_conf p;
};

static const struct set_choice splits[] = { { "continue", 0 }, { "majority", 1 }, { NULL, 0 } };

// ---- peers ----

static void read_name(struct settings *s, struct set_node *n, void *out)
{
	struct link_peer_conf *p = &((struct peer_in *)out)->p;
	const char *text = settings_text(s, n), *why;

	if (!text)
		return;
	if (id_pattern_parse(text, &p->name[p->n_names], &why))
		settings_complain(s, n, "names", "\"%s\": %s", text, why);
	else
		p->n_names++;
}

static const struct set_row peer_rows[] = {
	{ "address", SET_ADDR, offsetof(struct peer_in, p.addr), .required = true,
	  .help = "of the other key server" },
	{ "names", SET_EACH, .each = read_name, .min = 1, .max = LINK_NAMES,
	  .help = "with a trustpoint: what its certificate shows, like \"ks2.example.net\"; "
		  "absent: "
		  "the certificate has to name its address" },
};

// NULL: fine.
static const char *peer_wrong(const struct link_conf *l, const struct addr *own,
			      const struct addr *a)
{
	for (size_t i = 0; i < l->n_peers; i++) {
		if (addr_eq(&l->peer[i].addr, a))
			return "is there twice";
	}
	if (addr_eq(a, own))
		return "is our own address: peers are the others";
	if (a->family != own->family)
		return "is not of the family of ksd's address";
	return addr_is_multicast(a) ? "is the address of a group" : NULL;
}

static void read_peer(struct settings *s, struct set_node *n, void *out)
{
	struct load *l = *(struct load **)out;
	struct link_conf *link = &l->out->link;
	struct peer_in in = { 0 };
	unsigned before = settings_n_errors(s);
	char text[ADDR_STRLEN];
	const char *why;

	settings_group(s, n, peer_rows, N_ELEMS(peer_rows), &in);
	if (settings_n_errors(s) != before)
		return;
	why = peer_wrong(link, &l->about->addr, &in.p.addr);
	if (why)
		settings_complain(s, n, "address", "%s %s", addr_str(&in.p.addr, text), why);
	else
		link->peer[link->n_peers++] = in.p;
}

// ---- coop ----

#define IN(field) offsetof(struct coop_in, field)
static const struct set_row coop_rows[] = {
	{ "id", SET_U32, IN(c.id), .min = 0, .max = COOP_IDS - 1, .required = true,
	  .help = "0 to 15, another one for each key server of the set, for good" },
	{ "priority", SET_U32, IN(c.priority), .min = 0, .max = 255, .def = "1",
	  .help = "0 to 255: the highest leads, then the highest address" },
	{ "peers", SET_EACH, .each = read_peer, .min = 1, .max = LINK_PEERS, .required = true,
	  .help = "the other key servers" },
	{ "key_file", SET_STR, IN(key_file), .size = PATH_LEN, .def = "",
	  .help = "key that all of the set share, made once by ksd --coop-key FILE" },
	{ "trustpoint", SET_STR, IN(c.trustpoint), .size = COOP_TRUSTPOINT_LEN, .def = "",
	  .help = "instead of key_file: certificates of this trustpoint" },
	{ "port", SET_U16, IN(port), .min = 1, .max = 65535, .def = "848",
	  .help = "TCP port of all of the set" },
	{ "hello_port", SET_U16, IN(hello_port), .min = 1, .max = 65535, .def = "849",
	  .help = "UDP port of all of the set, for hellos" },
	{ "hello_ms", SET_U32, IN(c.hello_ms), .min = 100, .max = 20000, .def = "1000",
	  .help = "milliseconds between hellos, 100 to 20000" },
	{ "dead_hellos", SET_U32, IN(c.dead_hellos), .min = 2, .max = 10, .def = "3",
	  .help = "hellos missed until a peer counts as dead, 2 to 10" },
	{ "start_ms", SET_U32, IN(c.start_ms), .min = 500, .max = 120000, .def = "5000",
	  .help = "milliseconds that a starting key server looks for the others" },
	{ "commit_ms", SET_U32, IN(c.commit_ms), .min = 100, .max = 60000, .def = "2000",
	  .help = "milliseconds that new keys wait to be safe at live peers too" },
	{ "split_policy", SET_CHOICE, IN(split), .choices = splits, .def = "continue",
	  .help = "whether a part without a majority makes keys when the set falls apart" },
	{ "preempt", SET_BOOL, IN(c.preempt), .def = "false",
	  .help = "take the lead from one of lower priority" },
	{ "preempt_hold", SET_U32, IN(c.preempt_hold_s), .min = 0, .max = 86400, .def = "60",
	  .help = "seconds to be well before that" },
	{ "maintenance", SET_BOOL, IN(c.maintenance), .def = "false",
	  .help = "never lead; hand over when leading" },
};

static const struct ike_trustpoint *trustpoint_find(const struct ike_pki *pki, const char *name)
{
	for (size_t i = 0; pki && i < pki->n; i++) {
		if (strcmp(pki->tp[i].name, name) == 0)
			return &pki->tp[i];
	}
	return NULL;
}

static void read_key(struct settings *s, struct set_node *n, const char *file,
		     struct coop_settings *out)
{
	char path[PATH_LEN];
	const char *why = "name too long";

	if (!settings_beside(s, file, path, sizeof(path)) || coop_key_read(path, &out->key, &why))
		settings_complain(s, n, "key_file", "%s: %s", file, why);
}

static void judge_proof(struct settings *s, struct set_node *n, const struct coop_in *in,
			const struct ike_pki *pki, struct coop_settings *out)
{
	const struct ike_trustpoint *tp;

	if ((in->key_file[0] != '\0') == (in->c.trustpoint[0] != '\0')) {
		settings_complain(s, n, "key_file", "either key_file or trustpoint is wanted");
		return;
	}
	if (in->key_file[0]) {
		read_key(s, n, in->key_file, out);
		for (size_t i = 0; i < out->link.n_peers; i++) {
			if (out->link.peer[i].n_names > 0)
				settings_complain(s, n, "names",
						  "are of certificates; with key_file there are "
						  "none");
		}
		return;
	}
	tp = trustpoint_find(pki, in->c.trustpoint);
	if (!tp)
		settings_complain(s, n, "trustpoint", "\"%s\" is not one of trustpoints",
				  in->c.trustpoint);
	else if (!tp->signer && !tp->enrol.set)
		settings_complain(s, n, "trustpoint",
				  "\"%s\" has no certificate of our own to show", in->c.trustpoint);
}

static void judge_ports(struct settings *s, struct set_node *n, const struct coop_about *about,
			uint16_t hello_port)
{
	for (size_t i = 0; i < N_ELEMS(about->udp_port); i++) {
		if (about->udp_port[i] && about->udp_port[i] == hello_port)
			settings_complain(s, n, "hello_port", "%u is where members talk to us",
					  hello_port);
	}
}

void coop_settings_read(struct settings *s, struct set_node *n, const struct coop_about *about,
			struct coop_settings *out)
{
	struct load l = { out, about };
	struct coop_in in = { .l = &l };
	unsigned before = settings_n_errors(s);

	*out = (struct coop_settings){ 0 };
	settings_group(s, n, coop_rows, N_ELEMS(coop_rows), &in);
	in.c.link = out->link; // peers went there
	*out = in.c;
	if (settings_n_errors(s) != before)
		return;
	out->majority = in.split == 1;
	out->link.addr = about->addr;
	out->link.port = in.port;
	out->link.hello_port = in.hello_port;
	judge_ports(s, n, about, in.hello_port);
	judge_proof(s, n, &in, about->pki, out);
}

void coop_settings_fini(struct coop_settings *c)
{
	secret_fini(&c->key);
}

void coop_settings_describe(FILE *to)
{
	settings_describe(to, "coop: { … }", coop_rows, N_ELEMS(coop_rows));
	settings_describe(to, "coop.peers = ( { … } )", peer_rows, N_ELEMS(peer_rows));
}

void coop_settings_core(const struct coop_settings *c, struct coop_conf *out)
{
	_Static_assert(LINK_PEERS == COOP_PEERS, "a stream for each peer");
	*out = (struct coop_conf){
		.id = (uint8_t)c->id,
		.priority = (uint8_t)c->priority,
		.addr = c->link.addr,
		.split = c->majority ? COOP_MAJORITY : COOP_CONTINUE,
		.preempt = c->preempt,
		.maintenance = c->maintenance,
		.hello_ms = c->hello_ms,
		.dead_hellos = c->dead_hellos,
		.start_ms = c->start_ms,
		.commit_ms = c->commit_ms,
		.preempt_hold_ms = c->preempt_hold_s * 1000,
		.n_peers = c->link.n_peers,
	};
	for (size_t i = 0; i < c->link.n_peers; i++)
		out->peer[i] = c->link.peer[i].addr;
}

int coop_settings_creds(const struct coop_settings *c, const struct ike_pki *pki,
			struct tls_creds **out)
{
	const struct ike_trustpoint *tp;

	*out = NULL;
	if (c->key.len > 0)
		return tls_creds_key(&c->key, out);
	tp = trustpoint_find(pki, c->trustpoint);
	if (!tp || !tp->signer)
		return -ENOENT;
	return tls_creds_cert(tp->signer, tp->label, tp->own, tp->n_own, tp->trust, out);
}
