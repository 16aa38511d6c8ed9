#include <rte_acl.h>
#include <rte_common.h>
#include <string.h>

#include "dataplane/classify.h"

// What rte_acl looks at: network order, in words of four octets after the first.
struct acl_data {
	uint8_t proto, pad[3];
	uint32_t port; // the one bit of the packet's
	uint32_t src, dst;
	uint16_t sport, dport;
};

enum { F_PROTO, F_PORT, F_SRC, F_DST, F_SPORT, F_DPORT, N_FIELDS };
RTE_ACL_RULE_DEF(acl_rule, N_FIELDS);

#define FIELD(i, kind, group, member)                                                              \
	[i] = { .type = RTE_ACL_FIELD_TYPE_##kind,                                                 \
		.size = sizeof(((struct acl_data *)0)->member),                                    \
		.field_index = (i),                                                                \
		.input_index = (group),                                                            \
		.offset = offsetof(struct acl_data, member) }

static const struct rte_acl_field_def fields[N_FIELDS] = {
	FIELD(F_PROTO, BITMASK, 0, proto), FIELD(F_PORT, BITMASK, 1, port),
	FIELD(F_SRC, RANGE, 2, src),	   FIELD(F_DST, RANGE, 3, dst),
	FIELD(F_SPORT, RANGE, 4, sport),   FIELD(F_DPORT, RANGE, 4, dport),
};

static void acl_rule_put(struct acl_rule *a, const struct rule_key *k, size_t i)
{
	*a = (struct acl_rule){ .data = { .category_mask = 1, .userdata = (uint32_t)i + 1 } };
	a->data.priority = (int32_t)(RTE_ACL_MAX_PRIORITY - i);
	a->field[F_PROTO].value.u8 = k->proto;
	a->field[F_PROTO].mask_range.u8 = k->proto ? 0xff : 0;
	// One bit is set in a packet's word: it is among the rule's when none outside them is.
	a->field[F_PORT].value.u32 = 0;
	a->field[F_PORT].mask_range.u32 = ~(uint32_t)k->ports;
	a->field[F_SRC].value.u32 = k->src_lo;
	a->field[F_SRC].mask_range.u32 = k->src_hi;
	a->field[F_DST].value.u32 = k->dst_lo;
	a->field[F_DST].mask_range.u32 = k->dst_hi;
	a->field[F_SPORT].value.u16 = k->sport_lo;
	a->field[F_SPORT].mask_range.u16 = k->sport_hi;
	a->field[F_DPORT].value.u16 = k->dport_lo;
	a->field[F_DPORT].mask_range.u16 = k->dport_hi;
}

int rules_acl_build(struct rules *r)
{
	static unsigned serial;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = { .name = name,
				       .socket_id = SOCKET_ID_ANY,
				       .rule_size = RTE_ACL_RULE_SZ(N_FIELDS),
				       .max_rule_num = (uint32_t)r->n };
	struct rte_acl_config cfg = { .num_categories = 1, .num_fields = N_FIELDS };
	struct acl_rule a;
	int err;

	memcpy(cfg.defs, fields, sizeof(fields));
	snprintf(name, sizeof(name), "rules%u", serial++);
	r->acl = rte_acl_create(&param);
	if (!r->acl)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++) {
		acl_rule_put(&a, &r->key[i], i);
		err = rte_acl_add_rules(r->acl, (const struct rte_acl_rule *)&a, 1);
		if (err)
			return err;
	}
	return rte_acl_build(r->acl, &cfg);
}

void rules_acl_free(struct rules *r)
{
	rte_acl_free(r->acl);
	r->acl = NULL;
}

void rules_acl_match(const struct rules *r, const struct ip4 *const *ip, const uint8_t *port,
		     size_t n, const struct rule **out)
{
	struct acl_data data[CLASSIFY_BURST] NO_AUTO_INIT;
	const uint8_t *ptr[CLASSIFY_BURST] NO_AUTO_INIT;
	uint32_t hit[CLASSIFY_BURST] NO_AUTO_INIT;

	BUG_ON(n > CLASSIFY_BURST);
	for (size_t i = 0; i < n; i++) {
		data[i] = (struct acl_data){ .proto = ip[i]->proto,
					     .port = rte_cpu_to_be_32(1u << port[i]),
					     .src = rte_cpu_to_be_32(ip[i]->src),
					     .dst = rte_cpu_to_be_32(ip[i]->dst),
					     .sport = rte_cpu_to_be_16(ip[i]->sport),
					     .dport = rte_cpu_to_be_16(ip[i]->dport) };
		ptr[i] = (const uint8_t *)&data[i];
	}
	rte_acl_classify(r->acl, ptr, hit, (uint32_t)n, 1);
	for (size_t i = 0; i < n; i++) {
		out[i] = hit[i] ? &r->rule[hit[i] - 1] : NULL;
		// Unknown ports have no place in the trie.
		if (ip[i]->opaque)
			out[i] = rules_match(r, ip[i], port[i]);
	}
}
