// tests/sim/lkh_sim.c - worlds of members that join and leave under a key tree.
//
//	lkh_sim [WORLDS] [SEED]     or SEED=… in the environment
//
// The server's arrays go through the codec to every member. Some members are traitors: they keep
// each key they ever held, and once they are out they pool all of them, and every message ever sent
// after they left. After each rekey:
//   - every member that was never asked to leave has the server's KEK;
//   - the traitors' pool, closed over everything that was sent, holds no key that lives;
//   - no key of the pool opens any octets that were sent into a key that lives, whatever the
//     message says about who is to open it;
//   - one leaver costs no more arrays than (k-1) per level, and octets that grow with log n.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crypto/crypto.h"
#include "common/wire/wr.h"
#include "gm/lkh.h"
#include "ks/lkh.h"

#define MEMBERS_MAX 4000
#define POOL_BITS   17
#define POOL_MAX    (1u << POOL_BITS)
#define PUSH_MAX    60000

#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("FAILED: %s: ", #cond);                                             \
			printf(__VA_ARGS__);                                                       \
			printf("\nSEED=%" PRIu64 "\n", w->seed);                                   \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

// A set of keys by handle: a handle names one key ever.
struct pool {
	size_t n;
	struct {
		uint32_t handle;
		struct secret data;
	} slot[POOL_MAX];
};

struct member {
	bool in, traitor, done; // done: has this rekey
	uint16_t leaf;
	struct gm_lkh lkh;
	size_t n_old, cap_old;
	struct gm_lkh_key *old; // a traitor's memory
};

struct world {
	uint64_t seed;
	struct rng rng;
	enum cipher_alg alg;
	struct lkh tree;
	size_t n_in;
	struct member m[MEMBERS_MAX];
	struct pool pool;
	uint64_t n_rekeys, n_parts, n_left;
};

static struct world world;
static struct gdoi_kd sent, got;
static uint8_t wire[PUSH_MAX + 1024];

// ---- what the traitors know ----

static struct secret *pool_find(struct pool *p, uint32_t handle, bool make)
{
	uint32_t i = handle * 2654435761u >> (32 - POOL_BITS);

	for (;; i = (i + 1) % POOL_MAX) {
		if (p->slot[i].handle == handle)
			return &p->slot[i].data;
		if (p->slot[i].handle == 0)
			break;
	}
	if (!make || p->n == POOL_MAX / 2)
		return NULL;
	p->n++;
	p->slot[i].handle = handle;
	return &p->slot[i].data;
}

static void remember(struct world *w, struct member *m, const struct gm_lkh *l)
{
	if (!m->traitor)
		return;
	for (size_t i = 0; i < l->n; i++) {
		if (m->n_old == m->cap_old) {
			m->cap_old = m->cap_old ? 2 * m->cap_old : 32;
			m->old = realloc(m->old, m->cap_old * sizeof(*m->old));
			CHECK(m->old, "out of memory");
		}
		m->old[m->n_old++] = l->path[i];
	}
}

static void defect(struct world *w, const struct member *m)
{
	for (size_t i = 0; i < m->n_old; i++) {
		struct secret *s = pool_find(&w->pool, m->old[i].handle, true);

		if (s)
			*s = m->old[i].data;
	}
}

static bool open_with(enum cipher_alg alg, const struct secret *under, struct bytes data,
		      struct secret *plain)
{
	struct secret key;

	plain->len = (uint16_t)data.len;
	return secret_set(&key, under->b + 16, under->len - 16u) == 0 &&
	       cipher_decrypt(alg, &key, under->b, data.p, data.len, plain->b) == 0;
}

// Opens whatever the pool opens, as often as that brings something new.
static void close_over(struct world *w, const struct gdoi_kd_lkh *kd)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t a = 0; a < kd->n_update; a++) {
			uint32_t under = kd->update[a].handle;

			for (size_t i = 0; i < kd->update[a].n; i++) {
				const struct gdoi_lkh_key *k = &kd->key[kd->update[a].first + i];
				struct secret *have = pool_find(&w->pool, under, false);
				struct secret plain;

				if (have && !pool_find(&w->pool, k->handle, false) &&
				    open_with(w->alg, have, k->data, &plain)) {
					*pool_find(&w->pool, k->handle, true) = plain;
					more = true;
				}
				under = k->handle;
			}
		}
	}
}

