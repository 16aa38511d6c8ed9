// ks/ks_conf.h - ksd's configuration file as typed data.
// Owns:   everything read from one file: built aside, checked whole, then swapped in.
// From:   main.c and ks_io.c load; core.c takes.
// Always: every problem of a file is reported, with file, line and word. A file with a problem
//         yields nothing. Signing keys are loaded (and thereby proved usable) here.
#pragma once
#include "common/base/addr.h"
#include "common/crypto/secret.h"
#include "common/ctl/settings.h"
#include "common/ike/ike_conf.h"
#include "coop/coop.h"
#include "ks/keys.h"
#include "ks/members.h"
#include "ks/policy.h"

#define KS_NAME_LEN POLICY_NAME_LEN
#define KS_PATH_LEN 108

struct coop_settings;

struct ks_group_conf {
	char name[KS_NAME_LEN];
	uint32_t identity;
	struct kek_params kek;
	uint32_t retransmit_s, retransmit_number;
	bool periodic;	// then again, until who was asked has acknowledged
	uint32_t atd_s; // 0: computed
	uint8_t sid_bits;
	struct member_limit reg_limit;
	uint32_t member_age_s; // of who is silent; 0: any age
	bool receive_only;     // as policy->receive_only
	size_t n_no_ack, n_authorized, n_unicast;
	struct addr *no_ack;	   // members never asked for one
	struct prefix *authorized; // neither these nor names: any authenticated peer
	size_t n_names;
	struct id_pattern *names; // of peers with a certificate
	struct prefix *unicast;	  // members whom multicast does not reach
	struct policy *policy;
	bool in_set;	      // other key servers serve it too; kek.sign_label "": the set's key
	struct coop_conf set; // they and we
};

struct ks_conf {
	struct addr address;
	uint16_t port;
	bool nat_traversal;
	uint16_t nat_port; // 0: nat_traversal is off
	char control[KS_PATH_LEN], user[33];
	char state[KS_PATH_LEN], device_key[KS_PATH_LEN]; // "": nothing is kept; in state
	bool accept_doi1;
	uint32_t workers;
	struct ike_settings ike;
	struct keystore *store;
	struct coop_settings *coop; // NULL: no other key servers
	size_t n_groups;
	struct ks_group_conf *groups;
};

// NULL after errors. report hears errors and warnings (which name themselves), one line each.
struct ks_conf *ks_conf_load(const char *path, settings_report *report, void *arg);
void ks_conf_free(struct ks_conf *c); // wipes what is secret; NULL is fine
void ks_conf_describe(FILE *to);      // the reference part of --help

// Does this member hear what is sent to the group address of a KEK, if it has one?
bool ks_conf_by_group(const struct ks_group_conf *g, const struct kek_params *kek,
		      const struct addr *member);
// Is this member asked for acknowledgements under this KEK? conclave: it showed our vendor id.
bool ks_conf_asks_ack(const struct ks_group_conf *g, const struct kek_params *kek,
		      const struct addr *member, bool conclave);
