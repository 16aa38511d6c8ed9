#include "ks/lkh.h"

#define CAP_FIRST 64u
#define LEVEL_MAX 16u // 2^16 leaves are more than there are nodes

static size_t data_len(enum cipher_alg alg)
{
	return cipher_block_len(alg) + cipher_key_len(alg);
}

// ---- nodes ----

static struct lkh_node *at(const struct lkh *t, uint16_t i)
{
	return &t->node[i];
}

// realloc would leave the old keys behind.
static int grow_array(struct lkh *t)
{
	uint32_t cap = t->cap ? MIN_OF(2 * t->cap, LKH_NODES_MAX + 1u) : CAP_FIRST;
	struct lkh_node *node = calloc(cap, sizeof(*node));

	if (!node)
		return -ENOMEM;
	if (t->node) {
		memcpy(node, t->node, t->n * sizeof(*node));
		explicit_bzero(t->node, t->n * sizeof(*node));
		free(t->node);
	}
	t->node = node;
	t->cap = cap;
	return 0;
}

static uint32_t n_free(const struct lkh *t)
{
	uint32_t listed = 0;

	for (uint16_t i = t->free; i != 0 && listed < LEVEL_MAX + 2; i = at(t, i)->sibling)
		listed++;
	return listed + (LKH_NODES_MAX + 1u - t->n);
}

// Room for `want` more nodes, so that a join cannot fail half way.
static int reserve(struct lkh *t, uint32_t want)
{
	if (n_free(t) < want)
		return -ENOSPC;
	while (t->cap < LKH_NODES_MAX + 1u && t->cap < t->n + want) {
		int err = grow_array(t);

		if (err)
			return err;
	}
	return 0;
}

// Reserved before. The node hangs under parent (0: nowhere).
static uint16_t node_take(struct lkh *t, uint16_t parent, uint8_t level)
{
	uint16_t i = t->free;

	if (i != 0)
		t->free = at(t, i)->sibling;
	else
		i = (uint16_t)t->n++;
	*at(t, i) = (struct lkh_node){ .parent = parent, .level = level };
	if (parent != 0) {
		at(t, i)->sibling = at(t, parent)->child;
		at(t, parent)->child = i;
	}
	return i;
}

static void node_release(struct lkh *t, uint16_t i)
{
	uint16_t *link = &at(t, at(t, i)->parent)->child;

	while (*link != i)
		link = &at(t, *link)->sibling;
	*link = at(t, i)->sibling;
	t->n_stale -= at(t, i)->stale;
	explicit_bzero(at(t, i), sizeof(*at(t, i)));
	at(t, i)->sibling = t->free;
	t->free = i;
}

static void mark_stale(struct lkh *t, uint16_t i)
{
	t->n_stale += !at(t, i)->stale;
	at(t, i)->stale = true;
}

static void fresh_key(const struct lkh *t, struct rng *rng, struct secret *out)
{
	out->len = (uint16_t)data_len(t->alg);
	rng_fill(rng, out->b, out->len);
}

// Leaves that fit below a node of this level.
static uint32_t room(const struct lkh *t, uint8_t level)
{
	uint32_t n = 1;

	while (level-- > 0 && n <= LKH_NODES_MAX)
		n *= t->degree;
	return n;
}

static bool is_full(const struct lkh *t, uint16_t i)
{
	return at(t, i)->n_members >= room(t, at(t, i)->level);
}

// ---- the tree ----

int lkh_init(struct lkh *t, enum cipher_alg alg, unsigned degree, struct rng *rng)
{
	struct lkh_node *root;
	int err;

	*t = (struct lkh){ .alg = alg, .degree = (uint16_t)degree, .n = LKH_ROOT };
	if (alg != CIPHER_AES128_CBC && alg != CIPHER_AES256_CBC)
		return -ENOTSUP;
	if (degree < LKH_DEGREE_MIN || degree > LKH_DEGREE_MAX)
		return -EINVAL;
	err = grow_array(t);
	if (err)
		return err;
	root = at(t, node_take(t, 0, 1));
	root->handle = ++t->last_handle;
	fresh_key(t, rng, &root->data);
	return 0;
}

void lkh_fini(struct lkh *t)
{
	if (t->node)
		explicit_bzero(t->node, t->cap * sizeof(*t->node));
	free(t->node);
	*t = (struct lkh){ 0 };
}

// The root stays the root, one level further from the leaves.
static void grow_level(struct lkh *t)
{
	uint16_t children = at(t, LKH_ROOT)->child, w;

	at(t, LKH_ROOT)->child = 0;
	w = node_take(t, LKH_ROOT, at(t, LKH_ROOT)->level++);
	at(t, w)->child = children;
	at(t, w)->n_members = at(t, LKH_ROOT)->n_members;
	for (uint16_t c = children; c != 0; c = at(t, c)->sibling)
		at(t, c)->parent = w;
	mark_stale(t, w);
}

