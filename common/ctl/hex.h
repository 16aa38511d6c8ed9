// common/ctl/hex.h - octets of a file inside JSON.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"

char *hex_from(struct bytes b); // for free; NULL: no memory
// False unless text is pairs of hexadecimal digits for at most max octets.
bool hex_to(const char *text, uint8_t *out, size_t max, size_t *len);
