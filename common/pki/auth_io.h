// common/pki/auth_io.h - run signature jobs to their end: on threads, with what they want fetched.
// Owns:   jobs between auth_runner_put and done.
// From:   ks_io and gm_io, with the jobs of common/ike/auth.h.
// Always: the event loop waits for nothing; members that want the same CRL share one fetch; a job
//         that goes on wanting is handed back as it is, which refuses the peer.
#pragma once
#include "common/ike/auth.h"

struct event_base;
struct auth_runner;

typedef void auth_done(void *arg, struct ike_auth_job *job); // on the loop's thread; takes job

// n_threads 0: run in line, and done is called before auth_runner_put returns when nothing has to
// be fetched.
MUST_CHECK int auth_runner_new(struct event_base *base, unsigned n_threads, auth_done *done,
			       void *arg, struct auth_runner **out);
void auth_runner_free(struct auth_runner *r); // frees what is left; NULL is fine
void auth_runner_put(struct auth_runner *r, struct ike_auth_job *job); // takes job
