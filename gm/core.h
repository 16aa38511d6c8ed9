// gm/core.h - gm_step: events in, outputs out; the only entry into the rooms of gm/.
// From:   gm_io.c, tests/sim, tests/fuzz.   To: pull, rekey, teks, policy, timers.
// Always: no clock, socket, thread or global: the same events give the same outputs.
// Never:  blocks: Diffie-Hellman comes back as an event.
#pragma once
#include "common/base/events.h"
#include "gm/gm.h"
#include "gm/policy.h"

enum gm_event_kind {
	GM_EV_TIMER,	  // out->deadline of the last step has come; harmless at any time
	GM_EV_CONFIG,	  // takes conf
	GM_EV_DATAGRAM,	  // from, datagram: without non-ESP marker
	GM_EV_DH_DONE,	  // takes dh
	GM_EV_DP_UP,	  // hello
	GM_EV_DP_DOWN,	  //
	GM_EV_DP_RESULT,  // result: answers the program given last
	GM_EV_DP_NOTE,	  // note
	GM_EV_REREGISTER, // group, NULL for all: an operator wants it
};

struct gm_event {
	enum gm_event_kind kind;
	struct endpoint from;
	struct bytes datagram;
	struct gm_conf *conf;
	struct dh_job *dh;
	const struct dp_hello_ack *hello;
	const struct dp_result *result;
	const struct dp_note *note;
	const char *group;
};

struct gm_send {
	struct endpoint to;
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
	size_t n_sends, n_dh, n_logs;
	struct gm_send *send;
	struct dh_job **dh; // run, then back as GM_EV_DH_DONE
	struct gm_log *log;
	struct gm_program *program; // NULL, or all that espd should have: one transaction
	mono_t deadline;	    // call with GM_EV_TIMER then
};

void gm_out_init(struct gm_out *o);
void gm_out_clear(struct gm_out *o); // frees and wipes what is left in it; deadline stays

void gm_step(struct gm *gm, mono_t now, const struct gm_event *ev, struct gm_out *out);

// ---- for the rooms ----
void gm_out_send(struct gm_out *o, const struct endpoint *to, struct bytes msg); // copies
void gm_out_dh(struct gm_out *o, struct dh_job *dh);				 // takes
void gm_out_event(struct gm_out *o, enum event_id id, const struct logctx *who, const char *fmt,
		  ...) PRINTF(4, 5);
void gm_out_log(struct gm_out *o, enum log_module m, enum log_level level, const struct logctx *who,
		const char *fmt, ...) PRINTF(5, 6);
// Counts; logs at most once per interval.
void gm_drop(struct gm *gm, mono_t now, struct gm_out *o, enum gm_drop why,
	     const struct endpoint *from, const char *detail);
void gm_refuse(struct gm *gm, mono_t now, struct gm_out *o, enum ike_reason why,
	       const struct endpoint *from, const char *detail);
