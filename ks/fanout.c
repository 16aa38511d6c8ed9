#include "ks/fanout.h"

#include "ks/core.h"
#include "ks/nat.h"
#include "ks/push.h"
#include "ks/rekey.h"
#include "ks/removal.h"

#define ACK_HASH HASH_ALG_SHA256 // REKEY_ACK_KEK_SHA256 is what we ask for

uint32_t ks_fanout_spread_s(size_t n_members)
{
	size_t ticks = (n_members + KS_FANOUT_BATCH - 1) / KS_FANOUT_BATCH;

	return (uint32_t)((ticks * KS_FANOUT_TICK_MS + 999) / 1000);
}

static bool by_group(const struct ks_push *p, const struct member *m)
{
	return p->group.addr.family && m->by_group;
}

static bool brings_kek(const struct ks_push *p, const struct ks_part *part)
{
	return p->every ? part->has_sak : p->has_sak;
}

// Members that listen to the group address hear it there, all in one form: the flat one, where the
// policy has it, which every member understands.
static unsigned group_variant(const struct ks_group *g, const struct ks_part *part)
{
	bool has_sak = brings_kek(&g->push, part);
	unsigned v = 0;

	if (has_sak && g->keys.kek.params.group.addr.family)
		v |= KS_V_GROUP;
	if (has_sak && g->keys.kek.params.ack)
		v |= KS_V_ACK;
	return part->dgram[v] ? v : v | KS_V_ORDERED;
}

static bool asks_ack(const struct ks_group *g, const struct member *m)
{
	return ks_conf_asks_ack(g->conf, &g->keys.kek.params, &m->remote.addr, m->conclave);
}

// What the KEK that comes with this rekey tells the member. It stands from here on, whatever a
// reload brings before all have it, and a restart after that.
static void decide(const struct ks_group *g, struct member *m, struct ks_out *out)
{
	const struct kek_params *kek = &g->keys.kek.params;
	bool was = by_group(&g->push, m); // hears what all hear
	bool is = was ? kek->group.addr.family : ks_conf_by_group(g->conf, kek, &m->remote.addr);
	bool ack = was || is ? kek->ack != KEK_ACK_NONE : asks_ack(g, m);

	if (m->next_by_group != is || m->next_ack != ack)
		ks_out_touch(out, g->identity, member_name(m));
	m->next_by_group = is;
	m->next_ack = ack;
}

void ks_fanout_resume(struct ks_group *g)
{
	g->push.group_v = group_variant(g, &g->push.part[0]);
}

static unsigned variant_of(const struct ks_group *g, const struct member *m,
			   const struct ks_part *part)
{
	const struct ks_push *p = &g->push;
	bool has_sak = brings_kek(p, part);
	unsigned v = 0;

	if (by_group(p, m) || (has_sak && m->next_by_group))
		return p->every ? group_variant(g, part) : p->group_v;
	if (!p->clears && m->ordered)
		v |= KS_V_ORDERED;
	if (has_sak && m->next_ack)
		v |= KS_V_ACK;
	v |= m->form * KS_V_FORM;
	return part->dgram[v] ? v : v % KS_V_FORM; // a form that came since
}

// To where its registration came from, through the NAT if there is one; or to the one port that the
// wire option names.
static void rekey_path(const struct ks_push *p, const struct member *m, struct endpoint *from,
		       struct endpoint *to)
{
	*from = m->local;
	*to = m->remote;
	if (p->port) {
		*from = p->from;
		to->port = p->port;
	}
}

static void send_part(struct ks_group *g, struct member *m, const struct ks_part *part,
		      struct ks_out *out)
{
	struct ks_push *p = &g->push;
	unsigned v = variant_of(g, m, part);
	struct endpoint from, to;

	if (!part->dgram[v]) // a member whose form of the policy cannot be said any more
		return;
	rekey_path(p, m, &from, &to);
	ks_out_send_view(out, &from, &to, BYTES(part->dgram[v], part->len[v]));
	ks_out_waits(out);
	if (p->round == 0) {
		m->rekeys_sent++;
		member_note_seq(m->sent_seq, part->seq);
	} else {
		m->retransmits++;
		p->n_retransmits++;
		g->retransmits++;
	}
}

