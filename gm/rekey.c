#include "gm/rekey.h"

#include "common/crypto/prf.h"
#include "gm/core.h"
#include "gm/dpd.h"
#include "gm/grant.h"

#define DELETE_JITTER_MS 5000 // members told to start over do not come all at once
#define PART_WAIT_S	 10   // our key may come in another message of the same rekey

// Multicast rekeys reach all members at once: spread the answers.
static void ack_send(struct gm *gm, struct gm_group *g, const struct gm_kek *kek, mono_t now,
		     uint32_t seq, const struct endpoint *from, const struct endpoint *to,
		     struct gm_out *out)
{
	struct gm_ack a = { .from = *from, .to = *to, .at = now };
	struct gm_keks *k = &g->keks;

	if (!gm_ack_build(kek, ike_wire(&g->ike, &to->addr), seq, &gm->conf->address, a.msg,
			  sizeof(a.msg), &a.len))
		return;
	g->n.acks++;
	if (kek->group.addr.family)
		a.at = mono_add_ms(now, (int64_t)rng_range(gm->rng, 0, GM_ACK_JITTER_MS));
	for (size_t i = 0; kek->group.addr.family && i < GM_MAX_ACKS_QUEUED; i++) {
		if (mono_is_never(k->ack[i].at)) {
			k->ack[i] = a;
			return;
		}
	}
	gm_out_send(out, from, to, BYTES(a.msg, a.len));
}

// ---- accepting ----

// One PUSH on its way in.
struct push_in {
	struct gm *gm;
	struct gm_group *g;
	struct gm_kek *kek;
	mono_t now;
	struct endpoint from, to;
	struct gm_out *out;
	uint8_t hash[32];
};

static struct gm_kek *find_group(struct gm *gm, const struct isakmp_hdr *hdr, struct gm_group **g)
{
	uint8_t spi[GDOI_KEK_SPI_LEN];

	memcpy(spi, hdr->cky_i, ISAKMP_COOKIE_LEN);
	memcpy(spi + ISAKMP_COOKIE_LEN, hdr->cky_r, ISAKMP_COOKIE_LEN);
	for (size_t i = 0; i < gm->n_groups; i++) {
		struct gm_kek *k = gm_keks_find(&gm->group[i]->keks, spi);

		if (k) {
			*g = gm->group[i];
			return k;
		}
	}
	return NULL;
}

static void drop(struct push_in *p, enum gm_drop why, const char *detail)
{
	gm_drop(p->gm, p->now, p->out, why, &p->from, detail);
}

static struct gm_seen_push *seen(struct gm_kek *k, const uint8_t hash[32])
{
	for (size_t i = 0; i < k->n_seen; i++) {
		if (memcmp(k->seen[i].hash, hash, 32) == 0)
			return &k->seen[i];
	}
	return NULL;
}

static void seen_add(struct gm_kek *k, const struct push_in *p, uint32_t seq)
{
	if (k->n_seen == GM_SEEN_PUSHES)
		k->n_seen--;
	memmove(&k->seen[1], &k->seen[0], k->n_seen * sizeof(k->seen[0]));
	k->n_seen++;
	k->seen[0] = (struct gm_seen_push){ .seq = seq, .acked = MONO_NEVER };
	memcpy(k->seen[0].hash, p->hash, sizeof(p->hash));
}

// The key server sends again when our answer was lost: answer again, do nothing else. Only a
// PUSH that was answered before is, and not more often than a key server would ask.
static void repeat(struct push_in *p, struct gm_seen_push *s)
{
	drop(p, GM_DROP_PUSH_DUPLICATE, NULL);
	if (!mono_due(mono_add_ms(s->acked, GM_ACK_SPACING_MS), p->now)) // never: not answered
		return;
	s->acked = p->now;
	ack_send(p->gm, p->g, p->kek, p->now, s->seq, &p->to, &p->from, p->out);
}

static const struct gdoi_wire_opts *wire(const struct push_in *p)
{
	return ike_wire(&p->g->ike, &p->from.addr);
}

static bool push_decrypt(struct push_in *p, struct bytes datagram, struct bytes *plain)
{
	const struct gm_kek *k = p->kek;
	size_t len = datagram.len - ISAKMP_HDR_LEN;

	if (len == 0 || len > sizeof(p->gm->scratch->plain) ||
	    cipher_decrypt(k->cipher, &k->key, k->iv, datagram.p + ISAKMP_HDR_LEN, len,
			   p->gm->scratch->plain) < 0)
		return false;
	*plain = BYTES(p->gm->scratch->plain, len);
	return true;
}

