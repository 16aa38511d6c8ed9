#include "coop/coop_int.h"

void coop_out_init(struct coop_out *out)
{
	*out = (struct coop_out){ .wake = MONO_NEVER };
}

void coop_out_fini(struct coop_out *out)
{
	if (out->octets)
		explicit_bzero(out->octets, out->cap_octets);
	free(out->octets);
	free(out->act);
	coop_out_init(out);
}

struct coop_act *coop_act(struct coop_out *out, enum coop_act_kind kind)
{
	struct coop_act *a;

	if (out->n == out->cap) {
		out->cap = out->cap ? 2 * out->cap : 32;
		a = reallocarray(out->act, out->cap, sizeof(*a));
		BUG_ON(!a);
		out->act = a;
	}
	a = &out->act[out->n++];
	*a = (struct coop_act){ .kind = kind, .peer = COOP_PEERS };
	return a;
}

void coop_log(struct coop_out *out, enum event_id event, size_t peer, const char *text)
{
	struct coop_act *a = coop_act(out, COOP_ACT_LOG);

	a->event = event;
	a->peer = peer;
	a->text = text;
}

// Octets may hold keys: a buffer that grows leaves nothing behind.
static void make_room(struct coop_out *out, size_t more)
{
	size_t cap = out->cap_octets ? out->cap_octets : 4096;
	uint8_t *p;

	if (more <= out->cap_octets - out->len)
		return;
	while (cap - out->len < more)
		cap *= 2;
	p = malloc(cap);
	BUG_ON(!p);
	if (out->octets) {
		memcpy(p, out->octets, out->len);
		explicit_bzero(out->octets, out->cap_octets);
	}
	free(out->octets);
	out->octets = p;
	out->cap_octets = cap;
}

void coop_send_begin(struct coop_out *out, struct wr *w, size_t max)
{
	make_room(out, max);
	wr_init(w, out->octets + out->len, max);
}

void coop_send_end(struct coop *c, struct coop_out *out, const struct wr *w, size_t peer,
		   bool datagram)
{
	struct coop_act *a = coop_act(out, COOP_ACT_SEND);

	BUG_ON(!wr_ok(w));
	a->peer = peer;
	a->datagram = datagram;
	a->at = out->len;
	a->len = w->len;
	out->len += w->len;
	c->peer[peer].msgs_out++;
	c->peer[peer].octets_out += w->len;
}

void coop_send(struct coop *c, struct coop_out *out, size_t peer, struct coop_frame *f)
{
	struct wr w;

	f->version = COOP_VERSION;
	f->group = c->conf.group;
	coop_send_begin(out, &w, 512);
	coop_encode(&w, f);
	coop_send_end(c, out, &w, peer, f->type == COOP_HELLO);
}
