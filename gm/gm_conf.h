// gm/gm_conf.h - gmd's configuration file as plain data.
// Owns:   everything in it, PSKs included, until gm_conf_free wipes it.
// From:   main.c and gm_io.c (SIGHUP).   To: gm_step with GM_EV_CONFIG, which takes it.
// Always: checked whole; a file with one mistake gives none at all.
#pragma once
#include "common/ctl/acl_conf.h"
#include "common/ike/ike_conf.h"
#include "dataplane/dp_api.h"

#define GM_MAX_GROUPS  DP_MAX_GROUPS
#define GM_MAX_SERVERS 8
#define GM_PATH_LEN    100
#define GM_MAX_NAMES   8

#define GM_RECOVERY_MIN_S 100

struct gm_conf_group {
	char name[DP_NAME_LEN];
	uint32_t identity;
	size_t n_servers;
	struct addr server[GM_MAX_SERVERS]; // in order of preference
	size_t n_server_names;		    // what their certificates may say they are
	struct id_pattern server_name[GM_MAX_NAMES];
	uint16_t server_port;		   // 0: gm_conf.port
	char local_acl[ACL_CONF_NAME_LEN]; // "": none; its lines pass in clear
	bool send_doi1;			   // phase 1 with DOI 1, for peers that know no other
	size_t n_interfaces;		   // 0: all protected ports
	char interface[DP_MAX_PORTS][DP_PORT_LEN];
	uint32_t table; // of routes; only the main one, 0
	struct gm_conf_fail_close {
		bool activate;			       // closed before the first registration
		bool revert;			       // and again when all keys have ended
		char match_address[ACL_CONF_NAME_LEN]; // "": no exceptions
	} fail_close;
	bool passive;		// accept in clear too, GM_DIR_INBOUND_OPTIONAL
	uint32_t recovery_s;	// recovery_check_interval; 0: never for unknown SPIs
	bool return_to_first;	// when it is back
	uint32_t return_hold_s; // not sooner than this after a registration
	bool accept_sha1;	// rekeys signed over SHA-1
};

struct gm_conf {
	struct addr address;
	uint16_t port;
	bool nat_traversal;
	uint16_t nat_port; // 0: nat_traversal is off
	uint32_t nat_keepalive_s;
	char control[GM_PATH_LEN], espd[GM_PATH_LEN], user[33];
	struct ike_settings ike;
	struct acl_conf_list acls;
	size_t n_groups;
	struct gm_conf_group group[GM_MAX_GROUPS];
};

// NULL after mistakes, each of them reported.
struct gm_conf *gm_conf_load(const char *path, settings_report *report, void *arg);
void gm_conf_free(struct gm_conf *c);
void gm_conf_describe(FILE *to); // the --help of the file

// By the names given here: ports of espd have two (name and TAP), of which one should be kept to.
bool gm_conf_has_interface(const struct gm_conf_group *g, const char *name);
bool gm_conf_share_interface(const struct gm_conf_group *a, const struct gm_conf_group *b);
bool gm_conf_is_server(const struct gm_conf_group *g, const struct addr *a);
