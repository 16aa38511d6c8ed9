#include <string.h>

#include "tests/sim/coop_world.h"

// ---- what will happen ----

static bool sooner(const struct thing *a, const struct thing *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void later(struct world *w, struct thing t)
{
	size_t i = w->n_things++;

	if (i == w->cap_things) {
		w->cap_things = w->cap_things ? 2 * w->cap_things : 1024;
		w->heap = reallocarray(w->heap, w->cap_things, sizeof(*w->heap));
		BUG_ON(!w->heap);
	}
	t.order = w->order++;
	for (; i > 0 && sooner(&t, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = t;
}

bool take(struct world *w, struct thing *out)
{
	struct thing last;
	size_t i = 0, n;

	if (w->n_things == 0)
		return false;
	*out = w->heap[0];
	n = --w->n_things;
	last = w->heap[n];
	for (;;) {
		size_t kid = 2 * i + 1;

		if (kid >= n)
			break;
		if (kid + 1 < n && sooner(&w->heap[kid + 1], &w->heap[kid]))
			kid++;
		if (!sooner(&w->heap[kid], &last))
			break;
		w->heap[i] = w->heap[kid];
		i = kid;
	}
	w->heap[i] = last;
	return true;
}

void thing_fini(struct thing *t)
{
	free(t->b);
	free(t->push);
}

// ---- who reaches whom ----

bool reach_kk(const struct world *w, size_t from, size_t to)
{
	return w->ks[from].up && w->ks[to].up && !w->cut[from][to];
}

bool runs(const struct world *w, size_t ks)
{
	return w->ks[ks].up && w->ks[ks].frozen <= w->now;
}

bool reach_gk(const struct world *w, size_t gm, size_t ks)
{
	return runs(w, ks) && (!w->gm_split || w->side_gm[gm] == w->side_ks[ks]);
}

bool reach_gg(const struct world *w, size_t a, size_t b)
{
	return !w->gm_split || w->side_gm[a] == w->side_gm[b];
}

bool whole(const struct world *w)
{
	for (size_t a = 0; a < w->n_ks; a++) {
		for (size_t b = 0; b < w->n_ks; b++) {
			if (w->ks[a].exists && w->ks[b].exists && a != b && !reach_kk(w, a, b))
				return false;
		}
	}
	return true;
}

size_t ks_at(const struct world *w, const struct addr *a)
{
	for (size_t i = 0; i < w->n_ks; i++) {
		if (addr_eq(&w->ks[i].conf.addr, a))
			return i;
	}
	BUG("no key server has this address");
}

// ---- streams and datagrams ----

static uint8_t *copy_of(const uint8_t *b, size_t len)
{
	uint8_t *p = malloc(len);

	BUG_ON(!p);
	memcpy(p, b, len);
	return p;
}

static int64_t delay(struct world *w)
{
	return (int64_t)rng_range(&w->rng, 1, w->delay);
}

// What the next version might send: more behind every field that we know.
static uint8_t *newer_form(struct world *w, const uint8_t *b, size_t *len)
{
	size_t more = rng_range(&w->rng, 1, 9), body = *len + more - COOP_FRAME_LEN;
	uint8_t *p = malloc(*len + more);

	BUG_ON(!p);
	memcpy(p, b, *len);
	memset(p + *len, 0xaa, more);
	p[2] = COOP_VERSION + 1;
	if (p[3] == COOP_OPEN)
		p[COOP_FRAME_LEN + 2] = COOP_VERSION + 1;
	cover(COVER_NEWER_FORM);
	p[9] = (uint8_t)(body >> 16);
	p[10] = (uint8_t)(body >> 8);
	p[11] = (uint8_t)body;
	*len += more;
	return p;
}

static void stream_send(struct world *w, size_t from, size_t to, struct thing t)
{
	if (!w->link[from][to]) {
		thing_fini(&t);
		return;
	}
	t.at = w->now + delay(w);
	if (chance(w, w->rough) && w->now < w->quiet) {
		switch (rng_range(&w->rng, 0, 2)) {
		case 0:
			cover(COVER_STREAM_LOST);
			thing_fini(&t);
			return;
		case 1: { // twice, the copy much later
			struct thing again = t;

			cover(COVER_STREAM_TWICE);
			again.b = copy_of(t.b, t.len);
			again.at += (int64_t)rng_range(&w->rng, 0, 4000);
			later(w, again);
			break;
		}
		default: // overtaken
			cover(COVER_STREAM_LATE);
			t.at += (int64_t)rng_range(&w->rng, 0, 3000);
			later(w, t);
			return;
		}
	}
	if (t.at < w->stream_at[from][to])
		t.at = w->stream_at[from][to];
	w->stream_at[from][to] = t.at;
	later(w, t);
}

// What only the next version knows.
static struct thing unknown_type(const struct thing *t)
{
	struct thing other = *t;

	cover(COVER_UNKNOWN_TYPE);
	other.b = copy_of(t->b, t->len);
	other.b[3] = 42;
	return other;
}

void net_send(struct world *w, size_t from, size_t to, bool datagram, const uint8_t *b, size_t len)
{
	struct thing t = { .kind = datagram ? T_DGRAM : T_STREAM,
			   .from = (uint8_t)from,
			   .to = (uint8_t)to,
			   .life = w->ks[to].life,
			   .link = w->link_no[from][to] };

	told_frame(w, from, datagram, BYTES(b, len));
	if (datagram && w->cut[from][to])
		return;
	if (datagram && chance(w, w->loss)) {
		cover(COVER_DGRAM_LOST);
		return;
	}
	t.len = len;
	t.b = w->ks[from].newer ? newer_form(w, b, &t.len) : copy_of(b, len);
	if (!datagram) {
		stream_send(w, from, to, t);
		return;
	}
	t.at = w->now + delay(w);
	if (w->ks[from].newer && chance(w, 20))
		later(w, unknown_type(&t));
	if (chance(w, w->dup)) {
		struct thing again = t;

		cover(COVER_DGRAM_TWICE);
		again.b = copy_of(t.b, t.len);
		again.at += (int64_t)rng_range(&w->rng, 0, 5000);
		later(w, again);
	}
	later(w, t);
}

size_t peer_index(const struct world *w, size_t of, size_t who)
{
	const struct coop_conf *c = &w->ks[of].conf;

	for (size_t i = 0; i < c->n_peers; i++) {
		if (addr_eq(&c->peer[i], &w->ks[who].conf.addr))
			return i;
	}
	return COOP_PEERS;
}

void net_deliver(struct world *w, const struct thing *t)
{
	struct coop_event ev = { .kind = t->kind == T_DGRAM ? COOP_EV_HELLO : COOP_EV_MSG,
				 .peer = peer_index(w, t->to, t->from),
				 .octets = BYTES(t->b, t->len) };

	if (!w->ks[t->to].up || w->ks[t->to].life != t->life || ev.peer == COOP_PEERS)
		return;
	if (t->kind == T_STREAM &&
	    (!w->link[t->from][t->to] || w->link_no[t->from][t->to] != t->link))
		return;
	if (t->kind == T_DGRAM && w->cut[t->from][t->to])
		return;
	ks_event(w, t->to, &ev);
	if (w->evil && t->kind == T_DGRAM)
		evil_seen(w, t);
}

static void link_event(struct world *w, size_t at, size_t about, bool up)
{
	struct coop_event ev = { .kind = up ? COOP_EV_LINK_UP : COOP_EV_LINK_DOWN,
				 .peer = peer_index(w, at, about) };

	if (w->ks[at].up && ev.peer != COOP_PEERS)
		ks_event(w, at, &ev);
}

static bool may_link(const struct world *w, size_t a, size_t b)
{
	return reach_kk(w, a, b) && reach_kk(w, b, a) && peer_index(w, a, b) != COOP_PEERS &&
	       peer_index(w, b, a) != COOP_PEERS;
}

void net_try(struct world *w, size_t a, size_t b)
{
	if (w->link[a][b] || !may_link(w, a, b))
		return;
	w->link[a][b] = w->link[b][a] = true;
	w->stream_at[a][b] = w->stream_at[b][a] = w->now;
	w->link_no[a][b]++;
	w->link_no[b][a]++;
	link_event(w, a, b, true);
	link_event(w, b, a, true);
}

static void try_later(struct world *w, size_t a, size_t b)
{
	later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 1, 1500),
				 .kind = T_LINK,
				 .from = (uint8_t)a,
				 .to = (uint8_t)b });
}

// One side has closed it: both will connect again.
void net_close(struct world *w, size_t a, size_t b)
{
	if (!w->link[a][b])
		return;
	w->changed = w->now;
	w->link[a][b] = w->link[b][a] = false;
	link_event(w, a, b, false);
	link_event(w, b, a, false);
	try_later(w, a, b);
}

void net_links(struct world *w)
{
	w->changed = w->now;
	for (size_t a = 0; a < w->n_ks; a++) {
		for (size_t b = a + 1; b < w->n_ks; b++) {
			if (w->link[a][b] == may_link(w, a, b))
				continue;
			if (w->link[a][b]) {
				w->link[a][b] = w->link[b][a] = false;
				link_event(w, a, b, false);
				link_event(w, b, a, false);
				continue;
			}
			try_later(w, a, b);
		}
	}
}
