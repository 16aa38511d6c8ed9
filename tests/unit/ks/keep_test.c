#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ks/keep_io.h"
#include "tests/unit/ks/ks_world.h"

// A world whose key server keeps its state in a folder, on a machine whose clocks are the test's.
struct kept {
	char top[48], dir[64];
	int64_t wall_ms;
	char boot[8];
	struct world *w;
	struct ks_keep *keep;
	char why[KS_STORE_WHY];
	bool mint;
	void (*change)(struct ks_conf *c); // of the file that a start reads
};

static struct keystore *signing; // of every configuration here

static void same_signer(struct ks_conf *c)
{
	keystore_put(c->store);
	c->store = keystore_get(signing);
}

static void clocks_of(void *arg, struct ks_clocks *out)
{
	const struct kept *k = arg;

	*out = (struct ks_clocks){ .mono_ms = k->w->now.ms, .wall_ms = k->wall_ms };
	snprintf(out->boot, sizeof(out->boot), "%s", k->boot);
}

static void stepped(struct world *w)
{
	struct kept *k = w->keep_arg;

	ks_keep_step(k->keep, &w->ks, &w->out);
}

static bool holds(struct world *w, const struct ks_send *s)
{
	struct kept *k = w->keep_arg;

	return ks_keep_holds(k->keep, s);
}

static void send_now(void *arg, const struct ks_send *s)
{
	struct kept *k = arg;

	world_send(k->w, s);
}

// Until neither the network nor the disk has anything to do.
static void settle(struct kept *k)
{
	for (int i = 0; i < 8; i++) {
		world_settle(k->w);
		ks_keep_wait(k->keep);
		ks_keep_news(k->keep, &k->w->ks, k->w->now,
			     &(struct ks_keep_hooks){ .send = send_now, .arg = k });
	}
	world_settle(k->w);
}

static bool open_keep(struct kept *k)
{
	const struct ks_store_conf conf = {
		.dir = k->dir, .device_key = "", .user = "", .clocks = clocks_of, .arg = k
	};
	int err = ks_keep_open(&conf, k->mint, &k->w->ks, k->w->now, &k->w->out, &k->keep, k->why);

	if (err)
		return false;
	k->w->keep_arg = k;
	k->w->stepped = stepped;
	k->w->holds = holds;
	for (size_t i = 0; i < k->w->out.n_note; i++) {
		if (k->w->out.note[i].event >= 0)
			k->w->events[k->w->out.note[i].event]++;
	}
	for (size_t i = 0; i < k->w->out.n_send; i++)
		world_send(k->w, &k->w->out.send[i]);
	return true;
}

static void run(const char *what, const char *a, const char *b)
{
	char text[256];

	snprintf(text, sizeof(text), "%s %s %s", what, a, b);
	assert_int_equal(system(text), 0);
}

static int setup(void **state)
{
	struct kept *k = calloc(1, sizeof(*k));

	snprintf(k->top, sizeof(k->top), "/tmp/conclave-keep.XXXXXX");
	assert_non_null(mkdtemp(k->top));
	snprintf(k->dir, sizeof(k->dir), "%s/0", k->top);
	snprintf(k->boot, sizeof(k->boot), "one");
	k->wall_ms = 1000000000;
	k->change = same_signer;
	k->w = world_new(same_signer);
	if (!open_keep(k))
		fail_msg("%s", k->why);
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct kept *k = *state;

	k->w->stepped = NULL;
	k->w->holds = NULL;
	ks_keep_close(k->keep, &k->w->ks);
	world_free(k->w);
	run("rm -rf", k->top, "");
	free(k);
	return 0;
}

// Another key server in the place of this one; members stay.
static void reborn(struct kept *k)
{
	struct ks_options options = { .n_sas = 512, .n_halfopen = 64, .per_source = 16 };

	ks_fini(&k->w->ks);
	assert_int_equal(ks_init(&k->w->ks, &k->w->rng, &options, k->w->now, world_conf(k->change)),
			 0);
}

