#include "dataplane/esp_fmt.h"

#include <string.h>

#define ECN_MASK     3u
#define ECN_CE	     3u
#define OUTER_TTL    64u
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

size_t esp_trailer_len(const struct esp_suite *s, size_t len)
{
	size_t mask = (size_t)s->align - 1;

	return ((len + 2 + mask) & ~mask) - len;
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

// Sum of the outer header from its values: reading back what was just written in pieces would
// stall.
static uint16_t outer_sum(const struct ip4 *ip, size_t len, uint16_t id)
{
	uint32_t sum = 0x4500u + ip->tos + (uint32_t)len + id + (ip->frag & IP4_DF) +
		       (OUTER_TTL << 8 | IP4_ESP) + (ip->src >> 16) + (ip->src & 0xffff) +
		       (ip->dst >> 16) + (ip->dst & 0xffff);

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

void esp_head_put(uint8_t *out, const struct ip4 *ip, size_t outer_len, uint16_t id, uint32_t spi,
		  uint32_t seq)
{
	out[0] = 0x45;
	out[1] = ip->tos;
	be16_put(out + 2, (uint32_t)outer_len);
	be16_put(out + 4, id);
	be16_put(out + 6, ip->frag & IP4_DF);
	out[8] = OUTER_TTL;
	out[9] = IP4_ESP;
	be16_put(out + 10, outer_sum(ip, outer_len, id));
	be32_put(out + 12, ip->src);
	be32_put(out + 16, ip->dst);
	be32_put(out + IP4_HLEN, spi);
	be32_put(out + IP4_HLEN + 4, seq);
}

void esp_trailer_put(uint8_t *end, size_t trailer_len)
{
	size_t pad = trailer_len - 2;

	for (size_t i = 0; i < pad; i++)
		end[i] = (uint8_t)(i + 1);
	end[pad] = (uint8_t)pad;
	end[pad + 1] = IP4_IPIP;
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

void esp_iv_put(uint8_t iv[8], const struct esp_iv_space *s, uint64_t counter)
{
	uint64_t v = s->base | counter;

	be32_put(iv, (uint32_t)(v >> 32));
	be32_put(iv + 4, (uint32_t)v);
}

void esp_nonce_put(uint8_t nonce[ESP_NONCE_LEN], const uint8_t salt[ESP_SALT_LEN],
		   const uint8_t iv[8])
{
	memcpy(nonce, salt, ESP_SALT_LEN);
	memcpy(nonce + ESP_SALT_LEN, iv, 8);
}
