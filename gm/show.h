// gm/show.h - what an operator sees of a member: text laid out as on IOS, JSON for programs.
// From:   gm_io.c (control socket).   Never: changes state, shows anything of a key but its SPI.
#pragma once
#include <jansson.h>

#include "common/ctl/ctl.h"
#include "gm/core.h"

// What espd answered to one question.
struct gm_dp_stats {
	size_t n_counters, n_sas;
	struct dp_counter *counter;
	struct dp_sa_stats *sa;
};
void gm_dp_stats_fini(struct gm_dp_stats *s);

// Each view: text appended, or a value the caller owns.
void gm_show_gdoi_text(struct ctl_text *t, const struct gm *gm, mono_t now);
void gm_show_gm_text(struct ctl_text *t, const struct gm *gm, mono_t now);
json_t *gm_show_gm_json(const struct gm *gm, mono_t now);
void gm_show_rekey_text(struct ctl_text *t, const struct gm *gm, mono_t now);
json_t *gm_show_rekey_json(const struct gm *gm, mono_t now);
// show_replay.c
void gm_show_replay_text(struct ctl_text *t, const struct gm *gm, mono_t now);
json_t *gm_show_replay_json(const struct gm *gm, mono_t now);
// show.c
void gm_show_acl_text(struct ctl_text *t, const struct gm *gm, mono_t now);
json_t *gm_show_acl_json(const struct gm *gm, mono_t now);
void gm_show_isakmp_text(struct ctl_text *t, const struct gm *gm, mono_t now);
json_t *gm_show_isakmp_json(const struct gm *gm, mono_t now);
void gm_show_counters_text(struct ctl_text *t, const struct gm *gm, mono_t now);
json_t *gm_show_counters_json(const struct gm *gm, mono_t now);
void gm_show_dataplane_text(struct ctl_text *t, const struct gm *gm, const struct gm_dp_stats *s);
json_t *gm_show_dataplane_json(const struct gm_dp_stats *s);
void gm_show_version_text(struct ctl_text *t, const struct gm *gm, mono_t now);
json_t *gm_show_version_json(const struct gm *gm, mono_t now);
