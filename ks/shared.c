#include "ks/core.h"

#include <stdlib.h>
#include <string.h>

#include "ks/adopt.h"
#include "ks/mirror.h"
#include "ks/rekey.h"

#define HELD_MAX     (64u << 20) // octets; more is lost, as any datagram may be
#define MEET_HELLOS  2
#define SHORT_HELLOS 6
#define QUIET_MS     60000 // so long one that cannot prove what it did changes nothing
#define REINIT_MS    20000 // so long a new epoch is given to reach all

struct ks_shared_held {
	struct ks_shared_held *next;
	uint64_t count;
	struct ks_send send;
};

// ---- what a step of coop says ----

static void send(const struct ks_group *g, const struct coop_act *a, struct ks_out *out)
{
	const struct ks_tell t = { .group = g->identity,
				   .peer = a->peer,
				   .hello = a->datagram,
				   .waits = !a->datagram,
				   .frame = BYTES(g->shared->out.octets + a->at, a->len) };

	ks_out_tell(out, &t);
}

static void news(struct ks_shared *s, const struct coop_item *i)
{
	struct ks_item_name *n;

	if (s->n_news == s->cap_news) {
		s->cap_news = s->cap_news ? 2 * s->cap_news : 64;
		s->news = reallocarray(s->news, s->cap_news, sizeof(*s->news));
		BUG_ON(!s->news);
	}
	n = &s->news[s->n_news++];
	*n = (struct ks_item_name){ .kind = i->kind, .key_len = i->key_len };
	s->sharing.look = s->sharing.look || ks_sharing_concerns(i->kind);
	memcpy(n->key, i->key, i->key_len);
}

static void tell(const struct ks_group *g, const struct coop_act *a, struct ks_out *out)
{
	char peer[ADDR_STRLEN] = "";
	struct logctx who;

	ks_group_logctx(g, &who);
	if (a->peer < g->shared->coop.conf.n_peers)
		addr_str(&g->shared->coop.conf.peer[a->peer], peer);
	if (a->event == EV_COOP_KS_TRANS_TO_PRI) // who may lead in it is said by nobody else
		ks_out_event(out, a->event, &who, "term=%llu %s",
			     (unsigned long long)g->shared->coop.term, a->text);
	else
		ks_out_event(out, a->event, &who, "%s%s%s%s", a->text, peer[0] ? " (peer " : "",
			     peer, peer[0] ? ")" : "");
}

// Whoever does not lead any more sends nothing more of what it began: who leads now sends it.
static void role(struct ks_group *g, mono_t now, const struct coop_act *a)
{
	struct ks_shared *s = g->shared;
	struct ks_push *p = &g->push;

	s->fresh = a->fresh;
	s->quiet = mono_add_ms(now, QUIET_MS);
	if (a->role == COOP_PRIMARY) // again, perhaps: a higher term
		return;
	s->led = s->keys_came = s->ban_came = false;
	s->met = MONO_NEVER;
	if (!p->have)
		return;
	p->live = p->reminding = p->sending = false;
	p->cursor = NULL;
	p->commit = 0;
	p->ended = now;
}

static void act_on(struct ks_group *g, mono_t now, const struct coop_act *a, struct ks_out *out)
{
	struct ks_shared *s = g->shared;

	switch (a->kind) {
	case COOP_ACT_SEND:
		send(g, a, out);
		break;
	case COOP_ACT_SAVE:
		ks_out_item(out, g->identity, a->item->kind, BYTES(a->item->key, a->item->key_len));
		break;
	case COOP_ACT_ERASE:
		ks_out_item(out, g->identity, a->item_kind, BYTES(a->key, a->key_len));
		break;
	case COOP_ACT_META:
		s->meta = s->out.meta;
		s->meta_at = now;
		ks_out_item(out, g->identity, 0, BYTES(NULL, 0));
		break;
	case COOP_ACT_APPLY:
		news(s, a->item);
		break;
	case COOP_ACT_ROLE:
		role(g, now, a);
		break;
	case COOP_ACT_REINIT:
		if (mono_is_never(s->short_since))
			s->short_since = now;
		s->short_told = now;
		break;
	case COOP_ACT_CLOSE:
		out->close |= 1u << a->peer;
		break;
	case COOP_ACT_LOG:
		tell(g, a, out);
		break;
	case COOP_ACT_COMMITTED: // asked for when it matters
		break;
	}
}

