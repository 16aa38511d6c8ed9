// coop/coop_key.h - the file of the key that key servers of a set share.
// One line of hexadecimal digits, readable for its owner alone: made once, on one key server, and
// carried to the others by hand. Members never have it.
// From:   coop_conf.c, ksd --coop-key.
// Never:  prints or logs a key; overwrites a file.
#pragma once
#include "common/base/rng.h"
#include "common/crypto/secret.h"

#define COOP_KEY_LEN 32 // octets of a key that we make

// -errno; *why then says what is wrong with the file.
MUST_CHECK int coop_key_make(const char *path, struct rng *rng, const char **why);
MUST_CHECK int coop_key_read(const char *path, struct secret *out, const char **why);