static void begin_round(struct ks_group *g)
{
	struct ks_push *p = &g->push;

	p->sending = true;
	p->group_due = p->group.addr.family;
	p->cursor = g->members.first;
}

static void send_to(struct ks_group *g, struct member *m, struct ks_out *out)
{
	struct ks_push *p = &g->push;

	for (size_t i = 0; i < p->n_parts; i++) {
		if (p->every || i == m->part)
			send_part(g, m, &p->part[i], out);
	}
}

// One datagram for all that listen to the group address, the same octets in every round.
// Acknowledgements spare nobody the repetitions: any member can forge them.
static void send_to_group(struct ks_group *g, struct ks_out *out)
{
	struct ks_push *p = &g->push;

	p->group_due = false;
	for (size_t i = 0; i < p->n_parts; i++) {
		const struct ks_part *part = &p->part[i];
		unsigned v = p->every ? group_variant(g, part) : p->group_v;

		if (!part->dgram[v])
			continue;
		ks_out_send_view(out, &p->from, &p->group, BYTES(part->dgram[v], part->len[v]));
		ks_out_waits(out);
		out->send[out->n_send - 1].ttl = p->ttl;
		if (p->round > 0) {
			p->n_retransmits++;
			g->retransmits++;
		}
	}
}

void ks_fanout_start(struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_push *p = &g->push;

	p->live = p->have = true;
	p->reminding = false;
	p->started = p->next = now;
	p->n_due = 0;
	p->group_v = group_variant(g, &p->part[0]);
	for (struct member *m = g->members.first; m; m = m->next) {
		bool due = !p->tree || m->leaf != 0;

		if (p->has_sak)
			decide(g, m, out);
		m->push = due ? MEMBER_PUSH_DUE : MEMBER_PUSH_NONE;
		p->n_due += due;
		if (p->n_parts > 1) // which of them is its own, a restart has to know
			ks_out_touch(out, g->identity, member_name(m));
		if (due && by_group(p, m)) {
			m->rekeys_sent++;
			member_note_seq(m->sent_seq, p->part[m->part].seq);
		}
	}
	g->rekeys_sent++;
	begin_round(g);
	ks_shared_push(g, now, out);
	ks_fanout_timer(g, now, out);
}

void ks_fanout_catch_up(struct ks_group *g, struct member *m, mono_t now, struct ks_out *out)
{
	struct ks_push *p = &g->push;
	uint32_t round = p->round;

	if (m->push == MEMBER_PUSH_NONE) {
		m->part = 0;
		if (p->has_sak)
			decide(g, m, out);
	}
	ks_fanout_forget(p, m);
	m->push = MEMBER_PUSH_DUE;
	p->n_due++;
	if (p->commit)
		return;
	p->round = 0; // its first sending, whatever the others are at
	send_to(g, m, out);
	p->round = round;
	if (!p->live) { // the others are done; this one gets its retransmissions
		p->live = true;
		p->reminding = false;
		p->next = mono_add_s(now, g->conf->retransmit_s);
		p->round = 0;
	}
}

void ks_fanout_forget(struct ks_push *p, const struct member *m)
{
	if (p->cursor == m)
		p->cursor = m->next;
	if (m->push == MEMBER_PUSH_DUE || m->push == MEMBER_PUSH_ACKED)
		p->n_due--;
	if (m->push == MEMBER_PUSH_ACKED)
		p->n_acks--;
}

