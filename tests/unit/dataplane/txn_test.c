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

// A clear port, and two where policy applies.
static const struct txn_ports ports = { .n = 3,
					.are_protected = 6,
					.name = { "lan", "wan0", "wan1" },
					.tap = { "lan", "tap0", "tap1" } };

static void world_init(struct world *w)
{
	*w = (struct world){ 0 };
	sa_store_init(&w->store, 2, 16);
	txn_init(&w->txn, &w->store, &ports);
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
	int err = txn_step(&w->txn, w->now, m, now, &next, &w->why);

	if (err == 1) {
		policy_free(w->now, &w->store);
		w->now = next;
	}
	return err;
}

static int put_group(struct world *w, const struct dp_group *g)
{
	struct dp_msg m = { .type = DP_GROUP, .u.group = *g };

	return send_msg(w, &m, T0);
}

static struct dp_group group(const char *name, enum dp_standing standing)
{
	struct dp_group g = { .identity = 1, .standing = (uint8_t)standing, .closed = 1 };

	snprintf(g.name, sizeof(g.name), "%s", name);
	return g;
}

static int begin_bare(struct world *w, uint64_t generation)
{
	struct dp_msg m = { .type = DP_BEGIN, .u.generation = generation };

	return send_msg(w, &m, T0);
}

