#include "tests/unit/ks/test_member.h"

#include <stdlib.h>

#include "common/ike/info.h"

#define BUF 65536

// Large, used within one call, never by two threads.
static uint8_t in_buf[BUF], out_buf[BUF];

static void fail(struct test_member *m, const char *why)
{
	m->state = TM_FAILED;
	m->why = why;
}

static void send_kept(struct test_member *m, mono_t now, struct bytes msg)
{
	BUG_ON(ike_resend_arm(&m->resend, &m->conf->schedule, now, msg) != 0);
	m->send(m->arg, m, msg);
}

static void carry_out(struct test_member *m, mono_t now, struct ike_out *o)
{
	while (true) {
		struct ike_event ev = { .kind = o->auth ? IKE_EV_AUTH_DONE : IKE_EV_DH_DONE,
					.dh = o->dh,
					.auth = o->auth };

		if (o->msg_len > 0)
			m->send(m->arg, m, BYTES(o->msg, o->msg_len));
		if (o->dead)
			fail(m, ike_reason_name(m->sa.reason));
		if (o->established)
			tm_pull(m, now);
		if (o->dh)
			dh_job_run(o->dh);
		else if (o->auth)
			ike_auth_job_run(o->auth);
		else
			return;
		ike_sa_step(&m->sa, now, &ev, o);
	}
}

// The configuration is the crowd's, the identity is not.
static void be_oneself(struct test_member *m)
{
	m->conf->own_id = m->own_id.type ? m->own_id : isakmp_id_of_addr(&m->self.addr);
	m->conf->pki = m->pki;
}

void tm_start(struct test_member *m, mono_t now)
{
	struct ike_event ev = { .kind = IKE_EV_START };
	static struct ike_out o;

	m->state = TM_PHASE1;
	ike_resend_clear(&m->resend);
	ike_sa_fini(&m->sa);
	ike_sa_init(&m->sa, m->conf, &m->self, &m->server);
	m->sa.aggressive = m->aggressive;
	be_oneself(m);
	ike_sa_step(&m->sa, now, &ev, &o);
	carry_out(m, now, &o);
}

static void sa_in(struct test_member *m, mono_t now, struct bytes datagram)
{
	struct ike_event ev = { .kind = IKE_EV_DATAGRAM, .datagram = datagram, .from = m->server };
	static struct ike_out o;

	be_oneself(m);
	ike_sa_step(&m->sa, now, &ev, &o);
	carry_out(m, now, &o);
}

// ---- PULL ----

void tm_pull(struct test_member *m, mono_t now)
{
	uint8_t group[4];
	struct isakmp_id id = isakmp_id_of_group(&m->conf->wire, m->group, group);
	struct ike_seal s;
	struct bytes msg;

	m->msgid = ike_msgid_new(m->conf->rng);
	BUG_ON(ike_exch_init(&m->exch, &m->sa, GDOI_XCH_PULL, m->msgid) != 0);
	rng_fill(m->conf->rng, m->ni, sizeof(m->ni));
	ike_seal_begin(&s, &m->exch, out_buf, BUF);
	wr_pl(&s.chain, ISAKMP_PL_NONCE, BYTES_OF(m->ni));
	isakmp_id_encode(&s.chain, &id);
	BUG_ON(ike_seal_end(&s, &m->exch, &(struct ike_nonces){ 0 }, &msg) != 0);
	m->state = TM_WAIT_2;
	send_kept(m, now, msg);
}

void tm_send_3(struct test_member *m, mono_t now, bool spoil_hash)
{
	struct ike_nonces n = { BYTES_OF(m->ni), BYTES(m->nr, m->nr_len) };
	struct gdoi_gap gap = { .has_sid_request = true, .sid_request = m->sid_request };
	struct ike_exch before = m->exch;
	struct ike_seal s;
	struct bytes msg;

	if (spoil_hash)
		m->nr[0] ^= 1;
	ike_seal_begin(&s, &m->exch, out_buf, BUF);
	if (m->payloads_3.len > 0) {
		wr_patch8(&s.w, s.chain.next_at, m->payloads_3.p[0]);
		wr_put(&s.w, m->payloads_3.p + 1, m->payloads_3.len - 1);
	} else if (m->sid_request > 0) {
		gdoi_gap_encode(&s.chain, &gap);
	}
	BUG_ON(ike_seal_end(&s, &m->exch, &n, &msg) != 0);
	if (spoil_hash) {
		m->nr[0] ^= 1;
		m->exch = before;
		m->send(m->arg, m, msg);
		return;
	}
	m->state = TM_WAIT_4;
	send_kept(m, now, msg);
}