// As by a power cut: what is on disk at this instant is all that is left.
static bool crash(struct kept *k)
{
	char old[64];
	struct ks_keep *dead = k->keep;
	size_t n = strlen(k->top);

	memcpy(old, k->dir, sizeof(old));
	k->dir[n + 1]++;
	run("cp -r", old, k->dir);
	k->keep = NULL;
	k->w->stepped = NULL;
	k->w->holds = NULL;
	ks_keep_close(dead, &k->w->ks);
	reborn(k);
	return open_keep(k);
}

static void must_start(struct kept *k)
{
	if (!k->keep)
		fail_msg("%s", k->why);
}

static struct test_member *join(struct kept *k, const char *address)
{
	struct test_member *m = world_member(k->w, address);

	tm_start(m, k->w->now);
	settle(k);
	assert_int_equal(m->state, TM_REGISTERED);
	return m;
}

static void rekey(struct kept *k)
{
	assert_true(world_rekey(k->w));
	settle(k);
}

static void pass(struct kept *k, int64_t ms)
{
	k->wall_ms += ms;
	world_pass(k->w, ms);
	settle(k);
}

// ---- pseudotime ----

static struct pseudotime pseudotime(struct kept *k)
{
	return ks_pseudo_at(&world_group(k->w)->pseudo, k->w->now);
}

static void pseudotime_goes_on_through_a_crash(void **state)
{
	struct kept *k = *state;
	struct pseudotime before, after;

	join(k, "192.0.2.1");
	pass(k, 100000);
	before = pseudotime(k);
	k->w->now = mono_add_s(k->w->now, 7);
	k->wall_ms -= 50000; // a step of the wall clock means nothing
	crash(k);
	must_start(k);
	after = pseudotime(k);
	assert_int_equal(after.epoch, before.epoch);
	assert_int_equal(after.ms, before.ms + 7000);
}

static void pseudotime_goes_on_by_the_wall_clock_through_a_reboot(void **state)
{
	struct kept *k = *state;
	struct pseudotime before, after;

	join(k, "192.0.2.1");
	before = pseudotime(k);
	snprintf(k->boot, sizeof(k->boot), "two");
	k->w->now = (mono_t){ 20000 };
	k->wall_ms += 90000;
	crash(k);
	must_start(k);
	after = pseudotime(k);
	assert_int_equal(after.epoch, before.epoch);
	assert_int_equal(after.ms, before.ms + 90000);
}

static void pseudotime_is_never_before_what_any_member_was_told(void **state)
{
	struct kept *k = *state;
	struct test_member *a;

	pass(k, 5000000);
	a = join(k, "192.0.2.1");
	assert_true(a->gap.pseudotime.ms >= 5000000);
	// As if the stamp of the store were older than what was told.
	world_group(k->w)->pseudo.ahead_ms -= 400000;
	join(k, "192.0.2.2");
	crash(k);
	must_start(k);
	assert_true(pseudotime(k).ms >= a->gap.pseudotime.ms);
}

static void
an_old_disk_under_a_clock_that_went_back_moves_pseudotime_ahead_of_everybody(void **state)
{
	struct kept *k = *state;
	struct pseudotime before;

	join(k, "192.0.2.1");
	before = pseudotime(k);
	snprintf(k->boot, sizeof(k->boot), "two");
	k->w->now = (mono_t){ 20000 };
	k->wall_ms -= 1000;
	crash(k);
	must_start(k);
	assert_int_equal(pseudotime(k).epoch, before.epoch);
	assert_true(pseudotime(k).ms >= before.ms + PSEUDO_UNKNOWN_MS);
}

