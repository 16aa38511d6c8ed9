// What leaves a key server, judged as it leaves: nobody is told what a restart could forget, and
// nobody is given a role or keys before their time. Looks into disks, which the core does not.
#include <string.h>

#include "tests/sim/coop_world.h"

#define ATD_SLACK 500  // times travel as "from now"
#define ENDING	  5000 // what ends so soon may have ended elsewhere

// ---- frames ----

static void told_hello(struct world *w, size_t from, const struct coop_hello *h)
{
	const struct sim_ks *k = &w->ks[from];

	if (h->lead.id == k->conf.id && (!k->disk.used || h->lead.term > k->disk.meta.term))
		violated(w, COOP_INV_I8, "ks%zu leads in a term that is not on its disk", from);
}

static void told_vector(struct world *w, size_t from, const struct coop_vector *v)
{
	const struct sim_ks *k = &w->ks[from];

	for (size_t o = 0; o < COOP_IDS; o++) {
		if (o != k->conf.id && v->count[o] > (k->disk.used ? k->disk.meta.vector[o] : 0))
			violated(w, COOP_INV_I8, "ks%zu says of id %zu what is not on its disk",
				 from, o);
	}
}

static void told_items(struct world *w, size_t from, const struct coop_items *t)
{
	const struct sim_ks *k = &w->ks[from];
	uint64_t safe = !k->disk.used		  ? 0
			: t->origin == k->conf.id ? k->disk.meta.count
						  : k->disk.meta.vector[t->origin];

	w->last_items = w->now;
	if (t->origin != k->conf.id)
		cover(COVER_RELAYS);
	if (t->upto > t->after && t->upto > safe)
		violated(w, COOP_INV_I8, "ks%zu tells items that are not on its disk", from);
}

// The successor has all keys that came from here.
void told_handover(struct world *w, size_t from, size_t to)
{
	const struct coop_item *i = NULL, *there;

	while ((i = coop_store_next(&w->ks[from].c.store, i)) != NULL) {
		if (i->kind > COOP_K_SEQ || i->origin != w->ks[from].conf.id ||
		    left_of(w, &w->ks[from], i->dies) < ENDING)
			continue;
		there = w->ks[to].disk.used ? coop_store_find(&w->ks[to].disk.store, i->kind,
							      BYTES(i->key, i->key_len))
					    : NULL;
		if (!there || there->ver < i->ver)
			violated(w, COOP_INV_I3, "ks%zu hands over to ks%zu, which lacks kind %u",
				 from, to, i->kind);
	}
}

void told_frame(struct world *w, size_t from, bool datagram, struct bytes b)
{
	struct rd_err err = { NULL };
	struct coop_frame f;

	if (!coop_decode(b, &f, &err)) {
		violated(w, COOP_INV_I12, "ks%zu sends what nobody can read: %s", from, err.why);
		return;
	}
	if (datagram && b.len > 256)
		violated(w, COOP_INV_I16, "a datagram of %zu octets", b.len);
	if (datagram != (f.type == COOP_HELLO))
		violated(w, COOP_INV_I21, "ks%zu sends type %u the wrong way", from, f.type);
	if (f.type == COOP_HELLO)
		told_hello(w, from, &f.hello);
	if (f.type == COOP_VECTOR)
		told_vector(w, from, &f.vector);
	if (f.type == COOP_ITEMS)
		told_items(w, from, &f.items);
}

// ---- commits ----

// Durable here, and on the disk of everybody who lives and is not known to be slow.
void told_committed(struct world *w, size_t i, uint64_t count)
{
	const struct sim_ks *k = &w->ks[i];

	if (!k->disk.used || k->disk.meta.count < count)
		violated(w, COOP_INV_I8, "ks%zu commits what is not on its disk", i);
	for (size_t p = 0; p < k->c.conf.n_peers && !w->restored; p++) {
		const struct sim_ks *to = &w->ks[ks_at(w, &k->c.peer[p].addr)];

		if (k->c.peer[p].alive && !k->c.peer[p].slow &&
		    (!to->disk.used || to->disk.meta.vector[k->conf.id] < count))
			violated(w, COOP_INV_I2, "ks%zu commits what peer %zu, alive, has not got",
				 i, p);
	}
}

void told_slow(struct world *w, size_t i)
{
	const struct sim_ks *k = &w->ks[i];

	if (k->waiting == 0 || ks_clock(w, k).ms - k->waiting < k->conf.commit_ms)
		violated(w, COOP_INV_I2, "ks%zu does not wait for who lives", i);
}

// ---- members ----

void told_keys(struct world *w, size_t i, const struct sim_push *p)
{
	const struct sim_ks *k = &w->ks[i];

	if (p->tx != 0xff && w->now + ATD_SLACK < k->not_before[p->tx])
		violated(w, COOP_INV_I5,
			 "ks%zu has members send under generation %u, which others lack yet", i,
			 p->tx);
}
