// What a CMP server answers to an ir. The first octet says how many of the following are the first
// answer (in 16ths of the input); the rest is the answer to what comes after it.
#include <stdlib.h>

#include "common/crypto/cmp.h"
#include "common/crypto/crypto.h"
#include "common/crypto/pkcs12.h"
#include "tests/fuzz/fuzz.h"

struct answers {
	struct bytes part[2];
	unsigned n;
};

static int answer(void *arg, struct bytes message, uint8_t **b, size_t *len, char *why, size_t size)
{
	struct answers *a = arg;

	(void)message;
	if (a->n == N_ELEMS(a->part)) {
		snprintf(why, size, "no more");
		return -EIO;
	}
	*len = a->part[a->n].len;
	*b = malloc(*len + 1);
	if (!*b)
		abort();
	memcpy(*b, a->part[a->n].p, *len);
	a->n++;
	return 0;
}

void fuzz_one(struct bytes input)
{
	static const struct trust_conf conf = { 0 };
	static struct secret secret;
	static struct trust *trust;
	static char *key;
	static size_t key_len;
	struct answers a = { .n = 0 };
	struct cmp_request r = { .kind = CMP_IR, .subject = "CN=gm1", .reference = "gm1" };
	char why[CMP_WHY_LEN];
	struct cmp *c;
	int wait_s;

	if (!key && (crypto_init() || trust_new(&conf, &trust) || secret_set(&secret, "s", 1) ||
		     pki_key_new(SIGN_ECDSA_P256, 0, &key, &key_len)))
		abort();
	if (input.len < 1)
		return;
	a.part[0] = BYTES(input.p + 1, (input.len - 1) * (input.p[0] % 17u) / 16);
	a.part[1] = BYTES(input.p + 1 + a.part[0].len, input.len - 1 - a.part[0].len);
	r.trust = trust;
	r.secret = &secret;
	r.key = BYTES(key, key_len);
	r.exchange = answer;
	r.arg = &a;
	if (cmp_new(&r, &c, why))
		abort();
	// nobody who does not know the secret gets through
	if (cmp_go_on(c, 1800000000, &wait_s) == CMP_DONE || !cmp_why(c)[0])
		abort();
	cmp_free(c);
}