// With the section of a live group.
static int begin(struct world *w, uint64_t generation)
{
	const struct dp_group g = group("G1", DP_LIVE);
	int err = begin_bare(w, generation);

	return err ? err : put_group(w, &g);
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

static void what_a_window_has_seen_outlives_commits(void **state)
{
	struct dp_sa a = gcm_sa(0x1001, 1), b = gcm_sa(0x1002, 2);
	const uint8_t iv[8] = { 0, 3, 0, 0, 0, 0, 0, 9 };
	const struct sa *sa;
	struct world w;

	(void)state;
	world_init(&w);
	assert_false(install(&w, &b)->has_windows);
	a.window = 128;
	sa = install(&w, &a);
	assert_true(sa->has_windows);
	assert_int_equal(windows_check(sa->state->windows[1], iv), WINDOWS_FRESH);
	a.window = 0; // said otherwise later: an SA keeps what it has
	sa = install(&w, &a);
	assert_true(sa->has_windows);
	assert_int_equal(sa->state->window, 128);
	assert_int_equal(windows_check(sa->state->windows[1], iv), WINDOWS_REPEATED);
	assert_int_equal(windows_check(sa->state->windows[0], iv), WINDOWS_FRESH);
	world_fini(&w);
}

static void a_window_that_nothing_can_be_kept_by_is_refused(void **state)
{
	struct dp_sa odd = gcm_sa(0x1001, 1), wide = odd, nameless = odd, random = odd;
	struct dp_sa *wrong[] = { &odd, &wide, &nameless, &random };
	struct world w;

	(void)state;
	world_init(&w);
	odd.window = 100;
	wide.window = DP_MAX_WINDOW + 64;
	nameless.window = random.window = 64;
	nameless.dir = DP_DIR_IN;
	nameless.sid_bits = 0;
	random.suite = DP_SUITE_AES128_CBC_SHA256_128;
	random.key_len = 16;
	random.auth_len = 32;
	for (size_t i = 0; i < N_ELEMS(wrong); i++) {
		assert_int_equal(begin(&w, 1), 0);
		assert_int_equal(put_sa(&w, wrong[i]), -EINVAL);
		assert_non_null(strstr(w.why, "anti-replay window"));
	}
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
	ip.dport = 849; // where the other side listens is its own affair
	assert_true(policy_exempts(w.now, &ip, true));
	ip.sport = 5;
	assert_false(policy_exempts(w.now, &ip, true));
	ip.dport = 848;
	assert_false(policy_exempts(w.now, &ip, true));
	ip.sport = 848;
	ip.dst++;
	assert_false(policy_exempts(w.now, &ip, true));
	world_fini(&w);
}

static void who_takes_the_address_of_an_exempt_peer_reaches_one_port_only(void **state)
{
	struct dp_msg m = { .type = DP_EXEMPT,
			    .u.exempt = { .family = 4,
					  .proto = 17,
					  .port = 848,
					  .local = { 192, 0, 2, 2 },
					  .remote = { 203, 0, 113, 1 } } };
	struct ip4 ip = {
		.src = 0xcb007101, .dst = 0xc0000202, .proto = 17, .sport = 848, .dport = 848
	};
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(begin(&w, 1), 0);
	assert_int_equal(send_msg(&w, &m, T0), 0);
	assert_int_equal(commit(&w, 1), 1);
	assert_true(policy_exempts(w.now, &ip, false));
	ip.dport = 161;
	assert_false(policy_exempts(w.now, &ip, false));
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

static void a_client_that_comes_anew_is_told_again(void **state)
{
	struct dp_sa sa = gcm_sa(0x1001, 1);
	const struct sa *v;
	struct world w;

	(void)state;
	world_init(&w);
	v = install(&w, &sa);
	v->iv->n[1].last = v->iv->n[1].space.max;
	notes_sas(w.now->sadb, 2, T0, take_note, &w);
	assert_int_equal(w.n_notes, 2);
	sa_store_tell_again(&w.store);
	notes_sas(w.now->sadb, 2, T0, take_note, &w);
	assert_int_equal(w.n_notes, 4);
	assert_int_equal(w.notes[3].kind, DP_NOTE_IV_GONE);
	world_fini(&w);
}

static void notes_are_told_once(void **state)
{
	struct dp_sa sa = gcm_sa(0x1001, 1);
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
	w.now->group[0].n[0].unknown_spi = 4;
	w.now->group[0].n[0].last_spi = 0xbad;
	notes_unknown_spi(w.now, 2, T0, take_note, &w);
	w.now->group[0].n[1].unknown_spi = 5;
	notes_unknown_spi(w.now, 2, T0, take_note, &w);
	assert_int_equal(w.n_notes, 4);
	assert_int_equal(w.notes[3].count, 4);
	assert_int_equal(w.notes[3].spi, 0xbad);
	assert_string_equal(w.notes[3].group, "G1");
	notes_unknown_spi(w.now, 2, mono_add_s(T0, 1), take_note, &w);
	assert_int_equal(w.notes[4].count, 5);
	world_fini(&w);
}

// ---- groups ----

static struct dp_rule rule(uint8_t action, uint8_t src_net, uint8_t dst_net)
{
	struct dp_rule r = { .action = action,
			     .family = 4,
			     .origin = DP_FROM_POLICY,
			     .src_lo = { 10, src_net },
			     .src_hi = { 10, src_net, 255, 255 },
			     .dst_lo = { 10, dst_net },
			     .dst_hi = { 10, dst_net, 255, 255 },
			     .sport_hi = 65535,
			     .dport_hi = 65535 };

	return r;
}

static int put_rule(struct world *w, const struct dp_rule *r)
{
	struct dp_msg m = { .type = DP_RULE, .u.rule = *r };

	return send_msg(w, &m, T0);
}

// A live group that protects 10.NET to 10.NET under the SPI.
static void put_live(struct world *w, const char *name, uint8_t net, uint32_t spi)
{
	const struct dp_group g = group(name, DP_LIVE);
	const struct dp_sa sa = gcm_sa(spi, 1);
	struct dp_rule r = rule(DP_PROTECT, net, net);

	r.spi_out = spi;
	assert_int_equal(put_group(w, &g), 0);
	assert_int_equal(put_sa(w, &sa), 0);
	assert_int_equal(put_rule(w, &r), 0);
}

static const struct rule *match(const struct world *w, uint8_t net, uint8_t port)
{
	const struct ip4 ip = { .src = 0x0a000001u | (uint32_t)net << 16,
				.dst = 0x0a000002u | (uint32_t)net << 16,
				.proto = 17 };

	return rules_match(w->now->rules, &ip, port);
}

static void a_group_that_is_kept_stands_as_it_was(void **state)
{
	struct dp_group keep = group("B", DP_KEEP);
	struct dp_rule instead = rule(DP_CLEAR, 9, 9);
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(begin_bare(&w, 1), 0);
	put_live(&w, "A", 1, 0x1001);
	put_live(&w, "B", 2, 0x1002);
	assert_int_equal(commit(&w, 1), 1);
	sadb_find(w.now->sadb, 0x1002)->iv->n[0].last = 7;

	assert_int_equal(begin_bare(&w, 2), 0);
	assert_int_equal(put_group(&w, &keep), 0);
	assert_int_equal(put_rule(&w, &instead), 0);
	put_live(&w, "A", 1, 0x2001);
	assert_int_equal(commit(&w, 2), 1);
	assert_int_equal(match(&w, 2, 1)->out->spi, 0x1002);
	assert_int_equal(match(&w, 2, 1)->out->iv->n[0].last, 7);
	assert_int_equal(match(&w, 2, 1)->out->expires_ms, T0.ms + 60000);
	assert_string_equal(match(&w, 2, 1)->out->group, "B");
	assert_int_equal(match(&w, 1, 1)->out->spi, 0x2001);
	assert_null(sadb_find(w.now->sadb, 0x1001));
	assert_null(match(&w, 9, 1)); // it is live: nothing stands instead, nothing is closed

	assert_int_equal(begin_bare(&w, 3), 0); // kept again: from what was kept
	assert_int_equal(put_group(&w, &keep), 0);
	assert_int_equal(commit(&w, 3), 1);
	assert_int_equal(match(&w, 2, 1)->out->spi, 0x1002);
	world_fini(&w);
}

static void another_identity_is_another_group(void **state)
{
	struct dp_group keep = group("A", DP_KEEP);
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(begin_bare(&w, 1), 0);
	put_live(&w, "A", 1, 0x1001);
	assert_int_equal(commit(&w, 1), 1);
	keep.identity = 2;
	assert_int_equal(begin_bare(&w, 2), 0);
	assert_int_equal(put_group(&w, &keep), 0);
	assert_int_equal(commit(&w, 2), 1);
	assert_null(sadb_find(w.now->sadb, 0x1001));
	assert_int_equal(match(&w, 1, 1)->action, DP_DROP);
	world_fini(&w);
}

static void what_stands_instead_is_behind_the_rules_of_live_groups(void **state)
{
	struct dp_group closed = group("B", DP_KEEP);
	struct dp_rule greedy = rule(DP_CLEAR, 1, 1), except = rule(DP_CLEAR, 3, 3);
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(begin_bare(&w, 1), 0);
	assert_int_equal(put_group(&w, &closed), 0); // listed before A, and not there yet
	assert_int_equal(put_rule(&w, &greedy), 0);
	assert_int_equal(put_rule(&w, &except), 0);
	put_live(&w, "A", 1, 0x1001);
	assert_int_equal(commit(&w, 1), 1);
	assert_int_equal(match(&w, 1, 1)->action, DP_PROTECT);
	assert_int_equal(match(&w, 3, 1)->action, DP_CLEAR);
	assert_int_equal(match(&w, 4, 1)->action, DP_DROP);
	assert_int_equal(match(&w, 4, 1)->origin, DP_FROM_CLOSED);
	world_fini(&w);
}

static void an_open_group_without_policy_decides_nothing(void **state)
{
	struct dp_group open = group("B", DP_KEEP);
	struct world w;

	(void)state;
	world_init(&w);
	open.closed = 0;
	assert_int_equal(begin_bare(&w, 1), 0);
	assert_int_equal(put_group(&w, &open), 0);
	assert_int_equal(commit(&w, 1), 1);
	assert_null(match(&w, 4, 1));
	assert_true(policy_covers(w.now, 1));
	world_fini(&w);
}

static void groups_apply_where_they_say(void **state)
{
	struct dp_group a = group("A", DP_KEEP), b = group("B", DP_KEEP);
	struct world w;

	(void)state;
	world_init(&w);
	a.n_ports = b.n_ports = 1;
	strcpy(a.port[0], "tap0"); // by either name
	strcpy(b.port[0], "lan");
	b.closed = 0;
	assert_int_equal(begin_bare(&w, 1), 0);
	assert_int_equal(put_group(&w, &a), 0);
	assert_string_equal(w.txn.remark, "");
	assert_int_equal(put_group(&w, &b), 0);
	assert_string_equal(w.txn.remark, "group B: port lan is not protected");
	assert_int_equal(commit(&w, 1), 1);
	assert_int_equal(match(&w, 4, 1)->action, DP_DROP);
	assert_null(match(&w, 4, 2));
	assert_true(policy_covers(w.now, 1));
	assert_false(policy_covers(w.now, 2));
	assert_false(policy_covers(NULL, 1));
	world_fini(&w);
}

static void wrong_groups_are_refused(void **state)
{
	struct dp_group g;
	struct dp_rule r = rule(DP_CLEAR, 1, 1);
	struct dp_sa sa = gcm_sa(0x1001, 1);
	struct world w;

	(void)state;
	world_init(&w);
#define WRONG(change, text)                                                                        \
	do {                                                                                       \
		g = group("A", DP_LIVE);                                                           \
		change;                                                                            \
		assert_int_equal(begin_bare(&w, 1), 0);                                            \
		assert_int_equal(put_group(&w, &g), -EINVAL);                                      \
		assert_string_equal(w.why, text);                                                  \
	} while (0)
	WRONG(g.standing = 0, "unknown standing of a group");
	WRONG(g.standing = 4, "unknown standing of a group");
	WRONG(g.table = 7, "only the main routing table (0) is forwarded by");
	WRONG(g.n_ports = DP_MAX_PORTS + 1, "too many ports of a group");
	g = group("A", DP_LIVE);
	assert_int_equal(begin_bare(&w, 1), 0);
	assert_int_equal(put_group(&w, &g), 0);
	assert_int_equal(put_group(&w, &g), -EINVAL);
	assert_string_equal(w.why, "group named twice");
	assert_int_equal(begin_bare(&w, 1), 0);
	assert_int_equal(put_rule(&w, &r), -EINVAL);
	assert_string_equal(w.why, "a rule of no group");
	assert_int_equal(begin_bare(&w, 1), 0);
	assert_int_equal(put_sa(&w, &sa), -EINVAL);
	assert_string_equal(w.why, "an SA of no group");
	world_fini(&w);
}

static void an_spi_of_a_kept_group_is_not_given_twice(void **state)
{
	struct dp_group keep = group("B", DP_KEEP);
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(begin_bare(&w, 1), 0);
	put_live(&w, "B", 2, 0x1002);
	assert_int_equal(commit(&w, 1), 1);
	assert_int_equal(begin_bare(&w, 2), 0);
	put_live(&w, "A", 1, 0x1002);
	assert_int_equal(put_group(&w, &keep), -EEXIST);
	assert_int_equal(match(&w, 2, 1)->out->spi, 0x1002); // all as before
	world_fini(&w);
}

static void own_traffic_that_was_caught_is_told_with_its_number(void **state)
{
	struct caught one = { .full = 1, .note = { .kind = DP_NOTE_OWN_CAUGHT, .line = 3 } };
	struct caught *list[] = { &one };
	struct notes told = { 0 };
	struct world w;

	(void)state;
	world_init(&w);
	notes_own_caught(&told, 12, list, 1, T0, take_note, &w);
	assert_int_equal(w.n_notes, 1);
	assert_int_equal(w.notes[0].count, 12);
	assert_int_equal(one.full, 0);
	one.full = 1;
	notes_own_caught(&told, 13, list, 1, mono_add_s(T0, 4), take_note, &w);
	assert_int_equal(w.n_notes, 1);
	notes_own_caught(&told, 15, list, 1, mono_add_s(T0, 5), take_note, &w);
	assert_int_equal(w.n_notes, 2);
	assert_int_equal(w.notes[1].count, 3);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commit_replaces_the_whole_state),
		cmocka_unit_test(what_a_window_has_seen_outlives_commits),
		cmocka_unit_test(a_window_that_nothing_can_be_kept_by_is_refused),
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
		cmocka_unit_test(who_takes_the_address_of_an_exempt_peer_reaches_one_port_only),
		cmocka_unit_test(an_iv_space_ends_and_stays_ended),
		cmocka_unit_test(notes_are_told_once),
		cmocka_unit_test(a_client_that_comes_anew_is_told_again),
		cmocka_unit_test(a_group_that_is_kept_stands_as_it_was),
		cmocka_unit_test(another_identity_is_another_group),
		cmocka_unit_test(what_stands_instead_is_behind_the_rules_of_live_groups),
		cmocka_unit_test(an_open_group_without_policy_decides_nothing),
		cmocka_unit_test(groups_apply_where_they_say),
		cmocka_unit_test(wrong_groups_are_refused),
		cmocka_unit_test(an_spi_of_a_kept_group_is_not_given_twice),
		cmocka_unit_test(own_traffic_that_was_caught_is_told_with_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
