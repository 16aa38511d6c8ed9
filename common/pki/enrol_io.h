// common/pki/enrol_io.h - the certificates a daemon gets by itself: asked for, renewed, put to use.
// A thread for each enrolment under way does what blocks (enrol_work.h); the event loop carries its
// messages by HTTP and puts the result to use, so that it waits for nothing.
// Owns:   enrolments under way, when each trustpoint is due, how its last attempt went.
// From:   ks_io and gm_io.   To: struct ike_pki with the new certificate, through hooks.take.
// Always: a failed attempt changes nothing; the next one waits longer each time (renew.h). The end
//         of every own certificate is told beforehand, enrolled or not.
#pragma once
#include "common/ike/auth.h"
#include "common/pki/renew.h"

struct event_base;
struct enroller;

struct enrol_hooks {
	struct ike_pki *(*now)(void *arg);	       // what is in force; NULL: no trustpoints
	void (*take)(void *arg, struct ike_pki *next); // takes next: phase 1 from now on
	void *arg;
};

MUST_CHECK int enroller_new(struct event_base *base, struct rng *rng, const struct enrol_hooks *h,
			    struct enroller **out);
void enroller_free(struct enroller *e); // stops what is under way; NULL is fine
// After every (re)load, the first one too.
void enroller_config(struct enroller *e);

// How an attempt ended, or that the CA has yet to decide. Called once, on the loop's thread, maybe
// before the call that began it returns.
typedef void enrol_told(void *arg, bool ok, const char *text);

// The operator's `crypto pki enroll NAME`. other_key: cr with a key of its own, not a renewal.
void enroller_enroll(struct enroller *e, const char *name, bool other_key, enrol_told *told,
		     void *arg);
// Ends the one under way, within the time that an answer may take; its enrol_told is called then.
// False: there is none.
bool enroller_cancel(struct enroller *e, const char *name);
// PEM that the operator brought takes the place of what the trustpoint has; -errno and why.
MUST_CHECK int enroller_import(struct enroller *e, const char *name, struct pki_bundle *b,
			       char why[CMP_WHY_LEN]);

struct enrol_status { // for show
	bool running;
	unsigned failures;
	int64_t renew, retry; // wall clock; 0: none due
	char last[CMP_WHY_LEN];
	int64_t last_at;
};
bool enroller_status(const struct enroller *e, const char *name, struct enrol_status *out);
struct ike_pki *enroller_pki(const struct enroller *e); // borrowed; may be NULL
