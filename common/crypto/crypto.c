#include "common/crypto/crypto.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "common/crypto/crypto_int.h"

struct crypto_algs crypto_algs;

int crypto_init(void)
{
	int err;

	if (crypto_algs.ready)
		return 0;
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
		return -ENOTSUP;
	err = prf_init();
	if (err == 0)
		err = cipher_init();
	if (err == 0)
		err = aead_init();
	if (err == 0)
		err = dh_init();
	crypto_algs.ready = err == 0;
	return err;
}

static void drbg_fill(struct rng *r, void *buf, size_t len)
{
	(void)r;
	if (RAND_priv_bytes_ex(NULL, buf, len, 0) != 1)
		BUG("the random generator failed");
}

void crypto_rng_init(struct rng *r)
{
	*r = (struct rng){ .fill = drbg_fill };
}
