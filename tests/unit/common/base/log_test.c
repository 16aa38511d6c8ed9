#include "tests/unit/unit.h"

#include "common/base/events.h"
#include "common/base/log.h"

static void limited_lines_are_counted_and_told_later(void **state)
{
	struct log_limit l = { .interval_ms = 100 };
	uint64_t held = 99;

	(void)state;
	assert_true(log_limit_pass(&l, (mono_t){ 0 }, &held));
	assert_int_equal(held, 0);
	for (int i = 1; i < 50; i++)
		assert_false(log_limit_pass(&l, (mono_t){ i }, &held));
	assert_true(log_limit_pass(&l, (mono_t){ 100 }, &held));
	assert_int_equal(held, 49);
}

static void events_carry_the_ios_mnemonic(void **state)
{
	(void)state;
	assert_string_equal(event_mnemonic(EV_GM_REGS_COMPL), "%GDOI-5-GM_REGS_COMPL");
	assert_string_equal(event_mnemonic(EV_GM_REGSTER), "%CRYPTO-5-GM_REGSTER");
	for (int i = 0; i < EV_COUNT; i++)
		assert_true(event_meaning((enum event_id)i)[0] != '\0');
}

static void deadlines_do_not_overflow(void **state)
{
	mono_t t = { INT64_MAX - 10 };

	(void)state;
	assert_true(mono_is_never(mono_add_ms(t, 11)));
	assert_true(mono_is_never(mono_add_s(t, INT64_MAX)));
	assert_int_equal(mono_left_s((mono_t){ 1001 }, (mono_t){ 0 }), 2);
	assert_int_equal(mono_left_s((mono_t){ 5 }, (mono_t){ 6 }), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limited_lines_are_counted_and_told_later),
		cmocka_unit_test(events_carry_the_ios_mnemonic),
		cmocka_unit_test(deadlines_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
