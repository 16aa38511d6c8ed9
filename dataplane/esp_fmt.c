#include "dataplane/esp_fmt.h"

#include <string.h>

#define ECN_MASK     3u
#define ECN_CE	     3u
#define MIN_CTR_BITS 16u

static const struct esp_suite suites[] = {
	[DP_SUITE_AES128_GCM16] = { .iv_len = 8, .align = 4, .key_len = 20, .counter = true },
	[DP_SUITE_AES256_GCM16] = { .iv_len = 8, .align = 4, .key_len = 36, .counter = true },
	[DP_SUITE_AES128_CBC_SHA256_128] = { .iv_len = 16,
					     .align = 16,
					     .key_len = 16,
					     .auth_len = 32 },
	[DP_SUITE_AES256_CBC_SHA256_128] = { .iv_len = 16,
					     .align = 16,
					     .key_len = 32,
					     .auth_len = 32 },
};

const struct esp_suite *esp_suite_get(unsigned suite)
{
	if (suite >= sizeof(suites) / sizeof(suites[0]) || suites[suite].key_len == 0)
		return NULL;
	return &suites[suite];
}

static size_t fixed_len(const struct esp_suite *s)
{
	return IP4_HLEN + ESP_HLEN + s->iv_len + ESP_ICV_LEN;
}

size_t esp_outer_len(const struct esp_suite *s, size_t inner)
{
	return fixed_len(s) + inner + esp_trailer_len(s, inner);
}

size_t esp_inner_max(const struct esp_suite *s, size_t outer_max)
{
	size_t room;

	if (outer_max < fixed_len(s) + s->align)
		return 0;
	room = (outer_max - fixed_len(s)) & ~((size_t)s->align - 1);
	return room - 2;
}

enum esp_bad esp_trailer_check(const uint8_t *text, size_t len, size_t *inner_len)
{
	size_t pad;

	if (len < 2)
		return ESP_BAD_LEN;
	pad = text[len - 2];
	if (pad > len - 2)
		return ESP_BAD_PAD;
	for (size_t i = 0; i < pad; i++)
		if (text[len - 2 - pad + i] != i + 1)
			return ESP_BAD_PAD;
	if (text[len - 1] != IP4_IPIP)
		return ESP_BAD_NEXT;
	*inner_len = len - 2 - pad;
	return ESP_GOOD;
}

size_t esp_text_len(const struct esp_suite *s, size_t len)
{
	size_t around = ESP_HLEN + s->iv_len + ESP_ICV_LEN;

	if (len < around + s->align || ((len - around) & (s->align - 1u)) != 0)
		return 0;
	return len - around;
}

bool esp_ecn_merge(uint8_t *hdr, struct ip4 *inner, uint8_t outer_tos)
{
	if ((outer_tos & ECN_MASK) != ECN_CE || (inner->tos & ECN_MASK) == ECN_CE)
		return true;
	if ((inner->tos & ECN_MASK) == 0)
		return false;
	hdr[1] |= ECN_CE;
	inner->tos |= ECN_CE;
	ip4_set_checksum(hdr, inner->hlen);
	return true;
}

bool esp_iv_space_init(struct esp_iv_space *s, uint32_t sid, unsigned sid_bits, unsigned worker,
		       unsigned core_bits)
{
	unsigned ctr_bits;

	if (sid_bits == 0 || sid_bits > 32 || sid_bits + core_bits + MIN_CTR_BITS > 64)
		return false;
	if (sid_bits < 32 && sid >> sid_bits != 0)
		return false;
	if (core_bits > 16 || worker >> core_bits != 0)
		return false;
	ctr_bits = 64 - sid_bits - core_bits;
	s->base = (uint64_t)sid << (64 - sid_bits) | (uint64_t)worker << ctr_bits;
	s->max = ((uint64_t)1 << ctr_bits) - 1;
	return true;
}
