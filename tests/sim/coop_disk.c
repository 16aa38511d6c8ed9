// The disk of a key server: writes are safe after a while and in order, any prefix of them may be
// all that is left. What waits for a write leaves when it is safe.
#include <string.h>

#include "tests/sim/coop_world.h"

static void store_copy(struct coop_store *to, const struct coop_store *from)
{
	const struct coop_item *i = NULL;
	struct coop_item *there;

	coop_store_init(to);
	while ((i = coop_store_next(from, i)) != NULL)
		(void)coop_store_join(to, i, &there);
}

void disk_copy(struct disk *to, const struct disk *from)
{
	if (to->used)
		coop_store_fini(&to->store);
	*to = *from;
	if (from->used)
		store_copy(&to->store, &from->store);
}

static void write_fini(struct disk_write *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->item[i].body);
	free(d->item);
	*d = (struct disk_write){ 0 };
}

static void disk_put(struct coop_store *s, const struct coop_item *i)
{
	struct coop_item *there = coop_store_find(s, i->kind, BYTES(i->key, i->key_len));

	if (there)
		coop_store_drop(s, there);
	if (i->dies.ms != INT64_MIN)
		(void)coop_store_join(s, i, &there);
}

void disk_lose(struct disk *d)
{
	if (d->used)
		coop_store_fini(&d->store);
	*d = (struct disk){ 0 };
}

void disk_drop(struct sim_ks *k)
{
	for (size_t n = 0; n < k->n_writes; n++)
		write_fini(&k->write[n]);
	for (size_t n = 0; n < k->n_held; n++)
		free(k->held[n].b);
	k->n_writes = k->n_held = 0;
}

static void send_held(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	size_t kept = 0;

	for (size_t h = 0; h < k->n_held; h++) {
		if (k->held[h].no > k->c.durable_no) {
			k->held[kept++] = k->held[h];
			continue;
		}
		net_send(w, i, k->held[h].to, false, k->held[h].b, k->held[h].len);
		free(k->held[h].b);
	}
	k->n_held = kept;
}

void disk_done(struct world *w, size_t i, uint64_t no)
{
	struct sim_ks *k = &w->ks[i];
	size_t n = 0;

	for (; n < k->n_writes && k->write[n].no <= no; n++) {
		struct disk_write *d = &k->write[n];

		if (!k->disk.used)
			coop_store_init(&k->disk.store);
		k->disk.used = true;
		k->disk.meta = d->meta;
		k->disk.stamp = k->disk.meta_at = w->now;
		k->disk.clock = ks_clock(w, k).ms;
		for (size_t j = 0; j < d->n; j++)
			disk_put(&k->disk.store, &d->item[j]);
		write_fini(d);
	}
	memmove(k->write, k->write + n, (k->n_writes - n) * sizeof(k->write[0]));
	k->n_writes -= n;
	ks_event(w, i, &(struct coop_event){ .kind = COOP_EV_DURABLE, .no = no });
	send_held(w, i);
}

static void row_add(struct disk_write *d, const struct coop_item *i)
{
	struct coop_item *r;

	d->item = reallocarray(d->item, d->n + 1, sizeof(*d->item));
	BUG_ON(!d->item);
	r = &d->item[d->n++];
	*r = *i;
	r->body = NULL;
	if (i->len > 0) {
		r->body = malloc(i->len);
		BUG_ON(!r->body);
		memcpy(r->body, i->body, i->len);
	}
}

void disk_write(struct world *w, size_t i, const struct coop_out *out)
{
	struct sim_ks *k = &w->ks[i];
	struct disk_write d = { .no = k->c.write_no, .meta = out->meta };

	BUG_ON(k->n_writes == N_ELEMS(k->write));
	for (size_t a = 0; a < out->n; a++) {
		const struct coop_act *act = &out->act[a];
		struct coop_item gone = { .kind = act->item_kind,
					  .key_len = act->key_len,
					  .dies = { INT64_MIN } };

		if (act->kind == COOP_ACT_SAVE)
			row_add(&d, act->item);
		if (act->kind == COOP_ACT_ERASE) {
			memcpy(gone.key, act->key, act->key_len);
			row_add(&d, &gone);
		}
	}
	k->write[k->n_writes++] = d;
	k->disk_free = MAX_OF(k->disk_free, w->now) + (int64_t)rng_range(&w->rng, 1, 30);
	later(w, (struct thing){ .at = k->disk_free,
				 .kind = T_DISK,
				 .to = (uint8_t)i,
				 .life = k->life,
				 .len = d.no });
}

// Times on disk go by the clock of the life that wrote them: all are moved to the new one.
void disk_load(struct world *w, struct sim_ks *k)
{
	struct coop_item *i = NULL;
	int64_t shift = ks_clock(w, k).ms - k->disk.clock - (w->now - k->disk.stamp);

	while ((i = coop_store_next(&k->disk.store, i)) != NULL) {
		if (!mono_is_never(i->dies))
			i->dies.ms += shift;
		i->active.ms += shift;
		coop_load(&k->c, i);
	}
	k->disk.stamp = w->now;
	k->disk.clock = ks_clock(w, k).ms;
}
