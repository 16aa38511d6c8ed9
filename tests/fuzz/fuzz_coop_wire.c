// One frame between key servers, and the stream that is cut into frames.
#include "coop/wire.h"
#include "tests/fuzz/fuzz.h"

static void touch_items(const struct coop_items *t)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(t->all, &err);
	struct coop_wire_item item;

	for (unsigned i = 0; i < t->n; i++) {
		BUG_ON(!coop_item_decode(&r, &item));
		fuzz_touch(item.body);
	}
	BUG_ON(!rd_end(&r, 0));
}

void fuzz_one(struct bytes input)
{
	static uint8_t out[COOP_FRAME_LEN + COOP_BODY_MAX];
	struct rd_err err = { NULL };
	struct coop_frame f;
	struct wr w;

	(void)coop_frame_size(input);
	if (!coop_decode(input, &f, &err)) {
		BUG_ON(!err.why);
		return;
	}
	BUG_ON(coop_frame_size(input) != input.len);
	if (f.type == COOP_ITEMS)
		touch_items(&f.items);
	if (f.version > COOP_VERSION)
		return;
	wr_init(&w, out, sizeof(out));
	coop_encode(&w, &f);
	BUG_ON(!bytes_eq(input, wr_view(&w, 0, w.len)));
}
