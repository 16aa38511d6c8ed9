// coop/coop_conf.h - the group `coop = { … };` of ksd's file.
//	coop: {
//	    id = 1; priority = 100; key_file = "coop.key";      # or trustpoint = "CA"
//	    peers = ( { address = "192.0.2.2"; }, { address = "192.0.2.3"; } );
//	};
// Owns:   the key, until coop_settings_fini wipes it.
// From:   ksd's configuration reader.
// To:     link_io (link, credentials), coop_step (the rest).
#pragma once
#include "common/crypto/secret.h"
#include "common/crypto/tls.h"
#include "common/ctl/settings.h"
#include "coop/coop.h"
#include "coop/link_io.h"

struct ike_pki;

#define COOP_TRUSTPOINT_LEN 64

struct coop_settings {
	uint32_t id, priority;
	uint32_t hello_ms, dead_hellos, start_ms, commit_ms, preempt_hold_s;
	bool majority; // split_policy: a minority makes no keys
	bool preempt, maintenance;
	struct link_conf link;
	struct secret key;		      // len 0: by certificates of
	char trustpoint[COOP_TRUSTPOINT_LEN]; // this one
};

// What the rest of the file says. pki NULL: there are no trustpoints.
struct coop_about {
	struct addr addr;
	uint16_t udp_port[2]; // taken already; 0: none
	const struct ike_pki *pki;
};

// Problems are reported (settings.h), never fatal here.
void coop_settings_read(struct settings *s, struct set_node *n, const struct coop_about *about,
			struct coop_settings *out);
void coop_settings_fini(struct coop_settings *c);
void coop_settings_describe(FILE *to); // the reference part of --help

// The part of coop_step that is the same for all groups; the caller adds group, sid_bits, digest and
// text. Peers have the same index here as in link.
void coop_settings_core(const struct coop_settings *c, struct coop_conf *out);

// What link_io proves itself with. -ENOENT: the trustpoint has no certificate (yet).
MUST_CHECK int coop_settings_creds(const struct coop_settings *c, const struct ike_pki *pki,
				   struct tls_creds **out);
