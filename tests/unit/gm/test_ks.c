#include "tests/unit/unit.h"

#include "tests/unit/gm/test_ks.h"

static const struct ike_proposal proposals[] = {
	{ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 },
};

static const struct secret *psk_of(void *arg, const struct addr *peer)
{
	const struct test_ks *k = arg;

	(void)peer;
	return &k->psk;
}

void test_ks_init(struct test_ks *k, struct signer *signer, const char *addr, mono_t now)
{
	memset(k, 0, sizeof(*k));
	crypto_rng_init(&k->rng);
	k->signer = signer;
	k->at.port = 848;
	assert_int_equal(addr_parse(addr, &k->at.addr), 0);
	k->id = k->at.addr;
	assert_int_equal(secret_set(&k->psk, "secret", 6), 0);
	k->conf = (struct ike_conf){
		.proposals = proposals,
		.n_proposals = 1,
		.wire = gdoi_wire_opts_default(),
		.features = VID_CONCLAVE_PRIVATE,
		.schedule = IKE_SCHEDULE_DEFAULT,
		.psk = psk_of,
		.psk_arg = k,
		.rng = &k->rng,
	};
	k->conf.own_id = isakmp_id_of_addr(&k->id);
	k->sid_bits = 24;
	assert_int_equal(ike_halfopen_init(&k->half, &k->rng, now, 16, 16), 0);
	test_kek_make(&k->kek, &k->rng, "REKEY");
	k->kek.ack = GDOI_ACK_KEK_SHA256;
}

static void sa_drop(struct test_ks *k)
{
	if (k->sa)
		ike_sa_fini(k->sa);
	free(k->sa);
	k->sa = NULL;
	k->pull_open = false;
}

void test_ks_fini(struct test_ks *k)
{
	sa_drop(k);
	ike_halfopen_fini(&k->half);
}

void test_kek_make(struct test_kek *kek, struct rng *rng, const char *label)
{
	uint8_t b[32];

	memset(kek, 0, sizeof(*kek));
	rng_fill(rng, kek->spi, sizeof(kek->spi));
	rng_fill(rng, kek->iv, sizeof(kek->iv));
	rng_fill(rng, b, sizeof(b));
	assert_int_equal(secret_set(&kek->key, b, sizeof(b)), 0);
	kek->label = label;
}

struct test_tek *test_ks_tek(struct test_ks *k, const char *suite, uint32_t spi, uint32_t life_s,
			     unsigned n, unsigned m)
{
	const struct suite_tek *row = suite_tek_named(suite);
	struct test_tek *t = &k->tek[k->n_teks++];
	struct flow f = { 0 };
	struct prefix p = { addr_from_v4(0x0a000000u | n << 16), 16 };

	assert_non_null(row);
	memset(t, 0, sizeof(*t));
	flow_side_prefix(&f.src, &p);
	p.addr = addr_from_v4(0x0a000000u | m << 16);
	flow_side_prefix(&f.dst, &p);
	suite_tek_to_sat(row, &t->sat);
	assert_true(gdoi_sat_set_flow(&t->sat, &f));
	t->sat.spi = spi;
	t->sat.life_s = life_s;
	t->sat.encap = IPSEC_ENCAP_TUNNEL;
	t->key_len = row->alg_key_len;
	t->auth_len = row->integrity_key_len;
	rng_fill(&k->rng, t->key, t->key_len);
	rng_fill(&k->rng, t->auth, t->auth_len);
	return t;
}

// ---- what it hands out ----

void test_ks_fill_sak(const struct test_kek *kek, struct gdoi_sak *out)
{
	struct endpoint any = { addr_from_v4(0x0a000001), 848 };

	*out = (struct gdoi_sak){
		.ip_proto = 17,
		.src = gdoi_id_of_endpoint(&any),
		.dst = gdoi_id_of_endpoint(kek->group.addr.family ? &kek->group : &any),
		.alg = GDOI_KEK_AES,
		.key_bits = 256,
		.life_s = 86400,
		.sig_hash = GDOI_SIG_HASH_SHA256,
		.sig_alg = GDOI_SIG_RSA,
		.sig_key_bits = 2048,
		.ack = kek->ack,
	};
	memcpy(out->spi, kek->spi, sizeof(out->spi));
}

static void fill_sa(const struct test_ks *k, const struct gdoi_gap *gap, size_t n,
		    const struct test_tek *tek, const struct test_kek *kek, struct gdoi_sa *sa)
{
	memset(sa, 0, sizeof(*sa));
	if (kek) {
		sa->has_sak = true;
		test_ks_fill_sak(kek, &sa->sak);
	}
	if (gap) {
		sa->has_gap = true;
		sa->gap = *gap;
	}
	for (size_t i = 0; i < n; i++)
		sa->sat[sa->n_sat++] = tek[i].sat;
	if (k->change)
		k->change(sa);
}

