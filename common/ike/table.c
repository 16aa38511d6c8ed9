#include "common/ike/table.h"

#include "common/ike/phase1.h"

int ike_table_init(struct ike_table *t, size_t capacity)
{
	size_t n = 16;

	while (n < 2 * capacity)
		n *= 2;
	*t = (struct ike_table){ .n_slots = n, .capacity = capacity };
	t->slot = calloc(n, sizeof(t->slot[0]));
	return t->slot ? 0 : -ENOMEM;
}

static void end(struct ike_sa *sa)
{
	ike_sa_fini(sa);
	free(sa);
}

void ike_table_fini(struct ike_table *t)
{
	for (size_t i = 0; i < t->n_slots; i++) {
		if (t->slot[i])
			end(t->slot[i]);
	}
	free(t->slot);
	*t = (struct ike_table){ 0 };
}

// One half of the pair is our own random choice, whichever role we have.
static size_t home(const struct ike_table *t, const uint8_t *cky_i, const uint8_t *cky_r)
{
	uint64_t a, b;

	memcpy(&a, cky_i, sizeof(a));
	memcpy(&b, cky_r, sizeof(b));
	return (size_t)(a ^ b) & (t->n_slots - 1);
}

static bool is_pair(const struct ike_sa *sa, const uint8_t *cky_i, const uint8_t *cky_r)
{
	return memcmp(sa->cky_i, cky_i, ISAKMP_COOKIE_LEN) == 0 &&
	       memcmp(sa->cky_r, cky_r, ISAKMP_COOKIE_LEN) == 0;
}

// The slot of the pair, or the free one where it would go: the table is never more than half full.
static size_t locate(const struct ike_table *t, const uint8_t *cky_i, const uint8_t *cky_r)
{
	size_t i = home(t, cky_i, cky_r);

	while (t->slot[i] && !is_pair(t->slot[i], cky_i, cky_r))
		i = (i + 1) & (t->n_slots - 1);
	return i;
}

struct ike_sa *ike_table_find(const struct ike_table *t, const uint8_t cky_i[ISAKMP_COOKIE_LEN],
			      const uint8_t cky_r[ISAKMP_COOKIE_LEN])
{
	return t->slot[locate(t, cky_i, cky_r)];
}

int ike_table_put(struct ike_table *t, struct ike_sa *sa)
{
	size_t i = locate(t, sa->cky_i, sa->cky_r);

	if (t->slot[i])
		return -EEXIST;
	if (t->n == t->capacity)
		return -ENOSPC;
	t->slot[i] = sa;
	t->n++;
	return 0;
}

// Close the hole at i: entries of the same run whose home does not lie behind it move up.
static void close_hole(struct ike_table *t, size_t i)
{
	size_t mask = t->n_slots - 1;

	t->slot[i] = NULL;
	for (size_t j = (i + 1) & mask; t->slot[j]; j = (j + 1) & mask) {
		size_t h = home(t, t->slot[j]->cky_i, t->slot[j]->cky_r);

		if (((j - h) & mask) < ((j - i) & mask))
			continue; // its home lies between the hole and here
		t->slot[i] = t->slot[j];
		t->slot[j] = NULL;
		i = j;
	}
}

void ike_table_drop(struct ike_table *t, struct ike_sa *sa)
{
	size_t i = locate(t, sa->cky_i, sa->cky_r);

	BUG_ON(t->slot[i] != sa);
	close_hole(t, i);
	t->n--;
	end(sa);
}

struct ike_sa *ike_table_next(const struct ike_table *t, size_t *at)
{
	while (*at < t->n_slots) {
		struct ike_sa *sa = t->slot[(*at)++];

		if (sa)
			return sa;
	}
	return NULL;
}
