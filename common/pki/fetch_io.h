// common/pki/fetch_io.h - get a CRL, ask an OCSP responder or a CMP server: one HTTP exchange,
// without waiting.
// Owns:   the exchanges in flight.    From: auth_io.c, enrol_io.c, pki_io.c.
// Always: bounded in number, time and size of the answer; redirections are not followed. What
//         comes back is bytes and nothing more: who asked verifies them.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"

struct event_base;
struct fetcher;

#define FETCH_MAX	 32 // in flight
#define FETCH_TIMEOUT_S	 5
#define FETCH_WHOLE	 6 // times the silence that is borne: so long the whole may take
#define FETCH_ANSWER_MAX (4 * 1024 * 1024)

// status: of HTTP, 0 when nobody answered. body: the answer's octets, borrowed; none when there was
// no good answer.
typedef void fetch_done(void *arg, int status, struct bytes body);

struct fetch_ask {
	const char *url;
	struct bytes post;  // GET when it is empty
	const char *type;   // of post
	unsigned timeout_s; // of silence; 0: FETCH_TIMEOUT_S
	size_t max;	    // 0: FETCH_ANSWER_MAX
};

MUST_CHECK int fetcher_new(struct event_base *base, struct fetcher **out);
void fetcher_free(struct fetcher *f); // calls no done; NULL is fine

// What ask points to is not kept. -EBUSY too many in flight, -EINVAL the address is none; done is
// called later, from the event loop, and only when 0 was returned.
MUST_CHECK int fetch_start(struct fetcher *f, const struct fetch_ask *ask, fetch_done *done,
			   void *arg);
