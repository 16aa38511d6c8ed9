// What an operator sees and says at key servers of a set.
#include "common/crypto/crypto.h"
#include "ks/show.h"
#include "tests/unit/ks/ks_set.h"

static struct set *s;

static int setup(void **state)
{
	(void)state;
	s = set_new(2, NULL);
	set_pass(s, 10000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	set_free(s);
	return 0;
}

static void has(const struct ctl_text *t, const char *line)
{
	if (!t->b || !strstr(t->b, line))
		fail_msg("no \"%s\" in:\n%s", line, t->b ? t->b : "");
}

static void members_are_local_where_they_registered_and_redundant_elsewhere(void **state)
{
	struct test_member *m = set_member(s, "192.0.2.1", 1);
	struct ctl_text here = { 0 }, there = { 0 };
	json_t *j, *of;

	(void)state;
	set_register(s, m);
	ks_show_members(&s->ks[1].ks, s->now, NULL, &here);
	has(&here, " Key Server ID     : 10.0.0.2\n GMDB State        : LOCAL\n");
	ks_show_members(&s->ks[0].ks, s->now, NULL, &there);
	has(&there, " Key Server ID     : 10.0.0.2\n GMDB State        : REDUNDANT\n");
	j = ks_show_members_json(&s->ks[0].ks, s->now, NULL);
	of = json_array_get(json_object_get(j, "groups"), 0);
	of = json_array_get(json_object_get(of, "members"), 0);
	assert_string_equal(json_string_value(json_object_get(of, "database")), "redundant");
	assert_string_equal(json_string_value(json_object_get(of, "key_server")), "10.0.0.2");
	json_decref(j);
	free(here.b);
	free(there.b);
}

static void versions_are_those_of_the_peers(void **state)
{
	struct ctl_text t = { 0 };
	json_t *j = ks_show_coop_version_json(&s->ks[0].ks, s->now, NULL), *g;

	(void)state;
	ks_show_coop_version(&s->ks[0].ks, s->now, NULL, &t);
	has(&t, "Cooperative key server infra Version : 1.0.0\n"
		" Client : KS_POLICY_CLIENT Version : 1.0.0\n"
		" Client : GROUP_MEMBER_CLIENT Version : 1.0.0\n"
		" Client : SID_CLIENT Version : 1.0.0\n");
	has(&t, "  Peer 10.0.0.2 : protocol version 1");
	g = json_array_get(json_object_get(j, "groups"), 0);
	assert_int_equal(json_integer_value(json_object_get(g, "version")), COOP_VERSION);
	assert_int_equal(json_array_size(json_object_get(g, "peers")), 1);
	json_decref(j);
	free(t.b);
}

static void says(size_t i, const struct ks_event *ev, bool refused, const char *what)
{
	s->ks[i].answer[0] = '\0';
	set_step(s, i, ev);
	assert_true(s->ks[i].out.refused == refused);
	if (!strstr(s->ks[i].answer, what))
		fail_msg("not \"%s\": %s", what, s->ks[i].answer);
}

static void the_role_is_handed_over_by_an_operators_word(void **state)
{
	(void)state;
	says(0, &(struct ks_event){ .kind = KS_EV_ROLE, .group = "G1" }, false, "handed over");
	set_pass(s, 5000);
	assert_false(set_leads(s, 0));
	assert_true(set_leads(s, 1));
	set_pass(s, 20000);
	assert_true(set_leads(s, 1)); // no pre-emption
}

static void who_is_in_maintenance_hands_over_and_does_not_lead_until_told(void **state)
{
	struct ks_event ev = { .kind = KS_EV_MAINTENANCE, .up = true };

	(void)state;
	says(0, &ev, false, "maintenance: the role is handed over");
	set_pass(s, 5000);
	assert_true(set_leads(s, 1));
	set_kill(s, 1);
	set_pass(s, 10000);
	assert_false(set_leads(s, 0));
	ev.up = false;
	says(0, &ev, false, "may lead again");
	set_pass(s, 3000);
	assert_true(set_leads(s, 0));
}

static void a_secondary_says_who_makes_keys(void **state)
{
	(void)state;
	says(1, &(struct ks_event){ .kind = KS_EV_REKEY }, true,
	     "only the primary makes keys (10.0.0.1): say it there");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(members_are_local_where_they_registered_and_redundant_elsewhere),
		T(versions_are_those_of_the_peers),
		T(the_role_is_handed_over_by_an_operators_word),
		T(who_is_in_maintenance_hands_over_and_does_not_lead_until_told),
		T(a_secondary_says_who_makes_keys),
	};

	assert_int_equal(crypto_init(), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