static void an_order_to_mint_moves_pseudotime_ahead_of_everybody(void **state)
{
	struct kept *k = *state;
	struct pseudotime before;

	join(k, "192.0.2.1");
	before = pseudotime(k);
	k->mint = true;
	crash(k);
	must_start(k);
	assert_int_equal(pseudotime(k).epoch, before.epoch);
	assert_true(pseudotime(k).ms >= before.ms + PSEUDO_UNKNOWN_MS);
}

// ---- going on ----

static void a_group_goes_on_after_a_crash(void **state)
{
	struct kept *k = *state;
	struct test_member *a = join(k, "192.0.2.1"), *b = join(k, "192.0.2.2"), *c;
	uint8_t kek[KEYS_KEK_SPI_LEN];
	uint32_t tek;

	rekey(k);
	memcpy(kek, world_group(k->w)->keys.kek.spi, sizeof(kek));
	tek = world_group(k->w)->keys.gen[0].tek[0].spi;
	crash(k);
	must_start(k);
	settle(k);
	assert_memory_equal(world_group(k->w)->keys.kek.spi, kek, sizeof(kek));
	assert_int_equal(world_group(k->w)->keys.kek.seq, 1);
	assert_int_equal(world_group(k->w)->keys.gen[0].tek[0].spi, tek);
	assert_int_equal(world_group(k->w)->members.n, 2);
	assert_int_equal(k->w->events[EV_KS_RESTORED], 1);
	rekey(k);
	assert_int_equal(a->seq, 2);
	assert_int_equal(b->seq, 2);
	assert_int_equal(a->n_push_bad + b->n_push_bad, 0);
	assert_int_equal(world_record(k->w, a)->acks_received, 2);
	c = join(k, "192.0.2.3");
	assert_true(c->sid[0] != a->sid[0] && c->sid[0] != b->sid[0]);
	assert_int_equal(c->sid[0], 2);
}

static void other_transform(struct ks_conf *c)
{
	static const char *const line = "permit 172.16.0.0/12 172.16.0.0/12";

	same_signer(c);
	policy_put(c->groups[0].policy);
	c->groups[0].policy = world_policy(&line, 1, "esp-gcm 256", 3600);
}

static void staged_policy_stays_staged_through_a_crash(void **state)
{
	struct kept *k = *state;
	struct test_member *a = join(k, "192.0.2.1"), *b;

	world_step(k->w,
		   &(struct ks_event){ .kind = KS_EV_CONFIG, .conf = world_conf(other_transform) });
	settle(k);
	k->change = other_transform; // the file is the new one
	crash(k);
	must_start(k);
	settle(k);
	b = join(k, "192.0.2.2");
	assert_int_equal(b->tek[0].spi, a->tek[0].spi);
	assert_int_equal(b->tek[0].key_len, 20);
	assert_true(ks_plan_is_staged(&k->w->ks, world_group(k->w)));
	rekey(k);
	assert_int_equal(a->tek[0].key_len, 36);
	assert_int_equal(b->tek[0].key_len, 36);
	crash(k);
	must_start(k);
	settle(k);
	assert_false(ks_plan_is_staged(&k->w->ks, world_group(k->w)));
}

static void lives_go_on_ending_while_nobody_serves(void **state)
{
	struct kept *k = *state;
	uint32_t tek_s, kek_s;

	join(k, "192.0.2.1");
	pass(k, 100000);
	tek_s = mono_left_s(tek_gen_dies(&world_group(k->w)->keys.gen[0]), k->w->now);
	kek_s = mono_left_s(world_group(k->w)->keys.kek.dies, k->w->now);
	k->w->now = mono_add_s(k->w->now, 50); // down for 50 s
	k->wall_ms += 50000;
	crash(k);
	must_start(k);
	assert_int_equal(mono_left_s(tek_gen_dies(&world_group(k->w)->keys.gen[0]), k->w->now),
			 tek_s - 50);
	assert_int_equal(mono_left_s(world_group(k->w)->keys.kek.dies, k->w->now), kek_s - 50);
}

