// ks/replica_int.h - shared by the files that write the parts of replica.h and read them back.
//   replica_field.c   numbers, times, texts, keys, addresses
//   replica_keys.c    KEYS: policies, generations of TEKs, KEKs
//   replica_push.c    PUSH: the rekey that is being sent, or was last
//   replica_tree.c    TREE
//   replica_item.c    ITEM, META: of a group in a set
//   replica.c         RUN, BANNED, MEMBER, and what all parts have in common
// Each put has its get below it: what one writes the other reads, in that order.
#pragma once
#include "common/wire/wr.h"
#include "ks/replica.h"

void rep_put_u64(struct wr *w, uint64_t v);
uint64_t rep_get_u64(struct rd *r);
void rep_put_time(struct wr *w, mono_t t, int64_t base_ms);
mono_t rep_get_time(struct rd *r, int64_t base_ms);
void rep_put_bool(struct wr *w, bool b);
bool rep_get_bool(struct rd *r);
void rep_put_str(struct wr *w, const char *s);
void rep_get_str(struct rd *r, char *out, size_t size);
void rep_put_secret(struct wr *w, const struct secret *s);
void rep_get_secret(struct rd *r, size_t len, struct secret *s);
void rep_put_addr(struct wr *w, const struct addr *a);
void rep_get_addr(struct rd *r, struct addr *a);
void rep_put_endpoint(struct wr *w, const struct endpoint *e);
void rep_get_endpoint(struct rd *r, struct endpoint *e);
void rep_put_group(struct wr *w, const struct endpoint *e, uint8_t ttl);
void rep_get_group(struct rd *r, struct endpoint *e, uint8_t *ttl);

void rep_put_policy(struct wr *w, const struct policy *p);
struct policy *rep_get_policy(struct rd *r);	     // one reference; NULL: refused
void rep_put_kek(struct wr *w, const struct kek *k); // without its times and its SEQ
void rep_get_kek(struct rd *r, struct kek *k);
void rep_put_keys(struct wr *w, const struct ks_group *g, int64_t base_ms);
void rep_get_keys(struct rd *r, struct ks_group *g, int64_t base_ms);
void rep_put_push(struct wr *w, const struct ks_group *g, int64_t base_ms);
void rep_get_push(struct rd *r, struct ks_group *g, int64_t base_ms);
void rep_put_tree(struct wr *w, const struct lkh *t);
void rep_get_tree(struct rd *r, struct ks_group *g);
