// Every prefix and every single-bit flip of valid messages, through every decoder: an error with
// a reason or a struct whose views lie inside the datagram. Run under ASan this is the real test;
// without it the views are checked by hand.
#include "tests/unit/unit.h"

#include "tests/unit/common/wire/samples.h"

static uint8_t msg_buf[SAMPLE_MAX];
static struct sample_pool pool;
static struct gdoi_wire_opts opts;

struct tally {
	size_t accepted, refused;
};

typedef bool decode_fn(struct bytes msg, struct rd_err *err);

static bool inside(struct bytes msg, struct bytes view)
{
	return view.len == 0 || (view.p >= msg.p && view.p + view.len <= msg.p + msg.len);
}

static bool hdr_of(struct bytes msg, struct isakmp_hdr *h, struct bytes *payloads,
		   struct rd_err *err)
{
	struct rd r = rd_of(msg, err);

	if (!isakmp_hdr_decode(&r, h))
		return false;
	*payloads = rd_rest(&r);
	return true;
}

static bool open_pull(struct bytes msg, int n, struct isakmp_hashed *m, struct rd_err *err)
{
	struct bytes payloads;
	struct isakmp_hdr h;

	if (!hdr_of(msg, &h, &payloads, err) ||
	    !gdoi_pull_open(&opts, n, payloads, h.next, 16, m, err))
		return false;
	assert_true(inside(msg, m->hash));
	assert_true(inside(msg, m->covered));
	return true;
}

static bool pull1(struct bytes msg, struct rd_err *err)
{
	struct isakmp_hashed m;
	struct gdoi_pull1 out;

	if (!open_pull(msg, 1, &m, err) || !gdoi_pull1_decode(&m, &out, err))
		return false;
	assert_true(inside(msg, out.nonce));
	assert_true(inside(msg, out.id.data));
	return true;
}

static void sa_is_sane(struct bytes msg, const struct gdoi_sa *sa)
{
	assert_true(sa->n_sat <= GDOI_MAX_SAT);
	for (size_t i = 0; i < sa->n_sat; i++) {
		assert_true(sa->sat[i].src.len <= GDOI_ID_DATA_MAX);
		assert_true(inside(msg, sa->sat[i].iec.oid));
		assert_true(inside(msg, sa->sat[i].iec.specific));
	}
}

static void kd_is_sane(struct bytes msg, const struct gdoi_kd *kd)
{
	assert_true(kd->n_tek <= GDOI_MAX_TEK);
	for (size_t i = 0; i < kd->n_tek; i++) {
		assert_true(inside(msg, kd->tek[i].alg_key));
		assert_true(inside(msg, kd->tek[i].integrity_key));
		assert_true(inside(msg, kd->tek[i].source_auth_key));
	}
	if (kd->has_kek) {
		assert_true(inside(msg, kd->kek.alg_key));
		assert_true(inside(msg, kd->kek.sig_key));
	}
	if (kd->has_lkh) {
		assert_true(kd->lkh.n_keys <= GDOI_MAX_LKH_KEYS);
		for (size_t i = 0; i < kd->lkh.n_keys; i++)
			assert_true(inside(msg, kd->lkh.key[i].data));
		assert_true(inside(msg, kd->lkh.sig_key));
	}
}

static bool pull2(struct bytes msg, struct rd_err *err)
{
	static struct gdoi_pull2 out;
	struct isakmp_hashed m;

	if (!open_pull(msg, 2, &m, err) || !gdoi_pull2_decode(&opts, &m, &out, err))
		return false;
	sa_is_sane(msg, &out.sa);
	return true;
}

static bool pull3(struct bytes msg, struct rd_err *err)
{
	struct isakmp_hashed m;
	struct gdoi_pull3 out;

	return open_pull(msg, 3, &m, err) && gdoi_pull3_decode(&opts, &m, &out, err);
}

static bool pull4(struct bytes msg, struct rd_err *err)
{
	static struct gdoi_pull4 out;
	struct isakmp_hashed m;

	if (!open_pull(msg, 4, &m, err) || !gdoi_pull4_decode(&opts, &m, &out, err))
		return false;
	kd_is_sane(msg, &out.kd);
	return true;
}

static bool push(struct bytes msg, struct rd_err *err)
{
	static struct gdoi_push_form form;
	static struct gdoi_push out;
	struct bytes payloads;
	struct isakmp_hdr h;

	if (!hdr_of(msg, &h, &payloads, err) || !gdoi_push_open(&h, payloads, 16, &form, err))
		return false;
	assert_true(inside(msg, form.signed_payloads));
	assert_true(inside(msg, form.sig));
	if (!gdoi_push_decode(&opts, &form, &out, err))
		return false;
	for (size_t i = 0; i < out.n_del; i++) {
		for (size_t k = 0; k < out.del[i].n; k++)
			assert_true(inside(msg, isakmp_delete_spi(&out.del[i], k)));
	}
	if (out.has_sa) {
		sa_is_sane(msg, &out.sa);
		kd_is_sane(msg, &out.kd);
	}
	return true;
}

