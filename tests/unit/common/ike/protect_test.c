#include "tests/unit/ike_pair.h"

#include "common/ike/info.h"
#include "common/ike/protect.h"

static const struct ike_proposal fast[] = { { CIPHER_AES256_CBC, HASH_ALG_SHA384, DH_ECP256 } };
static const struct ike_nonces none;
static struct ike_pair pair;

// One message of exchange x with a single payload.
static struct bytes seal(struct ike_exch *x, const struct ike_nonces *n, uint8_t type,
			 const char *text, uint8_t *buf, size_t cap)
{
	struct ike_seal s;
	struct bytes msg;

	ike_seal_begin(&s, x, buf, cap);
	wr_pl(&s.chain, type, BYTES(text, strlen(text)));
	assert_int_equal(ike_seal_end(&s, x, n, &msg), 0);
	return msg;
}

static enum ike_reason open_msg(struct ike_exch *x, const struct ike_nonces *n, struct bytes msg,
				struct isakmp_hashed *m, uint8_t *plain)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(msg, &err);
	struct isakmp_hdr hdr;
	const char *detail = NULL;

	if (!isakmp_hdr_decode(&r, &hdr))
		return IKE_R_MALFORMED;
	return ike_exch_open(x, &hdr, msg, n, plain, 1024, m, &detail);
}

static void four_messages_share_one_chain(void **state)
{
	struct ike_nonces n = none;
	struct ike_exch gm, ks;
	struct isakmp_hashed m;
	uint8_t buf[512], plain[1024];

	(void)state;
	assert_int_equal(ike_exch_init(&gm, &pair.gm, GDOI_XCH_PULL, 0x01020304), 0);
	assert_int_equal(ike_exch_init(&ks, pair.ks, GDOI_XCH_PULL, 0x01020304), 0);
	for (int i = 0; i < 4; i++) {
		struct ike_exch *from = i % 2 ? &ks : &gm, *to = i % 2 ? &gm : &ks;
		struct bytes msg =
			seal(from, &n, ISAKMP_PL_NONCE, "a nonce of it", buf, sizeof(buf));

		assert_int_equal((msg.len - ISAKMP_HDR_LEN) % 16, 0);
		assert_int_equal(open_msg(to, &n, msg, &m, plain), IKE_R_OK);
		assert_int_equal(m.chain.n, 2);
		assert_int_equal(m.chain.pl[1].body.len, 13);
		assert_memory_equal(from->iv, to->iv, 16);
		n.ni = BYTES_LIT("ni");
		if (i > 0)
			n.nr = BYTES_LIT("nr");
	}
}

static void forged_message_leaves_the_chain_alone(void **state)
{
	struct ike_exch gm, ks, before;
	struct isakmp_hashed m;
	uint8_t buf[512], bad[512], plain[1024];
	struct bytes msg;

	(void)state;
	assert_int_equal(ike_exch_init(&gm, &pair.gm, GDOI_XCH_PULL, 77), 0);
	assert_int_equal(ike_exch_init(&ks, pair.ks, GDOI_XCH_PULL, 77), 0);
	msg = seal(&gm, &none, ISAKMP_PL_NONCE, "a nonce of the member", buf, sizeof(buf));
	before = ks;
	for (size_t bit = 0; bit < msg.len * 8; bit++) {
		memcpy(bad, msg.p, msg.len);
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (bit / 8 < 16 || bit / 8 == 19) // cookies find the SA; C is no fault
			continue;
		assert_int_not_equal(open_msg(&ks, &none, BYTES(bad, msg.len), &m, plain),
				     IKE_R_OK);
		assert_memory_equal(&ks, &before, sizeof(ks));
	}
	for (size_t cut = 0; cut < msg.len; cut++)
		assert_int_not_equal(open_msg(&ks, &none, BYTES(msg.p, cut), &m, plain), IKE_R_OK);
	assert_int_equal(open_msg(&ks, &none, msg, &m, plain),
			 IKE_R_OK); // the real one still works
	assert_int_not_equal(open_msg(&ks, &none, msg, &m, plain), IKE_R_OK); // once
}

static void other_nonces_or_ids_do_not_verify(void **state)
{
	const struct ike_nonces n = { BYTES_LIT("initiator's"), BYTES_LIT("responder's") };
	const struct ike_nonces swapped = { BYTES_LIT("responder's"), BYTES_LIT("initiator's") };
	struct ike_exch gm, ks;
	struct isakmp_hashed m;
	uint8_t buf[512], plain[1024];
	struct bytes msg;

	(void)state;
	assert_int_equal(ike_exch_init(&gm, &pair.gm, GDOI_XCH_PULL, 78), 0);
	assert_int_equal(ike_exch_init(&ks, pair.ks, GDOI_XCH_PULL, 78), 0);
	msg = seal(&gm, &n, ISAKMP_PL_NONCE, "12345678", buf, sizeof(buf));
	assert_int_equal(open_msg(&ks, &swapped, msg, &m, plain), IKE_R_BAD_HASH);
	assert_int_equal(open_msg(&ks, &none, msg, &m, plain), IKE_R_BAD_HASH);
	assert_int_equal(open_msg(&ks, &n, msg, &m, plain), IKE_R_OK);
	assert_int_equal(ike_exch_init(&ks, pair.ks, GDOI_XCH_PULL, 79), 0);
	assert_int_equal(open_msg(&ks, &n, msg, &m, plain), IKE_R_BAD_EXCHANGE);
	assert_int_equal(ike_exch_init(&ks, pair.ks, GDOI_XCH_PULL, 0), -EINVAL);
}

