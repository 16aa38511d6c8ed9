#include "gm/show.h"

static void group_text(struct ctl_text *t, const struct gm_group *g, mono_t now)
{
	struct pseudotime at = gm_pseudo_at(&g->pseudo, now);
	char text[REPLAY_STRLEN];

	ctl_text_add(t, "Anti-replay Information For Group %s:\n", g->conf.name);
	if (at.epoch == 0) {
		ctl_text_add(t, "    Pseudotime         : not told by the key server\n");
	} else {
		ctl_text_add(t, "    Pseudotime (sec)   : %lld.%03u\n", (long long)(at.ms / 1000),
			     (unsigned)(at.ms % 1000));
		ctl_text_add(t, "    Pseudotime epoch   : 0x%08X\n", at.epoch);
		ctl_text_add(t, "    Told (sec ago)     : %lld\n",
			     (long long)((now.ms - g->pseudo.at.ms) / 1000));
	}
	ctl_text_add(t, "    Jumps              : %u\n", g->pseudo.n_jumps);
	for (size_t i = 0; i < g->teks.n; i++) {
		const struct gm_tek *k = &g->teks.tek[i];

		ctl_text_add(t, "    spi 0x%08X     : %s%s\n", k->spi, replay_str(k->replay, text),
			     gm_policy_checks_replay(k, &g->sids) ? ", per sender"
								  : ", not enforced");
	}
	ctl_text_add(t, "\n");
}

void gm_show_replay_text(struct ctl_text *t, const struct gm *gm, mono_t now)
{
	for (size_t i = 0; i < gm->n_groups; i++)
		group_text(t, gm->group[i], now);
}

static json_t *teks_json(const struct gm_group *g)
{
	json_t *list = json_array();
	char spi[16];

	for (size_t i = 0; i < g->teks.n; i++) {
		const struct replay *r = &g->teks.tek[i].replay;

		snprintf(spi, sizeof(spi), "0x%08X", g->teks.tek[i].spi);
		json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:I,s:b}", "spi", spi, "mode",
				  replay_mode_name(r->mode), "window", (json_int_t)r->window,
				  "enforced", gm_policy_checks_replay(&g->teks.tek[i], &g->sids)));
	}
	return list;
}

json_t *gm_show_replay_json(const struct gm *gm, mono_t now)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < gm->n_groups; i++) {
		const struct gm_group *g = gm->group[i];
		struct pseudotime at = gm_pseudo_at(&g->pseudo, now);
		bool told = at.epoch != 0;
		int64_t ago_s = (now.ms - g->pseudo.at.ms) / 1000;

		json_array_append_new(
			groups,
			json_pack("{s:s,s:o,s:o,s:o,s:I,s:o}", "name", g->conf.name, "epoch",
				  told ? json_integer(at.epoch) : json_null(), "pseudotime_ms",
				  told ? json_integer(at.ms) : json_null(), "told_s",
				  told ? json_integer(ago_s) : json_null(), "jumps",
				  (json_int_t)g->pseudo.n_jumps, "teks", teks_json(g)));
	}
	return json_pack("{s:o}", "groups", groups);
}
