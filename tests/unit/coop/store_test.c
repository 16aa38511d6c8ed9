#include "coop/coop.h"
#include "tests/unit/unit.h"

static struct coop_item item(uint64_t ver, uint8_t flags, uint8_t by, const char *body)
{
	return (struct coop_item){ .kind = COOP_K_BAN,
				   .flags = flags,
				   .by = by,
				   .key_len = 1,
				   .key = { 9 },
				   .origin = by,
				   .ver = ver,
				   .count = ver,
				   .dies = MONO_NEVER,
				   .body = (uint8_t *)(uintptr_t)body,
				   .len = strlen(body) };
}

static struct coop_item *only(const struct coop_store *s)
{
	return coop_store_find(s, COOP_K_BAN, BYTES("\x09", 1));
}

static void copies_join_to_the_same_in_any_order(void **state)
{
	struct coop_item c[] = { item(1, 0, 3, "a"), item(2, 0, 1, "b"), item(2, 0, 2, "a"),
				 item(2, 1, 1, "c") };
	struct coop_item *i;

	(void)state;
	for (size_t first = 0; first < N_ELEMS(c); first++) {
		struct coop_store s;

		coop_store_init(&s);
		for (size_t n = 0; n < 2 * N_ELEMS(c); n++)
			(void)coop_store_join(&s, &c[(first + 3 * n) % N_ELEMS(c)], &i);
		assert_int_equal(s.n, 1);
		assert_int_equal(only(&s)->ver, 2);
		assert_int_equal(only(&s)->flags, COOP_BANNED);
		assert_memory_equal(only(&s)->body, "c", 1);
		coop_store_fini(&s);
	}
}

static void who_holds_the_newer_copy_is_told_that_the_other_is_behind(void **state)
{
	struct coop_item newer = item(2, 0, 1, "b"), older = item(1, 0, 1, "a"), *i;
	struct coop_store s;

	(void)state;
	coop_store_init(&s);
	assert_int_equal(coop_store_join(&s, &newer, &i), COOP_JOIN_NEW);
	assert_int_equal(coop_store_join(&s, &newer, &i), COOP_JOIN_OLD);
	assert_int_equal(coop_store_join(&s, &older, &i), COOP_JOIN_BEHIND);
	assert_int_equal(i->ver, 2);
	coop_store_fini(&s);
}

static void of_two_tags_of_one_item_the_later_is_kept(void **state)
{
	struct coop_item early = item(1, 0, 3, "a"), late = early, *i;

	(void)state;
	late.origin = 1;
	late.count = early.count + 1;
	for (int late_first = 0; late_first < 2; late_first++) {
		struct coop_store s;

		coop_store_init(&s);
		(void)coop_store_join(&s, late_first ? &late : &early, &i);
		assert_int_equal(coop_store_join(&s, late_first ? &early : &late, &i),
				 late_first ? COOP_JOIN_OLD : COOP_JOIN_TAG);
		assert_int_equal(only(&s)->origin, 1);
		assert_ptr_equal(coop_store_after(&s, 1, early.count), only(&s));
		assert_null(coop_store_after(&s, 3, 0));
		coop_store_fini(&s);
	}
}

static void lives_only_shrink_and_activation_only_moves_on(void **state)
{
	struct coop_item a = item(1, 0, 1, "k"), b = item(1, 0, 1, "k"), *i;
	struct coop_store s;

	(void)state;
	a.dies = (mono_t){ 100000 };
	a.active = (mono_t){ 5000 };
	b.dies = (mono_t){ 200000 };
	b.active = (mono_t){ 20000 };
	coop_store_init(&s);
	(void)coop_store_join(&s, &a, &i);
	assert_int_equal(coop_store_join(&s, &b, &i), COOP_JOIN_MIXED);
	assert_int_equal(i->dies.ms, 100000);
	assert_int_equal(i->active.ms, 20000);
	coop_store_fini(&s);
}

static void items_of_an_origin_come_in_the_order_of_their_counts(void **state)
{
	static const uint64_t counts[] = { 5, 9, 2, 7 };
	struct coop_store s;
	struct coop_item *i;

	(void)state;
	coop_store_init(&s);
	for (size_t n = 0; n < N_ELEMS(counts); n++) {
		struct coop_item it = item(1, 0, 4, "x");

		it.key[0] = (uint8_t)n;
		it.count = counts[n];
		(void)coop_store_join(&s, &it, &i);
	}
	assert_int_equal(coop_store_after(&s, 4, 0)->count, 2);
	assert_int_equal(coop_store_after(&s, 4, 5)->count, 7);
	assert_int_equal(coop_store_after(&s, 4, 7)->count, 9);
	assert_null(coop_store_after(&s, 4, 9));
	coop_store_drop(&s, coop_store_after(&s, 4, 5));
	assert_int_equal(coop_store_after(&s, 4, 5)->count, 9);
	coop_store_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_join_to_the_same_in_any_order),
		cmocka_unit_test(who_holds_the_newer_copy_is_told_that_the_other_is_behind),
		cmocka_unit_test(of_two_tags_of_one_item_the_later_is_kept),
		cmocka_unit_test(lives_only_shrink_and_activation_only_moves_on),
		cmocka_unit_test(items_of_an_origin_come_in_the_order_of_their_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
