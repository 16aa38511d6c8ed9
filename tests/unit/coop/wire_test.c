#include "tests/unit/coop/samples.h"
#include "tests/unit/unit.h"

static uint8_t buf[COOP_SAMPLE_MAX], again[COOP_SAMPLE_MAX], bent[COOP_SAMPLE_MAX];

static bool decodes(struct bytes b, struct coop_frame *f)
{
	struct rd_err err = { NULL };

	return coop_decode(b, f, &err);
}

static const char *refusal(struct bytes b)
{
	struct rd_err err = { NULL };
	struct coop_frame f;

	assert_false(coop_decode(b, &f, &err));
	assert_non_null(err.why);
	return err.why;
}

static void every_message_survives_a_round_trip(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (int i = 0; i < 4000; i++) {
		struct bytes b = coop_sample(&rng, (uint8_t)(COOP_OPEN + i % COOP_REFUSE), buf);
		struct coop_frame f;
		struct wr w;

		assert_true(decodes(b, &f));
		assert_int_equal(coop_frame_size(b), b.len);
		wr_init(&w, again, sizeof(again));
		coop_encode(&w, &f);
		assert_true(bytes_eq(b, wr_view(&w, 0, w.len)));
	}
}

static void items_come_out_as_they_went_in(void **state)
{
	struct coop_wire_item in = { .kind = 3,
				     .by = 7,
				     .key_len = 2,
				     .key = "ab",
				     .ver = 9,
				     .count = 6,
				     .dies_ms = 1000,
				     .body = BYTES_LIT("keys") };
	struct coop_wire_item out;
	struct coop_frame f;
	struct rd_err err = { NULL };
	struct rd r;
	struct wr w;
	size_t at;

	(void)state;
	wr_init(&w, buf, sizeof(buf));
	at = coop_items_begin(&w, 42, 7, 5);
	coop_item_encode(&w, &in);
	coop_items_end(&w, at, 8, 1);
	assert_true(decodes(wr_view(&w, 0, w.len), &f));
	assert_int_equal(f.group, 42);
	assert_int_equal(f.items.origin, 7);
	assert_int_equal(f.items.after, 5);
	assert_int_equal(f.items.upto, 8);
	assert_int_equal(f.items.all.len, coop_item_size(&in));
	r = rd_of(f.items.all, &err);
	assert_true(coop_item_decode(&r, &out));
	assert_int_equal(out.ver, 9);
	assert_int_equal(out.dies_ms, 1000);
	assert_memory_equal(out.key, "ab", 2);
	assert_true(bytes_eq(out.body, BYTES_LIT("keys")));
}

static void every_truncation_is_refused(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 2);
	for (uint8_t type = COOP_OPEN; type <= COOP_REFUSE; type++) {
		struct bytes b = coop_sample(&rng, type, buf);

		for (size_t n = 0; n < b.len; n++)
			refusal(BYTES(b.p, n));
	}
}

// The length says less than the body needs: nothing behind it is read.
static void a_body_that_ends_early_is_refused(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 3);
	for (uint8_t type = COOP_OPEN; type <= COOP_REFUSE; type++) {
		struct bytes b = coop_sample(&rng, type, buf);

		for (size_t n = COOP_FRAME_LEN; n < b.len; n++) {
			memcpy(bent, b.p, n);
			bent[8] = 0;
			bent[9] = 0;
			bent[10] = (uint8_t)((n - COOP_FRAME_LEN) >> 8);
			bent[11] = (uint8_t)(n - COOP_FRAME_LEN);
			refusal(BYTES(bent, n));
		}
	}
}

static struct bytes with_more(uint8_t version, uint8_t type)
{
	struct bytes b;
	struct rng rng;
	size_t body;

	rng_seed(&rng, 4);
	b = coop_sample(&rng, type, buf);
	body = b.len + 3 - COOP_FRAME_LEN;
	buf[2] = version;
	buf[10] = (uint8_t)(body >> 8);
	buf[11] = (uint8_t)body;
	memcpy(buf + b.len, "new", 3);
	return BYTES(buf, b.len + 3);
}

static void a_later_version_may_say_more(void **state)
{
	struct coop_frame f;

	(void)state;
	assert_string_equal(refusal(with_more(COOP_VERSION, COOP_HELLO)), "trailing octets");
	assert_true(decodes(with_more(COOP_VERSION + 1, COOP_HELLO), &f));
	assert_int_equal(f.version, COOP_VERSION + 1);
}

