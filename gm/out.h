// gm/out.h - what a step of the member asks the world to do.
// Owns:   copies, until gm_out_clear.
// From:   every room of gm fills it; gm_io.c, tests and simulations carry it out.
// Never:  does anything itself.
#pragma once
#include "common/base/addr.h"
#include "common/base/bytes.h"
#include "common/base/events.h"
#include "common/crypto/dh.h"
#include "common/ike/auth.h"
#include "gm/policy.h"

// From the NAT port messages leave behind the non-ESP marker, which who sends puts before them;
// keepalives do not.
struct gm_send {
	struct endpoint from, to;
	bool keepalive;
	size_t len;
	uint8_t *data;
};

// A line for the log. event EV_COUNT: an ordinary line of module at level.
struct gm_log {
	enum event_id event;
	enum log_module module;
	enum log_level level;
	struct logctx who;
	char text[320];
};

// Outputs add up until the caller has carried them out and calls gm_out_clear.
struct gm_out {
	size_t n_sends, n_dh, n_auth, n_logs;
	struct gm_send *send;
	struct dh_job **dh;	    // run, then back as GM_EV_DH_DONE
	struct ike_auth_job **auth; // the same with GM_EV_AUTH_DONE
	struct gm_log *log;
	struct gm_program *program; // NULL, or all that espd should have: one transaction
	mono_t deadline;	    // call with GM_EV_TIMER then
};

void gm_out_init(struct gm_out *o);
void gm_out_clear(struct gm_out *o); // frees and wipes what is left in it; deadline stays

void gm_out_send(struct gm_out *o, const struct endpoint *from, const struct endpoint *to,
		 struct bytes msg); // copies
void gm_out_keepalive(struct gm_out *o, const struct endpoint *from, const struct endpoint *to);
void gm_out_dh(struct gm_out *o, struct dh_job *dh);	      // takes
void gm_out_auth(struct gm_out *o, struct ike_auth_job *job); // takes
void gm_out_event(struct gm_out *o, enum event_id id, const struct logctx *who, const char *fmt,
		  ...) PRINTF(4, 5);
void gm_out_log(struct gm_out *o, enum log_module m, enum log_level level, const struct logctx *who,
		const char *fmt, ...) PRINTF(5, 6);
