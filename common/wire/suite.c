#include "common/wire/suite.h"

#include <stdio.h>
#include <string.h>

// ---- rekey SA ----

static const struct suite_kek keks[] = {
	{ "aes 128", GDOI_KEK_AES, 128, 16, 16, false },
	{ "aes 192", GDOI_KEK_AES, 192, 24, 16, false },
	{ "aes 256", GDOI_KEK_AES, 256, 32, 16, false },
	{ "3des", GDOI_KEK_3DES, 0, 24, 8, true },
	{ "des", GDOI_KEK_DES, 0, 8, 8, true },
};

// ---- data SAs ----

// name, protocol, transform, key bits, authentication; octets of algorithm key, salt,
// integrity key, IV, ICV; aead, counter IV, weak (0 or 1).
#define E(x) GDOI_PROTO_ESP, ESP_##x
#define A(x) GDOI_PROTO_AH, AH_##x
#define M(x) IPSEC_AUTH_HMAC_##x
#define G(x) IPSEC_AUTH_AES_##x##_GMAC
// clang-format off
static const struct suite_tek teks[] = {
	{ "esp-gcm 128",                 E(AES_GCM_16),    128, 0,         20, 4, 0,  8,  16, 1, 1, 0 },
	{ "esp-gcm 192",                 E(AES_GCM_16),    192, 0,         28, 4, 0,  8,  16, 1, 1, 0 },
	{ "esp-gcm 256",                 E(AES_GCM_16),    256, 0,         36, 4, 0,  8,  16, 1, 1, 0 },
	{ "esp-gmac 128",                E(NULL_AES_GMAC), 128, 0,         20, 4, 0,  8,  16, 1, 1, 0 },
	{ "esp-gmac 192",                E(NULL_AES_GMAC), 192, 0,         28, 4, 0,  8,  16, 1, 1, 0 },
	{ "esp-gmac 256",                E(NULL_AES_GMAC), 256, 0,         36, 4, 0,  8,  16, 1, 1, 0 },
	{ "esp-aes esp-sha256-hmac",     E(AES_CBC),       128, M(SHA256), 16, 0, 32, 16, 16, 0, 0, 0 },
	{ "esp-192-aes esp-sha256-hmac", E(AES_CBC),       192, M(SHA256), 24, 0, 32, 16, 16, 0, 0, 0 },
	{ "esp-256-aes esp-sha256-hmac", E(AES_CBC),       256, M(SHA256), 32, 0, 32, 16, 16, 0, 0, 0 },
	{ "esp-aes esp-sha384-hmac",     E(AES_CBC),       128, M(SHA384), 16, 0, 48, 16, 24, 0, 0, 0 },
	{ "esp-192-aes esp-sha384-hmac", E(AES_CBC),       192, M(SHA384), 24, 0, 48, 16, 24, 0, 0, 0 },
	{ "esp-256-aes esp-sha384-hmac", E(AES_CBC),       256, M(SHA384), 32, 0, 48, 16, 24, 0, 0, 0 },
	{ "esp-aes esp-sha512-hmac",     E(AES_CBC),       128, M(SHA512), 16, 0, 64, 16, 32, 0, 0, 0 },
	{ "esp-192-aes esp-sha512-hmac", E(AES_CBC),       192, M(SHA512), 24, 0, 64, 16, 32, 0, 0, 0 },
	{ "esp-256-aes esp-sha512-hmac", E(AES_CBC),       256, M(SHA512), 32, 0, 64, 16, 32, 0, 0, 0 },
	{ "esp-aes esp-sha-hmac",        E(AES_CBC),       128, M(SHA1),   16, 0, 20, 16, 12, 0, 0, 1 },
	{ "esp-192-aes esp-sha-hmac",    E(AES_CBC),       192, M(SHA1),   24, 0, 20, 16, 12, 0, 0, 1 },
	{ "esp-256-aes esp-sha-hmac",    E(AES_CBC),       256, M(SHA1),   32, 0, 20, 16, 12, 0, 0, 1 },
	{ "esp-3des esp-sha-hmac",       E(3DES),          0,   M(SHA1),   24, 0, 20, 8,  12, 0, 0, 1 },
	{ "esp-3des esp-md5-hmac",       E(3DES),          0,   M(MD5),    24, 0, 16, 8,  12, 0, 0, 1 },
	{ "esp-null esp-sha256-hmac",    E(NULL),          0,   M(SHA256), 0,  0, 32, 0,  16, 0, 0, 0 },
	{ "esp-null esp-sha-hmac",       E(NULL),          0,   M(SHA1),   0,  0, 20, 0,  12, 0, 0, 1 },
	{ "ah-sha256-hmac",              A(SHA256),        0,   M(SHA256), 0,  0, 32, 0,  16, 0, 0, 0 },
	{ "ah-sha384-hmac",              A(SHA384),        0,   M(SHA384), 0,  0, 48, 0,  24, 0, 0, 0 },
	{ "ah-sha512-hmac",              A(SHA512),        0,   M(SHA512), 0,  0, 64, 0,  32, 0, 0, 0 },
	{ "ah-sha-hmac",                 A(SHA1),          0,   M(SHA1),   0,  0, 20, 0,  12, 0, 0, 1 },
	{ "ah-md5-hmac",                 A(MD5),           0,   M(MD5),    0,  0, 16, 0,  12, 0, 0, 1 },
	{ "ah-gmac 128",                 A(AES_128_GMAC),  0,   G(128),    0,  4, 20, 8,  16, 0, 1, 0 },
	{ "ah-gmac 192",                 A(AES_192_GMAC),  0,   G(192),    0,  4, 28, 8,  16, 0, 1, 0 },
	{ "ah-gmac 256",                 A(AES_256_GMAC),  0,   G(256),    0,  4, 36, 8,  16, 0, 1, 0 },
};
// clang-format on

