#include "gm/keks.h"

#include "common/crypto/prf.h"
#include "gm/out.h"

void gm_keks_init(struct gm_keks *k)
{
	k->n = 0;
	for (size_t i = 0; i < GM_MAX_ACKS_QUEUED; i++)
		k->ack[i].at = MONO_NEVER;
}

void gm_kek_fini(struct gm_kek *k)
{
	explicit_bzero(k, sizeof(*k));
}

void gm_keks_fini(struct gm_keks *k)
{
	for (size_t i = 0; i < k->n; i++)
		gm_kek_fini(&k->kek[i]);
	gm_keks_init(k);
}

const struct gm_kek *gm_keks_current(const struct gm_keks *k)
{
	return k->n > 0 && !k->kek[0].closed ? &k->kek[0] : NULL;
}

bool gm_keks_is_current(const struct gm_keks *k, const uint8_t spi[GDOI_KEK_SPI_LEN])
{
	const struct gm_kek *now = gm_keks_current(k);

	return now && memcmp(now->spi, spi, GDOI_KEK_SPI_LEN) == 0;
}

struct gm_kek *gm_keks_find(struct gm_keks *k, const uint8_t spi[GDOI_KEK_SPI_LEN])
{
	for (size_t i = 0; i < k->n; i++) {
		if (memcmp(k->kek[i].spi, spi, GDOI_KEK_SPI_LEN) == 0)
			return &k->kek[i];
	}
	return NULL;
}

bool gm_keks_newer(const struct gm_keks *k, const uint8_t spi[GDOI_KEK_SPI_LEN], uint32_t seq)
{
	for (size_t i = 0; i < k->n; i++) {
		if (memcmp(k->kek[i].spi, spi, GDOI_KEK_SPI_LEN) == 0)
			return !k->kek[i].closed && (i > 0 || k->kek[i].seq > seq);
	}
	return false;
}

void gm_keks_put(struct gm_keks *k, mono_t now, const struct gm_kek *kek)
{
	struct gm_kek *held = gm_keks_find(k, kek->spi);

	if (held) {
		held->closed = held->closed && held->seq > kek->seq;
		held->seq = MAX_OF(held->seq, kek->seq);
		held->ack = kek->ack;
		held->group = kek->group;
		held->life_s = kek->life_s;
		held->dies = mono_add_s(now, kek->life_s);
		return;
	}
	if (k->n == GM_MAX_KEKS)
		gm_kek_fini(&k->kek[--k->n]);
	memmove(&k->kek[1], &k->kek[0], k->n * sizeof(k->kek[0]));
	k->n++;
	k->kek[0] = *kek;
	k->kek[0].dies = mono_add_s(now, kek->life_s);
}

void gm_kek_close(struct gm_kek *k, mono_t now)
{
	k->closed = true;
	k->dies = mono_min(k->dies, mono_add_s(now, GM_KEK_GRACE_S));
}

void gm_keks_close_others(struct gm_keks *k, mono_t now)
{
	for (size_t i = 1; i < k->n; i++)
		gm_kek_close(&k->kek[i], now);
}

void gm_keks_age(struct gm_keks *k, mono_t now)
{
	for (size_t i = 0; i < k->n;) {
		if (!mono_due(k->kek[i].dies, now)) {
			i++;
			continue;
		}
		memmove(&k->kek[i], &k->kek[i + 1], (k->n - i - 1) * sizeof(k->kek[0]));
		gm_kek_fini(&k->kek[--k->n]);
	}
}

mono_t gm_keks_next(const struct gm_keks *k)
{
	mono_t next = MONO_NEVER;

	for (size_t i = 0; i < k->n; i++)
		next = mono_min(next, k->kek[i].dies);
	for (size_t i = 0; i < GM_MAX_ACKS_QUEUED; i++)
		next = mono_min(next, k->ack[i].at);
	return next;
}

size_t gm_keks_listens(const struct gm_keks *k, struct endpoint out[GM_MAX_LISTENS], size_t n)
{
	for (size_t i = 0; i < k->n; i++) {
		const struct endpoint *e = &k->kek[i].group;
		bool there = false;

		for (size_t j = 0; j < n; j++)
			there = there || endpoint_eq(&out[j], e);
		if (e->addr.family && !there && n < GM_MAX_LISTENS)
			out[n++] = *e;
	}
	return n;
}

// ---- acknowledgements, RFC 8263 ----

static enum hash_alg ack_hash(uint16_t type)
{
	switch (type) {
	case GDOI_ACK_KEK_SHA256:
	case GDOI_ACK_LKH_SHA256:
		return HASH_ALG_SHA256;
	case GDOI_ACK_KEK_SHA512:
	case GDOI_ACK_LKH_SHA512:
		return HASH_ALG_SHA512;
	}
	return HASH_ALG_NONE;
}

// The KEK, or the key that we share with the key server alone.
static const struct secret *ack_base(const struct gm_kek *kek)
{
	bool own = kek->ack == GDOI_ACK_LKH_SHA256 || kek->ack == GDOI_ACK_LKH_SHA512;

	return own ? &kek->leaf : &kek->key;
}

// ack_key = prf(base, label NUL | SPI | L). L: the prf's block size in bits, or its output's.
static int ack_key(const struct gm_kek *kek, const struct gdoi_wire_opts *o, enum hash_alg h,
		   struct secret *out)
{
	size_t bits = o->ack_l_is_output_size ? hash_len(h) * 8 : h == HASH_ALG_SHA512 ? 1024 : 512;
	const uint8_t l[2] = { (uint8_t)(bits >> 8), (uint8_t)bits };
	const struct bytes parts[] = { BYTES(GDOI_ACK_LABEL, GDOI_ACK_LABEL_LEN),
				       BYTES_OF(kek->spi), BYTES_OF(l) };
	const struct secret *base = ack_base(kek);

	if (base->len == 0)
		return -EINVAL;
	return prf_secret(h, BYTES(base->b, base->len), parts, N_ELEMS(parts), out);
}

bool gm_ack_build(const struct gm_kek *kek, const struct gdoi_wire_opts *o, uint32_t seq,
		  const struct addr *own, uint8_t *buf, size_t cap, size_t *len)
{
	enum hash_alg h = ack_hash(kek->ack);
	struct gdoi_ack_msg m = { .seq = seq, .id = isakmp_id_of_addr(own) };
	struct secret key = { .len = 0 };
	struct wr_hash at;
	struct bytes covered;
	struct wr w;
	bool ok;

	if (h == HASH_ALG_NONE || ack_key(kek, o, h, &key) < 0)
		return false;
	memcpy(m.spi, kek->spi, sizeof(m.spi));
	wr_init(&w, buf, cap);
	ok = gdoi_ack_encode(&w, &m, hash_len(h), &at);
	if (ok) {
		covered = BYTES(buf + at.covered_at, at.covered_len);
		ok = prf_parts(h, BYTES(key.b, key.len), &covered, 1, buf + at.hash_at) == 0;
	}
	secret_fini(&key);
	*len = w.len;
	return ok;
}

void gm_keks_send_acks(struct gm_keks *k, mono_t now, struct gm_out *out)
{
	for (size_t i = 0; i < GM_MAX_ACKS_QUEUED; i++) {
		struct gm_ack *a = &k->ack[i];

		if (!mono_due(a->at, now))
			continue;
		gm_out_send(out, &a->from, &a->to, BYTES(a->msg, a->len));
		a->at = MONO_NEVER;
	}
}
