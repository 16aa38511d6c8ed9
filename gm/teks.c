#include "gm/teks.h"

// Half a megabyte, written before it is read: not to be cleared for each rekey.
#define LATER	__attribute__((uninitialized))
#define CLOSE_S 5 // lives are told in seconds, and under way for some

void gm_teks_init(struct gm_teks *t)
{
	t->n = 0;
	t->n_sets = 0;
}

static void wipe(struct gm_tek *k, size_t n)
{
	explicit_bzero(k, n * sizeof(*k));
}

void gm_teks_fini(struct gm_teks *t)
{
	wipe(t->tek, t->n);
	gm_teks_init(t);
}

void gm_grant_fini(struct gm_grant *g)
{
	wipe(g->tek, g->n_teks);
	g->n_teks = g->n_lines = 0;
}

static struct gm_tek *tek_of(struct gm_teks *t, uint32_t spi)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->tek[i].spi == spi)
			return &t->tek[i];
	}
	return NULL;
}

const struct gm_tek *gm_teks_find(const struct gm_teks *t, uint32_t spi)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->tek[i].spi == spi)
			return &t->tek[i];
	}
	return NULL;
}

static bool tek_same(const struct gm_tek *a, const struct gm_tek *b)
{
	return a->suite == b->suite && secret_eq(&a->key, &b->key) && secret_eq(&a->auth, &b->auth);
}

bool gm_teks_judge(const struct gm_teks *t, const struct gm_grant *g, const char **why)
{
	size_t n = t->n;

	for (size_t i = 0; i < g->n_teks; i++) {
		const struct gm_tek *old = gm_teks_find(t, g->tek[i].spi);

		if (old && !tek_same(old, &g->tek[i])) {
			*why = "SPI comes again with another key";
			return false;
		}
		n += old == NULL;
	}
	if (n > GM_MAX_TEKS) {
		*why = "too many keys";
		return false;
	}
	return true;
}

// ---- lines into sets ----

// How many earlier lines have the selector of line i: 0 is the newest generation.
static size_t generation(const struct gm_line *l, size_t i)
{
	size_t k = 0;

	for (size_t j = 0; j < i; j++)
		k += flow_eq(&l[j].flow, &l[i].flow);
	return k;
}

static uint32_t line_life_s(const struct gm_grant *g, const struct gm_line *l)
{
	for (size_t i = 0; i < g->n_teks; i++) {
		if (g->tek[i].spi == l->spi)
			return g->tek[i].life_s;
	}
	return 0;
}

// Generation of each line. Key servers hand out whole generations one after the other, or the
// generations of each line together. A selector that first shows up after a repetition, with less
// life than the policy's first line, was dropped from the policy: it belongs to the past.
static void generations(const struct gm_grant *g, const struct gm_line *l, size_t n, size_t *k)
{
	bool repeated = false;

	for (size_t i = 0; i < n; i++) {
		k[i] = generation(l, i);
		if (k[i] == 0 && repeated && line_life_s(g, &l[i]) < line_life_s(g, &l[0]))
			k[i] = 1;
		repeated |= k[i] > 0;
	}
}

// Sets are large, and mostly empty.
static void lines_copy(struct gm_set *to, const struct gm_set *from)
{
	to->n = from->n;
	to->receive_only = from->receive_only;
	memcpy(to->line, from->line, from->n * sizeof(from->line[0]));
}

static void set_copy(struct gm_set *to, const struct gm_set *from)
{
	lines_copy(to, from);
	to->active_at = from->active_at;
	to->gone_at = from->gone_at;
}

static void set_put(struct gm_set *s, const struct gm_line *l)
{
	for (size_t i = 0; i < s->n; i++) {
		if (flow_eq(&s->line[i].flow, &l->flow)) {
			s->line[i] = *l;
			return;
		}
	}
	if (s->n < GM_MAX_LINES)
		s->line[s->n++] = *l;
}

static bool tek_of_receive_only(const struct gm_grant *g, uint32_t spi)
{
	for (size_t i = 0; i < g->n_teks; i++) {
		if (g->tek[i].spi == spi)
			return g->inbound_is_receive_only && g->tek[i].dir == DP_DIR_IN;
	}
	return false;
}