static void small_buffers_are_an_error_not_an_overflow(void **state)
{
	struct ike_exch x, before;
	uint8_t buf[512];
	struct ike_seal s;
	struct bytes msg;

	(void)state;
	assert_int_equal(ike_exch_init(&x, &pair.gm, GDOI_XCH_PULL, 80), 0);
	before = x;
	for (size_t cap = 0; cap < 144; cap++) { // 28 + hash 52 + 54 = 134, padded to 140
		ike_seal_begin(&s, &x, buf, cap);
		wr_pl(&s.chain, ISAKMP_PL_NONCE, BYTES(buf, 50));
		if (cap < 140) {
			assert_int_equal(ike_seal_end(&s, &x, &none, &msg), -EMSGSIZE);
			assert_memory_equal(&x, &before, sizeof(x));
		}
	}
}

// ---- informational ----

static enum ike_reason open_info(struct ike_sa *sa, struct bytes msg, struct ike_info *info,
				 uint8_t *plain)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(msg, &err);
	struct isakmp_hdr hdr;
	const char *detail = NULL;

	assert_true(isakmp_hdr_decode(&r, &hdr));
	return ike_info_open(sa, &hdr, msg, plain, info, &detail);
}

static void notify_travels_once(void **state)
{
	static uint8_t plain[IKE_DGRAM_MAX];
	uint8_t buf[IKE_INFO_BUF];
	struct ike_info info;
	struct bytes msg;

	(void)state;
	assert_int_equal(ike_info_notify(&pair.gm, ISAKMP_N_INVALID_ID_INFORMATION,
					 BYTES_LIT("why"), buf, sizeof(buf), &msg),
			 0);
	assert_int_equal(open_info(pair.ks, msg, &info, plain), IKE_R_OK);
	assert_int_equal(info.n_notify, 1);
	assert_int_equal(info.n_delete, 0);
	assert_int_equal(info.notify[0].type, ISAKMP_N_INVALID_ID_INFORMATION);
	assert_int_equal(info.notify[0].doi, ISAKMP_DOI_GDOI);
	assert_int_equal(info.notify[0].spi.len, 16);
	assert_true(bytes_eq(info.notify[0].data, BYTES_LIT("why")));
	assert_int_equal(open_info(pair.ks, msg, &info, plain), IKE_R_REPLAY);
	assert_int_equal(info.n_notify, 0);
}

static void delete_names_the_sa(void **state)
{
	static uint8_t plain[IKE_DGRAM_MAX];
	uint8_t buf[IKE_INFO_BUF];
	struct ike_info info;
	struct bytes msg;

	(void)state;
	assert_int_equal(ike_info_delete_sa(pair.ks, buf, sizeof(buf), &msg), 0);
	assert_int_equal(open_info(&pair.gm, msg, &info, plain), IKE_R_OK);
	assert_int_equal(info.n_delete, 1);
	assert_true(info.deletes_sa);
}

static void delete_of_another_sa_is_not_ours(void **state)
{
	static uint8_t plain[IKE_DGRAM_MAX];
	static const uint8_t other[16] = { 1 };
	const struct isakmp_delete d = { .doi = 2,
					 .proto = IPSEC_PROTO_ISAKMP,
					 .spi_size = 16,
					 .n = 1,
					 .spis = BYTES_OF(other) };
	uint8_t buf[IKE_INFO_BUF];
	struct ike_info info;
	struct ike_exch x;
	struct ike_seal s;
	struct bytes msg;

	(void)state;
	assert_int_equal(ike_exch_init(&x, pair.ks, ISAKMP_XCH_INFO, 4711), 0);
	ike_seal_begin(&s, &x, buf, sizeof(buf));
	isakmp_delete_encode(&s.chain, &d);
	assert_int_equal(ike_seal_end(&s, &x, &none, &msg), 0);
	assert_int_equal(open_info(&pair.gm, msg, &info, plain), IKE_R_OK);
	assert_int_equal(info.n_delete, 1);
	assert_false(info.deletes_sa);
}

static void clear_notify_of_a_standing_sa_changes_nothing(void **state)
{
	uint8_t buf[IKE_INFO_BUF];
	struct ike_event ev = { .kind = IKE_EV_DATAGRAM, .from = pair.r.here };
	struct ike_out out;
	size_t len = ike_info_clear(pair.gm.cky_i, pair.gm.cky_r, 2, ISAKMP_N_AUTHENTICATION_FAILED,
				    &pair.net, buf, sizeof(buf));

	(void)state;
	assert_true(len > 0);
	ev.datagram = BYTES(buf, len);
	ike_sa_step(&pair.gm, pair.now, &ev, &out);
	assert_int_equal(pair.gm.state, IKE_ESTABLISHED);
	assert_int_equal(out.msg_len, 0); // never an informational for an informational
}

static int setup(void **state)
{
	(void)state;
	pair_init(&pair, fast, 1, 1);
	return pair_run(&pair) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	pair_fini(&pair);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_messages_share_one_chain),
		cmocka_unit_test(forged_message_leaves_the_chain_alone),
		cmocka_unit_test(other_nonces_or_ids_do_not_verify),
		cmocka_unit_test(small_buffers_are_an_error_not_an_overflow),
		cmocka_unit_test(notify_travels_once),
		cmocka_unit_test(delete_names_the_sa),
		cmocka_unit_test(delete_of_another_sa_is_not_ours),
		cmocka_unit_test(clear_notify_of_a_standing_sa_changes_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