// One member hears the rekey, another one registers: they have to understand each other at once.
static void who_starts_after_all_keys_ended_has_one_generation_for_everybody(void **state)
{
	struct kept *k = *state;
	struct test_member *a = join(k, "192.0.2.1"), *b;
	const struct keys *keys;

	k->w->now = mono_add_s(k->w->now, 3700); // the TEKs' life is an hour, the KEK's a day
	k->wall_ms += 3700000;
	crash(k);
	must_start(k);
	pass(k, 100);
	keys = &world_group(k->w)->keys;
	assert_int_equal(a->n_push, 1);
	assert_int_equal(a->tek[0].spi, keys->gen[0].tek[0].spi);
	assert_true(mono_due(keys->gen[0].active, k->w->now));
	b = join(k, "192.0.2.2");
	assert_int_equal(b->tek[0].spi, a->tek[0].spi);
	pass(k, 60000);
	rekey(k); // and the next one waits for its members as ever
	assert_false(mono_due(keys->gen[0].active, k->w->now));
}

static void a_reboot_counts_by_the_wall_clock(void **state)
{
	struct kept *k = *state;
	uint32_t kek_s;

	join(k, "192.0.2.1");
	kek_s = mono_left_s(world_group(k->w)->keys.kek.dies, k->w->now);
	snprintf(k->boot, sizeof(k->boot), "two");
	k->w->now = (mono_t){ 20000 };
	k->wall_ms += 90000;
	crash(k);
	must_start(k);
	assert_int_equal(mono_left_s(world_group(k->w)->keys.kek.dies, k->w->now), kek_s - 90);
	assert_int_equal(k->w->events[EV_KS_RESTORED], 1);
}

static void a_clock_that_went_back_replaces_all_keys_by_rekey(void **state)
{
	struct kept *k = *state;
	struct test_member *a = join(k, "192.0.2.1");
	uint8_t kek[KEYS_KEK_SPI_LEN];
	uint32_t tek = a->tek[0].spi;

	memcpy(kek, a->kek_spi, sizeof(kek));
	snprintf(k->boot, sizeof(k->boot), "two");
	k->w->now = (mono_t){ 20000 };
	k->wall_ms -= 1000;
	crash(k);
	must_start(k);
	pass(k, 60000);
	assert_memory_not_equal(a->kek_spi, kek, sizeof(kek));
	assert_true(world_group(k->w)->keys.gen[0].tek[0].spi != tek);
	assert_true(a->n_push >= 1);
	assert_int_equal(a->n_push_bad, 0);
}

static void a_rekey_cut_short_is_sent_again_in_the_same_octets(void **state)
{
	struct kept *k = *state;
	struct test_member *a = join(k, "192.0.2.1");
	struct world *w = k->w;

	assert_true(world_rekey(w)); // committed perhaps, sent to nobody yet
	ks_keep_wait(k->keep);
	assert_int_equal(a->seq, 0);
	crash(k);
	must_start(k);
	pass(k, 1000);
	assert_int_equal(a->seq, 1);
	assert_int_equal(world_group(k->w)->keys.kek.seq, 1);
	assert_int_equal(a->n_push_bad, 0);
}

static void by_multicast(struct ks_conf *c)
{
	struct kek_params *k = &c->groups[0].kek;

	same_signer(c);
	assert_int_equal(addr_parse("239.192.1.1", &k->group.addr), 0);
	k->group.port = 848;
	k->ttl = 16;
}

static void by_multicast_but_for_one(struct ks_conf *c)
{
	struct ks_group_conf *g = &c->groups[0];

	by_multicast(c);
	g->unicast = calloc(1, sizeof(*g->unicast));
	assert_non_null(g->unicast);
	g->n_unicast = 1;
	assert_int_equal(prefix_parse("192.0.2.1/32", g->unicast), 0);
}

