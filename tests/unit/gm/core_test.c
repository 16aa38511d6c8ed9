#include "tests/unit/unit.h"

#include "gm/show.h"
#include "tests/unit/gm/world.h"

static struct world w;

// G1 at the first key server, G2 at the second.
static int two_groups(void **state)
{
	(void)state;
	world_init(&w, 2, &world_signer);
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	test_ks_tek(&w.ks[1], "esp-gcm 128", 0x2222, 3600, 3, 4);
	return 0;
}

static int end(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static struct gm_conf *conf_of_two(void)
{
	struct gm_conf *c = world_conf(&w);

	c->n_groups = 2;
	c->group[1] = c->group[0];
	strcpy(c->group[1].name, "G2");
	c->group[1].identity = 5678;
	c->group[0].n_servers = c->group[1].n_servers = 1;
	c->group[1].server[0] = w.ks[1].at.addr;
	return c;
}

static void start_two(void)
{
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = conf_of_two() });
}

static void each_group_registers_at_its_own_server(void **state)
{
	(void)state;
	start_two();
	assert_true(w.gm->group[0]->registered);
	assert_true(w.gm->group[1]->registered);
	assert_int_equal(w.ks[0].group_asked, 1234);
	assert_int_equal(w.ks[1].group_asked, 5678);
	world_dp_up(&w, 0xb1, 0);
	assert_int_equal(w.program->n_rules, 2);
	assert_int_equal(w.program->n_sas, 2);
	assert_int_equal(w.program->n_parts, 2);
	assert_string_equal(w.program->part[1].head.name, "G2");
	assert_int_equal(w.program->part[1].head.standing, DP_LIVE);
	assert_int_equal(w.program->part[1].n_rules, 1);
	assert_int_equal(w.program->n_exempts, 2); // own port, each key server
}

static enum dp_standing standing(size_t part)
{
	return (enum dp_standing)w.program->part[part].head.standing;
}

static void a_dead_key_server_holds_up_its_own_group_only(void **state)
{
	(void)state;
	w.ks[1].dead = true;
	start_two();
	world_dp_up(&w, 0xb1, 7);
	world_until(&w, 20);
	assert_true(w.gm->group[0]->registered);
	assert_int_equal(standing(0), DP_LIVE);
	assert_int_equal(w.program->part[0].n_rules, 1);
	assert_int_equal(standing(1), DP_KEEP);
	assert_true(w.program->part[1].head.closed);
	assert_int_equal(w.program->part[1].head.identity, 5678);
	w.ks[1].dead = false;
	world_until(&w, 120);
	assert_int_equal(standing(0), DP_LIVE);
	assert_int_equal(standing(1), DP_LIVE);
	assert_int_equal(w.program->n_rules, 2);
}

static void before_any_registration_espd_is_told_what_stands_instead(void **state)
{
	struct gm_conf *c = conf_of_two();

	(void)state;
	w.ks[0].dead = w.ks[1].dead = true;
	c->group[0].fail_close.activate = false;
	c->group[1].n_interfaces = 1;
	strcpy(c->group[1].interface[0], "wan1");
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	world_dp_up(&w, 0xb1, 0);
	assert_int_equal(w.n_programs, 1);
	assert_int_equal(w.program->n_rules, 0);
	assert_int_equal(w.program->n_exempts, 2); // own port, each key server
	assert_int_equal(standing(0), DP_KEEP);
	assert_false(w.program->part[0].head.closed);
	assert_int_equal(w.program->part[0].head.n_ports, 0);
	assert_true(w.program->part[1].head.closed);
	assert_int_equal(w.program->part[1].head.n_ports, 1);
	assert_string_equal(w.program->part[1].head.port[0], "wan1");
}

static void a_group_that_reverts_closes_when_its_keys_have_ended(void **state)
{
	struct gm_conf *c = world_conf(&w);

	(void)state;
	c->group[0].fail_close.revert = true;
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	world_dp_up(&w, 0xb1, 0);
	assert_int_equal(standing(0), DP_LIVE);
	w.ks[0].dead = w.ks[1].dead = true;
	world_until(&w, 100000);
	assert_int_equal(w.gm->group[0]->teks.n, 0);
	assert_int_equal(standing(0), DP_INSTEAD);
}