// All rounds are over, or all have acknowledged: who has missed it?
static void judge(struct ks_group *g, struct ks_out *out)
{
	uint32_t missing = 0, all = g->push.n_due;
	char tag[KS_TAG_LEN], first[MEMBER_STRLEN] = "";
	struct logctx who;

	for (struct member *m = g->members.first, *next; m; m = next) {
		next = m->next;
		if (g->push.clears && m->push != MEMBER_PUSH_NONE &&
		    (m->push == MEMBER_PUSH_ACKED || (!g->push.again && ks_shared_may_age(g, m)))) {
			ks_removal_delete(g, m, out, "told-to-register-again");
			continue;
		}
		if (m->push != MEMBER_PUSH_DUE)
			continue;
		m->push = MEMBER_PUSH_MISSED;
		g->push.n_due--;
		if (!m->ack_asked)
			continue;
		if (missing++ == 0)
			member_str(m, first);
		m->acks_missed++;
		if (++m->missed_in_row >= KS_ACKS_MISSED_MAX && m->acked_ever &&
		    ks_shared_may_age(g, m))
			ks_removal_delete(g, m, out, "no-acknowledgement");
	}
	if (missing == 0 || g->push.clears)
		return;
	ks_group_logctx(g, &who);
	ks_out_event(out, EV_KS_REKEY_ACK_MISSING, &who, "%s missing=%u of=%u first=%s",
		     ks_rekey_tag(&g->push, tag), missing, all, first);
}

// What the KEK that came with this rekey has told the member.
static void note_new_kek(const struct ks_group *g, struct member *m, struct ks_out *out)
{
	if (m->push == MEMBER_PUSH_NONE) // its registration told it
		return;
	if (m->ack_asked != m->next_ack || m->by_group != m->next_by_group)
		ks_out_touch(out, g->identity, member_name(m));
	m->ack_asked = m->next_ack;
	m->by_group = m->next_by_group;
}

// All that were sent it have it. What went to the group goes its full number of rounds.
static bool all_have_it(const struct ks_push *p)
{
	return !p->group.addr.family && p->n_acks == p->n_due;
}

// Whoever was asked and has not acknowledged gets it again and again, where that is configured: it
// may have been out of reach for the time of the burst.
static bool to_remind(const struct member *m)
{
	return m->push == MEMBER_PUSH_MISSED && m->ack_asked;
}

static void plan_reminder(struct ks_group *g, mono_t now)
{
	struct ks_push *p = &g->push;

	p->reminding = false;
	if (!g->conf->periodic || p->clears)
		return;
	for (const struct member *m = g->members.first; m && !p->reminding; m = m->next)
		p->reminding = to_remind(m);
	p->next = mono_add_s(now, g->conf->retransmit_s);
}

// Members were promised delays by the pace: it is kept when timers come late.
static mono_t next_batch(mono_t due, mono_t now)
{
	mono_t oldest = mono_add_ms(now, -KS_FANOUT_LATE_MS);

	return mono_add_ms(mono_before(due, oldest) ? oldest : due, KS_FANOUT_TICK_MS);
}

static void remind(struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_push *p = &g->push;
	size_t n = 0;

	p->round = MAX_OF(p->round, 1u); // it is no first sending
	if (!p->sending) {
		p->sending = true;
		p->cursor = g->members.first;
	}
	for (; p->cursor && n < KS_FANOUT_BATCH; p->cursor = p->cursor->next) {
		if (to_remind(p->cursor)) {
			send_to(g, p->cursor, out); // by multicast it would disturb all
			n++;
		}
	}
	p->sending = p->cursor != NULL;
	if (p->sending) {
		p->next = next_batch(p->next, now);
		return;
	}
	plan_reminder(g, now);
	if (!p->reminding)
		p->ended = now;
}

static void finish(struct ks_group *g, mono_t now, struct ks_out *out)
{
	char tag[KS_TAG_LEN];
	struct logctx who;

	g->push.live = g->push.sending = false;
	g->push.cursor = NULL;
	g->push.ended = now;
	ks_group_logctx(g, &who);
	ks_out_line(out, LOG_M_REKEY, LOG_L_INFO, &who,
		    "%s done members=%u acks=%u resent=%u ms=%lld", ks_rekey_tag(&g->push, tag),
		    g->push.n_due, g->push.n_acks, g->push.n_retransmits,
		    (long long)(now.ms - g->push.started.ms));
	judge(g, out);
	if (g->push.has_sak) {
		for (struct member *m = g->members.first; m; m = m->next)
			note_new_kek(g, m, out);
	}
	ks_removal_age(g, now, out); // with the newest keys in hand, if they are there
	plan_reminder(g, now);
}

