// Who lacks what. Each key server tells its peers, for every origin, up to which count it holds
// everything durably; whoever has more sends what is missing. The same few lines serve the first
// copy of everything, each change after that, what a broken stream has lost, and the two halves of
// a healed split. Receiving anything twice, late or in another order is harmless.
#include "coop/coop_int.h"

#define CHUNKS_PER_STEP 16 // to one peer; the rest follows its confirmation

// Of its own p is told what it had put before this life, and that only. What we hold of this life we
// have from it: it must not take that for all there is of those before.
static uint64_t top_of(const struct coop *c, const struct coop_peer *p, uint8_t origin)
{
	return origin == c->conf.id ? c->count : origin == p->id ? p->past : c->vector[origin];
}

// ---- OPEN ----

static void send_open(struct coop *c, size_t peer, uint8_t flags, struct coop_out *out)
{
	struct coop_frame f = { .type = COOP_OPEN };
	struct coop_open *o = &f.open;

	*o = (struct coop_open){ .flags = flags,
				 .ver_min = 1,
				 .ver_max = COOP_VERSION,
				 .id = c->conf.id,
				 .priority = c->conf.priority,
				 .addr = c->conf.addr,
				 .boot = c->boot,
				 .text_len = c->conf.text_len };
	memcpy(o->digest, c->conf.digest, sizeof(o->digest));
	memcpy(o->text, c->conf.text, sizeof(o->text));
	coop_send(c, out, peer, &f);
}

// Of our own: what peers have given back of lives before this one. What one of them has of this life it
// has from us, and may well lack of those before: its word counts for itself only.
static uint64_t given_to(const struct coop *c, const struct coop_peer *p, uint8_t origin)
{
	return origin == c->conf.id ? MAX_OF(c->own_back, p->given) : c->vector[origin];
}

static void send_vector(struct coop *c, size_t peer, uint8_t flags, struct coop_out *out)
{
	struct coop_frame f = { .type = COOP_VECTOR, .vector = { .flags = flags } };

	for (uint8_t i = 0; i < COOP_IDS; i++) {
		f.vector.count[i] = given_to(c, &c->peer[peer], i);
		if (f.vector.count[i] != 0)
			f.vector.known |= (uint16_t)(1u << i);
	}
	c->peer[peer].vector_due = COOP_DUE_NOT;
	c->peer[peer].gap = false;
	coop_send(c, out, peer, &f);
}

void coop_link(struct coop *c, mono_t now, size_t peer, bool up, struct coop_out *out)
{
	struct coop_peer *p = &c->peer[peer];

	p->link = up;
	p->greeted = p->told = p->refused = false;
	p->resend = mono_add_ms(now, COOP_RESEND_HELLOS * (int64_t)c->conf.hello_ms);
	if (up)
		send_open(c, peer, 0, out);
}

static void refuse(struct coop *c, size_t peer, enum coop_why why, enum event_id event,
		   const char *text, struct coop_out *out)
{
	struct coop_frame f = { .type = COOP_REFUSE, .refuse = { .why = (uint8_t)why } };

	c->peer[peer].refused = true;
	c->peer[peer].opened = c->peer[peer].greeted = false;
	coop_log(out, event, peer, text);
	coop_send(c, out, peer, &f);
	coop_act(out, COOP_ACT_CLOSE)->peer = peer;
}

static bool id_is_taken(const struct coop *c, size_t peer, uint8_t id)
{
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		if (i != peer && c->peer[i].opened && c->peer[i].id == id)
			return true;
	}
	return id == c->conf.id;
}

static void new_life(const struct coop *c, struct coop_peer *p, const struct coop_open *o)
{
	p->past = c->vector[o->id];
	p->given = 0;
	p->boot = o->boot;
	p->counter = p->stamp = 0;
	p->heard = p->echoed = (mono_t){ INT64_MIN / 2 };
	p->choice = COOP_NOBODY;
	memset(p->acked, 0, sizeof(p->acked));
	memset(p->sent, 0, sizeof(p->sent));
}

void coop_sync_open(struct coop *c, mono_t now, size_t peer, const struct coop_open *o,
		    struct coop_out *out)
{
	struct coop_peer *p = &c->peer[peer];

