#include "common/ike/keylog.h"

#if CONCLAVE_KEYLOG
static void hex(FILE *f, const char *name, struct bytes b)
{
	fprintf(f, "\"%s\":\"", name);
	for (size_t i = 0; i < b.len; i++)
		fprintf(f, "%02x", b.p[i]);
	fputc('"', f);
}

static void end(FILE *f)
{
	fputs("}\n", f);
	fflush(f);
}

void keylog_ike(FILE *f, const struct ike_keylog *k)
{
	if (!f)
		return;
	fputc('{', f);
	hex(f, "cky_i", BYTES(k->cky_i, 8));
	fputc(',', f);
	hex(f, "cky_r", BYTES(k->cky_r, 8));
	fputc(',', f);
	hex(f, "skeyid", BYTES(k->skeyid->b, k->skeyid->len));
	fputc(',', f);
	hex(f, "skeyid_a", BYTES(k->skeyid_a->b, k->skeyid_a->len));
	fputc(',', f);
	hex(f, "skeyid_e", BYTES(k->skeyid_e->b, k->skeyid_e->len));
	end(f);
}

void keylog_kek(FILE *f, struct bytes spi, const char *alg, struct bytes iv,
		const struct secret *key)
{
	if (!f)
		return;
	fputc('{', f);
	hex(f, "kek_spi", spi);
	fprintf(f, ",\"alg\":\"%s\",", alg);
	hex(f, "iv", iv);
	fputc(',', f);
	hex(f, "key", BYTES(key->b, key->len));
	end(f);
}

void keylog_tek(FILE *f, uint32_t spi, const char *alg, struct bytes key)
{
	if (!f)
		return;
	fprintf(f, "{\"tek_spi\":\"%08x\",\"alg\":\"%s\",", spi, alg);
	hex(f, "key", key);
	end(f);
}
#endif
