#include "ks/plan.h"
#include "ks/policy_diff.h"
#include "ks/show.h"
#include "tests/unit/ks/ks_world.h"

static struct keystore *signing; // of every configuration here: a reload reads the same file

static void former(struct ks_conf *c)
{
	static const char *const lines[] = { "deny tcp any any", "permit 10.0.0.0/8 10.0.0.0/8",
					     "permit 172.16.0.0/12 10.0.0.0/8" };

	keystore_put(c->store);
	c->store = keystore_get(signing);
	policy_put(c->groups[0].policy);
	c->groups[0].policy = world_policy(lines, 3, "esp-gcm 128", 3600);
}

static void staged(struct ks_conf *c)
{
	static const char *const lines[] = { "permit 10.0.0.0/8 10.0.0.0/8",
					     "permit 192.168.0.0/16 10.0.0.0/8",
					     "permit 172.16.0.0/12 10.0.0.0/8" };

	former(c);
	policy_put(c->groups[0].policy);
	c->groups[0].policy = world_policy(lines, 3, "esp-gcm 256", 1800);
}

static void staged_kek(struct ks_conf *c)
{
	staged(c);
	c->groups[0].kek.life_s = 7200;
}

static void staged_sids(struct ks_conf *c)
{
	former(c);
	c->groups[0].sid_bits = 16;
}

static void staged_receive_only(struct ks_conf *c)
{
	former(c);
	c->groups[0].receive_only = c->groups[0].policy->receive_only = true;
}

static void reload(struct world *w, void (*change)(struct ks_conf *c))
{
	world_step(w, &(struct ks_event){ .kind = KS_EV_CONFIG, .conf = world_conf(change) });
}

static void command(struct world *w, bool replace)
{
	world_step(w, &(struct ks_event){ .kind = KS_EV_REKEY, .at_once = replace });
	world_settle(w);
}

static struct world *world_with(unsigned n)
{
	struct world *w = world_new(former);
	char text[32];

	for (unsigned i = 1; i <= n; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", i);
		world_register(w, world_member(w, text));
	}
	return w;
}

static const char *shown(struct world *w, void (*show)(const struct ks *ks, mono_t now,
						       const char *word, struct ctl_text *t))
{
	static char text[4096];
	struct ctl_text t = { 0 };

	show(&w->ks, w->now, NULL, &t);
	snprintf(text, sizeof(text), "%s", t.b);
	free(t.b);
	return text;
}

static void see(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("\"%s\" is not in:\n%s", what, text);
}

static void rekeys_on_schedule_go_on_with_the_policy_that_runs(void **state)
{
	struct world *w = world_with(1);
	struct test_member *m = w->member[0];
	uint32_t spi = m->tek[0].spi;

	(void)state;
	reload(w, staged_kek);
	assert_int_equal(w->events[EV_POLICY_CHANGE], 1);
	for (int i = 0; i < 400; i++)
		world_pass(w, 10000);
	assert_int_not_equal(m->tek[0].spi, spi);
	assert_int_equal(m->tek[0].key_len, 20);
	assert_true(ks_plan_is_staged(&w->ks, world_group(w)));
	for (int i = 0; i < 900; i++) // past the KEK's life
		world_pass(w, 100000);
	assert_int_equal(world_group(w)->keys.kek.params.life_s, 86400);
	command(w, false);
	assert_int_equal(m->tek[0].key_len, 36);
	assert_int_equal(world_group(w)->keys.kek.params.life_s, 7200);
	assert_false(ks_plan_is_staged(&w->ks, world_group(w)));
	assert_int_equal(m->n_push_bad, 0);
	world_free(w);
}

static void who_registers_meanwhile_gets_the_policy_that_runs(void **state)
{
	struct world *w = world_with(1);
	struct test_member *late = world_member(w, "192.0.2.9");

	(void)state;
	reload(w, staged_kek);
	world_register(w, late);
	assert_int_equal(late->tek[0].spi, w->member[0]->tek[0].spi);
	assert_memory_equal(late->kek_spi, w->member[0]->kek_spi, sizeof(late->kek_spi));
	assert_int_equal(late->n_sat, w->member[0]->n_sat);
	world_free(w);
}