	if (o->ver_min > COOP_VERSION) {
		refuse(c, peer, COOP_WHY_VERSION, EV_COOP_VERSION_MISMATCH, "no common version",
		       out);
		return;
	}
	if (!addr_eq(&o->addr, &p->addr)) {
		refuse(c, peer, COOP_WHY_UNKNOWN, EV_COOP_KS_UNAUTH, "names another address", out);
		return;
	}
	if (id_is_taken(c, peer, o->id)) {
		refuse(c, peer, COOP_WHY_ID, EV_COOP_ID_OVERLAP, "its id is another's", out);
		return;
	}
	if (o->boot != p->boot)
		new_life(c, p, o);
	p->opened = p->greeted = true;
	p->refused = false;
	p->id = o->id;
	p->priority = o->priority;
	p->version = MIN_OF(o->ver_max, COOP_VERSION);
	memcpy(p->text, o->text, o->text_len);
	p->text[o->text_len] = '\0';
	p->resend = mono_add_ms(now, COOP_RESEND_HELLOS * (int64_t)c->conf.hello_ms);
	if (o->flags & COOP_OPEN_ANSWER)
		send_open(c, peer, 0, out);
	send_vector(c, peer, COOP_VECTOR_OPENING, out);
}

// ---- VECTOR ----

// What we have put under counts that a peer takes for those of another life of ours gets new ones.
// Other peers may have heard more of that life: we go on well above what this one has.
static void retag_above(struct coop *c, uint64_t theirs, struct coop_out *out)
{
	struct coop_item *i = coop_store_after(&c->store, c->conf.id, c->vouched), *newer;

	if (theirs > c->count) {
		c->count = c->count_base = theirs + coop_count_jump(c->rng);
		c->dirty = true;
	}
	for (; i && i->count <= theirs; i = newer) {
		newer = i->newer;
		coop_retag(c, i, out);
	}
}

// A peer holds more of us than we had on disk at our start, and not from this life.
static void check_own_past(struct coop *c, size_t peer, uint64_t theirs, struct coop_out *out)
{
	struct coop_peer *p = &c->peer[peer];

	if (theirs > c->count || (!p->told_once && theirs > c->vouched))
		retag_above(c, theirs, out);
	p->told_once = true;
	if (theirs <= c->count_boot || theirs >= c->count_base || c->old_disk)
		return;
	c->old_disk = true;
	c->claimed = false; // what it has claimed we do not know either
	coop_log(out, EV_COOP_OLD_STATE, peer, "this disk was put back, or has lost writes");
}

static void check_confirmed(struct coop *c, struct coop_peer *p)
{
	if (p->confirmed || !p->told)
		return;
	for (uint8_t i = 0; i < COOP_IDS; i++) {
		if (i == c->conf.id ? !p->gave : c->vector[i] < p->want[i])
			return;
	}
	p->confirmed = c->confirmed_once = true;
}

// All who could know more of us have told us what they know: we may go on where any life of ours
// has stopped.
static void check_proven(struct coop *c)
{
	if (c->proven)
		return;
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		if (!c->peer[i].confirmed)
			return;
	}
	c->proven = true;
}

void coop_sync_vector(struct coop *c, mono_t now, size_t peer, const struct coop_vector *v,
		      struct coop_out *out)
{
	struct coop_peer *p = &c->peer[peer];
	bool opening = v->flags & COOP_VECTOR_OPENING, moved = opening;

	for (uint8_t i = 0; i < COOP_IDS; i++) {
		moved |= v->count[i] > p->acked[i];
		p->acked[i] = opening ? v->count[i] : MAX_OF(p->acked[i], v->count[i]);
		p->sent[i] = opening ? v->count[i] : MAX_OF(p->sent[i], p->acked[i]);
	}
	check_own_past(c, peer, v->count[c->conf.id], out);
	if (!p->told) {
		p->told = true;
		memcpy(p->want, v->count, sizeof(p->want));
	}
	if (opening) {
		p->relay_now = true;
		p->own_told = false;
		p->vector_due = COOP_DUE_NOW;
	}
	if (v->flags & COOP_VECTOR_GAP)
		memcpy(p->sent, p->acked, sizeof(p->sent));
	if (moved)
		p->resend = mono_add_ms(now, COOP_RESEND_HELLOS * (int64_t)c->conf.hello_ms);
	check_confirmed(c, p);
	check_proven(c);
}

// ---- ITEMS ----

static mono_t from_now(mono_t now, uint64_t ms)
{
	return ms > INT64_MAX / 2 ? MONO_NEVER : mono_add_ms(now, (int64_t)ms);
}

