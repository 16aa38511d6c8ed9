// ks/sa_build.h - policy and keys of a group in the words of RFC 6407: SAK, SATs, KD.
// The one place of ks where the neutral model (policy.h, keys.h) meets GDOI payloads; PULL and
// PUSH say the same things through it.
// From:   pull.c, rekey.c.     Spec: RFC 6407 5.3-5.6, RFC 8263 4.
// Never:  keeps anything; views in the results point into the keys they were made from.
#pragma once
#include "ks/ks.h"

// dst: where PUSHes go; family only for "wherever the member is".
void ks_build_sak(const struct gdoi_wire_opts *o, const struct kek *k, const struct endpoint *src,
		  const struct endpoint *dst, bool ack, mono_t now, struct gdoi_sak *out);
// Appends what the generation protects, and in the ordered form, which is ours, its anti-replay and
// what it lets pass when bypass is true. False when the SATs do not fit.
bool ks_build_sats(const struct gdoi_wire_opts *o, const struct tek_gen *gen, bool ordered,
		   bool bypass, mono_t now, struct gdoi_sa *out);
bool ks_build_teks(const struct tek_gen *gen, mono_t now, struct gdoi_kd *out);

// joined: IV and key in one piece, kept (and wiped) by the caller while out is in use.
void ks_build_kek(const struct gdoi_wire_opts *o, const struct kek *k, struct secret *joined,
		  struct gdoi_kd *out);
// The same from a key tree: for one member its branch; for all, update arrays from *next on, which
// is moved past those that fit into one message (false: not even one).
void ks_build_branch(const struct gdoi_wire_opts *o, const struct kek *k, const struct lkh *tree,
		     uint16_t leaf, struct gdoi_kd *out);
bool ks_build_update(const struct gdoi_wire_opts *o, const struct kek *k,
		     const struct lkh_update *u, size_t *next, struct gdoi_kd *out);

uint16_t ks_sig_hash_number(enum hash_alg h); // SIG_HASH_ALGORITHM
uint16_t ks_sig_alg_number(enum sign_alg a);
