// ks/ks_conf_int.h - shared by the two halves of the configuration reader.
#pragma once
#include "ks/ks_conf.h"

struct ks_load {
	struct settings *s;
	settings_report *report;
	void *arg;
	const char *path;
	struct ks_conf *conf;
	struct acl_conf_list acls;
	struct ks_group_conf *group; // being read
	size_t n_sa;
	struct policy_sa *sa; // of that group
};

// settings.h hands its each() functions the struct being filled: the first member of each of ours
// is the pointer to the load.
static inline struct ks_load *ks_load_of(void *out)
{
	return *(struct ks_load **)out;
}

void ks_conf_warn(struct ks_load *l, unsigned line, const char *fmt, ...) PRINTF(3, 4);
void ks_conf_read_group(struct settings *s, struct set_node *n, void *out);
void ks_conf_describe_group(FILE *to);

// conf_set.c: what has to do with other key servers of the set.
#define KS_CONF_PRIORITY_OF_COOP 256
void ks_conf_read_coop(struct settings *s, struct set_node *n, void *out);
void ks_conf_set_group(struct ks_load *l, struct set_node *n, struct ks_group_conf *g,
		       uint32_t priority);
// Warns of permits that cover a key server's address.
void ks_conf_judge_reach(struct ks_load *l, const struct ks_group_conf *g);
