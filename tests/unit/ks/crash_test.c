// A key server that is killed at random instants, hundreds of times, and goes on each time with
// what the disk has. What its members saw is kept in shared memory: no (KEK, SEQ) may have had two
// meanings, no sender id may have been given twice under a TEK, no member may be forgotten.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ks/keep_io.h"
#include "tests/unit/ks/ks_world.h"

#define LIVES	 200
#define SEEN_MAX 20000

struct seen_sid {
	uint32_t tek, sid;
};
struct seen_push {
	uint8_t kek[KEYS_KEK_SPI_LEN];
	uint32_t seq, tek;
};

struct seen {
	volatile uint32_t n_sid, n_push, n_member, n_restored, n_steps, failed;
	volatile int64_t now_ms; // time of the world: it only moves when told to
	char why[256];
	struct seen_sid sid[SEEN_MAX];
	struct seen_push push[SEEN_MAX];
	struct addr member[SEEN_MAX];
};

struct life {
	struct world *w;
	struct ks_keep *keep;
	struct seen *seen;
};

static struct keystore *signing;

static void same_signer(struct ks_conf *c)
{
	keystore_put(c->store);
	c->store = keystore_get(signing);
}

static void stepped(struct world *w)
{
	struct life *l = w->keep_arg;

	ks_keep_step(l->keep, &w->ks, &w->out);
	l->seen->n_steps++;
}

static bool holds(struct world *w, const struct ks_send *s)
{
	struct life *l = w->keep_arg;

	return ks_keep_holds(l->keep, s);
}

static void send_now(void *arg, const struct ks_send *s)
{
	struct life *l = arg;

	world_send(l->w, s);
}

static void clocks_of(void *arg, struct ks_clocks *out)
{
	struct life *l = arg;

	l->seen->now_ms = MAX_OF(l->seen->now_ms, l->w->now.ms);
	*out = (struct ks_clocks){ l->w->now.ms, l->w->now.ms, "one" };
}

static void die_of(struct life *l, const char *why)
{
	snprintf(l->seen->why, sizeof(l->seen->why), "%s", why);
	l->seen->failed = 1;
	_exit(1);
}

// A line counts when its counter has moved: a kill in between leaves it out.
static void note_sid(struct life *l, uint32_t tek, uint32_t sid)
{
	l->seen->sid[l->seen->n_sid] = (struct seen_sid){ tek, sid };
	l->seen->n_sid++;
}

static void note_push(struct life *l, const struct test_member *m)
{
	struct seen_push *p = &l->seen->push[l->seen->n_push];

	memcpy(p->kek, m->kek_spi, sizeof(p->kek));
	p->seq = m->seq;
	p->tek = m->tek[m->n_tek - 1].spi;
	l->seen->n_push++;
}

static void settle(struct life *l)
{
	for (int i = 0; i < 4; i++) {
		world_settle(l->w);
		ks_keep_wait(l->keep);
		ks_keep_news(l->keep, &l->w->ks, l->w->now,
			     &(struct ks_keep_hooks){ .send = send_now, .arg = l });
	}
	world_settle(l->w);
}

// All that members saw before must be known, and nothing of it undone.
static void check_memory(struct life *l)
{
	const struct ks_group *g = world_group(l->w);
	const struct seen *s = l->seen;
	const struct seen_push *last = s->n_push ? &s->push[s->n_push - 1] : NULL;
	uint64_t next = 0;

	for (uint32_t i = 0; i < s->n_member; i++) {
		if (!members_find(&g->members, &s->member[i]))
			die_of(l, "a member was forgotten");
	}
	for (uint32_t i = 0; i < s->n_sid; i++)
		next = MAX_OF(next, (uint64_t)s->sid[i].sid + 1);
	if (g->sids.next < next)
		die_of(l, "sender ids went back");
	if (last && (memcmp(last->kek, g->keys.kek.spi, sizeof(last->kek)) != 0 ||
		     last->seq > g->keys.kek.seq))
		die_of(l, "the KEK or its SEQ went back");
}