static bool ack(struct bytes msg, struct rd_err *err)
{
	struct gdoi_ack_msg out;

	if (!gdoi_ack_decode(msg, &out, err))
		return false;
	assert_true(inside(msg, out.hash));
	assert_true(inside(msg, out.covered));
	assert_true(inside(msg, out.id.data));
	return true;
}

static bool phase1(struct bytes msg, struct rd_err *err)
{
	struct isakmp_chain chain;
	struct bytes payloads;
	struct isakmp_hdr h;
	struct ike1_sa sa;

	if (!hdr_of(msg, &h, &payloads, err) ||
	    !isakmp_chain_decode(payloads, h.next, 0, &chain, err) || chain.n == 0 ||
	    !ike1_sa_decode(&opts, chain.pl[0].body, &sa, err))
		return false;
	for (size_t i = 0; i < sa.n; i++)
		assert_true(inside(msg, sa.t[i].attrs));
	return true;
}

// On a heap copy of exactly its length, so that ASan sees an octet too far.
static void decode_copy(decode_fn *decode, const uint8_t *p, size_t len, struct tally *t)
{
	uint8_t *copy = malloc(len + 1);
	struct rd_err err = { NULL };

	assert_non_null(copy);
	memcpy(copy + 1, p, len);
	if (decode(BYTES(copy + 1, len), &err)) {
		assert_null(err.why);
		t->accepted++;
	} else {
		t->refused++;
	}
	free(copy);
}

// The header's Length follows, so that the cut reaches the payloads.
static void every_prefix(decode_fn *decode, struct wr *w, struct tally *t)
{
	size_t whole = w->len;

	for (size_t len = 0; len < whole; len++) {
		if (len >= ISAKMP_HDR_LEN)
			isakmp_hdr_len_set(w->p, (uint32_t)len);
		decode_copy(decode, w->p, len, t);
	}
	isakmp_hdr_len_set(w->p, (uint32_t)whole);
}

static void every_bit(decode_fn *decode, struct wr *w, struct tally *t)
{
	for (size_t bit = 0; bit < w->len * 8; bit++) {
		uint8_t mask = (uint8_t)(1u << (bit % 8));

		w->p[bit / 8] ^= mask;
		decode_copy(decode, w->p, w->len, t);
		w->p[bit / 8] ^= mask;
	}
}

static void sample_of(decode_fn *decode, struct wr *w)
{
	static decode_fn *const pulls[] = { pull1, pull2, pull3, pull4 };

	for (int n = 0; n < 4; n++) {
		if (decode == pulls[n])
			sample_pull_msg(&pool, n + 1, w);
	}
	if (decode == push)
		sample_push_msg(&pool, w);
	if (decode == ack)
		sample_ack_msg(&pool, w);
	if (decode == phase1)
		sample_phase1_msg(&pool, w);
}

static decode_fn *const decoders[] = { phase1, pull1, pull2, pull3, pull4, push, ack };

static void every_prefix_of_a_message_is_refused(void **state)
{
	struct wr w = { msg_buf, 0, sizeof(msg_buf), false };

	(void)state;
	for (size_t i = 0; i < N_ELEMS(decoders); i++) {
		for (uint64_t seed = 0; seed < 12; seed++) {
			struct tally t = { 0 }, whole = { 0 };

			sample_pool_init(&pool, seed);
			sample_of(decoders[i], &w);
			decode_copy(decoders[i], w.p, w.len, &whole);
			assert_int_equal(whole.accepted, 1);
			every_prefix(decoders[i], &w, &t);
			assert_int_equal(t.accepted, 0);
		}
	}
}

static void every_flipped_bit_leaves_an_error_or_a_sane_struct(void **state)
{
	struct wr w = { msg_buf, 0, sizeof(msg_buf), false };

	(void)state;
	for (size_t i = 0; i < N_ELEMS(decoders); i++) {
		struct tally t = { 0 };

		for (uint64_t seed = 0; seed < 8; seed++) {
			sample_pool_init(&pool, seed);
			sample_of(decoders[i], &w);
			every_bit(decoders[i], &w, &t);
		}
		assert_true(t.refused > 0);
		assert_true(t.accepted > 0); // bits of nonces, keys, addresses
	}
}

static void random_octets_after_a_right_header_do_no_harm(void **state)
{
	struct wr w = { msg_buf, 0, sizeof(msg_buf), false };

	(void)state;
	for (uint64_t seed = 0; seed < 20000; seed++) {
		decode_fn *decode = decoders[seed % N_ELEMS(decoders)];
		struct tally t = { 0 };
		size_t from;

		sample_pool_init(&pool, seed);
		sample_of(decode, &w);
		from = (size_t)rng_range(&pool.rng, ISAKMP_HDR_LEN, w.len);
		rng_fill(&pool.rng, w.p + from, MIN_OF(w.len - from, 8u));
		decode_copy(decode, w.p, w.len, &t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_prefix_of_a_message_is_refused),
		cmocka_unit_test(every_flipped_bit_leaves_an_error_or_a_sane_struct),
		cmocka_unit_test(random_octets_after_a_right_header_do_no_harm),
	};

	opts = gdoi_wire_opts_default();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
