#include "tests/unit/ks/ks_world.h"

#include "ks/show.h"

static struct world *one_rekeyed_member(void)
{
	struct world *w = world_new(NULL);

	world_register(w, world_member(w, "192.0.2.1"));
	assert_true(world_rekey(w));
	return w;
}

static void has(const struct ctl_text *t, const char *line)
{
	if (!t->b || !strstr(t->b, line))
		fail_msg("no \"%s\" in:\n%s", line, t->b ? t->b : "");
}

static void members_are_laid_out_as_ios_does(void **state)
{
	struct world *w = one_rekeyed_member();
	struct ctl_text t = { 0 };

	(void)state;
	ks_show_members(&w->ks, w->now, NULL, &t);
	has(&t, "Group Member Information :\n\n"
		"Number of rekeys sent for group G1 : 1\n"
		"Number of retransmits during the last rekey for group G1 : 0\n");
	has(&t, "Group Member ID    : 192.0.2.1  GM Version: 0.1\n Group ID          : 1234\n"
		" Group Name        : G1\n Group Type        : GDOI (ISAKMP)\n"
		" GM State          : Registered\n Key Server ID     : 10.0.0.1\n"
		" Rekeys sent       : 1\n Rekeys retries    : 0\n Rekey Acks Rcvd   : 1\n"
		" Rekey Acks missed : 0\n\n Sent seq num : 1     0     0     0    \n"
		" Rcvd seq num : 1     0     0     0    \n");
	free(t.b);
	world_free(w);
}

static void one_member_can_be_asked_for_and_a_missing_one_is_said_to_be(void **state)
{
	struct world *w = one_rekeyed_member();
	struct ctl_text t = { 0 }, none = { 0 };

	(void)state;
	world_register(w, world_member(w, "192.0.2.2"));
	ks_show_members(&w->ks, w->now, "192.0.2.2", &t);
	has(&t, "Group Member ID    : 192.0.2.2");
	assert_null(strstr(t.b, "192.0.2.1"));
	ks_show_members(&w->ks, w->now, "192.0.2.77", &none);
	has(&none, "Group Member not Found");
	free(t.b);
	free(none.b);
	world_free(w);
}

static void policy_names_keys_by_spi_and_counts_down(void **state)
{
	struct world *w = one_rekeyed_member();
	struct ctl_text t = { 0 };
	char line[80];

	(void)state;
	world_pass(w, 10000);
	ks_show_policy(&w->ks, w->now, NULL, &t);
	has(&t, "  # of teks : 2  Seq num : 1\n  KEK POLICY (transport type : Unicast)\n");
	has(&t, "    orig life(sec)     : 86400         remaining life(sec)   : 86390\n");
	has(&t, "    crypto iv length   : 16            key size              : 32\n");
	has(&t, "    transform          : esp-gcm 128\n"
		"    alg key size       : 20            sig key size          : 0\n"
		"    orig life(sec)     : 3600          remaining life(sec)   : 3590\n"
		"    tek life(sec)      : 3600          elapsed time(sec)     : 10\n");
	has(&t, "    time to rekey (sec): n/a\n");
	snprintf(line, sizeof(line), "    spi                : 0x%08X\n",
		 world_group(w)->keys.gen[0].tek[0].spi);
	has(&t, line);
	free(t.b);
	world_free(w);
}

static const json_t *first_group(const json_t *j)
{
	const json_t *g = json_array_get(json_object_get(j, "groups"), 0);

	assert_non_null(g);
	return g;
}

static const char *tek_state(struct world *w, size_t i)
{
	static char kept[32];
	json_t *j = ks_show_policy_json(&w->ks, w->now, NULL);
	const json_t *t = json_array_get(json_object_get(first_group(j), "teks"), i);

	snprintf(kept, sizeof(kept), "%s", json_string_value(json_object_get(t, "state")));
	json_decref(j);
	return kept;
}