static void member_lives(struct life *l, uint32_t number)
{
	char address[32];
	struct test_member *m;

	snprintf(address, sizeof(address), "198.18.%u.%u", number / 250, number % 250 + 1);
	m = world_member(l->w, address);
	m->sid_request = 2;
	m->ack = false; // or it would be judged gone when its life is over
	tm_start(m, l->w->now);
	settle(l);
	if (m->state != TM_REGISTERED)
		die_of(l, "a member could not register");
	for (size_t i = 0; i < m->n_sid; i++) {
		for (size_t t = 0; t < m->n_tek; t++)
			note_sid(l, m->tek[t].spi, m->sid[i]);
	}
	l->seen->member[l->seen->n_member] = m->self.addr;
	l->seen->n_member++;
	world_rekey(l->w); // perhaps not before another one is over
	settle(l);
	world_pass(l->w, 40000);
	settle(l);
	if (m->n_push > 0)
		note_push(l, m);
}

static void live(const char *dir, struct seen *seen, uint32_t life)
{
	struct life l = { .w = world_new(same_signer), .seen = seen };
	const struct ks_store_conf conf = {
		.dir = dir, .device_key = "", .user = "", .clocks = clocks_of, .arg = &l
	};
	char why[KS_STORE_WHY];

	crypto_rng_init(&l.w->rng);
	l.w->now.ms = MAX_OF(l.w->now.ms, seen->now_ms);
	if (ks_keep_open(&conf, false, &l.w->ks, l.w->now, &l.w->out, &l.keep, why))
		die_of(&l, why);
	l.w->keep_arg = &l;
	l.w->stepped = stepped;
	l.w->holds = holds;
	if (life > 0 && world_group(l.w)->keys.kek.seq + world_group(l.w)->members.n > 0)
		seen->n_restored++;
	check_memory(&l);
	for (uint32_t i = 0;; i++)
		member_lives(&l, life * 40 + i);
}

static void check_sids(const struct seen *s)
{
	for (uint32_t i = 0; i < s->n_sid; i++) {
		for (uint32_t j = 0; j < i; j++)
			assert_false(s->sid[i].tek == s->sid[j].tek &&
				     s->sid[i].sid == s->sid[j].sid);
	}
}

static void check_pushes(const struct seen *s)
{
	for (uint32_t i = 0; i < s->n_push; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (memcmp(s->push[i].kek, s->push[j].kek, sizeof(s->push[i].kek)) == 0 &&
			    s->push[i].seq == s->push[j].seq)
				assert_int_equal(s->push[i].tek, s->push[j].tek);
		}
	}
}

// Some steps, however busy the machine is, and then to any place within the next ones. Some do not
// get as far as their first.
static void let_live(const struct seen *seen, struct rng *rng)
{
	uint32_t until = seen->n_steps + (uint32_t)rng_range(rng, 0, 120);

	for (int ms = 0; ms < 500 && (int32_t)(until - seen->n_steps) > 0; ms++)
		usleep(1000);
	usleep((useconds_t)rng_range(rng, 0, 3000));
}

static void no_kill_makes_it_say_anything_twice_or_forget(void **state)
{
	struct seen *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char dir[] = "/tmp/conclave-crash.XXXXXX", text[64];
	struct rng rng;

	(void)state;
	assert_true(seen != MAP_FAILED);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(crypto_init(), 0);
	signing = keystore_new();
	assert_int_equal(signer_generate(&signing->signer, "REKEY", SIGN_ECDSA_P256, 0), 0);
	rng_seed(&rng, 7);
	for (uint32_t life = 0; life < LIVES && !seen->failed; life++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0)
			live(dir, seen, life);
		let_live(seen, &rng);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	snprintf(text, sizeof(text), "rm -rf %s", dir);
	assert_int_equal(system(text), 0);
	if (seen->failed)
		fail_msg("%s", seen->why);
	check_sids(seen);
	check_pushes(seen);
	print_message("%u lives, %u restored, %u members, %u sender ids, %u rekeys\n", LIVES,
		      seen->n_restored, seen->n_member, seen->n_sid, seen->n_push);
	assert_true(seen->n_restored > LIVES / 4);
	assert_true(seen->n_member > LIVES / 4);
	assert_true(seen->n_push > LIVES / 8);
	keystore_put(signing);
	munmap(seen, sizeof(*seen));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_kill_makes_it_say_anything_twice_or_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