struct key_room {
	uint8_t kek[64], pub[PUBKEY_MAX];
};

static void fill_kd(const struct test_ks *k, size_t n, const struct test_tek *tek,
		    const struct test_kek *kek, struct key_room *room, struct gdoi_kd *kd)
{
	size_t len = 0;

	memset(kd, 0, sizeof(*kd));
	for (size_t i = 0; i < n; i++) {
		if (tek[i].sat.proto == GDOI_PROTO_ESP)
			kd->tek[kd->n_tek++] = (struct gdoi_kd_tek){
				.spi = tek[i].sat.spi,
				.alg_key = BYTES(tek[i].key, tek[i].key_len),
				.integrity_key = BYTES(tek[i].auth, tek[i].auth_len),
			};
	}
	if (!kek)
		return;
	assert_int_equal(signer_public(k->signer, kek->label, room->pub, sizeof(room->pub), &len),
			 0);
	memcpy(room->kek, kek->iv, 16);
	memcpy(room->kek + 16, kek->key.b, kek->key.len);
	kd->has_kek = true;
	memcpy(kd->kek.spi, kek->spi, sizeof(kd->kek.spi));
	kd->kek.alg_key = BYTES(room->kek, 16u + kek->key.len);
	kd->kek.sig_key = BYTES(room->pub, len);
	if (k->pkcs1)
		kd->kek.sig_key = pubkey_pkcs1(kd->kek.sig_key);
}

static void reply_take(struct test_reply *out, struct bytes msg)
{
	assert_true(msg.len <= sizeof(out->b));
	memcpy(out->b, msg.p, msg.len);
	out->len = msg.len;
}

// An attribute of type 100 at the end of the SAK: patched in by hand, as no encoder writes one.
static void spoil_sak(struct ike_seal *s, size_t sa_at)
{
	uint8_t *sa = s->w.p + sa_at, *sak = sa + 16;
	size_t sak_len = (size_t)(sak[2] << 8 | sak[3]);
	size_t tail = s->w.len - (sa_at + 16 + sak_len);
	static const uint8_t attr[4] = { 0x80, 100, 0, 1 };

	memmove(sak + sak_len + 4, sak + sak_len, tail);
	memcpy(sak + sak_len, attr, 4);
	s->w.len += 4;
	wr_patch16(&s->w, sa_at + 16 + 2, (uint16_t)(sak_len + 4));
	wr_patch16(&s->w, sa_at + 2, (uint16_t)((sa[2] << 8 | sa[3]) + 4));
}

static void answer_1(struct test_ks *k, const struct isakmp_hashed *m, struct test_reply *out)
{
	static struct gdoi_sa sa;
	struct gdoi_pull1 p;
	struct rd_err err = { NULL };
	struct ike_nonces n;
	struct ike_seal s;
	struct bytes msg;
	uint8_t buf[TKS_DGRAM];
	size_t sa_at;

	assert_true(gdoi_pull1_decode(m, &p, &err));
	assert_true(isakmp_id_to_group(&k->conf.wire, &p.id, &k->group_asked));
	k->ni_len = p.nonce.len;
	memcpy(k->ni, p.nonce.p, p.nonce.len);
	rng_fill(&k->rng, k->nr, sizeof(k->nr));
	if (k->mute_2)
		return;
	fill_sa(k, k->has_gap ? &k->gap : NULL, k->n_teks, k->tek, k->no_sak ? NULL : &k->kek, &sa);
	ike_seal_begin(&s, &k->x, buf, sizeof(buf));
	wr_pl(&s.chain, ISAKMP_PL_NONCE, BYTES_OF(k->nr));
	sa_at = s.w.len;
	gdoi_sa_encode(&k->conf.wire, &s.chain, &sa);
	if (k->unknown_attr)
		spoil_sak(&s, sa_at);
	n = (struct ike_nonces){ BYTES(k->ni, k->ni_len), BYTES(NULL, 0) };
	assert_int_equal(ike_seal_end(&s, &k->x, &n, &msg), 0);
	reply_take(out, msg);
	if (k->bad_hash_2) {
		out->b[ISAKMP_HDR_LEN + 9] ^= 1;
		k->bad_hash_2 = false;
	}
}