// The rekey says where each is to listen from now on; a file that has changed since then must not
// make the repetitions say something else.
static void a_rekey_cut_short_tells_each_the_same_after_the_file_was_changed(void **state)
{
	struct kept *k = *state;
	struct test_member *a = join(k, "192.0.2.1"), *b = join(k, "192.0.2.2");
	struct endpoint at;

	world_step(k->w, &(struct ks_event){ .kind = KS_EV_CONFIG,
					     .conf = world_conf(by_multicast_but_for_one) });
	assert_true(world_rekey(k->w));
	ks_keep_wait(k->keep);
	assert_int_equal(a->seq, 0);
	k->change = by_multicast;
	crash(k);
	must_start(k);
	pass(k, 1000);
	assert_true(gdoi_id_to_endpoint(&b->sak.dst, &at));
	assert_true(addr_is_multicast(&at.addr));
	assert_true(gdoi_id_to_endpoint(&a->sak.dst, &at));
	assert_false(addr_is_multicast(&at.addr));
	pass(k, 60000);
	assert_false(world_record(k->w, a)->by_group);
	assert_true(world_record(k->w, b)->by_group);
}

static void keys_are_released_only_when_they_are_on_disk(void **state)
{
	struct kept *k = *state;
	struct test_member *a = world_member(k->w, "192.0.2.1");

	tm_start(a, k->w->now);
	world_settle(k->w); // all the network can do; the disk is not heard
	assert_int_equal(a->state, TM_WAIT_4);
	settle(k);
	assert_int_equal(a->state, TM_REGISTERED);
	assert_true(world_rekey(k->w));
	assert_int_equal(a->n_push, 0);
	settle(k);
	assert_int_equal(a->n_push, 1);
}

static void an_order_to_mint_ends_all_keys_and_tells_the_members(void **state)
{
	struct kept *k = *state;
	struct test_member *a = join(k, "192.0.2.1");

	k->mint = true;
	crash(k);
	must_start(k);
	pass(k, 1000);
	assert_int_equal(k->w->events[EV_KS_MINTED], 1);
	assert_memory_not_equal(world_group(k->w)->keys.kek.spi, a->kek_spi, sizeof(a->kek_spi));
	assert_true(a->n_del > 0);
	assert_true(a->seq > 1u << 20);
}

static void members_that_left_stay_away_after_a_crash(void **state)
{
	struct kept *k = *state;
	struct test_member *a = join(k, "192.0.2.1");

	rekey(k);
	a->ack = false;
	for (int i = 0; i < 3; i++) {
		rekey(k);
		pass(k, 60000);
	}
	assert_int_equal(world_group(k->w)->members.n, 0);
	crash(k);
	must_start(k);
	assert_int_equal(world_group(k->w)->members.n, 0);
}

// ---- refusing ----

static void file_of(const struct kept *k, const char *name, char path[96])
{
	snprintf(path, 96, "%s/%s", k->dir, name);
}

static void patch(const struct kept *k, const char *name, off_t at, const void *b, size_t n)
{
	char path[96];
	int fd;

	file_of(k, name, path);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, b, n, at), (ssize_t)n);
	close(fd);
}

static void good_dir(const struct kept *k, char dir[64])
{
	snprintf(dir, 64, "%s/good", k->top);
}

// In order, so that all is in the one file.
static void stop(struct kept *k)
{
	char good[64];

	k->w->stepped = NULL;
	k->w->holds = NULL;
	ks_keep_close(k->keep, &k->w->ks);
	k->keep = NULL;
	good_dir(k, good);
	run("rm -rf", good, "");
	run("cp -r", k->dir, good);
	reborn(k);
}

static void must_refuse(struct kept *k, const char *word)
{
	char good[64];

	assert_false(open_keep(k));
	if (!strstr(k->why, word))
		fail_msg("says \"%s\", not \"%s\"", k->why, word);
	// teardown wants one that runs
	good_dir(k, good);
	memcpy(k->dir, good, sizeof(good));
	assert_true(open_keep(k));
}