static void a_tek_is_staged_then_current_and_its_predecessor_draining(void **state)
{
	struct world *w = one_rekeyed_member();

	(void)state;
	assert_string_equal(tek_state(w, 0), "staged");
	assert_string_equal(tek_state(w, 1), "current");
	world_pass(w, 33000);
	assert_string_equal(tek_state(w, 0), "current");
	assert_string_equal(tek_state(w, 1), "draining");
	world_free(w);
}

static json_int_t number(const json_t *j, const char *name)
{
	const json_t *v = json_object_get(j, name);

	if (!json_is_integer(v))
		fail_msg("%s is no number", name);
	return json_integer_value(v);
}

static void members_as_json_have_the_names_scripts_rely_on(void **state)
{
	struct world *w = one_rekeyed_member();
	json_t *j;
	const json_t *g, *m;

	(void)state;
	world_pass(w, 5000);
	j = ks_show_members_json(&w->ks, w->now, NULL);
	g = first_group(j);
	m = json_array_get(json_object_get(g, "members"), 0);
	assert_string_equal(json_string_value(json_object_get(g, "name")), "G1");
	assert_int_equal(number(g, "rekeys_sent"), 1);
	assert_int_equal(number(g, "retransmits"), 0);
	assert_string_equal(json_string_value(json_object_get(m, "id")), "192.0.2.1");
	assert_string_equal(json_string_value(json_object_get(m, "version")), "0.1");
	assert_int_equal(number(m, "registered_s"), 5);
	assert_int_equal(number(m, "rekeys_sent"), 1);
	assert_int_equal(number(m, "acks_received"), 1);
	assert_int_equal(number(m, "acks_missed"), 0);
	assert_int_equal(number(m, "last_seq_acked"), 1);
	json_decref(j);
	world_free(w);
}

static void counters_tell_what_was_refused_by_reason(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	struct ctl_text t = { 0 };
	json_t *j;

	(void)state;
	m->group = 7;
	tm_start(m, w->now);
	world_settle(w);
	ks_show_counters(&w->ks, w->now, NULL, &t);
	has(&t, "pull-unknown-group                   : 1\n");
	j = ks_show_counters_json(&w->ks, w->now, NULL);
	assert_int_equal(number(json_object_get(j, "refused"), "pull-unknown-group"), 1);
	assert_int_equal(number(j, "phase1_established"), 1);
	json_decref(j);
	free(t.b);
	world_free(w);
}

// Everything that can be asked, as one text: no key of the group is in it in any spelling.
static void no_answer_holds_key_octets(void **state)
{
	struct world *w = one_rekeyed_member();
	const struct keys *k = &world_group(w)->keys;
	const struct secret *secret[] = { &k->kek.key, &k->gen[0].tek[0].alg_key,
					  &k->gen[1].tek[0].alg_key };
	struct ctl_text t = { 0 };
	char hex[33];

	(void)state;
	ks_show_members(&w->ks, w->now, NULL, &t);
	ks_show_policy(&w->ks, w->now, NULL, &t);
	ks_show_rekey(&w->ks, w->now, NULL, &t);
	ks_show_summary(&w->ks, w->now, NULL, &t);
	ks_show_counters(&w->ks, w->now, NULL, &t);
	for (size_t i = 0; i < N_ELEMS(secret); i++) {
		for (size_t at = 0; at + 4 <= secret[i]->len; at++) {
			assert_null(memmem(t.b, t.len, secret[i]->b + at, 4));
			assert_null(strcasestr(t.b, ks_show_hex(secret[i]->b + at, 4, hex)));
		}
	}
	free(t.b);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_laid_out_as_ios_does),
		cmocka_unit_test(one_member_can_be_asked_for_and_a_missing_one_is_said_to_be),
		cmocka_unit_test(policy_names_keys_by_spi_and_counts_down),
		cmocka_unit_test(a_tek_is_staged_then_current_and_its_predecessor_draining),
		cmocka_unit_test(members_as_json_have_the_names_scripts_rely_on),
		cmocka_unit_test(counters_tell_what_was_refused_by_reason),
		cmocka_unit_test(no_answer_holds_key_octets),
	};

	return cmocka_run_group_tests_name("ks/show", tests, NULL, NULL);
}