static void pool_holds_nothing_that_lives(struct world *w)
{
	for (uint32_t i = 1; i < w->tree.n; i++) {
		const struct lkh_node *n = &w->tree.node[i];

		if (n->data.len)
			CHECK(!pool_find(&w->pool, n->handle, false), "key %u of node %u is known",
			      n->handle, i);
	}
}

// Every key of the pool on every key sent: handles and numbers ignored.
static void brute(struct world *w, const struct gdoi_kd_lkh *kd)
{
	struct secret plain;

	for (size_t s = 0; s < POOL_MAX; s++) {
		if (w->pool.slot[s].handle == 0)
			continue;
		for (size_t k = 0; k < kd->n_keys; k++) {
			CHECK(open_with(w->alg, &w->pool.slot[s].data, kd->key[k].data, &plain),
			      "cipher");
			CHECK(!secret_eq(&plain, &w->tree.node[kd->key[k].id].data),
			      "node %u read with old key %u", kd->key[k].id,
			      w->pool.slot[s].handle);
		}
	}
}

// ---- members ----

static const struct gdoi_kd_lkh *transmit(struct world *w)
{
	const struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct rd_err err = { NULL };
	struct wr_chain c;
	struct wr out;

	sent.has_lkh = true;
	wr_init(&out, wire, sizeof(wire));
	wr_u8(&out, 0);
	c = (struct wr_chain){ .w = &out, .next_at = 0 };
	gdoi_kd_encode(&o, &c, &sent);
	CHECK(wr_ok(&out), "message too long");
	CHECK(gdoi_kd_decode(&o, wr_view(&out, 5, out.len), &got, &err), "%s", err.why);
	return &got.lkh;
}

static void join(struct world *w, struct member *m)
{
	const char *why = "";

	*m = (struct member){ .in = true, .traitor = rng_range(&w->rng, 0, 7) == 0 };
	CHECK(lkh_join(&w->tree, &w->rng, &m->leaf) == 0, "join");
	lkh_download(&w->tree, m->leaf, &sent.lkh);
	CHECK(gm_lkh_store(w->alg, transmit(w), &m->lkh, &why), "%s", why);
	remember(w, m, &m->lkh);
	w->n_in++;
}

static void leave(struct world *w, struct member *m)
{
	lkh_leave(&w->tree, m->leaf);
	defect(w, m);
	free(m->old);
	*m = (struct member){ .in = false };
	w->n_in--;
	w->n_left++;
}

static void receive(struct world *w, const struct gdoi_kd_lkh *kd)
{
	static struct gm_lkh next;
	const char *why = "";

	for (size_t i = 0; i < MEMBERS_MAX; i++) {
		struct member *m = &w->m[i];

		if (!m->in)
			continue;
		switch (gm_lkh_apply(&m->lkh, kd, &next, &why)) {
		case GM_LKH_APPLIED:
			CHECK(!m->done, "two arrays for member %zu", i);
			m->lkh = next;
			m->done = true;
			remember(w, m, &m->lkh);
			break;
		case GM_LKH_NOT_OURS:
			break;
		case GM_LKH_REFUSED:
			CHECK(false, "%s", why);
		}
	}
}

static void all_have_the_kek(struct world *w)
{
	for (size_t i = 0; i < MEMBERS_MAX; i++) {
		struct member *m = &w->m[i];

		CHECK(!m->in || m->done, "member %zu was left behind", i);
		CHECK(!m->in || secret_eq(gm_lkh_kek(&m->lkh), lkh_kek(&w->tree)),
		      "member %zu has another kek", i);
		m->done = false;
	}
}

