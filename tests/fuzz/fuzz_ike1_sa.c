#include "common/wire/ike1_sa.h"
#include "tests/fuzz/wire_views.h"

// input: options, then the body of an SA payload.
void fuzz_one(struct bytes input)
{
	static uint8_t buf[1 << 17];
	struct rd_err err = { NULL };
	struct rd r = rd_of(input, &err);
	struct gdoi_wire_opts o = opts_of(rd_u8(&r));
	struct bytes body = rd_rest(&r);
	struct wr_chain c;
	struct ike1_sa sa;
	struct wr w;

	if (!ike1_sa_decode(&o, body, &sa, &err)) {
		BUG_ON(!err.why);
		return;
	}
	for (size_t i = 0; i < sa.n; i++) {
		fuzz_touch(sa.t[i].attrs);
		if (sa.t[i].unknown || sa.t[i].attrs.len == 0)
			return;
	}
	wr_init(&w, buf, sizeof(buf));
	c = (struct wr_chain){ &w, SIZE_MAX };
	ike1_sa_encode(&c, &sa);
	BUG_ON(!bytes_eq(body, wr_view(&w, ISAKMP_PL_HDR_LEN, w.len)));
}
