#include "tests/unit/common/wire/samples.h"

#include "common/wire/suite.h"

void sample_pool_init(struct sample_pool *pool, uint64_t seed)
{
	rng_seed(&pool->rng, seed);
	pool->used = 0;
}

static size_t pick(struct sample_pool *pool, size_t lo, size_t hi)
{
	return (size_t)rng_range(&pool->rng, lo, hi);
}

static bool coin(struct sample_pool *pool)
{
	return pick(pool, 0, 1) == 1;
}

struct bytes sample_bytes(struct sample_pool *pool, size_t len)
{
	uint8_t *at = pool->b + pool->used;

	BUG_ON(len > sizeof(pool->b) - pool->used);
	rng_fill(&pool->rng, at, len);
	pool->used += len;
	return BYTES(at, len);
}

// ---- GROUPKEY-PULL, as ks and gm write it ----

static struct wr_chain pull_begin(struct wr *w, const struct sample_pull_out *p, struct wr_hash *h)
{
	struct isakmp_hdr hdr = p->hdr;
	struct wr_chain c;

	hdr.exchange = GDOI_XCH_PULL;
	hdr.flags = ISAKMP_FLAG_E;
	c = isakmp_msg_begin(w, &hdr);
	wr_hash_begin(&c, p->hash_len, h);
	return c;
}

static bool pull_end(struct wr_chain *c, struct wr_hash *h)
{
	wr_hash_end(c, h);
	return isakmp_msg_end(c->w, 0);
}

bool sample_pull1_encode(struct wr *w, const struct sample_pull_out *p, const struct gdoi_pull1 *m,
			 struct wr_hash *h)
{
	struct wr_chain c = pull_begin(w, p, h);

	wr_pl(&c, ISAKMP_PL_NONCE, m->nonce);
	isakmp_id_encode(&c, &m->id);
	return pull_end(&c, h);
}

bool sample_pull2_encode(const struct gdoi_wire_opts *o, struct wr *w,
			 const struct sample_pull_out *p, const struct gdoi_pull2 *m,
			 struct wr_hash *h)
{
	struct wr_chain c = pull_begin(w, p, h);

	wr_pl(&c, ISAKMP_PL_NONCE, m->nonce);
	gdoi_sa_encode(o, &c, &m->sa);
	return pull_end(&c, h);
}

bool sample_pull3_encode(struct wr *w, const struct sample_pull_out *p, const struct gdoi_pull3 *m,
			 struct wr_hash *h)
{
	struct wr_chain c = pull_begin(w, p, h);

	if (m->has_gap)
		gdoi_gap_encode(&c, &m->gap);
	return pull_end(&c, h);
}

bool sample_pull4_encode(const struct gdoi_wire_opts *o, struct wr *w,
			 const struct sample_pull_out *p, const struct gdoi_pull4 *m,
			 struct wr_hash *h)
{
	struct wr_chain c = pull_begin(w, p, h);

	if (m->has_seq)
		gdoi_seq_encode(&c, m->seq);
	gdoi_kd_encode(o, &c, &m->kd);
	return pull_end(&c, h);
}

static uint32_t sample_spi(struct sample_pool *pool)
{
	return rng_u32(&pool->rng) | 0x100;
}

void sample_ike1_sa(struct sample_pool *pool, struct ike1_sa *out)
{
	static const uint16_t hash[] = { IKE1_HASH_SHA256, IKE1_HASH_SHA384, IKE1_HASH_SHA512 };
	static const uint16_t group[] = { 14, 15, 16, 19, 20, 21 };

	*out = (struct ike1_sa){ .doi = ISAKMP_DOI_GDOI, .proposal = 1, .n = pick(pool, 1, 6) };
	for (size_t i = 0; i < out->n; i++) {
		out->t[i] = (struct ike1_transform){
			.num = (uint8_t)(i + 1),
			.enc = IKE1_ENC_AES_CBC,
			.key_bits = coin(pool) ? 128 : 256,
			.hash = hash[pick(pool, 0, N_ELEMS(hash) - 1)],
			.auth = IKE1_AUTH_PSK,
			.group = group[pick(pool, 0, N_ELEMS(group) - 1)],
			.life_s = (uint32_t)pick(pool, 60, 100000),
			.life_kb = coin(pool) ? (uint32_t)pick(pool, 1, 1 << 20) : 0,
		};
	}
}

