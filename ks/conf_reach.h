// ks/conf_reach.h - would members encrypt what they send to their key server?
// A permit that covers a key server's own address makes members wrap their pings (and whatever else
// is not UDP 848 or 4500, which they always let pass) in ESP that it cannot open: the classic "my
// members cannot reach the key server". Said when a configuration is loaded, with the lines that
// mend it.
// From:   the configuration reader.
#pragma once
#include "ks/policy.h"

struct reach_hit {
	unsigned line; // of the permit
	bool from, to; // of what the address sends, of what is sent to it
};

// The first permit that takes traffic of this address which no deny before it lets pass.
bool conf_reach_find(const struct policy_sa *sa, size_t n, const struct addr *a,
		     struct reach_hit *out);
