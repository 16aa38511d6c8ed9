#include "gm/lkh.h"

#include "common/crypto/crypto.h"
#include "tests/unit/unit.h"

// The branch of these tests: leaf 11, node 5, root 1 (AES-128: IV and key, 32 octets each).
enum { LEN = 32 };

static uint8_t key_of[16][LEN]; // plain keys, no two alike
static uint8_t wrapped[64][LEN];
static size_t n_wrapped;
static struct gdoi_kd_lkh kd;
static struct gm_lkh held, out;
static const char *why;

static void put(uint16_t id, uint32_t handle, const uint8_t *data)
{
	kd.key[kd.n_keys++] = (struct gdoi_lkh_key){
		.id = id, .type = GDOI_KEK_AES, .handle = handle, .data = BYTES(data, LEN)
	};
}

// The new key `plain` of node id, under key `under`.
static void put_wrapped(uint16_t id, uint32_t handle, unsigned plain, unsigned under)
{
	uint8_t *to = wrapped[n_wrapped++];
	struct secret key;

	assert_int_equal(secret_set(&key, key_of[under] + 16, 16), 0);
	assert_int_equal(
		cipher_encrypt(CIPHER_AES128_CBC, &key, key_of[under], key_of[plain], LEN, to), 0);
	put(id, handle, to);
}

static void begin_array(uint16_t id, uint32_t handle)
{
	kd.update[kd.n_update++] =
		(struct gdoi_lkh_array){ .id = id, .handle = handle, .first = kd.n_keys };
}

static void end_array(void)
{
	struct gdoi_lkh_array *a = &kd.update[kd.n_update - 1];

	a->n = kd.n_keys - a->first;
}

static void clear_kd(void)
{
	memset(&kd, 0, sizeof(kd));
	n_wrapped = 0;
}

// Leaf 11 with key 0 and handle 100, node 5 with key 1 and handle 101, root with key 2 and 102.
static int hold_a_branch(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(key_of); i++)
		key_of[i / LEN][i % LEN] = (uint8_t)(16 * (i / LEN) + i % LEN * 7);
	clear_kd();
	kd.has_download = true;
	put(11, 100, key_of[0]);
	put(5, 101, key_of[1]);
	put(1, 102, key_of[2]);
	kd.download.n = 3;
	assert_true(gm_lkh_store(CIPHER_AES128_CBC, &kd, &held, &why));
	memset(&out, 0, sizeof(out));
	why = NULL;
	clear_kd();
	return 0;
}

static void assert_key(const struct gm_lkh *l, size_t at, uint16_t id, uint32_t handle,
		       unsigned key)
{
	assert_int_equal(l->path[at].id, id);
	assert_int_equal(l->path[at].handle, handle);
	assert_int_equal(l->path[at].data.len, LEN);
	assert_memory_equal(l->path[at].data.b, key_of[key], LEN);
}

static void assert_refused(void)
{
	static const struct gm_lkh untouched;

	assert_int_equal(gm_lkh_apply(&held, &kd, &out, &why), GM_LKH_REFUSED);
	assert_non_null(why);
	assert_memory_equal(&out, &untouched, sizeof(out));
}

static void a_download_is_kept_with_the_kek_last(void **state)
{
	(void)state;
	assert_int_equal(held.n, 3);
	assert_key(&held, 0, 11, 100, 0);
	assert_memory_equal(gm_lkh_leaf(&held)->b, key_of[0], LEN);
	assert_memory_equal(gm_lkh_kek(&held)->b, key_of[2], LEN);
}

static void a_download_of_other_keys_than_the_kek_asks_for_is_refused(void **state)
{
	(void)state;
	kd.has_download = true;
	put(11, 100, key_of[0]);
	kd.download.n = 1;
	assert_false(gm_lkh_store(CIPHER_AES256_CBC, &kd, &out, &why));
	assert_false(gm_lkh_store(CIPHER_AES192_CBC, &kd, &out, &why));
	kd.key[0].type = GDOI_KEK_3DES;
	assert_false(gm_lkh_store(CIPHER_AES128_CBC, &kd, &out, &why));
	assert_non_null(why);
	assert_int_equal(out.n, 0);
}

