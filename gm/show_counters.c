#include <inttypes.h>

#include "gm/show.h"

void gm_show_counters_text(struct ctl_text *t, const struct gm *gm, mono_t now)
{
	(void)now;
	ctl_text_add(t, "Dead peer detection\n");
#define X(field, name) ctl_text_add(t, "    %-28s : %" PRIu64 "\n", name, gm->dpd.field);
	IKE_DPD_COUNTS(X)
#undef X
	ctl_text_add(t, "Datagrams dropped\n");
	for (size_t i = 0; i < GM_DROP_COUNT; i++)
		ctl_text_add(t, "    %-28s : %" PRIu64 "\n", gm_drop_name((enum gm_drop)i),
			     gm->drops[i]);
	ctl_text_add(t, "Phase 1 and GROUPKEY-PULL messages refused\n");
	for (size_t i = 1; i < IKE_R_COUNT; i++)
		ctl_text_add(t, "    %-28s : %" PRIu64 "\n", ike_reason_name((enum ike_reason)i),
			     gm->ike_refused[i]);
}

json_t *gm_show_counters_json(const struct gm *gm, mono_t now)
{
	json_t *drops = json_object(), *refused = json_object(), *dpd = json_object();

	(void)now;
	for (size_t i = 0; i < GM_DROP_COUNT; i++)
		json_object_set_new(drops, gm_drop_name((enum gm_drop)i),
				    json_integer((json_int_t)gm->drops[i]));
	for (size_t i = 1; i < IKE_R_COUNT; i++)
		json_object_set_new(refused, ike_reason_name((enum ike_reason)i),
				    json_integer((json_int_t)gm->ike_refused[i]));
#define X(field, name) json_object_set_new(dpd, name, json_integer((json_int_t)gm->dpd.field));
	IKE_DPD_COUNTS(X)
#undef X
	return json_pack("{s:o,s:o,s:o}", "drops", drops, "refused", refused, "dpd", dpd);
}

// ---- dataplane ----

void gm_dp_stats_fini(struct gm_dp_stats *s)
{
	free(s->counter);
	free(s->sa);
	*s = (struct gm_dp_stats){ .n_sas = 0 };
}

static unsigned long long counter(const struct gm_dp_stats *s, const char *name)
{
	for (size_t i = 0; i < s->n_counters; i++) {
		if (strncmp(s->counter[i].name, name, sizeof(s->counter[i].name)) == 0)
			return s->counter[i].value;
	}
	return 0;
}

// at: which counter of struct dp_sa_stats.
static unsigned long long sa_sum(const struct gm_dp_stats *s, const char *group, size_t at)
{
	unsigned long long n = 0;
	uint64_t v;

	for (size_t i = 0; i < s->n_sas; i++) {
		if (strncmp(s->sa[i].group, group, sizeof(s->sa[i].group)) != 0)
			continue;
		memcpy(&v, (const char *)&s->sa[i] + at, sizeof(v));
		n += v;
	}
	return n;
}
#define SA_SUM(s, group, member) sa_sum(s, group, offsetof(struct dp_sa_stats, member))

static void counter_pair(struct ctl_text *t, const char *a, unsigned long long va, const char *b,
			 unsigned long long vb)
{
	ctl_text_add(t, "    %-25s: %-8llu %-25s: %llu\n", a, va, b, vb);
}

void gm_show_dataplane_text(struct ctl_text *t, const struct gm *gm, const struct gm_dp_stats *s)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		const char *g = gm->group[i]->conf.name;

		ctl_text_add(t, "Data-plane statistics for group %s:\n", g);
		counter_pair(t, "#pkts encrypt", SA_SUM(s, g, packets_out), "#pkts decrypt",
			     SA_SUM(s, g, packets_in));
		counter_pair(t, "#pkts tagged (send)", 0, "#pkts untagged (rcv)", 0);
		counter_pair(t, "#pkts no sa (send)", counter(s, "esp_out_no_sa"),
			     "#pkts invalid sa (rcv)", counter(s, "esp_in_unknown_spi"));
		counter_pair(t, "#pkts encaps fail (send)", counter(s, "esp_out_no_room"),
			     "#pkts decap fail (rcv)",
			     counter(s, "esp_in_length") + counter(s, "esp_in_padding") +
				     counter(s, "esp_in_inner_header"));
		counter_pair(t, "#pkts invalid prot (rcv)", counter(s, "esp_in_cleartext"),
			     "#pkts verify fail (rcv)", counter(s, "esp_in_auth_fail"));
		counter_pair(t, "#pkts replay error (rcv)", SA_SUM(s, g, replayed),
			     "#pkts not checked (rcv)", counter(s, "in_replay_unchecked"));
		counter_pair(t, "#pkts not tagged (send)", 0, "#pkts not untagged (rcv)", 0);
		counter_pair(t, "#pkts internal err (send)", counter(s, "tx_full"),
			     "#pkts internal err (rcv)", counter(s, "no_buffer"));
	}
	ctl_text_add(t, "\nespd counters (whole box):\n");
	for (size_t i = 0; i < s->n_counters; i++) {
		if (s->counter[i].value > 0)
			ctl_text_add(t, "    %-25.31s: %llu\n", s->counter[i].name,
				     (unsigned long long)s->counter[i].value);
	}
}

static json_t *sa_json(const struct dp_sa_stats *sa)
{
	static const char *const dirs[] = { "none", "in", "out", "both" };
	char spi[16];

	snprintf(spi, sizeof(spi), "0x%08X", sa->spi);
	return json_pack(
		"{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "spi", spi,
		"group", sa->group, "dir", dirs[sa->dir & DP_DIR_BOTH], "sid", (json_int_t)sa->sid,
		"remaining_s", (json_int_t)sa->life_s, "packets_out", (json_int_t)sa->packets_out,
		"bytes_out", (json_int_t)sa->bytes_out, "packets_in", (json_int_t)sa->packets_in,
		"bytes_in", (json_int_t)sa->bytes_in, "auth_fail", (json_int_t)sa->auth_fail,
		"policy_fail", (json_int_t)sa->policy_fail, "iv_used", (json_int_t)sa->iv_used,
		"iv_limit", (json_int_t)sa->iv_limit, "replay_window", (json_int_t)sa->window,
		"replay_senders", (json_int_t)sa->senders, "replayed", (json_int_t)sa->replayed);
}

json_t *gm_show_dataplane_json(const struct gm_dp_stats *s)
{
	json_t *counters = json_object(), *sas = json_array();

	for (size_t i = 0; i < s->n_counters; i++)
		json_object_set_new(counters, s->counter[i].name,
				    json_integer((json_int_t)s->counter[i].value));
	for (size_t i = 0; i < s->n_sas; i++)
		json_array_append_new(sas, sa_json(&s->sa[i]));
	return json_pack("{s:o,s:o}", "counters", counters, "sas", sas);
}