static void an_unknown_type_is_known_only_of_a_later_version(void **state)
{
	struct bytes b = with_more(COOP_VERSION, COOP_REFUSE);
	struct coop_frame f;

	(void)state;
	buf[3] = 77;
	assert_string_equal(refusal(b), "unknown type");
	buf[2] = COOP_VERSION + 1;
	assert_true(decodes(b, &f));
	assert_int_equal(f.type, 77);
}

static void what_is_no_frame_ends_the_stream(void **state)
{
	struct rng rng;
	struct bytes b;

	(void)state;
	rng_seed(&rng, 5);
	b = coop_sample(&rng, COOP_HELLO, buf);
	assert_int_equal(coop_frame_size(BYTES(b.p, COOP_FRAME_LEN - 1)), 0);
	assert_int_equal(coop_frame_size(BYTES(b.p, COOP_FRAME_LEN)), b.len);
	buf[8] = 1;
	assert_true(coop_frame_size(b) == SIZE_MAX);
	buf[8] = 0;
	buf[0] = 'G';
	assert_true(coop_frame_size(b) == SIZE_MAX);
	assert_string_equal(refusal(b), "no frame");
}

static void ids_counts_and_lengths_are_checked(void **state)
{
	struct coop_frame f = { .version = 1, .type = COOP_HANDOVER, .handover = { .to = 16 } };
	struct coop_wire_item item = { .count = 5, .body = BYTES_LIT("x") };
	struct wr w;
	size_t at;

	(void)state;
	wr_init(&w, buf, sizeof(buf));
	coop_encode(&w, &f);
	assert_string_equal(refusal(wr_view(&w, 0, w.len)), "id out of range");

	wr_init(&w, buf, sizeof(buf));
	at = coop_items_begin(&w, 1, 1, 5); // the item's count is not above
	coop_item_encode(&w, &item);
	coop_items_end(&w, at, 9, 1);
	assert_string_equal(refusal(wr_view(&w, 0, w.len)), "counts out of order");

	wr_init(&w, buf, sizeof(buf));
	at = coop_items_begin(&w, 1, 1, 4);
	coop_item_encode(&w, &item);
	coop_items_end(&w, at, 9, 0); // one more than promised
	assert_string_equal(refusal(wr_view(&w, 0, w.len)), "trailing octets");

	wr_init(&w, buf, sizeof(buf));
	f = (struct coop_frame){ .version = 1,
				 .type = COOP_VECTOR,
				 .vector = { .known = 1, .count = { COOP_COUNT_MAX + 1 } } };
	coop_encode(&w, &f);
	assert_string_equal(refusal(wr_view(&w, 0, w.len)), "count out of range");

	wr_init(&w, buf, sizeof(buf));
	f = (struct coop_frame){ .version = 1, .type = COOP_HELLO };
	f.hello.boot = 1; // term 0, and yet somebody is named: id 0
	coop_encode(&w, &f);
	assert_string_equal(refusal(wr_view(&w, 0, w.len)), "claim without a name");
}

// Any single octet changed: it decodes or not, but never to something that encodes otherwise.
static void what_decodes_after_damage_encodes_to_itself(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 6);
	for (int i = 0; i < 20000; i++) {
		struct bytes b = coop_sample(&rng, (uint8_t)(COOP_OPEN + i % COOP_REFUSE), buf);
		struct coop_frame f;
		struct wr w;

		buf[rng_range(&rng, 0, b.len - 1)] = (uint8_t)rng_u32(&rng);
		if (!decodes(b, &f) || f.version > COOP_VERSION)
			continue;
		wr_init(&w, again, sizeof(again));
		coop_encode(&w, &f);
		assert_true(bytes_eq(b, wr_view(&w, 0, w.len)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_survives_a_round_trip),
		cmocka_unit_test(items_come_out_as_they_went_in),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(a_body_that_ends_early_is_refused),
		cmocka_unit_test(a_later_version_may_say_more),
		cmocka_unit_test(an_unknown_type_is_known_only_of_a_later_version),
		cmocka_unit_test(what_is_no_frame_ends_the_stream),
		cmocka_unit_test(ids_counts_and_lengths_are_checked),
		cmocka_unit_test(what_decodes_after_damage_encodes_to_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
