#include "common/ike/natt.h"
#include "tests/unit/ike_pair.h"

static const struct ike_proposal fast[] = { { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 } };

#define NAT_PORT 4500

// 10.0.1.1 looks like 198.51.100.1, port p like 30000 + p; datagrams to there come back.
static void nat_of_member(struct ike_pair *p, bool from_initiator, struct endpoint *from,
			  struct endpoint *to)
{
	if (from_initiator) {
		from->addr = addr_from_v4(0xc6336401);
		from->port = (uint16_t)(from->port + 30000);
	} else {
		assert_int_equal(to->addr.b[0], 0xc6);
		to->addr = p->i.here.addr;
		to->port = (uint16_t)(to->port - 30000);
	}
}

// The key server is known as 203.0.113.1, same ports.
static void nat_of_server(struct ike_pair *p, bool from_initiator, struct endpoint *from,
			  struct endpoint *to)
{
	if (from_initiator)
		to->addr = p->r.here.addr;
	else
		from->addr = addr_from_v4(0xcb007101);
}

static void pair_with_nat(struct ike_pair *p, uint64_t seed)
{
	pair_init(p, fast, 1, seed);
	p->i.conf.natt_port = p->r.conf.natt_port = NAT_PORT;
}

static void hashes_are_those_of_rfc_3947(void **state)
{
	static const uint8_t cky_i[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t cky_r[8] = { 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8 };
	static const struct {
		enum hash_alg h;
		const char *ip;
		uint16_t port;
		const char *hex;
	} v[] = {
		// hashlib over cky_i | cky_r | address | port
		{ HASH_ALG_SHA256, "192.0.2.1", 848,
		  "84a1292a21c7b1476f43e0cf5ed606bb55a41f06c1788956136d9e8e0414f8f2" },
		{ HASH_ALG_SHA384, "2001:db8::1", 4500,
		  "9d0ffbfd99d83de0384d22ffdae7f0e7543fc2e5141e50ad"
		  "f8146054508b1fd7cb7c5aba97dd7f93667ff4d6467ee5f5" },
	};
	uint8_t got[HASH_MAX], want[HASH_MAX];

	(void)state;
	assert_int_equal(crypto_init(), 0);
	for (size_t i = 0; i < N_ELEMS(v); i++) {
		struct endpoint e = { .port = v[i].port };

		assert_int_equal(addr_parse(v[i].ip, &e.addr), 0);
		assert_int_equal(natt_hash(v[i].h, cky_i, cky_r, &e, got), 0);
		unhex(v[i].hex, want, sizeof(want));
		assert_memory_equal(got, want, hash_len(v[i].h));
	}
}

static void without_a_nat_nothing_moves(void **state)
{
	struct ike_pair p;

	(void)state;
	pair_with_nat(&p, 1);
	assert_true(pair_run(&p));
	assert_true(p.gm.peer_natt && p.ks->peer_natt);
	assert_false(natt_seen(&p.gm) || natt_seen(p.ks));
	assert_true(endpoint_eq(&p.gm.peer, &p.r.here) && endpoint_eq(&p.gm.local, &p.i.here));
	assert_true(endpoint_eq(&p.ks->peer, &p.i.here) && endpoint_eq(&p.ks->local, &p.r.here));
	pair_fini(&p);
}

static void a_nat_before_the_member_is_passed_by_the_other_port(void **state)
{
	struct ike_pair p;

	(void)state;
	pair_with_nat(&p, 2);
	p.nat = nat_of_member;
	assert_true(pair_run(&p));
	assert_true(p.gm.behind_nat && !p.gm.peer_behind_nat);
	assert_true(p.ks->peer_behind_nat && !p.ks->behind_nat);
	assert_int_equal(p.gm.local.port, NAT_PORT);
	assert_int_equal(p.gm.peer.port, NAT_PORT);
	assert_int_equal(p.ks->local.port, NAT_PORT);
	assert_int_equal(p.ks->peer.port, 30000 + NAT_PORT);
	assert_int_equal(addr_to_v4(&p.ks->peer.addr), 0xc6336401);
	assert_int_equal(p.n_sent, 6);
	pair_fini(&p);
}

static void a_nat_before_the_key_server_is_passed_too(void **state)
{
	struct endpoint known = { addr_from_v4(0xcb007101), 848 };
	struct ike_pair p;

	(void)state;
	pair_with_nat(&p, 3);
	ike_sa_init(&p.gm, &p.i.conf, &p.i.here, &known);
	p.nat = nat_of_server;
	assert_true(pair_run(&p));
	assert_true(p.gm.peer_behind_nat && !p.gm.behind_nat);
	assert_true(p.ks->behind_nat && !p.ks->peer_behind_nat);
	assert_int_equal(p.ks->peer.port, NAT_PORT);
	assert_int_equal(p.ks->local.port, NAT_PORT);
	pair_fini(&p);
}

static void loss_and_doubles_do_not_hinder_the_move(void **state)
{
	struct ike_pair p;
	int stood = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		pair_with_nat(&p, seed);
		p.nat = nat_of_member;
		p.lose = 20;
		p.twice = 20;
		p.delay_ms = 800;
		stood += pair_run(&p);
		pair_fini(&p);
	}
	assert_true(stood >= 38);
}