static void another_device_key_is_refused(void **state)
{
	struct kept *k = *state;
	uint8_t key[32] = { 1 };

	join(k, "192.0.2.1");
	stop(k);
	patch(k, "device.key", 0, key, sizeof(key));
	must_refuse(k, "another device key");
}

static void a_missing_device_key_is_not_made_anew(void **state)
{
	struct kept *k = *state;
	char path[96];

	stop(k);
	file_of(k, "device.key", path);
	assert_int_equal(unlink(path), 0);
	must_refuse(k, "missing");
}

static void a_device_key_others_can_read_is_refused(void **state)
{
	struct kept *k = *state;
	char path[96];

	stop(k);
	file_of(k, "device.key", path);
	assert_int_equal(chmod(path, 0644), 0);
	must_refuse(k, "chmod 600");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	struct kept *k = *state;

	stop(k);
	patch(k, "state.db", 0, "not a database", 14);
	must_refuse(k, "damaged");
}

static void a_database_of_another_program_is_refused(void **state)
{
	struct kept *k = *state;

	stop(k);
	patch(k, "state.db", 68, "WHAT", 4); // application id, in the file's header
	must_refuse(k, "another program");
}

static void a_database_of_a_newer_version_is_refused(void **state)
{
	struct kept *k = *state;

	stop(k);
	patch(k, "state.db", 60, "\0\0\0\7", 4); // user version
	must_refuse(k, "newer ksd (schema 7");
}

static void a_second_key_server_is_refused(void **state)
{
	struct kept *k = *state;
	struct kept other = { .wall_ms = 1, .boot = "one", .w = world_new(same_signer) };

	memcpy(other.dir, k->dir, sizeof(other.dir));
	assert_false(open_keep(&other));
	assert_non_null(strstr(other.why, "another process"));
	world_free(other.w);
}

// A changed bit is seen, or was of no meaning: the group is what it was, or ksd does not start.
static void no_bit_of_the_database_can_be_changed_unseen(void **state)
{
	struct kept *k = *state;
	uint8_t kek[KEYS_KEK_SPI_LEN], file[65536];
	char path[96];
	unsigned refused = 0;
	ssize_t n;
	int fd;

	join(k, "192.0.2.1");
	memcpy(kek, world_group(k->w)->keys.kek.spi, sizeof(kek));
	stop(k);
	file_of(k, "state.db", path);
	fd = open(path, O_RDONLY);
	n = read(fd, file, sizeof(file));
	close(fd);
	assert_true(n > 4096);
	for (int i = 0; i < 200; i++) {
		size_t at = (size_t)rng_range(&k->w->rng, 0, (uint64_t)n - 1);
		uint8_t bad = file[at] ^ (uint8_t)(1 << i % 8);

		fd = open(path, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, file, (size_t)n), n);
		close(fd);
		patch(k, "state.db", (off_t)at, &bad, 1);
		if (!open_keep(k)) {
			refused++;
			reborn(k);
			continue;
		}
		assert_memory_equal(world_group(k->w)->keys.kek.spi, kek, sizeof(kek));
		assert_int_equal(world_group(k->w)->members.n, 1);
		stop(k);
	}
	assert_true(refused > 5);
	good_dir(k, k->dir);
	assert_true(open_keep(k));
}

static void nothing_of_a_key_is_readable_on_disk(void **state)
{
	struct kept *k = *state;
	const struct keys *keys = &world_group(k->w)->keys;
	uint8_t kek[32], tek[16];
	char path[96];
	uint8_t file[1 << 18];
	ssize_t n;
	int fd;

	join(k, "192.0.2.1");
	memcpy(kek, keys->kek.key.b, sizeof(kek));
	memcpy(tek, keys->gen[0].tek[0].alg_key.b, sizeof(tek));
	stop(k);
	file_of(k, "state.db", path);
	fd = open(path, O_RDONLY);
	n = read(fd, file, sizeof(file));
	close(fd);
	assert_true(n > 0);
	assert_null(memmem(file, (size_t)n, kek, sizeof(kek)));
	assert_null(memmem(file, (size_t)n, tek, sizeof(tek)));
	assert_true(open_keep(k));
}

