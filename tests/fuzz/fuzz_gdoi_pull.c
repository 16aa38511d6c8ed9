#include "common/wire/gdoi_pull.h"
#include "tests/fuzz/wire_views.h"

static struct isakmp_hashed m;

static void message_2(const struct gdoi_wire_opts *o)
{
	static struct gdoi_pull2 out;
	struct rd_err err = { NULL };

	if (gdoi_pull2_decode(o, &m, &out, &err)) {
		fuzz_touch(out.nonce);
		touch_sa(&out.sa);
	}
}

static void message_4(const struct gdoi_wire_opts *o)
{
	static struct gdoi_pull4 out;
	struct rd_err err = { NULL };

	if (gdoi_pull4_decode(o, &m, &out, &err))
		touch_kd(&out.kd);
}

// input: options, then a decrypted message with its header, tried as each of the four.
void fuzz_one(struct bytes input)
{
	struct rd_err hdr_err = { NULL };
	struct rd r = rd_of(input, &hdr_err);
	struct gdoi_wire_opts o = opts_of(rd_u8(&r));
	struct bytes payloads;
	struct gdoi_pull1 m1;
	struct gdoi_pull3 m3;
	struct isakmp_hdr h;

	if (!isakmp_hdr_decode(&r, &h))
		return;
	payloads = rd_rest(&r);
	for (int n = 1; n <= 4; n++) {
		struct rd_err err = { NULL };

		if (!gdoi_pull_open(&o, n, payloads, h.next, 16, &m, &err)) {
			BUG_ON(!err.why);
			continue;
		}
		fuzz_touch(m.hash);
		fuzz_touch(m.covered);
		if (n == 1 && gdoi_pull1_decode(&m, &m1, &err))
			fuzz_touch(m1.id.data);
		if (n == 2)
			message_2(&o);
		if (n == 3)
			(void)gdoi_pull3_decode(&o, &m, &m3, &err);
		if (n == 4)
			message_4(&o);
	}
}
