// common/ike/ike_conf.h - the `isakmp` and `psk` lists of a daemon's file.
//	isakmp = ( { encryption = "aes"; key_bits = 128; hash = "sha256"; group = 19;
//	             lifetime = 86400; authentication = "pre-share"; }, … );   # preference order
//	psk = ( { peer = "192.0.2.1"; key = "…"; }, { peer = "192.0.2.0/24"; key = "…"; },
//	        { id = "gm7.example.net"; key = "…"; } );   # aggressive mode
//	peers = ( { peer = "192.0.2.9"; wire = { sat_id_len = 2; }; } );
// Owns:   proposals and keys, until ike_settings_fini wipes them.
// From:   ksd's and gmd's configuration readers.
// To:     struct ike_conf: proposals, life_s, psk (ike_settings_psk with the settings as arg),
//         wire, peers.
#pragma once
#include "common/ctl/settings.h"
#include "common/ike/dpd.h"
#include "common/ike/ike.h"

#define IKE_MAX_PSKS  4096
#define IKE_MAX_PEERS 1024

#define IKE_NAME_LEN 128

struct ike_psk {
	struct prefix peer;	   // family 0: known by id alone
	char id[IKE_NAME_LEN];	   // name of the peer in aggressive mode; "": none
	char own_id[IKE_NAME_LEN]; // ours towards it; "": our address
	bool aggressive;
	struct secret key;
};

struct ike_settings {
	size_t n_proposals, n_psks;
	struct ike_proposal proposal[IKE_MAX_PROPOSALS];
	uint32_t life_s; // shortest of the proposals
	struct ike_psk *psk;
	bool ecdsa_bare;			   // sign ECDSA so (auth.h); the peer may do either
	struct gdoi_wire_opts form[IKE_MAX_FORMS]; // [0]: of the `wire` group, or the defaults
	size_t n_forms;				   // 0: no `wire` and no `peers`
	size_t n_peers;
	struct ike_peer_form *peer;
	struct ike_dpd_conf dpd; // interval_s 0: not asked for
	struct ike_pki *pki;	 // NULL: no trustpoints (pki_conf.h reads them, before isakmp)
};

// Each reads one entry of its list (for SET_EACH) and appends it.
void ike_settings_read_isakmp(struct settings *s, struct set_node *n, struct ike_settings *out);
void ike_settings_read_psk(struct settings *s, struct set_node *n, struct ike_settings *out);
// wire_conf.c: the group `wire = { … };`, where peers read the RFCs in another way; and an entry of
// `peers`, where only some of them do: it starts from `wire`, which is to be read first.
void ike_settings_read_wire(struct settings *s, struct set_node *n, struct ike_settings *out);
void ike_settings_read_peer(struct settings *s, struct set_node *n, struct ike_settings *out);
struct gdoi_wire_opts ike_settings_wire(const struct ike_settings *i); // or the defaults
void ike_settings_describe_wire(FILE *to);
// dpd_conf.c: the group `dpd = { … };`, IOS: crypto isakmp keepalive.
void ike_settings_read_dpd(struct settings *s, struct set_node *n, struct ike_settings *out);
void ike_settings_describe_dpd(FILE *to);
// Any proposal with this kind of authentication?
bool ike_settings_has_psk_proposal(const struct ike_settings *i);
bool ike_settings_has_sig_proposal(const struct ike_settings *i);
// The parts as struct ike_conf has them; conf borrows what i owns.
void ike_settings_apply(const struct ike_settings *i, struct ike_conf *conf);
// Renewed certificates; takes pki. The caller points its struct ike_conf at them; handshakes under
// way keep what they began with.
void ike_settings_renew(struct ike_settings *i, struct ike_pki *pki);
void ike_settings_fini(struct ike_settings *i);
// The key of the longest prefix that holds peer, NULL when there is none. arg: the settings.
const struct secret *ike_settings_psk(void *arg, const struct addr *peer);
// Is any key chosen by a name? Then names can be proved without certificates.
bool ike_settings_has_psk_names(const struct ike_settings *i);
void ike_settings_describe(FILE *to); // the --help of both lists

// nat_traversal and nat_port, beside the port without NAT. Off: nat_port becomes 0.
void ike_settings_nat(struct settings *s, struct set_node *n, uint16_t port, bool traversal,
		      uint16_t *nat_port);
