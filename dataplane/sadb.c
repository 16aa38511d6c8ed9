#include "dataplane/sadb.h"

#include <stdio.h>

#define IVS_MAX (2 * DP_MAX_SAS)

void sa_store_init(struct sa_store *st, unsigned n_workers, uint32_t senders)
{
	*st = (struct sa_store){ .n_workers = n_workers, .senders = senders };
	while (1u << st->core_bits < n_workers)
		st->core_bits++;
}

static void state_free(struct sa_state *s)
{
	for (size_t i = 0; i < N_ELEMS(s->windows); i++)
		windows_free(s->windows[i]);
	crypto_key_free(s->key);
	secret_fini(&s->raw);
	secret_fini(&s->raw_auth);
	free(s);
}

void sa_store_fini(struct sa_store *st)
{
	for (size_t i = 0; i < st->n_states; i++)
		state_free(st->states[i]);
	for (size_t i = 0; i < st->n_ivs; i++)
		free(st->ivs[i]);
	free(st->states);
	free(st->ivs);
	*st = (struct sa_store){ 0 };
}

void sa_store_tell_again(struct sa_store *st)
{
	for (size_t i = 0; i < st->n_states; i++)
		st->states[i]->told_expired = false;
	for (size_t i = 0; i < st->n_ivs; i++)
		st->ivs[i]->told_soon = st->ivs[i]->told_gone = false;
}

static void *zalloc64(size_t size)
{
	void *p = aligned_alloc(64, (size + 63) & ~(size_t)63);

	if (p)
		memset(p, 0, size);
	return p;
}

// Room for one more pointer in a growing array.
static bool room(void **arr, size_t n, size_t *cap)
{
	size_t want = *cap ? *cap * 2 : 16;
	void *p;

	if (n < *cap)
		return true;
	p = realloc(*arr, want * sizeof(void *));
	if (!p)
		return false;
	*arr = p;
	*cap = want;
	return true;
}

struct sadb *sadb_new(void)
{
	struct sadb *db = calloc(1, sizeof(*db));

	if (!db)
		return NULL;
	db->mask = 15;
	db->slot = calloc(db->mask + 1, sizeof(*db->slot));
	if (!db->slot) {
		free(db);
		return NULL;
	}
	return db;
}

static void slot_put(struct sadb *db, uint32_t spi, uint32_t value)
{
	uint32_t i = (spi * 0x9e3779b1u) & db->mask;

	while (db->slot[i])
		i = (i + 1) & db->mask;
	db->slot[i] = value;
}

static bool grow(struct sadb *db)
{
	size_t max = db->max ? db->max * 2 : 8;
	uint32_t *slot = calloc(max * 2, sizeof(*slot));
	struct sa *sas = zalloc64(max * sizeof(*sas));

	if (!slot || !sas) {
		free(slot);
		free(sas);
		return false;
	}
	if (db->n)
		memcpy(sas, db->sas, db->n * sizeof(*sas));
	free(db->sas);
	free(db->slot);
	db->sas = sas;
	db->slot = slot;
	db->max = max;
	db->mask = (uint32_t)(max * 2 - 1);
	for (uint32_t i = 0; i < db->n; i++)
		slot_put(db, db->sas[i].spi, i + 1);
	return true;
}

static struct sa_state *state_find(const struct sa_store *st, const struct dp_sa *in)
{
	for (size_t i = 0; i < st->n_states; i++) {
		struct sa_state *s = st->states[i];

		if (s->spi == in->spi && s->suite == in->suite && s->raw.len == in->key_len &&
		    s->raw_auth.len == in->auth_len &&
		    bytes_eq_ct(s->raw.b, in->key, in->key_len) &&
		    bytes_eq_ct(s->raw_auth.b, in->auth, in->auth_len))
			return s;
	}
	return NULL;
}

// A window is as wide for the life of its SA as it was when it came.
static bool state_windows(const struct sa_store *st, struct sa_state *s, const struct dp_sa *in)
{
	if (in->window == 0 || s->window != 0)
		return true;
	for (unsigned w = 0; w < st->n_workers; w++) {
		if (!s->windows[w])
			s->windows[w] = windows_new(in->sid_bits, in->window, st->senders);
		if (!s->windows[w])
			return false;
	}
	s->window = in->window;
	return true;
}

