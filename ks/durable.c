#include "ks/durable.h"

#include <stdlib.h>
#include <string.h>

struct ks_held {
	struct ks_held *next;
	uint64_t write; // that covers it
	union {
		struct ks_send send;
		struct ks_tell tell;
	};
	size_t len;
	void *owned;
};

// Of a group: what its parts were when last written; of one in a set, how many of its writes.
struct ks_durable_group {
	uint32_t identity;
	bool seen;
	uint64_t mark[KS_PART_COUNT];
	uint64_t begun, done, told;
	uint64_t meta_in; // the newest write that has what coop keeps besides
};

void ks_write_fini(struct ks_write *w)
{
	for (size_t i = 0; i < w->n; i++)
		ks_blob_fini(&w->row[i].data);
	free(w->row);
	*w = (struct ks_write){ 0 };
}

void ks_durable_init(struct ks_durable *d)
{
	*d = (struct ks_durable){ 0 };
}

static void pop(struct ks_durable *d, struct ks_held_list *l)
{
	struct ks_held *h = l->first;

	d->held_octets -= h->len;
	l->first = h->next;
	if (!l->first)
		l->last = NULL;
	free(h);
}

static void drop_all(struct ks_durable *d, struct ks_held_list *l)
{
	while (l->first) {
		explicit_bzero(l->first->owned, l->first->len);
		free(l->first->owned);
		pop(d, l);
	}
}

void ks_durable_fini(struct ks_durable *d)
{
	drop_all(d, &d->sends);
	drop_all(d, &d->tells);
	free(d->group);
	free(d->touched);
	free(d->items);
	*d = (struct ks_durable){ 0 };
}

// ---- what has changed ----

static struct ks_durable_group *find(const struct ks_durable *d, uint32_t identity)
{
	for (size_t i = 0; i < d->n_groups; i++) {
		if (d->group[i].identity == identity)
			return &d->group[i];
	}
	return NULL;
}

static bool group_changed(const struct ks_durable *d, const struct ks_group *g)
{
	const struct ks_durable_group *known = find(d, g->identity);

	if (g->shared)
		return !known;
	for (int part = KS_PART_KEYS; known && part < KS_PART_MEMBER; part++) {
		if (ks_replica_mark(g, (enum ks_part_kind)part) != known->mark[part])
			return true;
	}
	return !known;
}

static void touch(struct ks_durable *d, const struct ks_touch *t)
{
	if (d->n_touched == d->cap_touched) {
		d->cap_touched = d->cap_touched ? d->cap_touched * 2 : 64;
		d->touched = reallocarray(d->touched, d->cap_touched, sizeof(*d->touched));
		BUG_ON(!d->touched);
	}
	d->touched[d->n_touched++] = *t;
	d->dirty = true;
}

static void touch_item(struct ks_durable *d, const struct ks_item_touch *t)
{
	if (d->n_items == d->cap_items) {
		d->cap_items = d->cap_items ? d->cap_items * 2 : 64;
		d->items = reallocarray(d->items, d->cap_items, sizeof(*d->items));
		BUG_ON(!d->items);
	}
	d->items[d->n_items++] = *t;
	d->dirty = true;
}

void ks_durable_note(struct ks_durable *d, const struct ks *ks, const struct ks_out *out)
{
	for (size_t i = 0; i < out->n_touch; i++)
		touch(d, &out->touch[i]);
	for (size_t i = 0; i < out->n_item; i++)
		touch_item(d, &out->item[i]);
	for (size_t i = 0; i < ks->n_groups && !d->dirty; i++)
		d->dirty = group_changed(d, ks->group[i]);
	d->dirty = d->dirty || d->n_groups != ks->n_groups;
}

static void touch_items_all(struct ks_durable *d, const struct ks_group *g)
{
	const struct coop_store *s = &g->shared->coop.store;
	struct ks_item_touch t = { .group = g->identity };

	touch_item(d, &t);
	for (const struct coop_item *i = coop_store_next(s, NULL); i; i = coop_store_next(s, i)) {
		t.kind = i->kind;
		t.key_len = i->key_len;
		memcpy(t.key, i->key, i->key_len);
		touch_item(d, &t);
	}
}

