// dataplane/sadb.h - security associations: the view one policy has of them, and what outlives it.
//
//   struct sadb      one per policy generation: immutable views, found by SPI, read by workers
//   struct sa_state  key and counters of one (SPI, key); shared by successive generations
//   struct iv_state  IV counters of one (SPI, sender id); never forgotten while they matter
//
// A commit builds a new sadb aside. An SA that is named again finds its old state by (SPI, key),
// and its IV counters by (SPI, sid): so counters survive every commit, and an IV counter cannot go
// back, even when an SA is removed and comes again within its life.
// Owns:   keys (wiped when the last view is freed), counters.
// From:   txn.c builds; ctl_io.c publishes and frees after the last reader; esp_*.c read.
// Spec:   RFC 4301 4.4.2, RFC 6054, docs/security.md "Nonces".
// Never:  rte_*, time of its own, waiting.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/mono.h"
#include "common/crypto/secret.h"
#include "dataplane/crypto.h"
#include "dataplane/dp_api.h"
#include "dataplane/esp_fmt.h"
#include "dataplane/stats.h"
#include "dataplane/windows.h"

// Written by one worker, read by the control thread.
struct sa_count {
	uint64_t packets_out, bytes_out, packets_in, bytes_in, auth_fail, policy_fail, replayed;
} __attribute__((aligned(64)));

struct sa_state {
	struct sa_count n[STATS_MAX_WORKERS];
	struct windows *windows[STATS_MAX_WORKERS]; // NULL: no anti-replay
	uint16_t window;			    // their width
	struct crypto_key *key;
	unsigned refs; // sadbs that name it
	uint32_t spi;
	uint8_t suite;
	bool told_expired;
	struct secret raw, raw_auth; // to know the same SA again
};

struct iv_state {
	struct iv_count n[STATS_MAX_WORKERS];
	unsigned refs;
	uint32_t spi, sid;
	uint8_t sid_bits;
	bool told_soon, told_gone;
	mono_t until; // latest hard life it was used under
};

// What workers see. Immutable once published.
struct sa {
	const struct crypto_key *key;
	const struct esp_suite *suite;
	struct sa_state *state;
	struct iv_state *iv; // NULL unless it sends under a counter suite
	int64_t expires_ms;  // mono_t: hard life
	uint32_t spi, sid;
	bool has_windows; // all of the state's are there
	uint8_t dir;
	char group[DP_NAME_LEN];
} __attribute__((aligned(64)));

struct sadb {
	struct sa *sas;
	size_t n, max;
	uint32_t mask;
	uint32_t *slot; // index + 1 into sas, by SPI, open addressing
};

// What outlives one sadb. One per process, used by the control thread only.
struct sa_store {
	struct sa_state **states;
	size_t n_states, cap_states;
	struct iv_state **ivs;
	size_t n_ivs, cap_ivs;
	unsigned n_workers, core_bits;
	uint32_t senders; // room for windows of so many, for each SA and worker
};

void sa_store_init(struct sa_store *st, unsigned n_workers, uint32_t senders);
void sa_store_fini(struct sa_store *st); // after every sadb is freed
// What was noted of SAs and IV spaces (notes.h) is news to a client that has just come.
void sa_store_tell_again(struct sa_store *st);

struct sadb *sadb_new(void);
// Adds one SA. 0, or -errno with the sentence for gmd in *why.
MUST_CHECK int sadb_add(struct sadb *db, struct sa_store *st, const struct dp_sa *in,
			const char *group, mono_t now, const char **why);
// Adds one that another sadb has, as it is: same key, counters, end of life.
MUST_CHECK int sadb_keep(struct sadb *db, const struct sa *sa, const char **why);
void sadb_free(struct sadb *db, struct sa_store *st); // no reader may be left; wipes unused keys

static inline const struct sa *sadb_find(const struct sadb *db, uint32_t spi)
{
	uint32_t i = (spi * 0x9e3779b1u) & db->mask;

	for (; db->slot[i]; i = (i + 1) & db->mask)
		if (db->sas[db->slot[i] - 1].spi == spi)
			return &db->sas[db->slot[i] - 1];
	return NULL;
}

void sadb_stats(const struct sa *sa, unsigned n_workers, mono_t now, struct dp_sa_stats *out);
