#include "ks/out.h"

#include <stdarg.h>
#include <string.h>

// Room for one more element of a growing array.
static void *grow(void *array, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 16;
	array = reallocarray(array, *cap, size);
	BUG_ON(!array);
	return array;
}

void ks_out_init(struct ks_out *o)
{
	*o = (struct ks_out){ .deadline = MONO_NEVER };
}

void ks_out_reset(struct ks_out *o)
{
	for (size_t i = 0; i < o->n_send; i++)
		free(o->send[i].owned);
	for (size_t i = 0; i < o->n_tell; i++) {
		explicit_bzero(o->tell[i].owned, o->tell[i].frame.len);
		free(o->tell[i].owned);
	}
	o->n_send = o->n_dh = o->n_auth = o->n_note = o->n_touch = o->n_tell = o->n_item = 0;
	o->close = 0;
	o->deadline = MONO_NEVER;
	o->refused = false;
	o->answer[0] = '\0';
}

void ks_out_fini(struct ks_out *o)
{
	ks_out_reset(o);
	free(o->send);
	free(o->dh);
	free(o->auth);
	free(o->note);
	free(o->touch);
	free(o->tell);
	free(o->item);
	ks_out_init(o);
}

void ks_out_send_view(struct ks_out *o, const struct endpoint *from, const struct endpoint *to,
		      struct bytes datagram)
{
	o->send = grow(o->send, o->n_send, &o->cap_send, sizeof(*o->send));
	o->send[o->n_send++] = (struct ks_send){ .from = *from, .to = *to, .datagram = datagram };
}

void ks_out_send_owned(struct ks_out *o, const struct ks_send *s)
{
	o->send = grow(o->send, o->n_send, &o->cap_send, sizeof(*o->send));
	o->send[o->n_send++] = *s;
}

void ks_out_send_copy(struct ks_out *o, const struct endpoint *from, const struct endpoint *to,
		      struct bytes datagram)
{
	uint8_t *copy = malloc(datagram.len);

	BUG_ON(!copy);
	memcpy(copy, datagram.p, datagram.len);
	ks_out_send_view(o, from, to, BYTES(copy, datagram.len));
	o->send[o->n_send - 1].owned = copy;
}

void ks_out_auth(struct ks_out *o, struct ike_auth_job *job)
{
	o->auth = grow(o->auth, o->n_auth, &o->cap_auth, sizeof(*o->auth));
	o->auth[o->n_auth++] = job;
}

void ks_out_waits(struct ks_out *o)
{
	o->send[o->n_send - 1].waits = true;
}

void ks_out_waits_for(struct ks_out *o, uint32_t group)
{
	struct ks_send *s = &o->send[o->n_send - 1];

	s->waits = s->shared = true;
	s->group = group;
}

void ks_out_touch(struct ks_out *o, uint32_t group, struct member_name member)
{
	o->touch = grow(o->touch, o->n_touch, &o->cap_touch, sizeof(*o->touch));
	o->touch[o->n_touch++] = (struct ks_touch){ group, member };
}

void ks_out_tell(struct ks_out *o, const struct ks_tell *t)
{
	struct ks_tell *copy;

	o->tell = grow(o->tell, o->n_tell, &o->cap_tell, sizeof(*o->tell));
	copy = &o->tell[o->n_tell++];
	*copy = *t;
	copy->owned = malloc(t->frame.len);
	BUG_ON(!copy->owned);
	memcpy(copy->owned, t->frame.p, t->frame.len);
	copy->frame.p = copy->owned;
}

void ks_out_item(struct ks_out *o, uint32_t group, uint8_t kind, struct bytes key)
{
	struct ks_item_touch *t;

	o->item = grow(o->item, o->n_item, &o->cap_item, sizeof(*o->item));
	t = &o->item[o->n_item++];
	*t = (struct ks_item_touch){ .group = group, .kind = kind, .key_len = (uint8_t)key.len };
	if (key.len > 0)
		memcpy(t->key, key.p, key.len);
}

void ks_out_dh(struct ks_out *o, struct dh_job *job, const uint8_t cky_i[8], const uint8_t cky_r[8])
{
	struct ks_dh *d;

	o->dh = grow(o->dh, o->n_dh, &o->cap_dh, sizeof(*o->dh));
	d = &o->dh[o->n_dh++];
	d->job = job;
	memcpy(d->cky_i, cky_i, sizeof(d->cky_i));
	memcpy(d->cky_r, cky_r, sizeof(d->cky_r));
}

static struct ks_note *note_new(struct ks_out *o, const struct logctx *who)
{
	struct ks_note *n;

	o->note = grow(o->note, o->n_note, &o->cap_note, sizeof(*o->note));
	n = &o->note[o->n_note++];
	*n = (struct ks_note){ .event = -1 };
	if (who)
		n->who = *who;
	return n;
}

void ks_out_event(struct ks_out *o, enum event_id id, const struct logctx *who, const char *fmt,
		  ...)
{
	struct ks_note *n = note_new(o, who);
	va_list ap;

	n->event = (int)id;
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
}

void ks_out_line(struct ks_out *o, enum log_module m, enum log_level level,
		 const struct logctx *who, const char *fmt, ...)
{
	struct ks_note *n = note_new(o, who);
	va_list ap;

	n->module = m;
	n->level = level;
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
}