static void sample_side(struct sample_pool *pool, bool v6, struct flow_side *out)
{
	struct prefix p = { .len = (uint8_t)pick(pool, 0, v6 ? 128 : 32) };
	struct bytes b = sample_bytes(pool, v6 ? 16 : 4), c = sample_bytes(pool, v6 ? 16 : 4);

	p.addr = addr_from_bytes(b.p, b.len);
	p.addr = prefix_first(&p);
	flow_side_prefix(out, &p);
	if (coin(pool)) { // a range
		out->lo = addr_from_bytes(b.p, b.len);
		out->hi = addr_from_bytes(c.p, c.len);
		if (addr_cmp(&out->lo, &out->hi) > 0) {
			out->hi = out->lo;
			out->lo = addr_from_bytes(c.p, c.len);
		}
	}
	if (coin(pool))
		out->port_lo = out->port_hi = (uint16_t)pick(pool, 1, 65535);
}

static void sample_iec(struct sample_pool *pool, struct gdoi_sat *out)
{
	*out = (struct gdoi_sat){ .proto = GDOI_PROTO_IEC61850, .spi = sample_spi(pool) };
	out->iec.oid = sample_bytes(pool, pick(pool, 0, 20));
	out->iec.specific = sample_bytes(pool, pick(pool, 0, 40));
	out->iec.auth = (uint16_t)pick(pool, 1, 5);
	out->iec.enc = (uint16_t)pick(pool, 1, 5);
	out->iec.life_s = rng_u32(&pool->rng);
	out->iec.has_atd = coin(pool);
	out->iec.atd_s = out->iec.has_atd ? (uint32_t)pick(pool, 0, 100000) : 0;
	out->iec.has_kda = coin(pool);
	out->iec.kda = out->iec.has_kda ? (uint16_t)pick(pool, 0, 100) : 0;
}

void sample_sat(struct sample_pool *pool, struct gdoi_sat *out)
{
	struct flow flow = { .proto = (uint8_t)pick(pool, 0, 255) };
	size_t n_suites = 0, kind = pick(pool, 0, 9);
	bool v6 = coin(pool);

	if (kind == 0) {
		sample_iec(pool, out);
		return;
	}
	while (suite_tek_row(n_suites))
		n_suites++;
	*out = (struct gdoi_sat){ .proto = GDOI_PROTO_BYPASS };
	sample_side(pool, v6, &flow.src);
	sample_side(pool, v6, &flow.dst);
	BUG_ON(!gdoi_sat_set_flow(out, &flow));
	if (kind == 1)
		return;
	suite_tek_to_sat(suite_tek_row(pick(pool, 0, n_suites - 1)), out);
	out->spi = sample_spi(pool);
	out->encap = IPSEC_ENCAP_TUNNEL;
	out->life_s = (uint32_t)pick(pool, 1, 100000);
	out->life_kb = coin(pool) ? rng_u32(&pool->rng) | 1 : 0;
	out->esn = coin(pool);
	out->preserve = (uint16_t)pick(pool, 0, 4);
	out->direction = (uint16_t)pick(pool, 0, 3);
	if (coin(pool))
		out->replay =
			coin(pool) ? REPLAY_DEFAULT
				   : (struct replay){ REPLAY_TIME, (uint16_t)pick(pool, 1, 100) };
}

static void sample_sak(struct sample_pool *pool, struct gdoi_sak *out)
{
	struct bytes b = sample_bytes(pool, 40);
	bool v6 = coin(pool);
	struct endpoint src = { addr_from_bytes(b.p, v6 ? 16 : 4), GDOI_PORT };
	struct endpoint dst = { addr_from_bytes(b.p + 16, v6 ? 16 : 4), GDOI_PORT };

	*out = (struct gdoi_sak){ .ip_proto = 17, .alg = GDOI_KEK_AES, .sig_alg = GDOI_SIG_RSA };
	out->src = gdoi_id_of_endpoint(&src);
	out->dst = gdoi_id_of_endpoint(&dst);
	rng_fill(&pool->rng, out->spi, sizeof(out->spi));
	out->key_bits = coin(pool) ? 128 : 256;
	out->life_s = coin(pool) ? (uint32_t)pick(pool, 1, 1000000) : 0;
	out->sig_hash = GDOI_SIG_HASH_SHA256;
	out->sig_key_bits = coin(pool) ? 2048 : 0;
	out->ack = (uint16_t)pick(pool, 0, 4);
}

