// Items that carry wrapping keys and signing keys, as another key server tells them: first octet 0
// a WRAP item's body, 1 the name of a SIGN item, else its body.
#include "common/crypto/crypto.h"
#include "ks/share.h"
#include "tests/fuzz/fuzz.h"

static const struct hpke_key *ours(void)
{
	static struct hpke_key k;

	if (k.private.len == 0)
		BUG_ON(crypto_init() != 0 || hpke_key_new(&k) != 0);
	return &k;
}

static void wrap(struct bytes in)
{
	uint8_t public[HPKE_PUBLIC_LEN], again[SHARE_WRAP_LEN];
	struct rd_err err = { NULL };
	struct hpke_key k = { 0 };

	if (!share_wrap_decode(in, public, &err)) {
		BUG_ON(!err.why);
		return;
	}
	memcpy(k.public, public, sizeof(public));
	share_wrap_encode(&k, again);
	BUG_ON(!bytes_eq(in, BYTES_OF(again)));
}

static void name(struct bytes in)
{
	uint8_t again[SHARE_NAME_LEN];
	struct rd_err err = { NULL };
	struct share_way w;

	if (!share_name_decode(in, &w, &err)) {
		BUG_ON(!err.why);
		return;
	}
	share_name_encode(&w, again);
	BUG_ON(!bytes_eq(in, BYTES_OF(again)));
}

// To us, as its head says: then what is behind it is opened.
static void sign(struct bytes in)
{
	uint8_t body[SHARE_SIGN_MAX + 1];
	struct share_way w = { .group = 1 };
	struct signer s;

	if (in.len > sizeof(body) - SHARE_FP_LEN - 1)
		return;
	body[0] = 1;
	share_fingerprint(BYTES(ours()->public, HPKE_PUBLIC_LEN), body + 1);
	if (in.len > 0)
		memcpy(body + 1 + SHARE_FP_LEN, in.p, in.len);
	signer_init(&s);
	BUG_ON(share_sign_open(&s, &w, ours(), in) == 0);
	BUG_ON(share_sign_open(&s, &w, ours(), BYTES(body, 1 + SHARE_FP_LEN + in.len)) == 0);
	signer_fini(&s);
}

void fuzz_one(struct bytes input)
{
	if (input.len < 1)
		return;
	if (input.p[0] == 0)
		wrap(BYTES(input.p + 1, input.len - 1));
	else if (input.p[0] == 1)
		name(BYTES(input.p + 1, input.len - 1));
	else
		sign(BYTES(input.p + 1, input.len - 1));
}