static void a_group_that_is_renewed_meanwhile_keeps_the_policy_that_runs(void **state)
{
	struct world *w = world_with(1);
	struct ks_event clear = { .kind = KS_EV_CLEAR, .at_once = true };

	(void)state;
	reload(w, staged_kek);
	world_step(w, &clear);
	world_settle(w);
	world_register(w, w->member[0]);
	assert_int_equal(w->member[0]->tek[0].key_len, 20);
	assert_true(ks_plan_is_staged(&w->ks, world_group(w)));
	command(w, false);
	world_pass(w, 60000);
	assert_false(ks_plan_is_staged(&w->ks, world_group(w)));
	world_free(w);
}

static void a_file_that_is_put_back_leaves_nothing_staged(void **state)
{
	struct world *w = world_with(1);

	(void)state;
	reload(w, staged);
	assert_true(ks_plan_is_staged(&w->ks, world_group(w)));
	reload(w, former);
	assert_false(ks_plan_is_staged(&w->ks, world_group(w)));
	see(shown(w, ks_show_diff), "nothing is staged");
	world_free(w);
}

static void staged_policy_goes_out_with_delays_and_the_former_keys_drain(void **state)
{
	struct world *w = world_with(2);
	struct test_member *m = w->member[0];

	(void)state;
	reload(w, staged);
	command(w, false);
	assert_int_equal(m->n_push, 1);
	assert_int_equal(m->n_del, 0);
	assert_true(m->gap.atd_s > 0 && m->gap.dtd_s > m->gap.atd_s);
	assert_int_equal(world_group(w)->keys.n_gen, 2);
	assert_true(world_group(w)->keys.gen[1].drained.ms > w->now.ms);
	assert_int_equal(world_group(w)->keys.kek.seq, 1); // the KEK is the same
	world_free(w);
}

static void replace_now_ends_the_former_keys_in_the_same_message(void **state)
{
	struct world *w = world_with(2);
	struct test_member *m = w->member[0];
	uint8_t kek[KEYS_KEK_SPI_LEN];

	(void)state;
	memcpy(kek, m->kek_spi, sizeof(kek));
	reload(w, staged);
	command(w, true);
	assert_int_equal(m->n_push, 1);
	assert_int_equal(m->n_push_bad, 0);
	assert_int_equal(m->n_del, 1);
	assert_true(m->has_gap && m->gap.has_atd && m->gap.atd_s == 0);
	assert_true(m->gap.has_dtd && m->gap.dtd_s == 0);
	assert_memory_not_equal(m->kek_spi, kek, sizeof(kek));
	world_pass(w, 1000);
	assert_int_equal(world_group(w)->keys.n_gen, 1);
	world_register(w, world_member(w, "192.0.2.9"));
	assert_int_equal(w->member[2]->n_tek, 3);
	world_free(w);
}

static void a_word_during_a_rekey_is_kept_until_it_is_over(void **state)
{
	struct world *w = world_with(2);
	struct test_member *m = w->member[0];

	(void)state;
	w->member[1]->ack = false; // so that it lasts
	command(w, false);
	reload(w, staged);
	command(w, true);
	assert_int_equal(m->n_push, 1);
	assert_int_equal(world_group(w)->wanted, KS_WANT_REPLACE);
	world_pass(w, 40000);
	assert_int_equal(m->n_push, 2);
	assert_int_equal(m->n_del, 1);
	assert_int_equal(m->tek[0].key_len, 36);
	assert_int_equal(world_group(w)->wanted, KS_WANT_NOTHING);
	world_free(w);
}