// ---- lookups ----

const struct suite_kek *suite_kek_named(const char *name)
{
	for (size_t i = 0; i < N_ELEMS(keks); i++) {
		if (strcmp(keks[i].name, name) == 0)
			return &keks[i];
	}
	return NULL;
}

static bool is_aes(const struct gdoi_sat *sat)
{
	return sat->proto == GDOI_PROTO_ESP &&
	       (sat->transform == ESP_AES_CBC || sat->transform == ESP_AES_GCM_16 ||
		sat->transform == ESP_NULL_AES_GMAC);
}

const struct suite_tek *suite_tek_find(const struct gdoi_sat *sat)
{
	uint16_t key_bits = sat->key_bits == 0 && is_aes(sat) ? 128 : sat->key_bits;

	for (size_t i = 0; i < N_ELEMS(teks); i++) {
		if (teks[i].proto == sat->proto && teks[i].transform == sat->transform &&
		    teks[i].key_bits == key_bits && teks[i].auth == sat->auth)
			return &teks[i];
	}
	return NULL;
}

// AES-CBC with long keys is the one family that shows and types differently.
static const struct {
	const char *shown, *typed;
} spellings[] = {
	{ "esp-192-aes ", "esp-aes 192 " },
	{ "esp-256-aes ", "esp-aes 256 " },
};

const char *suite_tek_words(const struct suite_tek *s, char buf[SUITE_TEK_STRLEN])
{
	snprintf(buf, SUITE_TEK_STRLEN, "%s", s->name);
	for (size_t i = 0; i < N_ELEMS(spellings); i++) {
		size_t n = strlen(spellings[i].shown);

		if (strncmp(s->name, spellings[i].shown, n) == 0)
			snprintf(buf, SUITE_TEK_STRLEN, "%s%s", spellings[i].typed, s->name + n);
	}
	return buf;
}

// "esp-aes 128 …" is the same as "esp-aes …", and people write both.
static bool is_default_spelled_out(const struct suite_tek *s, const char *words, const char *text)
{
	static const char plain[] = "esp-aes ", spelled[] = "esp-aes 128 ";

	return s->key_bits == 128 && strncmp(words, plain, strlen(plain)) == 0 &&
	       strncmp(text, spelled, strlen(spelled)) == 0 &&
	       strcmp(words + strlen(plain), text + strlen(spelled)) == 0;
}

const struct suite_tek *suite_tek_named(const char *name_or_words)
{
	char words[SUITE_TEK_STRLEN];

	for (size_t i = 0; i < N_ELEMS(teks); i++) {
		if (strcmp(teks[i].name, name_or_words) == 0 ||
		    strcmp(suite_tek_words(&teks[i], words), name_or_words) == 0 ||
		    is_default_spelled_out(&teks[i], words, name_or_words))
			return &teks[i];
	}
	return NULL;
}

const struct suite_tek *suite_tek_row(size_t i)
{
	return i < N_ELEMS(teks) ? &teks[i] : NULL;
}

void suite_tek_to_sat(const struct suite_tek *s, struct gdoi_sat *sat)
{
	sat->proto = s->proto;
	sat->transform = s->transform;
	sat->key_bits = s->key_bits;
	sat->auth = s->auth;
}
