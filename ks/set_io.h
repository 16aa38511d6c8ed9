// ks/set_io.h - the key server's channel to the others of its set: frames in, frames out.
// All groups go over one stream and one datagram way to each peer; a frame names its group.
// Owns:   the channel (coop/link_io) and what it proves itself with.
// From:   ks_io.c.     To: the core, by events.
// Never:  decides anything: what cannot be sent is lost, and told again by the core.
#pragma once
#include "ks/core.h"

struct event_base;
struct ks_set_io;

typedef void ks_set_in(void *arg, const struct ks_event *ev);

// Opens the ports; privileges may go then. conf->coop is there. -errno, with the reason logged.
MUST_CHECK int ks_set_io_new(struct event_base *base, const struct ks_conf *conf, struct rng *rng,
			     ks_set_in *in, void *arg, struct ks_set_io **out);
void ks_set_io_free(struct ks_set_io *s); // NULL is fine

void ks_set_io_tell(struct ks_set_io *s, const struct ks_tell *t);
void ks_set_io_close(struct ks_set_io *s, unsigned peers); // a bit each
// Peers, key or certificate are those of conf from now on. Not from within in().
void ks_set_io_conf(struct ks_set_io *s, const struct ks_conf *conf);

const struct link_io *ks_set_io_link(const struct ks_set_io *s); // for what is counted
