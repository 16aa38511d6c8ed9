#include "dataplane/ip4.h"

#include <string.h>

#define ICMP_PROTO 1u
#define ICMP_HLEN  8u

uint16_t ip4_sum(const uint8_t *b, size_t len)
{
	uint64_t sum = 0;

	for (; len >= 2; b += 2, len -= 2)
		sum += be16_get(b);
	if (len)
		sum += (uint32_t)b[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

// Sum of a header without options, in memory order, folded but not inverted: five words, no loop.
static inline uint16_t sum20(const uint8_t *b)
{
	uint64_t a[2], sum;
	uint32_t c;

	memcpy(a, b, 16);
	memcpy(&c, b + 16, 4);
	sum = (a[0] & 0xffffffff) + (a[0] >> 32) + (a[1] & 0xffffffff) + (a[1] >> 32) + c;
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

void ip4_set_checksum(uint8_t *hdr, size_t hlen)
{
	uint16_t sum;

	memset(hdr + 10, 0, 2);
	if (hlen == IP4_HLEN) {
		sum = (uint16_t)~sum20(hdr);
		memcpy(hdr + 10, &sum, 2);
	} else {
		be16_put(hdr + 10, ip4_sum(hdr, hlen));
	}
}

static bool has_ports(uint8_t proto)
{
	// TCP, UDP, DCCP, SCTP, UDP-Lite
	return proto == 6 || proto == 17 || proto == 33 || proto == 132 || proto == 136;
}

// 0/8 and 127/8 never travel, a group cannot send. A host without an address yet may speak to
// groups (DHCP, IGMP).
static bool is_martian(uint32_t src, uint32_t dst)
{
	if (src == 0)
		return !ip4_is_group(dst);
	return src >> 24 == 0 || src >> 24 == 127 || src >> 28 >= 0xe;
}

// A fragment that ends behind the longest packet there is; cut once more, its offset would wrap.
static bool is_overlong(const struct ip4 *ip)
{
	return (ip->frag & IP4_OFF_MASK) * 8u + ip->len > UINT16_MAX;
}

enum ip4_bad ip4_parse(const uint8_t *b, size_t len, struct ip4 *out)
{
	if (len < IP4_HLEN)
		return IP4_SHORT;
	out->hlen = (uint8_t)((b[0] & 0xf) * 4);
	out->len = be16_get(b + 2);
	if (b[0] >> 4 != 4 || out->hlen < IP4_HLEN || out->hlen > out->len)
		return IP4_HEADER;
	if (out->len > len)
		return IP4_SHORT;
	if (out->hlen == IP4_HLEN ? sum20(b) != 0xffff : ip4_sum(b, out->hlen) != 0)
		return IP4_CHECKSUM;
	out->tos = b[1];
	out->frag = be16_get(b + 6);
	out->ttl = b[8];
	out->proto = b[9];
	out->src = be32_get(b + 12);
	out->dst = be32_get(b + 16);
	out->sport = out->dport = 0;
	out->opaque = false;
	if (has_ports(out->proto)) {
		out->opaque = (out->frag & IP4_OFF_MASK) != 0 || out->len < out->hlen + 4u;
		if (!out->opaque) {
			out->sport = be16_get(b + out->hlen);
			out->dport = be16_get(b + out->hlen + 2);
		}
	}
	if (is_overlong(out))
		return IP4_HEADER;
	return is_martian(out->src, out->dst) ? IP4_MARTIAN : IP4_GOOD;
}

bool ip4_is_igmp(const struct ip4 *ip)
{
	return ip->proto == IP4_IGMP && ip->ttl == 1 && ip->dst >> 28 == 0xe &&
	       !ip4_is_fragment(ip);
}

void ip4_cut_start(struct ip4_cutter *c, const uint8_t *pkt, const struct ip4 *ip, size_t mtu)
{
	*c = (struct ip4_cutter){ .pkt = pkt, .ip = *ip, .mtu = mtu };
}

// The options of a later fragment: those with the copy bit, padded to a word. A broken list ends
// where it breaks.
static size_t copied_options(const uint8_t *opt, size_t len, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len && opt[i] != 0;) {
		size_t l = opt[i] == 1 ? 1 : i + 1 < len ? opt[i + 1] : 0;

		if (l == 0 || l > len - i || (opt[i] != 1 && l < 2))
			break;
		if (opt[i] & 0x80) {
			memcpy(out + n, opt + i, l);
			n += l;
		}
		i += l;
	}
	while (n % 4)
		out[n++] = 0;
	return n;
}

size_t ip4_cut_next(struct ip4_cutter *c, uint8_t *out)
{
	size_t payload = (size_t)(c->ip.len - c->ip.hlen), left = payload - c->done;
	size_t hlen = c->ip.hlen, n;
	bool more;

	if (left == 0)
		return 0;
	if (c->done == 0) {
		memcpy(out, c->pkt, hlen);
	} else {
		memcpy(out, c->pkt, IP4_HLEN);
		hlen = IP4_HLEN +
		       copied_options(c->pkt + IP4_HLEN, c->ip.hlen - IP4_HLEN, out + IP4_HLEN);
		out[0] = (uint8_t)(0x40 | hlen / 4);
	}
	if (c->mtu < hlen + 8)
		return 0;
	n = (c->mtu - hlen) & ~(size_t)7;
	more = n < left || (c->ip.frag & IP4_MF) != 0;
	if (n > left)
		n = left;
	memcpy(out + hlen, c->pkt + c->ip.hlen + c->done, n);
	be16_put(out + 2, (uint32_t)(hlen + n));
	be16_put(out + 6,
		 (uint32_t)((c->ip.frag & IP4_OFF_MASK) + c->done / 8) | (more ? IP4_MF : 0));
	ip4_set_checksum(out, hlen);
	c->done += n;
	return hlen + n;
}

bool ip4_may_answer(const uint8_t *pkt, const struct ip4 *ip)
{
	if ((ip->frag & IP4_OFF_MASK) != 0 || ip4_is_group(ip->dst))
		return false;
	if (ip->proto != ICMP_PROTO)
		return true;
	// Echo and its kind may be answered, errors may not (RFC 1812 4.3.2.7).
	if (ip->len < ip->hlen + 1u)
		return false;
	switch (pkt[ip->hlen]) {
	case 0:
	case 8:
	case 13:
	case 14:
		return true;
	default:
		return false;
	}
}

static bool is_icmp_error(uint8_t type)
{
	// unreachable, source quench, redirect, time exceeded, parameter problem
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

// Routers on the way may have left its checksum wrong, and may have quoted little.
static void quoted_read(const uint8_t *b, size_t len, struct ip4 *out)
{
	size_t hlen = (b[0] & 0xf) * 4u;

	*out = (struct ip4){ .hlen = (uint8_t)hlen,
			     .len = be16_get(b + 2),
			     .frag = be16_get(b + 6),
			     .ttl = b[8],
			     .proto = b[9],
			     .src = be32_get(b + 12),
			     .dst = be32_get(b + 16) };
	if (!has_ports(out->proto))
		return;
	out->opaque = (out->frag & IP4_OFF_MASK) != 0 || hlen < IP4_HLEN || len < hlen + 4u;
	if (!out->opaque) {
		out->sport = be16_get(b + hlen);
		out->dport = be16_get(b + hlen + 2);
	}
}

bool ip4_icmp_quoted(const uint8_t *pkt, const struct ip4 *ip, struct ip4 *out)
{
	size_t at = ip->hlen + ICMP_HLEN;

	if (ip->proto != ICMP_PROTO || (ip->frag & IP4_OFF_MASK) != 0 || ip->len < at + IP4_HLEN ||
	    !is_icmp_error(pkt[ip->hlen]) || pkt[at] >> 4 != 4)
		return false;
	quoted_read(pkt + at, ip->len - at, out);
	return true;
}

size_t ip4_icmp_error(uint8_t *out, const uint8_t *pkt, const struct ip4 *ip, uint32_t src,
		      uint8_t type, uint8_t code, uint16_t mtu)
{
	size_t quote = ip->len, len;
	uint8_t *icmp = out + IP4_HLEN;

	if (quote > IP4_ICMP_MAX - IP4_HLEN - ICMP_HLEN)
		quote = IP4_ICMP_MAX - IP4_HLEN - ICMP_HLEN;
	len = IP4_HLEN + ICMP_HLEN + quote;
	memset(out, 0, IP4_HLEN + ICMP_HLEN);
	out[0] = 0x45;
	out[1] = 0xc0; // internetwork control, RFC 1812 4.3.2.5
	be16_put(out + 2, (uint32_t)len);
	out[8] = 64;
	out[9] = ICMP_PROTO;
	be32_put(out + 12, src);
	be32_put(out + 16, ip->src);
	ip4_set_checksum(out, IP4_HLEN);
	icmp[0] = type;
	icmp[1] = code;
	be16_put(icmp + 6, mtu);
	memcpy(icmp + ICMP_HLEN, pkt, quote);
	be16_put(icmp + 2, ip4_sum(icmp, ICMP_HLEN + quote));
	return len;
}