static void step(struct ks_group *g, mono_t now, const struct coop_event *ev, struct ks_out *out)
{
	struct ks_shared *s = g->shared;

	coop_step(&s->coop, now, ev, &s->out);
	s->wake = s->out.wake;
	for (size_t i = 0; i < s->out.n; i++)
		act_on(g, now, &s->out.act[i], out);
}

// ---- events ----

void ks_shared_put(struct ks_group *g, mono_t now, const struct coop_put *p, struct ks_out *out)
{
	step(g, now, &(struct coop_event){ .kind = COOP_EV_PUT, .put = p }, out);
}

void ks_shared_able(struct ks_group *g, mono_t now, bool able, struct ks_out *out)
{
	step(g, now, &(struct coop_event){ .kind = COOP_EV_ABLE, .able = able }, out);
}

void ks_shared_tick(struct ks_group *g, mono_t now, struct ks_out *out)
{
	if (g->shared && mono_due(g->shared->wake, now))
		step(g, now, &(struct coop_event){ .kind = COOP_EV_TICK }, out);
}

// The group that a frame is of stands behind its type.
static bool is_for(const struct ks_group *g, struct bytes frame)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(frame, &err);

	(void)rd_u32(&r);
	return rd_u32(&r) == g->identity && rd_ok(&r);
}

static void event(struct ks_group *g, mono_t now, const struct ks_event *ev, struct ks_out *out)
{
	struct coop_event c = { .peer = ev->peer, .octets = ev->datagram, .no = ev->no };

	switch (ev->kind) {
	case KS_EV_LINK:
		c.kind = ev->up ? COOP_EV_LINK_UP : COOP_EV_LINK_DOWN;
		break;
	case KS_EV_FRAME:
		c.kind = ev->hello ? COOP_EV_HELLO : COOP_EV_MSG;
		break;
	default:
		c.kind = COOP_EV_DURABLE;
		break;
	}
	step(g, now, &c, out);
}

void ks_shared_event(struct ks *ks, mono_t now, const struct ks_event *ev, struct ks_out *out)
{
	for (size_t i = 0; i < ks->n_groups; i++) {
		struct ks_group *g = ks->group[i];

		if (!g->shared || (ev->kind == KS_EV_FRAME && !is_for(g, ev->datagram)) ||
		    (ev->kind == KS_EV_DURABLE && ev->group_id != g->identity))
			continue;
		event(g, now, ev, out);
	}
}

bool ks_shared_role(struct ks_group *g, mono_t now, struct ks_out *out, char *why, size_t size)
{
	if (!g->shared) {
		snprintf(why, size, "group %s: no other key server serves it", g->name);
		return false;
	}
	step(g, now, &(struct coop_event){ .kind = COOP_EV_ROLE }, out);
	snprintf(why, size, "group %s: %s", g->name,
		 g->shared->coop.role == COOP_PRIMARY
			 ? "the role is handed over as soon as a successor holds everything"
			 : "this key server does not lead");
	return true;
}

bool ks_shared_maintenance(struct ks_group *g, mono_t now, bool on, struct ks_out *out, char *why,
			   size_t size)
{
	struct coop_conf conf;

	if (!g->shared) {
		snprintf(why, size, "group %s: no other key server serves it", g->name);
		return false;
	}
	conf = g->shared->coop.conf;
	conf.maintenance = on;
	step(g, now, &(struct coop_event){ .kind = COOP_EV_CONF, .conf = &conf }, out);
	snprintf(why, size, "group %s: %s", g->name,
		 !on ? "may lead again"
		 : g->shared->coop.role == COOP_PRIMARY
			 ? "maintenance: the role is handed over as soon as a successor holds "
			   "everything; members register at the others"
			 : "maintenance: does not lead; members register at the others");
	return true;
}

// ---- who may do what ----

bool ks_shared_may_mint(const struct ks_group *g)
{
	return !g->shared || (g->shared->led && coop_may_mint(&g->shared->coop));
}

static const struct tek_gen *newest_active(const struct ks_group *g, mono_t now)
{
	for (size_t i = 0; i < g->keys.n_gen; i++) {
		if (mono_due(g->keys.gen[i].active, now))
			return &g->keys.gen[i];
	}
	return NULL;
}