static uint16_t child_with_room(const struct lkh *t, uint16_t i)
{
	uint16_t c = at(t, i)->child;

	while (c != 0 && is_full(t, c))
		c = at(t, c)->sibling;
	return c;
}

int lkh_join(struct lkh *t, struct rng *rng, uint16_t *leaf)
{
	uint16_t i = LKH_ROOT, c;
	int err = reserve(t, at(t, LKH_ROOT)->level + 2u);

	if (err)
		return err;
	if (t->last_handle > UINT32_MAX - LEVEL_MAX)
		return -ENOSPC;
	if (is_full(t, LKH_ROOT))
		grow_level(t);
	for (; at(t, i)->level > 0; i = c) {
		at(t, i)->n_members++;
		c = child_with_room(t, i);
		if (c != 0)
			continue;
		c = node_take(t, i, (uint8_t)(at(t, i)->level - 1));
		at(t, c)->handle = ++t->last_handle;
		fresh_key(t, rng, &at(t, c)->data);
	}
	at(t, i)->n_members = 1;
	*leaf = i;
	return 0;
}

void lkh_leave(struct lkh *t, uint16_t leaf)
{
	uint16_t i = leaf, parent;

	BUG_ON(leaf == 0 || leaf >= t->n || at(t, leaf)->level != 0 || at(t, leaf)->n_members != 1);
	for (; i != 0; i = parent) {
		parent = at(t, i)->parent;
		at(t, i)->n_members--;
		if (at(t, i)->n_members == 0 && i != LKH_ROOT)
			node_release(t, i);
		else
			mark_stale(t, i);
	}
}

bool lkh_is_stale(const struct lkh *t)
{
	return at(t, LKH_ROOT)->stale;
}

uint32_t lkh_n_members(const struct lkh *t)
{
	return at(t, LKH_ROOT)->n_members;
}

const struct secret *lkh_kek(const struct lkh *t)
{
	return &at(t, LKH_ROOT)->data;
}

const struct secret *lkh_key(const struct lkh *t, uint16_t leaf)
{
	return &at(t, leaf)->data;
}

void lkh_download(const struct lkh *t, uint16_t leaf, struct gdoi_kd_lkh *out)
{
	out->has_download = true;
	out->n_update = out->n_keys = 0;
	for (uint16_t i = leaf; i != 0; i = at(t, i)->parent) {
		const struct lkh_node *n = at(t, i);

		if (n->data.len == 0)
			continue;
		out->key[out->n_keys++] = (struct gdoi_lkh_key){
			.id = i,
			.type = GDOI_KEK_AES,
			.handle = n->handle,
			.data = BYTES(n->data.b, n->data.len),
		};
	}
	out->download = (struct gdoi_lkh_array){ .n = out->n_keys };
}

// ---- rekey ----

static bool update_alloc(const struct lkh *t, struct lkh_update *u)
{
	size_t n_new = t->n_stale + 1u; // the root may not be marked
	size_t n_links = MIN_OF(n_new * t->degree, (size_t)t->n);

	*u = (struct lkh_update){ .data_len = data_len(t->alg) };
	u->new = calloc(n_new, sizeof(*u->new));
	u->link = calloc(n_links, sizeof(*u->link));
	u->start = calloc(n_links, sizeof(*u->start));
	u->by_node = calloc(t->n, sizeof(*u->by_node));
	return u->new && u->link && u->start && u->by_node;
}

void lkh_update_fini(struct lkh_update *u)
{
	if (u->new)
		explicit_bzero(u->new, u->n_new * sizeof(*u->new));
	free(u->new);
	free(u->link);
	free(u->start);
	free(u->by_node);
	*u = (struct lkh_update){ 0 };
}

const struct secret *lkh_update_kek(const struct lkh_update *u)
{
	return &u->new[0].data;
}

static struct lkh_new *renew(struct lkh *t, struct rng *rng, struct lkh_update *u, uint16_t i)
{
	struct lkh_new *n = &u->new[u->n_new++];

	n->node = i;
	n->handle = ++t->last_handle;
	n->link = LKH_NO_LINK;
	fresh_key(t, rng, &n->data);
	return n;
}

