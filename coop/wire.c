#include "coop/wire.h"

#define MAGIC	   0x4350
#define ITEM_FIXED 40 // octets of an item besides key and body
#define AT_UPTO	   (COOP_FRAME_LEN + 9)
#define AT_N	   (COOP_FRAME_LEN + 17)

// ---- reading ----

size_t coop_frame_size(struct bytes b)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(b, &err);
	uint16_t magic;
	uint32_t len;

	if (b.len < COOP_FRAME_LEN)
		return 0;
	magic = rd_u16(&r);
	rd_skip(&r, 6);
	len = rd_u32(&r);
	if (magic != MAGIC || len > COOP_BODY_MAX)
		return SIZE_MAX;
	return COOP_FRAME_LEN + len;
}

// family 0, 4 or 6, then 16 octets; those an address does not need are zero.
static void get_addr(struct rd *r, struct addr *a)
{
	uint8_t family = rd_u8(r);
	struct bytes b = rd_bytes(r, sizeof(a->b));
	size_t len = family == 4 ? 4 : family == 6 ? 16 : 0;

	*a = (struct addr){ .family = family };
	if (b.len == 0)
		return;
	if ((family != 0 && len == 0) || !bytes_are_zero(BYTES(b.p + len, b.len - len))) {
		rd_fail(r, "malformed address");
		return;
	}
	memcpy(a->b, b.p, b.len);
}

static uint8_t get_id(struct rd *r)
{
	uint8_t id = rd_u8(r);

	if (id >= COOP_IDS)
		rd_fail(r, "id out of range");
	return id;
}

static uint8_t get_id_or_nobody(struct rd *r)
{
	uint8_t id = rd_u8(r);

	if (id >= COOP_IDS && id != COOP_NOBODY)
		rd_fail(r, "id out of range");
	return id;
}

static uint8_t get_text(struct rd *r, char out[COOP_TEXT_MAX])
{
	uint8_t len = rd_u8(r);
	struct bytes b = rd_bytes(r, len);

	if (len > COOP_TEXT_MAX) {
		rd_fail(r, "text too long");
		return 0;
	}
	for (size_t i = 0; i < b.len; i++) {
		if (b.p[i] < ' ' || b.p[i] > '~')
			rd_fail(r, "text not printable");
		out[i] = (char)b.p[i];
	}
	return (uint8_t)b.len;
}

static void get_open(struct rd *r, struct coop_open *o)
{
	o->flags = rd_u8(r);
	o->ver_min = rd_u8(r);
	o->ver_max = rd_u8(r);
	o->id = get_id(r);
	o->priority = rd_u8(r);
	get_addr(r, &o->addr);
	o->boot = rd_u64(r);
	rd_copy(r, o->digest, sizeof(o->digest));
	o->text_len = get_text(r, o->text);
	if (o->ver_min == 0 || o->ver_min > o->ver_max)
		rd_fail(r, "malformed version range");
	if (o->boot == 0)
		rd_fail(r, "boot is zero");
}

static void get_claim(struct rd *r, struct coop_claim *c)
{
	c->term = rd_u64(r);
	c->beat = rd_u64(r);
	c->id = get_id_or_nobody(r);
	c->priority = rd_u8(r);
	get_addr(r, &c->addr);
	if ((c->term == 0) != (c->id == COOP_NOBODY))
		rd_fail(r, "claim without a name");
}

static void get_hello(struct rd *r, struct coop_hello *h)
{
	h->boot = rd_u64(r);
	h->counter = rd_u64(r);
	h->stamp = rd_u64(r);
	h->echo = rd_u64(r);
	h->max_term = rd_u64(r);
	get_claim(r, &h->lead);
	h->id = get_id(r);
	h->role = rd_u8(r);
	h->flags = rd_u8(r);
	h->priority = rd_u8(r);
	h->choice = get_id_or_nobody(r);
	h->conf = rd_u64(r);
	h->pseudotime = rd_u64(r);
	if (h->boot == 0)
		rd_fail(r, "boot is zero");
}

static uint64_t get_count(struct rd *r)
{
	uint64_t n = rd_u64(r);

	if (n > COOP_COUNT_MAX)
		rd_fail(r, "count out of range");
	return n;
}

static void get_vector(struct rd *r, struct coop_vector *v)
{
	*v = (struct coop_vector){ 0 };
	v->flags = rd_u8(r);
	v->known = rd_u16(r);
	for (size_t i = 0; i < COOP_IDS; i++) {
		if (v->known & (1u << i))
			v->count[i] = get_count(r);
	}
}

