// cli/carry.h - files between the operator's disk and a daemon: read and written with the rights of
// who runs gvsh, which a daemon does not have and does not need.
// Always: only a file whose name stands in the command line; none is overwritten; what is written
//         is for its owner alone.
#pragma once
#include "cli/line.h"

// The file that the daemon asked for: malloc'd, to be wiped. NULL: err says why.
uint8_t *carry_read(const struct line *l, size_t at, size_t *len, char *err, size_t err_size);
// What came in an answer, under the name typed as word at. False: err says why.
bool carry_write(const struct line *l, size_t at, const char *hex, char *err, size_t err_size);
