#include "common/ctl/acl_conf.h"

#include <string.h>

struct line_in {
	int action;
	uint8_t proto;
	struct prefix src, dst;
	char sport[16], dport[16];
};

static const struct set_choice actions[] = { { "deny", 0 }, { "permit", 1 }, { NULL, 0 } };

#define IN(field) offsetof(struct line_in, field)
static const struct set_row line_rows[] = {
	{ "action", SET_CHOICE, IN(action), .choices = actions, .required = true,
	  .help = "deny passes in clear, permit protects" },
	{ "protocol", SET_PROTO, IN(proto), .def = "ip", .help = "\"ip\", \"tcp\" … or number" },
	{ "source", SET_PREFIX, IN(src), .required = true, .help = "\"10.1.0.0/16\" or \"any\"" },
	{ "source_port", SET_STR, IN(sport), .size = sizeof(((struct line_in *)0)->sport),
	  .def = "", .help = "\"848\" or \"1024-2047\"; absent: any" },
	{ "destination", SET_PREFIX, IN(dst), .required = true, .help = "as source" },
	{ "destination_port", SET_STR, IN(dport), .size = sizeof(((struct line_in *)0)->dport),
	  .def = "", .help = "as source_port" },
};

static bool port_number(const char **p, uint16_t *out)
{
	unsigned v = 0;
	const char *from = *p;

	for (; **p >= '0' && **p <= '9' && v <= 65535; (*p)++)
		v = v * 10 + (unsigned)(**p - '0');
	*out = (uint16_t)v;
	return *p != from && v <= 65535;
}

static bool ports_parse(const char *text, struct flow_side *side)
{
	if (*text == '\0')
		return true;
	if (!port_number(&text, &side->port_lo))
		return false;
	side->port_hi = side->port_lo;
	if (*text == '-' && (text++, !port_number(&text, &side->port_hi)))
		return false;
	return *text == '\0' && side->port_lo <= side->port_hi;
}

static bool has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 132;
}

static void line_judge(struct settings *s, struct set_node *n, const struct line_in *in,
		       struct flow *f)
{
	flow_side_prefix(&f->src, &in->src);
	flow_side_prefix(&f->dst, &in->dst);
	if (!ports_parse(in->sport, &f->src))
		settings_complain(s, n, "source_port",
				  "\"%s\" is not a port like \"848\" or "
				  "\"1024-2047\"",
				  in->sport);
	if (!ports_parse(in->dport, &f->dst))
		settings_complain(s, n, "destination_port",
				  "\"%s\" is not a port like \"848\" or "
				  "\"1024-2047\"",
				  in->dport);
	if ((*in->sport || *in->dport) && !has_ports(in->proto))
		settings_complain(s, n, "protocol", "ports go with tcp, udp or sctp only");
	if (in->src.addr.family != in->dst.addr.family)
		settings_complain(s, n, "destination", "is not of the same IP version as source");
}

static void line_read(struct settings *s, struct set_node *n, void *out)
{
	struct acl_conf *a = out;
	struct line_in in = { 0 };
	struct acl_conf_line *l;
	unsigned before = settings_n_errors(s);

	settings_group(s, n, line_rows, N_ELEMS(line_rows), &in);
	if (settings_n_errors(s) != before)
		return;
	l = reallocarray(a->lines, a->n + 1, sizeof(*l));
	BUG_ON(!l);
	a->lines = l;
	l = &a->lines[a->n++];
	*l = (struct acl_conf_line){ .line = settings_line(n) };
	l->acl.permit = in.action;
	l->acl.flow.proto = in.proto;
	line_judge(s, n, &in, &l->acl.flow);
}

static const struct set_row acl_rows[] = {
	{ "name", SET_STR, offsetof(struct acl_conf, name), .size = ACL_CONF_NAME_LEN,
	  .required = true, .help = "name of the list" },
	{ "lines", SET_EACH, .min = 1, .max = ACL_CONF_MAX_LINES, .each = line_read,
	  .required = true, .help = "the first line that matches decides" },
};

void acl_conf_read(struct settings *s, struct set_node *n, struct acl_conf_list *out)
{
	struct acl_conf a = { .n = 0 }, *grown;

	settings_group(s, n, acl_rows, N_ELEMS(acl_rows), &a);
	if (acl_conf_find(out, a.name))
		settings_complain(s, n, "name", "\"%s\" is there twice", a.name);
	grown = reallocarray(out->acl, out->n + 1, sizeof(*grown));
	BUG_ON(!grown);
	out->acl = grown;
	out->acl[out->n++] = a;
}

void acl_conf_fini(struct acl_conf_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->acl[i].lines);
	free(l->acl);
	*l = (struct acl_conf_list){ .n = 0 };
}

const struct acl_conf *acl_conf_find(const struct acl_conf_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->acl[i].name, name) == 0)
			return &l->acl[i];
	}
	return NULL;
}

void acl_conf_describe(FILE *to)
{
	settings_describe(to, "acls = ( { … } )", acl_rows, N_ELEMS(acl_rows));
	settings_describe(to, "acls.lines = ( { … } )", line_rows, N_ELEMS(line_rows));
}