static void keep_sa(struct test_member *m, const struct gdoi_sa *sa)
{
	if (sa->n_sat > TM_MAX_SAT) {
		fail(m, "more SATs than a test member keeps");
		return;
	}
	m->has_sak = sa->has_sak;
	if (sa->has_sak)
		m->sak = sa->sak;
	m->has_gap = sa->has_gap;
	m->gap = sa->gap;
	m->n_sat = sa->n_sat;
	memcpy(m->sat, sa->sat, sa->n_sat * sizeof(sa->sat[0]));
}

static void pull_2(struct test_member *m, mono_t now, const struct isakmp_hashed *h)
{
	static struct gdoi_pull2 p;
	struct rd_err err = { NULL };

	if (!gdoi_pull2_decode(&m->conf->wire, h, &p, &err)) {
		fail(m, err.why);
		return;
	}
	memcpy(m->nr, p.nonce.p, p.nonce.len);
	m->nr_len = p.nonce.len;
	keep_sa(m, &p.sa);
	if (m->state != TM_FAILED)
		tm_send_3(m, now, false);
}

static bool keep_kek(struct test_member *m, const struct gdoi_kd_kek *k)
{
	size_t key_len = m->sak.key_bits / 8u;

	if (memcmp(k->spi, m->sak.spi, sizeof(k->spi)) != 0 || k->alg_key.len != 16 + key_len)
		return false;
	pubkey_free(m->signer);
	m->signer = NULL;
	if (pubkey_decode(k->sig_key, &m->signer))
		return false;
	memcpy(m->kek_spi, k->spi, sizeof(m->kek_spi));
	memcpy(m->kek_iv, k->alg_key.p, 16);
	m->kek_cipher = key_len == 32 ? CIPHER_AES256_CBC : CIPHER_AES128_CBC;
	m->sig_hash = m->sak.sig_hash == GDOI_SIG_HASH_SHA384	? HASH_ALG_SHA384
		      : m->sak.sig_hash == GDOI_SIG_HASH_SHA512 ? HASH_ALG_SHA512
								: HASH_ALG_SHA256;
	m->ack_type = m->sak.ack;
	return secret_set(&m->kek, k->alg_key.p + 16, key_len) == 0;
}

static void keep_teks(struct test_member *m, const struct gdoi_kd *kd)
{
	m->n_tek = MIN_OF(kd->n_tek, (size_t)TM_MAX_SAT);
	for (size_t i = 0; i < m->n_tek; i++) {
		struct tm_tek *t = &m->tek[i];

		t->spi = kd->tek[i].spi;
		t->key_len = (uint8_t)MIN_OF(kd->tek[i].alg_key.len, sizeof(t->key));
		memcpy(t->key, kd->tek[i].alg_key.p, t->key_len);
	}
	if (kd->has_sid) {
		m->sid_bits = kd->sid.bits;
		m->n_sid = MIN_OF(kd->sid.n, (size_t)TM_MAX_SID);
		memcpy(m->sid, kd->sid.sid, m->n_sid * sizeof(m->sid[0]));
	}
}

static void pull_4(struct test_member *m, const struct isakmp_hashed *h)
{
	static struct gdoi_pull4 p;
	struct rd_err err = { NULL };

	if (!gdoi_pull4_decode(&m->conf->wire, h, &p, &err)) {
		fail(m, err.why);
		return;
	}
	ike_resend_clear(&m->resend);
	m->n_sid = 0;
	if (p.has_seq)
		m->seq = p.seq;
	if (!p.kd.has_kek || !keep_kek(m, &p.kd.kek)) {
		fail(m, "no KEK of the SAK");
		return;
	}
	keep_teks(m, &p.kd);
	m->state = TM_REGISTERED;
}