mono_t ks_fanout_next(const struct ks_push *p)
{
	if (p->live && p->commit)
		return MONO_NEVER;
	if (p->live || p->reminding)
		return p->next;
	return p->have ? mono_add_s(p->ended, KS_PUSH_KEPT_S) : MONO_NEVER;
}

// One batch of the present round.
static void send_batch(struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_push *p = &g->push;

	if (p->group_due)
		send_to_group(g, out);
	for (size_t n = 0; p->cursor && n < KS_FANOUT_BATCH; p->cursor = p->cursor->next) {
		if (p->cursor->push == MEMBER_PUSH_DUE && !by_group(p, p->cursor)) {
			send_to(g, p->cursor, out);
			n++;
		}
	}
	p->sending = p->cursor != NULL;
	p->next = p->sending ? next_batch(p->next, now) : mono_add_s(now, g->conf->retransmit_s);
}

void ks_fanout_timer(struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct ks_push *p = &g->push;

	if (!p->live && p->have && mono_due(mono_add_s(p->ended, KS_PUSH_KEPT_S), now)) {
		kek_fini(&g->keys.old_kek);
		if (!p->reminding)
			ks_push_fini(p);
	}
	if (p->reminding && !p->live && mono_due(p->next, now))
		remind(g, now, out);
	if (!p->live || p->commit || !mono_due(p->next, now))
		return;
	if (all_have_it(p) || (!p->sending && p->round >= g->conf->retransmit_number)) {
		finish(g, now, out);
		return;
	}
	if (!p->sending) {
		p->round++;
		begin_round(g);
	}
	send_batch(g, now, out);
}

// ---- acknowledgements, RFC 8263 ----

// ack_key = prf(base, "GROUPKEY-PUSH ACK" NUL | SPI | L); L in bits: of the prf's block, or of its
// output. Both readings of the RFC exist.
int ks_ack_keys(struct bytes base, const uint8_t spi[KEYS_KEK_SPI_LEN], struct secret out[2])
{
	static const uint8_t block_bits[2] = { 0x02, 0x00 }, output_bits[2] = { 0x01, 0x00 };
	const uint8_t *l[2] = { block_bits, output_bits };

	for (size_t i = 0; i < 2; i++) {
		struct bytes part[] = { BYTES(GDOI_ACK_LABEL, GDOI_ACK_LABEL_LEN),
					BYTES(spi, KEYS_KEK_SPI_LEN), BYTES(l[i], 2) };
		int err = prf_secret(ACK_HASH, base, part, N_ELEMS(part), &out[i]);

		if (err)
			return err;
	}
	return 0;
}

static bool hash_fits(const struct gdoi_wire_opts *o, const struct secret key_of[2],
		      const struct gdoi_ack_msg *a)
{
	size_t own = o->ack_l_is_output_size ? 1 : 0;
	uint8_t want[HASH_MAX];

	if (a->hash.len != hash_len(ACK_HASH))
		return false;
	for (size_t i = 0; i < (o->accept_ack_other_l ? 2u : 1u); i++) {
		const struct secret *key = &key_of[own ^ i];

		if (prf_parts(ACK_HASH, BYTES(key->b, key->len), &a->covered, 1, want) == 0 &&
		    bytes_eq_ct(want, a->hash.p, a->hash.len))
			return true;
	}
	return false;
}

// The leaf is known to this member and to us only: nobody else can acknowledge for it.
static bool ack_is_authentic(const struct ks *ks, const struct ks_group *g, const struct member *m,
			     const struct gdoi_ack_msg *a)
{
	const struct gdoi_wire_opts *o = ike_wire(&ks->ike, &m->remote.addr);
	const struct secret *leaf;
	struct secret key[2];
	bool ok;

	if (!g->push.ack_lkh)
		return hash_fits(o,
				 g->push.every ? ks_push_part_under(&g->push, m, a->spi)->ack_key
					       : g->push.ack_key,
				 a);
	if (m->leaf == 0)
		return false;
	leaf = lkh_key(&g->lkh, m->leaf);
	ok = ks_ack_keys(BYTES(leaf->b + LKH_IV_LEN, leaf->len - LKH_IV_LEN), g->push.spi, key) ==
		     0 &&
	     hash_fits(o, key, a);
	explicit_bzero(key, sizeof(key));
	return ok;
}

