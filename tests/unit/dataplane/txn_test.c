#include "tests/unit/unit.h"

#include "dataplane/notes.h"
#include "dataplane/txn.h"

#define T0 ((mono_t){ 1000 })

// A store with two workers, the policy in force, and what the last message was answered.
struct world {
	struct sa_store store;
	struct txn txn;
	struct policy *now;
	const char *why;
	struct dp_note notes[8];
	unsigned n_notes;
};

static void world_init(struct world *w)
{
	*w = (struct world){ 0 };
	sa_store_init(&w->store, 2);
	txn_init(&w->txn, &w->store);
}

static void world_fini(struct world *w)
{
	txn_abort(&w->txn);
	policy_free(w->now, &w->store);
	sa_store_fini(&w->store);
}

static int send_msg(struct world *w, struct dp_msg *m, mono_t now)
{
	struct policy *next = NULL;
	int err = txn_step(&w->txn, m, now, &next, &w->why);

	if (err == 1) {
		policy_free(w->now, &w->store);
		w->now = next;
	}
	return err;
}

static int begin(struct world *w, uint64_t generation)
{
	struct dp_msg m = { .type = DP_BEGIN, .u.generation = generation };

	return send_msg(w, &m, T0);
}

static int commit(struct world *w, uint64_t generation)
{
	struct dp_msg m = { .type = DP_COMMIT, .u.generation = generation };

	return send_msg(w, &m, T0);
}

static struct dp_sa gcm_sa(uint32_t spi, uint32_t sid)
{
	struct dp_sa sa = { .spi = spi,
			    .dir = DP_DIR_BOTH,
			    .suite = DP_SUITE_AES128_GCM16,
			    .sid = sid,
			    .sid_bits = 16,
			    .key_len = 20,
			    .life_s = 60 };

	memset(sa.key, (int)spi, sa.key_len);
	return sa;
}

static int put_sa(struct world *w, const struct dp_sa *sa)
{
	struct dp_msg m = { .type = DP_SA, .u.sa = *sa };

	return send_msg(w, &m, T0);
}

// One transaction with one SA.
static const struct sa *install(struct world *w, const struct dp_sa *sa)
{
	static uint64_t generation;

	assert_int_equal(begin(w, ++generation), 0);
	assert_int_equal(put_sa(w, sa), 0);
	assert_int_equal(commit(w, generation), 1);
	return sadb_find(w->now->sadb, sa->spi);
}

static void commit_replaces_the_whole_state(void **state)
{
	struct dp_sa a = gcm_sa(0x1001, 1), b = gcm_sa(0x1002, 1);
	struct world w;

	(void)state;
	world_init(&w);
	assert_non_null(install(&w, &a));
	assert_non_null(install(&w, &b));
	assert_null(sadb_find(w.now->sadb, 0x1001));
	world_fini(&w);
}

static void messages_outside_a_transaction_are_refused(void **state)
{
	struct dp_sa sa = gcm_sa(0x1001, 1);
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(put_sa(&w, &sa), -EINVAL);
	assert_int_equal(commit(&w, 1), -EINVAL);
	assert_string_equal(w.why, "no transaction was begun");
	world_fini(&w);
}

static void one_bad_message_spoils_the_transaction_not_the_policy(void **state)
{
	struct dp_sa good = gcm_sa(0x1001, 1), bad = gcm_sa(0x1002, 1);
	struct world w;

	(void)state;
	world_init(&w);
	install(&w, &good);
	bad.key_len = 19;
	assert_int_equal(begin(&w, 77), 0);
	assert_int_equal(put_sa(&w, &bad), -EINVAL);
	assert_string_equal(w.why, "key length is not the suite's");
	assert_int_equal(put_sa(&w, &good), -ECANCELED);
	assert_int_equal(commit(&w, 77), -ECANCELED);
	assert_non_null(sadb_find(w.now->sadb, 0x1001));
	assert_int_equal(begin(&w, 78), 0);
	assert_int_equal(commit(&w, 78), 1);
	world_fini(&w);
}

static void a_commit_of_another_generation_is_refused(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(begin(&w, 5), 0);
	assert_int_equal(commit(&w, 6), -EINVAL);
	world_fini(&w);
}

