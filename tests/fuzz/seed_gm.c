// Writes the seeds of corpus/gm: seed_gm DIR makes DIR/seed-NN, one good message per place of
// fuzz_gm.c. Run by hand when a place is added.
#include "tests/unit/unit.h"

#include "tests/unit/gm/world.h"

static int n_written;

static void seed(const char *dir, uint8_t place, int type, struct bytes b)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/seed-%02d", dir, n_written++);
	f = fopen(path, "wb");
	if (!f) {
		perror(path);
		exit(1);
	}
	fputc(place, f);
	if (type >= 0)
		fputc(type, f);
	fwrite(b.p, 1, b.len, f);
	fclose(f);
}

static void pushes(const char *dir, struct test_ks *k)
{
	const struct gdoi_gap gap = { .has_atd = true, .has_dtd = true, .atd_s = 5, .dtd_s = 9 };
	static struct test_push p;
	struct isakmp_delete d[2];
	struct test_kek next;
	uint8_t spi[4];

	test_kek_make(&next, &k->rng, "REKEY");
	test_push_begin(&p, &k->kek);
	test_push_body(&p, k, 6, &gap, k->n_teks, k->tek, NULL);
	seed(dir, 1, -1, BYTES(p.buf + ISAKMP_HDR_LEN, p.w.len - ISAKMP_HDR_LEN));
	test_push_begin(&p, &k->kek);
	test_push_body(&p, k, 7, NULL, 1, k->tek, &next);
	seed(dir, 1, -1, BYTES(p.buf + ISAKMP_HDR_LEN, p.w.len - ISAKMP_HDR_LEN));
	d[0] = gdoi_delete_teks(GDOI_PROTO_ESP, NULL, 0, spi);
	d[1] = gdoi_delete_kek(NULL);
	test_push_begin(&p, &k->kek);
	gdoi_seq_encode(&p.c, 8);
	isakmp_delete_encode(&p.c, &d[0]);
	isakmp_delete_encode(&p.c, &d[1]);
	seed(dir, 1, -1, BYTES(p.buf + ISAKMP_HDR_LEN, p.w.len - ISAKMP_HDR_LEN));
}

// Message 2 is nonce and SA, message 4 SEQ and KD: taken from a PUSH, which has both.
static void pulls(const char *dir, struct test_ks *k)
{
	static struct test_push p;
	static uint8_t buf[TKS_DGRAM];
	struct isakmp_chain c;
	struct rd_err err = { NULL };
	const uint8_t nonce[4 + 16] = { ISAKMP_PL_SA, 0, 0, 20, 1, 2, 3 };
	struct bytes sa, kd;

	test_push_begin(&p, &k->kek);
	test_push_body(&p, k, 3, NULL, k->n_teks, k->tek, &k->kek);
	wr_patch8(&p.w, p.c.next_at, ISAKMP_PL_NONE);
	if (!isakmp_chain_decode(BYTES(p.buf + ISAKMP_HDR_LEN, p.w.len - ISAKMP_HDR_LEN),
				 GDOI_PL_SEQ, 0, &c, &err))
		abort();
	sa = isakmp_chain_find(&c, ISAKMP_PL_SA, 0)->whole;
	kd = isakmp_chain_find(&c, GDOI_PL_KD, 0)->whole;
	memcpy(buf, nonce, sizeof(nonce));
	memcpy(buf + sizeof(nonce), sa.p, sa.len);
	buf[sizeof(nonce)] = ISAKMP_PL_NONE;
	seed(dir, 2, ISAKMP_PL_NONCE, BYTES(buf, sizeof(nonce) + sa.len));
	memcpy(buf, c.pl[0].whole.p, c.pl[0].whole.len);
	buf[0] = GDOI_PL_KD;
	memcpy(buf + c.pl[0].whole.len, kd.p, kd.len);
	seed(dir, 3, GDOI_PL_SEQ, BYTES(buf, c.pl[0].whole.len + kd.len));
}

// Message 4 that a member takes: the key of the policy of fuzz_gm.c, two sender ids, no KEK.
static void good_4(const char *dir, const struct test_ks *k)
{
	static struct gdoi_kd kd;
	static uint8_t buf[TKS_DGRAM];
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	kd.n_tek = 1;
	kd.tek[0] = (struct gdoi_kd_tek){ .spi = 0x1111, .alg_key = BYTES(k->tek[0].key, 20) };
	kd.has_sid = true;
	kd.sid = (struct gdoi_kd_sid){ .bits = 24, .n = 2, .sid = { 5, 6 } };
	wr_init(&w, buf, sizeof(buf));
	gdoi_kd_encode(&k->conf.wire, &c, &kd);
	seed(dir, 3, GDOI_PL_KD | 0x80, BYTES(buf, w.len));
}

int main(int argc, char **argv)
{
	static struct signer signer;
	static struct test_ks k;
	const mono_t start = { 0 };

	if (argc != 2 || crypto_init() < 0)
		return 2;
	signer_init(&signer);
	if (signer_generate(&signer, "REKEY", SIGN_RSA, 2048) < 0)
		return 1;
	test_ks_init(&k, &signer, "10.0.0.1", start);
	test_ks_tek(&k, "esp-gcm 128", 0x2222, 3600, 1, 2);
	test_ks_tek(&k, "esp-256-aes esp-sha256-hmac", 0x3333, 3600, 2, 1);
	pushes(argv[1], &k);
	pulls(argv[1], &k);
	good_4(argv[1], &k);
	test_ks_fini(&k);
	signer_fini(&signer);
	return 0;
}