// Members send in clear while all keys of a generation are for receiving alone.
static bool gen_receive_only(const struct gm_grant *g, const struct gm_line *l, const size_t *k,
			     size_t n, size_t gen)
{
	size_t keys = 0;

	for (size_t i = 0; i < n; i++) {
		if (k[i] != gen || !l[i].protect)
			continue;
		if (!tek_of_receive_only(g, l[i].spi))
			return false;
		keys++;
	}
	return keys > 0;
}

// The sets of a list of lines, newest first; an older set is the policy of the newest with the
// keys of its own generation. Returns how many.
static size_t sets_build(const struct gm_grant *g, const struct gm_line *l, size_t n,
			 struct gm_set *set)
{
	size_t k[GM_MAX_LINES], n_sets = 1;

	generations(g, l, n, k);
	set[0].n = 0;
	for (size_t i = 0; i < n; i++) {
		if (k[i] == 0)
			set[0].line[set[0].n++] = l[i];
		if (k[i] >= n_sets && k[i] < GM_MAX_SETS)
			n_sets = k[i] + 1;
	}
	for (size_t s = 1; s < n_sets; s++) {
		lines_copy(&set[s], &set[0]);
		for (size_t i = 0; i < n; i++) {
			if (k[i] == s)
				set_put(&set[s], &l[i]);
		}
	}
	for (size_t s = 0; s < n_sets; s++)
		set[s].receive_only = gen_receive_only(g, l, k, n, s);
	return n_sets;
}

// Additions to a policy: the key of a selector that is there is replaced, others come after.
static size_t lines_merge(const struct gm_teks *t, const struct gm_grant *g, struct gm_line *out)
{
	LATER struct gm_set s;

	if (g->whole || t->n_sets == 0) {
		memcpy(out, g->line, g->n_lines * sizeof(out[0]));
		return g->n_lines;
	}
	lines_copy(&s, &t->set[0]);
	for (size_t i = 0; i < g->n_lines; i++)
		set_put(&s, &g->line[i]);
	memcpy(out, s.line, s.n * sizeof(out[0]));
	return s.n;
}

// ---- staging ----

static void keys_put(struct gm_teks *t, mono_t now, const struct gm_grant *g)
{
	for (size_t i = 0; i < g->n_teks; i++) {
		struct gm_tek *k = tek_of(t, g->tek[i].spi);
		bool sent = k && k->sent;

		if (!k)
			k = &t->tek[t->n++];
		*k = g->tek[i];
		k->sent = sent;
		k->no_send = false;
		k->receive_only = g->inbound_is_receive_only && k->dir == DP_DIR_IN;
		k->dies = mono_add_s(now, k->life_s);
	}
}

static bool set_names(const struct gm_set *s, uint32_t spi)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->line[i].protect && s->line[i].spi == spi)
			return true;
	}
	return false;
}

// Every key of s is in one of the n sets.
static bool set_within(const struct gm_set *s, const struct gm_set *sets, size_t n)
{
	for (size_t i = 0; i < s->n; i++) {
		bool found = !s->line[i].protect;

		for (size_t k = 0; k < n && !found; k++)
			found = set_names(&sets[k], s->line[i].spi);
		if (!found)
			return false;
	}
	return true;
}

static bool set_eq(const struct gm_set *a, const struct gm_set *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct gm_line *x = &a->line[i], *y = &b->line[i];

		if (x->protect != y->protect || x->spi != y->spi || !flow_eq(&x->flow, &y->flow))
			return false;
	}
	return true;
}

static bool tek_can_send(const struct gm_tek *k)
{
	return k && !k->no_send && ((k->dir & DP_DIR_OUT) || k->receive_only);
}

static bool set_can_send(const struct gm_teks *t, const struct gm_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->line[i].protect && tek_can_send(gm_teks_find(t, s->line[i].spi)))
			return true;
	}
	return false;
}

static mono_t set_dies(struct gm_teks *t, const struct gm_set *s)
{
	mono_t dies = { 0 };

	for (size_t i = 0; i < s->n; i++) {
		const struct gm_tek *k = s->line[i].protect ? tek_of(t, s->line[i].spi) : NULL;

		if (k && mono_before(dies, k->dies))
			dies = k->dies;
	}
	return dies;
}

