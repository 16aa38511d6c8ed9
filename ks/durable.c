#include "ks/durable.h"

#include <stdlib.h>
#include <string.h>

struct ks_held {
	struct ks_held *next;
	uint64_t write; // that covers it
	struct ks_send send;
};

// Of a group: what its parts were when last written.
struct ks_durable_group {
	uint32_t identity;
	bool seen;
	uint64_t mark[KS_PART_COUNT];
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

static void pop(struct ks_durable *d)
{
	struct ks_held *h = d->first;

	d->held_octets -= h->send.datagram.len;
	d->first = h->next;
	if (!d->first)
		d->last = NULL;
	free(h);
}

void ks_durable_fini(struct ks_durable *d)
{
	while (d->first) {
		free(d->first->send.owned);
		pop(d);
	}
	free(d->group);
	free(d->touched);
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

void ks_durable_note(struct ks_durable *d, const struct ks *ks, const struct ks_out *out)
{
	for (size_t i = 0; i < out->n_touch; i++)
		touch(d, &out->touch[i]);
	for (size_t i = 0; i < ks->n_groups && !d->dirty; i++)
		d->dirty = group_changed(d, ks->group[i]);
	d->dirty = d->dirty || d->n_groups != ks->n_groups;
}

void ks_durable_note_all(struct ks_durable *d, const struct ks *ks)
{
	for (size_t i = 0; i < d->n_groups; i++)
		memset(d->group[i].mark, 0, sizeof(d->group[i].mark));
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

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

	if (!known) {
		row_new(w, g->identity, 0); // nothing of a former group of this number stays
		known = add(d, g->identity);
	}
	known->seen = true;
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

	if (!g)
		return;
	row = row_new(w, t->group, KS_PART_MEMBER);
	row->key_len = (uint8_t)ks_member_key(&t->member, row->key);
	if (m)
		ks_replica_pack(g, KS_PART_MEMBER, m, base_ms, &row->data);
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
	d->n_touched = 0;
	d->dirty = false;
	d->busy = true;
	d->begun++;
	return true;
}

void ks_durable_end(struct ks_durable *d)
{
	d->busy = false;
	d->done = d->begun;
}

// ---- what waits ----

bool ks_durable_hold(struct ks_durable *d, const struct ks_send *s)
{
	uint64_t write = d->begun + d->dirty;
	struct ks_held *h;

	if (!s->waits || write <= d->done)
		return false;
	if (d->held_octets + s->datagram.len > KS_HELD_MAX) {
		d->n_lost++;
		return true;
	}
	h = calloc(1, sizeof(*h));
	BUG_ON(!h);
	h->write = write;
	h->send = *s;
	h->send.owned = malloc(s->datagram.len);
	BUG_ON(!h->send.owned);
	memcpy(h->send.owned, s->datagram.p, s->datagram.len);
	h->send.datagram.p = h->send.owned;
	if (d->last)
		d->last->next = h;
	else
		d->first = h;
	d->last = h;
	d->held_octets += s->datagram.len;
	return true;
}

bool ks_durable_release(struct ks_durable *d, struct ks_send *s)
{
	if (!d->first || d->first->write > d->done)
		return false;
	*s = d->first->send;
	pop(d);
	return true;
}