static void a_download_with_a_node_twice_is_refused(void **state)
{
	(void)state;
	kd.has_download = true;
	put(11, 100, key_of[0]);
	put(11, 101, key_of[1]);
	kd.download.n = 2;
	assert_false(gm_lkh_store(CIPHER_AES128_CBC, &kd, &out, &why));
}

static void a_packet_without_download_is_no_registration(void **state)
{
	(void)state;
	begin_array(11, 100);
	put_wrapped(1, 103, 3, 0);
	end_array();
	assert_false(gm_lkh_store(CIPHER_AES128_CBC, &kd, &out, &why));
}

static void a_download_longer_than_any_branch_is_refused(void **state)
{
	(void)state;
	kd.has_download = true;
	for (uint16_t i = 0; i <= GM_LKH_PATH_MAX; i++)
		put((uint16_t)(100 - i), i, key_of[0]);
	kd.download.n = kd.n_keys;
	assert_false(gm_lkh_store(CIPHER_AES128_CBC, &kd, &out, &why));
}

static void each_key_of_an_array_opens_the_next(void **state)
{
	(void)state;
	begin_array(11, 100);
	put_wrapped(5, 103, 3, 0);
	put_wrapped(1, 104, 4, 3);
	end_array();
	assert_int_equal(gm_lkh_apply(&held, &kd, &out, &why), GM_LKH_APPLIED);
	assert_int_equal(out.n, 3);
	assert_key(&out, 0, 11, 100, 0);
	assert_key(&out, 1, 5, 103, 3);
	assert_key(&out, 2, 1, 104, 4);
}

static void keys_below_the_start_stay(void **state)
{
	(void)state;
	begin_array(5, 101);
	put_wrapped(1, 103, 3, 1);
	end_array();
	assert_int_equal(gm_lkh_apply(&held, &kd, &out, &why), GM_LKH_APPLIED);
	assert_int_equal(out.n, 3);
	assert_key(&out, 1, 5, 101, 1);
	assert_key(&out, 2, 1, 103, 3);
}

static void an_array_under_an_older_key_of_our_node_is_not_ours(void **state)
{
	(void)state;
	begin_array(5, 99);
	put_wrapped(1, 103, 3, 1);
	end_array();
	begin_array(6, 101);
	put_wrapped(1, 103, 3, 1);
	end_array();
	assert_int_equal(gm_lkh_apply(&held, &kd, &out, &why), GM_LKH_NOT_OURS);
	assert_int_equal(out.n, 0);
}

static void of_two_arrays_the_one_nearest_to_the_leaf_is_taken(void **state)
{
	(void)state;
	begin_array(5, 101);
	put_wrapped(1, 104, 4, 1);
	end_array();
	begin_array(11, 100);
	put_wrapped(5, 103, 3, 0);
	put_wrapped(1, 104, 4, 3);
	end_array();
	assert_int_equal(gm_lkh_apply(&held, &kd, &out, &why), GM_LKH_APPLIED);
	assert_key(&out, 1, 5, 103, 3);
	assert_key(&out, 2, 1, 104, 4);
}

static void a_root_under_the_old_root_leaves_the_rest(void **state)
{
	(void)state;
	begin_array(1, 102);
	put_wrapped(1, 103, 3, 2);
	end_array();
	assert_int_equal(gm_lkh_apply(&held, &kd, &out, &why), GM_LKH_APPLIED);
	assert_int_equal(out.n, 3);
	assert_key(&out, 1, 5, 101, 1);
	assert_key(&out, 2, 1, 103, 3);
}

static void a_root_under_the_leaf_leaves_the_nodes_between(void **state)
{
	(void)state;
	begin_array(11, 100);
	put_wrapped(1, 103, 3, 0);
	end_array();
	assert_int_equal(gm_lkh_apply(&held, &kd, &out, &why), GM_LKH_APPLIED);
	assert_int_equal(out.n, 3);
	assert_key(&out, 1, 5, 101, 1);
	assert_key(&out, 2, 1, 103, 3);
}

