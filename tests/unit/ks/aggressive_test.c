#include "tests/unit/ks/ks_world.h"

static bool everybody(void *arg, const struct addr *peer)
{
	(void)arg, (void)peer;
	return true;
}

static struct isakmp_id name_7(void *arg, const struct addr *peer)
{
	(void)arg, (void)peer;
	return (struct isakmp_id){ .type = ISAKMP_ID_FQDN, .data = BYTES_LIT("gm7.example.net") };
}

// Nobody is allowed by address; who proves the name gm7.example.net is.
static void by_name(struct ks_conf *c)
{
	const char *why;

	c->ike.psk[0].aggressive = true;
	c->ike.psk[0].peer = (struct prefix){ .len = 0 };
	strcpy(c->ike.psk[0].id, "gm7.example.net");
	free(c->groups[0].authorized);
	c->groups[0].authorized = NULL;
	c->groups[0].n_authorized = 0;
	c->groups[0].names = calloc(1, sizeof(*c->groups[0].names));
	c->groups[0].n_names = 1;
	assert_int_equal(id_pattern_parse("gm7.example.net", c->groups[0].names, &why), 0);
}

static struct test_member *aggressive_member(struct world *w, const char *address)
{
	struct test_member *m = world_member(w, address);

	w->gm_conf.aggressive = everybody;
	m->aggressive = true;
	return m;
}

static void a_member_known_by_its_name_alone_registers_from_anywhere(void **state)
{
	struct world *w = world_new(by_name);
	struct test_member *m = aggressive_member(w, "198.51.100.77");

	(void)state;
	w->gm_conf.own_name = name_7;
	world_register(w, m);
	assert_string_equal(world_group(w)->members.first->identity, "gm7.example.net");
	world_free(w);
}

static void the_same_address_under_another_name_does_not(void **state)
{
	struct world *w = world_new(by_name);
	struct test_member *m = aggressive_member(w, "198.51.100.77");

	(void)state;
	tm_start(m, w->now);
	world_settle(w);
	assert_int_equal(w->ks.sas.n, 0);
	assert_int_equal(w->ks.ike_refused[IKE_R_AGGRESSIVE], 1);
	assert_int_equal(w->n_to_members, 0);
	world_free(w);
}

static void where_the_file_does_not_say_it_nothing_is_kept_and_nothing_said(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = aggressive_member(w, "192.0.2.1");

	(void)state;
	for (int i = 0; i < 100; i++) {
		tm_start(m, w->now);
		world_settle(w);
	}
	assert_int_equal(w->ks.sas.n, 0);
	assert_int_equal(w->n_to_members, 0);
	assert_int_equal(w->ks.ike_refused[IKE_R_AGGRESSIVE], 100);
	world_free(w);
}

static void allow(struct ks_conf *c)
{
	c->ike.psk[0].aggressive = true;
}

static bool drop_answers(struct world *w, struct world_dgram *d)
{
	return endpoint_eq(&d->to, &w->server);
}

static void message_1_again_is_the_same_handshake(void **state)
{
	struct world *w = world_new(allow);
	struct test_member *m = aggressive_member(w, "192.0.2.1");

	(void)state;
	w->tap = drop_answers;
	tm_start(m, w->now);
	world_settle(w);
	assert_int_equal(w->ks.sas.n, 1);
	w->tap = NULL;
	world_pass(w, 1500); // it asks again
	assert_int_equal(w->ks.sas.n, 1);
	assert_int_equal(w->ks.n_phase1, 1);
	assert_int_equal(m->state, TM_REGISTERED);
	world_free(w);
}

static void one_source_has_so_many_and_they_end(void **state)
{
	struct world *w = world_new(allow);
	struct test_member *m = aggressive_member(w, "192.0.2.1");

	(void)state;
	w->tap = drop_answers;
	for (int i = 0; i < 100; i++) {
		if (i == 50)
			w->now = mono_add_s(w->now, 1); // a second leaves room for others too
		tm_start(m, w->now);
		world_settle(w);
	}
	assert_int_equal(w->ks.sas.n, IKE_AGGR_PER_SOURCE);
	assert_int_equal(w->ks.ike_refused[IKE_R_HALFOPEN_FULL], 100 - IKE_AGGR_PER_SOURCE);
	tm_fini(m);
	m->state = TM_IDLE;
	world_pass(w, 12000);
	assert_int_equal(w->ks.sas.n, 0);
	assert_int_equal(w->ks.sources.n_unproven, 0);
	world_free(w);
}

