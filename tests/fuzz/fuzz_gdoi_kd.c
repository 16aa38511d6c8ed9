#include "tests/fuzz/wire_views.h"

static struct bytes encode(const struct gdoi_wire_opts *o, const struct gdoi_kd *kd, uint8_t *buf,
			   size_t cap)
{
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	wr_init(&w, buf, cap);
	gdoi_kd_encode(o, &c, kd);
	BUG_ON(!wr_ok(&w));
	return wr_view(&w, ISAKMP_PL_HDR_LEN, w.len);
}

// input: options, then the body of a KD payload.
void fuzz_one(struct bytes input)
{
	static uint8_t once[1 << 17], twice[1 << 17];
	static struct gdoi_kd kd, again;
	struct rd_err err = { NULL };
	struct rd r = rd_of(input, &err);
	struct gdoi_wire_opts o = opts_of(rd_u8(&r));
	struct bytes written;

	if (input.len > UINT16_MAX / 2)
		return;
	if (!gdoi_kd_decode(&o, rd_rest(&r), &kd, &err)) {
		BUG_ON(!err.why);
		return;
	}
	touch_kd(&kd);
	written = encode(&o, &kd, once, sizeof(once));
	BUG_ON(!gdoi_kd_decode(&o, written, &again, &err));
	BUG_ON(!bytes_eq(written, encode(&o, &again, twice, sizeof(twice))));
}
