#include "ks/show.h"

// Adjacent lines of one SA and list say the same.
static bool is_told(const struct policy *p, size_t slot)
{
	return slot > 0 && slot < p->n_slot &&
	       p->slot[slot].sa_number == p->slot[slot - 1].sa_number;
}

void ks_show_replay(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	char text[REPLAY_STRLEN];

	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];
		const struct policy *p = ks_group_policy(g);
		struct pseudotime at = ks_pseudo_at(&g->pseudo, now);

		ctl_text_add(t, "Anti-replay Information For Group %s:\n", g->name);
		ctl_text_add(t, "    Pseudotime (sec)   : %lld.%03u\n", (long long)(at.ms / 1000),
			     (unsigned)(at.ms % 1000));
		ctl_text_add(t, "    Pseudotime epoch   : 0x%08X\n", at.epoch);
		for (size_t s = 0; s < p->n_slot; s++) {
			if (!is_told(p, s))
				ctl_text_add(t, "    IPSec SA %-9u : %s\n", p->slot[s].sa_number,
					     replay_str(p->slot[s].replay, text));
		}
		ctl_text_add(t, "\n");
	}
}

json_t *ks_show_replay_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *groups = json_array();

	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];
		const struct policy *p = ks_group_policy(g);
		struct pseudotime at = ks_pseudo_at(&g->pseudo, now);
		json_t *sas = json_array();

		for (size_t s = 0; s < p->n_slot; s++) {
			const struct replay *r = &p->slot[s].replay;

			if (!is_told(p, s))
				json_array_append_new(sas,
						      json_pack("{s:I, s:s, s:I}", "number",
								(json_int_t)p->slot[s].sa_number,
								"mode", replay_mode_name(r->mode),
								"window", (json_int_t)r->window));
		}
		json_array_append_new(groups,
				      json_pack("{s:s, s:I, s:I, s:o}", "name", g->name, "epoch",
						(json_int_t)at.epoch, "pseudotime_ms",
						(json_int_t)at.ms, "sas", sas));
	}
	return json_pack("{s:o}", "groups", groups);
}
