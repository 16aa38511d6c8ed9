// Items as what a group is, and what is of no use.
#include <fcntl.h>
#include <unistd.h>

#include "ks/mirror.h"
#include "tests/unit/ks/ks_set.h"

static struct set *s;

static int setup(void **state)
{
	(void)state;
	s = set_new(2, NULL);
	set_pass(s, 10000);
	set_register(s, set_member(s, "192.0.2.1", 0));
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_step(s, 0,
		 &(struct ks_event){
			 .kind = KS_EV_EXCLUDE, .group = "G1", .member = s->member[0]->self.addr });
	set_register(s, set_member(s, "192.0.2.2", 0));
	set_pass(s, 1000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	set_free(s);
	return 0;
}

// A group that knows nothing, and what it is after it was told one item.
static size_t told(const struct coop_item *i, size_t len)
{
	struct ks *ks = &s->ks[1].ks;
	struct ks_group g = { .identity = 1234, .conf = set_group(s, 1)->conf };
	struct coop_item cut = *i, *there;
	struct ks_out out;
	size_t n;

	cut.len = len;
	members_init(&g.members);
	ks_out_init(&out);
	ks_shared_conf(ks, &g, s->now, &out);
	(void)coop_store_join(&g.shared->coop.store, &cut, &there);
	ks_mirror_apply_all(ks, &g, s->now, &out);
	n = g.keys.n_gen + g.members.n + g.removal.n + (g.keys.kek.key.len > 0) +
	    (g.pseudo.epoch != 0);
	ks_shared_free(&g);
	keys_end_all(&g.keys);
	members_fini(&g.members);
	removal_fini(&g.removal);
	ks_out_fini(&out);
	return n;
}

// Seeds for tests/fuzz/corpus/ks_mirror: CONCLAVE_SEEDS=DIR names where to.
static void leave_seed(const struct coop_item *i)
{
	const char *dir = getenv("CONCLAVE_SEEDS");
	const uint8_t head[2] = { i->kind | (uint8_t)(i->flags << 7), i->key_len };
	char path[256];
	int fd;

	if (!dir)
		return;
	snprintf(path, sizeof(path), "%s/item-%u", dir, i->kind);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(write(fd, head, 2), 2);
	assert_int_equal(write(fd, i->key, i->key_len), i->key_len);
	assert_int_equal(write(fd, i->body, i->len), (ssize_t)i->len);
	close(fd);
}

static void what_is_cut_short_is_left_out(void **state)
{
	const struct coop_store *store = &set_group(s, 0)->shared->coop.store;
	const struct coop_item *i = NULL;
	unsigned kinds = 0;

	(void)state;
	while ((i = coop_store_next(store, i)) != NULL) {
		bool is_state = i->kind == COOP_K_CHAIN || i->kind == COOP_K_KEK ||
				i->kind == COOP_K_GEN || i->kind == COOP_K_MEMBER ||
				i->kind == COOP_K_BAN;

		if (!is_state || i->flags & (i->kind == COOP_K_BAN ? 0 : 1))
			continue;
		leave_seed(i);
		assert_int_equal(told(i, i->len), 1);
		for (size_t len = 0; len < i->len; len++)
			assert_int_equal(told(i, len), 0);
		kinds |= 1u << i->kind;
	}
	assert_int_equal(kinds, 1u << COOP_K_CHAIN | 1u << COOP_K_KEK | 1u << COOP_K_GEN |
					1u << COOP_K_MEMBER | 1u << COOP_K_BAN);
}

static const struct coop_item *newest_below(const struct coop_store *store, uint64_t ver)
{
	const struct coop_item *i = NULL, *best = NULL;

	while ((i = coop_store_next(store, i)) != NULL) {
		if (i->kind == COOP_K_GEN && i->ver < ver && (!best || i->ver > best->ver))
			best = i;
	}
	return best;
}

// Items have no order: the newest may come first.
static void old_generations_drain_in_whatever_order_they_come(void **state)
{
	struct ks_group *g = set_group(s, 0), fresh = { .identity = 1234, .conf = g->conf };
	struct ks *ks = &s->ks[1].ks;
	const struct coop_item *i;
	struct coop_item *there;
	struct ks_out out;

	(void)state;
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	members_init(&fresh.members);
	ks_out_init(&out);
	ks_shared_conf(ks, &fresh, s->now, &out);
	for (i = newest_below(&g->shared->coop.store, UINT64_MAX); i;
	     i = newest_below(&g->shared->coop.store, i->ver)) {
		struct ks_item_name name = { .kind = i->kind, .key_len = i->key_len };

		memcpy(name.key, i->key, i->key_len);
		(void)coop_store_join(&fresh.shared->coop.store, i, &there);
		ks_mirror_apply(ks, &fresh, s->now, &name, &out);
	}
	assert_true(fresh.keys.n_gen >= 2);
	for (size_t n = 1; n < fresh.keys.n_gen; n++)
		assert_false(mono_is_never(fresh.keys.gen[n].drained));
	ks_shared_free(&fresh);
	keys_end_all(&fresh.keys);
	members_fini(&fresh.members);
	ks_out_fini(&out);
}

static void an_item_of_no_use_is_told_and_kept(void **state)
{
	struct coop_item bad = { .kind = COOP_K_GEN, .ver = 5, .dies = MONO_NEVER }, *there;
	struct ks_group *g = set_group(s, 1);
	struct ks_out out;
	size_t n = g->keys.n_gen;

	(void)state;
	ks_out_init(&out);
	(void)coop_store_join(&g->shared->coop.store, &bad, &there);
	ks_mirror_apply_all(&s->ks[1].ks, g, s->now, &out);
	assert_int_equal(g->keys.n_gen, n);
	assert_int_equal(out.note[out.n_note - 1].event, EV_COOP_PACKET_DROPPED);
	assert_non_null(coop_store_find(&g->shared->coop.store, COOP_K_GEN, BYTES(NULL, 0)));
	ks_out_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_cut_short_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(old_generations_drain_in_whatever_order_they_come,
						setup, teardown),
		cmocka_unit_test_setup_teardown(an_item_of_no_use_is_told_and_kept, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
