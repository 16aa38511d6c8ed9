#include <fcntl.h>
#include <unistd.h>

#include "ks/adopt.h"
#include "ks/push.h"
#include "ks/replica.h"
#include "tests/unit/ks/ks_world.h"

// A world in which every part of the group has something to say.
static struct world *full_world(void)
{
	struct world *w = world_new(NULL);
	struct ks_group *g = world_group(w);
	uint16_t leaf[40];

	world_register(w, world_member(w, "192.0.2.1"));
	world_register(w, world_member(w, "192.0.2.2"));
	g->keys.gen[0].policy->receive_only = true;
	assert_true(world_rekey(w));
	g->removal.n = 2;
	g->removal.tombstone = calloc(2, sizeof(*g->removal.tombstone));
	assert_int_equal(addr_parse("192.0.2.8", &g->removal.tombstone[0].who), 0);
	assert_int_equal(addr_parse("2001:db8::9", &g->removal.tombstone[1].who), 0);
	assert_int_equal(lkh_init(&g->lkh, CIPHER_AES256_CBC, 3, &w->rng), 0);
	for (size_t i = 0; i < N_ELEMS(leaf); i++)
		assert_int_equal(lkh_join(&g->lkh, &w->rng, &leaf[i]), 0);
	for (size_t i = 0; i < N_ELEMS(leaf); i += 3)
		lkh_leave(&g->lkh, leaf[i]);
	g->members.first->leaf = leaf[1];
	return w;
}

static void empty_group(struct ks_group *g)
{
	*g = (struct ks_group){ .identity = 1234 };
	members_init(&g->members);
}

static void group_fini(struct ks_group *g)
{
	keys_end_all(&g->keys);
	members_fini(&g->members);
	ks_push_fini(&g->push);
	lkh_fini(&g->lkh);
	removal_fini(&g->removal);
}

static struct ks_blob pack(const struct world *w, int part, int64_t base_ms)
{
	const struct ks_group *g = w->ks.group[0];
	struct ks_blob b;

	ks_replica_pack(g, (enum ks_part_kind)part, g->members.first, base_ms, &b);
	return b;
}

// Seeds for tests/fuzz/corpus/ks_replica: CONCLAVE_SEEDS=DIR names where to.
static void leave_seed(int part, const struct ks_blob *b)
{
	const char *dir = getenv("CONCLAVE_SEEDS");
	uint8_t first = (uint8_t)(part - KS_PART_KEYS);
	char path[256];
	int fd;

	if (!dir)
		return;
	snprintf(path, sizeof(path), "%s/part-%d", dir, part);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(write(fd, &first, 1), 1);
	assert_int_equal(write(fd, b->p, b->len), (ssize_t)b->len);
	close(fd);
}

static void every_part_comes_back_as_it_was(void **state)
{
	struct world *w = full_world();
	struct ks_group g;

	(void)state;
	empty_group(&g);
	for (int part = KS_PART_KEYS; part <= KS_PART_MEMBER; part++) {
		struct rd_err why = { NULL };
		struct ks_blob a = pack(w, part, 5000), b;

		leave_seed(part, &a);
		if (!ks_replica_unpack(&g, (enum ks_part_kind)part, BYTES(a.p, a.len), 5000, &why))
			fail_msg("part %d: %s", part, why.why);
		ks_replica_pack(&g, (enum ks_part_kind)part, g.members.first, 5000, &b);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.p, b.p, a.len);
		if (part < KS_PART_MEMBER)
			assert_int_equal(ks_replica_mark(&g, (enum ks_part_kind)part),
					 ks_replica_mark(world_group(w), (enum ks_part_kind)part));
		ks_blob_fini(&a);
		ks_blob_fini(&b);
	}
	assert_int_equal(g.keys.gen[0].tek[0].dies.ms, world_group(w)->keys.gen[0].tek[0].dies.ms);
	assert_true(g.keys.gen[0].policy->receive_only);
	assert_true(secret_eq(&g.keys.kek.key, &world_group(w)->keys.kek.key));
	assert_true(secret_eq(lkh_kek(&g.lkh), lkh_kek(&world_group(w)->lkh)));
	group_fini(&g);
	world_free(w);
}

static void times_move_with_the_base(void **state)
{
	struct world *w = full_world();
	struct rd_err why = { NULL };
	struct ks_blob a = pack(w, KS_PART_KEYS, 5000);
	struct ks_group g;

	(void)state;
	empty_group(&g);
	assert_true(ks_replica_unpack(&g, KS_PART_KEYS, BYTES(a.p, a.len), 7000, &why));
	assert_int_equal(g.keys.kek.dies.ms, world_group(w)->keys.kek.dies.ms - 2000);
	assert_true(mono_is_never(g.keys.gen[0].drained));
	ks_blob_fini(&a);
	group_fini(&g);
	world_free(w);
}

