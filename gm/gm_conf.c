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

static void each_interface(struct settings *s, struct set_node *n, void *out);
static void read_fail_close(struct settings *s, struct set_node *n, void *out);

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
	{ "interfaces", SET_EACH, .min = 1, .max = DP_MAX_PORTS, .each = each_interface,
	  .help = "ports of espd where the group applies, like \"wan0\"; absent: all protected "
		  "ones" },
	{ "table", SET_U32, OG(table), .min = 0, .max = 0, .def = "0",
	  .help = "routing table of the group: espd forwards by the main one only, 0" },
	{ "fail_close", SET_GROUP, .each = read_fail_close,
	  .help = "what passes before the first registration; absent: nothing" },
	{ "passive", SET_BOOL, OG(passive), .def = "false",
	  .help = "accept in clear what the policy protects, send it protected: for migration" },
	{ "recovery_check_interval", SET_U32, OG(recovery_s), .max = 86400, .def = "300",
	  .help = "seconds: register again when traffic comes under SPIs unknown here, at most "
		  "once in this time; 100 or more, 0: never" },
	{ "return_to_first", SET_BOOL, OG(return_to_first), .def = "false",
	  .help = "try to register with the first of servers again while with another" },
	{ "return_hold", SET_U32, OG(return_hold_s), .min = 10, .max = 86400, .def = "300",
	  .help = "seconds to wait before that; doubles while the first does not answer" },
	{ "accept_sha1", SET_BOOL, OG(accept_sha1), .def = "false",
	  .help = "accept rekeys signed over SHA-1, for key servers that know no better" },
};

#define OFC(field) offsetof(struct gm_conf_fail_close, field)
static const struct set_row fail_close_rows[] = {
	{ "activate", SET_BOOL, OFC(activate), .def = "true",
	  .help = "drop what other groups do not decide; false: let it pass in clear" },
	{ "match_address", SET_STR, OFC(match_address), .size = ACL_CONF_NAME_LEN, .def = "",
	  .help = "access list of deny lines: these pass in clear" },
	{ "revert", SET_BOOL, OFC(revert), .def = "false",
	  .help = "the same once all keys have ended and no key server gives new ones" },
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
	ike_settings_nat(s, n, c->port, c->nat_traversal, &c->nat_port);
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

static void each_interface(struct settings *s, struct set_node *n, void *out)
{
	struct gm_conf_group *g = out;
	const char *name = settings_text(s, n);

	if (!name)
		return;
	if (strlen(name) >= DP_PORT_LEN)
		settings_complain(s, n, "interfaces", "\"%s\" is too long for a port's name", name);
	else if (gm_conf_has_interface(g, name))
		settings_complain(s, n, "interfaces", "\"%s\" is there twice", name);
	else
		snprintf(g->interface[g->n_interfaces++], DP_PORT_LEN, "%s", name);
}

static void read_fail_close(struct settings *s, struct set_node *n, void *out)
{
	struct gm_conf_group *g = out;

	settings_group(s, n, fail_close_rows, N_ELEMS(fail_close_rows), &g->fail_close);
}

// A list of the member's own may only name what passes in clear.
static void check_acl(struct settings *s, struct set_node *n, const struct gm_conf *c,
		      const char *word, const char *name)
{
	const struct acl_conf *a = acl_conf_find(&c->acls, name);

	if (name[0] == '\0')
		return;
	if (!a) {
		settings_complain(s, n, word, "there is no access list \"%s\" in acls", name);
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (a->lines[i].acl.permit)
			settings_complain(s, n, word,
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

	g->fail_close.activate = true;
	settings_group(s, n, group_rows, N_ELEMS(group_rows), g);
	check_acl(s, n, c, "local_acl", g->local_acl);
	check_acl(s, n, c, "match_address", g->fail_close.match_address);
	if (g->recovery_s > 0 && g->recovery_s < GM_RECOVERY_MIN_S)
		settings_complain(s, n, "recovery_check_interval", "%u is less than %d seconds",
				  g->recovery_s, GM_RECOVERY_MIN_S);
	check_servers(s, n, c, g);
	for (size_t i = 0; i < c->n_groups; i++) {
		if (strcmp(c->group[i].name, g->name) == 0)
			settings_complain(s, n, "name", "\"%s\" is there twice", g->name);
	}
	c->n_groups++;
}

bool gm_conf_has_interface(const struct gm_conf_group *g, const char *name)
{
	for (size_t i = 0; i < g->n_interfaces; i++) {
		if (strcmp(g->interface[i], name) == 0)
			return true;
	}
	return false;
}

bool gm_conf_share_interface(const struct gm_conf_group *a, const struct gm_conf_group *b)
{
	bool share = a->n_interfaces == 0 || b->n_interfaces == 0;

	for (size_t i = 0; i < a->n_interfaces && !share; i++)
		share = gm_conf_has_interface(b, a->interface[i]);
	return share;
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
	settings_describe(to, "fail_close = { … }", fail_close_rows, N_ELEMS(fail_close_rows));
}
