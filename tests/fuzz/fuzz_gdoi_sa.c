#include "tests/fuzz/wire_views.h"

static struct bytes encode(const struct gdoi_wire_opts *o, const struct gdoi_sa *sa, uint8_t *buf,
			   size_t cap)
{
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	wr_init(&w, buf, cap);
	gdoi_sa_encode(o, &c, sa);
	BUG_ON(!wr_ok(&w));
	return wr_view(&w, ISAKMP_PL_HDR_LEN, w.len);
}

// input: options, then the body of an SA payload.
void fuzz_one(struct bytes input)
{
	static uint8_t once[1 << 17], twice[1 << 17];
	static struct gdoi_sa sa, again;
	struct rd_err err = { NULL };
	struct rd r = rd_of(input, &err);
	struct gdoi_wire_opts o = opts_of(rd_u8(&r));
	struct bytes written;

	if (input.len > UINT16_MAX)
		return;
	if (!gdoi_sa_decode(&o, rd_rest(&r), &sa, &err)) {
		BUG_ON(!err.why);
		return;
	}
	touch_sa(&sa);
	written = encode(&o, &sa, once, sizeof(once));
	o.accept_other_id_len = false; // our own writing is not ambiguous
	BUG_ON(!gdoi_sa_decode(&o, written, &again, &err));
	BUG_ON(!bytes_eq(written, encode(&o, &again, twice, sizeof(twice))));
}