static void answer_3(struct test_ks *k, const struct isakmp_hashed *m, struct test_reply *out)
{
	static struct gdoi_kd kd;
	struct gdoi_pull3 p;
	struct key_room room;
	struct rd_err err = { NULL };
	const struct ike_nonces n = { BYTES(k->ni, k->ni_len), BYTES_OF(k->nr) };
	struct ike_seal s;
	struct bytes msg;
	uint8_t buf[TKS_DGRAM];

	assert_true(gdoi_pull3_decode(&k->conf.wire, m, &p, &err));
	if (k->mute_4)
		return;
	k->sids_asked = p.has_gap ? p.gap.sid_request : 0;
	fill_kd(k, k->n_teks, k->tek, k->no_sak ? NULL : &k->kek, &room, &kd);
	if ((k->sids_asked > 0 || k->sid_unasked) && !k->no_sid) {
		kd.has_sid = true;
		kd.sid.bits = k->sid_bits;
		for (; kd.sid.n < MAX_OF(k->sids_asked, 1); kd.sid.n++)
			kd.sid.sid[kd.sid.n] = k->next_sid++;
	}
	ike_seal_begin(&s, &k->x, buf, sizeof(buf));
	if (!k->no_sak)
		gdoi_seq_encode(&s.chain, k->kek.seq);
	gdoi_kd_encode(&k->conf.wire, &s.chain, &kd);
	assert_int_equal(ike_seal_end(&s, &k->x, &n, &msg), 0);
	reply_take(out, msg);
	k->pull_open = false;
	k->pulls++;
}

static void pull_in(struct test_ks *k, const struct isakmp_hdr *hdr, struct bytes d,
		    struct test_reply *out)
{
	bool first = !k->pull_open || k->x.msgid != hdr->msgid;
	const struct ike_nonces none = { BYTES(NULL, 0), BYTES(NULL, 0) };
	const struct ike_nonces both = { BYTES(k->ni, k->ni_len), BYTES_OF(k->nr) };
	struct isakmp_hashed m;
	const char *detail = NULL;
	uint8_t plain[TKS_DGRAM];

	if (!k->sa || k->sa->state != IKE_ESTABLISHED)
		return;
	if (first && ike_exch_init(&k->x, k->sa, GDOI_XCH_PULL, hdr->msgid) < 0)
		return;
	if (ike_exch_open(&k->x, hdr, d, first ? &none : &both, plain, sizeof(plain), &m,
			  &detail) != IKE_R_OK)
		return;
	k->pull_open = true;
	if (first)
		answer_1(k, &m, out);
	else
		answer_3(k, &m, out);
}

// ---- phase 1 ----

static void ike_act(struct test_ks *k, mono_t now, struct ike_out *io, struct test_reply *out)
{
	while (io->dh) {
		struct ike_event ev = { .kind = IKE_EV_DH_DONE, .dh = io->dh };

		dh_job_run(io->dh);
		ike_sa_step(k->sa, now, &ev, io);
	}
	if (io->msg_len > 0)
		reply_take(out, BYTES(io->msg, io->msg_len));
	if (io->dead)
		sa_drop(k);
}

static void main_in(struct test_ks *k, mono_t now, const struct isakmp_hdr *hdr,
		    const struct endpoint *from, struct bytes d, struct test_reply *out)
{
	struct ike_event ev = { .kind = IKE_EV_DATAGRAM, .datagram = d, .from = *from };
	struct ike_sa *made = NULL;
	struct ike_out io;

	if (k->sa && memcmp(k->sa->cky_i, hdr->cky_i, 8) == 0) {
		ike_sa_step(k->sa, now, &ev, &io);
	} else {
		ike_halfopen_in(&k->half, &k->conf, now, d, from, &k->at, &io, &made);
		if (made) {
			sa_drop(k);
			k->sa = made;
		}
	}
	ike_act(k, now, &io, out);
}

static void info_in(struct test_ks *k, const struct isakmp_hdr *hdr, struct bytes d,
		    struct test_reply *out)
{
	uint8_t plain[IKE_DGRAM_MAX], buf[IKE_INFO_BUF];
	struct ike_info info;
	const char *detail = NULL;
	struct bytes msg;

	if (!k->sa || k->sa->state != IKE_ESTABLISHED ||
	    ike_info_open(k->sa, hdr, d, plain, &info, &detail) != IKE_R_OK)
		return;
	if (info.n_notify > 0 && info.notify[0].type == ISAKMP_N_R_U_THERE) {
		k->questions++;
		assert_int_equal(ike_info_notify(k->sa, ISAKMP_N_R_U_THERE_ACK, info.notify[0].data,
						 buf, sizeof(buf), &msg),
				 0);
		reply_take(out, msg);
	}
	k->answers += info.n_notify > 0 && info.notify[0].type == ISAKMP_N_R_U_THERE_ACK;
	if (!info.deletes_sa)
		return;
	k->deletes++;
	k->kek_deletes += info.del[0].proto == GDOI_PROTO_KEK;
	sa_drop(k);
}

