// ks/rekey.h - decides that a rekey is due; makes the keys, builds, signs and seals it.
//
//   roll:  new TEK generation, or a new KEK, or both    HDR*, SEQ, SA(SAK, GAP, SATs), KD, SIG
//   renew: everything ends, members register again      HDR*, SEQ, D(TEKs), D(KEK), SIG
//   retire: they register again, their TEKs go on       HDR*, SEQ, D(KEK), SIG
//
// What is made on schedule goes by the plan that runs (plan.h); an operator's rekey by the staged.
//
// A roll that shuts somebody out of the key tree brings the KEK alone: TEKs beside it would be
// read by whoever is shut out (RFC 6407 7.4.1). They follow under the new KEK.
//
// New TEKs activate ATD seconds after a member heard of them, old ones go after DTD. ATD covers
// the paced fan-out and all its retransmissions, so that nobody sends under a key that somebody
// has not heard of; it is less than the life the old TEKs have left.
// From:   core.c, timers.c, pull.c, removal.c.     To: keys, lkh, push, fanout.
// Spec:   RFC 6407 3.5, 4, 5.4, 7.4; RFC 5374 4.2.1.
// Always: one SEQ counter per KEK; all that is sent under one SEQ says the same keys.
// Never:  installs what could not be built and signed whole.
#pragma once
#include "ks/push.h"

struct ks_delays ks_rekey_delays(const struct ks_group *g, mono_t now); // of a roll begun now

mono_t ks_rekey_tek_due(const struct ks_group *g);
mono_t ks_rekey_kek_due(const struct ks_group *g);
mono_t ks_rekey_next(const struct ks_group *g, mono_t now); // whatever this room waits for

// First keys of a group: nobody to tell.
void ks_rekey_start(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
// TEKs that have died while nobody served, or while another rekey was in the way, have a successor
// at once, for whoever registers; a rekey brings others to the rest.
void ks_rekey_revive(struct ks *ks, struct ks_group *g, mono_t now);
void ks_rekey_timer(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
// An operator's word sends what is staged: now, or behind the one in flight; why says which, or why
// not (false). replace: the former TEKs and KEK end with it, nobody waits for anybody.
bool ks_rekey_now(struct ks *ks, struct ks_group *g, mono_t now, bool replace, struct ks_out *out,
		  char *why, size_t why_size);
// All keys end now; members are told to register again. False: it could not be signed.
bool ks_rekey_renew(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
// In a set: what is known here, of keys under each KEK that members may hold, of their Deletes
// under those that are over too. For who comes to lead, or meets another part of the set.
bool ks_rekey_again(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
bool ks_rekey_clear_again(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
// Sender ids are exhausted (RFC 6407 3.5): the same.
void ks_rekey_renew_sids(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
// Members are told to register again; until the new TEKs are active, when all are back, the old
// ones serve.
bool ks_rekey_retire(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
// Who has left the key tree is out: new KEK, then new TEKs. No rekey is in flight.
bool ks_rekey_shut_out(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);

// A registration was offered keys as of (KEK, SEQ): it has missed nothing since, or only the last
// rekey, which can still be sent to it.
bool ks_rekey_can_catch_up(const struct ks_group *g, const uint8_t *kek_spi, uint32_t seq);
// It has missed the last rekey, or more, and can read it.
bool ks_rekey_is_behind(const struct ks_group *g, const uint8_t *kek_spi, uint32_t seq);
const struct kek *ks_rekey_kek(const struct ks_group *g, const uint8_t *kek_spi); // or NULL

// "rk=7f3a/42": the tag of one rekey in every log.
#define KS_TAG_LEN 24
const char *ks_rekey_tag(const struct ks_push *p, char buf[KS_TAG_LEN]);