bool coop_item_decode(struct rd *r, struct coop_wire_item *out)
{
	uint32_t len;

	*out = (struct coop_wire_item){ 0 };
	out->kind = rd_u8(r);
	out->flags = rd_u8(r);
	out->by = get_id(r);
	out->key_len = rd_u8(r);
	out->ver = rd_u64(r);
	out->count = rd_u64(r);
	out->dies_ms = rd_u64(r);
	out->active_ms = rd_u64(r);
	len = rd_u32(r);
	if (out->key_len > COOP_KEY_MAX || len > COOP_ITEM_MAX)
		return rd_fail(r, "item too long");
	rd_copy(r, out->key, out->key_len);
	out->body = rd_bytes(r, len);
	return rd_ok(r);
}

static void get_items(struct rd *r, struct coop_items *t)
{
	struct coop_wire_item item;
	const uint8_t *from;
	uint64_t last;

	t->origin = get_id(r);
	t->after = last = rd_u64(r);
	t->upto = get_count(r);
	t->n = rd_u16(r);
	from = r->p;
	for (unsigned i = 0; i < t->n && coop_item_decode(r, &item); i++) {
		if (item.count <= last || item.count > t->upto)
			rd_fail(r, "counts out of order");
		last = item.count;
	}
	t->all = rd_since(r, from);
	if (t->upto < t->after)
		rd_fail(r, "counts out of order");
}

static bool get_body(struct rd *r, struct coop_frame *f)
{
	switch (f->type) {
	case COOP_OPEN:
		get_open(r, &f->open);
		return true;
	case COOP_HELLO:
		get_hello(r, &f->hello);
		return true;
	case COOP_VECTOR:
		get_vector(r, &f->vector);
		return true;
	case COOP_ITEMS:
		get_items(r, &f->items);
		return true;
	case COOP_HANDOVER:
		f->handover.term = rd_u64(r);
		f->handover.to = get_id(r);
		return true;
	case COOP_SID_ASK:
		f->ask.epoch = rd_u32(r);
		f->ask.serial = rd_u32(r);
		f->ask.n = rd_u16(r);
		return true;
	case COOP_SID_GIVE:
		f->give.epoch = rd_u32(r);
		f->give.boot = rd_u64(r);
		f->give.serial = rd_u32(r);
		f->give.first = rd_u32(r);
		f->give.n = rd_u16(r);
		return true;
	case COOP_REFUSE:
		f->refuse.why = rd_u8(r);
		f->refuse.text_len = get_text(r, f->refuse.text);
		return true;
	}
	return false;
}

bool coop_decode(struct bytes in, struct coop_frame *out, struct rd_err *err)
{
	struct rd r = rd_of(in, err);
	uint16_t magic = rd_u16(&r);
	uint32_t len;
	bool known;

	memset(out, 0, sizeof(*out));
	out->version = rd_u8(&r);
	out->type = rd_u8(&r);
	out->group = rd_u32(&r);
	len = rd_u32(&r);
	if (!rd_ok(&r))
		return false;
	if (magic != MAGIC || out->version == 0)
		return rd_fail(&r, "no frame");
	if (len != rd_left(&r) || len > COOP_BODY_MAX)
		return rd_fail(&r, "wrong length");
	known = get_body(&r, out);
	if (out->version > COOP_VERSION)
		return rd_ok(&r);
	if (!known)
		return rd_fail(&r, "unknown type");
	return rd_end(&r, 0);
}

// ---- writing ----

static void put_addr(struct wr *w, const struct addr *a)
{
	wr_u8(w, a->family);
	wr_put(w, a->b, sizeof(a->b));
}

static void put_text(struct wr *w, uint8_t len, const char *text)
{
	wr_u8(w, len);
	wr_put(w, text, len);
}

static void put_open(struct wr *w, const struct coop_open *o)
{
	wr_u8(w, o->flags);
	wr_u8(w, o->ver_min);
	wr_u8(w, o->ver_max);
	wr_u8(w, o->id);
	wr_u8(w, o->priority);
	put_addr(w, &o->addr);
	wr_u64(w, o->boot);
	wr_put(w, o->digest, sizeof(o->digest));
	put_text(w, o->text_len, o->text);
}

