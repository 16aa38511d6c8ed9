#include "coop/coop_int.h"

static void fields_reset(struct coop_peer *p, const struct addr *a)
{
	*p = (struct coop_peer){ .addr = *a, .id = COOP_NOBODY, .choice = COOP_NOBODY };
	p->heard = p->echoed = (mono_t){ INT64_MIN / 2 };
	p->gap_said = p->heard;
	p->better_since = MONO_NEVER;
}

void coop_init(struct coop *c, const struct coop_conf *conf, struct rng *rng, mono_t now,
	       const struct coop_meta *meta, uint64_t seen_ms)
{
	*c = (struct coop){ .conf = *conf, .rng = rng, .started = now, .next_hello = now };
	coop_store_init(&c->store);
	c->boot = rng_u64(rng) | 1;
	c->pseudo_base = -now.ms;
	if (meta) {
		c->max_term = meta->term;
		c->count_boot = meta->count;
		c->vouched = meta->vouched;
		memcpy(c->vector, meta->vector, sizeof(c->vector));
		c->pseudo_base = (int64_t)(meta->pseudotime + seen_ms) - now.ms;
		c->time_known = true;
	}
	c->count = c->count_base = c->count_boot + coop_count_jump(rng);
	c->own_back = c->vouched;
	c->retagged = c->count_boot;
	c->vector[conf->id] = 0;
	c->durable_count = c->committed = c->count;
	c->dirty = true; // where counts begin is kept before anybody is told
	c->lead = (struct coop_claim){ .id = COOP_NOBODY };
	c->lead_seen = (mono_t){ INT64_MIN / 2 };
	c->handover_to = c->handed_by = c->vote = COOP_NOBODY;
	c->handed = c->lead_seen;
	c->waiting = c->sids.empty_since = MONO_NEVER;
	c->sids.asked = now;
	c->proven = conf->n_peers == 0;
	for (size_t i = 0; i < conf->n_peers; i++)
		fields_reset(&c->peer[i], &conf->peer[i]);
}

void coop_load(struct coop *c, const struct coop_item *item)
{
	struct coop_item *i;

	(void)coop_store_join(&c->store, item, &i);
}

void coop_fini(struct coop *c)
{
	coop_store_fini(&c->store);
	*c = (struct coop){ 0 };
}

// ---- puts ----

static bool only_for_primary(uint8_t kind)
{
	return kind >= COOP_K_CONF && kind <= COOP_K_TREE;
}

static void item_changed(struct coop *c, struct coop_item *i, struct coop_out *out)
{
	coop_act(out, COOP_ACT_SAVE)->item = i;
	c->dirty = true;
}

// Above the tag that it had: where both meet, ours is kept.
void coop_retag(struct coop *c, struct coop_item *i, struct coop_out *out)
{
	c->count = MAX_OF(c->count, i->count) + 1;
	c->retagged = c->count;
	coop_store_tag(&c->store, i, c->conf.id, c->count);
	item_changed(c, i, out);
}

struct coop_item *coop_put_own(struct coop *c, const struct coop_put *put, struct coop_out *out)
{
	struct coop_item in = { .kind = put->kind,
				.flags = put->flags,
				.by = c->conf.id,
				.key_len = (uint8_t)put->key.len,
				.origin = c->conf.id,
				.ver = put->ver,
				.dies = put->dies,
				.active = put->active,
				.body = (uint8_t *)(uintptr_t)put->body.p,
				.len = put->body.len };
	struct coop_item *there = coop_store_find(&c->store, put->kind, put->key);
	enum coop_join join;

	BUG_ON(put->key.len > COOP_KEY_MAX || put->body.len > COOP_ITEM_MAX);
	if (put->key.len > 0)
		memcpy(in.key, put->key.p, put->key.len);
	if (in.ver == 0)
		in.ver = there ? there->ver + 1 : 1;
	join = coop_store_join(&c->store, &in, &there);
	if (join == COOP_JOIN_OLD || join == COOP_JOIN_BEHIND)
		return there;
	coop_store_tag(&c->store, there, c->conf.id, ++c->count);
	item_changed(c, there, out);
	return there;
}

static void put(struct coop *c, const struct coop_put *p, struct coop_out *out)
{
	uint32_t epoch = coop_epoch(c);

	if (only_for_primary(p->kind) && !c->leads)
		return;
	coop_put_own(c, p, out);
	out->put_count = c->count;
	if (p->kind == COOP_K_CHAIN && coop_epoch(c) != epoch) {
		c->sids = (struct coop_sids){ .epoch = coop_epoch(c),
					      .own_epoch = coop_epoch(c),
					      .empty_since = MONO_NEVER,
					      .asked = c->sids.asked };
	}
}

