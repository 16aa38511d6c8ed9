#include "dataplane/own6.h"

#include <string.h>

#define SRC_AT 8
#define DST_AT 24

static struct own6_entry *find(struct own6 *o, const uint8_t addr[16], int ifindex)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->e[i].ifindex == ifindex && memcmp(o->e[i].addr, addr, 16) == 0)
			return &o->e[i];
	return NULL;
}

int own6_put(struct own6 *o, const uint8_t addr[16], int ifindex, uint8_t seen)
{
	struct own6_entry *e = find(o, addr, ifindex);

	if (!e) {
		if (o->n == OWN6_MAX)
			return -ENOSPC;
		e = &o->e[o->n++];
		memcpy(e->addr, addr, sizeof(e->addr));
		e->ifindex = ifindex;
		o->dirty = true;
	}
	e->seen = seen;
	return 0;
}

static void drop_entry(struct own6 *o, struct own6_entry *e)
{
	*e = o->e[--o->n];
	o->dirty = true;
}

void own6_remove(struct own6 *o, const uint8_t addr[16], int ifindex)
{
	struct own6_entry *e = find(o, addr, ifindex);

	if (e)
		drop_entry(o, e);
}

void own6_sweep(struct own6 *o, uint8_t seen)
{
	for (size_t i = o->n; i-- > 0;)
		if (o->e[i].seen != seen)
			drop_entry(o, &o->e[i]);
}

void own6_build(const struct own6 *o, struct own6_table *out)
{
	*out = (struct own6_table){ .n = (uint32_t)o->n };
	for (size_t i = 0; i < o->n; i++)
		memcpy(out->addr[i], o->e[i].addr, sizeof(out->addr[i]));
}

static bool has(const struct own6_table *t, const uint8_t *addr)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (memcmp(t->addr[i], addr, 16) == 0)
			return true;
	return false;
}

static bool is_link_local(const uint8_t *addr)
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

// What stays on the link is the kernel's in both directions (neighbour discovery and kin); groups
// of a wider scope are: the box may have joined them. The kernel drops those it has not.
bool own6_is_for_box(const struct own6_table *t, const uint8_t *ip6, size_t len)
{
	if (len < OWN6_HDR_LEN || ip6[0] >> 4 != 6)
		return false;
	return ip6[DST_AT] == 0xff || is_link_local(ip6 + DST_AT) || has(t, ip6 + DST_AT);
}

// No address yet (duplicate address detection) may speak to the link's groups only.
bool own6_is_from_box(const struct own6_table *t, const uint8_t *ip6, size_t len)
{
	static const uint8_t none[16];
	bool to_link;

	if (len < OWN6_HDR_LEN || ip6[0] >> 4 != 6)
		return false;
	to_link = (ip6[DST_AT] == 0xff && (ip6[DST_AT + 1] & 0xf) <= 2) ||
		  is_link_local(ip6 + DST_AT);
	if (to_link && (is_link_local(ip6 + SRC_AT) || memcmp(ip6 + SRC_AT, none, 16) == 0))
		return true;
	return has(t, ip6 + SRC_AT);
}