void test_ks_in(struct test_ks *k, mono_t now, const struct endpoint *from, struct bytes datagram,
		struct test_reply *out)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(datagram, &err);
	struct isakmp_hdr hdr;

	out->len = 0;
	k->datagrams++;
	if (k->dead || !isakmp_hdr_decode(&r, &hdr))
		return;
	if (hdr.exchange == ISAKMP_XCH_MAIN)
		main_in(k, now, &hdr, from, datagram, out);
	else if (hdr.exchange == GDOI_XCH_PULL)
		pull_in(k, &hdr, datagram, out);
	else if (hdr.exchange == ISAKMP_XCH_INFO)
		info_in(k, &hdr, datagram, out);
}

// ---- rekeys ----

void test_push_begin(struct test_push *p, const struct test_kek *kek)
{
	struct isakmp_hdr h = { .exchange = GDOI_XCH_PUSH, .flags = ISAKMP_FLAG_E };

	memcpy(h.cky_i, kek->spi, 8);
	memcpy(h.cky_r, kek->spi + 8, 8);
	wr_init(&p->w, p->buf, sizeof(p->buf));
	p->c = isakmp_msg_begin(&p->w, &h);
}

void test_push_body(struct test_push *p, const struct test_ks *k, uint32_t seq,
		    const struct gdoi_gap *gap, size_t n_teks, const struct test_tek *tek,
		    const struct test_kek *new_kek)
{
	static struct gdoi_sa sa;
	static struct gdoi_kd kd;
	struct key_room room;

	gdoi_seq_encode(&p->c, seq);
	fill_sa(k, gap, n_teks, tek, new_kek, &sa);
	fill_kd(k, n_teks, tek, new_kek, &room, &kd);
	gdoi_sa_encode(&k->conf.wire, &p->c, &sa);
	gdoi_kd_encode(&k->conf.wire, &p->c, &kd);
}

static size_t padded(size_t len)
{
	return ISAKMP_HDR_LEN + (len - ISAKMP_HDR_LEN + 15) / 16 * 16;
}

// The signature as RFC 6407 4 has it, from hash and signer alone.
static void sign_it(struct test_push *p, const struct test_ks *k, const struct test_kek *kek,
		    const struct test_twist *t)
{
	const char *label = t->label ? t->label : kek->label;
	uint8_t digest[HASH_MAX], sig[SIG_MAX];
	struct bytes parts[2] = { BYTES("rekey", 5), BYTES(p->buf, p->w.len) };
	size_t sig_len = 0, whole;

	assert_int_not_equal(signer_alg(k->signer, label, &sig_len), SIGN_NONE);
	whole = p->w.len + 4 + sig_len;
	wr_patch8(&p->w, p->c.next_at, ISAKMP_PL_SIG);
	wr_patch32(&p->w, 24, (uint32_t)(t->padded_len ? padded(whole) : whole));
	assert_int_equal(hash_parts(HASH_ALG_SHA256, parts, 2, digest), 0);
	assert_int_equal(signer_sign(k->signer, label, HASH_ALG_SHA256, digest,
				     t->bare ? RSA_FORM_BARE : RSA_FORM_DIGESTINFO, sig, &sig_len),
			 0);
	if (t->spoil_sig)
		sig[sig_len / 2] ^= 1;
	wr_pl(&p->c, ISAKMP_PL_SIG, BYTES(sig, sig_len));
}

struct bytes test_push_seal(struct test_push *p, const struct test_ks *k,
			    const struct test_kek *kek, const struct test_twist *t)
{
	static const struct test_twist straight;
	size_t len;

	if (!t)
		t = &straight;
	if (t->flags)
		wr_patch8(&p->w, 19, t->flags);
	if (t->clear_flags)
		wr_patch8(&p->w, 19, 0);
	wr_patch32(&p->w, 20, t->msgid);
	if (!t->no_sig)
		sign_it(p, k, kek, t);
	if (t->after_sig)
		wr_pl(&p->c, ISAKMP_PL_VID, BYTES(vid_dpd, GDOI_VID_LEN));
	len = padded(p->w.len);
	wr_zero(&p->w, len - p->w.len);
	wr_patch32(&p->w, 24, (uint32_t)len);
	assert_true(wr_ok(&p->w));
	assert_int_equal(cipher_encrypt(CIPHER_AES256_CBC, &kek->key, kek->iv,
					p->buf + ISAKMP_HDR_LEN, len - ISAKMP_HDR_LEN,
					p->buf + ISAKMP_HDR_LEN),
			 0);
	return BYTES(p->buf, len);
}
