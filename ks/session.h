// ks/session.h - what is kept beside a phase 1 SA: how long it has been idle, and the PULL exchanges under it, each with its last reply.
// Owns:   struct ks_session, hung on sa->owner; bounded per SA.
// From:   core.c opens and closes; pull.c works in it; timers.c asks for idle ones.
// Spec:   RFC 6407 3 (several PULLs may use one phase 1 SA), 7.2.5.
#pragma once
#include "common/ike/dpd.h"
#include "ks/ks.h"

#define KS_PULLS_PER_SA 4
#define KS_NONCE_LEN	32

// What message 2 offered: message 4 has to deliver the keys of exactly that.
struct ks_offer {
	mono_t made;
	uint8_t kek_spi[KEYS_KEK_SPI_LEN];
	uint32_t seq;
	size_t n_gen;
	uint32_t gen[KEYS_MAX_GENS]; // serials
	bool ordered, ack, by_group;
};

struct ks_pull {
	bool done; // message 4 is out
	struct ike_exch exch;
	struct ike_stored stored;
	uint8_t ni_len;
	uint8_t ni[GDOI_NONCE_MAX], nr[KS_NONCE_LEN];
	uint32_t group; // identity: groups may go while we wait
	struct ks_offer offer;
};

struct ks_session {
	struct ike_sa *sa;
	struct ks_sessions *line; // where it stands, to make room; NULL: it stays
	TAILQ_ENTRY(ks_session) link;
	bool proven; // its phase 1 stood once
	mono_t idle_at;
	bool kept;	    // the member will use it again: not forgotten when idle
	struct ike_dpd dpd; // asks where the file says so
	struct ks_pull *pull[KS_PULLS_PER_SA];
};

// A phase 1 SA begins: it gets its session.
void ks_session_open(struct ike_sa *sa, mono_t now);
void ks_session_close(struct ike_sa *sa); // before the SA goes
void ks_session_touch(struct ike_sa *sa, mono_t now);
void ks_session_stand(struct ks_session *s, struct ks_sessions *line); // at its end; NULL: in none
// Phase 1 stands. kept: the SA lives on between uses, and its peer is asked as c says.
void ks_session_proven(struct ike_sa *sa, mono_t now, bool kept, const struct ike_dpd_conf *c);
// When it is forgotten. crowded: others need its place; a member that has what it came for needs it
// only until the last repetition of message 3.
mono_t ks_session_idle_at(const struct ike_sa *sa, bool crowded);

struct ks_pull *ks_pull_find(const struct ks_session *s, uint32_t msgid); // NULL: none
// A free place, else that of an exchange that is over or was left waiting too long, else NULL.
struct ks_pull **ks_pull_slot(struct ks_session *s, mono_t now);
void ks_pull_free(struct ks_pull *p);