static bool seq_judge(struct push_in *p, uint32_t seq)
{
	if (seq > p->kek->seq || (wire(p)->accept_equal_seq && seq == p->kek->seq))
		return true;
	drop(p, GM_DROP_PUSH_SEQ, NULL);
	return false;
}

static bool sig_verify(const struct push_in *p, size_t len_sent, struct gdoi_push_form *f)
{
	const struct gm_kek *k = p->kek;
	const struct bytes parts[] = { BYTES(GDOI_PUSH_LABEL, GDOI_PUSH_LABEL_LEN),
				       BYTES_OF(f->signed_hdr), f->signed_payloads };
	uint8_t digest[HASH_MAX];
	enum rsa_form form = RSA_FORM_DIGESTINFO;
	struct pubkey *key = NULL;
	bool ok;

	gdoi_push_hdr_as_signed(wire(p), len_sent, f->signed_hdr);
	if (hash_parts(k->sig_hash, parts, N_ELEMS(parts), digest) < 0 ||
	    pubkey_decode(BYTES(k->sig_key, k->sig_key_len), &key) < 0)
		return false;
	ok = sign_verify(key, k->sig_hash, digest, f->sig, &form) == 0 &&
	     (k->sig_alg != SIGN_RSA || form == RSA_FORM_DIGESTINFO ||
	      wire(p)->accept_rsa_bare_hash);
	pubkey_free(key);
	return ok;
}

static const char *tag_str(const struct gm_kek *k, uint32_t seq, char buf[24])
{
	snprintf(buf, 24, "rk=%02x%02x/%u", k->spi[0], k->spi[1], seq);
	return buf;
}

// Is all of the content something we can follow? Nothing has changed yet.
static bool content_judge(struct push_in *p, const struct gdoi_push *m, struct gm_kek *kek,
			  const char **why)
{
	struct gm_scratch *s = p->gm->scratch;
	struct gm_kek *held;

	if (!m->has_sa)
		return true;
	if (!gm_offer_judge(&m->sa, gm_accepts(p->g, p->g->ks_conclave), why) ||
	    !gm_grant_read(&m->sa, &m->kd, &s->grant, why) ||
	    !gm_spis_free(p->gm, p->g, &s->grant, why) ||
	    !gm_teks_judge(&p->g->teks, &s->grant, why))
		return false;
	if (!m->sa.has_sak)
		return true;
	if (!gm_grant_read_kek(wire(p), &m->sa, &m->kd, &p->g->lkh, &s->lkh, kek, why))
		return false;
	if (kek->key.len == 0)
		return true;
	held = gm_keks_find(&p->g->keks, kek->spi);
	if (held && (held->closed || !secret_eq(&held->key, &kek->key))) {
		*why = "a KEK SPI that was used before";
		return false;
	}
	return true;
}

static uint32_t grace_s(const struct gdoi_push *m)
{
	return m->has_sa && m->sa.has_gap && m->sa.gap.has_dtd ? m->sa.gap.dtd_s : 0;
}

// Half of the time that the old keys stay; members whose keys went at once have no time to lose.
static uint32_t delete_spread_ms(const struct gdoi_push *m)
{
	return MAX_OF(grace_s(m) * 500, (uint32_t)DELETE_JITTER_MS);
}

// RFC 6407 5.9. Keys stay for receiving as long as the same message's DTD says.
static void act_deletes(struct push_in *p, const struct gdoi_push *m)
{
	uint32_t grace = grace_s(m);
	struct gm_keks *keks = &p->g->keks;

	for (size_t d = 0; d < m->n_del; d++) {
		for (size_t i = 0; i < m->del[d].n; i++) {
			struct gdoi_delete_item it = gdoi_delete_spi(&m->del[d], i);
			struct gm_kek *k = gm_keks_find(keks, it.kek_spi);

			if (it.kind == GDOI_DELETE_ALL_TEK && it.proto == GDOI_PROTO_ESP)
				gm_teks_delete_all(&p->g->teks, p->now, grace);
			else if (it.kind == GDOI_DELETE_TEK && it.proto == GDOI_PROTO_ESP)
				gm_teks_delete(&p->g->teks, p->now, it.tek_spi, grace);
			else if (it.kind == GDOI_DELETE_KEK && k)
				gm_kek_close(k, p->now);
			for (size_t n = 0; it.kind == GDOI_DELETE_ALL_KEK && n < keks->n; n++)
				gm_kek_close(&keks->kek[n], p->now);
		}
	}
}