static void nothing_that_is_cut_short_or_too_long_is_taken(void **state)
{
	struct world *w = full_world();

	(void)state;
	for (int part = KS_PART_KEYS; part <= KS_PART_MEMBER; part++) {
		struct ks_blob a = pack(w, part, 0);
		uint8_t *longer = calloc(1, a.len + 1);

		memcpy(longer, a.p, a.len);
		for (size_t len = 0; len <= a.len + 1; len++) {
			struct rd_err why = { NULL };
			struct ks_group g;

			if (len == a.len)
				continue;
			empty_group(&g);
			if (part == KS_PART_MEMBER)
				g.lkh = world_group(w)->lkh;
			assert_false(ks_replica_unpack(&g, (enum ks_part_kind)part,
						       BYTES(longer, len), 0, &why));
			assert_non_null(why.why);
			assert_int_equal(g.keys.n_gen + g.members.n + g.push.n_parts + g.removal.n,
					 0);
			if (part == KS_PART_MEMBER)
				g.lkh = (struct lkh){ 0 };
			group_fini(&g);
		}
		free(longer);
		ks_blob_fini(&a);
	}
	world_free(w);
}

static void another_version_is_not_guessed_at(void **state)
{
	struct world *w = full_world();

	(void)state;
	for (int part = KS_PART_KEYS; part <= KS_PART_MEMBER; part++) {
		struct ks_blob a = pack(w, part, 0);
		struct rd_err why = { NULL };
		struct ks_group g;

		empty_group(&g);
		a.p[0]++;
		assert_false(
			ks_replica_unpack(&g, (enum ks_part_kind)part, BYTES(a.p, a.len), 0, &why));
		assert_string_equal(why.why, "written by another version");
		ks_blob_fini(&a);
		group_fini(&g);
	}
	world_free(w);
}

// What was changed is refused, or is another right group: it never breaks anything.
static void changed_bits_do_no_harm(void **state)
{
	struct world *w = full_world();

	(void)state;
	for (int part = KS_PART_KEYS; part <= KS_PART_MEMBER; part++) {
		struct ks_blob a = pack(w, part, 0);

		for (size_t bit = 0; bit < MIN_OF(8 * a.len, 20000); bit++) {
			struct rd_err why = { NULL };
			struct ks_group g;

			a.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			empty_group(&g);
			if (ks_replica_unpack(&g, (enum ks_part_kind)part, BYTES(a.p, a.len), 0,
					      &why))
				assert_null(why.why);
			else
				assert_non_null(why.why);
			group_fini(&g);
			a.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		ks_blob_fini(&a);
	}
	world_free(w);
}

static struct keystore *signing; // of both key servers

static void same_signer(struct ks_conf *c)
{
	if (!signing)
		signing = keystore_get(c->store);
	keystore_put(c->store);
	c->store = keystore_get(signing);
}

static bool lose_rekeys(struct world *w, struct world_dgram *d)
{
	(void)w;
	return d->b[18] != GDOI_XCH_PUSH;
}

static void restart(struct world *w)
{
	const struct ks_options options = { .n_sas = 512, .n_halfopen = 64, .per_source = 16 };
	struct ks_saved_row row[KS_PART_COUNT];
	struct ks_blob blob[KS_PART_COUNT];
	struct ks_saved saved = { .row = row };

	for (int part = KS_PART_KEYS; part <= KS_PART_MEMBER; part++) {
		if (part == KS_PART_TREE || part == KS_PART_BANNED)
			continue;
		blob[saved.n] = pack(w, part, 0);
		row[saved.n] =
			(struct ks_saved_row){ .group = 1234,
					       .part = (enum ks_part_kind)part,
					       .data = BYTES(blob[saved.n].p, blob[saved.n].len) };
		saved.n++;
	}
	ks_fini(&w->ks);
	assert_int_equal(ks_init(&w->ks, &w->rng, &options, w->now, world_conf(same_signer)), 0);
	world_step(w, &(struct ks_event){ .kind = KS_EV_ADOPT, .saved = &saved });
	for (size_t i = 0; i < saved.n; i++)
		ks_blob_fini(&blob[i]);
}

// Which message of a rekey is a member's own is kept with the member, and not each time anew.
static void a_rekey_of_one_message_goes_to_who_needed_the_eighth_of_the_last(void **state)
{
	struct world *w = world_crowd(same_signer, 1);

	(void)state;
	w->tap = lose_rekeys;
	assert_true(world_rekey(w));
	w->tap = NULL;
	world_group(w)->members.first->part = 7;
	restart(w);
	world_pass(w, 1000);
	assert_int_equal(w->member[0]->n_push, 1);
	assert_int_equal(w->member[0]->seq, 1);
	assert_int_equal(world_record(w, w->member[0])->acks_received, 1);
	world_free(w);
	keystore_put(signing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_part_comes_back_as_it_was),
		cmocka_unit_test(times_move_with_the_base),
		cmocka_unit_test(nothing_that_is_cut_short_or_too_long_is_taken),
		cmocka_unit_test(another_version_is_not_guessed_at),
		cmocka_unit_test(changed_bits_do_no_harm),
		cmocka_unit_test(a_rekey_of_one_message_goes_to_who_needed_the_eighth_of_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
