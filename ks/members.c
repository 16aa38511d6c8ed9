#include "ks/members.h"

#include <stdlib.h>
#include <string.h>

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

struct member *members_find(const struct members *m, const struct addr *a)
{
	struct member *r = m->bucket[bucket_of(m, a)];

	while (r && !addr_eq(&r->remote.addr, a))
		r = r->chain;
	return r;
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

static void inherit(struct member *r, const struct member *old)
{
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
