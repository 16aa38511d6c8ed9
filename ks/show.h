// ks/show.h - what an operator sees of a key server: text laid out as IOS does, and JSON.
// Pure: state and time in, text or JSON out. JSON names are stable (docs/cli.md).
// From:   ks_io.c answers control requests with it; tests read it directly.
// Never:  shows key bytes, or anything made from them: keys are told apart by SPI.
#pragma once
#include "common/ctl/ctl.h"
#include "ks/ks.h"

// word: the address asked for, or NULL.
void ks_show_members(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
json_t *ks_show_members_json(const struct ks *ks, mono_t now, const char *word);
void ks_show_policy(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
json_t *ks_show_policy_json(const struct ks *ks, mono_t now, const char *word);
void ks_show_rekey(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
json_t *ks_show_rekey_json(const struct ks *ks, mono_t now, const char *word);
void ks_show_summary(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
json_t *ks_show_summary_json(const struct ks *ks, mono_t now, const char *word);
void ks_show_counters(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
json_t *ks_show_counters_json(const struct ks *ks, mono_t now, const char *word);
// show_replay.c: pseudotime, and the anti-replay of the policy that members hold.
void ks_show_replay(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
json_t *ks_show_replay_json(const struct ks *ks, mono_t now, const char *word);
// show_coop.c: the key servers of each group's set.
void ks_show_coop(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
json_t *ks_show_coop_json(const struct ks *ks, mono_t now, const char *word);
// show_diff.c: what is staged, and what sending it would change.
void ks_show_staged(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
void ks_show_diff(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
json_t *ks_show_diff_json(const struct ks *ks, mono_t now, const char *word); // of both
// show_isakmp.c: phase 1 SAs, and whether their peers are there.
void ks_show_isakmp(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
json_t *ks_show_isakmp_json(const struct ks *ks, mono_t now, const char *word);
// show_set.c: of key servers of a set.
void ks_show_coop_version(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t);
json_t *ks_show_coop_version_json(const struct ks *ks, mono_t now, const char *word);

// Shared by both forms.
const char *ks_show_ack_word(enum kek_ack ack); // as configured
// Seconds until a member is deleted for its age; -1: it is not.
int64_t ks_show_ages_out_s(const struct ks_group *g, const struct member *m, mono_t now);
const char *ks_show_version(const struct member *m, char buf[16]);
const char *ks_show_hex(const uint8_t *b, size_t n, char *out);	      // out: 2n + 1 octets
bool ks_show_wanted(const struct member *m, const struct addr *only); // only: family 0 is all
int64_t ks_show_last_rekey_ms(const struct ks_push *p, mono_t now);
size_t ks_show_n_members(const struct ks *ks);
// Did it register here? And at which key server of the set: its address.
bool ks_show_is_local(const struct ks_group *g, const struct member *m);
const char *ks_show_home(const struct ks_group *g, const struct member *m, char buf[ADDR_STRLEN]);
