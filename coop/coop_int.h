// coop/coop_int.h - what the parts of coop ask of each other.
// From:   coop/*.c only.
#pragma once
#include "coop/coop.h"

#define COOP_RESEND_HELLOS 4 // unconfirmed items are sent again
#define COOP_COUNT_JUMP	   (UINT64_C(1) << 20)
#define COOP_RELAY_HELLOS  2 // others' items are passed on when their owner seems not to reach

static inline int64_t coop_dead_ms(const struct coop *c)
{
	return (int64_t)c->conf.hello_ms * c->conf.dead_hellos;
}

static inline bool coop_passed(mono_t since, int64_t ms, mono_t now)
{
	return mono_due(mono_add_ms(since, ms), now);
}

// How far counts leap at a start, and when a life is found out that we do not remember: counts of
// two lives never meet, however many puts each has made.
static inline uint64_t coop_count_jump(struct rng *rng)
{
	return COOP_COUNT_JUMP + rng_range(rng, 0, COOP_COUNT_JUMP);
}

// out.c
struct coop_act *coop_act(struct coop_out *out, enum coop_act_kind kind);
void coop_log(struct coop_out *out, enum event_id event, size_t peer, const char *text);
// At most max octets; the writer is to be handed back.
void coop_send_begin(struct coop_out *out, struct wr *w, size_t max);
void coop_send_end(struct coop *c, struct coop_out *out, const struct wr *w, size_t peer,
		   bool datagram);
void coop_send(struct coop *c, struct coop_out *out, size_t peer, struct coop_frame *f);

// core.c: into the store, under a tag of ours. Returns what is there now.
struct coop_item *coop_put_own(struct coop *c, const struct coop_put *put, struct coop_out *out);
void coop_retag(struct coop *c, struct coop_item *i, struct coop_out *out);

// hello.c
void coop_hello_in(struct coop *c, mono_t now, size_t peer, const struct coop_hello *h,
		   struct coop_out *out);
void coop_hello_tick(struct coop *c, mono_t now, struct coop_out *out);
void coop_peers_refresh(struct coop *c, mono_t now, struct coop_out *out);

// election.c
bool coop_better(uint8_t prio_a, const struct addr *a, uint8_t prio_b, const struct addr *b);
bool coop_eligible(const struct coop *c);
bool coop_lead_is_fresh(const struct coop *c, mono_t now);
uint8_t coop_choice(const struct coop *c, mono_t now);
mono_t coop_quorum_check(const struct coop *c, mono_t now);
void coop_claim_heard(struct coop *c, mono_t now, const struct coop_claim *claim);
void coop_claim(struct coop *c);
void coop_elect(struct coop *c, mono_t now, struct coop_out *out);
uint64_t coop_conf_short(const struct coop *c);
void coop_drift_check(struct coop *c, struct coop_out *out);

// sync.c
void coop_link(struct coop *c, mono_t now, size_t peer, bool up, struct coop_out *out);
void coop_sync_open(struct coop *c, mono_t now, size_t peer, const struct coop_open *o,
		    struct coop_out *out);
void coop_sync_vector(struct coop *c, mono_t now, size_t peer, const struct coop_vector *v,
		      struct coop_out *out);
void coop_sync_items(struct coop *c, mono_t now, size_t peer, const struct coop_items *t,
		     struct coop_out *out);
void coop_sync_send(struct coop *c, mono_t now, bool tick, struct coop_out *out);
void coop_commit_check(struct coop *c, mono_t now, struct coop_out *out);

// handover.c
void coop_handover_start(struct coop *c, mono_t now, size_t to);
void coop_handover_command(struct coop *c, mono_t now, struct coop_out *out);
void coop_handover_tick(struct coop *c, mono_t now, struct coop_out *out);
void coop_handover_in(struct coop *c, mono_t now, size_t peer, const struct coop_handover *h);

// ids.c
bool coop_sids_proven(const struct coop *c);
void coop_sids_tick(struct coop *c, mono_t now, struct coop_out *out);
void coop_sids_ask_in(struct coop *c, size_t peer, const struct coop_sid_ask *a,
		      struct coop_out *out);
void coop_sids_give_in(struct coop *c, mono_t now, const struct coop_sid_give *g);
uint64_t coop_term_next(const struct coop *c);
