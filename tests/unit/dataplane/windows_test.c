#include "tests/unit/unit.h"

#include "common/base/err.h"
#include "common/base/rng.h"
#include "dataplane/esp_fmt.h"
#include "dataplane/windows.h"

#define SID_BITS 16

static enum windows_verdict check(struct windows *w, uint32_t sid, unsigned worker, uint64_t number)
{
	struct esp_iv_space space;
	uint8_t iv[8];

	assert_true(esp_iv_space_init(&space, sid, SID_BITS, worker, WINDOWS_WORKER_BITS));
	esp_iv_put(iv, &space, number);
	return windows_check(w, iv);
}

static void a_packet_passes_once(void **state)
{
	struct windows *w = windows_new(SID_BITS, 64, 4);

	(void)state;
	assert_int_equal(check(w, 1, 0, 100), WINDOWS_FRESH);
	assert_int_equal(check(w, 1, 0, 100), WINDOWS_REPEATED);
	assert_int_equal(check(w, 1, 0, 101), WINDOWS_FRESH);
	assert_int_equal(check(w, 1, 0, 99), WINDOWS_FRESH);
	assert_int_equal(check(w, 1, 0, 99), WINDOWS_REPEATED);
	windows_free(w);
}

static void the_window_is_as_wide_as_it_says(void **state)
{
	static const uint32_t width[] = { 64, 128, 256, 512, 1024 };

	(void)state;
	for (size_t i = 0; i < N_ELEMS(width); i++) {
		struct windows *w = windows_new(SID_BITS, width[i], 4);

		assert_int_equal(check(w, 1, 0, 5000), WINDOWS_FRESH);
		assert_int_equal(check(w, 1, 0, 5000 - width[i]), WINDOWS_OLD);
		assert_int_equal(check(w, 1, 0, 5000 - width[i] + 1), WINDOWS_FRESH);
		windows_free(w);
	}
}

static void senders_and_their_workers_do_not_meet(void **state)
{
	struct windows *w = windows_new(SID_BITS, 64, 64);

	(void)state;
	for (uint32_t sid = 0; sid < 8; sid++) {
		for (unsigned worker = 0; worker < 8; worker++)
			assert_int_equal(check(w, sid, worker, 7), WINDOWS_FRESH);
	}
	assert_int_equal(windows_senders(w), 64);
	assert_int_equal(check(w, 3, 2, 7), WINDOWS_REPEATED);
	windows_free(w);
}

static void senders_beyond_the_room_pass_unchecked_and_the_others_do_not(void **state)
{
	struct windows *w = windows_new(SID_BITS, 64, 2);

	(void)state;
	assert_int_equal(check(w, 1, 0, 7), WINDOWS_FRESH);
	assert_int_equal(check(w, 2, 0, 7), WINDOWS_FRESH);
	assert_int_equal(check(w, 3, 0, 7), WINDOWS_UNCHECKED);
	assert_int_equal(check(w, 3, 0, 7), WINDOWS_UNCHECKED);
	assert_int_equal(check(w, 2, 0, 7), WINDOWS_REPEATED);
	assert_int_equal(windows_senders(w), 2);
	windows_free(w);
}

static void a_sender_id_that_leaves_no_counter_is_refused(void **state)
{
	(void)state;
	assert_null(windows_new(0, 64, 2));
	assert_null(windows_new(60, 64, 2));
}

#define N_NUMBERS 20000

// Against the plainest form there is: what was seen is written down, number by number.
static void it_says_what_a_list_of_all_numbers_says(void **state)
{
	struct rng rng;

	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		static bool seen[N_NUMBERS];
		uint32_t width = 64u << seed % 5;
		struct windows *w = windows_new(SID_BITS, width, 4);
		uint64_t top = 0, at = 1;

		rng_seed(&rng, seed);
		memset(seen, 0, sizeof(seen));
		for (unsigned i = 0; i < 20000; i++) {
			uint64_t back = rng_range(&rng, 0, 2 * width), number;
			enum windows_verdict want = WINDOWS_FRESH;

			at += rng_range(&rng, 0, 9) == 0 ? rng_range(&rng, 0, 3 * width) : 1;
			number = at > back ? at - back : at;
			if (at >= N_NUMBERS - 1)
				break;
			if (top && number + width <= top)
				want = WINDOWS_OLD;
			else if (seen[number])
				want = WINDOWS_REPEATED;
			else
				seen[number] = true;
			top = MAX_OF(top, number);
			assert_int_equal(check(w, 9, 1, number), want);
		}
		windows_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_passes_once),
		cmocka_unit_test(the_window_is_as_wide_as_it_says),
		cmocka_unit_test(senders_and_their_workers_do_not_meet),
		cmocka_unit_test(senders_beyond_the_room_pass_unchecked_and_the_others_do_not),
		cmocka_unit_test(a_sender_id_that_leaves_no_counter_is_refused),
		cmocka_unit_test(it_says_what_a_list_of_all_numbers_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
