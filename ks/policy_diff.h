// ks/policy_diff.h - what changes from one policy of a group to another, line by line.
// Lines are rules of the ordered form, as members search them: what was added, what was removed,
// and permits whose traffic stays the same under another transform or lifetime.
// From:   show_diff.c, and core.c to tell the operator how much is staged.
// Never:  looks at keys or members.
#pragma once
#include "ks/policy.h"

enum policy_op { POLICY_KEPT, POLICY_ADDED, POLICY_REMOVED, POLICY_CHANGED };

struct policy_change {
	enum policy_op op;
	const struct policy_rule *before, *after; // NULL: added, removed
};

struct policy_diff {
	size_t n_added, n_removed, n_changed;
	size_t n; // in the order of the lines; removed ones where they were
	struct policy_change change[2 * POLICY_MAX_RULES];
};

// Views into both policies.
void policy_diff_make(const struct policy *before, const struct policy *after,
		      struct policy_diff *out);
