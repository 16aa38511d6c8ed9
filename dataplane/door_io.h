// dataplane/door_io.h - espd's side of the door: one gmd at a time writes SAs and policy, and asks.
// Owns:   the listening socket, the connection, answers not yet taken.
// From:   main.c's loop.   To: txn; publishes into struct espd and waits for the workers.
// Always: the peer is root, ourselves or the configured user; messages with keys are wiped.
// Never:  lets a broken or slow client stop the loop: one message per read, answers are bounded.
#pragma once
#include <poll.h>

#include "common/base/mono.h"
#include "dataplane/espd.h"

struct door;

MUST_CHECK int door_new(struct espd *d, struct door **out);
void door_free(struct door *o); // closes, removes the socket file, drops the policy
#define DOOR_FDS 2
void door_poll_set(const struct door *o, struct pollfd fds[DOOR_FDS]);
void door_poll_done(struct door *o, const struct pollfd fds[DOOR_FDS], mono_t now);
void door_tick(struct door *o, mono_t now); // notes: expired SAs, IV spaces, unknown SPIs
