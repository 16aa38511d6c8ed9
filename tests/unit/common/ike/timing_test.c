// Deadlines: resending, stored replies, dead peer detection.
#include "tests/unit/unit.h"

#include "common/crypto/crypto.h"
#include "common/ike/dpd.h"
#include "common/ike/retrans.h"

static const mono_t t0 = { 10000 };
static const struct ike_schedule schedule = { 500, 2000, 4 };

static void resends_with_growing_waits_then_gives_up(void **state)
{
	static const int64_t waits[] = { 500, 1000, 2000, 2000 };
	struct ike_resend r;
	mono_t now = t0;

	(void)state;
	ike_resend_init(&r);
	assert_true(mono_is_never(r.next));
	assert_int_equal(ike_resend_arm(&r, &schedule, now, BYTES_LIT("ask")), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(r.next.ms - now.ms, waits[i]);
		assert_int_equal(ike_resend_due(&r, &schedule, mono_add_ms(r.next, -1)),
				 IKE_RESEND_WAIT);
		now = r.next;
		assert_int_equal(ike_resend_due(&r, &schedule, now),
				 i < 3 ? IKE_RESEND_AGAIN : IKE_RESEND_GIVE_UP);
		assert_memory_equal(r.msg, "ask", 3);
	}
	ike_resend_clear(&r);
	assert_int_equal(ike_resend_due(&r, &schedule, MONO_NEVER), IKE_RESEND_WAIT);
}

static void next_question_starts_the_schedule_anew(void **state)
{
	struct ike_resend r;

	(void)state;
	ike_resend_init(&r);
	assert_int_equal(ike_resend_arm(&r, &schedule, t0, BYTES_LIT("one")), 0);
	assert_int_equal(ike_resend_due(&r, &schedule, r.next), IKE_RESEND_AGAIN);
	assert_int_equal(ike_resend_arm(&r, &schedule, t0, BYTES_LIT("second")), 0);
	assert_int_equal(r.next.ms - t0.ms, 500);
	assert_int_equal(r.len, 6);
	ike_resend_clear(&r);
}

static void stored_reply_is_for_the_last_message_only(void **state)
{
	struct ike_stored s;
	struct bytes again;

	(void)state;
	ike_stored_init(&s);
	assert_false(ike_stored_repeat(&s, BYTES_LIT("one"), &again));
	assert_int_equal(ike_stored_accept(&s, BYTES_LIT("one")), 0);
	assert_true(ike_stored_repeat(&s, BYTES_LIT("one"), &again)); // still being worked on
	assert_int_equal(again.len, 0);
	assert_int_equal(ike_stored_reply(&s, BYTES_LIT("reply")), 0);
	assert_true(ike_stored_repeat(&s, BYTES_LIT("one"), &again));
	assert_true(bytes_eq(again, BYTES_LIT("reply")));
	assert_false(ike_stored_repeat(&s, BYTES_LIT("two"), &again));
	assert_int_equal(ike_stored_accept(&s, BYTES_LIT("two")), 0);
	assert_false(ike_stored_repeat(&s, BYTES_LIT("one"), &again));
	ike_stored_fini(&s);
}

static void repetitions_are_answered_a_bounded_number_of_times(void **state)
{
	struct ike_stored s;
	struct bytes again;
	unsigned answers = 0;

	(void)state;
	ike_stored_init(&s);
	assert_int_equal(ike_stored_accept(&s, BYTES_LIT("one")), 0);
	assert_int_equal(ike_stored_reply(&s, BYTES_LIT("reply")), 0);
	for (int i = 0; i < 100; i++) {
		assert_true(ike_stored_repeat(&s, BYTES_LIT("one"), &again));
		answers += again.len > 0;
	}
	assert_int_equal(answers, IKE_STORED_MAX_REPEATS);
	ike_stored_fini(&s);
}

// ---- RFC 3706 ----

static const struct ike_dpd_conf dpd_conf = { 60, 5, false };

static struct isakmp_notify notify_of(uint16_t type, const uint8_t *data)
{
	return (struct isakmp_notify){ .doi = 2, .proto = 1, .type = type, .data = BYTES(data, 4) };
}

static void silence_is_asked_about_then_called_death(void **state)
{
	struct ike_dpd d;
	struct rng rng;
	uint8_t first[4], again[4];

	(void)state;
	rng_seed(&rng, 1);
	ike_dpd_init(&d, &dpd_conf, t0, &rng);
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 59), first), IKE_DPD_NOTHING);
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 60), first), IKE_DPD_ASK);
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 64), again), IKE_DPD_NOTHING);
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 65), again), IKE_DPD_ASK);
	assert_memory_equal(first, again, 4); // the same question
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 70), again), IKE_DPD_ASK);
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 75), again), IKE_DPD_ASK);
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 80), again), IKE_DPD_ASK);
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 84), again), IKE_DPD_NOTHING);
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 85), again), IKE_DPD_DEAD);
	assert_true(mono_is_never(d.deadline));
}

