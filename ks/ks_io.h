// ks/ks_io.h - the world around the core: UDP, clock, signals, threads for Diffie-Hellman, control
// socket. Turns what happens into events and carries outputs out; decides nothing.
// Owns:   the event loop and everything attached to it; struct ks.
// From:   main.c.
#pragma once
#include "common/ctl/ctl.h"
#include "common/pki/pki_io.h"
#include "ks/core.h"

struct ks_io;
struct link_io;

// Opens the port and the control socket (the caller drops privileges afterwards), starts the core
// with conf (taken). -errno, with the reason logged.
MUST_CHECK int ks_io_new(const char *conf_path, struct ks_conf *conf,
			 const struct ks_options *options, struct ks_io **out);
// Until SIGTERM or SIGINT. SIGHUP reads the file again.
void ks_io_run(struct ks_io *io);
void ks_io_free(struct ks_io *io); // keys are wiped

// Reads the file again, as SIGHUP does: false when it changed nothing, being wrong. t: every problem,
// or what is staged by it.
bool ks_io_reload(struct ks_io *io, struct ctl_text *t);

// For the commands of the control socket (ctl_io.c), whose handlers get the struct ks_io.
extern const struct ctl_cmd ks_io_commands[];
const struct ks *ks_io_core(const struct ks_io *io);
struct pki_io *ks_io_pki(const struct ks_io *io);
const struct link_io *ks_io_link(const struct ks_io *io); // NULL: no other key servers
// One step, its outputs carried out; the result is good until the next one.
const struct ks_out *ks_io_step(struct ks_io *io, const struct ks_event *ev);