// What a rekey replaced already comes behind it, in front of what is older still, and goes when
// the rekey says.
static void stage_stale(struct gm_teks *t, mono_t now, const struct gm_set *set, size_t n)
{
	mono_t drained = t->n_sets > 1 ? t->set[1].gone_at : MONO_NEVER;

	for (size_t i = 0; i < n; i++) {
		mono_t dies = set_dies(t, &set[i]);
		size_t at = 1;

		if (set_within(&set[i], t->set, t->n_sets))
			continue;
		while (at < t->n_sets &&
		       !mono_before(mono_add_s(set_dies(t, &t->set[at]), CLOSE_S), dies))
			at++;
		if (at == GM_MAX_SETS)
			return;
		t->n_sets = MIN_OF(t->n_sets + 1, (size_t)GM_MAX_SETS);
		for (size_t k = t->n_sets - 1; k > at; k--)
			set_copy(&t->set[k], &t->set[k - 1]);
		lines_copy(&t->set[at], &set[i]);
		t->set[at].active_at = now;
		t->set[at].gone_at = drained;
	}
}

static void stage_fresh(struct gm_teks *t, mono_t now, const struct gm_grant *g,
			const struct gm_set *set, size_t n)
{
	LATER struct gm_set old[GM_MAX_SETS];
	size_t n_old = t->n_sets;
	mono_t drained = g->has_dtd ? mono_add_s(now, g->dtd_s) : MONO_NEVER;

	for (size_t i = 0; i < n_old; i++)
		set_copy(&old[i], &t->set[i]);
	t->n_sets = n;
	for (size_t i = 0; i < n; i++) {
		lines_copy(&t->set[i], &set[i]);
		t->set[i].active_at = i == 0 && g->has_atd ? mono_add_s(now, g->atd_s) : now;
		t->set[i].gone_at = i == 0 ? MONO_NEVER : drained;
	}
	for (size_t i = 0; i < n_old; i++) {
		if (set_eq(&old[i], &t->set[0]))
			t->set[0].active_at = mono_min(t->set[0].active_at, old[i].active_at);
		if (set_within(&old[i], t->set, t->n_sets) || t->n_sets == GM_MAX_SETS)
			continue;
		old[i].gone_at = mono_min(old[i].gone_at, drained);
		set_copy(&t->set[t->n_sets++], &old[i]);
	}
}

void gm_teks_stage(struct gm_teks *t, mono_t now, const struct gm_grant *g)
{
	LATER struct gm_set set[GM_MAX_SETS];
	LATER struct gm_line line[GM_MAX_LINES];
	size_t n_line = lines_merge(t, g, line), n;

	keys_put(t, now, g);
	if (g->n_lines == 0)
		return;
	n = sets_build(g, line, n_line, set);
	if (g->stale && t->n_sets > 0)
		stage_stale(t, now, set, n);
	else
		stage_fresh(t, now, g, set, n);
}

bool gm_teks_delete(struct gm_teks *t, mono_t now, uint32_t spi, uint32_t grace_s)
{
	struct gm_tek *k = tek_of(t, spi);

	if (!k)
		return false;
	k->no_send = true;
	k->dies = mono_min(k->dies, mono_add_s(now, grace_s));
	return true;
}

void gm_teks_delete_all(struct gm_teks *t, mono_t now, uint32_t grace_s)
{
	for (size_t i = 0; i < t->n; i++) {
		t->tek[i].no_send = true;
		t->tek[i].dies = mono_min(t->tek[i].dies, mono_add_s(now, grace_s));
	}
}

// ---- ageing ----

static bool sets_name(const struct gm_teks *t, uint32_t spi)
{
	for (size_t i = 0; i < t->n_sets; i++) {
		if (set_names(&t->set[i], spi))
			return true;
	}
	return false;
}

static bool set_alive(const struct gm_teks *t, const struct gm_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->line[i].protect && gm_teks_find(t, s->line[i].spi))
			return true;
	}
	return false;
}

static bool sets_drop(struct gm_teks *t, mono_t now)
{
	size_t kept = 0, n = t->n_sets;

	for (size_t i = 0; i < n; i++) {
		struct gm_set *s = &t->set[i];

		// The newest stays without keys: its lines drop rather than let pass.
		if (i > 0 && (mono_due(s->gone_at, now) || !set_alive(t, s)))
			continue;
		if (kept != i)
			set_copy(&t->set[kept], s);
		kept++;
	}
	t->n_sets = kept;
	return kept != n;
}