// CBC with the IV that belongs to `under` (RFC 6407 5.6.3.1): the same each time that key encrypts.
// What it encrypts begins with the IV of the new key, 16 random octets that do for CBC what a fresh
// IV would.
static int wrap(enum cipher_alg alg, const struct secret *under, const struct secret *new,
		uint8_t out[LKH_DATA_MAX])
{
	size_t iv_len = cipher_block_len(alg);
	struct secret key;
	int err = secret_set(&key, under->b + iv_len, under->len - iv_len);

	if (!err)
		err = cipher_encrypt(alg, &key, under->b, new->b, new->len, out);
	secret_fini(&key);
	return err;
}

// The new key of v, once for each of its children. A child with a new key of its own passes it on
// in its arrays; under any other child's key an array starts.
static int link_children(struct lkh *t, struct rng *rng, struct lkh_update *u, size_t v)
{
	uint32_t up = u->new[v].link;
	int err = 0;

	for (uint16_t c = at(t, u->new[v].node)->child; c != 0 && !err; c = at(t, c)->sibling) {
		uint32_t l = (uint32_t)u->n_links++;
		struct lkh_new *stale = at(t, c)->stale ? renew(t, rng, u, c) : NULL;

		u->link[l].id = u->new[v].node;
		u->link[l].handle = u->new[v].handle;
		u->link[l].up = up;
		err = wrap(t->alg, stale ? &stale->data : &at(t, c)->data, &u->new[v].data,
			   u->link[l].data);
		if (stale)
			stale->link = l;
		else
			u->start[u->n_starts++] = (struct lkh_start){ .id = c,
								      .handle = at(t, c)->handle,
								      .link = l };
	}
	return err;
}

static void finish_start(struct lkh_update *u, size_t i)
{
	struct lkh_start *s = &u->start[i];

	u->by_node[s->id] = (uint32_t)i + 1;
	for (uint32_t l = s->link; l != LKH_NO_LINK; l = u->link[l].up)
		s->n_keys++;
}

// What is marked is marked up to the root: from there down, parents first, so that the link above
// is always there already.
int lkh_rekey(struct lkh *t, struct rng *rng, struct lkh_update *u)
{
	int err = update_alloc(t, u) ? 0 : -ENOMEM;

	if (!err && t->last_handle > UINT32_MAX - (t->n_stale + 1))
		err = -ENOSPC;
	if (!err)
		renew(t, rng, u, LKH_ROOT);
	for (size_t v = 0; v < u->n_new && !err; v++)
		err = link_children(t, rng, u, v);
	for (size_t s = 0; s < u->n_starts && !err; s++)
		finish_start(u, s);
	if (err)
		lkh_update_fini(u);
	return err;
}

void lkh_commit(struct lkh *t, const struct lkh_update *u)
{
	for (size_t i = 0; i < u->n_new; i++) {
		struct lkh_node *n = at(t, u->new[i].node);

		n->handle = u->new[i].handle;
		n->data = u->new[i].data;
		n->stale = false;
	}
	t->n_stale = 0;
}

size_t lkh_start_of(const struct lkh *t, const struct lkh_update *u, uint16_t leaf)
{
	uint16_t i = leaf;

	while (u->by_node[i] == 0) {
		i = at(t, i)->parent;
		BUG_ON(i == 0);
	}
	return u->by_node[i] - 1;
}

// ---- arrays on the wire ----

// Attribute header (4) | array header (12) | keys: header (16), data.
static size_t array_len(const struct lkh_update *u, const struct lkh_start *s)
{
	return 4 + 12 + s->n_keys * (16 + u->data_len);
}

static void put_array(const struct lkh_update *u, const struct lkh_start *s,
		      struct gdoi_kd_lkh *out)
{
	struct gdoi_lkh_array *a = &out->update[out->n_update++];

	*a = (struct gdoi_lkh_array){
		.id = s->id, .handle = s->handle, .first = out->n_keys, .n = s->n_keys
	};
	for (uint32_t l = s->link; l != LKH_NO_LINK; l = u->link[l].up) {
		out->key[out->n_keys++] = (struct gdoi_lkh_key){
			.id = u->link[l].id,
			.type = GDOI_KEK_AES,
			.handle = u->link[l].handle,
			.data = BYTES(u->link[l].data, u->data_len),
		};
	}
}

size_t lkh_cut(const struct lkh_update *u, size_t from, size_t max, struct gdoi_kd_lkh *out)
{
	size_t len = 0;

	out->has_download = false;
	out->n_update = out->n_keys = 0;
	for (; from < u->n_starts && out->n_update < GDOI_MAX_LKH_ARRAYS; from++) {
		const struct lkh_start *s = &u->start[from];

		len += array_len(u, s);
		if (len > max || out->n_keys + s->n_keys > GDOI_MAX_LKH_KEYS)
			break;
		put_array(u, s, out);
	}
	return from;
}
