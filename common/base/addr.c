#include "common/base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_cmp(a, b) == 0;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool endpoint_eq(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_eq(&a->addr, &b->addr);
}

size_t addr_len(const struct addr *a)
{
	return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

uint8_t addr_bits(const struct addr *a)
{
	return (uint8_t)(addr_len(a) * 8);
}

bool addr_is_multicast(const struct addr *a)
{
	return a->family == 4 ? a->b[0] >> 4 == 0xe : a->family == 6 && a->b[0] == 0xff;
}

struct addr addr_from_bytes(const uint8_t *b, size_t len)
{
	struct addr a = { 0 };

	if (len != 4 && len != 16)
		return a;
	a.family = len == 4 ? 4 : 6;
	memcpy(a.b, b, len);
	return a;
}

struct addr addr_from_v4(uint32_t v)
{
	return (struct addr){
		4, { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v }
	};
}

uint32_t addr_to_v4(const struct addr *a)
{
	BUG_ON(a->family != 4);
	return (uint32_t)a->b[0] << 24 | (uint32_t)a->b[1] << 16 | (uint32_t)a->b[2] << 8 | a->b[3];
}

int addr_parse(const char *text, struct addr *out)
{
	*out = (struct addr){ 0 };
	if (inet_pton(AF_INET, text, out->b) == 1)
		out->family = 4;
	else if (inet_pton(AF_INET6, text, out->b) == 1)
		out->family = 6;
	else
		return -EINVAL;
	return 0;
}

static uint8_t mask_octet(uint8_t len, size_t i)
{
	size_t from = i * 8;

	if (len >= from + 8)
		return 0xff;
	return len <= from ? 0 : (uint8_t)(0xff << (from + 8 - len));
}

int prefix_parse(const char *text, struct prefix *out)
{
	char head[ADDR_STRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	unsigned len = 0;

	*out = (struct prefix){ 0 };
	if (strcmp(text, "any") == 0) {
		out->addr.family = 4;
		return 0;
	}
	if (n >= sizeof(head))
		return -EINVAL;
	memcpy(head, text, n);
	head[n] = '\0';
	if (addr_parse(head, &out->addr) < 0)
		return -EINVAL;
	len = addr_bits(&out->addr);
	if (slash) {
		const char *p = slash + 1;

		if (*p == '\0' || strlen(p) > 3)
			return -EINVAL;
		for (len = 0; *p >= '0' && *p <= '9'; p++)
			len = len * 10 + (unsigned)(*p - '0');
		if (*p != '\0' || len > addr_bits(&out->addr))
			return -EINVAL;
	}
	out->len = (uint8_t)len;
	for (size_t i = 0; i < addr_len(&out->addr); i++) {
		if (out->addr.b[i] & (uint8_t)~mask_octet(out->len, i))
			return -EINVAL;
	}
	return 0;
}

const char *addr_str(const struct addr *a, char buf[ADDR_STRLEN])
{
	if (a->family == 0)
		memcpy(buf, "none", 5);
	else
		inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->b, buf, ADDR_STRLEN);
	return buf;
}

const char *endpoint_str(const struct endpoint *e, char buf[ENDPOINT_STRLEN])
{
	char a[ADDR_STRLEN];

	snprintf(buf, ENDPOINT_STRLEN, e->addr.family == 6 ? "[%s]:%u" : "%s:%u",
		 addr_str(&e->addr, a), e->port);
	return buf;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	if (p->addr.family != a->family)
		return false;
	for (size_t i = 0; i < addr_len(a); i++) {
		if ((a->b[i] & mask_octet(p->len, i)) != p->addr.b[i])
			return false;
	}
	return true;
}

struct addr prefix_first(const struct prefix *p)
{
	return p->addr;
}

struct addr prefix_last(const struct prefix *p)
{
	struct addr a = p->addr;

	for (size_t i = 0; i < addr_len(&a); i++)
		a.b[i] |= (uint8_t)~mask_octet(p->len, i);
	return a;
}

struct addr prefix_mask(const struct prefix *p)
{
	struct addr a = { .family = p->addr.family };

	for (size_t i = 0; i < addr_len(&a); i++)
		a.b[i] = mask_octet(p->len, i);
	return a;
}

bool prefix_from_range(const struct addr *first, const struct addr *last, struct prefix *out)
{
	if (first->family == 0 || first->family != last->family)
		return false;
	for (unsigned len = 0; len <= addr_bits(first); len++) {
		struct prefix p = { *first, (uint8_t)len };
		struct addr end = prefix_last(&p);

		if (addr_eq(&end, last) && prefix_contains(&p, first)) {
			*out = p;
			return true;
		}
	}
	return false;
}

bool addr_next(const struct addr *a, struct addr *out)
{
	*out = *a;
	for (size_t i = addr_len(a); i-- > 0;) {
		if (++out->b[i] != 0)
			return true;
	}
	return false;
}

bool addr_prev(const struct addr *a, struct addr *out)
{
	*out = *a;
	for (size_t i = addr_len(a); i-- > 0;) {
		if (out->b[i]-- != 0)
			return true;
	}
	return false;
}

size_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (e->addr.family == 6) {
		struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)out;

		s6->sin6_family = AF_INET6;
		s6->sin6_port = htons(e->port);
		memcpy(&s6->sin6_addr, e->addr.b, 16);
		return sizeof(*s6);
	}
	struct sockaddr_in *s4 = (struct sockaddr_in *)out;

	s4->sin_family = AF_INET;
	s4->sin_port = htons(e->port);
	memcpy(&s4->sin_addr, e->addr.b, 4);
	return sizeof(*s4);
}

int endpoint_from_sockaddr(const struct sockaddr_storage *sa, struct endpoint *out)
{
	*out = (struct endpoint){ 0 };
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *s4 = (const struct sockaddr_in *)sa;

		out->addr = addr_from_bytes((const uint8_t *)&s4->sin_addr, 4);
		out->port = ntohs(s4->sin_port);
		return 0;
	}
	if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *s6 = (const struct sockaddr_in6 *)sa;

		out->addr = addr_from_bytes((const uint8_t *)&s6->sin6_addr, 16);
		out->port = ntohs(s6->sin6_port);
		return 0;
	}
	return -EAFNOSUPPORT;
}