// Octets of the whole rekey.
static size_t rekey(struct world *w, bool brutal)
{
	size_t budget = rng_range(&w->rng, 1200, PUSH_MAX), octets = 0;
	struct lkh_update u;

	CHECK(lkh_rekey(&w->tree, &w->rng, &u) == 0, "rekey");
	lkh_commit(&w->tree, &u);
	for (size_t from = 0, next; from < u.n_starts; from = next) {
		const struct gdoi_kd_lkh *kd;

		next = lkh_cut(&u, from, budget, &sent.lkh);
		CHECK(next > from, "an array of %u keys beyond %zu octets", u.start[from].n_keys,
		      budget);
		kd = transmit(w);
		for (size_t a = 0; a < kd->n_update; a++)
			octets += 16 + kd->update[a].n * (16 + kd->key[0].data.len);
		receive(w, kd);
		close_over(w, kd);
		if (brutal)
			brute(w, kd);
		w->n_parts++;
	}
	lkh_update_fini(&u);
	all_have_the_kek(w);
	pool_holds_nothing_that_lives(w);
	w->n_rekeys++;
	return octets;
}

// ---- worlds ----

static void world_begin(struct world *w, uint64_t seed, unsigned degree, enum cipher_alg alg)
{
	w->seed = seed;
	rng_seed(&w->rng, seed);
	w->alg = alg;
	CHECK(lkh_init(&w->tree, alg, degree, &w->rng) == 0, "init");
}

static void world_end(struct world *w)
{
	for (size_t i = 0; i < MEMBERS_MAX; i++)
		free(w->m[i].old);
	lkh_fini(&w->tree);
	explicit_bzero(w, sizeof(*w));
}

// Members come one by one and in crowds, go one by one and in crowds, at random.
static void random_world(struct world *w, uint64_t seed)
{
	size_t people, rounds;

	rng_seed(&w->rng, seed);
	people = rng_range(&w->rng, 2, rng_range(&w->rng, 0, 9) == 0 ? MEMBERS_MAX : 60);
	rounds = people > 500 ? 6 : rng_range(&w->rng, 10, 60);
	world_begin(w, seed, (unsigned)rng_range(&w->rng, 2, 5),
		    seed % 2 ? CIPHER_AES128_CBC : CIPHER_AES256_CBC);
	for (size_t r = 0; r < rounds; r++) {
		size_t moves = rng_range(&w->rng, 0, rng_range(&w->rng, 0, 3) ? 3 : people);

		for (size_t i = 0; i < moves; i++) {
			struct member *m = &w->m[rng_range(&w->rng, 0, people - 1)];

			if (!m->in)
				join(w, m);
			else if (rng_range(&w->rng, 0, 2) == 0)
				leave(w, m);
		}
		rekey(w, people <= 60);
	}
}

static unsigned levels(size_t n, unsigned degree)
{
	unsigned d = 1;

	for (size_t fit = degree; fit < n; fit *= degree)
		d++;
	return d;
}

// One leaver of n: the table of docs/performance.md comes from here.
static void growth(struct world *w, unsigned degree, size_t n)
{
	unsigned d = levels(n, degree);
	size_t octets, parts;

	world_begin(w, n, degree, CIPHER_AES256_CBC);
	for (size_t i = 0; i < n; i++)
		join(w, &w->m[i]);
	rekey(w, false);
	leave(w, &w->m[n / 2]);
	parts = w->n_parts;
	octets = rekey(w, false);
	printf("%8zu %6u %6u %9zu %8zu\n", n, degree, d, octets, (size_t)w->n_parts - parts);
	CHECK(octets <= (degree - 1) * d * (16 + (d + 1) / 2.0 * 64), "%zu octets", octets);
	world_end(w);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 16, 64, 256, 1024, 4000 };
	const char *env = getenv("SEED");
	uint64_t n_worlds = argc > 1 ? strtoull(argv[1], NULL, 0) : 40;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : env ? strtoull(env, NULL, 0) : 1;
	uint64_t rekeys = 0, left = 0;

	if (crypto_init() < 0)
		return 1;
	printf("SEED=%" PRIu64 "\n", seed);
	for (uint64_t i = 0; i < n_worlds; i++) {
		random_world(&world, seed + i);
		rekeys += world.n_rekeys;
		left += world.n_left;
		world_end(&world);
	}
	printf("%" PRIu64 " worlds, %" PRIu64 " rekeys, %" PRIu64 " members left\n", n_worlds,
	       rekeys, left);
	printf(" members degree levels    octets messages   one leaver, AES-256\n");
	for (size_t i = 0; i < N_ELEMS(sizes); i++) {
		growth(&world, 2, sizes[i]);
		growth(&world, 4, sizes[i]);
	}
	return 0;
}
