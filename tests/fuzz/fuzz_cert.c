// A peer's certificates against a trustpoint. The input is a row of chunks, each after two octets
// of length: the CA (PEM), a CRL, an OCSP answer, an identity (type first), then certificates as
// CERT payloads bring them.
#include <stdlib.h>

#include "common/base/bytes.h"
#include "common/crypto/crypto.h"
#include "common/crypto/dn.h"
#include "common/crypto/trust.h"
#include "tests/fuzz/fuzz.h"

#define NOW ((int64_t)1800000000)

static struct bytes chunk(struct bytes *in)
{
	struct bytes out = { in->p, 0 };
	size_t len;

	if (in->len < 2)
		return out;
	len = (size_t)(in->p[0] << 8 | in->p[1]);
	out = BYTES(in->p + 2, MIN_OF(len, in->len - 2));
	in->p = out.p + out.len;
	in->len -= out.len + 2;
	return out;
}

static void judge(struct trust *t, struct cert *const *c, size_t n, struct bytes ocsp)
{
	struct trust_path *path;
	struct trust_need *need = NULL;

	if (trust_path(t, NOW, c, n, 0, &path, NULL) == CERT_R_OK &&
	    trust_status(t, NOW, path, &need, NULL) == CERT_R_STATUS_WANTED &&
	    trust_answer(t, NOW, need, ocsp) == CERT_R_OK) {
		trust_need_free(need);
		(void)trust_status(t, NOW, path, &need, NULL);
	}
	trust_need_free(need);
	trust_path_free(path);
}

static void names(const struct cert *c, struct bytes id)
{
	struct id_pattern pattern;
	const char *why;
	char text[DN_STRLEN];
	uint8_t folded[DN_FOLD_MAX];
	uint8_t own[64];
	size_t len;

	if (id.len > 0)
		(void)cert_has_id(c, id.p[0], BYTES(id.p + 1, id.len - 1));
	if (cert_id(c, CERT_ID_FQDN, own, sizeof(own), &len) == 0 && len > sizeof(own))
		abort();
	(void)dn_text(cert_subject(c), text);
	(void)dn_fold(cert_subject(c), folded);
	if (id_pattern_parse("ou=branch, cn=gm*", &pattern, &why) == 0)
		(void)id_pattern_match(&pattern, CERT_ID_DN, cert_subject(c));
}

void fuzz_one(struct bytes input)
{
	static const struct trust_conf conf = { 2, { TRUST_CRL, TRUST_OCSP }, "", "" };
	struct bytes in = input, ca = chunk(&in), crl = chunk(&in), ocsp = chunk(&in),
		     id = chunk(&in);
	struct cert *c[TRUST_MAX_PATH];
	size_t n = 0;
	struct trust *t;
	enum cert_reason why;

	if (crypto_init() || trust_new(&conf, &t))
		return;
	if (trust_add_ca(t, ca, &why) == 0 && trust_add_crl(t, crl) == 0)
		(void)trust_crls(t, NULL, 0);
	while (n < N_ELEMS(c) && in.len > 2) {
		if (cert_decode(chunk(&in), &c[n]) == 0)
			names(c[n++], id);
	}
	judge(t, c, n, ocsp);
	for (size_t i = 0; i < n; i++)
		cert_free(c[i]);
	trust_free(t);
}