static void item_in(struct coop *c, mono_t now, size_t peer, uint8_t origin,
		    const struct coop_wire_item *w, struct coop_out *out)
{
	struct coop_item in = { .kind = w->kind,
				.flags = w->flags,
				.by = w->by,
				.key_len = w->key_len,
				.origin = origin,
				.ver = w->ver,
				.count = w->count,
				.dies = from_now(now, w->dies_ms),
				.active =
					mono_add_ms(now, (int64_t)MIN_OF(w->active_ms, INT32_MAX)),
				.body = (uint8_t *)(uintptr_t)w->body.p,
				.len = w->body.len };
	struct coop_item *i;
	enum coop_join j;

	if (w->dies_ms == 0)
		return;
	if (w->active_ms == 0)
		in.active = (mono_t){ 0 };
	memcpy(in.key, w->key, w->key_len);
	j = coop_store_join(&c->store, &in, &i);
	if (j == COOP_JOIN_OLD)
		return;
	if (j == COOP_JOIN_BEHIND) {
		// It says it has all up to our item's count, and yet lacks it: it is told again.
		if (c->peer[peer].acked[i->origin] >= i->count || i->origin == c->peer[peer].id)
			coop_retag(c, i, out);
		return;
	}
	// Of our own we are the one origin: what another life of ours has put gets a count of now.
	if (j == COOP_JOIN_MIXED || origin == c->conf.id)
		coop_retag(c, i, out);
	else
		coop_act(out, COOP_ACT_SAVE)->item = i;
	if (j != COOP_JOIN_TAG)
		coop_act(out, COOP_ACT_APPLY)->item = i;
	c->dirty = true;
}

static void vector_moved(struct coop *c, size_t peer)
{
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		struct coop_peer *p = &c->peer[i];

		p->vector_due = MAX_OF(p->vector_due, i == peer ? COOP_DUE_NOW : COOP_DUE_SOON);
		check_confirmed(c, p);
	}
	check_proven(c);
	c->dirty = true;
}

// Once per interval: more of what is on its way lies behind the same gap.
static void note_gap(const struct coop *c, mono_t now, struct coop_peer *p)
{
	if (!coop_passed(p->gap_said, c->conf.hello_ms, now))
		return;
	p->gap = true;
	p->gap_said = now;
}

void coop_sync_items(struct coop *c, mono_t now, size_t peer, const struct coop_items *t,
		     struct coop_out *out)
{
	struct coop_peer *p = &c->peer[peer];
	bool ours = t->origin == c->conf.id;
	uint64_t have = given_to(c, p, t->origin);
	struct rd_err err = { NULL };
	struct rd r = rd_of(t->all, &err);
	struct coop_wire_item w;

	p->vector_due = COOP_DUE_NOW;
	if (t->after > have) { // what is missing comes first
		note_gap(c, now, p);
		return;
	}
	for (unsigned i = 0; i < t->n && coop_item_decode(&r, &w); i++)
		item_in(c, now, peer, t->origin, &w, out);
	if (ours && t->after == t->upto) {
		p->gave = true; // it has no more of ours than that
		check_confirmed(c, p);
		check_proven(c);
	}
	if (t->upto <= have)
		return;
	if (!ours)
		c->vector[t->origin] = t->upto;
	else if (t->upto < c->count_base)
		c->own_back = t->upto;
	if (ours)
		p->given = t->upto;
	vector_moved(c, peer);
}

// ---- sending ----

static uint64_t left_ms(mono_t t, mono_t now)
{
	return mono_is_never(t) ? COOP_FOREVER : (uint64_t)mono_left_ms(t, now);
}

static void item_out(const struct coop_item *i, mono_t now, struct coop_wire_item *w)
{
	*w = (struct coop_wire_item){ .kind = i->kind,
				      .flags = i->flags,
				      .by = i->by,
				      .key_len = i->key_len,
				      .ver = i->ver,
				      .count = i->count,
				      .dies_ms = left_ms(i->dies, now),
				      .active_ms = (uint64_t)mono_left_ms(i->active, now),
				      .body = BYTES(i->body, i->len) };
	memcpy(w->key, i->key, i->key_len);
}

// One message of what p lacks of origin.
static void send_chunk(struct coop *c, mono_t now, size_t peer, uint8_t origin,
		       struct coop_out *out)
{
	struct coop_peer *p = &c->peer[peer];
	const struct coop_item *i = coop_store_after(&c->store, origin, p->sent[origin]);
	uint64_t upto = MAX_OF(top_of(c, p, origin), p->sent[origin]);
	struct coop_wire_item w_item;
	uint16_t n = 0;
	struct wr w;
	size_t at;

	coop_send_begin(out, &w, COOP_FRAME_LEN + COOP_CHUNK + COOP_ITEM_MAX + 512);
	at = coop_items_begin(&w, c->conf.group, origin, p->sent[origin]);
	for (; i && i->count <= upto; i = i->newer) {
		item_out(i, now, &w_item);
		if (n > 0 && w.len + coop_item_size(&w_item) > COOP_CHUNK) {
			upto = i->count - 1;
			break;
		}
		coop_item_encode(&w, &w_item);
		n++;
	}
	coop_items_end(&w, at, upto, n);
	coop_send_end(c, out, &w, peer, false);
	if (memcmp(p->sent, p->acked, sizeof(p->sent)) == 0) // nothing was under way
		p->resend = mono_add_ms(now, COOP_RESEND_HELLOS * (int64_t)c->conf.hello_ms);
	p->sent[origin] = upto;
}

