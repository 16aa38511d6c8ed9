// Key servers that serve one group together: the same keys at all, one that makes them.
#include "tests/unit/ks/ks_set.h"

static struct set *s;

static int setup(void **state)
{
	(void)state;
	s = set_new(2, NULL);
	set_pass(s, 10000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	set_free(s);
	return 0;
}

static void one_leads_and_the_other_has_its_keys(void **state)
{
	(void)state;
	assert_true(set_leads(s, 0));
	assert_false(set_leads(s, 1));
	assert_true(set_same_keys(s, 0, 1));
	assert_int_equal(set_group(s, 0)->pseudo.epoch, set_group(s, 1)->pseudo.epoch);
}

static void members_get_the_same_keys_wherever_they_register(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);

	(void)state;
	set_register(s, a);
	set_register(s, b);
	assert_true(set_has_newest(s, a, 0));
	assert_true(set_has_newest(s, b, 0));
	assert_int_not_equal(a->sid[0], b->sid[0]);
	assert_int_equal(set_group(s, 0)->members.n, 2);
	assert_int_equal(set_group(s, 1)->members.n, 2);
	assert_int_equal(members_find(&set_group(s, 0)->members, &b->self.addr)->home, 1);
}

static void a_rekey_of_the_primary_reaches_members_of_both(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);

	(void)state;
	set_register(s, a);
	set_register(s, b);
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	assert_true(set_same_keys(s, 0, 1));
	assert_true(set_has_newest(s, a, 1));
	assert_true(set_has_newest(s, b, 1));
	assert_int_equal(set_group(s, 0)->push.n_acks, 2);
	assert_int_equal(s->ks[1].n_pushes, 0);
}

static void when_the_primary_dies_the_other_goes_on(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);
	uint32_t spi, seq;

	(void)state;
	set_register(s, a);
	set_register(s, b);
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 60000);
	spi = set_group(s, 1)->keys.gen[0].tek[0].spi;
	seq = a->seq;
	set_kill(s, 0);
	set_pass(s, 4000);
	assert_true(set_leads(s, 1));
	assert_int_equal(set_group(s, 1)->keys.gen[0].tek[0].spi, spi); // nothing new was due
	assert_int_equal(a->seq, seq);
	set_step(s, 1, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	assert_true(a->seq > seq && b->seq == a->seq);
	assert_true(set_has_newest(s, a, 1) && set_has_newest(s, b, 1));
	assert_int_equal(set_group(s, 1)->push.n_acks, 2);
}

static void a_rekey_that_the_dead_one_began_is_carried_on(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);
	uint32_t spi;
	mono_t active;

	(void)state;
	set_register(s, a);
	set_register(s, b);
	s->deaf[1] = true;
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 2000);
	assert_true(set_has_newest(s, a, 0));
	assert_false(set_has_newest(s, b, 0));
	spi = set_group(s, 0)->keys.gen[0].tek[0].spi;
	active = set_group(s, 0)->keys.gen[0].active;
	set_kill(s, 0);
	s->deaf[1] = false;
	set_pass(s, 5000);
	assert_true(set_leads(s, 1));
	assert_int_equal(set_group(s, 1)->keys.gen[0].tek[0].spi, spi);
	assert_true(set_has_newest(s, a, 1) && set_has_newest(s, b, 1));
	assert_true(set_group(s, 1)->keys.gen[0].active.ms - active.ms < 100);
	assert_int_equal(b->gap.atd_s, mono_left_s(active, set_group(s, 1)->push.started));
}

static void a_new_kek_that_the_dead_one_began_to_send_comes_under_the_former(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);
	uint8_t spi[KEYS_KEK_SPI_LEN];

	(void)state;
	set_register(s, a);
	set_register(s, b);
	s->deaf[1] = true;
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY, .at_once = true });
	set_pass(s, 2000);
	memcpy(spi, set_group(s, 0)->keys.kek.spi, sizeof(spi));
	assert_memory_equal(a->kek_spi, spi, sizeof(spi));
	set_kill(s, 0);
	s->deaf[1] = false;
	set_pass(s, 5000);
	assert_memory_equal(set_group(s, 1)->keys.kek.spi, spi, sizeof(spi));
	assert_memory_equal(b->kek_spi, spi, sizeof(spi));
	assert_true(set_has_newest(s, b, 1));
}

