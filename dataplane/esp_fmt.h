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
// The ESP sequence number is the low half of that counter. A group SA has many senders, so no
// receiver can hold a sequence window against it; see docs/security.md.
//
// Spec:   RFC 4303 2, RFC 4106, RFC 6054, RFC 4868, RFC 6040.
// Always: plain C on (pointer, length).   Never: rte_*, keys, state.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/dp_api.h"
#include "dataplane/ip4.h"

#define ESP_HLEN      8u
#define ESP_ICV_LEN   16u // every suite here
#define ESP_NONCE_LEN 12u
#define ESP_SALT_LEN  4u
#define ESP_GROW_MAX  (IP4_HLEN + ESP_HLEN + 16u + 17u + ESP_ICV_LEN) // longest outer minus inner
#define ESP_HEAD_MAX  (IP4_HLEN + ESP_HLEN + 16u)
#define ESP_SPI_MIN   256u // RFC 4303 2.1: 0 to 255 are reserved

struct esp_suite {
	uint8_t iv_len, align;	   // align is a power of two
	uint8_t key_len, auth_len; // as in struct dp_sa: an AEAD key with its salt
	bool counter; // IV is a counter: uniqueness is all that matters, and it must hold
};

const struct esp_suite *esp_suite_get(unsigned suite); // NULL when unknown

// Padding, pad length and next header behind an inner packet of len octets.
size_t esp_trailer_len(const struct esp_suite *s, size_t len);
size_t esp_outer_len(const struct esp_suite *s, size_t inner);
size_t esp_inner_max(const struct esp_suite *s, size_t outer_max); // 0 when nothing fits

// The outer header and SPI, Seq at out (28 octets), for the inner packet ip.
void esp_head_put(uint8_t *out, const struct ip4 *ip, size_t outer_len, uint16_t id, uint32_t spi,
		  uint32_t seq);
void esp_trailer_put(uint8_t *end_of_inner, size_t trailer_len);

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
void esp_iv_put(uint8_t iv[8], const struct esp_iv_space *s, uint64_t counter);
void esp_nonce_put(uint8_t nonce[ESP_NONCE_LEN], const uint8_t salt[ESP_SALT_LEN],
		   const uint8_t iv[8]);

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