static void groups_that_name_the_same_traffic_are_told(void **state)
{
	(void)state;
	w.ks[1].tek[0].sat.src = w.ks[0].tek[0].sat.src;
	w.ks[1].tek[0].sat.dst = w.ks[0].tek[0].sat.dst;
	start_two();
	world_dp_up(&w, 0xb1, 0);
	assert_int_equal(w.n_events[EV_GM_OVERLAP], 1);
	assert_non_null(strstr(w.last_text[EV_GM_OVERLAP], "by=G1"));
	w.gm->dp.dirty = true;
	world_event(&w, (struct gm_event){ .kind = GM_EV_TIMER });
	assert_int_equal(w.n_events[EV_GM_OVERLAP], 1);
}

static void groups_of_different_ports_do_not_overlap(void **state)
{
	struct gm_conf *c = conf_of_two();

	(void)state;
	c->group[0].n_interfaces = c->group[1].n_interfaces = 1;
	strcpy(c->group[0].interface[0], "wan0");
	strcpy(c->group[1].interface[0], "wan1");
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	world_dp_up(&w, 0xb1, 0);
	assert_int_equal(standing(1), DP_LIVE);
	assert_int_equal(w.n_events[EV_GM_OVERLAP], 0);
}

static void an_operator_turns_the_direction_and_turns_it_back(void **state)
{
	struct gm_event ev = { .kind = GM_EV_DIRECTION,
			       .direction_set = true,
			       .direction = GM_DIR_INBOUND_ONLY };

	(void)state;
	world_register(&w);
	world_dp_up(&w, 0xb1, 0);
	assert_false(w.program->rule[0].send_clear);
	world_event(&w, ev);
	assert_true(w.program->rule[0].send_clear);
	ev.direction = GM_DIR_INBOUND_OPTIONAL;
	world_event(&w, ev);
	assert_true(w.program->rule[0].accept_clear);
	assert_false(w.program->rule[0].send_clear);
	ev.direction_set = false;
	world_event(&w, ev);
	assert_false(w.program->rule[0].accept_clear);
	assert_int_equal(w.n_events[EV_GM_DIRECTION], 3);
}

static void receiver_only(struct gdoi_sa *sa)
{
	for (size_t i = 0; i < sa->n_sat; i++)
		sa->sat[i].direction = IPSEC_DIR_RECEIVER_ONLY;
}

static void a_member_of_a_receive_only_group_sends_in_clear_unless_told_otherwise(void **state)
{
	struct gm_event ev = { .kind = GM_EV_DIRECTION,
			       .direction_set = true,
			       .direction = GM_DIR_INBOUND_OPTIONAL };

	(void)state;
	w.ks[0].change = receiver_only;
	world_register(&w);
	world_dp_up(&w, 0xb1, 0);
	assert_true(w.program->rule[0].send_clear && w.program->rule[0].accept_clear);
	assert_int_equal(w.program->rule[0].spi_out, 0);
	assert_int_equal(w.program->sa[0].dir, DP_DIR_IN);
	world_event(&w, ev);
	assert_false(w.program->rule[0].send_clear);
	assert_true(w.program->rule[0].accept_clear);
	assert_int_equal(w.program->rule[0].spi_out, 0x1111);
	assert_int_equal(w.program->sa[0].dir, DP_DIR_BOTH);
	ev.direction = GM_DIR_BOTH;
	world_event(&w, ev);
	assert_false(w.program->rule[0].accept_clear);
	assert_int_equal(w.program->rule[0].spi_out, 0x1111);
}

static void own_traffic_caught_is_told_with_the_line(void **state)
{
	struct dp_note n = { .kind = DP_NOTE_OWN_CAUGHT,
			     .count = 5,
			     .group = "G1",
			     .line = 1,
			     .origin = DP_FROM_POLICY,
			     .caught = DP_CAUGHT_REFUSED,
			     .family = 4,
			     .proto = 6,
			     .src = { 10, 0, 0, 9 },
			     .dst = { 192, 0, 2, 1 },
			     .sport = 4000,
			     .dport = 22 };
	const char *text = w.last_text[EV_GM_OWN_CAUGHT];

	(void)state;
	world_register(&w);
	world_event(&w, (struct gm_event){ .kind = GM_EV_DP_NOTE, .note = &n });
	assert_non_null(strstr(text, "what=refused flow=\"tcp 10.0.0.9:4000 > 192.0.2.1:22\""));
	assert_non_null(strstr(text, "policy line 1: permit"));
	n.origin = DP_FROM_CLOSED;
	world_event(&w, (struct gm_event){ .kind = GM_EV_DP_NOTE, .note = &n });
	assert_non_null(strstr(text, "fail_close, before registration"));
	n.caught = 99;
	n.group[0] = '\0';
	world_event(&w, (struct gm_event){ .kind = GM_EV_DP_NOTE, .note = &n });
	assert_non_null(strstr(text, "no policy yet"));
}