// Two that do not hear each other and have to rekey: nobody notices when they meet again.
static void both_sides_of_a_split_make_the_same_keys(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);

	(void)state;
	set_register(s, a);
	set_register(s, b);
	set_cut(s, 0, 1, true);
	for (int life = 0; life < 3; life++) {
		set_pass(s, 3600 * 1000);
		assert_true(set_leads(s, 0) && set_leads(s, 1));
		assert_true(set_same_keys(s, 0, 1));
		assert_true(set_has_newest(s, a, 1) && set_has_newest(s, b, 0));
	}
	set_cut(s, 0, 1, false);
	set_pass(s, 10000);
	assert_true(set_leads(s, 0) && !set_leads(s, 1));
	assert_true(set_same_keys(s, 0, 1));
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	assert_true(set_has_newest(s, a, 1) && set_has_newest(s, b, 1));
}

static void a_secondary_makes_no_keys_and_sends_nothing(void **state)
{
	(void)state;
	set_register(s, set_member(s, "192.0.2.1", 1));
	set_step(s, 1, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 2 * 86400 * 1000);
	assert_int_equal(s->ks[1].n_pushes, 0);
	assert_true(s->ks[0].n_pushes > 40);
	assert_true(set_same_keys(s, 0, 1));
	assert_true(set_has_newest(s, s->member[0], 1));
}

static void who_is_excluded_at_one_is_refused_at_all(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);
	uint8_t spi[KEYS_KEK_SPI_LEN];

	(void)state;
	set_register(s, a);
	set_register(s, b);
	memcpy(spi, set_group(s, 0)->keys.kek.spi, sizeof(spi));
	set_step(
		s, 1,
		&(struct ks_event){ .kind = KS_EV_EXCLUDE, .group = "G1", .member = a->self.addr });
	set_pass(s, 1000);
	assert_null(members_find(&set_group(s, 0)->members, &a->self.addr));
	assert_memory_not_equal(set_group(s, 0)->keys.kek.spi, spi, sizeof(spi));
	assert_true(set_same_keys(s, 0, 1));
	assert_int_equal(b->n_del, 1); // register again
	tm_pull(a, s->now);
	set_pass(s, 100);
	assert_int_equal(a->state, TM_REFUSED);
	set_step(
		s, 0,
		&(struct ks_event){ .kind = KS_EV_READMIT, .group = "G1", .member = a->self.addr });
	set_pass(s, 60000);
	assert_int_equal(set_group(s, 1)->removal.n, 0);
	tm_pull(a, s->now);
	set_pass(s, 100);
	assert_int_equal(a->state, TM_REGISTERED);
	assert_true(set_has_newest(s, a, 1));
}

static void nothing_that_releases_keys_goes_before_the_peer_has_it(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0);

	(void)state;
	set_disk(s, 1, true);
	tm_start(a, s->now);
	set_pass(s, 1000);
	assert_int_equal(a->state, TM_WAIT_4);
	set_disk(s, 1, false);
	set_pass(s, 100);
	assert_int_equal(a->state, TM_REGISTERED);
}

// ---- splits ----

// Members are cut along with the key servers: the first is with key server 0, the second with 1.
static void split(bool apart)
{
	set_cut(s, 0, 1, apart);
	s->apart[0][1] = s->apart[1][0] = apart;
}

static void crowd_of_two(struct test_member *m[2])
{
	m[0] = set_member(s, "192.0.2.1", 0);
	m[1] = set_member(s, "192.0.2.2", 1);
	set_register(s, m[0]);
	set_register(s, m[1]);
}