// What p itself has put is told to it only when it has just come: it may have lost it.
static bool may_relay(const struct coop *c, const struct coop_peer *p, uint8_t origin)
{
	return origin != c->conf.id && (origin != p->id || p->relay_now);
}

static bool is_behind(const struct coop *c, const struct coop_peer *p)
{
	for (uint8_t o = 0; o < COOP_IDS; o++) {
		if (may_relay(c, p, o) && p->sent[o] < top_of(c, p, o))
			return true;
	}
	return p->relay_now && !p->own_told;
}

// Others' items reach p from their owners; we step in where that takes too long. What goes on under
// a tag of ours is told first: p must not take itself to have all of its former origin without it.
static bool relay_due(struct coop *c, struct coop_peer *p, mono_t now, bool tick)
{
	if (!tick && !p->relay_now && !p->relaying)
		return false;
	if (!is_behind(c, p)) {
		p->relay_since = MONO_NEVER;
		p->relay_now = p->relaying = false;
		return false;
	}
	if (mono_is_never(p->relay_since))
		p->relay_since = now;
	p->relaying |=
		p->relay_now ||
		coop_passed(p->relay_since, COOP_RELAY_HELLOS * (int64_t)c->conf.hello_ms, now);
	return p->relaying && p->acked[c->conf.id] >= c->retagged;
}

static void send_missing(struct coop *c, mono_t now, size_t peer, bool tick, struct coop_out *out)
{
	struct coop_peer *p = &c->peer[peer];
	int chunks = 0;

	while (p->sent[c->conf.id] < c->count && chunks++ < CHUNKS_PER_STEP)
		send_chunk(c, now, peer, c->conf.id, out);
	if (!relay_due(c, p, now, tick))
		return;
	for (uint8_t o = 0; o < COOP_IDS; o++) {
		while (may_relay(c, p, o) && p->sent[o] < top_of(c, p, o) &&
		       chunks++ < CHUNKS_PER_STEP)
			send_chunk(c, now, peer, o, out);
	}
	if (chunks >= CHUNKS_PER_STEP)
		return;
	if (p->relay_now && !p->own_told)
		send_chunk(c, now, peer, p->id, out); // an empty one: that was all of its own
	p->own_told = true;
	p->relay_now = p->relaying = false;
}

static void resend(struct coop *c, mono_t now, size_t peer, struct coop_out *out)
{
	struct coop_peer *p = &c->peer[peer];

	if (!mono_due(p->resend, now))
		return;
	p->resend = mono_add_ms(now, COOP_RESEND_HELLOS * (int64_t)c->conf.hello_ms);
	if (!p->told || !p->greeted) {
		send_open(c, peer, COOP_OPEN_ANSWER, out);
		if (p->greeted)
			send_vector(c, peer, COOP_VECTOR_OPENING, out);
		return;
	}
	memcpy(p->sent, p->acked, sizeof(p->sent));
	if (!p->confirmed)
		send_vector(c, peer, COOP_VECTOR_OPENING, out);
}

void coop_sync_send(struct coop *c, mono_t now, bool tick, struct coop_out *out)
{
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		struct coop_peer *p = &c->peer[i];

		if (!p->link || p->refused)
			continue;
		if (tick)
			resend(c, now, i, out);
		if (!p->greeted || !p->told)
			continue;
		send_missing(c, now, i, tick, out);
		if (p->vector_due == COOP_DUE_NOW || (tick && p->vector_due == COOP_DUE_SOON))
			send_vector(c, i, p->gap ? COOP_VECTOR_GAP : 0, out);
	}
}

// ---- who has confirmed our own puts ----

void coop_commit_check(struct coop *c, mono_t now, struct coop_out *out)
{
	uint64_t held = c->durable_count;
	bool late;

	if (c->committed == c->count) {
		c->waiting = MONO_NEVER;
		return;
	}
	if (mono_is_never(c->waiting))
		c->waiting = now;
	late = coop_passed(c->waiting, c->conf.commit_ms, now);
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		struct coop_peer *p = &c->peer[i];
		uint64_t acked = p->acked[c->conf.id];

		if (p->slow && acked >= c->durable_count)
			p->slow = false;
		if (!p->alive || p->slow || acked >= held)
			continue;
		if (late) {
			p->slow = true;
			coop_log(out, EV_COOP_PEER_SLOW, i, "puts go on without it");
			continue;
		}
		held = acked;
	}
	if (held <= c->committed)
		return;
	c->committed = held;
	c->waiting = MONO_NEVER;
	coop_act(out, COOP_ACT_COMMITTED)->no = held;
}
