// common/ctl/priv.h - give away what a daemon does not need once its sockets are open.
#pragma once
#include "common/base/err.h"

// Not dumpable, no core file, no new privileges. First thing in every main().
void priv_harden(void);

// Become user (its uid, gid, no supplementary groups), keeping no capabilities. A name of NULL or
// "" or the present user changes nothing. -ENOENT: no such user; -EPERM: not root.
MUST_CHECK int priv_drop(const char *user);
// The same, but ports below 1024 can still be opened later (a group address to listen on is known
// only when a key server names it).
MUST_CHECK int priv_drop_but_ports(const char *user);
