#include "common/wire/ike1_pl.h"
#include "tests/fuzz/fuzz.h"

static void payload_one(const struct isakmp_pl *pl)
{
	char text[ISAKMP_ID_STRLEN];
	struct rd_err err = { NULL };
	struct isakmp_notify n;
	struct isakmp_delete d;
	struct isakmp_cert cert;
	struct isakmp_id id;

	fuzz_touch(pl->body);
	fuzz_touch(pl->whole);
	if (isakmp_id_decode(pl->body, &id, &err))
		fuzz_touch(BYTES(isakmp_id_str(&id, text), 1));
	err.why = NULL;
	if (isakmp_notify_decode(pl->body, &n, &err)) {
		fuzz_touch(n.spi);
		fuzz_touch(n.data);
	}
	err.why = NULL;
	if (isakmp_cert_decode(pl->body, &cert, &err))
		fuzz_touch(cert.data);
	err.why = NULL;
	if (isakmp_delete_decode(pl->body, &d, &err)) {
		for (size_t i = 0; i < d.n; i++)
			fuzz_touch(isakmp_delete_spi(&d, i));
	}
}

// A chain written from what was read is what was read.
static void chain_again(const struct isakmp_hdr *h, const struct isakmp_chain *chain)
{
	static uint8_t buf[1 << 17];
	struct wr w;
	struct wr_chain c;

	wr_init(&w, buf, sizeof(buf));
	c = isakmp_msg_begin(&w, h);
	for (size_t i = 0; i < chain->n; i++)
		wr_pl(&c, chain->pl[i].type, chain->pl[i].body);
	BUG_ON(!isakmp_msg_end(&w, 0));
	BUG_ON(!bytes_eq(chain->all, wr_view(&w, ISAKMP_HDR_LEN, w.len)));
}

void fuzz_one(struct bytes input)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(input, &err);
	struct isakmp_hashed hashed;
	struct isakmp_chain chain;
	struct isakmp_hdr h;
	struct bytes payloads;
	uint16_t features;

	natt_classify(input, &payloads);
	fuzz_touch(payloads);
	if (!isakmp_hdr_decode(&r, &h)) {
		BUG_ON(!err.why);
		return;
	}
	payloads = rd_rest(&r);
	if (!isakmp_chain_decode(payloads, h.next, 16, &chain, &err))
		return;
	for (size_t i = 0; i < chain.n; i++)
		payload_one(&chain.pl[i]);
	isakmp_vid_conclave(&chain, &features);
	chain_again(&h, &chain);
	if (isakmp_hashed_decode(payloads, h.next, 16, &hashed, &err))
		fuzz_touch(hashed.covered);
}