static void wrong_sas_are_refused(void **state)
{
	struct dp_sa sa;
	struct world w;

	(void)state;
	world_init(&w);
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		sa = gcm_sa(0x1001, 1);                                                            \
		change;                                                                            \
		assert_int_equal(begin(&w, 1), 0);                                                 \
		assert_int_equal(put_sa(&w, &sa), -EINVAL);                                        \
	} while (0)
	REFUSED(sa.suite = 0);
	REFUSED(sa.suite = 200);
	REFUSED(sa.auth_len = 1);
	REFUSED(sa.spi = 255);
	REFUSED(sa.dir = 0);
	REFUSED(sa.dir = 4);
	REFUSED(sa.sid_bits = 0); // senders without ids would share nonces
	REFUSED(sa.sid = 0x10000);
	REFUSED(sa.sid_bits = 60);
	sa = gcm_sa(0x1001, 1);
	assert_int_equal(begin(&w, 1), 0);
	assert_int_equal(put_sa(&w, &sa), 0);
	assert_int_equal(put_sa(&w, &sa), -EINVAL);
	assert_string_equal(w.why, "SPI named twice");
	world_fini(&w);
}

static void counters_survive_a_commit_of_the_same_sa(void **state)
{
	struct dp_sa sa = gcm_sa(0x1001, 1);
	const struct sa *v;
	struct world w;

	(void)state;
	world_init(&w);
	v = install(&w, &sa);
	v->state->n[1].packets_out = 7;
	v->iv->n[1].last = 9;
	sa.life_s = 30;
	v = install(&w, &sa);
	assert_int_equal(v->state->n[1].packets_out, 7);
	assert_int_equal(v->iv->n[1].last, 9);
	assert_int_equal(v->expires_ms, T0.ms + 30000);
	sa.key[0] ^= 1; // another key under the same SPI is another SA
	v = install(&w, &sa);
	assert_int_equal(v->state->n[1].packets_out, 0);
	world_fini(&w);
}

static void an_iv_counter_never_goes_back(void **state)
{
	struct dp_sa sa = gcm_sa(0x1001, 1), other = gcm_sa(0x2002, 1);
	const struct sa *v;
	struct world w;

	(void)state;
	world_init(&w);
	v = install(&w, &sa);
	v->iv->n[0].last = 1000;
	install(&w, &other);  // 0x1001 is gone
	v = install(&w, &sa); // and comes again
	assert_int_equal(v->iv->n[0].last, 1000);
	sa.sid = 2; // a new sender id starts anew
	v = install(&w, &sa);
	assert_int_equal(v->iv->n[0].last, 0);
	v->iv->n[0].last = 5;
	sa.sid = 1;
	v = install(&w, &sa);
	assert_int_equal(v->iv->n[0].last, 1000);
	sa.dir = DP_DIR_IN; // receiving only, then sending again
	v = install(&w, &sa);
	assert_null(v->iv);
	sa.dir = DP_DIR_BOTH;
	v = install(&w, &sa);
	assert_int_equal(v->iv->n[0].last, 1000);
	world_fini(&w);
}

static void an_aborted_transaction_leaves_iv_counters_alone(void **state)
{
	struct dp_sa sa = gcm_sa(0x1001, 1);
	const struct sa *v;
	struct world w;

	(void)state;
	world_init(&w);
	v = install(&w, &sa);
	v->iv->n[0].last = 42;
	assert_int_equal(begin(&w, 900), 0);
	assert_int_equal(put_sa(&w, &sa), 0);
	txn_abort(&w.txn);
	assert_int_equal(v->iv->n[0].last, 42);
	assert_int_equal(v->iv->refs, 1);
	assert_int_equal(v->state->refs, 1);
	world_fini(&w);
}

static void sender_ids_of_one_spi_have_one_length(void **state)
{
	struct dp_sa sa = gcm_sa(0x1001, 1);
	struct world w;

	(void)state;
	world_init(&w);
	install(&w, &sa);
	sa.sid_bits = 8; // 0x01 then 0x0001: the IVs could meet
	assert_int_equal(begin(&w, 900), 0);
	assert_int_equal(put_sa(&w, &sa), -EINVAL);
	world_fini(&w);
}

static void many_sas_are_found_and_too_many_refused(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(begin(&w, 1), 0);
	for (uint32_t i = 0; i < DP_MAX_SAS; i++) {
		struct dp_sa sa = gcm_sa(0x10000 + i * 3, 1);

		sa.dir = DP_DIR_IN;
		assert_int_equal(put_sa(&w, &sa), 0);
	}
	struct dp_sa more = gcm_sa(0x5000, 1);
	assert_int_equal(commit(&w, 1), 1);
	for (uint32_t i = 0; i < DP_MAX_SAS; i++)
		assert_int_equal(sadb_find(w.now->sadb, 0x10000 + i * 3)->spi, 0x10000 + i * 3);
	assert_null(sadb_find(w.now->sadb, 0x10001));
	assert_int_equal(begin(&w, 2), 0);
	for (uint32_t i = 0; i < DP_MAX_SAS; i++) {
		struct dp_sa sa = gcm_sa(0x10000 + i * 3, 1);

		sa.dir = DP_DIR_IN;
		assert_int_equal(put_sa(&w, &sa), 0);
	}
	assert_int_equal(put_sa(&w, &more), -EINVAL);
	world_fini(&w);
}

