#include "tests/unit/unit.h"

#include "common/base/rng.h"
#include "common/ike/frag.h"

static uint8_t msg[FRAG_MAX_MSG];

static struct bytes message(size_t len)
{
	for (size_t i = 0; i < len; i++)
		msg[i] = (uint8_t)(i * 7 + i / 256);
	msg[16] = ISAKMP_PL_ID;
	msg[17] = 0x10;
	msg[18] = 2;
	return BYTES(msg, len);
}

// The n-th datagram of m, decoded.
static bool cut(struct bytes m, size_t n, uint8_t out[FRAG_SIZE], struct ike_fragment *f)
{
	struct rd_err err = { NULL };
	const uint8_t *d;
	size_t len = frag_cut(m, true, n, &d, out);

	if (len == 0)
		return false;
	assert_true(len <= FRAG_SIZE && frag_is(BYTES(d, len)));
	assert_true(frag_decode(BYTES(d, len), f, &err));
	return true;
}

static void what_was_cut_is_put_together_in_any_order(void **state)
{
	static const size_t lens[] = { FRAG_SIZE + 1, 2 * (FRAG_SIZE - FRAG_HDR_LEN), 5000,
				       FRAG_MAX_MSG };
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (size_t k = 0; k < 40; k++) {
		struct bytes m = message(lens[k % N_ELEMS(lens)]);
		static uint8_t bufs[FRAG_MAX][FRAG_SIZE];
		struct ike_fragment f[FRAG_MAX], swap;
		struct ike_frag all = { 0 };
		uint8_t *whole = NULL;
		size_t n = 0, len = 0;

		while (cut(m, n, bufs[n], &f[n]))
			n++;
		for (size_t i = n; i-- > 1;) {
			size_t j = rng_range(&r, 0, i);

			swap = f[i], f[i] = f[j], f[j] = swap;
		}
		for (size_t i = 0; i < n; i++) {
			if (i + 1 < n) // a duplicate of what came is no news
				assert_int_equal(frag_add(&all, &f[i], &whole, &len), 0);
			assert_int_equal(frag_add(&all, &f[i], &whole, &len), i + 1 == n);
		}
		assert_int_equal(len, m.len);
		assert_memory_equal(whole, m.p, len);
		free(whole);
		assert_int_equal(all.n_parts, 0);
	}
}

static void short_messages_and_simple_peers_get_them_whole(void **state)
{
	uint8_t buf[FRAG_SIZE];
	const uint8_t *d;
	struct bytes m = message(FRAG_SIZE);

	(void)state;
	assert_int_equal(frag_cut(m, true, 0, &d, buf), FRAG_SIZE);
	assert_ptr_equal(d, m.p);
	assert_int_equal(frag_cut(m, true, 1, &d, buf), 0);
	m = message(5000);
	assert_int_equal(frag_cut(m, false, 0, &d, buf), 5000);
	assert_int_equal(frag_cut(m, false, 1, &d, buf), 0);
}

static void pieces_that_do_not_fit_are_refused(void **state)
{
	static const uint8_t big[3000];
	struct ike_frag all = { 0 };
	uint8_t *whole;
	size_t len;
	struct ike_fragment f = { .id = 1, .number = 2, .last = true, .data = BYTES_OF(big) };
	struct ike_fragment behind = { .id = 1, .number = 3, .data = BYTES(big, 1) };
	struct ike_fragment other = { .id = 1, .number = 2, .data = BYTES(big, 2) };

	(void)state;
	assert_int_equal(frag_add(&all, &f, &whole, &len), 0);
	assert_int_equal(frag_add(&all, &behind, &whole, &len), -EBADMSG);
	assert_int_equal(frag_add(&all, &behind, &whole, &len), 0);
	assert_int_equal(frag_add(&all, &f, &whole, &len), -EBADMSG); // last before 3
	assert_int_equal(frag_add(&all, &f, &whole, &len), 0);
	assert_int_equal(frag_add(&all, &other, &whole, &len), -EBADMSG);
	f.last = false;
	for (f.number = 1; f.number < 3; f.number++)
		assert_int_equal(frag_add(&all, &f, &whole, &len), 0);
	assert_int_equal(frag_add(&all, &f, &whole, &len), -EBADMSG); // over FRAG_MAX_MSG
	assert_int_equal(all.total, 0);
}

static void a_new_id_begins_a_new_message(void **state)
{
	struct ike_frag all = { 0 };
	uint8_t *whole;
	size_t len;
	struct ike_fragment one = { .id = 1, .number = 2, .data = BYTES_LIT("old") };
	struct ike_fragment two = { .id = 2, .number = 1, .last = true, .data = BYTES_LIT("new") };

	(void)state;
	assert_int_equal(frag_add(&all, &one, &whole, &len), 0);
	assert_int_equal(frag_add(&all, &two, &whole, &len), 1);
	assert_int_equal(len, 3);
	assert_memory_equal(whole, "new", 3);
	free(whole);
}

static void damaged_fragments_do_not_decode(void **state)
{
	uint8_t buf[FRAG_SIZE];
	struct ike_fragment f;
	const uint8_t *d;
	struct bytes m = message(3000);
	size_t len = frag_cut(m, true, 0, &d, buf);

	(void)state;
	for (size_t n = 0; n < len; n++) {
		struct rd_err err = { NULL };

		assert_false(frag_decode(BYTES(buf, n), &f, &err));
	}
	for (size_t at = 16; at < FRAG_HDR_LEN; at++) { // every field of both headers
		struct rd_err err = { NULL };
		uint8_t was = buf[at];

		buf[at] ^= 0xff;
		if (frag_decode(BYTES(buf, len), &f,
				&err)) // version, exchange, id, msgid, reserved
			assert_true(f.number >= 1 && f.number <= FRAG_MAX &&
				    f.data.len == len - FRAG_HDR_LEN);
		buf[at] = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_cut_is_put_together_in_any_order),
		cmocka_unit_test(short_messages_and_simple_peers_get_them_whole),
		cmocka_unit_test(pieces_that_do_not_fit_are_refused),
		cmocka_unit_test(a_new_id_begins_a_new_message),
		cmocka_unit_test(damaged_fragments_do_not_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
