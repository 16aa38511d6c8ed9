// tests/unit/ike_pair.h - a member's and a key server's phase 1 in one process, over a network that
// a seed makes lose, double and reorder. Used by the tests of ike, and of ks and gm above it.
#pragma once
#include "tests/unit/unit.h"

#include "common/crypto/crypto.h"
#include "common/ike/aggressive.h"
#include "common/ike/halfopen.h"
#include "common/ike/phase1.h"

#define PAIR_QUEUE 64

struct pair_dgram {
	uint8_t *b; // NULL: free place
	size_t len;
	struct endpoint from, to;
	mono_t at;
};

struct pair_side {
	struct ike_conf conf;
	struct secret psk; // len 0: knows no key for the other
	struct endpoint here;
	struct rng rng;
};

struct ike_pair {
	struct pair_side i, r;
	struct ike_sa gm;  // the initiator
	struct ike_sa *ks; // the responder's, once message 3 came
	struct ike_halfopen half;
	struct ike_aggr gate;
	struct rng net;
	mono_t now;
	unsigned lose, twice, delay_ms; // per cent, per cent, at most
	struct pair_dgram queue[PAIR_QUEUE];
	unsigned n_dh, n_auth; // jobs run
	unsigned n_sent;       // datagrams handed to the network
	unsigned refused_i[IKE_R_COUNT], refused_r[IKE_R_COUNT];
	// Sees, and may change, every datagram before it travels. NULL: none.
	void (*tap)(struct ike_pair *p, uint8_t *b, size_t *len, bool from_initiator);
	void *tap_arg;
	// Between the two: may rewrite where a datagram seems to come from and goes. NULL: none.
	void (*nat)(struct ike_pair *p, bool from_initiator, struct endpoint *from,
		    struct endpoint *to);
};

static const struct secret *pair_psk(void *arg, const struct addr *peer)
{
	struct pair_side *s = arg;

	(void)peer;
	return s->psk.len > 0 ? &s->psk : NULL;
}

static inline void pair_side_init(struct pair_side *s, const char *ip, const char *psk,
				  const struct ike_proposal *proposals, size_t n, uint64_t seed)
{
	assert_int_equal(addr_parse(ip, &s->here.addr), 0);
	s->here.port = 848;
	assert_int_equal(secret_set(&s->psk, psk, strlen(psk)), 0);
	rng_seed(&s->rng, seed);
	s->conf = (struct ike_conf){
		.proposals = proposals,
		.n_proposals = n,
		.own_id = isakmp_id_of_addr(&s->here.addr),
		.wire = gdoi_wire_opts_default(),
		.schedule = IKE_SCHEDULE_DEFAULT,
		.psk = pair_psk,
		.psk_arg = s,
		.rng = &s->rng,
	};
}

static inline void pair_init(struct ike_pair *p, const struct ike_proposal *proposals, size_t n,
			     uint64_t seed)
{
	assert_int_equal(crypto_init(), 0);
	memset(p, 0, sizeof(*p));
	pair_side_init(&p->i, "10.0.1.1", "a key of both", proposals, n, seed * 3 + 1);
	pair_side_init(&p->r, "10.0.0.1", "a key of both", proposals, n, seed * 3 + 2);
	rng_seed(&p->net, seed * 3);
	p->now = (mono_t){ 1000 };
	assert_int_equal(ike_halfopen_init(&p->half, &p->r.rng, p->now, 8, 4), 0);
	assert_int_equal(ike_aggr_init(&p->gate, p->now, 8, 4), 0);
	ike_sa_init(&p->gm, &p->i.conf, &p->i.here, &p->r.here);
}

static inline void pair_fini(struct ike_pair *p)
{
	for (size_t i = 0; i < PAIR_QUEUE; i++)
		free(p->queue[i].b);
	ike_sa_fini(&p->gm);
	if (p->ks)
		ike_sa_fini(p->ks);
	free(p->ks);
	ike_halfopen_fini(&p->half);
	ike_aggr_fini(&p->gate);
}

