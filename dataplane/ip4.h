// dataplane/ip4.h - IPv4 as bytes: check a header, cut a packet into fragments, answer with ICMP.
// Owns:   nothing; works on the octets it is handed.
// From:   worker.c, esp_in.c, esp_out.c.
// Spec:   RFC 791, RFC 792, RFC 1191, RFC 1812 4.3.2, RFC 1858.
// Always: every length is checked against what was received.   Never: rte_*, allocation, logs.
#pragma once
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IP4_HLEN      20u
#define IP4_HLEN_MAX  60u
#define IP4_DF	      0x4000u
#define IP4_MF	      0x2000u
#define IP4_OFF_MASK  0x1fffu
#define IP4_ICMP_MAX  576u // longest ICMP error, RFC 1812 4.3.2.3
#define IP4_ESP	      50u
#define IP4_IGMP      2u
#define IP4_IPIP      4u
#define ICMP_UNREACH  3u
#define ICMP_NO_ROUTE 0u
#define ICMP_TOO_BIG  4u
#define ICMP_EXPIRED  11u

// What one look at a packet tells. Addresses and ports in host order.
struct ip4 {
	uint32_t src, dst;
	uint16_t len;	       // total length of the packet
	uint16_t frag;	       // flags and offset
	uint16_t sport, dport; // 0 where the protocol has none
	uint8_t hlen, proto, tos, ttl;
	bool opaque; // the protocol has ports, but not in this fragment
};

enum ip4_bad { IP4_GOOD, IP4_SHORT, IP4_HEADER, IP4_CHECKSUM, IP4_MARTIAN };

static inline uint16_t be16_get(const uint8_t *b)
{
	uint16_t v;

	memcpy(&v, b, sizeof(v));
	return be16toh(v);
}

static inline uint32_t be32_get(const uint8_t *b)
{
	uint32_t v;

	memcpy(&v, b, sizeof(v));
	return be32toh(v);
}

static inline void be16_put(uint8_t *b, uint32_t v)
{
	uint16_t n = htobe16((uint16_t)v);

	memcpy(b, &n, sizeof(n));
}

static inline void be32_put(uint8_t *b, uint32_t v)
{
	v = htobe32(v);
	memcpy(b, &v, sizeof(v));
}

// b holds len octets that claim to be an IPv4 packet; more than its total length may be there.
enum ip4_bad ip4_parse(const uint8_t *b, size_t len, struct ip4 *out);

uint16_t ip4_sum(const uint8_t *b, size_t len); // Internet checksum, ready to store big-endian
void ip4_set_checksum(uint8_t *hdr, size_t hlen);

// Checksum follows, RFC 1624.
static inline void ip4_ttl_dec(uint8_t *hdr)
{
	uint32_t sum = be16_get(hdr + 10) + 0x100u;

	hdr[8]--;
	be16_put(hdr + 10, (sum & 0xffff) + (sum >> 16));
}

static inline bool ip4_is_fragment(const struct ip4 *ip)
{
	return (ip->frag & (IP4_MF | IP4_OFF_MASK)) != 0;
}

// Multicast or limited broadcast.
static inline bool ip4_is_group(uint32_t addr)
{
	return addr >> 28 == 0xe || addr == 0xffffffff;
}

// IGMP as RFC 3376 4 has it: to a group address, TTL 1, so that no router passes it on.
bool ip4_is_igmp(const struct ip4 *ip);

// Fragments of a packet, in order; options that must be copied are (RFC 791 3.1).
struct ip4_cutter {
	const uint8_t *pkt;
	struct ip4 ip;
	size_t done; // octets of payload already cut off
	size_t mtu;
};

void ip4_cut_start(struct ip4_cutter *c, const uint8_t *pkt, const struct ip4 *ip, size_t mtu);
// Writes the next fragment, at most mtu octets; returns its length, 0 after the last one.
// out has room for mtu octets.
size_t ip4_cut_next(struct ip4_cutter *c, uint8_t *out);

// The packet that an ICMP error is about, as far as it is quoted: addresses, protocol, ports (opaque
// when they are not there). Its checksum is not looked at. False when pkt is no ICMP error or quotes
// no IPv4 header.
bool ip4_icmp_quoted(const uint8_t *pkt, const struct ip4 *ip, struct ip4 *out);

// May an ICMP error answer this packet? (not errors, later fragments, groups, no-one)
bool ip4_may_answer(const uint8_t *pkt, const struct ip4 *ip);
// Writes the ICMP error about pkt, from src; out has room for IP4_ICMP_MAX. Returns its length.
size_t ip4_icmp_error(uint8_t *out, const uint8_t *pkt, const struct ip4 *ip, uint32_t src,
		      uint8_t type, uint8_t code, uint16_t mtu);
