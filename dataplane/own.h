// dataplane/own.h - what a router says and hears itself, and when policy may not catch it.
// A row per protocol: what becomes of it with neighbours on the link and with anybody else. What a
// row does not free is for the group's policy, like any traffic of the box; when policy then
// catches it, caught.c tells gmd which line did.
// Owns:   nothing; the table is constant.
// From:   caught.c asks per packet of the box itself; conf.c reads names.
// Never:  frees what only passes through the box.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dataplane/ip4.h"

enum own_free {
	OWN_NO,	    // no protocol of the table
	OWN_POLICY, // the policy decides
	OWN_CLOSED, // passes while no policy is in force and the port is closed
	OWN_FREE,   // passes always
};

enum own_side { OWN_LOCAL = 1, OWN_REMOTE = 2, OWN_EITHER = 3 };

struct own_row {
	const char *name;
	uint8_t proto;
	uint8_t side;		   // enum own_side, whose port it is
	uint16_t port_lo, port_hi; // 0 to 0: the protocol has none
	uint8_t link, far;	   // enum own_free
	bool group_only;	   // on the link: only what goes to group addresses
};

#define OWN_ALL UINT32_MAX // every row

// The rows of a name as a set for own_find; 0: no such name.
uint32_t own_rows(const char *name);
void own_names(char *out, size_t size); // "ospf, eigrp, …"

// The row of the set that a packet of the box itself is of; NULL: none. out: it leaves the box.
const struct own_row *own_find(uint32_t rows, const struct ip4 *ip, bool out);
// Sent to a group that no router forwards: neighbours hear it and nobody else.
bool own_is_link_group(const struct ip4 *ip);
// on_link: the other end is a neighbour. Of no interest when the row treats all alike.
enum own_free own_judge(const struct own_row *row, const struct ip4 *ip, bool on_link);