void ks_durable_note_all(struct ks_durable *d, const struct ks *ks)
{
	for (size_t i = 0; i < d->n_groups; i++)
		memset(d->group[i].mark, 0, sizeof(d->group[i].mark));
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

		if (g->shared) {
			touch_items_all(d, g);
			continue;
		}
		for (const struct member *m = g->members.first; m; m = m->next)
			touch(d, &(struct ks_touch){ g->identity, member_name(m) });
	}
	d->dirty = true;
}

// ---- writes ----

static struct ks_row *row_new(struct ks_write *w, uint32_t group, uint8_t part)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 16;
		w->row = reallocarray(w->row, w->cap, sizeof(*w->row));
		BUG_ON(!w->row);
	}
	w->row[w->n] = (struct ks_row){ .group = group, .part = part };
	return &w->row[w->n++];
}

static struct ks_durable_group *add(struct ks_durable *d, uint32_t identity)
{
	d->group = reallocarray(d->group, d->n_groups + 1, sizeof(*d->group));
	BUG_ON(!d->group);
	d->group[d->n_groups] = (struct ks_durable_group){ .identity = identity };
	return &d->group[d->n_groups++];
}

static void write_group(struct ks_durable *d, const struct ks_group *g, int64_t base_ms,
			struct ks_write *w)
{
	struct ks_durable_group *known = find(d, g->identity);
	bool is_new = !known;

	if (is_new) {
		row_new(w, g->identity, 0); // nothing of a former group of this number stays
		known = add(d, g->identity);
	}
	known->seen = true;
	if (g->shared) {
		if (is_new)
			ks_sharing_pack(&g->shared->sharing,
					&row_new(w, g->identity, KS_PART_WRAP)->data);
		return;
	}
	for (int part = KS_PART_KEYS; part < KS_PART_MEMBER; part++) {
		uint64_t mark = ks_replica_mark(g, (enum ks_part_kind)part);

		struct ks_row *row;

		if (mark == known->mark[part])
			continue;
		known->mark[part] = mark;
		row = row_new(w, g->identity, (uint8_t)part);
		if (mark)
			ks_replica_pack(g, (enum ks_part_kind)part, NULL, base_ms, &row->data);
	}
}

static void write_gone(struct ks_durable *d, struct ks_write *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->n_groups; i++) {
		if (d->group[i].seen)
			d->group[kept++] = d->group[i];
		else
			row_new(w, d->group[i].identity, 0);
	}
	d->n_groups = kept;
	for (size_t i = 0; i < kept; i++)
		d->group[i].seen = false;
}

// As the member is now: perhaps gone.
static void write_member(const struct ks *ks, const struct ks_touch *t, int64_t base_ms,
			 struct ks_write *w)
{
	const struct ks_group *g = ks_group_by_identity(ks, t->group);
	const struct member *m = g ? members_named(&g->members, &t->member) : NULL;
	struct ks_row *row;

	if (!g || g->shared)
		return;
	row = row_new(w, t->group, KS_PART_MEMBER);
	row->key_len = (uint8_t)ks_member_key(&t->member, row->key);
	if (m)
		ks_replica_pack(g, KS_PART_MEMBER, m, base_ms, &row->data);
}

// As the item is now: perhaps gone. What coop keeps besides goes with the first of a write.
static void write_item(struct ks_durable *d, const struct ks *ks, const struct ks_item_touch *t,
		       int64_t base_ms, struct ks_write *w)
{
	const struct ks_group *g = ks_group_by_identity(ks, t->group);
	struct ks_durable_group *known = find(d, t->group);
	const struct coop_item *item;
	struct ks_row *row;

	if (!g || !g->shared)
		return;
	if (known->meta_in != d->begun + 1) {
		known->meta_in = d->begun + 1;
		known->begun = g->shared->coop.write_no;
		row = row_new(w, t->group, KS_PART_META);
		ks_shared_pack_meta(g->shared, base_ms, &row->data);
	}
	if (t->kind == 0)
		return;
	item = coop_store_find(&g->shared->coop.store, t->kind, BYTES(t->key, t->key_len));
	row = row_new(w, t->group, KS_PART_ITEM);
	row->key_len = (uint8_t)(1 + t->key_len);
	row->key[0] = t->kind;
	memcpy(row->key + 1, t->key, t->key_len);
	if (item)
		ks_shared_pack_item(item, base_ms, &row->data);
}