static void pull_in(struct test_member *m, mono_t now, const struct isakmp_hdr *hdr,
		    struct bytes datagram)
{
	struct ike_nonces n = { .ni = BYTES_OF(m->ni) };
	struct isakmp_hashed h;
	struct rd_err err = { NULL };
	const char *detail = NULL;
	int which = m->state == TM_WAIT_2 ? 2 : 4;

	if (hdr->msgid != m->msgid || (m->state != TM_WAIT_2 && m->state != TM_WAIT_4))
		return;
	if (which == 4)
		n.nr = BYTES(m->nr, m->nr_len);
	if (ike_exch_open(&m->exch, hdr, datagram, &n, in_buf, BUF, &h, &detail) != IKE_R_OK)
		return; // not for us to judge: a repeated message 2, for one
	if (!gdoi_pull_open(&m->conf->wire, which, h.chain.all, ISAKMP_PL_HASH, 0, &h, &err))
		fail(m, err.why);
	else if (which == 2)
		pull_2(m, now, &h);
	else
		pull_4(m, &h);
}

static void info_in(struct test_member *m, const struct isakmp_hdr *hdr, struct bytes datagram)
{
	uint8_t buf[IKE_INFO_BUF];
	struct ike_info info;
	struct bytes msg;
	const char *detail = NULL;

	if (m->sa.state != IKE_ESTABLISHED || datagram.len > IKE_DGRAM_MAX ||
	    ike_info_open(&m->sa, hdr, datagram, in_buf, &info, &detail) != IKE_R_OK)
		return;
	if (!m->silent && info.n_notify > 0 && info.notify[0].type == ISAKMP_N_R_U_THERE &&
	    ike_info_notify(&m->sa, ISAKMP_N_R_U_THERE_ACK, info.notify[0].data, buf, sizeof(buf),
			    &msg) == 0)
		m->send(m->arg, m, msg);
	if (info.n_notify > 0) {
		m->notify = info.notify[0].type;
		m->state = TM_REFUSED;
		ike_resend_clear(&m->resend);
	}
}

// ---- PUSH ----

void tm_send_ack(struct test_member *m, uint32_t seq)
{
	uint8_t l[2] = { m->ack_l_output ? 1 : 2, 0 };
	struct bytes part[] = { BYTES(GDOI_ACK_LABEL, GDOI_ACK_LABEL_LEN), BYTES_OF(m->kek_spi),
				BYTES_OF(l) };
	struct gdoi_ack_msg a = { .seq = seq, .id = isakmp_id_of_addr(&m->self.addr) };
	struct bytes covered;
	struct secret key;
	struct wr_hash h;
	struct wr w;

	memcpy(a.spi, m->kek_spi, sizeof(a.spi));
	wr_init(&w, out_buf, BUF);
	BUG_ON(!gdoi_ack_encode(&w, &a, hash_len(HASH_ALG_SHA256), &h));
	covered = wr_view(&w, h.covered_at, h.covered_at + h.covered_len);
	BUG_ON(prf_secret(HASH_ALG_SHA256, BYTES(m->kek.b, m->kek.len), part, N_ELEMS(part),
			  &key) != 0);
	BUG_ON(prf_parts(HASH_ALG_SHA256, BYTES(key.b, key.len), &covered, 1,
			 out_buf + h.hash_at) != 0);
	m->send(m->arg, m, BYTES(out_buf, w.len));
}

static bool push_is_signed(const struct test_member *m, size_t len_sent, struct gdoi_push_form *f)
{
	const struct bytes part[] = { BYTES(GDOI_PUSH_LABEL, GDOI_PUSH_LABEL_LEN),
				      BYTES_OF(f->signed_hdr), f->signed_payloads };
	uint8_t digest[HASH_MAX];
	enum hash_alg h = sign_alg_hash(pubkey_alg(m->signer));

	if (h == HASH_ALG_NONE)
		h = m->sig_hash;
	gdoi_push_hdr_as_signed(&m->conf->wire, len_sent, f->signed_hdr);
	return hash_parts(h, part, N_ELEMS(part), digest) == 0 &&
	       sign_verify(m->signer, h, digest, f->sig, NULL) == 0;
}

static bool acks(const struct test_member *m)
{
	return m->ack && m->ack_type == GDOI_ACK_KEK_SHA256;
}