static bool holds(const struct test_member *m, uint32_t spi)
{
	for (size_t i = 0; i < m->n_tek; i++) {
		if (m->tek[i].spi == spi)
			return true;
	}
	return false;
}

static void keys_that_both_sides_made_on_their_own_are_known_to_all_when_they_meet(void **state)
{
	struct test_member *m[2];
	uint32_t spi[2];

	(void)state;
	crowd_of_two(m);
	split(true);
	set_pass(s, 10000);
	for (size_t i = 0; i < 2; i++) {
		set_step(s, i, &(struct ks_event){ .kind = KS_EV_REKEY, .at_once = i == 1 });
		set_pass(s, 200000);
		assert_true(set_has_newest(s, m[i], i));
		spi[i] = set_group(s, i)->keys.gen[0].tek[0].spi;
	}
	assert_int_not_equal(spi[0], spi[1]);
	assert_memory_not_equal(m[0]->kek_spi, m[1]->kek_spi, KEYS_KEK_SPI_LEN);
	split(false);
	set_pass(s, 5000);
	assert_true(set_same_keys(s, 0, 1));
	for (size_t i = 0; i < 2; i++) {
		assert_true(holds(m[i], spi[0]) && holds(m[i], spi[1]));
		assert_memory_equal(m[i]->kek_spi, set_group(s, 0)->keys.kek.spi, KEYS_KEK_SPI_LEN);
	}
	assert_true(mono_before(s->now, set_group(s, 0)->keys.gen[0].active)); // not yet
	assert_int_equal(set_group(s, 0)->push.n_acks, 2);
	set_pass(s, 60000);
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	assert_true(set_has_newest(s, m[0], 1) && set_has_newest(s, m[1], 1));
}

static void who_was_excluded_on_one_side_learns_nothing_when_they_meet(void **state)
{
	struct test_member *m[2], *bad = set_member(s, "192.0.2.3", 1);
	uint32_t n_push;

	(void)state;
	m[0] = set_member(s, "192.0.2.1", 0);
	m[1] = set_member(s, "192.0.2.2", 1);
	set_register(s, bad);
	set_register(s, m[0]);
	set_register(s, m[1]);
	set_cut(s, 0, 1, true);
	s->apart[1][1] = s->apart[2][0] = s->apart[0][0] = true; // it is with key server 1
	set_pass(s, 10000);
	set_step(s, 0,
		 &(struct ks_event){
			 .kind = KS_EV_EXCLUDE, .group = "G1", .member = bad->self.addr });
	set_pass(s, 1000);
	tm_pull(m[0], s->now);
	set_pass(s, 100000);
	set_step(s, 1, &(struct ks_event){ .kind = KS_EV_REKEY, .at_once = true });
	set_pass(s, 200000);
	assert_memory_equal(bad->kek_spi, m[1]->kek_spi, KEYS_KEK_SPI_LEN);
	memset(s->apart, 0, sizeof(s->apart));
	set_cut(s, 0, 1, false);
	n_push = bad->n_push;
	m[0]->n_del = m[1]->n_del = 0;
	set_pass(s, 5000);
	assert_true(m[0]->n_del > 0 || m[1]->n_del > 0); // whose KEK is not the one that stays
	for (size_t i = 0; i < 2; i++) {
		if (m[i]->n_del > 0)
			set_register(s, m[i]);
		m[i]->n_del = 0;
	}
	set_pass(s, 100000);
	assert_true(m[0]->n_del > 0 && m[1]->n_del > 0); // both register again
	set_register(s, m[0]);
	set_register(s, m[1]);
	assert_true(set_same_keys(s, 0, 1));
	assert_true(set_has_newest(s, m[0], 0) && set_has_newest(s, m[1], 0));
	assert_false(set_has_newest(s, bad, 0));
	assert_int_equal(bad->n_push, n_push); // nobody sends it anything
	tm_start(bad, s->now);
	set_pass(s, 100);
	assert_int_equal(bad->state, TM_REFUSED);
}