bool ks_durable_begin(struct ks_durable *d, const struct ks *ks, int64_t base_ms,
		      struct ks_write *w)
{
	*w = (struct ks_write){ 0 };
	if (!d->dirty || d->busy)
		return false;
	for (size_t i = 0; i < ks->n_groups; i++)
		write_group(d, ks->group[i], base_ms, w);
	write_gone(d, w);
	for (size_t i = 0; i < d->n_touched; i++)
		write_member(ks, &d->touched[i], base_ms, w);
	for (size_t i = 0; i < d->n_items; i++)
		write_item(d, ks, &d->items[i], base_ms, w);
	d->n_touched = 0;
	d->n_items = 0;
	d->dirty = false;
	d->busy = true;
	d->begun++;
	return true;
}

void ks_durable_end(struct ks_durable *d)
{
	d->busy = false;
	d->done = d->begun;
	for (size_t i = 0; i < d->n_groups; i++)
		d->group[i].done = d->group[i].begun;
}

bool ks_durable_next(struct ks_durable *d, uint32_t *group, uint64_t *no)
{
	for (size_t i = 0; i < d->n_groups; i++) {
		struct ks_durable_group *g = &d->group[i];

		if (g->told >= g->done)
			continue;
		g->told = g->done;
		*group = g->identity;
		*no = g->done;
		return true;
	}
	return false;
}

// ---- what waits ----

// False: there is nothing to wait for. *h is NULL when there is no room: it is lost.
static bool hold(struct ks_durable *d, struct ks_held_list *l, struct bytes octets,
		 struct ks_held **out)
{
	uint64_t write = d->begun + d->dirty;
	struct ks_held *h;

	*out = NULL;
	if (write <= d->done)
		return false;
	if (d->held_octets + octets.len > KS_HELD_MAX) {
		d->n_lost++;
		return true;
	}
	h = calloc(1, sizeof(*h));
	BUG_ON(!h);
	h->write = write;
	h->len = octets.len;
	h->owned = malloc(octets.len);
	BUG_ON(!h->owned);
	memcpy(h->owned, octets.p, octets.len);
	if (l->last)
		l->last->next = h;
	else
		l->first = h;
	l->last = h;
	d->held_octets += octets.len;
	*out = h;
	return true;
}

bool ks_durable_hold(struct ks_durable *d, const struct ks_send *s)
{
	struct ks_held *h;

	if (!s->waits || !hold(d, &d->sends, s->datagram, &h))
		return false;
	if (h) {
		h->send = *s;
		h->send.owned = h->owned;
		h->send.datagram.p = h->owned;
	}
	return true;
}

bool ks_durable_hold_tell(struct ks_durable *d, const struct ks_tell *t)
{
	struct ks_held *h;

	if (!t->waits || !hold(d, &d->tells, t->frame, &h))
		return false;
	if (h) {
		h->tell = *t;
		h->tell.owned = h->owned;
		h->tell.frame.p = h->owned;
	}
	return true;
}

void ks_durable_forget_tells(struct ks_durable *d)
{
	drop_all(d, &d->tells);
}

bool ks_durable_release(struct ks_durable *d, struct ks_send *s)
{
	if (!d->sends.first || d->sends.first->write > d->done)
		return false;
	*s = d->sends.first->send;
	pop(d, &d->sends);
	return true;
}

bool ks_durable_release_tell(struct ks_durable *d, struct ks_tell *t)
{
	if (!d->tells.first || d->tells.first->write > d->done)
		return false;
	*t = d->tells.first->tell;
	pop(d, &d->tells);
	return true;
}
