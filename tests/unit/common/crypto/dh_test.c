#include "tests/unit/unit.h"

#include <pthread.h>

#include "common/crypto/crypto.h"
#include "common/crypto/dh.h"
#include "tests/vectors/rfc_crypto.h"

static const enum dh_group groups[] = { DH_MODP2048, DH_MODP3072, DH_MODP4096,
					DH_ECP256,   DH_ECP384,	  DH_ECP521 };

static struct dh_job *job_of(int group, const char *x, const char *own)
{
	uint8_t bx[128], bown[256];
	size_t nx = unhex(x, bx, sizeof(bx)), nown = unhex(own, bown, sizeof(bown));
	struct dh_job *j = dh_job_new((enum dh_group)group);

	assert_non_null(j);
	assert_int_equal(dh_job_set_private(j, BYTES(bx, nx), BYTES(bown, nown)), 0);
	assert_memory_equal(j->own, bown, nown);
	return j;
}

static void ecp_gives_the_answers_of_rfc_5903(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rfc5903_ecp); i++) {
		int g = rfc5903_ecp[i].group;
		struct dh_job *a = job_of(g, rfc5903_ecp[i].i, rfc5903_ecp[i].gi);
		struct dh_job *b = job_of(g, rfc5903_ecp[i].r, rfc5903_ecp[i].gr);
		uint8_t want[128];
		size_t n = unhex(rfc5903_ecp[i].shared, want, sizeof(want));

		assert_int_equal(dh_job_set_peer(a, BYTES(b->own, b->own_len)), 0);
		assert_int_equal(dh_job_set_peer(b, BYTES(a->own, a->own_len)), 0);
		assert_int_equal(dh_job_run(a), 0);
		assert_int_equal(dh_job_run(b), 0);
		assert_int_equal(a->shared.len, n);
		assert_memory_equal(a->shared.b, want, n);
		assert_memory_equal(b->shared.b, want, n);
		dh_job_free(a);
		dh_job_free(b);
	}
}

static void agree(enum dh_group g)
{
	struct dh_job *a = dh_job_new(g), *b = dh_job_new(g);

	assert_int_equal(dh_job_run(a), 0); // the initiator's first half: a key pair
	assert_int_equal(a->own_len, dh_public_len(g));
	assert_int_equal(a->shared.len, 0);
	assert_int_equal(dh_job_set_peer(b, BYTES(a->own, a->own_len)), 0);
	assert_int_equal(dh_job_run(b), 0); // the responder's whole
	assert_int_equal(dh_job_set_peer(a, BYTES(b->own, b->own_len)), 0);
	assert_int_equal(dh_job_run(a), 0);
	assert_int_equal(a->shared.len, dh_shared_len(g));
	assert_memory_equal(a->shared.b, b->shared.b, a->shared.len);
	dh_job_free(a);
	dh_job_free(b);
}

static void both_sides_agree_in_every_group(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(groups); i++)
		agree(groups[i]);
}

// Roughly one value in 256 has a leading zero octet; lengths must not show it.
static void leading_zeros_are_kept(void **state)
{
	bool zero_own = false, zero_shared = false;

	(void)state;
	for (int i = 0; i < 3000 && !(zero_own && zero_shared); i++) {
		struct dh_job *a = dh_job_new(DH_ECP256), *b = dh_job_new(DH_ECP256);

		dh_job_run(a);
		assert_int_equal(dh_job_set_peer(b, BYTES(a->own, a->own_len)), 0);
		assert_int_equal(dh_job_run(b), 0);
		assert_int_equal(b->shared.len, 32);
		assert_int_equal(a->own_len, 64);
		zero_own |= a->own[0] == 0;
		zero_shared |= b->shared.b[0] == 0;
		dh_job_free(a);
		dh_job_free(b);
	}
	assert_true(zero_own && zero_shared);
}

static void try_peer(enum dh_group g, const uint8_t *v)
{
	struct dh_job *j = dh_job_new(g);

	assert_int_equal(dh_job_set_peer(j, BYTES(v, dh_public_len(g))), 0);
	assert_int_equal(dh_job_run(j), -EBADMSG);
	assert_int_equal(j->shared.len, 0);
	dh_job_free(j);
}