static void expire(struct coop *c, mono_t now, struct coop_out *out)
{
	struct coop_item *i = coop_store_next(&c->store, NULL), *next;
	struct coop_act *a;

	for (; i; i = next) {
		next = coop_store_next(&c->store, i);
		if (!mono_due(i->dies, now))
			continue;
		a = coop_act(out, COOP_ACT_ERASE);
		a->item_kind = i->kind;
		a->key_len = i->key_len;
		memcpy(a->key, i->key, i->key_len);
		coop_store_drop(&c->store, i);
		c->dirty = true;
	}
}

// ---- configuration ----

static void conf_take(struct coop *c, const struct coop_conf *conf, struct coop_out *out)
{
	struct coop_peer old[COOP_PEERS];
	size_t n_old = c->conf.n_peers;

	memcpy(old, c->peer, sizeof(old));
	for (size_t i = 0; i < conf->n_peers; i++) {
		size_t k = 0;

		while (k < n_old && !addr_eq(&old[k].addr, &conf->peer[i]))
			k++;
		if (k < n_old) {
			c->peer[i] = old[k];
		} else {
			fields_reset(&c->peer[i], &conf->peer[i]);
			coop_log(out, EV_COOP_KS_ADD, i, "configured");
		}
	}
	for (size_t k = 0; k < n_old; k++) {
		size_t i = 0;

		while (i < conf->n_peers && !addr_eq(&old[k].addr, &conf->peer[i]))
			i++;
		if (i == conf->n_peers)
			coop_log(out, EV_COOP_KS_REMOVE, COOP_PEERS, "not configured any more");
	}
	BUG_ON(conf->id != c->conf.id);
	c->conf = *conf;
	c->force = false;
}

// ---- a step ----

static void drop_frame(struct coop *c, size_t peer, const char *why, struct coop_out *out)
{
	c->peer[peer].drops++;
	coop_log(out, EV_COOP_PACKET_DROPPED, peer, why);
}

static void frame_in(struct coop *c, mono_t now, const struct coop_event *ev,
		     const struct coop_frame *f, struct coop_out *out)
{
	const struct coop_peer *p = &c->peer[ev->peer];

	if ((ev->kind == COOP_EV_HELLO) != (f->type == COOP_HELLO)) {
		drop_frame(c, ev->peer, "not the way for this message", out);
		return;
	}
	if (f->type != COOP_OPEN && f->type != COOP_REFUSE &&
	    !(f->type == COOP_HELLO ? p->opened : p->greeted)) {
		drop_frame(c, ev->peer, "message before OPEN", out);
		return;
	}
	switch (f->type) {
	case COOP_OPEN:
		coop_sync_open(c, now, ev->peer, &f->open, out);
		break;
	case COOP_HELLO:
		coop_hello_in(c, now, ev->peer, &f->hello, out);
		break;
	case COOP_VECTOR:
		coop_sync_vector(c, now, ev->peer, &f->vector, out);
		break;
	case COOP_ITEMS:
		coop_sync_items(c, now, ev->peer, &f->items, out);
		break;
	case COOP_HANDOVER:
		coop_handover_in(c, now, ev->peer, &f->handover);
		break;
	case COOP_SID_ASK:
		coop_sids_ask_in(c, ev->peer, &f->ask, out);
		break;
	case COOP_SID_GIVE:
		coop_sids_give_in(c, now, &f->give);
		break;
	case COOP_REFUSE:
		c->peer[ev->peer].refused = true;
		coop_log(out,
			 f->refuse.why == COOP_WHY_VERSION ? EV_COOP_VERSION_MISMATCH
			 : f->refuse.why == COOP_WHY_ID	   ? EV_COOP_ID_OVERLAP
							   : EV_COOP_KS_UNAUTH,
			 ev->peer, "the peer refuses us");
		break;
	}
}

static void octets_in(struct coop *c, mono_t now, const struct coop_event *ev, struct coop_out *out)
{
	struct rd_err err = { NULL };
	struct coop_frame f;

	c->peer[ev->peer].msgs_in++;
	c->peer[ev->peer].octets_in += ev->octets.len;
	if (!coop_decode(ev->octets, &f, &err))
		drop_frame(c, ev->peer, err.why, out);
	else if (f.group != c->conf.group)
		drop_frame(c, ev->peer, "another group", out);
	else
		frame_in(c, now, ev, &f, out);
}

