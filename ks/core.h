// ks/core.h - one step of the key server: an event in, outputs out. The only entry into the rooms.
// Owns:   struct ks from ks_init to ks_fini.
// From:   ks_io.c, tests, fuzzers, simulations.   To: pull, rekey, timers, common/ike.
// Always: after every step out->deadline says when KS_EV_TIMER is due.
// Never:  reads a clock, a socket or a file; blocks; logs (out carries the notes).
#pragma once
#include "ks/ks.h"

enum ks_event_kind {
	KS_EV_CONFIG,	// takes conf: groups appear, stay or go; POLICY_CHANGE where members differ
	KS_EV_DATAGRAM, // borrowed; as it came
	KS_EV_DH_DONE,	// takes dh
	KS_EV_AUTH_DONE, // takes auth
	KS_EV_TIMER,
	KS_EV_REKEY,	   // group by name, NULL: all; at_once: the former keys end with it
	KS_EV_CLEAR,	   // group by name, NULL: all; at_once
	KS_EV_EXCLUDE,	   // group, member
	KS_EV_READMIT,	   // group, member
	KS_EV_PKI,	   // takes pki: certificates of ours were renewed
	KS_EV_ADOPT,	   // saved; once, first of all
	KS_EV_LINK,	   // peer, up: a stream to a key server of the set stands, or has gone
	KS_EV_FRAME,	   // peer, datagram: one frame, hello: that came as a datagram
	KS_EV_DURABLE,	   // group_id, no: what its set wanted kept is safe up to this write
	KS_EV_ROLE,	   // group by name, NULL: all: give the role up, or take it
	KS_EV_MAINTENANCE, // group by name, NULL: all; up: do not lead until told otherwise
};

struct ks_event {
	enum ks_event_kind kind;
	struct ks_conf *conf;
	struct bytes datagram;
	struct endpoint from, to; // to: the address and port of ours that it came to
	struct ks_dh dh;
	struct ike_auth_job *auth;
	struct ike_pki *pki;
	const char *group;
	bool at_once;
	struct addr member;
	const struct ks_saved *saved;
	size_t peer;
	bool up, hello;
	uint32_t group_id;
	uint64_t no;
};

struct ks_options {
	size_t n_sas;	   // phase 1 SAs
	size_t n_halfopen; // handshakes before message 3
	size_t per_source; // of these, and of phase 1 SAs that have not stood yet
	bool mint_new;	   // what was kept may be an old copy: all keys are to be new
#if CONCLAVE_KEYLOG
	FILE *keylog; // borrowed; NULL: none
#endif
};
#define KS_OPTIONS_DEFAULT                                                                         \
	((struct ks_options){ .n_sas = 65536, .n_halfopen = 4096, .per_source = 64 })

// conf is taken; groups get their first keys. rng is borrowed. -errno when memory is short.
MUST_CHECK int ks_init(struct ks *ks, struct rng *rng, const struct ks_options *options, mono_t now,
		       struct ks_conf *conf);
void ks_fini(struct ks *ks);

// out is reset, then filled.
void ks_step(struct ks *ks, mono_t now, const struct ks_event *ev, struct ks_out *out);

// For the rooms: count a refusal and tell it at most once per interval.
void ks_drop(struct ks *ks, mono_t now, enum ks_drop why, const struct endpoint *from,
	     const char *detail, struct ks_out *out);
void ks_drop_ike(struct ks *ks, mono_t now, enum ike_reason why, const struct endpoint *from,
		 const char *detail, struct ks_out *out);
