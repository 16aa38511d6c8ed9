// common/pki/files.h - key and certificate files that the daemons write themselves.
// Always: a file is whole or not there: written beside, synced, renamed. Nobody else reads a key.
#pragma once
#include <sys/types.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/file_io.h"
#include "common/crypto/cert.h"

#define PKI_MODE_KEY  0600
#define PKI_MODE_CERT 0644

MUST_CHECK int pki_file_write(const char *path, struct bytes b, mode_t mode);
// Key (PEM) and certificates as one PEM text; NULL: no memory. For file_free.
char *pki_join(struct bytes key, const struct cert *const *certs, size_t n, size_t *len);