// ---- time ----

static void the_larger_of_two_proofs_counts(void **state)
{
	static const struct {
		const char *boot;
		int64_t mono, wall, elapsed;
		bool known;
	} row[] = {
		{ "a", 1500, 9500, 500, true }, // both say 500
		{ "a", 1500, 9900, 900, true }, // frozen for 400 of them
		{ "a", 1500, 8000, 500, true }, // wall clock set back: boot time proves it
		{ "b", 100, 9700, 700, true },	// rebooted
		{ "b", 800, 9700, 800, true },	// it has been up for longer than that
		{ "b", 100, 8999, 100, false }, // nobody knows
	};
	struct ks_stamp then = { .age_ms = 77, .clocks = { 1000, 9000, "a" } };

	(void)state;
	for (size_t i = 0; i < N_ELEMS(row); i++) {
		struct ks_clocks now = { .mono_ms = row[i].mono, .wall_ms = row[i].wall };
		int64_t base;

		snprintf(now.boot, sizeof(now.boot), "%s", row[i].boot);
		assert_int_equal(ks_elapsed(&then, &now, &base), row[i].known);
		assert_int_equal(now.mono_ms + base, then.age_ms + row[i].elapsed);
	}
}

static int make_signer(void **state)
{
	(void)state;
	assert_int_equal(crypto_init(), 0);
	signing = keystore_new();
	return signer_generate(&signing->signer, "REKEY", SIGN_ECDSA_P256, 0);
}

static int drop_signer(void **state)
{
	(void)state;
	keystore_put(signing);
	return 0;
}

#define KEPT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		KEPT(pseudotime_goes_on_through_a_crash),
		KEPT(pseudotime_goes_on_by_the_wall_clock_through_a_reboot),
		KEPT(pseudotime_is_never_before_what_any_member_was_told),
		KEPT(an_old_disk_under_a_clock_that_went_back_moves_pseudotime_ahead_of_everybody),
		KEPT(an_order_to_mint_moves_pseudotime_ahead_of_everybody),
		KEPT(a_group_goes_on_after_a_crash),
		KEPT(staged_policy_stays_staged_through_a_crash),
		KEPT(lives_go_on_ending_while_nobody_serves),
		KEPT(who_starts_after_all_keys_ended_has_one_generation_for_everybody),
		KEPT(a_reboot_counts_by_the_wall_clock),
		KEPT(a_clock_that_went_back_replaces_all_keys_by_rekey),
		KEPT(a_rekey_cut_short_is_sent_again_in_the_same_octets),
		KEPT(a_rekey_cut_short_tells_each_the_same_after_the_file_was_changed),
		KEPT(keys_are_released_only_when_they_are_on_disk),
		KEPT(an_order_to_mint_ends_all_keys_and_tells_the_members),
		KEPT(members_that_left_stay_away_after_a_crash),
		KEPT(another_device_key_is_refused),
		KEPT(a_missing_device_key_is_not_made_anew),
		KEPT(a_device_key_others_can_read_is_refused),
		KEPT(a_file_that_is_no_database_is_refused),
		KEPT(a_database_of_another_program_is_refused),
		KEPT(a_database_of_a_newer_version_is_refused),
		KEPT(a_second_key_server_is_refused),
		KEPT(no_bit_of_the_database_can_be_changed_unseen),
		KEPT(nothing_of_a_key_is_readable_on_disk),
		cmocka_unit_test(the_larger_of_two_proofs_counts),
	};

	return cmocka_run_group_tests(tests, make_signer, drop_signer);
}
