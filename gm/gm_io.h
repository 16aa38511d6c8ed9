// gm/gm_io.h - gmd's edge: sockets, time, threads and signals around gm_step.
//
//	UDP port, timer, signals     gm_io.c
//	group addresses              mcast_io.c
//	espd                         espd_io.c
//	Diffie-Hellman               common/base/jobs_io.h, one thread beside the loop
//	control socket               ctl_io.c
//
// Owns:   every descriptor and event of the daemon, the member's state, the libevent base.
// From:   main.c.   To: gm_step; performs what it asks for.
// Never:  decides.
#pragma once
#include "gm/core.h"

struct gm_io;

struct gm_io_options {
	const char *conf_path; // read again on SIGHUP
	FILE *keylog;	       // lab builds; NULL: off
};

// Takes conf. Opens everything that needs privileges; -errno, already logged.
MUST_CHECK int gm_io_new(const struct gm_io_options *o, struct gm_conf *conf, struct gm_io **out);
void gm_io_run(struct gm_io *io); // until SIGTERM or SIGINT
void gm_io_free(struct gm_io *io);
