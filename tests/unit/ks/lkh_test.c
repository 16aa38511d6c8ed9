#include "ks/lkh.h"

#include "common/crypto/crypto.h"
#include "common/wire/wr.h"
#include "tests/unit/unit.h"

static struct rng rng;
static struct gdoi_kd_lkh kd; // of the test that runs
static uint16_t leaf[70000];

static int start(void **state)
{
	(void)state;
	rng_seed(&rng, 4711);
	memset(&kd, 0, sizeof(kd));
	return 0;
}

static void make(struct lkh *t, enum cipher_alg alg, unsigned degree, size_t n)
{
	assert_int_equal(lkh_init(t, alg, degree, &rng), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(lkh_join(t, &rng, &leaf[i]), 0);
}

static void roll(struct lkh *t)
{
	struct lkh_update u;

	assert_int_equal(lkh_rekey(t, &rng, &u), 0);
	lkh_commit(t, &u);
	lkh_update_fini(&u);
}

static unsigned depth_of(size_t n, unsigned degree)
{
	unsigned d = 1;

	for (size_t room = degree; room < n; room *= degree)
		d++;
	return d;
}

// Every count of the tree is what its nodes say; no handle stands twice.
static uint32_t check_node(const struct lkh *t, uint16_t i, uint8_t *seen)
{
	const struct lkh_node *n = &t->node[i];
	uint32_t below = 0;

	assert_true(i != 0 && i < t->n);
	if (n->data.len) {
		assert_true(n->handle != 0 && n->handle <= t->last_handle);
		assert_false(seen[n->handle]);
		seen[n->handle] = 1;
	} else {
		assert_true(n->stale);
	}
	if (n->stale && n->parent != 0 && n->parent != LKH_ROOT)
		assert_true(t->node[n->parent].stale);
	for (uint16_t c = n->child; c != 0; c = t->node[c].sibling) {
		assert_int_equal(t->node[c].parent, i);
		assert_int_equal(t->node[c].level + 1, n->level);
		below += check_node(t, c, seen);
	}
	if (n->level == 0)
		below = 1;
	assert_int_equal(below, n->n_members);
	return below;
}

static void check_tree(const struct lkh *t)
{
	uint8_t *seen = calloc(t->last_handle + 1, 1);

	check_node(t, LKH_ROOT, seen);
	free(seen);
}

static void refuses_aes_192_because_padding_is_undefined(void **state)
{
	struct lkh t;

	(void)state;
	assert_int_equal(lkh_init(&t, CIPHER_AES192_CBC, 2, &rng), -ENOTSUP);
	lkh_fini(&t);
	assert_int_equal(lkh_init(&t, CIPHER_3DES_CBC, 2, &rng), -ENOTSUP);
	lkh_fini(&t);
}

static void refuses_a_degree_out_of_range(void **state)
{
	struct lkh t;

	(void)state;
	assert_int_equal(lkh_init(&t, CIPHER_AES128_CBC, 1, &rng), -EINVAL);
	lkh_fini(&t);
	assert_int_equal(lkh_init(&t, CIPHER_AES128_CBC, LKH_DEGREE_MAX + 1, &rng), -EINVAL);
	lkh_fini(&t);
}

static void download_runs_from_the_own_leaf_to_the_kek(void **state)
{
	struct lkh t;

	(void)state;
	make(&t, CIPHER_AES256_CBC, 2, 9);
	roll(&t);
	for (size_t i = 0; i < 9; i++) {
		lkh_download(&t, leaf[i], &kd);
		assert_true(kd.has_download);
		assert_int_equal(kd.download.n, 1 + depth_of(9, 2));
		assert_int_equal(kd.key[0].id, leaf[i]);
		assert_memory_equal(kd.key[0].data.p, lkh_key(&t, leaf[i])->b, 48);
		assert_int_equal(kd.key[kd.n_keys - 1].id, LKH_ROOT);
		assert_memory_equal(kd.key[kd.n_keys - 1].data.p, lkh_kek(&t)->b, 48);
	}
	lkh_fini(&t);
}

static void two_members_share_only_the_keys_above_both(void **state)
{
	static struct gdoi_kd_lkh other;
	struct lkh t;

	(void)state;
	make(&t, CIPHER_AES128_CBC, 2, 2);
	lkh_download(&t, leaf[0], &kd);
	lkh_download(&t, leaf[1], &other);
	assert_int_equal(kd.n_keys, 2);
	assert_int_equal(other.n_keys, 2);
	assert_true(kd.key[0].handle != other.key[0].handle);
	assert_false(bytes_eq(kd.key[0].data, other.key[0].data));
	assert_int_equal(kd.key[1].handle, other.key[1].handle);
	lkh_fini(&t);
}

static void leaving_changes_no_key_before_the_commit(void **state)
{
	struct secret before;
	struct lkh_update u;
	struct lkh t;

	(void)state;
	make(&t, CIPHER_AES128_CBC, 2, 8);
	before = *lkh_kek(&t);
	assert_false(lkh_is_stale(&t));
	lkh_leave(&t, leaf[3]);
	assert_true(lkh_is_stale(&t));
	assert_int_equal(lkh_rekey(&t, &rng, &u), 0);
	assert_true(secret_eq(lkh_kek(&t), &before));
	assert_false(secret_eq(lkh_update_kek(&u), &before));
	lkh_update_fini(&u); // could not be sent
	assert_true(lkh_is_stale(&t));
	check_tree(&t);

	assert_int_equal(lkh_rekey(&t, &rng, &u), 0);
	lkh_commit(&t, &u);
	assert_true(secret_eq(lkh_kek(&t), lkh_update_kek(&u)));
	assert_false(lkh_is_stale(&t));
	lkh_update_fini(&u);
	check_tree(&t);
	lkh_fini(&t);
}

// RFC 2627 table 1, last column, for trees whose nodes all have keys.
static void one_leaver_costs_at_most_k_minus_1_arrays_per_level(void **state)
{
	static const struct {
		unsigned degree;
		size_t n;
	} row[] = { { 2, 8 }, { 3, 9 }, { 2, 16 }, { 2, 2048 }, { 3, 2187 }, { 4, 4096 } };

	(void)state;
	for (size_t r = 0; r < N_ELEMS(row); r++) {
		unsigned d = depth_of(row[r].n, row[r].degree);
		struct lkh_update u;
		struct lkh t;

		make(&t, CIPHER_AES128_CBC, row[r].degree, row[r].n);
		roll(&t);
		for (unsigned i = 0; i < 5; i++) {
			lkh_leave(&t, leaf[i * row[r].n / 5]);
			assert_int_equal(lkh_rekey(&t, &rng, &u), 0);
			assert_true(u.n_starts <= (row[r].degree - 1) * d);
			assert_true(u.n_new <= d);
			if (i == 0)
				assert_int_equal(u.n_starts, (row[r].degree - 1) * d);
			lkh_commit(&t, &u);
			lkh_update_fini(&u);
		}
		check_tree(&t);
		lkh_fini(&t);
	}
}

// Growth leaves one node per level without a key: twice the arrays, once.
static void a_tree_that_has_just_grown_costs_at_most_twice_as_much(void **state)
{
	struct lkh_update u;
	struct lkh t;

	(void)state;
	make(&t, CIPHER_AES128_CBC, 2, 3000);
	lkh_leave(&t, leaf[2999]);
	assert_int_equal(lkh_rekey(&t, &rng, &u), 0);
	assert_true(u.n_starts <= 2 * depth_of(3000, 2));
	lkh_commit(&t, &u);
	lkh_update_fini(&u);
	lkh_leave(&t, leaf[17]);
	assert_int_equal(lkh_rekey(&t, &rng, &u), 0);
	assert_true(u.n_starts <= depth_of(3000, 2));
	lkh_update_fini(&u);
	lkh_fini(&t);
}

static void a_rekey_without_leavers_needs_one_array_per_child_of_the_root(void **state)
{
	struct lkh_update u;
	struct lkh t;

	(void)state;
	make(&t, CIPHER_AES128_CBC, 4, 100);
	roll(&t);
	assert_int_equal(lkh_rekey(&t, &rng, &u), 0);
	assert_int_equal(u.n_new, 1);
	assert_int_equal(u.n_starts, 2); // 64 and 36 of them
	lkh_update_fini(&u);
	lkh_fini(&t);
}

static void no_array_starts_under_a_key_of_a_leaver(void **state)
{
	uint32_t known[64];
	struct lkh_update u;
	size_t n_known = 0;
	struct lkh t;

	(void)state;
	make(&t, CIPHER_AES128_CBC, 2, 500);
	for (size_t i = 0; i < 500; i += 125) { // four leave together
		lkh_download(&t, leaf[i], &kd);
		for (size_t k = 0; k < kd.n_keys; k++)
			known[n_known++] = kd.key[k].handle;
		lkh_leave(&t, leaf[i]);
	}
	assert_int_equal(lkh_rekey(&t, &rng, &u), 0);
	for (size_t s = 0; s < u.n_starts; s++) {
		for (size_t k = 0; k < n_known; k++)
			assert_true(u.start[s].handle != known[k]);
	}
	for (size_t l = 0; l < u.n_links; l++) {
		for (size_t k = 0; k < n_known; k++)
			assert_true(u.link[l].handle != known[k]);
	}
	lkh_update_fini(&u);
	lkh_fini(&t);
}

static void a_leaf_that_is_used_again_has_another_key_and_handle(void **state)
{
	struct secret old_key;
	uint32_t old_handle;
	uint16_t again;
	struct lkh t;

	(void)state;
	make(&t, CIPHER_AES128_CBC, 2, 4);
	old_key = *lkh_key(&t, leaf[2]);
	old_handle = t.node[leaf[2]].handle;
	lkh_leave(&t, leaf[2]);
	assert_int_equal(lkh_join(&t, &rng, &again), 0);
	assert_int_equal(again, leaf[2]);
	assert_true(t.node[again].handle > old_handle);
	assert_false(secret_eq(lkh_key(&t, again), &old_key));
	assert_true(lkh_is_stale(&t)); // the leaver still holds what is above
	lkh_fini(&t);
}

static void everybody_may_leave_and_come_back(void **state)
{
	struct lkh t;

	(void)state;
	make(&t, CIPHER_AES128_CBC, 3, 200);
	for (size_t i = 0; i < 200; i++)
		lkh_leave(&t, leaf[i]);
	assert_int_equal(lkh_n_members(&t), 0);
	check_tree(&t);
	roll(&t);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(lkh_join(&t, &rng, &leaf[i]), 0);
	assert_int_equal(lkh_n_members(&t), 200);
	check_tree(&t);
	lkh_fini(&t);
}

static void a_full_tree_refuses_and_stays_whole(void **state)
{
	struct lkh t;
	size_t n = 0;
	int err;

	(void)state;
	assert_int_equal(lkh_init(&t, CIPHER_AES128_CBC, 2, &rng), 0);
	while ((err = lkh_join(&t, &rng, &leaf[n])) == 0)
		n++;
	assert_int_equal(err, -ENOSPC);
	assert_true(n > 32000);
	assert_int_equal(lkh_n_members(&t), n);
	check_tree(&t);
	for (size_t i = 0; i < n; i += 7)
		lkh_leave(&t, leaf[i]);
	assert_int_equal(lkh_join(&t, &rng, &leaf[0]), 0);
	roll(&t);
	check_tree(&t);
	lkh_fini(&t);
}

static void handles_run_out_before_one_is_given_twice(void **state)
{
	struct lkh_update u;
	struct lkh t;
	uint16_t l;

	(void)state;
	make(&t, CIPHER_AES128_CBC, 2, 2);
	t.last_handle = UINT32_MAX;
	assert_int_equal(lkh_join(&t, &rng, &l), -ENOSPC);
	assert_int_equal(lkh_rekey(&t, &rng, &u), -ENOSPC);
	lkh_fini(&t);
}

static void cut_messages_hold_every_array_once_and_keep_their_budget(void **state)
{
	struct lkh_update u;
	struct lkh t;
	size_t from = 0, parts = 0, arrays = 0;

	(void)state;
	make(&t, CIPHER_AES256_CBC, 2, 2000);
	for (size_t i = 0; i < 2000; i += 20)
		lkh_leave(&t, leaf[i]);
	assert_int_equal(lkh_rekey(&t, &rng, &u), 0);
	while (from < u.n_starts) {
		size_t next = lkh_cut(&u, from, 20000, &kd), len = 0;

		assert_true(next > from);
		assert_int_equal(kd.n_update, next - from);
		for (size_t a = 0; a < kd.n_update; a++) {
			assert_int_equal(kd.update[a].handle, u.start[from + a].handle);
			assert_int_equal(kd.key[kd.update[a].first + kd.update[a].n - 1].id,
					 LKH_ROOT);
			len += 16 + kd.update[a].n * 64;
		}
		assert_true(len <= 20000);
		arrays += kd.n_update;
		from = next;
		parts++;
	}
	assert_int_equal(arrays, u.n_starts);
	assert_true(parts > 10);
	assert_int_equal(lkh_cut(&u, 0, 100, &kd), 0);
	lkh_update_fini(&u);
	lkh_fini(&t);
}

static void a_message_decodes_to_the_arrays_it_was_made_from(void **state)
{
	static uint8_t buf[65000];
	static struct gdoi_kd sent, got;
	const struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct rd_err err = { NULL };
	struct lkh_update u;
	struct wr_chain c;
	struct lkh t;
	struct wr w;

	(void)state;
	make(&t, CIPHER_AES256_CBC, 2, 1000);
	lkh_leave(&t, leaf[400]);
	assert_int_equal(lkh_rekey(&t, &rng, &u), 0);
	memset(&sent, 0, sizeof(sent));
	sent.has_lkh = true;
	assert_int_equal(lkh_cut(&u, 0, 60000, &sent.lkh), u.n_starts);
	wr_init(&w, buf, sizeof(buf));
	wr_u8(&w, 0); // the octet that names the payload
	c = (struct wr_chain){ .w = &w, .next_at = 0 };
	gdoi_kd_encode(&o, &c, &sent);
	assert_true(wr_ok(&w));
	assert_true(gdoi_kd_decode(&o, wr_view(&w, 1 + 4, w.len), &got, &err));
	assert_int_equal(got.lkh.n_update, sent.lkh.n_update);
	assert_int_equal(got.lkh.n_keys, sent.lkh.n_keys);
	for (size_t k = 0; k < got.lkh.n_keys; k++) {
		assert_int_equal(got.lkh.key[k].id, sent.lkh.key[k].id);
		assert_int_equal(got.lkh.key[k].handle, sent.lkh.key[k].handle);
		assert_true(bytes_eq(got.lkh.key[k].data, sent.lkh.key[k].data));
	}
	lkh_update_fini(&u);
	lkh_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refuses_aes_192_because_padding_is_undefined, start),
		cmocka_unit_test_setup(refuses_a_degree_out_of_range, start),
		cmocka_unit_test_setup(download_runs_from_the_own_leaf_to_the_kek, start),
		cmocka_unit_test_setup(two_members_share_only_the_keys_above_both, start),
		cmocka_unit_test_setup(leaving_changes_no_key_before_the_commit, start),
		cmocka_unit_test_setup(one_leaver_costs_at_most_k_minus_1_arrays_per_level, start),
		cmocka_unit_test_setup(a_tree_that_has_just_grown_costs_at_most_twice_as_much,
				       start),
		cmocka_unit_test_setup(
			a_rekey_without_leavers_needs_one_array_per_child_of_the_root, start),
		cmocka_unit_test_setup(no_array_starts_under_a_key_of_a_leaver, start),
		cmocka_unit_test_setup(a_leaf_that_is_used_again_has_another_key_and_handle, start),
		cmocka_unit_test_setup(everybody_may_leave_and_come_back, start),
		cmocka_unit_test_setup(a_full_tree_refuses_and_stays_whole, start),
		cmocka_unit_test_setup(handles_run_out_before_one_is_given_twice, start),
		cmocka_unit_test_setup(cut_messages_hold_every_array_once_and_keep_their_budget,
				       start),
		cmocka_unit_test_setup(a_message_decodes_to_the_arrays_it_was_made_from, start),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