// ---- floods ----

#define NAT_PORT 4500

static void allow_and_nats(struct ks_conf *c)
{
	allow(c);
	c->nat_traversal = true;
	c->nat_port = NAT_PORT;
}

struct first { // message 1 of a mode, behind room for the marker of the NAT port
	size_t len;
	uint8_t b[NATT_MARKER_LEN + 1024];
};

static bool keep_first(struct world *w, struct world_dgram *d)
{
	struct first *f = w->tap_arg;

	f->len = NATT_MARKER_LEN + d->len;
	assert_true(f->len <= sizeof(f->b));
	memcpy(f->b + NATT_MARKER_LEN, d->b, d->len);
	return false;
}

static bool of_members(struct world *w, struct world_dgram *d)
{
	return endpoint_eq(&d->to, &w->server) || addr_eq(&d->to.addr, &w->member[0]->self.addr);
}

static void flood_one(struct world *w, struct first *f, bool nat)
{
	const struct endpoint from = { addr_from_v4(rng_u32(&w->rng)), 4500 };
	const struct endpoint to = { w->server.addr, nat ? NAT_PORT : w->server.port };
	size_t at = nat ? 0 : NATT_MARKER_LEN;

	rng_fill(&w->rng, f->b + NATT_MARKER_LEN, ISAKMP_COOKIE_LEN);
	world_step(w, &(struct ks_event){ .kind = KS_EV_DATAGRAM,
					  .from = from,
					  .to = to,
					  .datagram = BYTES(f->b + at, f->len - at) });
}

static void floods_of_all_kinds_at_once_leave_room_for_members(void **state)
{
	struct world *w = world_new(allow_and_nats);
	struct test_member *m = world_member(w, "192.0.2.1");
	struct first first[2] = { 0 };

	(void)state;
	w->gm_conf.aggressive = everybody;
	w->tap = keep_first;
	for (int i = 0; i < 2; i++) {
		w->tap_arg = &first[i];
		m->aggressive = i;
		tm_start(m, w->now);
		assert_true(first[i].len > 0);
	}
	w->tap = of_members;
	m->aggressive = false;
	for (unsigned i = 0; i < 20000; i++) { // 500 a second for 40 s
		w->now = mono_add_ms(w->now, 2);
		flood_one(w, &first[i % 2], i % 3 == 0);
		assert_in_range(w->ks.halfopen.n_used, 0, w->ks.halfopen.n_slots);
		assert_in_range(w->ks.sas.n, 0, IKE_AGGR_SLOTS + 10); // and those of m
		if (mono_due(w->out.deadline, w->now))
			world_step(w, &(struct ks_event){ .kind = KS_EV_TIMER });
		if (i % 2000 == 1999)
			world_register(w, m);
	}
	assert_true(w->ks.ike_refused[IKE_R_HALFOPEN_FULL] > 1000 &&
		    w->ks.halfopen.n_evicted > 1000);
	assert_in_range(w->events[EV_IKE_BAD_MESSAGE], 0, 20); // what is refused fills no log
	tm_fini(m);
	m->state = TM_IDLE;
	world_pass(w, 120000);
	assert_int_equal(w->ks.sas.n, 0);
	assert_int_equal(w->ks.sources.n_unproven, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_member_known_by_its_name_alone_registers_from_anywhere),
		cmocka_unit_test(the_same_address_under_another_name_does_not),
		cmocka_unit_test(where_the_file_does_not_say_it_nothing_is_kept_and_nothing_said),
		cmocka_unit_test(message_1_again_is_the_same_handshake),
		cmocka_unit_test(one_source_has_so_many_and_they_end),
		cmocka_unit_test(floods_of_all_kinds_at_once_leave_room_for_members),
	};

	return cmocka_run_group_tests_name("ks/aggressive", tests, NULL, NULL);
}