// A new KEK without a key for us: we are shut out, or have missed something, or our key comes in
// another message of this rekey. That may have been sent before this one: SEQ stays where it was.
static bool is_left_out(const struct push_in *p, const struct gdoi_push *m,
			const struct gm_kek *kek)
{
	return m->has_sa && m->sa.has_sak && kek->key.len == 0 &&
	       !gm_keks_find(&p->g->keks, kek->spi);
}

static void take_kek(struct push_in *p, const struct gm_kek *kek)
{
	if (kek->key.len == 0)
		return;
	gm_keks_put(&p->g->keks, p->now, kek);
	if (gm_keks_is_current(&p->g->keks, kek->spi))
		p->g->lkh = p->gm->scratch->lkh;
}

static void renew_within(struct push_in *p, int64_t after_s, uint32_t spread_ms, const char *why)
{
	struct gm_group *g = p->g;
	int64_t jitter_ms = (int64_t)rng_range(p->gm->rng, 0, spread_ms);

	g->renew_at = mono_min(g->renew_at, mono_add_ms(p->now, after_s * 1000 + jitter_ms));
	g->renew_why = why;
}

// Keys in a counter mode have come, and no sender id to use them with: the policy had none before.
static bool lacks_sids(const struct push_in *p)
{
	const struct gm_group *g = p->g;
	bool counter = false;

	for (size_t i = 0; i < g->teks.n; i++)
		counter |= g->teks.tek[i].counter_iv;
	return counter && !gm_sids_usable(&g->sids, p->gm->dp.boot);
}

static void act(struct push_in *p, const struct gdoi_push *m, const struct gm_kek *kek)
{
	struct gm_group *g = p->g;
	bool had_keys = g->teks.n > 0;

	act_deletes(p, m);
	if (m->has_sa) {
		p->gm->scratch->grant.whole = g->ks_conclave;
		p->gm->scratch->grant.inbound_is_receive_only = g->ks_conclave;
		p->gm->scratch->grant.stale = false;
		gm_teks_stage(&g->teks, p->now, &p->gm->scratch->grant);
		g->n.key_rekeys += p->gm->scratch->grant.n_teks > 0;
	}
	if (m->has_sa && m->sa.has_sak)
		take_kek(p, kek);
	if (m->has_sa)
		gm_keylog_download(p->gm, m->sa.has_sak && kek->key.len > 0 ? kek : NULL);
	gm_teks_age(&g->teks, p->now, p->now);
	gm_reg_plan_renewal(p->gm, g, p->now);
	if (m->n_del > 0)
		gm_out_event(p->out, EV_GM_DELETE, &g->lc, "deletes=%zu keys_left=%zu", m->n_del,
			     g->teks.n);
	if (m->n_del > 0 && (!gm_keks_current(&g->keks) || (had_keys && g->teks.n == 0)))
		renew_within(p, 0, delete_spread_ms(m), "deleted by key server");
	else if (m->has_sa && lacks_sids(p)) // before ATD is over, if it is long enough
		renew_within(p, 0, DELETE_JITTER_MS, "no sender ids yet");
	p->gm->dp.dirty = true;
}

static void count(struct push_in *p, const char *tag, uint32_t seq, const struct gdoi_push *m)
{
	struct gm_group *g = p->g;
	char from[ENDPOINT_STRLEN];

	g->n.rekeys++;
	g->n.rekeys_since_registration++;
	g->n.last_rekey = p->now;
	g->n.last_rekey_from = p->from.addr;
	g->n.last_seq = seq;
	gm_out_event(p->out, EV_GM_RECV_REKEY, &g->lc, "%s from=%s seq=%u teks=%zu new_kek=%s", tag,
		     endpoint_str(&p->from, from), seq,
		     m->has_sa ? p->gm->scratch->grant.n_teks : 0,
		     m->has_sa && m->sa.has_sak ? "yes" : "no");
}

