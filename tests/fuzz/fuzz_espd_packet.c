// What espd reads from strangers' packets. The first two octets choose the suite, whether header
// checksums are put right, and an MTU; the rest is one frame's IPv4 part, in a block of exactly its
// size.
#include <stdlib.h>
#include <string.h>

#include "dataplane/esp_fmt.h"
#include "tests/fuzz/fuzz.h"

static void cut(const uint8_t *b, const struct ip4 *ip, size_t mtu)
{
	uint8_t *out = malloc(mtu);
	struct ip4_cutter c;
	struct ip4 f;
	size_t n, sum = 0;

	ip4_cut_start(&c, b, ip, mtu);
	while ((n = ip4_cut_next(&c, out))) {
		if (n > mtu || ip4_parse(out, n, &f) != IP4_GOOD)
			abort();
		sum += (size_t)(f.len - f.hlen);
	}
	if (sum != (size_t)(ip->len - ip->hlen))
		abort();
	free(out);
}

// A fuzzer does not find checksums by itself.
static void checksum(uint8_t *b, size_t len)
{
	size_t hlen = len > 0 ? (size_t)(b[0] & 0xf) * 4 : 0;

	if (hlen >= IP4_HLEN && hlen <= len)
		ip4_set_checksum(b, hlen);
}

static void as_esp(const struct esp_suite *s, uint8_t *b, const struct ip4 *ip)
{
	size_t text = esp_text_len(s, (size_t)(ip->len - ip->hlen)), inner_len;
	uint8_t *p = b + ip->hlen + ESP_HLEN + s->iv_len;
	struct ip4 inner;

	if (text == 0 || esp_trailer_check(p, text, &inner_len) != ESP_GOOD)
		return;
	checksum(p, inner_len);
	if (ip4_parse(p, inner_len, &inner) == IP4_GOOD)
		(void)esp_ecn_merge(p, &inner, ip->tos);
}

void fuzz_one(struct bytes input)
{
	uint8_t *b, *icmp;
	struct ip4 ip;
	size_t len;

	if (input.len < 2)
		return;
	len = input.len - 2;
	b = malloc(len ? len : 1);
	memcpy(b, input.p + 2, len);
	if (input.p[0] & 0x80)
		checksum(b, len);
	if (ip4_parse(b, len, &ip) == IP4_GOOD) {
		as_esp(esp_suite_get(1 + input.p[0] % 4), b, &ip);
		if (ip4_may_answer(b, &ip)) {
			icmp = malloc(IP4_ICMP_MAX);
			(void)ip4_icmp_error(icmp, b, &ip, 1, ICMP_UNREACH, ICMP_TOO_BIG, 1400);
			free(icmp);
		}
		// Offsets near the end wrap: the parser leaves those to the receiver.
		if ((ip.frag & IP4_OFF_MASK) == 0)
			cut(b, &ip, 68 + (size_t)input.p[1] * 8);
	}
	free(b);
}
