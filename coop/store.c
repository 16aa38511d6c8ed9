#include "coop/store.h"

#include "common/base/err.h"

#define BUCKETS_FIRST 64
#define SLACK_MS      2000 // times travel as "from now": what the way took is no news

void coop_store_init(struct coop_store *s)
{
	*s = (struct coop_store){ .n_buckets = BUCKETS_FIRST };
	s->bucket = calloc(s->n_buckets, sizeof(struct coop_item *));
	BUG_ON(!s->bucket);
}

static void body_free(struct coop_item *i)
{
	if (i->body)
		explicit_bzero(i->body, i->len);
	free(i->body);
	i->body = NULL;
	i->len = 0;
}

static void item_free(struct coop_item *i)
{
	body_free(i);
	explicit_bzero(i, sizeof(*i));
	free(i);
}

void coop_store_fini(struct coop_store *s)
{
	for (size_t b = 0; b < s->n_buckets; b++) {
		for (struct coop_item *i = s->bucket[b], *next; i; i = next) {
			next = i->next;
			item_free(i);
		}
	}
	free(s->bucket);
	*s = (struct coop_store){ 0 };
}

// FNV-1a. Keys come from key servers of the set, not from strangers.
static size_t hash_of(uint8_t kind, struct bytes key)
{
	uint64_t h = 0xcbf29ce484222325u ^ kind;

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ key.p[i]) * 0x100000001b3u;
	return (size_t)(h ^ h >> 32);
}

static struct bytes key_of(const struct coop_item *i)
{
	return BYTES(i->key, i->key_len);
}

struct coop_item *coop_store_find(const struct coop_store *s, uint8_t kind, struct bytes key)
{
	struct coop_item *i = s->bucket[hash_of(kind, key) % s->n_buckets];

	while (i && (i->kind != kind || !bytes_eq(key_of(i), key)))
		i = i->next;
	return i;
}

static void bucket_add(struct coop_store *s, struct coop_item *i)
{
	struct coop_item **b = &s->bucket[hash_of(i->kind, key_of(i)) % s->n_buckets];

	i->next = *b;
	*b = i;
}

static void grow(struct coop_store *s)
{
	struct coop_item **old = s->bucket;
	size_t n_old = s->n_buckets;

	s->n_buckets *= 2;
	s->bucket = calloc(s->n_buckets, sizeof(struct coop_item *));
	BUG_ON(!s->bucket);
	for (size_t b = 0; b < n_old; b++) {
		for (struct coop_item *i = old[b], *next; i; i = next) {
			next = i->next;
			bucket_add(s, i);
		}
	}
	free(old);
}

static void origin_remove(struct coop_store *s, struct coop_item *i)
{
	*(i->older ? &i->older->newer : &s->oldest[i->origin]) = i->newer;
	*(i->newer ? &i->newer->older : &s->newest[i->origin]) = i->older;
	i->older = i->newer = NULL;
}

// Counts mostly come in order: from the newest backwards.
static void origin_add(struct coop_store *s, struct coop_item *i)
{
	struct coop_item *at = s->newest[i->origin];

	while (at && at->count > i->count)
		at = at->older;
	i->older = at;
	i->newer = at ? at->newer : s->oldest[i->origin];
	*(i->older ? &i->older->newer : &s->oldest[i->origin]) = i;
	*(i->newer ? &i->newer->older : &s->newest[i->origin]) = i;
}

void coop_store_tag(struct coop_store *s, struct coop_item *i, uint8_t origin, uint64_t count)
{
	origin_remove(s, i);
	i->origin = origin;
	i->count = count;
	origin_add(s, i);
}

static int compare(const struct coop_item *a, const struct coop_item *b)
{
	int c;

	if (a->ver != b->ver)
		return a->ver < b->ver ? -1 : 1;
	if (a->flags != b->flags)
		return a->flags < b->flags ? -1 : 1;
	if (a->by != b->by)
		return a->by < b->by ? -1 : 1;
	c = MIN_OF(a->len, b->len) ? memcmp(a->body, b->body, MIN_OF(a->len, b->len)) : 0;
	return c ? c : (a->len > b->len) - (a->len < b->len);
}

