#include "gm/out.h"

#include <stdarg.h>

#include "common/wire/isakmp.h"

void gm_out_init(struct gm_out *o)
{
	*o = (struct gm_out){ .deadline = MONO_NEVER };
}

void gm_out_clear(struct gm_out *o)
{
	for (size_t i = 0; i < o->n_sends; i++)
		free(o->send[i].data);
	for (size_t i = 0; i < o->n_dh; i++)
		dh_job_free(o->dh[i]);
	for (size_t i = 0; i < o->n_auth; i++)
		ike_auth_job_free(o->auth[i]);
	free(o->send);
	free(o->dh);
	free(o->auth);
	free(o->log);
	gm_program_free(o->program);
	*o = (struct gm_out){ .deadline = o->deadline };
}

static void *grow(void *array, size_t n, size_t size)
{
	void *p = reallocarray(array, n + 1, size);

	BUG_ON(!p);
	return p;
}

void gm_out_send(struct gm_out *o, const struct endpoint *from, const struct endpoint *to,
		 struct bytes msg)
{
	struct gm_send *s;

	o->send = grow(o->send, o->n_sends, sizeof(*s));
	s = &o->send[o->n_sends++];
	*s = (struct gm_send){ .from = *from, .to = *to, .len = msg.len, .data = malloc(msg.len) };
	BUG_ON(!s->data);
	memcpy(s->data, msg.p, msg.len);
}

void gm_out_keepalive(struct gm_out *o, const struct endpoint *from, const struct endpoint *to)
{
	static const uint8_t keepalive[] = { NATT_KEEPALIVE_OCTET };

	gm_out_send(o, from, to, BYTES_OF(keepalive));
	o->send[o->n_sends - 1].keepalive = true;
}

void gm_out_dh(struct gm_out *o, struct dh_job *dh)
{
	o->dh = grow(o->dh, o->n_dh, sizeof(dh));
	o->dh[o->n_dh++] = dh;
}

void gm_out_auth(struct gm_out *o, struct ike_auth_job *job)
{
	o->auth = grow(o->auth, o->n_auth, sizeof(job));
	o->auth[o->n_auth++] = job;
}

static struct gm_log *log_slot(struct gm_out *o, const struct logctx *who)
{
	struct gm_log *l;

	o->log = grow(o->log, o->n_logs, sizeof(*l));
	l = &o->log[o->n_logs++];
	memset(l, 0, sizeof(*l));
	if (who)
		l->who = *who;
	return l;
}

void gm_out_event(struct gm_out *o, enum event_id id, const struct logctx *who, const char *fmt,
		  ...)
{
	struct gm_log *l = log_slot(o, who);
	va_list ap;

	l->event = id;
	va_start(ap, fmt);
	vsnprintf(l->text, sizeof(l->text), fmt, ap);
	va_end(ap);
}

void gm_out_log(struct gm_out *o, enum log_module m, enum log_level level, const struct logctx *who,
		const char *fmt, ...)
{
	struct gm_log *l;
	va_list ap;

	if (log_get_level(m) < level)
		return;
	l = log_slot(o, who);
	l->event = EV_COUNT;
	l->module = m;
	l->level = level;
	va_start(ap, fmt);
	vsnprintf(l->text, sizeof(l->text), fmt, ap);
	va_end(ap);
}