void sample_sa(struct sample_pool *pool, struct gdoi_sa *out)
{
	out->has_sak = coin(pool);
	if (out->has_sak)
		sample_sak(pool, &out->sak);
	out->has_gap = coin(pool);
	out->gap = (struct gdoi_gap){ .has_atd = coin(pool), .has_dtd = coin(pool) };
	out->gap.atd_s = out->gap.has_atd ? (uint16_t)pick(pool, 0, 65535) : 0;
	out->gap.dtd_s = out->gap.has_dtd ? (uint16_t)pick(pool, 0, 65535) : 0;
	out->gap.has_pseudotime = coin(pool);
	if (out->gap.has_pseudotime)
		out->gap.pseudotime =
			(struct pseudotime){ sample_spi(pool), (int64_t)pick(pool, 0, UINT32_MAX)
								       << 28 };
	out->n_sat = pick(pool, out->has_sak ? 0 : 1, 4);
	for (size_t i = 0; i < out->n_sat; i++)
		sample_sat(pool, &out->sat[i]);
}

static void sample_lkh_array(struct sample_pool *pool, struct gdoi_kd_lkh *lkh,
			     struct gdoi_lkh_array *out)
{
	size_t data_len = coin(pool) ? 32 : 48;

	*out = (struct gdoi_lkh_array){ .first = lkh->n_keys, .n = pick(pool, 1, 5) };
	for (size_t i = 0; i < out->n; i++) {
		lkh->key[lkh->n_keys++] = (struct gdoi_lkh_key){
			.id = (uint16_t)rng_u32(&pool->rng),
			.type = GDOI_KEK_AES,
			.created = rng_u32(&pool->rng),
			.expires = rng_u32(&pool->rng),
			.handle = rng_u32(&pool->rng),
			.data = sample_bytes(pool, data_len),
		};
	}
}

static void sample_lkh(struct sample_pool *pool, struct gdoi_kd_lkh *out)
{
	rng_fill(&pool->rng, out->spi, sizeof(out->spi));
	out->n_keys = 0;
	out->has_download = coin(pool);
	if (out->has_download)
		sample_lkh_array(pool, out, &out->download);
	out->n_update = pick(pool, out->has_download ? 0 : 1, 3);
	for (size_t i = 0; i < out->n_update; i++) {
		sample_lkh_array(pool, out, &out->update[i]);
		out->update[i].id = (uint16_t)rng_u32(&pool->rng);
		out->update[i].handle = rng_u32(&pool->rng);
	}
	out->sig_key = sample_bytes(pool, coin(pool) ? 91 : 0);
}

static void sample_sid(struct sample_pool *pool, struct gdoi_kd_sid *out)
{
	static const uint16_t bits[] = { 8, 12, 16, 24, 32 };

	out->bits = bits[pick(pool, 0, N_ELEMS(bits) - 1)];
	out->n = pick(pool, 1, 4);
	for (size_t i = 0; i < out->n; i++)
		out->sid[i] = rng_u32(&pool->rng) >> (32 - out->bits);
}

void sample_kd(struct sample_pool *pool, struct gdoi_kd *out)
{
	out->has_kek = coin(pool);
	rng_fill(&pool->rng, out->kek.spi, sizeof(out->kek.spi));
	out->kek.alg_key = sample_bytes(pool, coin(pool) ? 32 : 48);
	out->kek.sig_key = sample_bytes(pool, coin(pool) ? 294 : 0);
	out->has_lkh = coin(pool);
	if (out->has_lkh)
		sample_lkh(pool, &out->lkh);
	out->n_tek = pick(pool, 0, 4);
	for (size_t i = 0; i < out->n_tek; i++) {
		out->tek[i] = (struct gdoi_kd_tek){
			.spi = (uint32_t)(0x1000 * (i + 1) + pick(pool, 0, 0xfff)),
			.alg_key = sample_bytes(pool, coin(pool) ? 20 : 36),
			.integrity_key = sample_bytes(pool, coin(pool) ? 32 : 0),
			.source_auth_key = sample_bytes(pool, coin(pool) ? 16 : 0),
		};
	}
	out->has_sid = coin(pool);
	if (out->has_sid)
		sample_sid(pool, &out->sid);
}

