// common/base/file_io.h - a whole small file in memory, wiped when it goes: it may hold a key.
#pragma once
#include <stddef.h>

#include "common/base/err.h"

// All of it, with a NUL behind; for file_free. -EFBIG above max octets.
MUST_CHECK int file_read(const char *path, size_t max, char **out, size_t *len);
void file_free(char *b, size_t len); // NULL is fine