// The half that has excluded somebody told its own members alone.
static void who_did_not_hear_of_an_exclusion_is_told_before_its_keys_are_out_of_use(void **state)
{
	struct test_member *m[2];
	struct ks_group *g;

	(void)state;
	crowd_of_two(m);
	split(true);
	set_pass(s, 10000);
	set_step(s, 1,
		 &(struct ks_event){ .kind = KS_EV_EXCLUDE,
				     .group = "G1",
				     .member = { .family = 4, .b = { 192, 0, 2, 9 } } });
	set_pass(s, 1000);
	assert_true(m[1]->n_del == 1 && m[0]->n_del == 0);
	set_register(s, m[1]);
	split(false);
	set_pass(s, 5000);
	g = set_group(s, 0);
	assert_true(set_leads(s, 0));
	assert_int_equal(m[0]->n_del, 1);
	assert_true(mono_before(s->now, g->keys.gen[0].active));
	set_register(s, m[0]);
	assert_true(set_has_newest(s, m[0], 0) && set_has_newest(s, m[1], 0));
	assert_true(mono_before(s->now, g->keys.gen[0].active));
	assert_int_equal(g->members.n, 2);
}

// ---- restarts ----

static void who_comes_back_follows_and_has_what_was_made_meanwhile(void **state)
{
	struct test_member *m[2];

	(void)state;
	crowd_of_two(m);
	set_restart(s, 0);
	set_pass(s, 60000);
	assert_true(set_leads(s, 1) != set_leads(s, 0));
	set_step(s, set_leads(s, 0) ? 0 : 1, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	assert_true(set_same_keys(s, 0, 1));
	assert_true(set_has_newest(s, m[0], 0) && set_has_newest(s, m[1], 0));
	assert_int_equal(set_group(s, 0)->members.n, 2);
}

static void when_all_restart_members_notice_nothing(void **state)
{
	struct test_member *m[2];
	uint32_t spi, n_push[2];

	(void)state;
	crowd_of_two(m);
	spi = set_group(s, 0)->keys.gen[0].tek[0].spi;
	n_push[0] = m[0]->n_push;
	set_restart(s, 0);
	set_restart(s, 1);
	set_pass(s, 20000);
	assert_true(set_leads(s, 0) != set_leads(s, 1));
	assert_int_equal(set_group(s, 0)->keys.gen[0].tek[0].spi, spi);
	assert_true(set_same_keys(s, 0, 1));
	assert_int_equal(m[0]->n_push, n_push[0]);
	assert_int_equal(set_group(s, 1)->members.n, 2);
	set_register(s, m[0]);
	assert_int_not_equal(m[0]->sid[0], m[1]->sid[0]);
}

static void sender_ids_are_never_given_twice_not_even_after_a_restart(void **state)
{
	struct test_member *m[2];
	uint32_t seen[32];
	size_t n = 0;

	(void)state;
	crowd_of_two(m);
	for (int round = 0; round < 8; round++) {
		for (size_t i = 0; i < 2; i++) {
			set_register(s, m[i]);
			for (size_t k = 0; k < n; k++)
				assert_int_not_equal(seen[k], m[i]->sid[0]);
			seen[n++] = m[i]->sid[0];
		}
		set_restart(s, (size_t)round % 2);
		set_pass(s, 20000);
	}
}

static void when_all_were_down_until_every_key_had_ended_they_begin_anew(void **state)
{
	struct test_member *m[2];

	(void)state;
	crowd_of_two(m);
	set_kill(s, 1);
	set_pass(s, 10000);
	s->now = mono_add_s(s->now, 3700); // TEKs are dead, the KEK is not
	set_restart(s, 0);
	set_pass(s, 30000);
	assert_true(set_leads(s, 0));
	set_register(s, m[0]);
	assert_true(set_has_newest(s, m[0], 0));
	assert_true(mono_due(set_group(s, 0)->keys.gen[0].active, s->now));
}

static void a_role_that_is_given_up_goes_to_the_other_without_a_word_to_members(void **state)
{
	struct test_member *m[2];
	uint32_t spi;

	(void)state;
	crowd_of_two(m);
	spi = set_group(s, 0)->keys.gen[0].tek[0].spi;
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_ROLE, .group = "G1" });
	set_pass(s, 5000);
	assert_true(!set_leads(s, 0) && set_leads(s, 1));
	assert_int_equal(set_group(s, 1)->keys.gen[0].tek[0].spi, spi);
	assert_int_equal(m[0]->n_push + m[1]->n_push, 0);
	set_step(s, 1, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	assert_true(set_has_newest(s, m[0], 0) && set_has_newest(s, m[1], 0));
	assert_int_equal(s->ks[0].n_pushes, 0);
}

