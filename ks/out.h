// ks/out.h - what a step of the key server asks the world to do.
// Owns:   copies of one-off datagrams until ks_out_reset. Views handed to ks_out_send_view (a rekey
//         that goes to many) are kept alive by the core until the next step.
// From:   every room of ks fills it; ks_io.c, tests and simulations carry it out.
#pragma once
#include "common/base/addr.h"
#include "common/base/bytes.h"
#include "common/base/events.h"
#include "common/base/mono.h"
#include "common/crypto/dh.h"
#include "common/ike/auth.h"
#include "coop/wire.h"
#include "ks/members.h"

// From the NAT port it goes behind the non-ESP marker, which who sends puts before it.
struct ks_send {
	struct endpoint from, to;
	struct bytes datagram;
	void *owned;	// the datagram, when it is ours to free
	bool waits;	// it releases keys: not before what the group is now is on disk
	bool shared;	// and in a set known to all peers that live
	uint32_t group; // shared only
	uint8_t ttl;	// 0: as usual
};

// A member's record was made, changed in a way that a restart must remember, or deleted.
struct ks_touch {
	uint32_t group;
	struct member_name member;
};

// To another key server of a set: a frame of its stream, or a datagram.
struct ks_tell {
	uint32_t group;
	size_t peer; // of the set, in the order of the configuration
	bool hello;  // a datagram
	bool waits;  // not before what the group is now is on disk
	struct bytes frame;
	void *owned; // the frame
};

// An item of a set was put, has changed or has ended. kind 0: what is kept besides items has.
struct ks_item_touch {
	uint32_t group;
	uint8_t kind, key_len, key[COOP_KEY_MAX];
};

// To be run anywhere and handed back with KS_EV_DH_DONE and the same cookies.
struct ks_dh {
	struct dh_job *job;
	uint8_t cky_i[8], cky_r[8];
};

struct ks_note {
	int event; // enum event_id, or -1: a plain line of module and level
	enum log_module module;
	enum log_level level;
	struct logctx who;
	char text[256];
};

struct ks_out {
	size_t n_send, cap_send;
	struct ks_send *send;
	size_t n_dh, cap_dh;
	struct ks_dh *dh;
	size_t n_auth, cap_auth;
	struct ike_auth_job **auth; // to be run, and handed back with KS_EV_AUTH_DONE
	size_t n_note, cap_note;
	struct ks_note *note;
	size_t n_touch, cap_touch;
	struct ks_touch *touch;
	size_t n_tell, cap_tell;
	struct ks_tell *tell;
	size_t n_item, cap_item;
	struct ks_item_touch *item;
	unsigned close;	  // bit per peer of the set: its stream is to be closed
	mono_t deadline;  // when the next KS_EV_TIMER is due
	bool refused;	  // an operator's command: answer says why
	char answer[256]; // KS_EV_REKEY: for the operator
};

void ks_out_init(struct ks_out *o);
void ks_out_reset(struct ks_out *o); // empty again; unsent datagrams are wiped
void ks_out_fini(struct ks_out *o);

void ks_out_send_copy(struct ks_out *o, const struct endpoint *from, const struct endpoint *to,
		      struct bytes datagram);
void ks_out_send_owned(struct ks_out *o, const struct ks_send *s); // s->owned moves in
void ks_out_send_view(struct ks_out *o, const struct endpoint *from, const struct endpoint *to,
		      struct bytes datagram);
void ks_out_waits(struct ks_out *o);			 // the datagram handed in last
void ks_out_waits_for(struct ks_out *o, uint32_t group); // for the disk and the set of the group
void ks_out_touch(struct ks_out *o, uint32_t group, struct member_name member);
void ks_out_tell(struct ks_out *o, const struct ks_tell *t); // the frame is copied
void ks_out_item(struct ks_out *o, uint32_t group, uint8_t kind, struct bytes key);
void ks_out_dh(struct ks_out *o, struct dh_job *job, const uint8_t cky_i[8],
	       const uint8_t cky_r[8]);
void ks_out_auth(struct ks_out *o, struct ike_auth_job *job);
void ks_out_event(struct ks_out *o, enum event_id id, const struct logctx *who, const char *fmt,
		  ...) PRINTF(4, 5);
void ks_out_line(struct ks_out *o, enum log_module m, enum log_level level,
		 const struct logctx *who, const char *fmt, ...) PRINTF(5, 6);
