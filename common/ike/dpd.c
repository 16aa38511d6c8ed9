#include "common/ike/dpd.h"

#include "common/base/err.h"

const char *ike_dpd_state(const struct ike_dpd *d)
{
	if (d->conf.interval_s == 0)
		return "off";
	return d->asked > 0 ? "asking" : "alive";
}

void ike_dpd_init(struct ike_dpd *d, const struct ike_dpd_conf *c, mono_t now, struct rng *rng)
{
	*d = (struct ike_dpd){ .conf = *c };
	// RFC 3706 6.2 wants a random start; the top bit is kept clear so that it cannot wrap.
	d->seq = rng_u32(rng) >> 1;
	ike_dpd_heard(d, now);
}

void ike_dpd_heard(struct ike_dpd *d, mono_t now)
{
	bool waits = d->conf.interval_s == 0 || d->conf.on_demand;

	d->asked = 0;
	d->heard = now;
	d->deadline = waits ? MONO_NEVER : mono_add_s(now, d->conf.interval_s);
}

void ike_dpd_sent(struct ike_dpd *d, mono_t now)
{
	mono_t due = mono_add_s(d->heard, d->conf.interval_s);

	if (d->conf.interval_s > 0 && d->conf.on_demand && mono_is_never(d->deadline))
		d->deadline = mono_before(due, now) ? now : due;
}

static void put32(uint8_t out[4], uint32_t v)
{
	out[0] = (uint8_t)(v >> 24);
	out[1] = (uint8_t)(v >> 16);
	out[2] = (uint8_t)(v >> 8);
	out[3] = (uint8_t)v;
}

enum ike_dpd_todo ike_dpd_timer(struct ike_dpd *d, mono_t now, uint8_t data[4])
{
	if (!mono_due(d->deadline, now))
		return IKE_DPD_NOTHING;
	if (d->asked >= IKE_DPD_TRIES) {
		d->deadline = MONO_NEVER;
		return IKE_DPD_DEAD;
	}
	if (d->asked == 0) // a repeated question keeps its number (RFC 3706 5.4)
		d->seq++;
	d->asked++;
	d->deadline = mono_add_s(now, d->conf.retry_s);
	put32(data, d->seq);
	return IKE_DPD_ASK;
}

bool ike_dpd_notify(struct ike_dpd *d, mono_t now, const struct isakmp_notify *n, uint8_t data[4],
		    bool *stale)
{
	uint32_t seq;

	*stale = false;
	if ((n->type != ISAKMP_N_R_U_THERE && n->type != ISAKMP_N_R_U_THERE_ACK) ||
	    n->data.len != 4)
		return false;
	seq = (uint32_t)n->data.p[0] << 24 | (uint32_t)n->data.p[1] << 16 |
	      (uint32_t)n->data.p[2] << 8 | n->data.p[3];
	if (n->type == ISAKMP_N_R_U_THERE_ACK) {
		*stale = d->asked == 0 || seq != d->seq;
		if (!*stale)
			ike_dpd_heard(d, now);
		return false;
	}
	// A question may come again with its number when our answer was lost; never with an older.
	*stale = d->peer_asked && seq < d->peer_seq;
	if (*stale)
		return false;
	put32(data, seq);
	d->fresh = !d->peer_asked || seq != d->peer_seq;
	if (!d->fresh)	     // it does not hear us: whether we are cut off from it our own
		return true; // question has to tell
	d->peer_asked = true;
	d->peer_seq = seq;
	ike_dpd_heard(d, now);
	return true;
}

enum ike_dpd_todo ike_dpd_due(struct ike_dpd *d, const struct ike_sa *sa, mono_t now,
			      struct ike_dpd_count *c, uint8_t buf[IKE_INFO_BUF], struct bytes *msg)
{
	uint8_t data[4];
	enum ike_dpd_todo todo = ike_dpd_timer(d, now, data);

	*msg = BYTES(NULL, 0);
	c->dead += todo == IKE_DPD_DEAD;
	if (todo == IKE_DPD_ASK &&
	    ike_info_notify(sa, ISAKMP_N_R_U_THERE, BYTES_OF(data), buf, IKE_INFO_BUF, msg) == 0)
		c->asked++;
	return todo;
}

bool ike_dpd_answer(struct ike_dpd *d, const struct ike_sa *sa, mono_t now,
		    const struct isakmp_notify *n, struct ike_dpd_count *c,
		    uint8_t buf[IKE_INFO_BUF], struct bytes *msg)
{
	uint8_t data[4];
	bool stale, asked = ike_dpd_notify(d, now, n, data, &stale);

	c->stale += stale;
	c->heard += !stale && n->type == ISAKMP_N_R_U_THERE_ACK;
	if (!asked ||
	    ike_info_notify(sa, ISAKMP_N_R_U_THERE_ACK, BYTES_OF(data), buf, IKE_INFO_BUF, msg))
		return false;
	c->answered++;
	return true;
}