// ---- three of them ----

static int setup_three(void **state)
{
	(void)state;
	s = set_new(3, NULL);
	return 0;
}

static void three_that_began_apart_are_one_when_they_meet(void **state)
{
	struct test_member *m[3];
	const char *const at[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3" };

	(void)state;
	set_cut(s, 0, 1, true);
	set_cut(s, 0, 2, true);
	set_cut(s, 1, 2, true);
	set_pass(s, 20000);
	for (size_t i = 0; i < 3; i++) {
		assert_true(set_leads(s, i));
		m[i] = set_member(s, at[i], i);
		set_register(s, m[i]);
	}
	set_cut(s, 0, 1, false);
	set_cut(s, 0, 2, false);
	set_cut(s, 1, 2, false);
	set_pass(s, 10000);
	assert_true(set_leads(s, 0) && !set_leads(s, 1) && !set_leads(s, 2));
	assert_true(set_same_keys(s, 0, 1) && set_same_keys(s, 0, 2));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(m[i]->n_tek, 3); // each has the keys of all,
		assert_true(m[i]->n_del > 0);	  // and is to come for other sender ids
		set_register(s, m[i]);
		assert_true(set_has_newest(s, m[i], 0));
	}
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	for (size_t i = 0; i < 3; i++)
		assert_true(set_has_newest(s, m[i], 0));
}

// ---- sender ids that begin anew ----

static void tiny(struct ks_conf *c)
{
	c->groups[0].sid_bits = c->groups[0].set.sid_bits = 8;
}

static int setup_tiny(void **state)
{
	(void)state;
	s = set_new(2, tiny);
	set_pass(s, 10000);
	return 0;
}

// Eight ids a key server: members come back again and again until they are used up.
static void
when_sender_ids_are_used_up_members_come_for_new_ones_before_their_keys_end(void **state)
{
	struct test_member *m[2];
	struct ks_group *g = set_group(s, 0);
	uint32_t spi, epoch = coop_epoch(&g->shared->coop);

	(void)state;
	crowd_of_two(m);
	set_pass(s, 30000);
	spi = g->keys.gen[0].tek[0].spi;
	for (int n = 0; n < 40 && s->ks[0].events[EV_KS_SID_EXHAUSTED] == 0; n++) {
		tm_start(m[n % 2], s->now);
		set_pass(s, 4000);
	}
	set_pass(s, 10000);
	assert_true(s->ks[0].events[EV_KS_SID_EXHAUSTED] > 0);
	assert_true(m[0]->n_del > 0 && m[1]->n_del > 0);
	assert_int_not_equal(coop_epoch(&g->shared->coop), epoch);
	assert_true(g->keys.n_gen == 2 && g->keys.gen[1].tek[0].spi == spi);
	assert_true(mono_before(s->now, tek_gen_dies(&g->keys.gen[1]))); // it serves on
	assert_true(mono_before(s->now, g->keys.gen[0].active));
	set_register(s, m[0]);
	set_register(s, m[1]);
	assert_true(holds(m[0], spi) && set_has_newest(s, m[0], 0));
	assert_int_not_equal(m[0]->sid[0], m[1]->sid[0]);
	assert_int_equal(m[0]->sid[0] / 8 % 2, coop_epoch(&g->shared->coop) % 2);
}