void sample_push(struct sample_pool *pool, struct gdoi_push *out)
{
	static const uint32_t spi[] = { 0x11112222, 0x33334444, 0x55556666 };
	uint8_t *buf = pool->b + pool->used;

	pool->used += 4 * N_ELEMS(spi);
	out->seq = rng_u32(&pool->rng);
	out->n_del = 0;
	if (coin(pool))
		out->del[out->n_del++] =
			gdoi_delete_teks(GDOI_PROTO_ESP, spi, pick(pool, 0, 3), buf);
	if (coin(pool))
		out->del[out->n_del++] = gdoi_delete_kek(NULL);
	out->has_sa = out->n_del == 0 || coin(pool);
	if (out->has_sa) {
		sample_sa(pool, &out->sa);
		sample_kd(pool, &out->kd);
		out->kd.has_sid = false;
	}
}

static struct sample_pull_out sample_pull_out(struct sample_pool *pool)
{
	struct sample_pull_out p = { .hash_len = 32 };

	rng_fill(&pool->rng, p.hdr.cky_i, ISAKMP_COOKIE_LEN);
	rng_fill(&pool->rng, p.hdr.cky_r, ISAKMP_COOKIE_LEN);
	p.hdr.msgid = rng_u32(&pool->rng) | 1;
	return p;
}

void sample_pull_msg(struct sample_pool *pool, int n, struct wr *w)
{
	static struct gdoi_pull2 m2;
	static struct gdoi_pull4 m4;
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct sample_pull_out p = sample_pull_out(pool);
	struct gdoi_pull1 m1 = { .nonce = sample_bytes(pool, 32) };
	struct gdoi_pull3 m3 = { .has_gap = coin(pool) };
	struct wr_hash h;
	uint8_t group[4];
	bool ok = false;

	wr_init(w, w->p, w->cap);
	if (n == 1) {
		m1.id = isakmp_id_of_group(&o, rng_u32(&pool->rng), group);
		ok = sample_pull1_encode(w, &p, &m1, &h);
	} else if (n == 2) {
		m2.nonce = m1.nonce;
		sample_sa(pool, &m2.sa);
		ok = sample_pull2_encode(&o, w, &p, &m2, &h);
	} else if (n == 3) {
		m3.gap = (struct gdoi_gap){ .has_sid_request = true, .sid_request = 2 };
		ok = sample_pull3_encode(w, &p, &m3, &h);
	} else {
		m4.has_seq = coin(pool);
		m4.seq = rng_u32(&pool->rng);
		sample_kd(pool, &m4.kd);
		ok = sample_pull4_encode(&o, w, &p, &m4, &h);
	}
	BUG_ON(!ok);
}

void sample_push_msg(struct sample_pool *pool, struct wr *w)
{
	static struct gdoi_push m;
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct bytes spi = sample_bytes(pool, GDOI_KEK_SPI_LEN), span;

	sample_push(pool, &m);
	wr_init(w, w->p, w->cap);
	BUG_ON(!gdoi_push_begin(&o, w, spi.p, &m, 256, &span));
	BUG_ON(!gdoi_push_end(w, sample_bytes(pool, 256)));
}

void sample_ack_msg(struct sample_pool *pool, struct wr *w)
{
	struct addr addr = addr_from_v4(rng_u32(&pool->rng));
	struct gdoi_ack_msg m = { .seq = rng_u32(&pool->rng), .id = isakmp_id_of_addr(&addr) };
	struct wr_hash h;

	rng_fill(&pool->rng, m.spi, sizeof(m.spi));
	wr_init(w, w->p, w->cap);
	BUG_ON(!gdoi_ack_encode(w, &m, 32, &h));
}

void sample_phase1_msg(struct sample_pool *pool, struct wr *w)
{
	struct isakmp_hdr hdr = { .exchange = ISAKMP_XCH_MAIN };
	struct wr_chain c;
	struct ike1_sa sa;

	sample_ike1_sa(pool, &sa);
	rng_fill(&pool->rng, hdr.cky_i, ISAKMP_COOKIE_LEN);
	wr_init(w, w->p, w->cap);
	c = isakmp_msg_begin(w, &hdr);
	ike1_sa_encode(&c, &sa);
	wr_pl(&c, ISAKMP_PL_VID, BYTES(vid_dpd, GDOI_VID_LEN));
	wr_pl(&c, ISAKMP_PL_VID, BYTES(vid_conclave, GDOI_VID_LEN));
	BUG_ON(!isakmp_msg_end(w, 0));
}
