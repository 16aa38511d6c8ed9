#include "dataplane/routes.h"

#include <string.h>

void routes_fini(struct routes *t)
{
	free(t->r);
	*t = (struct routes){ 0 };
}

static int cmp(const struct route *a, const struct route *b)
{
	if (a->dst != b->dst)
		return a->dst < b->dst ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return a->rank < b->rank ? -1 : a->rank > b->rank;
}

// First index whose route is not before r.
static size_t find(const struct routes *t, const struct route *r)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (cmp(&t->r[mid], r) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool grow(struct routes *t)
{
	size_t cap = t->cap ? t->cap * 2 : 256;
	struct route *r = realloc(t->r, cap * sizeof(*r));

	if (!r)
		return false;
	t->r = r;
	t->cap = cap;
	return true;
}

int routes_put(struct routes *t, const struct route *r)
{
	size_t i = find(t, r);

	if (i < t->n && cmp(&t->r[i], r) == 0) {
		t->r[i] = *r;
		return 0;
	}
	if (t->n == t->cap && !grow(t))
		return -ENOMEM;
	memmove(&t->r[i + 1], &t->r[i], (t->n - i) * sizeof(*r));
	t->r[i] = *r;
	t->n++;
	return 0;
}

void routes_remove(struct routes *t, const struct route *r)
{
	size_t i = find(t, r);

	if (i == t->n || cmp(&t->r[i], r) != 0)
		return;
	memmove(&t->r[i], &t->r[i + 1], (t->n - i - 1) * sizeof(*r));
	t->n--;
}

const struct route *routes_best(const struct routes *t, uint32_t dst, uint8_t len)
{
	const struct route first = { .dst = dst, .len = len };
	size_t i = find(t, &first);

	return i < t->n && t->r[i].dst == dst && t->r[i].len == len ? &t->r[i] : NULL;
}