// Nobody is there to say whether what it kept is an old copy: members notice nothing of it for a
// while, and then are given ids that nobody can have.
static void who_restarts_alone_ends_nobodys_keys(void **state)
{
	struct test_member *m[2];
	struct ks_group *g;
	uint32_t spi, epoch;

	(void)state;
	crowd_of_two(m);
	spi = set_group(s, 0)->keys.gen[0].tek[0].spi;
	epoch = coop_epoch(&set_group(s, 0)->shared->coop);
	set_cut(s, 0, 1, true);
	set_restart(s, 0);
	g = set_group(s, 0);
	set_pass(s, 30000);
	assert_true(set_leads(s, 0));
	assert_int_equal(m[0]->n_del + m[1]->n_del + m[0]->n_push, 0);
	tm_start(m[0], s->now); // no ids that are proved to be new
	set_pass(s, 1000);
	assert_int_not_equal(m[0]->state, TM_REGISTERED);
	set_pass(s, 60000);
	assert_true(m[1]->n_del > 0);
	assert_int_equal(g->keys.gen[1].tek[0].spi, spi);
	assert_true(coop_epochs_apart(coop_epoch(&g->shared->coop), epoch));
	set_register(s, m[0]);
	assert_true(holds(m[0], spi) && set_has_newest(s, m[0], 0));
}

static void who_restarts_alone_and_is_found_in_time_changes_nothing(void **state)
{
	struct test_member *m[2];
	uint32_t spi, epoch;

	(void)state;
	crowd_of_two(m);
	spi = set_group(s, 0)->keys.gen[0].tek[0].spi;
	epoch = coop_epoch(&set_group(s, 0)->shared->coop);
	set_cut(s, 0, 1, true);
	set_restart(s, 0);
	set_pass(s, 30000);
	set_cut(s, 0, 1, false);
	set_pass(s, 100000);
	assert_true(set_same_keys(s, 0, 1));
	assert_int_equal(set_group(s, 0)->keys.gen[0].tek[0].spi, spi);
	assert_int_equal(coop_epoch(&set_group(s, 0)->shared->coop), epoch);
	assert_int_equal(m[0]->n_del + m[1]->n_del, 0);
	set_register(s, m[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_leads_and_the_other_has_its_keys, setup,
						teardown),
		cmocka_unit_test_setup_teardown(members_get_the_same_keys_wherever_they_register,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_rekey_of_the_primary_reaches_members_of_both,
						setup, teardown),
		cmocka_unit_test_setup_teardown(when_the_primary_dies_the_other_goes_on, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_rekey_that_the_dead_one_began_is_carried_on,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_new_kek_that_the_dead_one_began_to_send_comes_under_the_former, setup,
			teardown),
		cmocka_unit_test_setup_teardown(both_sides_of_a_split_make_the_same_keys, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_secondary_makes_no_keys_and_sends_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_is_excluded_at_one_is_refused_at_all, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			nothing_that_releases_keys_goes_before_the_peer_has_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			keys_that_both_sides_made_on_their_own_are_known_to_all_when_they_meet,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			who_was_excluded_on_one_side_learns_nothing_when_they_meet, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			who_comes_back_follows_and_has_what_was_made_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(when_all_restart_members_notice_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			sender_ids_are_never_given_twice_not_even_after_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(
			when_all_were_down_until_every_key_had_ended_they_begin_anew, setup,
			teardown),
		cmocka_unit_test_setup_teardown(three_that_began_apart_are_one_when_they_meet,
						setup_three, teardown),
		cmocka_unit_test_setup_teardown(
			a_role_that_is_given_up_goes_to_the_other_without_a_word_to_members, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			when_sender_ids_are_used_up_members_come_for_new_ones_before_their_keys_end,
			setup_tiny, teardown),
		cmocka_unit_test_setup_teardown(who_restarts_alone_ends_nobodys_keys, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			who_restarts_alone_and_is_found_in_time_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			who_did_not_hear_of_an_exclusion_is_told_before_its_keys_are_out_of_use,
			setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
