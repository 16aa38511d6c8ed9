#include "tests/unit/coop/samples.h"

static struct addr an_addr(struct rng *rng)
{
	uint8_t b[16];

	rng_fill(rng, b, sizeof(b));
	return rng_u32(rng) % 2 ? addr_from_bytes(b, 4) : addr_from_bytes(b, 16);
}

static uint8_t an_id(struct rng *rng)
{
	return (uint8_t)rng_range(rng, 0, COOP_IDS - 1);
}

static void a_hello(struct rng *rng, struct coop_hello *h)
{
	bool led = rng_u32(rng) % 4 != 0;

	*h = (struct coop_hello){ .boot = rng_u64(rng) | 1,
				  .counter = rng_u64(rng),
				  .stamp = rng_u64(rng),
				  .echo = rng_u64(rng),
				  .max_term = rng_u64(rng),
				  .id = an_id(rng),
				  .role = (uint8_t)rng_range(rng, 0, 3),
				  .flags = (uint8_t)rng_range(rng, 0, 63),
				  .priority = (uint8_t)rng_u32(rng),
				  .choice = rng_u32(rng) % 4 ? an_id(rng) : COOP_NOBODY,
				  .conf = rng_u64(rng),
				  .pseudotime = rng_u64(rng) };
	h->lead.id = COOP_NOBODY;
	if (led)
		h->lead = (struct coop_claim){ .term = rng_u64(rng) | 1,
					       .beat = rng_u64(rng),
					       .id = an_id(rng),
					       .priority = (uint8_t)rng_u32(rng),
					       .addr = an_addr(rng) };
}

static struct bytes some_items(struct rng *rng, struct wr *w)
{
	uint8_t body[300];
	uint16_t n = (uint16_t)rng_range(rng, 0, 5);
	uint64_t count = rng_range(rng, 0, 1000);
	size_t at = coop_items_begin(w, rng_u32(rng), an_id(rng), count);

	rng_fill(rng, body, sizeof(body));
	for (unsigned i = 0; i < n; i++) {
		struct coop_wire_item item = { .kind = (uint8_t)rng_range(rng, 1, 9),
					       .flags = (uint8_t)rng_range(rng, 0, 1),
					       .by = an_id(rng),
					       .key_len = (uint8_t)rng_range(rng, 0, COOP_KEY_MAX),
					       .ver = rng_u64(rng),
					       .count = count += rng_range(rng, 1, 9),
					       .dies_ms = COOP_FOREVER,
					       .active_ms = rng_u32(rng),
					       .body = BYTES(body, rng_range(rng, 0, 300)) };

		rng_fill(rng, item.key, item.key_len);
		coop_item_encode(w, &item);
	}
	coop_items_end(w, at, count + rng_range(rng, 0, 9), n);
	return wr_view(w, at, w->len);
}

static void a_vector(struct rng *rng, struct coop_vector *v)
{
	*v = (struct coop_vector){ .flags = (uint8_t)rng_range(rng, 0, 1),
				   .known = (uint16_t)rng_u32(rng) };
	for (size_t i = 0; i < COOP_IDS; i++) {
		if (v->known & (1u << i))
			v->count[i] = rng_range(rng, 0, COOP_COUNT_MAX);
	}
}

static void an_open(struct rng *rng, struct coop_open *o)
{
	*o = (struct coop_open){ .ver_min = 1,
				 .ver_max = (uint8_t)rng_range(rng, 1, 9),
				 .id = an_id(rng),
				 .priority = (uint8_t)rng_u32(rng),
				 .addr = an_addr(rng),
				 .boot = rng_u64(rng) | 1,
				 .text_len = 8,
				 .text = "conclave" };
	rng_fill(rng, o->digest, sizeof(o->digest));
}

struct bytes coop_sample(struct rng *rng, uint8_t type, uint8_t buf[COOP_SAMPLE_MAX])
{
	struct coop_frame f = { .version = COOP_VERSION, .type = type, .group = rng_u32(rng) };
	struct wr w;

	wr_init(&w, buf, COOP_SAMPLE_MAX);
	switch (type) {
	case COOP_ITEMS:
		return some_items(rng, &w);
	case COOP_OPEN:
		an_open(rng, &f.open);
		break;
	case COOP_HELLO:
		a_hello(rng, &f.hello);
		break;
	case COOP_VECTOR:
		a_vector(rng, &f.vector);
		break;
	case COOP_HANDOVER:
		f.handover = (struct coop_handover){ .term = rng_u64(rng), .to = an_id(rng) };
		break;
	case COOP_SID_ASK:
		f.ask = (struct coop_sid_ask){ .epoch = rng_u32(rng), .serial = 5, .n = 12 };
		break;
	case COOP_SID_GIVE:
		f.give = (struct coop_sid_give){
			.epoch = rng_u32(rng), .boot = rng_u64(rng), .first = rng_u32(rng), .n = 12
		};
		break;
	case COOP_REFUSE:
		f.refuse = (struct coop_refuse){ .why = COOP_WHY_ID, .text_len = 3, .text = "id " };
		break;
	}
	coop_encode(&w, &f);
	return wr_view(&w, 0, w.len);
}
