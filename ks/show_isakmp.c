#include "common/ike/natt.h"
#include "ks/session.h"
#include "ks/show.h"

// ---- show crypto isakmp sa ----

static const char *state_word(const struct ike_sa *sa)
{
	return sa->state == IKE_ESTABLISHED ? "GDOI_IDLE" : "MM_NO_STATE";
}

static int64_t heard_s(const struct ks_session *s, mono_t now)
{
	return (now.ms - s->dpd.heard.ms) / 1000;
}

void ks_show_isakmp(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	const struct ike_dpd_conf *c = &ks->conf->ike.dpd;
	char d[ADDR_STRLEN], s[ADDR_STRLEN];
	const struct ike_sa *sa;
	size_t at = 0;

	(void)word;
	ctl_text_add(t, "Crypto ISAKMP SA\n");
	ctl_text_add(t, "dst             src             state          kept nat  dpd     heard\n");
	while ((sa = ike_table_next(&ks->sas, &at))) {
		const struct ks_session *own = sa->owner;
		bool stands = sa->state == IKE_ESTABLISHED;

		ctl_text_add(t, "%-15s %-15s %-14s %-4s %-4s %-7s", addr_str(&sa->local.addr, d),
			     addr_str(&sa->peer.addr, s), state_word(sa), own->kept ? "yes" : "no",
			     natt_side(sa), ike_dpd_state(&own->dpd));
		if (stands)
			ctl_text_add(t, " %lld s ago", (long long)heard_s(own, now));
		ctl_text_add(t, "\n");
	}
	ctl_text_add(t, "\nDead peer detection: ");
	if (c->interval_s == 0)
		ctl_text_add(t, "not configured, questions are answered\n");
	else
		ctl_text_add(t, "%s, interval %u s, retry %u s\n",
			     c->on_demand ? "on-demand" : "periodic", c->interval_s, c->retry_s);
}

json_t *ks_show_isakmp_json(const struct ks *ks, mono_t now, const char *word)
{
	char peer[ENDPOINT_STRLEN], suite[IKE_PROPOSAL_STRLEN];
	json_t *list = json_array();
	const struct ike_sa *sa;
	size_t at = 0;

	(void)word;
	while ((sa = ike_table_next(&ks->sas, &at))) {
		const struct ks_session *own = sa->owner;
		bool stands = sa->state == IKE_ESTABLISHED;

		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:s, s:o}", "peer",
				  endpoint_str(&sa->peer, peer), "nat", natt_side(sa), "state",
				  ike_state_name(sa->state), "suite",
				  ike_proposal_str(&sa->suite, suite), "doi", (json_int_t)sa->doi,
				  "kept", own->kept, "dpd", ike_dpd_state(&own->dpd), "heard_s",
				  stands ? json_integer(heard_s(own, now)) : json_null()));
	}
	return json_pack("{s:o}", "sas", list);
}