static void a_node_that_is_new_to_us_comes_in_between(void **state)
{
	(void)state;
	begin_array(5, 101);
	put_wrapped(9, 103, 3, 1);
	put_wrapped(1, 104, 4, 3);
	end_array();
	assert_int_equal(gm_lkh_apply(&held, &kd, &out, &why), GM_LKH_APPLIED);
	assert_int_equal(out.n, 4);
	assert_key(&out, 1, 5, 101, 1);
	assert_key(&out, 2, 9, 103, 3);
	assert_key(&out, 3, 1, 104, 4);
}

static void another_root_replaces_what_we_held_above(void **state)
{
	(void)state;
	begin_array(5, 101);
	put_wrapped(7, 103, 3, 1);
	end_array();
	assert_int_equal(gm_lkh_apply(&held, &kd, &out, &why), GM_LKH_APPLIED);
	assert_int_equal(out.n, 3);
	assert_key(&out, 2, 7, 103, 3);
}

static void an_array_that_runs_away_from_the_root_is_refused(void **state)
{
	(void)state;
	begin_array(5, 101);
	put_wrapped(1, 103, 3, 1);
	put_wrapped(11, 104, 4, 3);
	end_array();
	assert_refused();
}

static void a_node_twice_in_an_array_is_refused(void **state)
{
	(void)state;
	begin_array(11, 100);
	put_wrapped(5, 103, 3, 0);
	put_wrapped(5, 104, 4, 3);
	end_array();
	assert_refused();
}

static void a_wrong_key_type_in_any_array_refuses_the_whole(void **state)
{
	(void)state;
	begin_array(11, 100);
	put_wrapped(1, 103, 3, 0);
	end_array();
	begin_array(77, 7);
	put_wrapped(1, 103, 3, 0);
	end_array();
	kd.key[kd.n_keys - 1].type = GDOI_KEK_3DES;
	assert_refused();
}

static void a_key_of_another_length_is_refused(void **state)
{
	(void)state;
	begin_array(11, 100);
	put_wrapped(1, 103, 3, 0);
	end_array();
	kd.key[0].data.len = 16;
	assert_refused();
}

static void a_download_in_a_push_is_refused(void **state)
{
	(void)state;
	kd.has_download = true;
	put(11, 100, key_of[3]);
	kd.download.n = 1;
	assert_refused();
}

static void a_branch_grown_beyond_all_measure_is_refused(void **state)
{
	(void)state;
	begin_array(11, 100);
	for (uint16_t i = 0; i < GM_LKH_PATH_MAX; i++)
		put(i == GM_LKH_PATH_MAX - 1 ? 1 : (uint16_t)(200 + i), 300u + i, key_of[3]);
	end_array();
	assert_refused();
}

static void forgetting_wipes_every_key(void **state)
{
	static const struct gm_lkh empty;

	(void)state;
	gm_lkh_fini(&held);
	assert_memory_equal(&held, &empty, sizeof(held));
}

#define TEST(f) cmocka_unit_test_setup(f, hold_a_branch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_download_is_kept_with_the_kek_last),
		TEST(a_download_of_other_keys_than_the_kek_asks_for_is_refused),
		TEST(a_download_with_a_node_twice_is_refused),
		TEST(a_packet_without_download_is_no_registration),
		TEST(a_download_longer_than_any_branch_is_refused),
		TEST(each_key_of_an_array_opens_the_next),
		TEST(keys_below_the_start_stay),
		TEST(an_array_under_an_older_key_of_our_node_is_not_ours),
		TEST(of_two_arrays_the_one_nearest_to_the_leaf_is_taken),
		TEST(a_root_under_the_old_root_leaves_the_rest),
		TEST(a_root_under_the_leaf_leaves_the_nodes_between),
		TEST(a_node_that_is_new_to_us_comes_in_between),
		TEST(another_root_replaces_what_we_held_above),
		TEST(an_array_that_runs_away_from_the_root_is_refused),
		TEST(a_node_twice_in_an_array_is_refused),
		TEST(a_wrong_key_type_in_any_array_refuses_the_whole),
		TEST(a_key_of_another_length_is_refused),
		TEST(a_download_in_a_push_is_refused),
		TEST(a_branch_grown_beyond_all_measure_is_refused),
		TEST(forgetting_wipes_every_key),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