static const char *push_take(struct test_member *m, const struct gdoi_push_form *f)
{
	static struct gdoi_push p;
	struct rd_err err = { NULL };

	if (!gdoi_push_decode(&m->conf->wire, f, &p, &err))
		return err.why;
	m->seq = p.seq;
	m->n_push++;
	m->n_del = p.n_del;
	if (acks(m))
		tm_send_ack(m, p.seq); // under the KEK it came with
	if (!p.has_sa)
		return NULL;
	keep_sa(m, &p.sa);
	if (p.sa.has_sak) {
		if (!p.kd.has_kek || !keep_kek(m, &p.kd.kek))
			return "no KEK of the SAK";
		m->seq = 0;
	}
	if (p.kd.n_tek > 0)
		keep_teks(m, &p.kd);
	return NULL;
}

// RFC 6407 4.4: decrypt, form, SEQ, then the signature.
static void push_in(struct test_member *m, const struct isakmp_hdr *hdr, struct bytes datagram)
{
	size_t len = datagram.len - ISAKMP_HDR_LEN;
	struct gdoi_push_form f;
	struct rd_err err = { NULL };
	const char *why = NULL;

	if (m->state != TM_REGISTERED || memcmp(hdr->cky_i, m->kek_spi, 8) != 0 ||
	    memcmp(hdr->cky_r, m->kek_spi + 8, 8) != 0)
		return;
	if (cipher_decrypt(m->kek_cipher, &m->kek, m->kek_iv, datagram.p + ISAKMP_HDR_LEN, len,
			   in_buf))
		why = "not whole blocks";
	else if (!gdoi_push_open(hdr, BYTES(in_buf, len), 16, &f, &err))
		why = err.why;
	else if (f.seq <= m->seq) {
		m->n_push_repeated++;
		if (f.seq == m->seq && acks(m)) // its first answer may be lost
			tm_send_ack(m, f.seq);
		return;
	} else if (!push_is_signed(m, datagram.len, &f))
		why = "signature";
	else
		why = push_take(m, &f);
	if (why) {
		m->n_push_bad++;
		m->why = why;
	}
}

// ---- entry ----

void tm_in(struct test_member *m, mono_t now, struct bytes datagram)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(datagram, &err);
	struct isakmp_hdr hdr;

	if (!isakmp_hdr_decode(&r, &hdr))
		return;
	if (hdr.exchange == ISAKMP_XCH_MAIN || hdr.exchange == ISAKMP_XCH_AGGRESSIVE)
		sa_in(m, now, datagram);
	else if (hdr.exchange == GDOI_XCH_PULL)
		pull_in(m, now, &hdr, datagram);
	else if (hdr.exchange == GDOI_XCH_PUSH)
		push_in(m, &hdr, datagram);
	else if (hdr.exchange == ISAKMP_XCH_INFO && (hdr.flags & ISAKMP_FLAG_E))
		info_in(m, &hdr, datagram);
}

mono_t tm_deadline(const struct test_member *m)
{
	mono_t t = m->resend.msg ? m->resend.next : MONO_NEVER;

	return m->state == TM_PHASE1 ? mono_min(t, m->sa.deadline) : t;
}

void tm_timer(struct test_member *m, mono_t now)
{
	struct ike_event ev = { .kind = IKE_EV_TIMER };
	static struct ike_out o;

	if (m->state == TM_PHASE1 && mono_due(m->sa.deadline, now)) {
		ike_sa_step(&m->sa, now, &ev, &o);
		carry_out(m, now, &o);
	}
	if (!m->resend.msg)
		return;
	switch (ike_resend_due(&m->resend, &m->conf->schedule, now)) {
	case IKE_RESEND_AGAIN:
		m->send(m->arg, m, BYTES(m->resend.msg, m->resend.len));
		break;
	case IKE_RESEND_GIVE_UP:
		ike_resend_clear(&m->resend);
		fail(m, "no answer");
		break;
	case IKE_RESEND_WAIT:
		break;
	}
}

void tm_fini(struct test_member *m)
{
	ike_sa_fini(&m->sa);
	ike_resend_clear(&m->resend);
	pubkey_free(m->signer);
	explicit_bzero(m, sizeof(*m));
}