static inline void pair_enqueue(struct ike_pair *p, const uint8_t *b, size_t len,
				const struct endpoint *from, const struct endpoint *to)
{
	for (size_t i = 0; i < PAIR_QUEUE; i++) {
		struct pair_dgram *d = &p->queue[i];

		if (d->b)
			continue;
		d->b = malloc(len);
		assert_non_null(d->b);
		memcpy(d->b, b, len);
		d->len = len;
		d->from = *from;
		d->to = *to;
		d->at = mono_add_ms(p->now,
				    p->delay_ms ? (int64_t)rng_range(&p->net, 1, p->delay_ms) : 1);
		return;
	}
	fail_msg("the network's queue is full");
}

static inline void pair_send_at(struct ike_pair *p, const uint8_t *b, size_t len,
				bool from_initiator, const struct endpoint *src,
				const struct endpoint *dst)
{
	struct endpoint from = *src, to = *dst;
	uint8_t copy[IKE_DGRAM_MAX];

	memcpy(copy, b, len);
	p->n_sent++;
	if (p->tap)
		p->tap(p, copy, &len, from_initiator);
	if (p->nat)
		p->nat(p, from_initiator, &from, &to);
	if (len == 0 || rng_range(&p->net, 0, 99) < p->lose)
		return;
	pair_enqueue(p, copy, len, &from, &to);
	if (rng_range(&p->net, 0, 99) < p->twice)
		pair_enqueue(p, copy, len, &from, &to);
}

static inline void pair_send(struct ike_pair *p, const uint8_t *b, size_t len, bool from_initiator)
{
	pair_send_at(p, b, len, from_initiator, from_initiator ? &p->i.here : &p->r.here,
		     from_initiator ? &p->r.here : &p->i.here);
}

// A message as the datagrams it takes.
static inline void pair_send_out(struct ike_pair *p, const struct ike_out *out, bool from_initiator)
{
	uint8_t buf[FRAG_SIZE];
	const uint8_t *b;
	size_t len;

	for (size_t n = 0;
	     (len = frag_cut(BYTES(out->msg, out->msg_len), out->fragments, n, &b, buf)); n++)
		pair_send_at(p, b, len, from_initiator, &out->from, &out->to);
}

static inline void pair_step(struct ike_pair *p, struct ike_sa *sa, struct ike_event ev);

static inline void pair_perform(struct ike_pair *p, struct ike_sa *sa, struct ike_out *out)
{
	bool initiator = sa == &p->gm;

	pair_send_out(p, out, initiator);
	if (out->refused != IKE_R_OK)
		(initiator ? p->refused_i : p->refused_r)[out->refused]++;
	if (out->dh) {
		p->n_dh++;
		dh_job_run(out->dh);
		pair_step(p, sa, (struct ike_event){ .kind = IKE_EV_DH_DONE, .dh = out->dh });
	}
	if (out->auth) {
		p->n_auth++;
		ike_auth_job_run(out->auth);
		pair_step(p, sa, (struct ike_event){ .kind = IKE_EV_AUTH_DONE, .auth = out->auth });
	}
}

static inline void pair_step(struct ike_pair *p, struct ike_sa *sa, struct ike_event ev)
{
	struct ike_out out;

	ike_sa_step(sa, p->now, &ev, &out);
	pair_perform(p, sa, &out);
}

