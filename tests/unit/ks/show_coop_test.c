// show crypto gdoi ks coop, of cores that really form a set.
#include <jansson.h>

#include "ks/show.h"
#include "tests/unit/ks/ks_set.h"

static int setup(void **state)
{
	struct set *s = set_new(2, NULL);

	set_pass(s, 10000);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	set_free(*state);
	return 0;
}

static const char *text_of(struct set *s, size_t i)
{
	static char copy[4096];
	struct ctl_text t = { 0 };

	ks_show_coop(&s->ks[i].ks, s->now, NULL, &t);
	snprintf(copy, sizeof(copy), "%s", t.b);
	free(t.b);
	return copy;
}

static void assert_has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("\"%s\" is missing in:\n%s", what, text);
}

static void the_primary_and_its_peer_read_as_runbooks_expect(void **state)
{
	const char *text = text_of(*state, 0);

	assert_has(text, "Crypto Gdoi Group Name :");
	assert_has(text, "        Local Address: 10.0.0.1\n");
	assert_has(text, "        Local KS Role: Primary  , Local KS Status: Alive\n");
	assert_has(text, "        Primary: 10.0.0.1, Epoch: ");
	assert_has(text, "        Configuration: Same\n");
	assert_has(text, "        Peer Sessions:\n        Session 1:\n"
			 "                Peer Address: 10.0.0.2\n");
	assert_has(text, "                Peer KS Role: Secondary, Peer KS Status: Alive\n");
	assert_has(text_of(*state, 1),
		   "        Local KS Role: Secondary, Local KS Status: Alive\n");
	assert_has(text_of(*state, 1), "        Primary: 10.0.0.1, Epoch: ");
}

static void a_dead_peer_is_told_and_so_is_the_new_term(void **state)
{
	struct set *s = *state;
	json_t *j, *group, *peer;
	json_int_t term;

	j = ks_show_coop_json(&s->ks[1].ks, s->now, NULL);
	term = json_integer_value(
		json_object_get(json_array_get(json_object_get(j, "groups"), 0), "term"));
	json_decref(j);
	set_kill(s, 0);
	set_pass(s, 10000);
	j = ks_show_coop_json(&s->ks[1].ks, s->now, NULL);
	group = json_array_get(json_object_get(j, "groups"), 0);
	peer = json_array_get(json_object_get(group, "peers"), 0);
	assert_string_equal(json_string_value(json_object_get(group, "role")), "Primary");
	assert_true(json_integer_value(json_object_get(group, "term")) > term);
	assert_string_equal(json_string_value(json_object_get(peer, "status")), "Dead");
	json_decref(j);
	assert_has(text_of(s, 1), "Peer KS Status: Dead");
}

static void a_group_without_peers_says_so(void **state)
{
	struct world *w = world_new(NULL);
	struct ctl_text t = { 0 };
	json_t *j = ks_show_coop_json(&w->ks, w->now, NULL);

	(void)state;
	ks_show_coop(&w->ks, w->now, NULL, &t);
	assert_has(t.b, "*NO* redundancy configured for this group");
	assert_int_equal(json_array_size(json_object_get(j, "groups")), 0);
	json_decref(j);
	free(t.b);
	world_free(w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_primary_and_its_peer_read_as_runbooks_expect,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_dead_peer_is_told_and_so_is_the_new_term, setup,
						teardown),
		cmocka_unit_test(a_group_without_peers_says_so),
	};

	return cmocka_run_group_tests_name("ks/show_coop", tests, NULL, NULL);
}
