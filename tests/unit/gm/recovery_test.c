#include "tests/unit/unit.h"

#include "common/base/rng.h"
#include "gm/recovery.h"

#define INTERVAL 300

static struct gm_recovery r;
static struct rng rng;

static int fresh(void **state)
{
	(void)state;
	gm_recovery_init(&r);
	rng_seed(&rng, 1);
	return 0;
}

static bool note(int64_t s, uint64_t n)
{
	return gm_recovery_note(&r, (mono_t){ s * 1000 }, n, INTERVAL, &rng);
}

static void a_few_packets_are_no_evidence(void **state)
{
	(void)state;
	for (int64_t s = 0; s < 600; s += 11)
		assert_false(note(s, GM_RECOVERY_PACKETS - 1));
	assert_true(note(1000, GM_RECOVERY_PACKETS));
}

static void the_moment_is_within_a_tenth_of_the_interval(void **state)
{
	(void)state;
	assert_true(note(50, 100));
	assert_true(r.at.ms >= 50000 && r.at.ms <= 50000 + INTERVAL * 100);
	assert_false(note(51, 100)); // decided already
}

static void off_is_off(void **state)
{
	(void)state;
	assert_false(gm_recovery_note(&r, (mono_t){ 0 }, 1000000, 0, &rng));
	assert_true(mono_is_never(r.at));
}

// A sender who never stops to make SPIs up.
static unsigned registrations(int64_t hours, bool news)
{
	unsigned n = 0;

	for (int64_t s = 0; s < hours * 3600; s++) {
		note(s, 1000000);
		if (mono_due(r.at, (mono_t){ s * 1000 })) {
			gm_recovery_begin(&r);
			gm_recovery_done(&r, news);
			n++;
		}
	}
	return n;
}

static void false_evidence_is_believed_less_and_less(void **state)
{
	(void)state;
	// 300 s, then 600, 1200, 2400, then every 4800: not 12 an hour but less than one.
	assert_in_range(registrations(24, false), 15, 22);
}

static void true_evidence_counts_once_per_interval(void **state)
{
	(void)state;
	assert_in_range(registrations(1, true), 10, 12);
}

static void an_ordinary_registration_without_news_changes_nothing(void **state)
{
	(void)state;
	gm_recovery_done(&r, false);
	assert_int_equal(r.factor, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, fresh)
		T(a_few_packets_are_no_evidence),
		T(the_moment_is_within_a_tenth_of_the_interval),
		T(off_is_off),
		T(false_evidence_is_believed_less_and_less),
		T(true_evidence_counts_once_per_interval),
		T(an_ordinary_registration_without_news_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