static void the_diff_names_lines_parameters_and_what_it_costs(void **state)
{
	struct world *w = world_with(2);
	const char *text;

	(void)state;
	reload(w, staged_kek);
	text = shown(w, ks_show_diff);
	see(text, "Lines     : 1 added, 1 removed, 2 changed");
	see(text, "    - deny tcp any any\n");
	see(text, "    + permit ip 192.168.0.0 0.0.255.255 10.0.0.0 0.255.255.255\n");
	see(text, "    ~ permit ip 10.0.0.0 0.255.255.255 10.0.0.0 0.255.255.255\n");
	see(text, "        transform esp-gcm 128 -> esp-gcm 256\n");
	see(text, "        lifetime 3600 -> 1800\n");
	see(text, "    ~ rekey lifetime: 86400 -> 7200\n");
	see(text, "2 before, 3 after");
	see(text, "one rekey, with a new KEK");
	see(text, "all 2 can express it");
	see(shown(w, ks_show_staged), "permit ip 192.168.0.0 0.0.255.255 10.0.0.0 0.255.255.255  "
				      "(sa 10, esp-gcm 256, 1800 s)");
	reload(w, staged_sids);
	text = shown(w, ks_show_diff);
	see(text, "sender id bits: 24 -> 16");
	see(text, "all members register again");
	world_free(w);
}

// Keys of it that are for receiving alone.
static size_t receive_only_keys(const struct test_member *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_sat; i++)
		n += m->sat[i].direction == IPSEC_DIR_RECEIVER_ONLY;
	return n;
}

static uint16_t newest_direction(const struct test_member *m)
{
	for (size_t i = 0; i < m->n_sat; i++) {
		if (m->sat[i].proto == GDOI_PROTO_ESP)
			return m->sat[i].direction;
	}
	fail_msg("no key");
	return 0;
}

static void a_group_turns_receive_only_with_a_rekey_and_back_with_another(void **state)
{
	struct world *w = world_with(2);
	struct test_member *m = w->member[0];

	(void)state;
	reload(w, staged_receive_only);
	see(shown(w, ks_show_diff), "~ sa direction: both -> receive-only\n");
	see(shown(w, ks_show_summary), "IPSec SA Direction       : Both\n");
	assert_int_equal(receive_only_keys(m), 0);
	command(w, false);
	assert_int_equal(m->n_push, 1);
	assert_int_equal(newest_direction(m), IPSEC_DIR_RECEIVER_ONLY);
	assert_int_equal(receive_only_keys(m), 2);
	see(shown(w, ks_show_summary), "IPSec SA Direction       : Inbound Only\n");
	world_pass(w, 200000);
	reload(w, former);
	see(shown(w, ks_show_diff), "~ sa direction: receive-only -> both\n");
	command(w, false);
	assert_int_equal(m->n_push, 2);
	assert_int_equal(receive_only_keys(m), 0);
	m = world_member(w, "192.0.2.8"); // before the former keys are gone
	world_register(w, m);
	assert_int_equal(newest_direction(m), 0);
	assert_int_equal(receive_only_keys(m), 2);
	world_pass(w, 200000);
	m = world_member(w, "192.0.2.9");
	world_register(w, m);
	assert_int_equal(receive_only_keys(m), 0);
	world_free(w);
}

static void other_replay(struct ks_conf *c)
{
	staged(c);
	c->groups[0].policy->slot[0].replay = (struct replay){ REPLAY_TIME, 20 };
}

static void a_change_of_anti_replay_alone_is_staged_told_and_sent(void **state)
{
	struct world *w = world_new(staged);
	struct test_member *m = world_member(w, "192.0.2.1");
	const char *text;

	(void)state;
	world_register(w, m);
	reload(w, other_replay);
	assert_true(ks_plan_is_staged(&w->ks, world_group(w)));
	text = shown(w, ks_show_diff);
	see(text, "1 changed");
	see(text, "        anti-replay counter, 64 -> time, 20 s\n");
	see(shown(w, ks_show_policy), "antireplay window size: 64\n");
	assert_true(world_rekey(w));
	world_settle(w);
	see(shown(w, ks_show_policy), "time window (sec)      : 20\n");
	see(shown(w, ks_show_replay), "    IPSec SA 10        : time, 20 s\n");
	assert_int_equal(m->n_push_bad, 0);
	world_free(w);
}

