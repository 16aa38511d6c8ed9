// common/pki/files.h - key and certificate files that the daemons write themselves.
// Always: a file is whole or not there: written beside, synced, renamed. Nobody else reads a key.
#pragma once
#include <sys/types.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/crypto/cert.h"

#define PKI_MODE_KEY  0600
#define PKI_MODE_CERT 0644

MUST_CHECK int pki_file_write(const char *path, struct bytes b, mode_t mode);
// Key (PEM) and certificates as one PEM text; NULL: no memory. For pki_file_free.
char *pki_join(struct bytes key, const struct cert *const *certs, size_t n, size_t *len);
// All of it, with a NUL behind; to be wiped and freed by pki_file_free. -EFBIG above PKI_FILE_MAX.
MUST_CHECK int pki_file_read(const char *path, char **out, size_t *len);
void pki_file_free(char *b, size_t len); // NULL is fine