// Of the sender ids that are given out, and those that members have with the keys that live.
enum epochs {
	EPOCHS_ONE,
	EPOCHS_APART, // some have ids of another epoch, none of which is given out
	EPOCHS_CLASH, // of another one, with the same numbers
	EPOCHS_MIXED, // both
};

static enum epochs epochs_of(const struct ks_group *g, mono_t now)
{
	uint32_t given = coop_epoch(&g->shared->coop);
	bool apart = false, clash = false;

	for (size_t i = 0; i < g->keys.n_gen; i++) {
		uint32_t epoch = COOP_VER_EPOCH(g->keys.gen[i].ver);

		if (epoch == given || mono_due(tek_gen_dies(&g->keys.gen[i]), now))
			continue;
		apart |= coop_epochs_apart(epoch, given);
		clash |= !coop_epochs_apart(epoch, given);
	}
	return apart && clash ? EPOCHS_MIXED
	       : clash	      ? EPOCHS_CLASH
	       : apart	      ? EPOCHS_APART
			      : EPOCHS_ONE;
}

bool ks_shared_may_register(const struct ks_group *g, mono_t now)
{
	const struct tek_gen *gen = newest_active(g, now);

	return !g->shared ||
	       (coop_may_register(&g->shared->coop) && gen && epochs_of(g, now) <= EPOCHS_APART &&
		!mono_due(tek_gen_dies(gen), now) && !mono_due(g->keys.kek.dies, now));
}

bool ks_shared_may_age(const struct ks_group *g, const struct member *m)
{
	const struct coop *c;

	if (!g->shared)
		return true;
	c = &g->shared->coop;
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		if (c->peer[i].id == m->home || c->peer[i].id == COOP_NOBODY)
			return c->peer[i].alive;
	}
	return true; // ours, or of one that is not of the set any more
}

bool ks_shared_take_sids(struct ks_group *g, size_t n, uint32_t *out)
{
	uint32_t first;

	if (!coop_sid_take(&g->shared->coop, (uint32_t)n, &first))
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = first + (uint32_t)i;
	return true;
}

// ---- what waits until it is committed ----

static bool waits(const struct ks_shared *s)
{
	return s->coop.count > s->coop.committed;
}

static void hold_one(struct ks_shared *s, struct ks_send *send)
{
	struct ks_shared_held *h;

	if (s->held_octets + send->datagram.len > HELD_MAX) {
		s->n_lost++;
		free(send->owned);
		return;
	}
	BUG_ON(!send->owned); // ks_out_waits_for is for copies
	h = calloc(1, sizeof(*h));
	BUG_ON(!h);
	h->count = s->coop.count;
	h->send = *send;
	h->send.shared = false;
	s->held_octets += send->datagram.len;
	*(s->last ? &s->last->next : &s->first) = h;
	s->last = h;
}

static void hold(struct ks_group *g, struct ks_out *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < out->n_send; i++) {
		if (out->send[i].shared && out->send[i].group == g->identity && waits(g->shared))
			hold_one(g->shared, &out->send[i]);
		else
			out->send[kept++] = out->send[i];
	}
	out->n_send = kept;
}

static void pop(struct ks_shared *s)
{
	struct ks_shared_held *h = s->first;

	s->held_octets -= h->send.datagram.len;
	s->first = h->next;
	if (!s->first)
		s->last = NULL;
	free(h);
}

static void release(struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_shared *s = g->shared;

	while (s->first && s->first->count <= s->coop.committed) {
		ks_out_send_owned(out, &s->first->send);
		pop(s);
	}
	if (g->push.commit && g->push.commit <= s->coop.committed) {
		g->push.commit = 0;
		g->push.next = now;
	}
}

void ks_shared_push(struct ks_group *g, mono_t now, struct ks_out *out)
{
	if (!g->shared)
		return;
	ks_mirror_push(g, now, out);
	g->shared->push_live = true;
	g->push.commit = g->shared->coop.count;
}

// ---- the part of a primary ----

static void begin(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	keys_end_all(&g->keys);
	ks_rekey_start(ks, g, now, out);
	g->sids_renewed = now;
}

