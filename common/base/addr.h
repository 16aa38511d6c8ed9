// common/base/addr.h - IP addresses, endpoints, prefixes.
// Bytes are in network order. An IPv4 address uses the first 4 octets, the rest is zero, so two
// addresses are equal when their bytes are.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define ADDR_STRLEN	46 // INET6_ADDRSTRLEN
#define ENDPOINT_STRLEN (ADDR_STRLEN + 8)

struct addr {
	uint8_t family; // 0 (none), 4 or 6
	uint8_t b[16];
};

struct endpoint {
	struct addr addr;
	uint16_t port; // host order
};

struct prefix {
	struct addr addr; // host bits zero
	uint8_t len;
};

struct sockaddr_storage;

bool addr_eq(const struct addr *a, const struct addr *b);
int addr_cmp(const struct addr *a, const struct addr *b); // family first, then value
bool endpoint_eq(const struct endpoint *a, const struct endpoint *b);
size_t addr_len(const struct addr *a);	 // 4, 16, or 0 for none
uint8_t addr_bits(const struct addr *a); // 32, 128 or 0

struct addr addr_from_bytes(const uint8_t *b, size_t len); // len 4 or 16, else family 0
struct addr addr_from_v4(uint32_t host_order);
uint32_t addr_to_v4(const struct addr *a); // host order; family must be 4

bool addr_is_multicast(const struct addr *a);

// Text to value. -EINVAL when the text is not exactly one address or prefix ("10.1.0.0/16"; host
// bits must be zero, a bare address is a /32 or /128; "any" is 0.0.0.0/0).
MUST_CHECK int addr_parse(const char *text, struct addr *out);
MUST_CHECK int prefix_parse(const char *text, struct prefix *out);

// Return buf, always terminated.
const char *addr_str(const struct addr *a, char buf[ADDR_STRLEN]);
const char *endpoint_str(const struct endpoint *e, char buf[ENDPOINT_STRLEN]);

bool prefix_contains(const struct prefix *p, const struct addr *a);
struct addr prefix_first(const struct prefix *p);
struct addr prefix_last(const struct prefix *p);
struct addr prefix_mask(const struct prefix *p);
// The range [first, last] as one prefix, if it is one.
bool prefix_from_range(const struct addr *first, const struct addr *last, struct prefix *out);

// Neighbouring addresses; false at either end of the address space.
bool addr_next(const struct addr *a, struct addr *out);
bool addr_prev(const struct addr *a, struct addr *out);

// Sockets' form; the only users are *_io.c files. from_ returns -EAFNOSUPPORT on other families.
size_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out);
MUST_CHECK int endpoint_from_sockaddr(const struct sockaddr_storage *sa, struct endpoint *out);
