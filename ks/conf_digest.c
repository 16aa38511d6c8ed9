#include "ks/conf_digest.h"

#include "common/crypto/prf.h"
#include "common/wire/wr.h"

#define RULE_MAX 256

// Each entry is hashed behind the digest of those before it.
struct chain {
	uint8_t h[HASH_MAX];
	struct wr w;
	uint8_t buf[1024];
};

static void entry(struct chain *c)
{
	wr_init(&c->w, c->buf, sizeof(c->buf));
}

static void fold(struct chain *c)
{
	const struct bytes part[] = { BYTES(c->h, CONF_DIGEST_LEN), wr_view(&c->w, 0, c->w.len) };

	BUG_ON(!wr_ok(&c->w));
	BUG_ON(hash_parts(HASH_ALG_SHA256, part, N_ELEMS(part), c->h) != 0);
}

static void put_addr(struct chain *c, const struct addr *a)
{
	wr_u8(&c->w, a->family);
	wr_put(&c->w, a->b, sizeof(a->b));
}

static void put_text(struct chain *c, const char *text)
{
	size_t len = strlen(text);

	wr_count16(&c->w, len);
	wr_put(&c->w, text, len);
}

static void put_side(struct chain *c, const struct flow_side *s)
{
	put_addr(c, &s->lo);
	put_addr(c, &s->hi);
	wr_u16(&c->w, s->port_lo);
	wr_u16(&c->w, s->port_hi);
}

static void policy(struct chain *c, const struct policy *p)
{
	for (size_t i = 0; i < p->n_slot; i++) {
		const struct policy_slot *s = &p->slot[i];

		entry(c);
		wr_u16(&c->w, s->sa_number);
		put_text(c, s->suite->name);
		wr_u32(&c->w, s->life_s);
		wr_u8(&c->w, s->replay.mode);
		wr_u16(&c->w, s->replay.window);
		fold(c);
	}
	for (size_t i = 0; i < p->n_ordered; i++) {
		const struct policy_rule *r = &p->ordered[i];

		entry(c);
		wr_u8(&c->w, r->permit);
		wr_u16(&c->w, r->slot);
		wr_u8(&c->w, r->flow.proto);
		put_side(c, &r->flow.src);
		put_side(c, &r->flow.dst);
		fold(c);
	}
}

static void kek(struct chain *c, const struct kek_params *k)
{
	entry(c);
	put_text(c, k->suite->name);
	wr_u32(&c->w, k->life_s);
	wr_u8(&c->w, (uint8_t)k->sign_hash);
	wr_u8(&c->w, (uint8_t)k->sign_form);
	wr_u8(&c->w, (uint8_t)k->ack);
	put_addr(c, &k->group.addr);
	wr_u16(&c->w, k->group.port);
	wr_u8(&c->w, k->ttl);
	fold(c);
}

static void members(struct chain *c, const struct ks_group_conf *g)
{
	for (size_t i = 0; i < g->n_authorized; i++) {
		entry(c);
		put_addr(c, &g->authorized[i].addr);
		wr_u8(&c->w, g->authorized[i].len);
		fold(c);
	}
	for (size_t i = 0; i < g->n_names; i++) {
		entry(c);
		put_text(c, g->names[i].text);
		fold(c);
	}
	for (size_t i = 0; i < g->n_unicast; i++) {
		entry(c);
		put_addr(c, &g->unicast[i].addr);
		wr_u8(&c->w, g->unicast[i].len);
		fold(c);
	}
	for (size_t i = 0; i < g->n_no_ack; i++) {
		entry(c);
		put_addr(c, &g->no_ack[i]);
		fold(c);
	}
}

void conf_digest(const struct ks_group_conf *g, uint8_t out[CONF_DIGEST_LEN])
{
	struct chain c = { 0 };

	entry(&c);
	put_text(&c, "conclave group 1");
	wr_u32(&c.w, g->identity);
	wr_u8(&c.w, g->sid_bits);
	wr_u8(&c.w, g->receive_only);
	wr_u32(&c.w, g->atd_s);
	wr_u16(&c.w, (uint16_t)g->policy->n_slot);
	wr_u16(&c.w, (uint16_t)g->policy->n_ordered);
	wr_u32(&c.w, (uint32_t)g->n_authorized);
	wr_u32(&c.w, (uint32_t)g->n_names);
	wr_u32(&c.w, (uint32_t)g->n_unicast);
	fold(&c);
	kek(&c, &g->kek);
	policy(&c, g->policy);
	members(&c, g);
	memcpy(out, c.h, CONF_DIGEST_LEN);
}
