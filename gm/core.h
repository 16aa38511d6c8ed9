// gm/core.h - gm_step: events in, outputs out; the only entry into the rooms of gm/.
// From:   gm_io.c, tests/sim, tests/fuzz.   To: pull, rekey, teks, policy, timers.
// Always: no clock, socket, thread or global: the same events give the same outputs.
// Never:  blocks: Diffie-Hellman comes back as an event.
#pragma once
#include "gm/gm.h"
#include "gm/out.h"

enum gm_event_kind {
	GM_EV_TIMER,	  // out->deadline of the last step has come; harmless at any time
	GM_EV_CONFIG,	  // takes conf
	GM_EV_DATAGRAM,	  // from, to, datagram: as it came
	GM_EV_DH_DONE,	  // takes dh
	GM_EV_AUTH_DONE,  // takes auth
	GM_EV_DP_UP,	  // hello
	GM_EV_DP_DOWN,	  //
	GM_EV_DP_RESULT,  // result: answers the program given last
	GM_EV_DP_NOTE,	  // note
	GM_EV_PKI,	  // takes pki: certificates of ours were renewed
	GM_EV_REREGISTER, // group, NULL for all: an operator wants it
	GM_EV_DIRECTION,  // group, NULL for all; direction_set, direction: the same
};

struct gm_event {
	enum gm_event_kind kind;
	struct endpoint from, to; // to: the endpoint of ours that it came to
	struct bytes datagram;
	struct gm_conf *conf;
	struct dh_job *dh;
	struct ike_auth_job *auth;
	struct ike_pki *pki;
	const struct dp_hello_ack *hello;
	const struct dp_result *result;
	const struct dp_note *note;
	const char *group;
	bool direction_set; // false: as configured again
	enum gm_direction direction;
};

// The group addresses to listen to until the next step; returns how many.
size_t gm_listens(const struct gm *gm, struct endpoint out[GM_MAX_LISTENS]);

void gm_step(struct gm *gm, mono_t now, const struct gm_event *ev, struct gm_out *out);

// ---- for the rooms ----
// Counts; logs at most once per interval.
void gm_drop(struct gm *gm, mono_t now, struct gm_out *o, enum gm_drop why,
	     const struct endpoint *from, const char *detail);
void gm_refuse(struct gm *gm, mono_t now, struct gm_out *o, enum ike_reason why,
	       const struct endpoint *from, const char *detail);