static struct sa_state *state_get(struct sa_store *st, const struct dp_sa *in)
{
	struct sa_state *s = state_find(st, in);

	if (s) {
		if (!state_windows(st, s, in))
			return NULL;
		s->refs++;
		return s;
	}
	if (!room((void **)&st->states, st->n_states, &st->cap_states))
		return NULL;
	s = zalloc64(sizeof(*s));
	if (!s)
		return NULL;
	s->key = crypto_key_new(in->suite, in->key, in->auth);
	if (!s->key || secret_set(&s->raw, in->key, in->key_len) < 0 ||
	    secret_set(&s->raw_auth, in->auth, in->auth_len) < 0 || !state_windows(st, s, in)) {
		state_free(s);
		return NULL;
	}
	s->spi = in->spi;
	s->suite = in->suite;
	s->refs = 1;
	st->states[st->n_states++] = s;
	return s;
}

static void state_put(struct sa_store *st, struct sa_state *s)
{
	if (--s->refs > 0)
		return;
	for (size_t i = 0; i < st->n_states; i++)
		if (st->states[i] == s)
			st->states[i] = st->states[--st->n_states];
	state_free(s);
}

// When the store is full, the counters of the SA that died first may go: its key is past its
// life, so nothing is sent under it again.
static bool iv_make_room(struct sa_store *st, mono_t now)
{
	size_t oldest = st->n_ivs;

	if (st->n_ivs < IVS_MAX)
		return room((void **)&st->ivs, st->n_ivs, &st->cap_ivs);
	for (size_t i = 0; i < st->n_ivs; i++) {
		if (st->ivs[i]->refs > 0 || !mono_due(st->ivs[i]->until, now))
			continue;
		if (oldest == st->n_ivs || mono_before(st->ivs[i]->until, st->ivs[oldest]->until))
			oldest = i;
	}
	if (oldest == st->n_ivs)
		return false;
	free(st->ivs[oldest]);
	st->ivs[oldest] = st->ivs[--st->n_ivs];
	return true;
}

static struct iv_state *iv_get(struct sa_store *st, const struct dp_sa *in, mono_t now,
			       const char **why)
{
	struct iv_state *v;

	for (size_t i = 0; i < st->n_ivs; i++) {
		v = st->ivs[i];
		if (v->spi != in->spi)
			continue;
		if (v->sid_bits != in->sid_bits) {
			*why = "sender ids of one SPI differ in length";
			return NULL;
		}
		if (v->sid == in->sid) {
			v->refs++;
			return v;
		}
	}
	*why = "no memory for another IV space";
	if (!iv_make_room(st, now) || !(v = zalloc64(sizeof(*v))))
		return NULL;
	for (unsigned w = 0; w < st->n_workers; w++) {
		if (!esp_iv_space_init(&v->n[w].space, in->sid, in->sid_bits, w, st->core_bits)) {
			*why = "sender id missing, too long, or it leaves no room to count";
			free(v);
			return NULL;
		}
	}
	v->spi = in->spi;
	v->sid = in->sid;
	v->sid_bits = in->sid_bits;
	v->refs = 1;
	st->ivs[st->n_ivs++] = v;
	return v;
}

static const char *sa_wrong(const struct sadb *db, const struct dp_sa *in)
{
	const struct esp_suite *s = esp_suite_get(in->suite);

	if (!s)
		return "unknown suite";
	if (in->key_len != s->key_len || in->auth_len != s->auth_len)
		return "key length is not the suite's";
	if (in->spi < ESP_SPI_MIN)
		return "SPI is reserved";
	if (in->window % 64 != 0 || in->window > DP_MAX_WINDOW)
		return "anti-replay window is no multiple of 64, or too wide";
	if (in->window != 0 && (!s->counter || in->sid_bits == 0 || in->sid_bits > 32))
		return "anti-replay window without sender ids to keep it by";
	if (in->dir < DP_DIR_IN || in->dir > DP_DIR_BOTH)
		return "unknown direction";
	if (sadb_find(db, in->spi))
		return "SPI named twice";
	if (db->n >= DP_MAX_SAS)
		return "too many SAs";
	return NULL;
}

