#include "common/ike/retrans.h"

#include "common/crypto/prf.h"

// A copy of b in place of *p. -ENOMEM leaves *p empty.
static int replace(uint8_t **p, size_t *len, struct bytes b)
{
	free(*p);
	*len = 0;
	*p = malloc(b.len > 0 ? b.len : 1);
	if (!*p)
		return -ENOMEM;
	if (b.len > 0)
		memcpy(*p, b.p, b.len);
	*len = b.len;
	return 0;
}

void ike_resend_init(struct ike_resend *r)
{
	*r = (struct ike_resend){ .next = MONO_NEVER };
}

int ike_resend_arm(struct ike_resend *r, const struct ike_schedule *s, mono_t now, struct bytes msg)
{
	int err = replace(&r->msg, &r->len, msg);

	if (err) {
		ike_resend_clear(r);
		return err;
	}
	r->sent = 1;
	r->wait_ms = s->first_ms;
	r->next = mono_add_ms(now, r->wait_ms);
	return 0;
}

enum ike_resend_due ike_resend_due(struct ike_resend *r, const struct ike_schedule *s, mono_t now)
{
	if (!r->msg || !mono_due(r->next, now))
		return IKE_RESEND_WAIT;
	if (r->sent >= s->tries)
		return IKE_RESEND_GIVE_UP;
	r->sent++;
	r->wait_ms = MIN_OF(r->wait_ms * 2, MAX_OF(s->max_ms, s->first_ms));
	r->next = mono_add_ms(now, r->wait_ms);
	return IKE_RESEND_AGAIN;
}

void ike_resend_clear(struct ike_resend *r)
{
	free(r->msg);
	ike_resend_init(r);
}

void ike_stored_init(struct ike_stored *s)
{
	*s = (struct ike_stored){ 0 };
}

void ike_stored_fini(struct ike_stored *s)
{
	free(s->reply);
	ike_stored_init(s);
}

static int digest(struct bytes in, uint8_t out[32])
{
	return hash_parts(HASH_ALG_SHA256, &in, 1, out);
}

int ike_stored_accept(struct ike_stored *s, struct bytes in)
{
	ike_stored_fini(s);
	s->have_in = digest(in, s->in_hash) == 0;
	return s->have_in ? 0 : -ENOMEM;
}

int ike_stored_reply(struct ike_stored *s, struct bytes reply)
{
	return replace(&s->reply, &s->len, reply);
}

bool ike_stored_repeat(struct ike_stored *s, struct bytes in, struct bytes *again)
{
	uint8_t hash[32];

	*again = BYTES(NULL, 0);
	if (!s->have_in || digest(in, hash) || memcmp(hash, s->in_hash, sizeof(hash)) != 0)
		return false;
	if (s->reply && s->repeats < IKE_STORED_MAX_REPEATS) {
		s->repeats++;
		*again = BYTES(s->reply, s->len);
	}
	return true;
}
