#include "gm/gm_conf.h"

#include "common/ike/pki_conf.h"

static void each_server(struct settings *s, struct set_node *n, void *out);
static void each_server_name(struct settings *s, struct set_node *n, void *out);
static void each_trustpoint(struct settings *s, struct set_node *n, void *out);
static void each_group(struct settings *s, struct set_node *n, void *out);
static void each_isakmp(struct settings *s, struct set_node *n, void *out);
static void each_psk(struct settings *s, struct set_node *n, void *out);
static void each_acl(struct settings *s, struct set_node *n, void *out);
static void read_wire(struct settings *s, struct set_node *n, void *out);
static void each_peer(struct settings *s, struct set_node *n, void *out);
static void read_dpd(struct settings *s, struct set_node *n, void *out);
static void read_gmd(struct settings *s, struct set_node *n, void *out);

#define OF(field) offsetof(struct gm_conf, field)
static const struct set_row gmd_rows[] = {
	{ "address", SET_ADDR, OF(address), .required = true,
	  .help = "own address: source of registrations and identity in phase 1" },
	{ "port", SET_U16, OF(port), .min = 1, .max = 65535, .def = "848",
	  .help = "UDP port of both sides" },
	{ "nat_traversal", SET_BOOL, OF(nat_traversal), .def = "true",
	  .help = "look for NATs on the way to key servers and pass them by nat_port" },
	{ "nat_port", SET_U16, OF(nat_port), .min = 1, .max = 65535, .def = "4500",
	  .help = "UDP port of both sides when there is a NAT" },
	{ "nat_keepalive", SET_U32, OF(nat_keepalive_s), .min = 0, .max = 3600, .def = "20",
	  .help = "seconds between the octets that keep the NAT's mapping open for rekeys; "
		  "0: none" },
	{ "control", SET_STR, OF(control), .size = GM_PATH_LEN, .def = "/run/conclave/gmd.sock",
	  .help = "control socket that gvsh asks" },
	{ "espd", SET_STR, OF(espd), .size = GM_PATH_LEN, .def = "/run/conclave/espd.sock",
	  .help = "socket of the dataplane" },
	{ "user", SET_STR, OF(user), .size = 33, .def = "",
	  .help = "user to become once sockets are open" },
};

#define OG(field) offsetof(struct gm_conf_group, field)
static const struct set_row group_rows[] = {
	{ "name", SET_STR, OG(name), .size = DP_NAME_LEN, .required = true,
	  .help = "name of the group" },
	{ "identity", SET_U32, OG(identity), .min = 0, .max = UINT32_MAX, .required = true,
	  .help = "identity number, the same on key server and members" },
	{ "servers", SET_EACH, .min = 1, .max = GM_MAX_SERVERS, .each = each_server,
	  .required = true, .help = "addresses of key servers, best first" },
	{ "server_names", SET_EACH, .max = GM_MAX_NAMES, .each = each_server_name,
	  .help = "names that a key server's certificate proves, like \"ks1.example.net\", "
		  "\"ou=keyserver\"; absent: its identity is its address" },
	{ "server_port", SET_U16, OG(server_port), .min = 1, .max = 65535,
	  .help = "UDP port of the key servers; absent: gmd.port" },
	{ "local_acl", SET_STR, OG(local_acl), .size = ACL_CONF_NAME_LEN, .def = "",
	  .help = "access list of deny lines, searched before the group's policy" },
	{ "send_doi1", SET_BOOL, OG(send_doi1), .def = "false",
	  .help = "phase 1 with DOI 1, for key servers that know no other (for one in peers: "
		  "wire.phase1_doi there)" },
};

static const struct set_row file_rows[] = {
	{ "gmd", SET_GROUP, .each = read_gmd, .required = true, .help = "the daemon itself" },
	{ "trustpoints", SET_EACH, .max = IKE_MAX_TRUSTPOINTS, .each = each_trustpoint,
	  .help = "CAs that are believed, own certificates" },
	{ "isakmp", SET_EACH, .min = 1, .max = IKE_MAX_PROPOSALS, .each = each_isakmp,
	  .required = true, .help = "phase 1 proposals, best first" },
	{ "psk", SET_EACH, .max = IKE_MAX_PSKS, .each = each_psk,
	  .help = "pre-shared keys by key server; wanted by isakmp entries that say pre-share" },
	{ "wire", SET_GROUP, .each = read_wire, .help = "other readings of the RFCs" },
	{ "peers", SET_EACH, .max = IKE_MAX_PEERS, .each = each_peer,
	  .help = "key servers with readings of their own" },
	{ "dpd", SET_GROUP, .each = read_dpd,
	  .help = "dead peer detection: phase 1 is kept up and its key server asked; absent: only "
		  "answered" },
	{ "acls", SET_EACH, .min = 0, .max = ACL_CONF_MAX, .each = each_acl,
	  .help = "access lists" },
	{ "groups", SET_EACH, .min = 1, .max = GM_MAX_GROUPS, .each = each_group, .required = true,
	  .help = "groups of which this box is a member" },
};