static void unknown_spi(uint64_t count)
{
	struct dp_note n = {
		.kind = DP_NOTE_INVALID_SPI, .spi = 0xbad, .count = count, .group = "G1"
	};

	world_event(&w, (struct gm_event){ .kind = GM_EV_DP_NOTE, .note = &n });
}

static void unknown_spis_make_a_member_ask_the_next_server(void **state)
{
	struct gm_conf *c = world_conf(&w);

	(void)state;
	c->group[0].recovery_s = 300;
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	unknown_spi(9);
	world_until(&w, 40);
	assert_int_equal(w.n_events[EV_GM_RECOVERY_REGISTRATION], 0);
	unknown_spi(10);
	world_until(&w, 71);
	assert_int_equal(w.n_events[EV_GM_RECOVERY_REGISTRATION], 1);
	assert_int_equal(w.ks[0].pulls, 1);
	assert_int_equal(w.ks[1].pulls, 1);
}

static void a_member_returns_to_its_first_server(void **state)
{
	struct gm_conf *c = world_conf(&w);
	const struct gm_group *g;

	(void)state;
	c->group[0].return_to_first = true;
	c->group[0].return_hold_s = 60;
	w.ks[0].dead = true;
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	world_until(&w, 20);
	g = w.gm->group[0];
	assert_true(addr_eq(&g->registered_with, &g->conf.server[1]));
	world_until(&w, 150); // still dead: one try, and the second is left in peace
	assert_int_equal(w.ks[1].pulls, 1);
	assert_true(addr_eq(&g->registered_with, &g->conf.server[1]));
	assert_false(mono_is_never(g->renew_at));
	w.ks[0].dead = false;
	world_until(&w, 500);
	assert_true(addr_eq(&g->registered_with, &g->conf.server[0]));
	assert_int_equal(w.ks[0].pulls, 1);
	assert_true(mono_is_never(g->return_at));
}

static void an_spi_of_another_group_is_refused(void **state)
{
	(void)state;
	w.ks[1].tek[0].sat.spi = 0x1111;
	start_two();
	assert_true(w.gm->group[0]->registered != w.gm->group[1]->registered);
	assert_non_null(strstr(w.last_text[EV_GM_REJECTED], "another group"));
}

static void a_group_taken_out_of_the_file_is_forgotten(void **state)
{
	struct gm_conf *c;

	(void)state;
	start_two();
	world_dp_up(&w, 0xb1, 0);
	c = conf_of_two();
	c->n_groups = 1;
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	assert_int_equal(w.gm->n_groups, 1);
	assert_true(w.gm->group[0]->registered);
	assert_int_equal(w.program->n_rules, 1);
	assert_int_equal(w.ks[1].deletes, 1);
	assert_int_equal(w.ks[0].pulls, 1);
}

static void one_group_alone_can_be_registered_again(void **state)
{
	(void)state;
	start_two();
	world_event(&w, (struct gm_event){ .kind = GM_EV_REREGISTER, .group = "G2" });
	world_until(&w, 1);
	assert_int_equal(w.ks[0].pulls, 1);
	assert_int_equal(w.ks[1].pulls, 2);
}

// ---- shows ----

static void the_json_of_a_member_has_what_programs_wait_for(void **state)
{
	json_t *j, *g, *tek;

	(void)state;
	w.ks[1].dead = true;
	start_two();
	world_dp_up(&w, 0xb1, 0);
	j = gm_show_gm_json(w.gm, w.now);
	g = json_array_get(json_object_get(j, "groups"), 0);
	assert_string_equal(json_string_value(json_object_get(g, "name")), "G1");
	assert_string_equal(json_string_value(json_object_get(g, "state")), "registered");
	assert_string_equal(json_string_value(json_object_get(g, "server")), "10.0.0.1");
	assert_string_equal(json_string_value(json_object_get(g, "dataplane")), "up");
	assert_int_equal(json_integer_value(json_object_get(g, "rekeys_received")), 0);
	tek = json_array_get(json_object_get(g, "teks"), 0);
	assert_string_equal(json_string_value(json_object_get(tek, "spi")), "0x00001111");
	assert_string_equal(json_string_value(json_object_get(tek, "state")), "current");
	assert_string_equal(json_string_value(json_object_get(tek, "transform")), "esp-gcm 128");
	assert_int_equal(json_integer_value(json_object_get(tek, "remaining_s")), 3600);
	g = json_array_get(json_object_get(j, "groups"), 1);
	assert_string_equal(json_string_value(json_object_get(g, "state")), "registering");
	assert_string_equal(json_string_value(json_object_get(g, "dataplane")), "down");
	assert_true(json_is_null(json_object_get(g, "kek")));
	json_decref(j);
}

