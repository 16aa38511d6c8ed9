#include "ks/share.h"

#include <stdio.h>

#include "common/wire/wr.h"

#define VERSION	  1
#define SIGN_HEAD (1 + SHARE_FP_LEN)
#define KEM_P256  0x0010 // RFC 9180 7.1

void share_fingerprint(struct bytes public, uint8_t fp[SHARE_FP_LEN])
{
	uint8_t digest[HASH_MAX];

	BUG_ON(hash_parts(HASH_ALG_SHA256, &public, 1, digest) != 0);
	memcpy(fp, digest, SHARE_FP_LEN);
}

void share_label(const uint8_t fp[SHARE_FP_LEN], char out[SIGNER_LABEL_MAX])
{
	size_t n = (size_t)snprintf(out, SIGNER_LABEL_MAX, "set-");

	for (size_t i = 0; i < SHARE_FP_LEN; i++, n += 2)
		snprintf(out + n, SIGNER_LABEL_MAX - n, "%02x", fp[i]);
}

void share_wrap_encode(const struct hpke_key *k, uint8_t out[SHARE_WRAP_LEN])
{
	struct wr w;

	wr_init(&w, out, SHARE_WRAP_LEN);
	wr_u8(&w, VERSION);
	wr_u16(&w, KEM_P256);
	wr_put(&w, k->public, HPKE_PUBLIC_LEN);
	BUG_ON(!wr_ok(&w));
}

bool share_wrap_decode(struct bytes body, uint8_t public[HPKE_PUBLIC_LEN], struct rd_err *err)
{
	struct rd r = rd_of(body, err);

	if (rd_u8(&r) != VERSION)
		return rd_fail(&r, "wrapping key of another version");
	if (rd_u16(&r) != KEM_P256)
		return rd_fail(&r, "wrapping key of another kind");
	rd_copy(&r, public, HPKE_PUBLIC_LEN);
	return rd_end(&r, 0);
}

void share_name_encode(const struct share_way *w, uint8_t out[SHARE_NAME_LEN])
{
	out[0] = w->to;
	memcpy(out + 1, w->fp, SHARE_FP_LEN);
}

bool share_name_decode(struct bytes key, struct share_way *out, struct rd_err *err)
{
	struct rd r = rd_of(key, err);

	out->to = rd_u8(&r);
	rd_copy(&r, out->fp, SHARE_FP_LEN);
	return rd_end(&r, 0);
}

// ---- what is sealed ----

static struct bytes bind_to(const struct share_way *w, uint8_t *buf, size_t size)
{
	struct wr wr;

	wr_init(&wr, buf, size);
	wr_bytes(&wr, BYTES_LIT("conclave coop sign"));
	wr_u8(&wr, VERSION);
	wr_u32(&wr, w->group);
	wr_u8(&wr, w->from);
	wr_u8(&wr, w->to);
	wr_put(&wr, w->fp, SHARE_FP_LEN);
	BUG_ON(!wr_ok(&wr));
	return wr_view(&wr, 0, wr.len);
}

int share_sign_seal(const struct signer *s, const struct share_way *w,
		    const uint8_t public[HPKE_PUBLIC_LEN], uint8_t out[SHARE_SIGN_MAX], size_t *len)
{
	char label[SIGNER_LABEL_MAX];
	uint8_t aad[64];
	int err;

	share_label(w->fp, label);
	out[0] = VERSION;
	share_fingerprint(BYTES(public, HPKE_PUBLIC_LEN), out + 1);
	err = signer_wrap(s, label, public, bind_to(w, aad, sizeof(aad)), out + SIGN_HEAD,
			  SHARE_SIGN_MAX - SIGN_HEAD, len);
	*len += SIGN_HEAD;
	return err;
}

bool share_sign_is_for(struct bytes body, const uint8_t public[HPKE_PUBLIC_LEN])
{
	uint8_t fp[SHARE_FP_LEN];

	share_fingerprint(BYTES(public, HPKE_PUBLIC_LEN), fp);
	return body.len > SIGN_HEAD && body.p[0] == VERSION &&
	       memcmp(body.p + 1, fp, SHARE_FP_LEN) == 0;
}

// The name is kept by what it names.
static int admit(struct signer *s, struct signer *own, const char *label, const struct share_way *w)
{
	uint8_t spki[PUBKEY_MAX], fp[SHARE_FP_LEN];
	size_t len;
	int err = signer_public(own, label, spki, sizeof(spki), &len);

	if (err)
		return err;
	share_fingerprint(BYTES(spki, len), fp);
	if (memcmp(fp, w->fp, SHARE_FP_LEN) != 0)
		return -EBADMSG;
	return signer_share(s, label, own, label);
}

int share_sign_open(struct signer *s, const struct share_way *w, const struct hpke_key *with,
		    struct bytes body)
{
	char label[SIGNER_LABEL_MAX];
	struct signer fresh;
	uint8_t aad[64];
	int err;

	share_label(w->fp, label);
	if (signer_alg(s, label, NULL) != SIGN_NONE)
		return 0;
	if (!share_sign_is_for(body, with->public))
		return -EBADMSG;
	signer_init(&fresh);
	err = signer_unwrap(&fresh, label, with, bind_to(w, aad, sizeof(aad)),
			    BYTES(body.p + SIGN_HEAD, body.len - SIGN_HEAD));
	if (!err)
		err = admit(s, &fresh, label, w);
	signer_fini(&fresh);
	return err;
}
