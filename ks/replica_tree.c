#include "ks/replica_int.h"

void rep_put_tree(struct wr *w, const struct lkh *t)
{
	wr_u8(w, (uint8_t)t->alg);
	wr_u16(w, t->degree);
	wr_u16(w, t->free);
	wr_u32(w, t->n);
	wr_u32(w, t->n_stale);
	wr_u32(w, t->last_handle);
	for (uint32_t i = LKH_ROOT; i < t->n; i++) {
		const struct lkh_node *n = &t->node[i];

		wr_u16(w, n->parent);
		wr_u16(w, n->child);
		wr_u16(w, n->sibling);
		wr_u8(w, n->level);
		rep_put_bool(w, n->stale);
		wr_u32(w, n->n_members);
		wr_u32(w, n->handle);
		rep_put_secret(w, &n->data);
	}
}

static void get_node(struct rd *r, const struct lkh *t, struct lkh_node *n)
{
	size_t len = cipher_block_len(t->alg) + cipher_key_len(t->alg);
	struct bytes data;

	n->parent = rd_u16(r);
	n->child = rd_u16(r);
	n->sibling = rd_u16(r);
	n->level = rd_u8(r);
	n->stale = rep_get_bool(r);
	n->n_members = rd_u32(r);
	n->handle = rd_u32(r);
	data = rd_bytes(r, rd_u8(r));
	if (data.len != 0 && data.len != len)
		rd_fail(r, "key of a wrong length");
	else if (secret_set(&n->data, data.p, data.len))
		rd_fail(r, "key too long");
	if (n->parent >= t->n || n->child >= t->n || n->sibling >= t->n)
		rd_fail(r, "key tree with a loose branch");
}

// Every node is free, or the child of one parent on a higher level: no loop, nothing lost.
static bool tree_is_whole(const struct lkh *t)
{
	bool *seen = calloc(t->n, sizeof(*seen)), ok = t->node[LKH_ROOT].parent == 0;
	uint32_t n = 2; // [0] and the root

	BUG_ON(!seen);
	seen[0] = seen[LKH_ROOT] = true;
	for (uint32_t i = LKH_ROOT; ok && i < t->n; i++) {
		for (uint16_t c = t->node[i].child; ok && c != 0; c = t->node[c].sibling) {
			ok = !seen[c] && t->node[c].parent == i &&
			     t->node[c].level < t->node[i].level;
			seen[c] = true;
			n++;
		}
	}
	for (uint16_t f = t->free; ok && f != 0; f = t->node[f].sibling) {
		ok = !seen[f] && t->node[f].child == 0 && t->node[f].n_members == 0;
		seen[f] = true;
		n++;
	}
	free(seen);
	return ok && n == t->n;
}

void rep_get_tree(struct rd *r, struct ks_group *g)
{
	struct lkh *t = &g->lkh;

	t->alg = (enum cipher_alg)rd_u8(r);
	t->degree = rd_u16(r);
	t->free = rd_u16(r);
	t->n = t->cap = rd_u32(r);
	t->n_stale = rd_u32(r);
	t->last_handle = rd_u32(r);
	if ((t->alg != CIPHER_AES128_CBC && t->alg != CIPHER_AES256_CBC) ||
	    t->degree < LKH_DEGREE_MIN || t->degree > LKH_DEGREE_MAX || t->n <= LKH_ROOT ||
	    t->n > LKH_NODES_MAX + 1u || rd_left(r) / 17 < t->n - 1 || t->free >= t->n) {
		rd_fail(r, "key tree out of range");
		*t = (struct lkh){ 0 };
		return;
	}
	t->node = calloc(t->n, sizeof(*t->node));
	BUG_ON(!t->node);
	for (uint32_t i = LKH_ROOT; i < t->n && rd_ok(r); i++)
		get_node(r, t, &t->node[i]);
	if (rd_ok(r) && !tree_is_whole(t))
		rd_fail(r, "key tree with a loose branch");
	if (!rd_end(r, 0))
		lkh_fini(t);
}
