#include "ks/core.h"

#include <stdlib.h>
#include <string.h>

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
	memcpy(n->key, i->key, i->key_len);
}

static void tell(const struct ks_group *g, const struct coop_act *a, struct ks_out *out)
{
	char peer[ADDR_STRLEN] = "";
	struct logctx who;

	ks_group_logctx(g, &who);
	if (a->peer < g->shared->coop.conf.n_peers)
		addr_str(&g->shared->coop.conf.peer[a->peer], peer);
	ks_out_event(out, a->event, &who, "%s%s%s%s", a->text, peer[0] ? " (peer " : "", peer,
		     peer[0] ? ")" : "");
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
	case COOP_ACT_COMMITTED:
		s->committed = MAX_OF(s->committed, a->no);
		break;
	case COOP_ACT_CLOSE:
		out->close |= 1u << a->peer;
		break;
	case COOP_ACT_LOG:
		tell(g, a, out);
		break;
	case COOP_ACT_ROLE:
	case COOP_ACT_REINIT:
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

// ---- life ----

void ks_shared_conf(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_shared *s = g->shared;

	if (s && g->conf->in_set) {
		step(g, now, &(struct coop_event){ .kind = COOP_EV_CONF, .conf = &g->conf->set },
		     out);
		return;
	}
	if (!g->conf->in_set)
		return;
	s = calloc(1, sizeof(*s));
	BUG_ON(!s);
	coop_init(&s->coop, &g->conf->set, ks->rng, now, NULL, 0);
	coop_out_init(&s->out);
	s->wake = now;
	g->shared = s;
}

void ks_shared_free(struct ks_group *g)
{
	struct ks_shared *s = g->shared;

	if (!s)
		return;
	coop_fini(&s->coop);
	coop_out_fini(&s->out);
	free(s->news);
	free(s);
	g->shared = NULL;
}
