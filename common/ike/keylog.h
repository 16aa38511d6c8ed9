// common/ike/keylog.h - lab builds only (meson -Dkeylog=true): session keys as JSON lines, so that
// independent tools can open what was captured. Nothing of it is compiled otherwise.
#pragma once
#if CONCLAVE_KEYLOG
#include <stdio.h>

#include "common/base/bytes.h"
#include "common/crypto/secret.h"

struct ike_keylog {
	const uint8_t *cky_i, *cky_r;
	const struct secret *skeyid, *skeyid_a, *skeyid_e;
};

// One line each, flushed. f is borrowed; NULL writes nothing.
void keylog_ike(FILE *f, const struct ike_keylog *k);
void keylog_kek(FILE *f, struct bytes spi, const char *alg, struct bytes iv,
		const struct secret *key);
void keylog_tek(FILE *f, uint32_t spi, const char *alg, struct bytes key);
#endif