static void durable(struct coop *c, uint64_t no)
{
	size_t kept = 0;

	c->durable_no = MAX_OF(c->durable_no, no);
	for (size_t i = 0; i < c->n_writes; i++) {
		if (c->write[i].no <= c->durable_no)
			c->durable_count = MAX_OF(c->durable_count, c->write[i].count);
		else
			c->write[kept++] = c->write[i];
	}
	c->n_writes = kept;
}

static void act_on(struct coop *c, mono_t now, const struct coop_event *ev, struct coop_out *out)
{
	BUG_ON(ev->kind >= COOP_EV_LINK_UP && ev->kind <= COOP_EV_MSG &&
	       ev->peer >= c->conf.n_peers);
	switch (ev->kind) {
	case COOP_EV_LINK_UP:
	case COOP_EV_LINK_DOWN:
		coop_link(c, now, ev->peer, ev->kind == COOP_EV_LINK_UP, out);
		break;
	case COOP_EV_HELLO:
	case COOP_EV_MSG:
		octets_in(c, now, ev, out);
		break;
	case COOP_EV_DURABLE:
		durable(c, ev->no);
		break;
	case COOP_EV_PUT:
		put(c, ev->put, out);
		break;
	case COOP_EV_ROLE:
		coop_handover_command(c, now, out);
		break;
	case COOP_EV_CONF:
		conf_take(c, ev->conf, out);
		break;
	case COOP_EV_ABLE:
		c->unable = !ev->able;
		break;
	case COOP_EV_TICK:
		break;
	}
}

// Everything that one step wants kept is one write; what it sends waits for it.
static void number_writes(struct coop *c, mono_t now, struct coop_out *out)
{
	if (c->proven)
		c->vouched = c->count;
	if (c->dirty) {
		c->dirty = false;
		c->write_no++;
		out->meta = (struct coop_meta){ .term = c->max_term,
						.count = c->count,
						.vouched = c->vouched,
						.pseudotime = coop_pseudotime(c, now) };
		memcpy(out->meta.vector, c->vector, sizeof(c->vector));
		coop_act(out, COOP_ACT_META);
		if (c->n_writes == COOP_WRITES)
			c->n_writes--; // the newest: it is covered by this one
		c->write[c->n_writes].no = c->write_no;
		c->write[c->n_writes++].count = c->count;
		if (c->role == COOP_CLAIMING && c->claim_write == 0)
			c->claim_write = c->write_no;
	}
	for (size_t i = 0; i < out->n; i++) {
		if (out->act[i].kind != COOP_ACT_COMMITTED && out->act[i].kind != COOP_ACT_ROLE &&
		    !out->act[i].datagram)
			out->act[i].no = c->write_no;
	}
}

static mono_t wake(const struct coop *c, mono_t now)
{
	mono_t stale = mono_add_ms(c->lead_seen, coop_dead_ms(c));

	if (c->role == COOP_PRIMARY)
		return mono_min(coop_quorum_check(c, now), c->next_hello);
	if (mono_due(stale, now))
		return c->next_hello;
	return mono_min(stale, c->next_hello);
}

void coop_step(struct coop *c, mono_t now, const struct coop_event *ev, struct coop_out *out)
{
	bool tick = mono_due(c->next_hello, now);

	out->n = 0;
	out->len = 0;
	out->put_count = 0;
	if (tick)
		expire(c, now, out);
	act_on(c, now, ev, out);
	coop_peers_refresh(c, now, out);
	coop_drift_check(c, out);
	coop_elect(c, now, out);
	coop_handover_tick(c, now, out);
	coop_hello_tick(c, now, out);
	if (tick)
		coop_sids_tick(c, now, out);
	coop_sync_send(c, now, tick, out);
	number_writes(c, now, out);
	coop_commit_check(c, now, out);
	out->wake = wake(c, now);
}

// ---- questions ----

bool coop_may_mint(const struct coop *c)
{
	return c->role == COOP_PRIMARY;
}

bool coop_may_register(const struct coop *c)
{
	return c->role != COOP_STARTING && !c->conf.maintenance && coop_epoch(c) != 0;
}

bool coop_is_sure(const struct coop *c)
{
	return c->confirmed_once || c->proven;
}

uint64_t coop_pseudotime(const struct coop *c, mono_t now)
{
	return (uint64_t)(c->pseudo_base + now.ms);
}

bool coop_peer_lives(const struct coop *c, uint8_t id)
{
	if (id == c->conf.id)
		return true;
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		if (c->peer[i].id == id && c->peer[i].alive)
			return true;
	}
	return false;
}