static void tcp_is_denied(struct ks_conf *c)
{
	static const char *const lines[] = { "deny tcp any any", "permit 10.0.0.0/8 10.0.0.0/8" };

	staged(c);
	policy_put(c->groups[0].policy);
	c->groups[0].policy = world_policy(lines, 2, "esp-gcm 128", 3600);
}

static void members_that_cannot_express_it_are_named(void **state)
{
	struct world *w = world_new(staged);
	json_t *j;

	(void)state;
	world_register(w, world_member(w, "192.0.2.1"));
	w->gm_conf.features = 0;
	world_register(w, world_member(w, "192.0.2.2"));
	reload(w, tcp_is_denied);
	see(shown(w, ks_show_diff), "1 of 2 cannot express it (the deny of line 1 has no RFC 6407 "
				    "form):\n        192.0.2.2\n");
	j = ks_show_diff_json(&w->ks, w->now, NULL);
	assert_true(json_is_true(
		json_object_get(json_array_get(json_object_get(j, "groups"), 0), "staged")));
	json_decref(j);
	world_free(w);
}

static void a_diff_of_any_two_policies_leads_from_one_to_the_other(void **state)
{
	static const char *const from[] = { "permit 10.1.0.0/16 10.2.0.0/16", "deny tcp any any",
					    "permit 10.3.0.0/16 10.2.0.0/16",
					    "permit 10.5.0.0/16 10.2.0.0/16" };
	static const char *const to[] = { "deny tcp any any", "permit 10.1.0.0/16 10.2.0.0/16",
					  "permit 10.4.0.0/16 10.2.0.0/16" };
	struct policy *a = world_policy(from, 4, "esp-gcm 128", 3600);
	struct policy *b = world_policy(to, 3, "esp-gcm 128", 3600);
	struct policy_diff d;
	size_t i = 0, j = 0;

	(void)state;
	policy_diff_make(a, b, &d);
	for (size_t n = 0; n < d.n; n++) {
		if (d.change[n].before)
			assert_ptr_equal(d.change[n].before, &a->ordered[i++]);
		if (d.change[n].after)
			assert_ptr_equal(d.change[n].after, &b->ordered[j++]);
	}
	assert_int_equal(i, a->n_ordered);
	assert_int_equal(j, b->n_ordered);
	assert_int_equal(d.n_added, 2);
	assert_int_equal(d.n_removed, 3);
	policy_put(a);
	policy_put(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rekeys_on_schedule_go_on_with_the_policy_that_runs),
		cmocka_unit_test(who_registers_meanwhile_gets_the_policy_that_runs),
		cmocka_unit_test(a_group_that_is_renewed_meanwhile_keeps_the_policy_that_runs),
		cmocka_unit_test(a_file_that_is_put_back_leaves_nothing_staged),
		cmocka_unit_test(staged_policy_goes_out_with_delays_and_the_former_keys_drain),
		cmocka_unit_test(replace_now_ends_the_former_keys_in_the_same_message),
		cmocka_unit_test(a_word_during_a_rekey_is_kept_until_it_is_over),
		cmocka_unit_test(the_diff_names_lines_parameters_and_what_it_costs),
		cmocka_unit_test(a_group_turns_receive_only_with_a_rekey_and_back_with_another),
		cmocka_unit_test(a_change_of_anti_replay_alone_is_staged_told_and_sent),
		cmocka_unit_test(members_that_cannot_express_it_are_named),
		cmocka_unit_test(a_diff_of_any_two_policies_leads_from_one_to_the_other),
	};
	int failed;

	signing = keystore_new();
	if (crypto_init() || signer_generate(&signing->signer, "REKEY", SIGN_ECDSA_P256, 0))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	keystore_put(signing);
	return failed;
}
