// gm/io_int.h - what the *_io.c files of gmd share; nobody else includes it.
#pragma once
#include <event2/event.h>

#include "common/base/jobs_io.h"
#include "common/ctl/ctl.h"
#include "common/pki/auth_io.h"
#include "common/pki/pki_io.h"
#include "dataplane/dp_client.h"
#include "gm/gm_io.h"
#include "gm/show.h"

// ---- espd_io.c: the connection to espd ----
struct espd_link;
MUST_CHECK int espd_link_new(struct gm_io *io, const char *path, struct espd_link **out);
void espd_link_free(struct espd_link *l);
void espd_link_program(struct espd_link *l, const struct gm_program *p);
// Asks for counters and SAs; done is called once, with NULL when espd is not there.
typedef void espd_stats_done(void *arg, const struct gm_dp_stats *s);
void espd_link_stats(struct espd_link *l, espd_stats_done *done, void *arg);

// ---- mcast_io.c: the group addresses that rekeys come to ----
struct mcast;
MUST_CHECK int mcast_new(struct gm_io *io, struct mcast **out);
void mcast_free(struct mcast *m);
void mcast_sync(struct mcast *m); // after every step: listens where the core wants to

// ---- ctl_io.c ----
extern const struct ctl_cmd gm_ctl_cmds[]; // their arg: struct gm_io

// A UDP endpoint of ours. From the NAT port messages leave behind the non-ESP marker.
struct gm_port {
	struct gm_io *io;
	struct endpoint self;
	bool marked;
	int fd;
	struct event *on;
};
#define GM_PORTS_MAX 2

struct gm_io {
	struct gm_io_options opt;
	struct event_base *base;
	struct rng rng;
	struct gm *gm;
	size_t n_ports;
	struct gm_port port[GM_PORTS_MAX]; // the first is gmd.port
	struct event *timer, *term, *intr, *hup;
	struct jobs *dh;
	struct event *dh_ready;
	struct auth_runner *auth;
	struct pki_io *pki;
	struct espd_link *espd;
	struct mcast *mcast;
	struct ctl_server *ctl;
};

// Runs a step and performs what it asks for.
void gm_io_event(struct gm_io *io, const struct gm_event *ev);
void gm_io_on_datagram(evutil_socket_t fd, short what, void *port); // libevent's form
