// ks/mirror_int.h - shared by the files that write items and take them over.
//   mirror.c           bodies and names; the chain; which item is whose
//   mirror_keys.c      generations, KEKs, sequence numbers, the rekey on its way
//   mirror_members.c   members, and who is excluded
#pragma once
#include "ks/mirror.h"
#include "ks/replica_int.h"

#define MIRROR_VERSION 1 // of all bodies

struct mirror_body {
	uint8_t *p;
	struct wr w;
};

void mirror_begin(struct mirror_body *b);
void mirror_end(struct mirror_body *b); // wipes
struct bytes mirror_view(const struct mirror_body *b);
// False: of a version that is not known here.
bool mirror_open(const struct coop_item *i, struct rd *r, struct rd_err *err);

const struct coop_item *mirror_find(const struct ks_group *g, uint8_t kind, struct bytes key);
const struct coop_item *mirror_next(const struct ks_group *g, uint8_t kind,
				    const struct coop_item *i); // NULL: the first
// What names a member or a tombstone: too long for a key as it is, its digest.
size_t mirror_name(const struct addr *a, uint64_t n, uint8_t out[COOP_KEY_MAX]);

void mirror_put_kek(struct ks_group *g, mono_t now, const struct kek *k, struct ks_out *out);

void mirror_apply_gen(struct ks_group *g, mono_t now, const struct coop_item *i,
		      struct rd_err *err);
void mirror_apply_kek(const struct ks *ks, struct ks_group *g, mono_t now,
		      const struct coop_item *i, struct rd_err *err);
void mirror_apply_seq(struct ks_group *g, const struct coop_item *i);
void mirror_apply_member(const struct ks *ks, struct ks_group *g, mono_t now,
			 const struct coop_item *i, struct ks_out *out, struct rd_err *err);
void mirror_apply_ban(struct ks_group *g, const struct coop_item *i, struct ks_out *out,
		      struct rd_err *err);
