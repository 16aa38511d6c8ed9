#include "common/wire/gdoi_push.h"
#include "tests/fuzz/wire_views.h"

static void deletes_one(const struct gdoi_push *m)
{
	for (size_t i = 0; i < m->n_del; i++) {
		for (size_t k = 0; k < m->del[i].n; k++) {
			struct gdoi_delete_item item = gdoi_delete_spi(&m->del[i], k);

			BUG_ON(item.kind == GDOI_DELETE_TEK && item.tek_spi == 0);
		}
	}
}

// What was accepted can be sent again, opens again and signs the same way.
static void push_again(const struct gdoi_wire_opts *o, const struct gdoi_push *m,
		       const struct gdoi_push_form *form)
{
	static uint8_t buf[1 << 18];
	static struct gdoi_push_form again;
	struct rd_err err = { NULL };
	struct bytes span;
	struct isakmp_hdr h;
	struct rd r;
	struct wr w;

	wr_init(&w, buf, sizeof(buf));
	BUG_ON(!gdoi_push_begin(o, &w, form->signed_hdr, m, form->sig.len, &span));
	BUG_ON(!gdoi_push_end(&w, form->sig));
	r = rd_of(wr_view(&w, 0, w.len), &err);
	BUG_ON(!isakmp_hdr_decode(&r, &h));
	BUG_ON(!gdoi_push_open(&h, rd_rest(&r), 0, &again, &err));
	BUG_ON(memcmp(again.signed_hdr, w.p, ISAKMP_HDR_LEN) != 0);
	BUG_ON(again.seq != form->seq);
}

// input: options, then a decrypted PUSH with its header.
void fuzz_one(struct bytes input)
{
	static struct gdoi_push_form form;
	static struct gdoi_push m;
	struct rd_err err = { NULL };
	struct rd r = rd_of(input, &err);
	struct gdoi_wire_opts o = opts_of(rd_u8(&r));
	struct isakmp_hdr h;

	if (input.len > UINT16_MAX / 2 || !isakmp_hdr_decode(&r, &h))
		return;
	if (!gdoi_push_open(&h, rd_rest(&r), 16, &form, &err)) {
		BUG_ON(!err.why);
		return;
	}
	fuzz_touch(form.signed_payloads);
	fuzz_touch(form.sig);
	if (!gdoi_push_decode(&o, &form, &m, &err)) {
		BUG_ON(!err.why);
		return;
	}
	deletes_one(&m);
	if (m.has_sa) {
		touch_sa(&m.sa);
		touch_kd(&m.kd);
	}
	push_again(&o, &m, &form);
}