static bool keys_drop(struct gm_teks *t, mono_t now)
{
	size_t n = t->n;

	for (size_t i = 0; i < t->n;) {
		struct gm_tek *k = &t->tek[i], *last = &t->tek[t->n - 1];

		if (!mono_due(k->dies, now) && sets_name(t, k->spi)) {
			i++;
			continue;
		}
		*k = *last;
		wipe(last, 1);
		t->n--;
	}
	return t->n != n;
}

bool gm_teks_age(struct gm_teks *t, mono_t before, mono_t now)
{
	bool changed = keys_drop(t, now);

	if (sets_drop(t, now))
		changed = keys_drop(t, now) || true;
	for (size_t i = 0; i < t->n_sets; i++)
		changed |= mono_before(before, t->set[i].active_at) &&
			   mono_due(t->set[i].active_at, now);
	return changed;
}

mono_t gm_teks_next(const struct gm_teks *t, mono_t now)
{
	mono_t next = MONO_NEVER;

	for (size_t i = 0; i < t->n_sets; i++) {
		if (!mono_due(t->set[i].active_at, now))
			next = mono_min(next, t->set[i].active_at);
		if (i > 0)
			next = mono_min(next, t->set[i].gone_at);
	}
	for (size_t i = 0; i < t->n; i++)
		next = mono_min(next, t->tek[i].dies);
	return next;
}

// ---- questions ----

const struct gm_set *gm_teks_active(const struct gm_teks *t, mono_t now)
{
	for (size_t i = 0; i < t->n_sets; i++) {
		bool older = false;

		for (size_t j = i + 1; j < t->n_sets && !older; j++)
			older = set_can_send(t, &t->set[j]);
		if (mono_due(t->set[i].active_at, now) || !older)
			return &t->set[i];
	}
	return NULL;
}

const struct gm_tek *gm_teks_out(const struct gm_teks *t, mono_t now, size_t i)
{
	const struct gm_set *active = gm_teks_active(t, now);
	const struct gm_line *l = &active->line[i];
	const struct gm_tek *k = gm_teks_find(t, l->spi);

	if (!l->protect || tek_can_send(k))
		return l->protect ? k : NULL;
	for (size_t s = 0; s < t->n_sets; s++) {
		for (size_t j = 0; j < t->set[s].n; j++) {
			const struct gm_line *o = &t->set[s].line[j];

			if (!o->protect || !flow_eq(&o->flow, &l->flow))
				continue;
			k = gm_teks_find(t, o->spi);
			if (tek_can_send(k))
				return k;
		}
	}
	return NULL;
}

enum gm_tek_state gm_teks_state(const struct gm_teks *t, mono_t now, uint32_t spi)
{
	const struct gm_set *active = gm_teks_active(t, now);
	const struct gm_tek *k = gm_teks_find(t, spi);

	if (active && tek_can_send(k) && set_names(active, spi))
		return GM_TEK_CURRENT;
	for (const struct gm_set *s = t->set; s < active; s++) {
		if (set_names(s, spi))
			return GM_TEK_STAGED;
	}
	return GM_TEK_DRAINING;
}

mono_t gm_teks_end(const struct gm_teks *t)
{
	mono_t end = MONO_NEVER;

	for (size_t i = 0; t->n_sets > 0 && i < t->set[0].n; i++) {
		const struct gm_line *l = &t->set[0].line[i];
		const struct gm_tek *k = gm_teks_find(t, l->spi);

		if (l->protect)
			end = mono_min(end, k ? k->dies : (mono_t){ 0 });
	}
	return end;
}

uint32_t gm_teks_life_s(const struct gm_teks *t)
{
	const struct gm_tek *first = NULL;

	for (size_t i = 0; i < t->n; i++) {
		if (t->n_sets > 0 && set_names(&t->set[0], t->tek[i].spi) &&
		    (!first || mono_before(t->tek[i].dies, first->dies)))
			first = &t->tek[i];
	}
	return first ? first->life_s : 0;
}