static void retire(struct ks_group *g, bool new_epoch)
{
	g->removal.pending = REMOVAL_RETIRE;
	g->shared->new_epoch |= new_epoch;
}

// What the one before has not brought to its end.
static void carry_on(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_mirror_begun b;

	if (ks_mirror_ban_is_open(g))
		retire(g, false);
	if (g->push.live || !ks_mirror_begun(g, &b) || !b.live)
		return;
	if (b.clears)
		ks_rekey_clear_again(ks, g, now, out);
	else
		ks_rekey_again(ks, g, now, out);
}

// Of two primaries that meet one steps back, which is then the other's to act for.
static mono_t meet_at(struct ks_shared *s, mono_t now)
{
	if (mono_is_never(s->met))
		s->met = now;
	return mono_add_ms(s->met, MEET_HELLOS * (int64_t)s->coop.conf.hello_ms);
}

// Another part of the set has made keys of its own. All are brought what all know: new TEKs not
// before everybody has them. Where that would tell somebody who was excluded, members register
// again instead; where sender ids have begun anew, they do so when everybody has the keys.
static void meet(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	enum epochs e = epochs_of(g, now);

	if (e == EPOCHS_MIXED || (e == EPOCHS_CLASH && g->members.n == 0)) {
		ks_rekey_renew(ks, g, now, out);
		return;
	}
	ks_mirror_gens(g, now, out);
	if (g->removal.n == 0) {
		ks_rekey_again(ks, g, now, out);
	} else { // who has another KEK comes at once, before what it lacks is in use
		ks_mirror_close_keks(g, now, BYTES_OF(g->keys.kek.spi), out);
		ks_rekey_clear_again(ks, g, now, out);
	}
	if (g->removal.n > 0 || e != EPOCHS_ONE)
		retire(g, e == EPOCHS_CLASH);
}

static bool has_keys(const struct ks_group *g, mono_t now)
{
	return g->keys.n_gen > 0 && !mono_due(g->keys.kek.dies, now);
}

// Nobody can tell whether what it kept is an old copy. For a while it leaves everything as it is:
// somebody who knows may come. Members have their keys, and are served elsewhere.
static bool waits_for_proof(const struct ks_group *g, mono_t now)
{
	const struct ks_shared *s = g->shared;

	return s->fresh && has_keys(g, now) && !coop_is_sure(&s->coop) &&
	       !mono_due(s->quiet, now) && !mono_due(ks_rekey_tek_due(g), now);
}

static void take_up(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_shared *s = g->shared;

	s->led = true;
	s->short_since = MONO_NEVER;
	if (!has_keys(g, now)) {
		begin(ks, g, now, out);
	} else {
		carry_on(ks, g, now, out);
		if (s->fresh && !coop_is_sure(&s->coop))
			retire(g, true);
	}
	s->fresh = false;
}

// They take their time after a start and after a new epoch: only who is told so again and again
// lacks them.
static bool lacks_ids(struct ks_shared *s, mono_t now)
{
	int64_t hello_ms = s->coop.conf.hello_ms;

	if (mono_due(mono_add_ms(s->short_told, 2 * hello_ms), now))
		s->short_since = MONO_NEVER;
	return mono_due(mono_add_ms(s->short_since, SHORT_HELLOS * hello_ms), now);
}

static void ids_exhausted(struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct logctx who;

	if (g->removal.pending || !mono_due(g->removal.until, now) ||
	    !mono_due(mono_add_ms(g->sids_renewed, REINIT_MS), now))
		return;
	ks_group_logctx(g, &who);
	ks_out_event(out, EV_KS_SID_EXHAUSTED, &who,
		     "bits=%u members=%zu: members register again for ids of a new epoch; a larger "
		     "sid_bits, then \"crypto gdoi ks rekey\", prevents it",
		     g->sids.bits, g->members.n);
	g->sids_renewed = now;
	retire(g, true);
}

static void lead(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_shared *s = g->shared;

	if (!s->led) {
		if (!ks_sharing_ready(ks, g, now, out) || waits_for_proof(g, now))
			return;
		take_up(ks, g, now, out);
	}
	if (s->keys_came) {
		if (g->push.live || !mono_due(meet_at(s, now), now))
			return;
		meet(ks, g, now, out);
		s->met = MONO_NEVER;
	}
	if (s->ban_came)
		retire(g, false);
	if (lacks_ids(s, now))
		ids_exhausted(g, now, out);
	s->ban_came = s->keys_came = false;
}