int sadb_keep(struct sadb *db, const struct sa *sa, const char **why)
{
	*why = "an SPI of a group that is kept is another group's now";
	if (sadb_find(db, sa->spi))
		return -EEXIST;
	*why = "too many SAs";
	if (db->n >= DP_MAX_SAS)
		return -ENOSPC;
	*why = "out of memory";
	if (db->n == db->max && !grow(db))
		return -ENOMEM;
	sa->state->refs++;
	if (sa->iv)
		sa->iv->refs++;
	db->sas[db->n++] = *sa;
	slot_put(db, sa->spi, (uint32_t)db->n);
	return 0;
}

int sadb_add(struct sadb *db, struct sa_store *st, const struct dp_sa *in, const char *group,
	     mono_t now, const char **why)
{
	mono_t until = mono_add_s(now, in->life_s);
	struct iv_state *iv = NULL;
	struct sa_state *state;
	struct sa *sa;

	*why = sa_wrong(db, in);
	if (*why)
		return -EINVAL;
	*why = "out of memory";
	if (db->n == db->max && !grow(db))
		return -ENOMEM;
	if ((in->dir & DP_DIR_OUT) && esp_suite_get(in->suite)->counter) {
		iv = iv_get(st, in, now, why);
		if (!iv)
			return -EINVAL;
		if (mono_before(iv->until, until))
			iv->until = until;
	}
	state = state_get(st, in);
	if (!state) {
		if (iv)
			iv->refs--;
		return -ENOMEM;
	}
	sa = &db->sas[db->n++];
	sa->key = state->key;
	sa->suite = esp_suite_get(in->suite);
	sa->state = state;
	sa->iv = iv;
	sa->expires_ms = until.ms;
	sa->has_windows = state->window != 0;
	sa->spi = in->spi;
	sa->sid = in->sid;
	sa->dir = in->dir;
	snprintf(sa->group, sizeof(sa->group), "%s", group);
	slot_put(db, sa->spi, (uint32_t)db->n);
	return 0;
}

void sadb_free(struct sadb *db, struct sa_store *st)
{
	if (!db)
		return;
	for (size_t i = 0; i < db->n; i++) {
		state_put(st, db->sas[i].state);
		if (db->sas[i].iv)
			db->sas[i].iv->refs--;
	}
	free(db->sas);
	free(db->slot);
	free(db);
}

static void iv_worst(const struct iv_state *v, unsigned n_workers, struct dp_sa_stats *out)
{
	for (unsigned w = 0; w < n_workers; w++) {
		uint64_t used = __atomic_load_n(&v->n[w].last, __ATOMIC_RELAXED);

		if (used >= out->iv_used)
			out->iv_used = used;
		out->iv_limit = v->n[w].space.max;
	}
}

void sadb_stats(const struct sa *sa, unsigned n_workers, mono_t now, struct dp_sa_stats *out)
{
	*out = (struct dp_sa_stats){ .spi = sa->spi, .dir = sa->dir, .sid = sa->sid };
	out->life_s = mono_left_s((mono_t){ sa->expires_ms }, now);
	memcpy(out->group, sa->group, sizeof(out->group));
	for (unsigned w = 0; w < n_workers; w++) {
		const struct sa_count *n = &sa->state->n[w];

		out->packets_out += __atomic_load_n(&n->packets_out, __ATOMIC_RELAXED);
		out->bytes_out += __atomic_load_n(&n->bytes_out, __ATOMIC_RELAXED);
		out->packets_in += __atomic_load_n(&n->packets_in, __ATOMIC_RELAXED);
		out->bytes_in += __atomic_load_n(&n->bytes_in, __ATOMIC_RELAXED);
		out->auth_fail += __atomic_load_n(&n->auth_fail, __ATOMIC_RELAXED);
		out->policy_fail += __atomic_load_n(&n->policy_fail, __ATOMIC_RELAXED);
		out->replayed += __atomic_load_n(&n->replayed, __ATOMIC_RELAXED);
		if (sa->has_windows)
			out->senders = MAX_OF(out->senders,
					      (uint32_t)windows_senders(sa->state->windows[w]));
	}
	out->window = sa->has_windows ? sa->state->window : 0;
	if (sa->iv)
		iv_worst(sa->iv, n_workers, out);
}