static void put_hello(struct wr *w, const struct coop_hello *h)
{
	wr_u64(w, h->boot);
	wr_u64(w, h->counter);
	wr_u64(w, h->stamp);
	wr_u64(w, h->echo);
	wr_u64(w, h->max_term);
	wr_u64(w, h->lead.term);
	wr_u64(w, h->lead.beat);
	wr_u8(w, h->lead.id);
	wr_u8(w, h->lead.priority);
	put_addr(w, &h->lead.addr);
	wr_u8(w, h->id);
	wr_u8(w, h->role);
	wr_u8(w, h->flags);
	wr_u8(w, h->priority);
	wr_u8(w, h->choice);
	wr_u64(w, h->conf);
	wr_u64(w, h->pseudotime);
}

static void put_vector(struct wr *w, const struct coop_vector *v)
{
	wr_u8(w, v->flags);
	wr_u16(w, v->known);
	for (size_t i = 0; i < COOP_IDS; i++) {
		if (v->known & (1u << i))
			wr_u64(w, v->count[i]);
	}
}

size_t coop_item_size(const struct coop_wire_item *i)
{
	return ITEM_FIXED + i->key_len + i->body.len;
}

void coop_item_encode(struct wr *w, const struct coop_wire_item *i)
{
	wr_u8(w, i->kind);
	wr_u8(w, i->flags);
	wr_u8(w, i->by);
	wr_u8(w, i->key_len);
	wr_u64(w, i->ver);
	wr_u64(w, i->count);
	wr_u64(w, i->dies_ms);
	wr_u64(w, i->active_ms);
	wr_u32(w, (uint32_t)i->body.len);
	wr_put(w, i->key, i->key_len);
	wr_bytes(w, i->body);
}

static size_t frame_begin(struct wr *w, uint8_t version, uint8_t type, uint32_t group)
{
	size_t at = w->len;

	wr_u16(w, MAGIC);
	wr_u8(w, version);
	wr_u8(w, type);
	wr_u32(w, group);
	wr_u32(w, 0);
	return at;
}

static void frame_end(struct wr *w, size_t at)
{
	wr_patch32(w, at + COOP_FRAME_LEN - 4, (uint32_t)(w->len - at - COOP_FRAME_LEN));
}

static void patch64(struct wr *w, size_t at, uint64_t v)
{
	wr_patch32(w, at, (uint32_t)(v >> 32));
	wr_patch32(w, at + 4, (uint32_t)v);
}

size_t coop_items_begin(struct wr *w, uint32_t group, uint8_t origin, uint64_t after)
{
	size_t at = frame_begin(w, COOP_VERSION, COOP_ITEMS, group);

	wr_u8(w, origin);
	wr_u64(w, after);
	wr_u64(w, 0);
	wr_u16(w, 0);
	return at;
}

void coop_items_end(struct wr *w, size_t at, uint64_t upto, uint16_t n)
{
	patch64(w, at + AT_UPTO, upto);
	wr_patch16(w, at + AT_N, n);
	frame_end(w, at);
}

static void put_body(struct wr *w, const struct coop_frame *f)
{
	switch (f->type) {
	case COOP_OPEN:
		put_open(w, &f->open);
		break;
	case COOP_HELLO:
		put_hello(w, &f->hello);
		break;
	case COOP_VECTOR:
		put_vector(w, &f->vector);
		break;
	case COOP_ITEMS:
		wr_u8(w, f->items.origin);
		wr_u64(w, f->items.after);
		wr_u64(w, f->items.upto);
		wr_u16(w, f->items.n);
		wr_bytes(w, f->items.all);
		break;
	case COOP_HANDOVER:
		wr_u64(w, f->handover.term);
		wr_u8(w, f->handover.to);
		break;
	case COOP_SID_ASK:
		wr_u32(w, f->ask.epoch);
		wr_u32(w, f->ask.serial);
		wr_u16(w, f->ask.n);
		break;
	case COOP_SID_GIVE:
		wr_u32(w, f->give.epoch);
		wr_u64(w, f->give.boot);
		wr_u32(w, f->give.serial);
		wr_u32(w, f->give.first);
		wr_u16(w, f->give.n);
		break;
	case COOP_REFUSE:
		wr_u8(w, f->refuse.why);
		put_text(w, f->refuse.text_len, f->refuse.text);
		break;
	}
}

void coop_encode(struct wr *w, const struct coop_frame *f)
{
	size_t at = frame_begin(w, f->version, f->type, f->group);

	put_body(w, f);
	frame_end(w, at);
}