static void exemptions_match_exactly(void **state)
{
	struct dp_msg m = { .type = DP_EXEMPT,
			    .u.exempt = { .family = 4,
					  .proto = 17,
					  .port = 848,
					  .local = { 192, 0, 2, 2 },
					  .remote = { 203, 0, 113, 1 } } };
	struct ip4 ip = {
		.src = 0xc0000202, .dst = 0xcb007101, .proto = 17, .sport = 848, .dport = 848
	};
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(begin(&w, 1), 0);
	assert_int_equal(send_msg(&w, &m, T0), 0);
	m.u.exempt.proto = 1;
	assert_int_equal(send_msg(&w, &m, T0), -EINVAL);
	assert_int_equal(begin(&w, 1), 0);
	m.u.exempt.proto = 17;
	assert_int_equal(send_msg(&w, &m, T0), 0);
	assert_int_equal(commit(&w, 1), 1);
	assert_true(policy_exempts(w.now, &ip, true));
	assert_false(policy_exempts(w.now, &ip, false));
	ip.sport = 5;
	assert_true(policy_exempts(w.now, &ip, true));
	ip.dport = 849;
	assert_false(policy_exempts(w.now, &ip, true));
	ip.dport = 848;
	ip.dst++;
	assert_false(policy_exempts(w.now, &ip, true));
	world_fini(&w);
}

static void an_iv_space_ends_and_stays_ended(void **state)
{
	struct iv_count c = { .space = { .base = 1ull << 16, .max = 3 } };

	(void)state;
	assert_int_equal(iv_next(&c), 1);
	assert_int_equal(iv_next(&c), 2);
	assert_int_equal(iv_next(&c), 3);
	assert_int_equal(iv_next(&c), 0);
	assert_int_equal(iv_next(&c), 0);
	assert_int_equal(c.last, 3);
}

static void take_note(void *arg, const struct dp_note *n)
{
	struct world *w = arg;

	w->notes[w->n_notes++] = *n;
}

static void notes_are_told_once(void **state)
{
	struct dp_sa sa = gcm_sa(0x1001, 1);
	struct notes told = { 0 };
	const struct sa *v;
	struct world w;

	(void)state;
	world_init(&w);
	v = install(&w, &sa);
	notes_sas(w.now->sadb, 2, T0, take_note, &w);
	assert_int_equal(w.n_notes, 0);
	v->iv->n[1].last = v->iv->n[1].space.max / 4 * 3;
	notes_sas(w.now->sadb, 2, T0, take_note, &w);
	notes_sas(w.now->sadb, 2, T0, take_note, &w);
	assert_int_equal(w.n_notes, 1);
	assert_int_equal(w.notes[0].kind, DP_NOTE_IV_SOON);
	v->iv->n[1].last = v->iv->n[1].space.max;
	notes_sas(w.now->sadb, 2, T0, take_note, &w);
	assert_int_equal(w.notes[1].kind, DP_NOTE_IV_GONE);
	notes_sas(w.now->sadb, 2, mono_add_s(T0, 60), take_note, &w);
	notes_sas(w.now->sadb, 2, mono_add_s(T0, 61), take_note, &w);
	assert_int_equal(w.n_notes, 3);
	assert_int_equal(w.notes[2].kind, DP_NOTE_EXPIRED);
	notes_unknown_spi(&told, 4, 0xbad, T0, take_note, &w);
	notes_unknown_spi(&told, 9, 0xbad, T0, take_note, &w);
	assert_int_equal(w.n_notes, 4);
	assert_int_equal(w.notes[3].count, 4);
	notes_unknown_spi(&told, 9, 0xbad, mono_add_s(T0, 1), take_note, &w);
	assert_int_equal(w.notes[4].count, 5);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commit_replaces_the_whole_state),
		cmocka_unit_test(messages_outside_a_transaction_are_refused),
		cmocka_unit_test(one_bad_message_spoils_the_transaction_not_the_policy),
		cmocka_unit_test(a_commit_of_another_generation_is_refused),
		cmocka_unit_test(wrong_sas_are_refused),
		cmocka_unit_test(counters_survive_a_commit_of_the_same_sa),
		cmocka_unit_test(an_iv_counter_never_goes_back),
		cmocka_unit_test(an_aborted_transaction_leaves_iv_counters_alone),
		cmocka_unit_test(sender_ids_of_one_spi_have_one_length),
		cmocka_unit_test(many_sas_are_found_and_too_many_refused),
		cmocka_unit_test(exemptions_match_exactly),
		cmocka_unit_test(an_iv_space_ends_and_stays_ended),
		cmocka_unit_test(notes_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
