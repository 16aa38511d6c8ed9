#include "ks/members.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto/prf.h"

#define BUCKETS_MIN 64

// FNV-1a: these are addresses that proved a key, not strangers' choices.
static size_t bucket_of(const struct members *m, const struct addr *a)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < addr_len(a); i++)
		h = (h ^ a->b[i]) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32) & (m->n_buckets - 1);
}

static void index_add(struct members *m, struct member *r)
{
	struct member **head = &m->bucket[bucket_of(m, &r->remote.addr)];

	r->chain = *head;
	*head = r;
}

static void index_del(struct members *m, struct member *r)
{
	struct member **p = &m->bucket[bucket_of(m, &r->remote.addr)];

	while (*p != r)
		p = &(*p)->chain;
	*p = r->chain;
}

static void set_buckets(struct members *m, size_t n)
{
	free(m->bucket);
	m->n_buckets = n;
	m->bucket = calloc(n, sizeof(*m->bucket));
	BUG_ON(!m->bucket);
	for (struct member *r = m->first; r; r = r->next)
		index_add(m, r);
}

void members_init(struct members *m)
{
	*m = (struct members){ 0 };
	set_buckets(m, BUCKETS_MIN);
}

void members_fini(struct members *m)
{
	for (struct member *r = m->first, *next; r; r = next) {
		next = r->next;
		free(r);
	}
	free(m->bucket);
	*m = (struct members){ 0 };
}

struct member *members_named(const struct members *m, const struct member_name *n)
{
	struct member *r = m->bucket[bucket_of(m, &n->addr)];

	while (r && (r->behind != n->behind || !addr_eq(&r->remote.addr, &n->addr)))
		r = r->chain;
	return r;
}

struct member *members_find(const struct members *m, const struct addr *a)
{
	return members_named(m, &(struct member_name){ .addr = *a });
}

struct member *members_behind(const struct members *m, const struct endpoint *remote)
{
	struct member *r = m->bucket[bucket_of(m, &remote->addr)];

	while (r && (!r->behind || !endpoint_eq(&r->remote, remote)))
		r = r->chain;
	return r;
}

size_t members_at(const struct members *m, const struct addr *a)
{
	size_t n = 0;

	for (struct member *r = m->bucket[bucket_of(m, a)]; r; r = r->chain)
		n += addr_eq(&r->remote.addr, a);
	return n;
}

struct member *members_oldest_silent(const struct members *m, const struct addr *at)
{
	struct member *oldest = NULL;

	if (!at) {
		for (oldest = m->first; oldest && !member_is_silent(oldest);)
			oldest = oldest->next;
		return oldest;
	}
	for (struct member *r = m->bucket[bucket_of(m, at)]; r; r = r->chain) {
		if (addr_eq(&r->remote.addr, at) && member_is_silent(r))
			oldest = r; // chains begin with the newest
	}
	return oldest;
}

uint64_t member_behind(const struct isakmp_id *id, bool proved)
{
	const uint8_t how = proved;
	const struct bytes part[] = { BYTES(&how, 1), BYTES(&id->type, 1), id->data };
	uint8_t hash[HASH_MAX];
	uint64_t n;

	BUG_ON(hash_parts(HASH_ALG_SHA256, part, N_ELEMS(part), hash));
	memcpy(&n, hash, sizeof(n));
	return n ? n : 1;
}

bool member_is(const struct member *m, const struct addr *a)
{
	return addr_eq(&m->remote.addr, a) || (m->inner.family && addr_eq(&m->inner, a));
}

const char *member_str(const struct member *m, char buf[MEMBER_STRLEN])
{
	char inner[ADDR_STRLEN] = "", outer[ENDPOINT_STRLEN];

	if (!m->behind)
		return addr_str(&m->remote.addr, buf);
	if (m->inner.family)
		addr_str(&m->inner, inner);
	snprintf(buf, MEMBER_STRLEN, "%s%s%s", endpoint_str(&m->remote, outer), inner[0] ? "=" : "",
		 inner);
	return buf;
}

void members_del(struct members *m, struct member *r)
{
	index_del(m, r);
	if (r->prev)
		r->prev->next = r->next;
	else
		m->first = r->next;
	if (r->next)
		r->next->prev = r->prev;
	else
		m->last = r->prev;
	m->n--;
	free(r);
}

bool member_may_register(const struct member *m, const struct member_limit *l, mono_t now)
{
	int64_t spare_s = l->burst ? (int64_t)(l->burst - 1) * l->interval_s : 0;

	return !m || l->burst == 0 || mono_due(m->unspent, mono_add_s(now, spare_s));
}

void member_count_registration(struct member *m, const struct member_limit *l, mono_t now)
{
	m->unspent = mono_add_s(mono_due(m->unspent, now) ? now : m->unspent, l->interval_s);
}

static void inherit(struct member *r, const struct member *old)
{
	r->unspent = old->unspent;
	r->acked_ever = old->acked_ever;
	r->registrations = old->registrations;
	r->rekeys_sent = old->rekeys_sent;
	r->retransmits = old->retransmits;
	r->acks_received = old->acks_received;
	r->acks_missed = old->acks_missed;
	memcpy(r->sent_seq, old->sent_seq, sizeof(r->sent_seq));
	memcpy(r->acked_seq, old->acked_seq, sizeof(r->acked_seq));
}

struct member *members_add(struct members *m, const struct endpoint *remote,
			   const struct member *old)
{
	struct member *r;

	if (m->n >= MEMBERS_MAX)
		return NULL;
	r = calloc(1, sizeof(*r));
	BUG_ON(!r);
	r->remote = *remote;
	if (old)
		inherit(r, old);
	r->registrations++;
	r->prev = m->last;
	if (m->last)
		m->last->next = r;
	else
		m->first = r;
	m->last = r;
	index_add(m, r);
	if (++m->n > m->n_buckets)
		set_buckets(m, m->n_buckets * 2);
	return r;
}

void member_note_seq(uint32_t shown[MEMBER_SEQ_SHOWN], uint32_t seq)
{
	memmove(shown + 1, shown, (MEMBER_SEQ_SHOWN - 1) * sizeof(shown[0]));
	shown[0] = seq;
}
