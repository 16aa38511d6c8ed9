// gm/gm.h - the whole state of a group member on one screen.
// Owns:   everything below; gm_new makes it, gm_free wipes it.
// From:   core.c alone enters; the rooms (pull, rekey, teks, policy, timers, show) share it.
// Always: changed by gm_step only, with time and randomness handed in.
#pragma once
#include "common/base/log.h"
#include "common/ike/info.h"
#include "common/ike/phase1.h"
#include "common/wire/gdoi_pull.h"
#include "common/wire/gdoi_push.h"
#include "gm/gm_conf.h"
#include "gm/grant.h"
#include "gm/lkh.h"
#include "gm/pull.h"
#include "gm/keks.h"
#include "gm/nat.h"
#include "gm/policy.h"
#include "gm/pseudo.h"
#include "gm/recovery.h"
#include "gm/sids.h"
#include "gm/teks.h"

#define GM_DATAGRAM_MAX 65535

// Why a datagram was dropped. Phase 1 and the PULL count their own reasons (enum ike_reason).
#define GM_DROPS(X)                                                                                \
	X(MALFORMED, "isakmp-malformed")                                                           \
	X(EXCHANGE, "exchange-unknown")                                                            \
	X(COOKIE, "cookie-unknown")                                                                \
	X(NAT_PORT, "nat-port-no-isakmp")                                                          \
	X(PUSH_KEK, "push-kek-unknown")                                                            \
	X(PUSH_SOURCE, "push-source-not-listed")                                                   \
	X(PUSH_DUPLICATE, "push-duplicate")                                                        \
	X(PUSH_DECRYPT, "push-decrypt")                                                            \
	X(PUSH_FORM, "push-form")                                                                  \
	X(PUSH_SEQ, "push-seq")                                                                    \
	X(PUSH_SIG, "push-signature")                                                              \
	X(PUSH_REFUSED, "push-refused")

enum gm_drop {
#define X(sym, name) GM_DROP_##sym,
	GM_DROPS(X)
#undef X
		GM_DROP_COUNT
};
const char *gm_drop_name(enum gm_drop d);

struct gm_group {
	struct gm_conf_group conf;
	struct logctx lc;
	bool registered;	     // at least once, and not told to forget since
	struct addr registered_with; // none before the first registration
	bool ks_conclave;	     // it showed our vendor id: its rekeys carry the whole policy
	mono_t renew_at;	     // register again then if no rekey comes before
	const char *renew_why;
	struct gm_recovery recovery;
	mono_t return_at;	// try the first server again then
	uint32_t return_wait_s; // before that
	bool direction_set;	// by an operator, until gmd ends
	enum gm_direction direction;
	uint64_t live_since; // generation of the program that had it live first; 0 none
	uint32_t overlaps;   // groups that were said to overlap with it, a bit each
	struct ike_conf ike;
	struct gm_reg reg;   // gm/pull.h: the registration under way
	struct gm_keks keks; // gm/keks.h
	struct gm_lkh lkh;   // our branch, where the KEK is the root of a key tree
	struct gm_teks teks;
	struct gm_sids sids;
	struct gm_nat nat; // gm/nat.h
	struct gm_pseudo pseudo;
	struct {
		uint32_t attempts, registrations, keepalives;
		uint32_t rekeys, rekeys_since_registration, acks;
		uint32_t key_rekeys; // those that brought TEKs
		mono_t last_rekey;   // MONO_NEVER: none yet
		struct addr last_rekey_from;
		uint32_t last_seq;
		uint64_t unknown_spi; // packets
		uint32_t recoveries;
	} n;
};

enum gm_dp_state {
	GM_DP_DOWN,
	GM_DP_IDLE, // what it has is what it was given last
	GM_DP_BUSY, // a transaction is on its way
};

struct gm_dp {
	enum gm_dp_state state;
	bool dirty;	     // what it should have has changed since it was given
	uint64_t boot;	     // of espd; 0 before the first hello
	uint64_t generation; // of our last transaction
	uint64_t done;	     // the last one this espd confirmed to us; 0 none yet
	mono_t retry_at;     // after a refused transaction
	uint16_t n_workers;
	char backend[DP_NAME_LEN];
};

// Decoded messages are large: one place for them. What holds key bytes (plain, grant, lkh) is wiped
// after each use; the rest are views of plain.
struct gm_scratch {
	uint8_t plain[GM_DATAGRAM_MAX + CIPHER_BLOCK_MAX];
	struct gdoi_push push;
	struct gdoi_pull2 pull2;
	struct gdoi_pull4 pull4;
	struct gm_grant grant;
	struct gm_lkh lkh; // branch that comes with the KEK being judged
};

struct gm {
	struct gm_conf *conf;
	struct rng *rng;
	size_t n_groups;
	struct gm_group *group[GM_MAX_GROUPS];
	struct gm_dp dp;
	struct gm_scratch *scratch;
	mono_t stepped; // time of the last step
	uint64_t drops[GM_DROP_COUNT];
	uint64_t ike_refused[IKE_R_COUNT];
	struct ike_dpd_count dpd;
	struct log_limit drop_limit;
#if CONCLAVE_KEYLOG
	FILE *keylog; // lab builds: borrowed, NULL when off
#endif
};

struct gm *gm_new(struct rng *rng); // without configuration; NULL: out of memory
void gm_free(struct gm *gm);
struct gm_group *gm_find_group(const struct gm *gm, const char *name);
// No SPI of the download is another group's: espd knows one SA per SPI.
bool gm_spis_free(const struct gm *gm, const struct gm_group *g, const struct gm_grant *grant,
		  const char **why);
// What may travel in clear now: an operator's word, else the configuration's, else the policy's.
enum gm_direction gm_direction(const struct gm_group *g, mono_t now);
// The pseudotime of an authenticated message that was right then, if it brought one.
void gm_take_pseudotime(struct gm_group *g, const struct gdoi_sa *sa, bool pull, mono_t at,
			struct gm_out *out);
struct gm_accept gm_accepts(const struct gm_group *g, bool ks_conclave);
struct endpoint gm_server(const struct gm *gm, const struct gm_group *g, size_t i);
// Lab builds: the keys of the download in scratch->grant, and its KEK, into the key log.
void gm_keylog_download(const struct gm *gm, const struct gm_kek *kek);
