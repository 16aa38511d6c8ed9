// dataplane/esp_fmt.h - an ESP packet in tunnel mode with its addresses preserved, as arithmetic.
//
//   0        20   24   28     28+iv                                          n-icv     n
//   +--------+----+----+------+----------------+---------------+-----+------+----------+
//   | IPv4   |SPI |Seq | IV   | inner IPv4 … payload           | pad |pl,4  | ICV      |
//   +--------+----+----+------+----------------+---------------+-----+------+----------+
//   the outer addresses, DSCP, ECN and DF are those of the inner header
//            |<----authenticated by CBC+HMAC---------------------------------->|
//            |<-AAD of GCM->| |<--------------- encrypted -------------------->|
//
// The IV of a counter suite (RFC 6054, RFC 4106), 64 bits, most significant first:
//   |<--- sid_bits --->|<- core_bits ->|<----------- the rest ----------->|
//   | SID of this box  | worker number | counter of this worker, from 1   |
// The key server gives each sender its own SID, each worker adds its own number, and each counts:
// no two packets under one key share a nonce, and no two workers share a counter.
//
// The ESP sequence number is the low half of that counter. A group SA has many senders, so it says
// nothing to a receiver: windows.h goes by the IV.
//
// Spec:   RFC 4303 2, RFC 4106, RFC 6054, RFC 4868, RFC 6040.
// Always: plain C on (pointer, length).   Never: rte_*, keys, state.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/dp_api.h"
#include "dataplane/ip4.h"

#define ESP_HLEN      8u
#define ESP_ICV_LEN   16u // every suite here
#define ESP_NONCE_LEN 12u
#define ESP_SALT_LEN  4u
#define ESP_GROW_MAX  (IP4_HLEN + ESP_HLEN + 16u + 17u + ESP_ICV_LEN) // longest outer minus inner
#define ESP_HEAD_MAX  (IP4_HLEN + ESP_HLEN + 16u)
#define ESP_OUTER_TTL 64u
#define ESP_SPI_MIN   256u // RFC 4303 2.1: 0 to 255 are reserved

struct esp_suite {
	uint8_t iv_len, align;	   // align is a power of two
	uint8_t key_len, auth_len; // as in struct dp_sa: an AEAD key with its salt
	bool counter; // IV is a counter: uniqueness is all that matters, and it must hold
};

const struct esp_suite *esp_suite_get(unsigned suite); // NULL when unknown

// Padding, pad length and next header behind an inner packet of len octets.
static inline size_t esp_trailer_len(const struct esp_suite *s, size_t len)
{
	size_t mask = (size_t)s->align - 1;

	return ((len + 2 + mask) & ~mask) - len;
}
size_t esp_outer_len(const struct esp_suite *s, size_t inner);
size_t esp_inner_max(const struct esp_suite *s, size_t outer_max); // 0 when nothing fits

// Sum of the outer header from its values: reading back what was just written in pieces would
// stall.
static inline uint16_t esp_outer_sum(const struct ip4 *ip, size_t len, uint16_t id)
{
	uint32_t sum = 0x4500u + ip->tos + (uint32_t)len + id + (ip->frag & IP4_DF) +
		       (ESP_OUTER_TTL << 8 | IP4_ESP) + (ip->src >> 16) + (ip->src & 0xffff) +
		       (ip->dst >> 16) + (ip->dst & 0xffff);

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

// The outer header and SPI, Seq at out (28 octets), for the inner packet ip.
static inline void esp_head_put(uint8_t *out, const struct ip4 *ip, size_t outer_len, uint16_t id,
				uint32_t spi, uint32_t seq)
{
	out[0] = 0x45;
	out[1] = ip->tos;
	be16_put(out + 2, (uint32_t)outer_len);
	be16_put(out + 4, id);
	be16_put(out + 6, ip->frag & IP4_DF);
	out[8] = ESP_OUTER_TTL;
	out[9] = IP4_ESP;
	be16_put(out + 10, esp_outer_sum(ip, outer_len, id));
	be32_put(out + 12, ip->src);
	be32_put(out + 16, ip->dst);
	be32_put(out + IP4_HLEN, spi);
	be32_put(out + IP4_HLEN + 4, seq);
}

static inline void esp_trailer_put(uint8_t *end, size_t trailer_len)
{
	size_t pad = trailer_len - 2;

	for (size_t i = 0; i < pad; i++)
		end[i] = (uint8_t)(i + 1);
	end[pad] = (uint8_t)pad;
	end[pad + 1] = IP4_IPIP;
}

// Inner length of decrypted text whose trailer is well formed; 0 otherwise.
enum esp_bad { ESP_GOOD, ESP_BAD_LEN, ESP_BAD_PAD, ESP_BAD_NEXT };
enum esp_bad esp_trailer_check(const uint8_t *text, size_t len, size_t *inner_len);

// Length of the encrypted text in an ESP payload of len octets (behind the outer IP header); 0
// when no packet under this suite has that length.
size_t esp_text_len(const struct esp_suite *s, size_t len);

// ECN of the outer header into the inner (RFC 6040 4.2). False: the packet must be dropped.
bool esp_ecn_merge(uint8_t *inner_hdr, struct ip4 *inner, uint8_t outer_tos);

// The counter space of one worker under one sender id.
struct esp_iv_space {
	uint64_t base; // SID and worker number, in place
	uint64_t max;  // last counter value
};

// False when the widths leave fewer than 16 bits of counter or a value does not fit its width.
bool esp_iv_space_init(struct esp_iv_space *s, uint32_t sid, unsigned sid_bits, unsigned worker,
		       unsigned core_bits);

static inline void esp_iv_put(uint8_t iv[8], const struct esp_iv_space *s, uint64_t counter)
{
	uint64_t v = s->base | counter;

	be32_put(iv, (uint32_t)(v >> 32));
	be32_put(iv + 4, (uint32_t)v);
}

// RFC 4106 4: salt, then the IV of the packet.
struct esp_nonce {
	uint8_t b[ESP_NONCE_LEN];
};

static inline struct esp_nonce esp_nonce_of(const uint8_t salt[ESP_SALT_LEN], const uint8_t iv[8])
{
	struct esp_nonce n;

	memcpy(n.b, salt, ESP_SALT_LEN);
	memcpy(n.b + ESP_SALT_LEN, iv, 8);
	return n;
}

struct iv_count {
	struct esp_iv_space space;
	uint64_t last; // counter used last
} __attribute__((aligned(64)));

// Takes the next counter, first of all for its packet; 0 when the space is used up.
static inline uint64_t iv_next(struct iv_count *c)
{
	if (c->last >= c->space.max)
		return 0;
	__atomic_store_n(&c->last, c->last + 1, __ATOMIC_RELAXED);
	return c->last;
}
