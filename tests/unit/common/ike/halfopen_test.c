#include "tests/unit/unit.h"

#include "common/crypto/crypto.h"
#include "common/ike/halfopen.h"

static const struct ike_proposal fast[] = { { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 } };
static const struct secret psk = { .len = 3, .b = "key" };
static struct rng rng;
static struct ike_halfopen half;
static struct ike_conf conf;
static const mono_t t0 = { 5000 };

static const struct secret *psk_of(void *arg, const struct addr *peer)
{
	(void)arg;
	return addr_to_v4(peer) >> 24 == 10 ? &psk : NULL;
}

static struct endpoint from(uint32_t host, uint16_t port)
{
	return (struct endpoint){ addr_from_v4(0x0a000000 + host), port };
}

// Message 1 of a fresh initiator.
static size_t message_1(uint8_t buf[IKE_MSG_MAX])
{
	struct ike_event ev = { .kind = IKE_EV_START };
	struct endpoint ks = from(1, 848);
	struct ike_sa gm;
	struct ike_out out;

	ike_sa_init(&gm, &conf, &ks, &ks);
	ike_sa_step(&gm, t0, &ev, &out);
	memcpy(buf, out.msg, out.msg_len);
	ike_sa_fini(&gm);
	return out.msg_len;
}

static enum ike_reason in(mono_t now, const uint8_t *b, size_t len, struct endpoint src,
			  struct ike_out *out)
{
	struct ike_sa *made;

	const struct endpoint here = from(1, 848);

	ike_halfopen_in(&half, &conf, now, BYTES(b, len), &src, &here, out, &made);
	assert_null(made);
	return out->refused;
}

static void repeated_message_1_gets_the_same_octets(void **state)
{
	uint8_t m1[IKE_MSG_MAX];
	size_t len = message_1(m1);
	struct ike_out a, b;

	(void)state;
	assert_int_equal(in(t0, m1, len, from(2, 848), &a), IKE_R_OK);
	assert_int_equal(in(t0, m1, len, from(2, 848), &b), IKE_R_DUPLICATE);
	assert_int_equal(a.msg_len, b.msg_len);
	assert_memory_equal(a.msg, b.msg, a.msg_len);
	assert_int_equal(half.n_used, 1);
	// The same cookie from elsewhere is another handshake with another cookie of ours.
	assert_int_equal(in(t0, m1, len, from(3, 848), &b), IKE_R_OK);
	assert_memory_not_equal(a.msg + 8, b.msg + 8, 8);
}

static void one_source_has_its_share_and_no_more(void **state)
{
	uint8_t m1[IKE_MSG_MAX], victim[IKE_MSG_MAX];
	size_t len = message_1(victim);
	struct ike_out out;

	(void)state;
	assert_int_equal(in(t0, victim, len, from(9, 848), &out), IKE_R_OK);
	for (int i = 0; i < 100; i++) {
		len = message_1(m1);
		assert_int_equal(
			in(mono_add_ms(t0, i), m1, len, from(2, (uint16_t)(1000 + i)), &out),
			IKE_R_OK);
	}
	assert_int_equal(half.n_used, 1 + 3); // its share is 3 here
	assert_int_equal(in(mono_add_ms(t0, 200), victim, len, from(9, 848), &out),
			 IKE_R_DUPLICATE);
}

static void oldest_makes_room_when_all_are_taken(void **state)
{
	uint8_t m1[20][IKE_MSG_MAX];
	size_t len = 0;
	struct ike_out out;

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		len = message_1(m1[i]);
		assert_int_equal(in(mono_add_ms(t0, i), m1[i], len, from(100 + i, 848), &out),
				 IKE_R_OK);
	}
	assert_int_equal(half.n_used, 8);
	assert_int_equal(half.n_evicted, 12);
	assert_int_equal(in(mono_add_ms(t0, 30), m1[19], len, from(119, 848), &out),
			 IKE_R_DUPLICATE);
	assert_int_equal(in(mono_add_ms(t0, 30), m1[0], len, from(100, 848), &out), IKE_R_OK);
}