static void body_set(struct coop_item *i, struct bytes b)
{
	uint8_t *copy = NULL;

	if (b.len > 0) {
		copy = malloc(b.len);
		BUG_ON(!copy);
		memcpy(copy, b.p, b.len);
	}
	body_free(i);
	i->body = copy;
	i->len = b.len;
}

static struct coop_item *add(struct coop_store *s, const struct coop_item *in)
{
	struct coop_item *i = malloc(sizeof(*i));

	BUG_ON(!i);
	*i = *in;
	i->older = i->newer = i->next = NULL;
	i->body = NULL;
	i->len = 0;
	body_set(i, BYTES(in->body, in->len));
	if (s->n++ >= s->n_buckets)
		grow(s);
	bucket_add(s, i);
	origin_add(s, i);
	return i;
}

static bool differs(mono_t a, mono_t b)
{
	return mono_is_never(a) != mono_is_never(b) || a.ms - b.ms > SLACK_MS ||
	       b.ms - a.ms > SLACK_MS;
}

static bool tag_is_newer(const struct coop_item *a, const struct coop_item *b)
{
	return a->count != b->count ? a->count > b->count : a->origin > b->origin;
}

static mono_t later(mono_t a, mono_t b)
{
	return mono_before(a, b) ? b : a;
}

enum coop_join coop_store_join(struct coop_store *s, const struct coop_item *in,
			       struct coop_item **out)
{
	struct coop_item *i = coop_store_find(s, in->kind, key_of(in));
	mono_t dies = in->dies, active = in->active;
	bool is_in, is_ours; // what comes of it is what came, what we have
	int order;

	if (!i) {
		*out = add(s, in);
		return COOP_JOIN_NEW;
	}
	*out = i;
	order = compare(in, i);
	if (in->ver == i->ver) {
		dies = mono_min(in->dies, i->dies);
		active = later(in->active, i->active);
	} else if (order < 0) {
		return COOP_JOIN_BEHIND;
	}
	is_in = order >= 0 && !differs(dies, in->dies) && !differs(active, in->active);
	is_ours = order <= 0 && !differs(dies, i->dies) && !differs(active, i->active);
	i->dies = dies;
	i->active = active;
	if (order > 0) {
		i->flags = in->flags;
		i->by = in->by;
		i->ver = in->ver;
		body_set(i, BYTES(in->body, in->len));
	}
	if (is_ours && !is_in)
		return order < 0 ? COOP_JOIN_BEHIND : COOP_JOIN_OLD;
	if (is_ours && !tag_is_newer(in, i))
		return COOP_JOIN_OLD;
	coop_store_tag(s, i, in->origin, in->count);
	return is_ours ? COOP_JOIN_TAG : is_in ? COOP_JOIN_NEW : COOP_JOIN_MIXED;
}

void coop_store_drop(struct coop_store *s, struct coop_item *i)
{
	struct coop_item **at = &s->bucket[hash_of(i->kind, key_of(i)) % s->n_buckets];

	while (*at != i)
		at = &(*at)->next;
	*at = i->next;
	origin_remove(s, i);
	item_free(i);
	s->n--;
}

struct coop_item *coop_store_after(const struct coop_store *s, uint8_t origin, uint64_t count)
{
	struct coop_item *i = s->newest[origin];

	if (!i || i->count <= count)
		return NULL;
	while (i->older && i->older->count > count)
		i = i->older;
	return i;
}

struct coop_item *coop_store_next(const struct coop_store *s, const struct coop_item *from)
{
	size_t b = 0;

	if (from) {
		if (from->next)
			return from->next;
		b = hash_of(from->kind, key_of(from)) % s->n_buckets + 1;
	}
	for (; b < s->n_buckets; b++) {
		if (s->bucket[b])
			return s->bucket[b];
	}
	return NULL;
}
