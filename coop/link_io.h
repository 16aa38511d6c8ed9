// coop/link_io.h - the channel to the other key servers: one TLS 1.3 stream and hello datagrams to
// each.
//
//	                  key right, or          preface sent         preface heard
//	     connected    certificate fine                            from the peer
//	 CALLING ──> SHAKING ──────> CHECKING ──────────> WAITING ──────────> UP
//	                             (name, revocation)
//
// Whoever is not UP has a deadline, and a place among few: what strangers and rogues do costs
// them theirs, never the streams that stand. A stream that is UP is replaced only by another one
// of the same peer that is UP too.
// Owns:   sockets, timers, sessions, keys of hellos, counters.
// From:   ksd, which carries between this and coop_step.
// Always: bounded: connections that have proved nothing, octets before proof, queues; counted, and
//	   logged with a limit for each peer.
// Never:  looks into a frame behind its header; waits.
#pragma once
#include "common/base/bytes.h"
#include "common/base/mono.h"
#include "common/base/rng.h"
#include "common/crypto/dn.h"
#include "common/crypto/tls.h"

#define LINK_PEERS	  7
#define LINK_NAMES	  4		// that a peer's certificate may show
#define LINK_QUEUE_MAX	  (1024 * 1024) // octets on their way to one peer
#define LINK_HALF_MAX	  8		// of calls to us that have not proved themselves
#define LINK_HALF_PEER	  2		// the same, from one address
#define LINK_UNPROVED_MAX 65536		// octets that such a one may send
#define LINK_CALL_MS	  1500 // for an answer to a call; hellos that are heard hasten the next
#define LINK_AGAIN_MS	  500  // but not more than that
#define LINK_SHAKE_MS	  3000
#define LINK_CHECK_MS	  8000	  // in which a CRL or an OCSP answer has to be there
#define LINK_RECHECK_MS	  60000	  // is the certificate behind a stream still good?
#define LINK_KEY_LIFE_MS  3600000 // of the key of hellos, behind a stream that is gone

struct event_base;
struct link_io;

struct link_peer_conf {
	struct addr addr;
	size_t n_names; // 0: its certificate has to name its address
	struct id_pattern name[LINK_NAMES];
};

struct link_conf {
	struct addr addr; // ours
	uint16_t port, hello_port;
	size_t n_peers;
	struct link_peer_conf peer[LINK_PEERS];
};

// peer: index in the configuration. Octets are borrowed. A hook may call anything here but
// link_io_free.
struct link_hooks {
	void *arg;
	void (*up)(void *arg, size_t peer);
	void (*down)(void *arg, size_t peer, const char *why);
	void (*frame)(void *arg, size_t peer, struct bytes frame); // of the stream
	void (*hello)(void *arg, size_t peer, struct bytes frame); // of a datagram
	void (*room)(void *arg, size_t peer); // after -ENOBUFS: the queue has emptied
};

#define LINK_COUNTERS(X)                                                                           \
	X(ups, "streams-up")                                                                       \
	X(downs, "streams-lost")                                                                   \
	X(calls, "calls")                                                                          \
	X(call_failed, "calls-unanswered")                                                         \
	X(refused, "handshakes-refused")                                                           \
	X(unauthorised, "names-refused")                                                           \
	X(revoked, "certificates-refused")                                                         \
	X(late, "handshakes-late")                                                                 \
	X(crowded, "calls-crowded-out")                                                            \
	X(garbage, "streams-malformed")                                                            \
	X(stuck, "streams-stuck")                                                                  \
	X(full, "queue-full")                                                                      \
	X(frames_in, "frames-in")                                                                  \
	X(frames_out, "frames-out")                                                                \
	X(octets_in, "octets-in")                                                                  \
	X(octets_out, "octets-out")                                                                \
	X(hellos_in, "hellos-in")                                                                  \
	X(hellos_out, "hellos-out")                                                                \
	X(hellos_refused, "hellos-refused")

struct link_stats {
#define X(sym, text) uint64_t sym;
	LINK_COUNTERS(X)
#undef X
};

// Ports are open when this returns: privileges may go then. creds is shared, conf copied; rng and
// base outlive it. -errno, with the reason logged.
MUST_CHECK int link_io_new(struct event_base *base, const struct link_conf *conf,
			   struct tls_creds *creds, struct rng *rng, const struct link_hooks *hooks,
			   struct link_io **out);
void link_io_free(struct link_io *l); // calls no hook; NULL is fine

// A frame on the stream. -ENOTCONN: there is none (any more; down() is not called for that);
// -ENOBUFS: the queue is full, room() will be called.
MUST_CHECK int link_io_send(struct link_io *l, size_t peer, struct bytes frame);
// A datagram. -ENOTCONN there is no key yet, -EMSGSIZE. What the network then loses is lost.
MUST_CHECK int link_io_hello(struct link_io *l, size_t peer, struct bytes frame);
// Ends the stream, if there is one; down() is not called. It comes again after a while.
void link_io_close(struct link_io *l, size_t peer);
// The peers from now on: who stays keeps its stream, if its certificate still has a name of its;
// who goes loses it, and down() is not called for it. Not to be called from a hook.
void link_io_peers(struct link_io *l, const struct link_peer_conf *peer, size_t n);
// A renewed certificate, another key: for the sessions to come.
void link_io_creds(struct link_io *l, struct tls_creds *creds);

// Looks at once whether the certificates behind the streams are still good: after a new CRL.
void link_io_recheck(struct link_io *l);

bool link_io_is_up(const struct link_io *l, size_t peer);
const struct link_stats *link_io_stats(const struct link_io *l, size_t peer);
uint64_t link_io_strangers(const struct link_io *l); // calls and datagrams from no peer's address
