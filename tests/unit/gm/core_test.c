#include "tests/unit/unit.h"

#include "gm/show.h"
#include "tests/unit/gm/world.h"

static struct signer signer;
static struct world w;

static int keys_once(void **state)
{
	(void)state;
	if (crypto_init() < 0)
		return -1;
	signer_init(&signer);
	return signer_generate(&signer, "REKEY", SIGN_RSA, 2048);
}

static int keys_end(void **state)
{
	(void)state;
	signer_fini(&signer);
	return 0;
}

// G1 at the first key server, G2 at the second.
static int two_groups(void **state)
{
	(void)state;
	world_init(&w, 2, &signer);
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
	assert_string_equal(w.program->rule[1].group, "G2");
	assert_int_equal(w.program->n_exempts, 4);
}

static void a_working_espd_is_left_alone_until_every_group_has_registered(void **state)
{
	(void)state;
	w.ks[1].dead = true;
	start_two();
	world_dp_up(&w, 0xb1, 7);
	world_until(&w, 20);
	assert_true(w.gm->group[0]->registered);
	assert_int_equal(w.n_programs, 0);
	w.ks[1].dead = false;
	world_until(&w, 120);
	assert_int_equal(w.n_programs, 1);
	assert_int_equal(w.program->n_rules, 2);
}

static void a_fresh_espd_gets_the_groups_as_they_come(void **state)
{
	(void)state;
	w.ks[1].dead = true;
	start_two();
	world_dp_up(&w, 0xb1, 0);
	assert_int_equal(w.n_programs, 1);
	assert_int_equal(w.program->n_rules, 1);
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
		T(a_working_espd_is_left_alone_until_every_group_has_registered),
		T(a_fresh_espd_gets_the_groups_as_they_come),
		T(an_spi_of_another_group_is_refused),
		T(a_group_taken_out_of_the_file_is_forgotten),
		T(one_group_alone_can_be_registered_again),
		T(the_json_of_a_member_has_what_programs_wait_for),
		T(the_texts_show_spis_and_no_keys),
		T(dataplane_counters_are_told_by_group),
	};

	return cmocka_run_group_tests(tests, keys_once, keys_end);
}
