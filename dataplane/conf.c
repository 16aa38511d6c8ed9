#include "dataplane/conf.h"

#include "common/ctl/settings.h"
#include "dataplane/own.h"

static const struct set_choice roles[] = {
	{ "clear", PORT_CLEAR },
	{ "protected", PORT_PROTECTED },
	{ 0 },
};

static const struct set_row port_rows[] = {
	{ .word = "name",
	  .type = SET_STR,
	  .offset = offsetof(struct port_conf, name),
	  .size = sizeof(((struct port_conf *)0)->name),
	  .required = true,
	  .help = "name of the port in logs" },
	{ .word = "device",
	  .type = SET_STR,
	  .offset = offsetof(struct port_conf, device),
	  .size = sizeof(((struct port_conf *)0)->device),
	  .required = true,
	  .help = "PCI address, or DPDK virtual device: \"net_af_packet0,iface=eth1\"" },
	{ .word = "tap",
	  .type = SET_STR,
	  .offset = offsetof(struct port_conf, tap),
	  .size = sizeof(((struct port_conf *)0)->tap),
	  .required = true,
	  .help = "name of the kernel's twin of the port, which carries its addresses" },
	{ .word = "role",
	  .type = SET_CHOICE,
	  .offset = offsetof(struct port_conf, role),
	  .choices = roles,
	  .required = true,
	  .help = "clear: trusted side; protected: the policy applies in both directions" },
	{ .word = "mtu",
	  .type = SET_U16,
	  .offset = offsetof(struct port_conf, mtu),
	  .min = 576,
	  .max = 9000,
	  .def = "1500",
	  .help = "longest IP packet, 576 to 9000" },
};

static void one_core(struct settings *s, struct set_node *n, void *out)
{
	struct conf *c = out;
	int64_t core;

	if (c->n_cores < ESPD_MAX_WORKERS && settings_number(s, n, 0, 1023, &core))
		c->cores[c->n_cores++] = (uint16_t)core;
}

static void one_own(struct settings *s, struct set_node *n, void *out)
{
	const char *name = settings_text(s, n);
	struct conf *c = out;
	char names[256];

	if (!name)
		return;
	c->own |= own_rows(name);
	c->own_given = true;
	own_names(names, sizeof(names));
	if (own_rows(name) == 0 && strcmp(name, "none") != 0)
		settings_complain(s, n, "own", "'%s' is not known; known are: none, %s", name,
				  names);
}

static const struct set_row espd_rows[] = {
	{ .word = "control",
	  .type = SET_STR,
	  .offset = offsetof(struct conf, control),
	  .size = sizeof(((struct conf *)0)->control),
	  .def = "/run/conclave/espd.sock",
	  .help = "socket where gmd programs keys and policy" },
	{ .word = "user",
	  .type = SET_STR,
	  .offset = offsetof(struct conf, user),
	  .size = sizeof(((struct conf *)0)->user),
	  .def = "",
	  .help = "user who may connect there, besides root and the one espd runs as" },
	{ .word = "idle_us",
	  .type = SET_U32,
	  .offset = offsetof(struct conf, idle_us),
	  .max = 100000,
	  .def = "100",
	  .help = "rest of an idle worker, microseconds; 0 polls without rest" },
	{ .word = "idle_max_us",
	  .type = SET_U32,
	  .offset = offsetof(struct conf, idle_max_us),
	  .max = 100000,
	  .def = "1000",
	  .help = "the same after 100 ms without a packet" },
	{ .word = "cores",
	  .type = SET_EACH,
	  .max = ESPD_MAX_WORKERS,
	  .each = one_core,
	  .help = "CPUs, one worker on each: [ 2, 3 ]; without: one worker, on any CPU" },
	{ .word = "hugepages",
	  .type = SET_BOOL,
	  .offset = offsetof(struct conf, hugepages),
	  .def = "false",
	  .help = "packet memory in hugepages (must be reserved before)" },
	{ .word = "memory_mb",
	  .type = SET_U32,
	  .offset = offsetof(struct conf, memory_mb),
	  .min = 96,
	  .max = 65536,
	  .def = "160",
	  .help = "memory of packets and tables, 96 to 65536" },
	{ .word = "routes",
	  .type = SET_U32,
	  .offset = offsetof(struct conf, routes),
	  .min = 64,
	  .max = 2000000,
	  .def = "65536",
	  .help = "room for IPv4 routes" },
	{ .word = "replay_senders",
	  .type = SET_U32,
	  .offset = offsetof(struct conf, replay_senders),
	  .min = 16,
	  .max = 1000000,
	  .def = "4096",
	  .help = "anti-replay: senders that each SA has room for (per worker, about 50 octets "
		  "each where heard); others pass unchecked and are counted" },
	{ .word = "fail_close",
	  .type = SET_BOOL,
	  .offset = offsetof(struct conf, fail_close),
	  .def = "true",
	  .help = "forward nothing through protected ports before gmd's first word, or where no "
		  "group applies; false: in clear, also whenever espd starts anew" },
	{ .word = "own",
	  .type = SET_EACH,
	  .max = 32,
	  .each = one_own,
	  .help = "protocols of the box itself that policy must not catch: "
		  "[ \"ospf\", \"bgp\" ] or [ \"none\" ]; absent: all that espd knows" },
};

static void espd_group(struct settings *s, struct set_node *n, void *out)
{
	settings_group(s, n, espd_rows, N_ELEMS(espd_rows), out);
}

static void one_port(struct settings *s, struct set_node *n, void *out)
{
	struct conf *c = out;
	struct port_conf *p = &c->ports[c->n_ports];

	settings_group(s, n, port_rows, N_ELEMS(port_rows), p);
	for (unsigned i = 0; i < c->n_ports; i++) {
		if (p->name[0] && strcmp(c->ports[i].name, p->name) == 0)
			settings_complain(s, n, "name", "two ports are named '%s'", p->name);
		if (p->tap[0] && strcmp(c->ports[i].tap, p->tap) == 0)
			settings_complain(s, n, "tap", "two ports have the TAP '%s'", p->tap);
	}
	c->n_ports++;
}

static const struct set_row root_rows[] = {
	{ .word = "espd",
	  .type = SET_GROUP,
	  .each = espd_group,
	  .required = true,
	  .help = "espd: { … }" },
	{ .word = "ports",
	  .type = SET_EACH,
	  .min = 2,
	  .max = ESPD_MAX_PORTS,
	  .each = one_port,
	  .required = true,
	  .help = "ports = ( { … }, { … } );" },
};

static void to_stderr(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

int conf_read(const char *path, struct conf *out)
{
	struct settings *s = settings_open(path, to_stderr, NULL);
	unsigned n;

	*out = (struct conf){ 0 };
	if (!s)
		return -EINVAL;
	settings_group(s, settings_root(s), root_rows, N_ELEMS(root_rows), out);
	if (!out->own_given)
		out->own = OWN_ALL;
	if (out->idle_max_us < out->idle_us)
		out->idle_max_us = out->idle_us;
	n = settings_n_errors(s);
	settings_close(s);
	return n ? -EINVAL : 0;
}

void conf_describe(FILE *to)
{
	settings_describe(to, "file", root_rows, N_ELEMS(root_rows));
	settings_describe(to, "espd", espd_rows, N_ELEMS(espd_rows));
	settings_describe(to, "ports", port_rows, N_ELEMS(port_rows));
}