// ---- after each step ----

static void take_news(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_shared *s = g->shared;

	if (s->all_news)
		ks_mirror_apply_all(ks, g, now, out);
	for (size_t i = 0; i < s->n_news && !s->all_news; i++)
		ks_mirror_apply(ks, g, now, &s->news[i], out);
	s->all_news = false;
	s->n_news = 0;
	g->pseudo.ahead_ms = (int64_t)coop_pseudotime(&s->coop, now) - now.ms;
}

static void tell_changes(struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_shared *s = g->shared;

	for (size_t i = 0; i < out->n_touch; i++) {
		if (out->touch[i].group == g->identity)
			ks_mirror_member(g, now, &out->touch[i].member, out);
	}
	if (s->bans_changed)
		ks_mirror_bans(g, now, out);
	s->bans_changed = false;
	if (s->push_live && ks_shared_may_mint(g) && !g->push.live && !g->push.reminding) {
		ks_mirror_push(g, now, out);
		s->push_live = false;
	}
}

void ks_shared_settle(struct ks *ks, mono_t now, struct ks_out *out)
{
	for (size_t i = 0; i < ks->n_groups; i++) {
		struct ks_group *g = ks->group[i];

		if (!g->shared)
			continue;
		take_news(ks, g, now, out);
		ks_sharing_settle(ks, g, now, out);
		if (coop_may_mint(&g->shared->coop))
			lead(ks, g, now, out);
		tell_changes(g, now, out);
		hold(g, out);
		release(g, now, out);
	}
}

// ---- life ----

bool ks_shared_adopt(struct ks *ks, struct ks_group *g, mono_t now, const struct ks_saved *saved,
		     struct rd_err *why)
{
	struct coop *c = &g->shared->coop;
	struct ks_shared_saved kept;
	struct coop_item item;

	for (size_t i = 0; i < saved->n && !saved->mint; i++) {
		const struct ks_saved_row *row = &saved->row[i];

		if (row->group != g->identity)
			continue;
		if (row->part == KS_PART_META) {
			if (!ks_shared_unpack_meta(row->data, saved->base_ms, &kept, why))
				return false;
			if (kept.id != g->conf->set.id) {
				why->why = "it was kept by a key server of another id";
				return false;
			}
			coop_fini(c);
			coop_init(c, &g->conf->set, ks->rng, now, &kept.meta,
				  (uint64_t)mono_left_ms(now, kept.at));
		} else if (row->part == KS_PART_ITEM) {
			if (!ks_shared_unpack_item(row->data, saved->base_ms, &item, why))
				return false;
			coop_load(c, &item);
		} else if (row->part == KS_PART_WRAP &&
			   !ks_sharing_unpack(&g->shared->sharing, row->data, why)) {
			return false;
		}
	}
	g->shared->all_news = true;
	g->shared->sharing.look = true;
	return true;
}

void ks_shared_conf(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_shared *s = g->shared;

	if (s && g->conf->in_set) {
		struct coop_conf conf = g->conf->set;

		conf.sid_bits = s->coop.conf.sid_bits; // until keys begin anew
		s->sharing.look = true;
		step(g, now, &(struct coop_event){ .kind = COOP_EV_CONF, .conf = &conf }, out);
		return;
	}
	if (!g->conf->in_set)
		return;
	s = calloc(1, sizeof(*s));
	BUG_ON(!s);
	coop_init(&s->coop, &g->conf->set, ks->rng, now, NULL, 0);
	coop_out_init(&s->out);
	BUG_ON(ks_sharing_init(&s->sharing) != 0);
	s->wake = now;
	s->met = s->short_since = MONO_NEVER;
	g->shared = s;
	g->sids.bits = g->conf->sid_bits;
}

void ks_shared_free(struct ks_group *g)
{
	struct ks_shared *s = g->shared;

	if (!s)
		return;
	while (s->first) {
		free(s->first->send.owned);
		pop(s);
	}
	coop_fini(&s->coop);
	coop_out_fini(&s->out);
	ks_sharing_fini(&s->sharing);
	free(s->news);
	free(s);
	g->shared = NULL;
}
