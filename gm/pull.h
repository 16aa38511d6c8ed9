// gm/pull.h - registration: main mode, then GROUPKEY-PULL, with the servers in turn.
//
//	IDLE --due--> PHASE1 --established, identity is a listed server--> PULL2 --policy good-->
//	PULL4 --keys good--> IDLE (registered)           any failure --> IDLE, next server or
// back-off
//
// Owns:   the phase 1 SA and the exchange in it; which server is next and when.
// From:   core.c with datagrams, DH results and timers.
// To:     common/ike, wire/gdoi_pull, gm/grant.
// Spec:   RFC 6407 3, 5.7; RFC 2409 5.4.
// Always: the KS's phase 1 identity is a configured server; policy is judged before message 3.
// Never:  installs anything before the whole download is good.
#pragma once
#include "common/ike/dpd.h"
#include "common/ike/phase1.h"
#include "common/ike/protect.h"
#include "common/wire/gdoi_pull.h"
#include "gm/gm_conf.h"

struct gm;
struct gm_group;
struct gm_out;

#define GM_NONCE_LEN	   32
#define GM_LINGER_S	   30	// the phase 1 SA stays this long after the download
#define GM_PROBE_JITTER_MS 2000 // before phase 1 is made again, when it ended by itself
#define GM_BACKOFF_S	   4	// after the first failed round; doubles
#define GM_BACKOFF_MAX	   60
#define GM_RETURN_MAX_S	   3600 // between tries of the first server

#define GM_BEGIN_BEST SIZE_MAX

enum gm_reg_state { GM_REG_IDLE, GM_REG_PHASE1, GM_REG_PULL2, GM_REG_PULL4 };

struct gm_reg {
	uint32_t key_rekeys; // of the group when the PULL began
	mono_t offered;	     // message 2 came: its lives and delays count from then
	enum gm_reg_state state;
	mono_t next; // IDLE: when to begin; MONO_NEVER: no need
	size_t server;
	size_t begin;	 // server of the next round's first try; GM_BEGIN_BEST: best not known dead
	bool alone;	 // try that one and no other: we are registered elsewhere
	unsigned tried;	 // servers of this round
	unsigned rounds; // in vain
	bool sa_used;	 // sa is initialised
	struct ike_sa sa;
	struct dh_job *dh;	   // away, being run
	struct ike_auth_job *auth; // the same
	mono_t linger;		   // when the SA of a finished registration is deleted
	// gm/dpd.h
	struct ike_dpd dpd;
	bool probing; // this phase 1 is for itself: no PULL follows
	mono_t probe; // when to begin one
	bool dead[GM_MAX_SERVERS];
	struct ike_exch x;
	struct ike_resend resend;
	size_t nr_len;
	uint8_t ni[GM_NONCE_LEN], nr[GDOI_NONCE_MAX];
	struct gdoi_sa offer; // of message 2
};

extern const struct ike_schedule gm_reg_schedule; // of phase 1 and of the PULL

void gm_reg_init(struct gm_reg *r, mono_t now);
void gm_reg_fini(struct gm_reg *r);
// Begin at `when` from the first server, unless a registration is under way already.
void gm_reg_want(struct gm_group *g, mono_t when);
// The same with the server after the one we are registered with.
void gm_reg_want_next(struct gm_group *g, mono_t when);
// The same with the first server alone: when it does not answer nothing else happens.
void gm_reg_want_first(struct gm_group *g, mono_t when);
void gm_reg_timer(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out);
mono_t gm_reg_next(const struct gm_reg *r);
// A datagram of exchange 2, 5 or 32 whose cookies are this group's.
void gm_reg_in(struct gm *gm, struct gm_group *g, mono_t now, const struct isakmp_hdr *hdr,
	       const struct endpoint *from, const struct endpoint *to, struct bytes datagram,
	       struct gm_out *out);
void gm_reg_auth_done(struct gm *gm, struct gm_group *g, mono_t now, struct ike_auth_job *job,
		      struct gm_out *out);
void gm_reg_dh_done(struct gm *gm, struct gm_group *g, mono_t now, struct dh_job *dh,
		    struct gm_out *out);
// Ends what is under way and tells the server (Informational Delete).
void gm_reg_close(struct gm_group *g, struct gm_out *out);
// How long to rest after so many rounds in vain (1 or more).
int64_t gm_reg_backoff_ms(struct rng *rng, unsigned rounds);
// When to register again if nothing comes: jitter before the first key ends.
void gm_reg_plan_renewal(struct gm *gm, struct gm_group *g, mono_t now);
