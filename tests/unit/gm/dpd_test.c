#include "tests/unit/unit.h"

#include "gm/dpd.h"
#include "tests/unit/gm/world.h"

static struct world w;

static int two_ks(void **state)
{
	(void)state;
	world_init(&w, 2, &world_signer);
	for (size_t i = 0; i < 2; i++)
		test_ks_tek(&w.ks[i], "esp-gcm 128", i ? 0x2222 : 0x1111, 3600, 1, 2);
	return 0;
}

static int end(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static void start(bool on_demand)
{
	struct gm_conf *c = world_conf(&w);

	c->ike.dpd = (struct ike_dpd_conf){ 10, 2, on_demand };
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	w.g = w.gm->group[0];
	assert_true(w.g->registered);
}

static void without_it_phase_1_is_deleted_and_nobody_asked(void **state)
{
	(void)state;
	world_register(&w);
	assert_int_equal(w.ks[0].sa->peer_features & VID_CONCLAVE_KEEP, 0);
	world_until(&w, 300);
	assert_false(w.g->reg.sa_used);
	assert_int_equal(w.ks[0].questions, 0);
	assert_int_equal(w.ks[0].deletes, 1);
}

static void phase_1_is_kept_and_the_key_server_asked_each_interval(void **state)
{
	(void)state;
	start(false);
	assert_int_equal(w.ks[0].sa->peer_features & VID_CONCLAVE_KEEP, VID_CONCLAVE_KEEP);
	assert_true(w.ks[0].sa->peer_dpd);
	world_until(&w, 105);
	assert_int_equal(w.ks[0].questions, 10);
	assert_int_equal(w.gm->dpd.heard, 10);
	assert_int_equal(w.ks[0].deletes, 0);
	assert_int_equal(w.ks[0].pulls, 1);
}

static void a_dead_key_server_is_marked_in_the_configured_time_and_keys_go_on(void **state)
{
	(void)state;
	start(false);
	w.ks[0].dead = true;
	world_until(&w, 19);
	assert_int_equal(w.n_events[EV_IKE_PEER_DEAD], 0);
	world_until(&w, 20); // 10 s, then 5 questions 2 s apart
	assert_int_equal(w.n_events[EV_IKE_PEER_DEAD], 1);
	assert_non_null(strstr(w.last_text[EV_IKE_PEER_DEAD], "10.0.0.2"));
	assert_true(w.g->reg.dead[0]);
	assert_non_null(gm_teks_find(&w.g->teks, 0x1111));
	world_until(&w, 600);
	assert_int_equal(w.n_events[EV_IKE_PEER_DEAD], 1);
	assert_int_equal(w.n_events[EV_GM_REGS_FAIL], 0);
	assert_int_equal(w.ks[1].pulls, 0); // it may have other keys: not before ours end
	world_until(&w, 3590);
	assert_int_equal(w.ks[1].pulls, 1);
	assert_int_equal(w.n_events[EV_GM_REGS_FAIL], 0);
}

static void a_key_server_that_lost_its_phase_1_is_found_again_without_a_registration(void **state)
{
	(void)state;
	start(false);
	ike_sa_kill(w.ks[0].sa, IKE_R_CLOSED); // it was started again
	world_until(&w, 21);
	assert_int_equal(w.n_events[EV_IKE_PEER_DEAD], 1);
	assert_int_equal(w.n_events[EV_IKE_PEER_ALIVE], 1);
	assert_false(w.g->reg.dead[0]);
	assert_true(w.g->reg.sa_used);
	assert_int_equal(w.ks[0].pulls, 1);
	world_until(&w, 60);
	assert_int_equal(w.n_events[EV_IKE_PEER_DEAD], 1);
}

static void the_mark_goes_when_the_key_server_is_back(void **state)
{
	(void)state;
	start(false);
	w.ks[0].dead = true;
	world_until(&w, 100);
	assert_true(w.g->reg.dead[0]);
	w.ks[0].dead = false;
	world_until(&w, 150);
	assert_false(w.g->reg.dead[0]);
	assert_int_equal(w.n_events[EV_IKE_PEER_ALIVE], 1);
	assert_int_equal(w.ks[0].pulls, 1);
}

static void a_registration_wanted_during_a_probe_is_not_lost(void **state)
{
	(void)state;
	start(false);
	w.ks[0].dead = true;
	world_until(&w, 22);
	assert_true(w.g->reg.probing);
	world_event(&w, (struct gm_event){ .kind = GM_EV_REREGISTER });
	world_until(&w, 40);
	assert_int_equal(w.ks[1].pulls, 1);
}

static void phase_1_that_ended_by_its_life_is_made_again(void **state)
{
	struct gm_conf *c = world_conf(&w);

	(void)state;
	c->ike.dpd = (struct ike_dpd_conf){ 10, 2, false };
	c->ike.life_s = 60;
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	w.g = w.gm->group[0];
	world_until(&w, 200);
	assert_true(w.g->reg.sa_used);
	assert_int_equal(w.ks[0].pulls, 1);
	assert_int_equal(w.n_events[EV_IKE_PEER_DEAD], 0);
	assert_true(w.n_events[EV_IKE_ESTABLISHED] >= 4);
}

static void on_demand_asks_once_after_a_rekey_was_acknowledged(void **state)
{
	struct test_push p;

	(void)state;
	start(true);
	world_until(&w, 100);
	assert_int_equal(w.ks[0].questions, 0);
	test_push_begin(&p, &w.ks[0].kek);
	test_push_body(&p, &w.ks[0], 1, NULL, 1, w.ks[0].tek, NULL);
	world_datagram(&w, &w.ks[0].at, test_push_seal(&p, &w.ks[0], &w.ks[0].kek, NULL));
	assert_int_equal(w.n_acks, 1);
	world_until(&w, 200);
	assert_int_equal(w.ks[0].questions, 1);
}

static void questions_are_answered_while_phase_1_stands(void **state)
{
	static const uint8_t seven[] = { 0, 0, 0, 7 };
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	(void)state;
	world_register(&w);
	assert_int_equal(ike_info_notify(w.ks[0].sa, ISAKMP_N_R_U_THERE, BYTES_OF(seven), buf,
					 sizeof(buf), &msg),
			 0);
	world_datagram(&w, &w.ks[0].at, msg);
	assert_int_equal(w.ks[0].answers, 1);
	world_datagram(&w, &w.ks[0].at, msg); // replayed
	assert_int_equal(w.ks[0].answers, 1);
	assert_int_equal(w.gm->dpd.answered, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, two_ks, end)
	const struct CMUnitTest tests[] = {
		T(without_it_phase_1_is_deleted_and_nobody_asked),
		T(phase_1_is_kept_and_the_key_server_asked_each_interval),
		T(a_dead_key_server_is_marked_in_the_configured_time_and_keys_go_on),
		T(a_key_server_that_lost_its_phase_1_is_found_again_without_a_registration),
		T(the_mark_goes_when_the_key_server_is_back),
		T(a_registration_wanted_during_a_probe_is_not_lost),
		T(phase_1_that_ended_by_its_life_is_made_again),
		T(on_demand_asks_once_after_a_rekey_was_acknowledged),
		T(questions_are_answered_while_phase_1_stands),
	};
#undef T

	return cmocka_run_group_tests_name("gm/dpd", tests, world_signer_make, world_signer_end);
}
