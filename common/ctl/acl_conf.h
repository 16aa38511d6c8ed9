// common/ctl/acl_conf.h - the `acls` list of a daemon's file: named access lists.
//	acls = ( { name = "LANS"; lines = ( { action = "deny"; protocol = "udp"; source = "any";
//	         source_port = "848"; destination = "any"; destination_port = "848"; }, … ); }, … );
// Ports are "N" or "N-M"; left out they are any.
// Owns:   the lists, until acl_conf_fini.
// From:   ksd's and gmd's configuration readers.   Never: judges what a list is used for.
#pragma once
#include "common/base/flow.h"
#include "common/ctl/settings.h"

#define ACL_CONF_NAME_LEN  64
#define ACL_CONF_MAX	   256
#define ACL_CONF_MAX_LINES 4096

struct acl_conf_line {
	struct acl_line acl;
	unsigned line; // in the file
};

struct acl_conf {
	char name[ACL_CONF_NAME_LEN];
	size_t n;
	struct acl_conf_line *lines;
};

struct acl_conf_list {
	size_t n;
	struct acl_conf *acl;
};

// Reads one entry of the list (for SET_EACH) and appends it.
void acl_conf_read(struct settings *s, struct set_node *n, struct acl_conf_list *out);
void acl_conf_fini(struct acl_conf_list *l);
const struct acl_conf *acl_conf_find(const struct acl_conf_list *l, const char *name);
void acl_conf_describe(FILE *to); // the --help of the list