// SIG was right and SEQ is kept. The answer is made before the KEK it is made with may go, and
// sent after everything else is done (RFC 8263 4).
static void accepted(struct push_in *p, const struct gdoi_push_form *f)
{
	struct gdoi_push *m = &p->gm->scratch->push;
	struct gm_kek old, fresh = { .seq = 0 };
	struct rd_err err = { NULL };
	const char *why = NULL;
	bool left_out;
	char tag[24];

	tag_str(p->kek, f->seq, tag);
	if (!gdoi_push_decode(wire(p), f, m, &err) || !content_judge(p, m, &fresh, &why)) {
		p->kek->seq = f->seq;
		drop(p, GM_DROP_PUSH_REFUSED, NULL);
		gm_out_event(p->out, EV_GDOI_REKEY_FAILURE, &p->g->lc, "%s reason=\"%s\"", tag,
			     err.why ? err.why : why);
		gm_kek_fini(&fresh); // it may have been read already
		return;
	}
	left_out = is_left_out(p, m, &fresh);
	if (!left_out)
		p->kek->seq = f->seq;
	p->kek->seen[0].acked = p->kek->ack && !left_out ? p->now : MONO_NEVER;
	old = *p->kek;
	count(p, tag, f->seq, m);
	act(p, m, &fresh);
	if (m->has_sa)
		gm_take_pseudotime(p->g, &m->sa, false, p->now, p->out);
	if (left_out) {
		renew_within(p, PART_WAIT_S, DELETE_JITTER_MS, "no key for us in a rekey");
		gm_out_log(p->out, LOG_M_REKEY, LOG_L_WARN, &p->g->lc,
			   "%s has a new KEK, but no key for us", tag);
	} else if (old.ack)
		ack_send(p->gm, p->g, &old, p->now, f->seq, &p->to, &p->from, p->out);
	gm_dpd_rekey_heard(p->g, p->now, &p->from.addr, old.ack && !left_out, p->out);
	gm_kek_fini(&old);
	gm_kek_fini(&fresh);
}

static void verify(struct push_in *p, const struct isakmp_hdr *hdr, struct bytes datagram)
{
	struct gdoi_push_form f;
	struct rd_err err = { NULL };
	struct bytes plain;

	if (!gdoi_push_hdr_judge(hdr, &err)) {
		drop(p, GM_DROP_PUSH_FORM, err.why);
	} else if (!push_decrypt(p, datagram, &plain)) {
		drop(p, GM_DROP_PUSH_DECRYPT, NULL);
	} else if (!gdoi_push_open(hdr, plain, cipher_block_len(p->kek->cipher), &f, &err)) {
		drop(p, GM_DROP_PUSH_FORM, err.why);
	} else if (!seq_judge(p, f.seq)) {
		return;
	} else if (!sig_verify(p, datagram.len, &f)) {
		drop(p, GM_DROP_PUSH_SIG, NULL);
	} else {
		seen_add(p->kek, p, f.seq);
		accepted(p, &f);
	}
}

static void scratch_wipe(struct gm_scratch *s, size_t plain_len)
{
	explicit_bzero(s->plain, MIN_OF(plain_len, sizeof(s->plain))); // s->push are views of it
	gm_grant_fini(&s->grant);
	gm_lkh_fini(&s->lkh);
}

void gm_rekey_in(struct gm *gm, mono_t now, const struct isakmp_hdr *hdr,
		 const struct endpoint *from, const struct endpoint *to, struct bytes datagram,
		 struct gm_out *out)
{
	struct push_in p = { .gm = gm, .now = now, .from = *from, .to = *to, .out = out };
	struct gm_seen_push *again;

	p.kek = find_group(gm, hdr, &p.g);
	// After a suspend the datagram may be looked at before the timers are.
	if (!p.kek || mono_due(p.kek->dies, now)) {
		drop(&p, GM_DROP_PUSH_KEK, NULL);
		return;
	}
	if (!gm_conf_is_server(&p.g->conf, &from->addr)) {
		drop(&p, GM_DROP_PUSH_SOURCE, NULL);
		return;
	}
	if (hash_parts(HASH_ALG_SHA256, &datagram, 1, p.hash) < 0)
		return;
	again = seen(p.kek, p.hash);
	if (again) {
		repeat(&p, again);
		return;
	}
	if (p.kek->closed) {
		drop(&p, GM_DROP_PUSH_KEK, NULL);
		return;
	}
	verify(&p, hdr, datagram);
	scratch_wipe(gm->scratch, datagram.len);
}