static void degenerate_modp_values_are_refused(void **state)
{
	// The prime of group 14 ends in ff..ff (RFC 3526), so p - 1 ends in fe.
	static const char *p2048 =
		"ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74"
		"020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437"
		"4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
		"ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf05"
		"98da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb"
		"9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b"
		"e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf695581718"
		"3995497cea956ae515d2261898fa051015728e5a8aacaa68ffffffffffffffff";
	uint8_t v[DH_PUBLIC_MAX] = { 0 };

	(void)state;
	try_peer(DH_MODP2048, v); // 0
	v[255] = 1;
	try_peer(DH_MODP2048, v); // 1
	unhex(p2048, v, sizeof(v));
	v[255] = 0xfe;
	try_peer(DH_MODP2048, v); // p - 1
	v[255] = 0xff;
	try_peer(DH_MODP2048, v); // p
	memset(v, 0xff, sizeof(v));
	for (size_t i = 0; i < 3; i++)
		try_peer(groups[i], v); // above p
}

static void points_off_the_curve_are_refused(void **state)
{
	uint8_t v[DH_PUBLIC_MAX];

	(void)state;
	for (size_t i = 3; i < N_ELEMS(groups); i++) {
		struct dh_job *a = dh_job_new(groups[i]);

		assert_int_equal(dh_job_run(a), 0);
		memcpy(v, a->own, a->own_len);
		v[a->own_len - 1] ^= 1;
		try_peer(groups[i], v);
		memset(v, 0, sizeof(v)); // no curve of ours has (0, 0)
		try_peer(groups[i], v);
		memset(v, 0xff, sizeof(v)); // coordinates above p
		try_peer(groups[i], v);
		dh_job_free(a);
	}
}

static void other_lengths_and_groups_are_refused(void **state)
{
	uint8_t v[DH_PUBLIC_MAX] = { 0 };
	struct dh_job *j = dh_job_new(DH_ECP256);

	(void)state;
	assert_int_equal(dh_job_set_peer(j, BYTES(v, 63)), -EBADMSG);
	assert_int_equal(dh_job_set_peer(j, BYTES(v, 65)), -EBADMSG);
	assert_int_equal(dh_job_set_peer(j, BYTES(v, 0)), -EBADMSG);
	dh_job_free(j);
	assert_null(dh_job_new(DH_NONE));
	assert_null(dh_job_new((enum dh_group)2)); // MODP-1024
	assert_null(dh_job_new((enum dh_group)25));
}

static void a_pair_that_does_not_belong_together_is_refused(void **state)
{
	struct dh_job *a = dh_job_new(DH_ECP256), *b = dh_job_new(DH_ECP256);
	struct secret x = { 0 };
	uint8_t order[32];

	(void)state;
	assert_int_equal(dh_job_private(a, &x), -EINVAL); // none yet
	assert_int_equal(dh_job_run(a), 0);
	assert_int_equal(dh_job_private(a, &x), 0);
	assert_int_equal(dh_job_set_private(b, BYTES(x.b, x.len), BYTES(a->own, a->own_len)), 0);
	assert_memory_equal(b->own, a->own, a->own_len);
	x.b[31] ^= 1;
	assert_int_equal(dh_job_set_private(b, BYTES(x.b, x.len), BYTES(a->own, a->own_len)),
			 -EINVAL);
	unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", order,
	      sizeof(order));
	assert_int_equal(dh_job_set_private(b, BYTES_OF(order), BYTES(a->own, a->own_len)),
			 -EINVAL);
	dh_job_free(a);
	dh_job_free(b);
}

static void *thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		agree(i % 2 ? DH_ECP256 : DH_MODP2048);
	return NULL;
}

static void jobs_run_on_any_thread(void **state)
{
	pthread_t t[4];

	(void)state;
	for (size_t i = 0; i < N_ELEMS(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, thread, NULL), 0);
	for (size_t i = 0; i < N_ELEMS(t); i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
}

static int setup(void **state)
{
	(void)state;
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ecp_gives_the_answers_of_rfc_5903),
		cmocka_unit_test(both_sides_agree_in_every_group),
		cmocka_unit_test(leading_zeros_are_kept),
		cmocka_unit_test(degenerate_modp_values_are_refused),
		cmocka_unit_test(points_off_the_curve_are_refused),
		cmocka_unit_test(other_lengths_and_groups_are_refused),
		cmocka_unit_test(a_pair_that_does_not_belong_together_is_refused),
		cmocka_unit_test(jobs_run_on_any_thread),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
