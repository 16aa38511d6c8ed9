// gm/sids.h - sender ids of a group and the one rule about them: no nonce twice.
// A counter-mode IV begins with the sender id; espd counts the rest and forgets its counts when it
// restarts (its boot id changes). So an id that was used under one boot is never used under
// another while the keys it was used with live.
// Owns:   which id was used under which boot.
// From:   gm/pull.c (each registration brings fresh ids), gm/policy.c asks for the one to use.
// Spec:   RFC 6407 3.5, 5.6.4; RFC 6054 3.
// Always: an id is marked before the dataplane hears of it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GM_MAX_SIDS    8
#define GM_SIDS_WANTED 2 // one to use, one for a restart of espd

struct gm_sids {
	uint8_t bits;
	size_t n;
	struct {
		uint32_t value;
		uint64_t boot; // first used under this boot; 0 never used
		bool spent;    // its counter space is used up
	} sid[GM_MAX_SIDS];
};

// Ids of a new registration replace the old ones (RFC 6407 5.6.4.3).
void gm_sids_set(struct gm_sids *s, uint8_t bits, const uint32_t *value, size_t n);
// The id to send with under this boot, marked as used there. False: none is left.
bool gm_sids_take(struct gm_sids *s, uint64_t boot, uint32_t *value);
bool gm_sids_usable(const struct gm_sids *s, uint64_t boot); // the same question, marking nothing
void gm_sids_spend(struct gm_sids *s, uint64_t boot);	     // the id in use ran out of counters
