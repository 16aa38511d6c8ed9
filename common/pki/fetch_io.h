// common/pki/fetch_io.h - get a CRL, ask an OCSP responder: one HTTP exchange, without waiting.
// Owns:   the exchanges in flight.    From: auth_io.c.
// Always: bounded in number, time and size of the answer; redirections are not followed. What
//         comes back is bytes and nothing more: who asked verifies them.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"

struct event_base;
struct fetcher;

#define FETCH_MAX	 32 // in flight
#define FETCH_TIMEOUT_S	 5
#define FETCH_ANSWER_MAX (4 * 1024 * 1024)

// body: the answer's octets, borrowed; none when there was no good answer.
typedef void fetch_done(void *arg, struct bytes body);

MUST_CHECK int fetcher_new(struct event_base *base, struct fetcher **out);
void fetcher_free(struct fetcher *f); // calls no done; NULL is fine

// GET, or POST of an OCSP request when post is not empty. -EBUSY too many in flight, -EINVAL the
// address is none; done is called later, from the event loop, and only when 0 was returned.
MUST_CHECK int fetch_start(struct fetcher *f, const char *url, struct bytes post, fetch_done *done,
			   void *arg);