static void only_the_right_number_counts_as_an_answer(void **state)
{
	struct ike_dpd d;
	struct rng rng;
	uint8_t asked[4], wrong[4], data[4];
	struct isakmp_notify n;
	bool stale;

	(void)state;
	rng_seed(&rng, 2);
	ike_dpd_init(&d, &dpd_conf, t0, &rng);
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 60), asked), IKE_DPD_ASK);
	memcpy(wrong, asked, 4);
	wrong[3]++;
	n = notify_of(ISAKMP_N_R_U_THERE_ACK, wrong);
	assert_false(ike_dpd_notify(&d, mono_add_s(t0, 61), &n, data, &stale));
	assert_true(stale);
	assert_int_equal(d.asked, 1);
	n = notify_of(ISAKMP_N_R_U_THERE_ACK, asked);
	assert_false(ike_dpd_notify(&d, mono_add_s(t0, 61), &n, data, &stale));
	assert_false(stale);
	assert_int_equal(d.deadline.ms, mono_add_s(t0, 121).ms);
	ike_dpd_notify(&d, mono_add_s(t0, 62), &n, data, &stale); // replayed
	assert_true(stale);
}

static void questions_are_answered_with_their_number(void **state)
{
	static const uint8_t seven[4] = { 0, 0, 0, 7 }, six[4] = { 0, 0, 0, 6 };
	struct isakmp_notify n = notify_of(ISAKMP_N_R_U_THERE, seven);
	struct ike_dpd d;
	struct rng rng;
	uint8_t data[4];
	bool stale;

	(void)state;
	rng_seed(&rng, 3);
	ike_dpd_init(&d, &dpd_conf, t0, &rng);
	assert_true(ike_dpd_notify(&d, t0, &n, data, &stale));
	assert_memory_equal(data, seven, 4);
	// Our answer was lost: it gets another, but is no sign that the peer hears us.
	assert_true(ike_dpd_notify(&d, mono_add_s(t0, 5), &n, data, &stale));
	assert_int_equal(d.heard.ms, t0.ms);
	n = notify_of(ISAKMP_N_R_U_THERE, six);
	assert_false(ike_dpd_notify(&d, t0, &n, data, &stale));
	assert_true(stale);
	n.data.len = 3;
	assert_false(ike_dpd_notify(&d, t0, &n, data, &stale));
	n = notify_of(ISAKMP_N_INITIAL_CONTACT, seven);
	assert_false(ike_dpd_notify(&d, t0, &n, data, &stale));
	assert_false(stale);
}

static void on_demand_asks_only_after_something_was_sent(void **state)
{
	const struct ike_dpd_conf conf = { 60, 5, true };
	struct ike_dpd d;
	struct rng rng;
	uint8_t data[4];

	(void)state;
	rng_seed(&rng, 5);
	ike_dpd_init(&d, &conf, t0, &rng);
	assert_true(mono_is_never(d.deadline));
	ike_dpd_sent(&d, mono_add_s(t0, 10));
	assert_int_equal(d.deadline.ms, mono_add_s(t0, 60).ms);
	ike_dpd_heard(&d, mono_add_s(t0, 20)); // it lives: no need to ask
	assert_true(mono_is_never(d.deadline));
	ike_dpd_sent(&d, mono_add_s(t0, 500)); // silent for longer than that
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 500), data), IKE_DPD_ASK);
	ike_dpd_sent(&d, mono_add_s(t0, 501));
	assert_int_equal(d.deadline.ms, mono_add_s(t0, 505).ms);
}

static void dpd_can_be_off(void **state)
{
	const struct ike_dpd_conf off = { 0, 5, false };
	struct ike_dpd d;
	struct rng rng;
	uint8_t data[4];

	(void)state;
	rng_seed(&rng, 4);
	ike_dpd_init(&d, &off, t0, &rng);
	assert_true(mono_is_never(d.deadline));
	assert_int_equal(ike_dpd_timer(&d, mono_add_s(t0, 100000), data), IKE_DPD_NOTHING);
}

static int setup(void **state)
{
	(void)state;
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resends_with_growing_waits_then_gives_up),
		cmocka_unit_test(next_question_starts_the_schedule_anew),
		cmocka_unit_test(stored_reply_is_for_the_last_message_only),
		cmocka_unit_test(repetitions_are_answered_a_bounded_number_of_times),
		cmocka_unit_test(silence_is_asked_about_then_called_death),
		cmocka_unit_test(only_the_right_number_counts_as_an_answer),
		cmocka_unit_test(questions_are_answered_with_their_number),
		cmocka_unit_test(on_demand_asks_only_after_something_was_sent),
		cmocka_unit_test(dpd_can_be_off),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