static struct ks_group *group_of_push(const struct ks *ks, const uint8_t *spi)
{
	for (size_t i = 0; i < ks->n_groups; i++) {
		if (ks_push_part_under(&ks->group[i]->push, NULL, spi))
			return ks->group[i];
	}
	return NULL;
}

// Its identity is the address of the last PULL (RFC 8263 3.4). Behind a NAT a member knows only its
// inner one: that is its phase 1 identity, or else the port tells who it is.
static struct member *member_of_ack(const struct ks_group *g, const struct gdoi_ack_msg *a,
				    const struct endpoint *from)
{
	struct member *m;
	struct addr id;

	if (!isakmp_id_to_addr(&a->id, &id))
		return NULL;
	m = members_find(&g->members, &id);
	for (int shown = 0; !m && shown < 2; shown++)
		m = members_named(&g->members, &(struct member_name){
						       from->addr, member_behind(&a->id, !shown) });
	return m ? m : members_behind(&g->members, from);
}

// Cheapest first; the HMAC last. Returns the member, or NULL and why.
static struct member *judge_ack(const struct ks *ks, struct ks_group *g,
				const struct gdoi_ack_msg *a, const struct endpoint *from,
				enum ks_drop *why)
{
	struct member *m = member_of_ack(g, a, from);

	*why = KS_DROP_ACK_NO_MEMBER;
	if (!m)
		return NULL;
	*why = KS_DROP_ACK_SEQ;
	if (a->seq != ks_push_part_under(&g->push, m, a->spi)->seq)
		return NULL;
	*why = KS_DROP_ACK_SOURCE;
	if (!addr_eq(&from->addr, &m->remote.addr))
		return NULL;
	*why = KS_DROP_ACK_NOT_ASKED;
	if (!m->ack_asked || m->push == MEMBER_PUSH_NONE)
		return NULL;
	*why = KS_DROP_ACK_DUPLICATE;
	if (m->push == MEMBER_PUSH_ACKED)
		return NULL;
	*why = KS_DROP_ACK_BAD_HASH;
	return ack_is_authentic(ks, g, m, a) ? m : NULL;
}

static void accept_ack(struct ks_group *g, struct member *m, mono_t now, struct ks_out *out)
{
	if (m->push == MEMBER_PUSH_MISSED) // late
		g->push.n_due++;
	m->push = MEMBER_PUSH_ACKED;
	if (!m->acked_ever)
		ks_out_touch(out, g->identity, member_name(m));
	m->acked_ever = true;
	m->missed_in_row = 0;
	m->acks_received++;
	member_note_seq(m->acked_seq, g->push.part[m->part].seq);
	g->push.n_acks++;
	if (g->push.live && !g->push.sending && all_have_it(&g->push))
		finish(g, now, out);
}

void ks_ack_in(struct ks *ks, mono_t now, struct bytes datagram, const struct endpoint *from,
	       const struct endpoint *to, struct ks_out *out)
{
	struct gdoi_ack_msg a;
	struct rd_err err = { NULL };
	struct ks_group *g;
	struct member *m;
	enum ks_drop why;

	if (!gdoi_ack_decode(datagram, &a, &err)) {
		ks_drop(ks, now, KS_DROP_ACK_MALFORMED, from, err.why, out);
		return;
	}
	g = group_of_push(ks, a.spi);
	if (!g) {
		ks_drop(ks, now, KS_DROP_ACK_UNKNOWN_KEK, from, NULL, out);
		return;
	}
	m = judge_ack(ks, g, &a, from, &why);
	if (!m) {
		ks_drop(ks, now, why, from, g->name, out);
		return;
	}
	if (m->behind && g->push.ack_lkh && to->port == ks->conf->nat_port &&
	    from->port != m->remote.port)
		ks_nat_move(g, m, from, to, out);
	accept_ack(g, m, now, out);
}
