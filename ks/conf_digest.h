// ks/conf_digest.h - what of a group's configuration all key servers of a set have to agree on.
// Two that hold the same digest make the same policy of the same keys and admit the same members:
// either may lead. What is a box's own (names of lists, files, how often a rekey is repeated) is
// not in it, nor is the signing key, which is told apart by its fingerprint.
// From:   the configuration reader.     Spec: docs/cooperative.md names what is in it.
#pragma once
#include "ks/ks_conf.h"

#define CONF_DIGEST_LEN 32

void conf_digest(const struct ks_group_conf *g, uint8_t out[CONF_DIGEST_LEN]);