static void who_does_not_speak_of_nats_is_left_alone(void **state)
{
	struct ike_pair p;

	(void)state;
	for (int who = 0; who < 2; who++) {
		pair_with_nat(&p, 4);
		(who ? &p.i : &p.r)->conf.natt_port = 0;
		p.nat = nat_of_member;
		assert_true(pair_run(&p));
		assert_false(natt_seen(&p.gm) || natt_seen(p.ks));
		assert_int_equal(p.gm.local.port, 848);
		assert_int_equal(p.ks->peer.port, 30848);
		pair_fini(&p);
	}
}

static void a_negotiation_may_begin_on_the_nat_port(void **state)
{
	struct ike_pair p;

	(void)state;
	pair_with_nat(&p, 5);
	p.i.here.port = p.r.here.port = NAT_PORT;
	ike_sa_init(&p.gm, &p.i.conf, &p.i.here, &p.r.here);
	p.nat = nat_of_member;
	assert_true(pair_run(&p));
	assert_true(p.gm.behind_nat && p.ks->peer_behind_nat);
	assert_int_equal(p.ks->peer.port, 30000 + NAT_PORT);
	pair_fini(&p);
}

// NAT-D is not authenticated: a wrong one makes the one who hears it go to the other port, and the
// other one follows, but no more.
static void damage_nat_d(struct ike_pair *p, uint8_t *b, size_t *len, bool from_initiator)
{
	(void)p;
	if (!from_initiator && *len > 200 && b[18] == ISAKMP_XCH_MAIN && !(b[19] & ISAKMP_FLAG_E))
		b[*len - 40] ^= 1; // in message 4: the first NAT-D ends 36 octets before the end
}

static void a_damaged_hash_is_taken_for_a_nat(void **state)
{
	struct ike_pair p;

	(void)state;
	pair_with_nat(&p, 6);
	p.tap = damage_nat_d;
	assert_true(pair_run(&p));
	assert_true(p.gm.behind_nat);
	assert_int_equal(p.gm.local.port, NAT_PORT);
	pair_fini(&p);
}

// ---- who may be followed ----

static void another_address(struct ike_pair *p, bool from_initiator, struct endpoint *from,
			    struct endpoint *to)
{
	nat_of_member(p, from_initiator, from, to);
	if (from_initiator && from->port == 30000 + NAT_PORT)
		from->addr = addr_from_v4(0xc6336402);
}

static void only_the_port_is_followed(void **state)
{
	struct ike_pair p;

	(void)state;
	pair_with_nat(&p, 7);
	p.nat = another_address;
	assert_false(pair_run(&p));
	assert_true(p.refused_r[IKE_R_WRONG_SOURCE] > 0);
	pair_fini(&p);
}

static void spoil_5(struct ike_pair *p, uint8_t *b, size_t *len, bool from_initiator)
{
	struct endpoint evil = { addr_from_v4(0xc6336401), 666 }, to = p->r.here;
	uint8_t forged[IKE_DGRAM_MAX];

	if (!from_initiator || !(b[19] & ISAKMP_FLAG_E) || p->tap_arg)
		return;
	p->tap_arg = p;
	to.port = NAT_PORT;
	memcpy(forged, b, *len);
	forged[*len - 1] ^= 1;
	pair_ks_in(p, BYTES(forged, *len), &evil, &to); // overtakes the real one
}

static void a_message_that_proves_nothing_moves_nothing(void **state)
{
	struct ike_pair p;

	(void)state;
	pair_with_nat(&p, 8);
	p.nat = nat_of_member;
	p.tap = spoil_5;
	assert_true(pair_run(&p));
	assert_non_null(p.tap_arg);
	assert_int_equal(p.ks->peer.port, 30000 + NAT_PORT);
	pair_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_those_of_rfc_3947),
		cmocka_unit_test(without_a_nat_nothing_moves),
		cmocka_unit_test(a_nat_before_the_member_is_passed_by_the_other_port),
		cmocka_unit_test(a_nat_before_the_key_server_is_passed_too),
		cmocka_unit_test(loss_and_doubles_do_not_hinder_the_move),
		cmocka_unit_test(who_does_not_speak_of_nats_is_left_alone),
		cmocka_unit_test(a_negotiation_may_begin_on_the_nat_port),
		cmocka_unit_test(a_damaged_hash_is_taken_for_a_nat),
		cmocka_unit_test(only_the_port_is_followed),
		cmocka_unit_test(a_message_that_proves_nothing_moves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