static void slots_age_out(void **state)
{
	uint8_t m1[IKE_MSG_MAX];
	size_t len = message_1(m1);
	struct ike_out out;

	(void)state;
	assert_int_equal(in(t0, m1, len, from(2, 848), &out), IKE_R_OK);
	assert_int_equal(in(mono_add_s(t0, 29), m1, len, from(2, 848), &out), IKE_R_DUPLICATE);
	assert_int_equal(in(mono_add_s(t0, 30), m1, len, from(2, 848), &out), IKE_R_OK);
	assert_int_equal(half.n_used, 1);
}

static void strangers_are_answered_rarely(void **state)
{
	uint8_t m1[IKE_MSG_MAX];
	size_t len = message_1(m1);
	struct ike_out out;
	struct endpoint stranger = { addr_from_v4(0xc0000201), 848 };
	int answers = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(in(t0, m1, len, stranger, &out), IKE_R_PSK_UNKNOWN);
		answers += out.msg_len > 0;
		assert_true(out.msg_len < len); // never more octets than came
	}
	assert_int_equal(answers, 20);
	in(mono_add_s(t0, 2), m1, len, stranger, &out);
	assert_true(out.msg_len > 0);
	assert_int_equal(half.n_used, 0);
}

static void message_3_needs_the_cookie_we_gave(void **state)
{
	uint8_t m1[IKE_MSG_MAX], m3[200] = { 0 };
	size_t len = message_1(m1);
	struct ike_out out;

	(void)state;
	assert_int_equal(in(t0, m1, len, from(2, 848), &out), IKE_R_OK);
	memcpy(m3, out.msg, 28);
	m3[16] = ISAKMP_PL_KE;
	isakmp_hdr_len_set(m3, sizeof(m3));
	m3[15] ^= 1;
	assert_int_equal(in(t0, m3, sizeof(m3), from(2, 848), &out), IKE_R_COOKIE_UNKNOWN);
	m3[15] ^= 1;
	assert_int_equal(in(t0, m3, sizeof(m3), from(3, 848), &out), IKE_R_COOKIE_UNKNOWN);
	// With it, but no KE worth the name: refused, and the slot is still there.
	assert_int_equal(in(t0, m3, sizeof(m3), from(2, 848), &out), IKE_R_MALFORMED);
	assert_int_equal(half.n_used, 1);
}

static void cookies_outlive_one_change_of_secret(void **state)
{
	struct ike_cookie_jar jar;
	struct endpoint peer = from(2, 848), other = from(2, 849);
	uint8_t cky_i[8] = { 1 }, cky_r[8];

	(void)state;
	ike_cookie_init(&jar, &rng, t0);
	assert_int_equal(ike_cookie_make(&jar, t0, &peer, cky_i, cky_r), 0);
	assert_true(ike_cookie_check(&jar, t0, &peer, cky_i, cky_r));
	assert_false(ike_cookie_check(&jar, t0, &other, cky_i, cky_r));
	assert_true(ike_cookie_check(&jar, mono_add_s(t0, 70), &peer, cky_i, cky_r));
	assert_false(ike_cookie_check(&jar, mono_add_s(t0, 140), &peer, cky_i, cky_r));
	ike_cookie_fini(&jar);
}

static int setup(void **state)
{
	(void)state;
	rng_seed(&rng, 4);
	conf = (struct ike_conf){
		.proposals = fast,
		.n_proposals = 1,
		.wire = gdoi_wire_opts_default(),
		.schedule = IKE_SCHEDULE_DEFAULT,
		.psk = psk_of,
		.rng = &rng,
	};
	return crypto_init() || ike_halfopen_init(&half, &rng, t0, 8, 3);
}

static int teardown(void **state)
{
	(void)state;
	ike_halfopen_fini(&half);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(repeated_message_1_gets_the_same_octets, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_source_has_its_share_and_no_more, setup,
						teardown),
		cmocka_unit_test_setup_teardown(oldest_makes_room_when_all_are_taken, setup,
						teardown),
		cmocka_unit_test_setup_teardown(slots_age_out, setup, teardown),
		cmocka_unit_test_setup_teardown(strangers_are_answered_rarely, setup, teardown),
		cmocka_unit_test_setup_teardown(message_3_needs_the_cookie_we_gave, setup,
						teardown),
		cmocka_unit_test(cookies_outlive_one_change_of_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