static void read_gmd(struct settings *s, struct set_node *n, void *out)
{
	struct gm_conf *c = out;

	settings_group(s, n, gmd_rows, N_ELEMS(gmd_rows), c);
	if (c->nat_port == c->port)
		settings_complain(s, n, "nat_port", "is the port without NAT too: 4500 is usual");
	if (!c->nat_traversal)
		c->nat_port = 0;
}

static void each_isakmp(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_isakmp(s, n, &((struct gm_conf *)out)->ike);
}

static void each_trustpoint(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_trustpoint(s, n, &((struct gm_conf *)out)->ike);
}

static void read_wire(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_wire(s, n, &((struct gm_conf *)out)->ike);
}

static void each_peer(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_peer(s, n, &((struct gm_conf *)out)->ike);
}

static void read_dpd(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_dpd(s, n, &((struct gm_conf *)out)->ike);
}

static void each_psk(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_psk(s, n, &((struct gm_conf *)out)->ike);
}

static void each_acl(struct settings *s, struct set_node *n, void *out)
{
	acl_conf_read(s, n, &((struct gm_conf *)out)->acls);
}

static void each_server(struct settings *s, struct set_node *n, void *out)
{
	struct gm_conf_group *g = out;
	const char *text = settings_text(s, n);
	struct addr a;

	if (!text)
		return;
	if (addr_parse(text, &a) < 0)
		settings_complain(s, n, "servers", "\"%s\" is not an IP address like \"10.0.0.1\"",
				  text);
	else if (gm_conf_is_server(g, &a))
		settings_complain(s, n, "servers", "%s is there twice", text);
	else
		g->server[g->n_servers++] = a;
}

static void each_server_name(struct settings *s, struct set_node *n, void *out)
{
	struct gm_conf_group *g = out;
	const char *text = settings_text(s, n), *why;

	if (text && id_pattern_parse(text, &g->server_name[g->n_server_names], &why))
		settings_complain(s, n, "server_names", "\"%s\": %s", text, why);
	else if (text)
		g->n_server_names++;
}

// ---- what one word alone cannot tell; the rows above it are read before ----

static void check_acl(struct settings *s, struct set_node *n, const struct gm_conf *c,
		      const struct gm_conf_group *g)
{
	const struct acl_conf *a = acl_conf_find(&c->acls, g->local_acl);

	if (g->local_acl[0] == '\0')
		return;
	if (!a) {
		settings_complain(s, n, "local_acl", "there is no access list \"%s\" in acls",
				  g->local_acl);
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (a->lines[i].acl.permit)
			settings_complain(s, n, "local_acl",
					  "\"%s\" has a permit on line %u; a member's own list may "
					  "only deny (what to protect is the key server's word)",
					  a->name, a->lines[i].line);
	}
}

static void check_servers(struct settings *s, struct set_node *n, struct gm_conf *c,
			  const struct gm_conf_group *g)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < g->n_servers; i++) {
		addr_str(&g->server[i], text);
		if (!ike_settings_has_sig_proposal(&c->ike) &&
		    !ike_settings_psk(&c->ike, &g->server[i]))
			settings_complain(s, n, "servers", "psk has no key for %s", text);
		if (g->server[i].family != c->address.family)
			settings_complain(s, n, "servers",
					  "%s is not of the same IP version as gmd.address", text);
		if (addr_eq(&g->server[i], &c->address))
			settings_complain(s, n, "servers", "%s is this member's own address", text);
	}
}

static void each_group(struct settings *s, struct set_node *n, void *out)
{
	struct gm_conf *c = out;
	struct gm_conf_group *g = &c->group[c->n_groups];

	settings_group(s, n, group_rows, N_ELEMS(group_rows), g);
	check_acl(s, n, c, g);
	check_servers(s, n, c, g);
	for (size_t i = 0; i < c->n_groups; i++) {
		if (strcmp(c->group[i].name, g->name) == 0)
			settings_complain(s, n, "name", "\"%s\" is there twice", g->name);
	}
	c->n_groups++;
}

bool gm_conf_is_server(const struct gm_conf_group *g, const struct addr *a)
{
	for (size_t i = 0; i < g->n_servers; i++) {
		if (addr_eq(&g->server[i], a))
			return true;
	}
	return false;
}

struct gm_conf *gm_conf_load(const char *path, settings_report *report, void *arg)
{
	struct settings *s = settings_open(path, report, arg);
	struct gm_conf *c = calloc(1, sizeof(*c));
	bool good;

	BUG_ON(!c);
	if (!s) {
		free(c);
		return NULL;
	}
	settings_group(s, settings_root(s), file_rows, N_ELEMS(file_rows), c);
	good = settings_n_errors(s) == 0;
	settings_close(s);
	if (good)
		return c;
	gm_conf_free(c);
	return NULL;
}

void gm_conf_free(struct gm_conf *c)
{
	if (!c)
		return;
	ike_settings_fini(&c->ike);
	acl_conf_fini(&c->acls);
	free(c);
}

void gm_conf_describe(FILE *to)
{
	settings_describe(to, "gmd", gmd_rows, N_ELEMS(gmd_rows));
	ike_settings_describe(to);
	acl_conf_describe(to);
	settings_describe(to, "groups = ( { … } )", group_rows, N_ELEMS(group_rows));
}