// What ks does with exchange 2: its SA when it knows the cookies, else the half-open slots.
static inline void pair_ks_in(struct ike_pair *p, struct bytes dgram, const struct endpoint *from,
			      const struct endpoint *to)
{
	struct ike_out out;
	struct ike_sa *made;

	if (p->ks && p->ks->state != IKE_DEAD && dgram.len >= 16 &&
	    memcmp(dgram.p, p->ks->cky_i, 8) == 0 && memcmp(dgram.p + 8, p->ks->cky_r, 8) == 0) {
		pair_step(p, p->ks,
			  (struct ike_event){ .kind = IKE_EV_DATAGRAM,
					      .datagram = dgram,
					      .from = *from,
					      .to = *to });
		return;
	}
	if (dgram.len > 18 && dgram.p[18] == ISAKMP_XCH_AGGRESSIVE) {
		const uint8_t *r = ike_aggr_known(&p->gate, p->now, dgram.p, from);
		const struct ike_aggr_call call = { &p->r.conf, p->now, dgram, from, to };

		if (p->ks && r && memcmp(r, p->ks->cky_r, 8) == 0) {
			pair_step(p, p->ks,
				  (struct ike_event){ .kind = IKE_EV_DATAGRAM,
						      .datagram = dgram,
						      .from = *from,
						      .to = *to });
			return;
		}
		ike_aggr_in(&p->gate, &call, &out, &made);
	} else {
		ike_halfopen_in(&p->half, &p->r.conf, p->now, dgram, from, to, &out, &made);
	}
	if (made) {
		if (p->ks)
			ike_sa_fini(p->ks);
		free(p->ks);
		p->ks = made;
		pair_perform(p, made, &out);
		return;
	}
	pair_send_out(p, &out, false);
	if (out.refused != IKE_R_OK)
		p->refused_r[out.refused]++;
}

// The next datagram or timer, whichever comes first. False when nothing is left to happen.
static inline bool pair_advance(struct ike_pair *p)
{
	struct pair_dgram *next = NULL, d;
	mono_t timer = p->ks ? mono_min(p->gm.deadline, p->ks->deadline) : p->gm.deadline;

	for (size_t i = 0; i < PAIR_QUEUE; i++) {
		if (p->queue[i].b && (!next || mono_before(p->queue[i].at, next->at)))
			next = &p->queue[i];
	}
	if (!next || mono_before(timer, next->at)) {
		if (mono_is_never(timer))
			return false;
		p->now = timer;
		pair_step(p, &p->gm, (struct ike_event){ .kind = IKE_EV_TIMER });
		if (p->ks)
			pair_step(p, p->ks, (struct ike_event){ .kind = IKE_EV_TIMER });
		return true;
	}
	p->now = next->at.ms > p->now.ms ? next->at : p->now;
	d = *next;
	next->b = NULL;
	if (addr_eq(&d.to.addr, &p->i.here.addr))
		pair_step(p, &p->gm,
			  (struct ike_event){ .kind = IKE_EV_DATAGRAM,
					      .datagram = BYTES(d.b, d.len),
					      .from = d.from,
					      .to = d.to });
	else
		pair_ks_in(p, BYTES(d.b, d.len), &d.from, &d.to);
	free(d.b);
	return true;
}

static inline bool pair_stands(const struct ike_pair *p)
{
	return p->gm.state == IKE_ESTABLISHED && p->ks && p->ks->state == IKE_ESTABLISHED;
}

static inline void pair_start(struct ike_pair *p)
{
	pair_step(p, &p->gm, (struct ike_event){ .kind = IKE_EV_START });
}

// Until both stand, one side is dead, or nothing more happens. True when both stand.
static inline bool pair_run(struct ike_pair *p)
{
	if (p->gm.state == IKE_IDLE)
		pair_start(p);
	while (!pair_stands(p) && p->gm.state != IKE_DEAD && pair_advance(p))
		;
	return pair_stands(p);
}

// What is still on the wire arrives; timers do not fire.
static inline void pair_drain(struct ike_pair *p)
{
	for (size_t i = 0; i < PAIR_QUEUE; i++) {
		for (size_t k = 0; k < PAIR_QUEUE; k++) {
			if (p->queue[k].b) {
				assert_true(pair_advance(p));
				break;
			}
		}
	}
}
