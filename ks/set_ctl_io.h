// ks/set_ctl_io.h - what an operator sees of the channel to other key servers: calls, streams,
// frames, and what was refused, by peer.
// From:   ctl_io.c.
#pragma once
#include "common/ctl/ctl.h"

struct ks;
struct link_io;

// link NULL: there is no set.
void ks_set_ctl_counters(struct ctl_req *req, const struct ks *ks, const struct link_io *link);
