// Where public keys and certificates are read: a library context of OpenSSL whose provider knows
// RSA and EC keys as SubjectPublicKeyInfo, and nothing else to decode. OpenSSL 3.0 builds a list of
// all decoders and all kinds of keys for each certificate; with the default provider, once TLS and
// others are in use, that takes 170 us, here it takes 20 to 50. And what strangers send reaches no
// decoder that we have no use for.
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/provider.h>

#include "common/crypto/crypto_int.h"

#define KINDS_MAX    4
#define DECODERS_MAX 8

static struct {
	OSSL_PROVIDER *whole; // the default one: everything is done by it
	OSSL_ALGORITHM keymgmt[KINDS_MAX + 1], decoder[DECODERS_MAX + 1];
} few;

// The usual name stands first, others may follow behind colons.
static bool is_wanted(const OSSL_ALGORITHM *a)
{
	size_t len = strcspn(a->algorithm_names, ":");

	return (len == 3 && strncmp(a->algorithm_names, "RSA", len) == 0) ||
	       (len == 2 && strncmp(a->algorithm_names, "EC", len) == 0);
}

static bool reads_spki(const OSSL_ALGORITHM *a)
{
	return strstr(a->property_definition, "input=der") &&
	       strstr(a->property_definition, "structure=SubjectPublicKeyInfo");
}

static bool pick(int operation, OSSL_ALGORITHM *out, size_t max)
{
	int no_cache;
	const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(few.whole, operation, &no_cache);
	size_t n = 0;

	for (; a && a->algorithm_names; a++) {
		if (!is_wanted(a) || (operation == OSSL_OP_DECODER && !reads_spki(a)))
			continue;
		if (n == max)
			return false;
		out[n++] = *a;
	}
	return n >= 2;
}

static const OSSL_ALGORITHM *query(void *ctx, int operation, int *no_cache)
{
	(void)ctx;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT:
		return few.keymgmt;
	case OSSL_OP_DECODER:
		return few.decoder;
	case OSSL_OP_DIGEST:
	case OSSL_OP_ENCODER:
	case OSSL_OP_SIGNATURE:
		return OSSL_PROVIDER_query_operation(few.whole, operation, no_cache);
	default:
		return NULL;
	}
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
			 const OSSL_DISPATCH **out, void **ctx)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
		{ 0, NULL },
	};

	(void)handle;
	(void)in;
	*out = functions;
	*ctx = OSSL_PROVIDER_get0_provider_ctx(few.whole);
	return 1;
}

int pub_ctx_init(void)
{
	OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();

	few.whole = OSSL_PROVIDER_load(NULL, "default");
	if (!ctx || !few.whole || !pick(OSSL_OP_KEYMGMT, few.keymgmt, KINDS_MAX) ||
	    !pick(OSSL_OP_DECODER, few.decoder, DECODERS_MAX) ||
	    !OSSL_PROVIDER_add_builtin(ctx, "conclave-public", provider_init) ||
	    !OSSL_PROVIDER_load(ctx, "conclave-public")) {
		OSSL_LIB_CTX_free(ctx);
		return -ENOTSUP;
	}
	crypto_algs.public = ctx;
	return 0;
}