static bool holds(const char *text, const uint8_t *key, size_t len)
{
	char hex[2 * SECRET_MAX + 1];

	for (size_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", key[i]);
	if (strcasestr(text, hex))
		return true;
	return memmem(text, strlen(text), key, len) != NULL;
}

static void the_texts_show_spis_and_no_keys(void **state)
{
	struct ctl_text t = { .len = 0 };

	(void)state;
	start_two();
	world_dp_up(&w, 0xb1, 0);
	gm_show_gdoi_text(&t, w.gm, w.now);
	gm_show_rekey_text(&t, w.gm, w.now);
	gm_show_acl_text(&t, w.gm, w.now);
	gm_show_isakmp_text(&t, w.gm, w.now);
	gm_show_counters_text(&t, w.gm, w.now);
	assert_non_null(strstr(t.b, "Registration status   : Registered"));
	assert_non_null(strstr(t.b, "spi: 0x00001111(4369)"));
	assert_non_null(strstr(t.b, "permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255"));
	assert_non_null(strstr(t.b, "GDOI_REKEY"));
	for (size_t i = 0; i < 2; i++) {
		assert_false(holds(t.b, w.ks[i].tek[0].key, 16));
		assert_false(holds(t.b, w.ks[i].kek.key.b, 16));
	}
	free(t.b);
}

static void dataplane_counters_are_told_by_group(void **state)
{
	struct dp_counter c[] = { { "esp_in_auth_fail", 3 }, { "esp_out_no_sa", 4 } };
	struct dp_sa_stats sa[] = { { .spi = 0x1111, .packets_out = 10, .group = "G1" },
				    { .spi = 0x2222, .packets_out = 5, .group = "G2" },
				    { .spi = 0x1112, .packets_out = 1, .group = "G1" } };
	const struct gm_dp_stats s = { 2, 3, c, sa };
	struct ctl_text t = { .len = 0 };
	json_t *j;

	(void)state;
	start_two();
	gm_show_dataplane_text(&t, w.gm, &s);
	assert_non_null(strstr(t.b, "#pkts encrypt            : 11 "));
	assert_non_null(strstr(t.b, "#pkts verify fail (rcv)  : 3"));
	assert_non_null(strstr(t.b, "#pkts no sa (send)       : 4 "));
	free(t.b);
	j = gm_show_dataplane_json(&s);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "counters"),
							    "esp_in_auth_fail")),
			 3);
	assert_int_equal(json_array_size(json_object_get(j, "sas")), 3);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, two_groups, end)
		T(each_group_registers_at_its_own_server),
		T(a_dead_key_server_holds_up_its_own_group_only),
		T(before_any_registration_espd_is_told_what_stands_instead),
		T(a_group_that_reverts_closes_when_its_keys_have_ended),
		T(groups_that_name_the_same_traffic_are_told),
		T(groups_of_different_ports_do_not_overlap),
		T(a_member_of_a_receive_only_group_sends_in_clear_unless_told_otherwise),
		T(an_operator_turns_the_direction_and_turns_it_back),
		T(own_traffic_caught_is_told_with_the_line),
		T(unknown_spis_make_a_member_ask_the_next_server),
		T(a_member_returns_to_its_first_server),
		T(an_spi_of_another_group_is_refused),
		T(a_group_taken_out_of_the_file_is_forgotten),
		T(one_group_alone_can_be_registered_again),
		T(the_json_of_a_member_has_what_programs_wait_for),
		T(the_texts_show_spis_and_no_keys),
		T(dataplane_counters_are_told_by_group),
	};

	return cmocka_run_group_tests(tests, world_signer_make, world_signer_end);
}
