#include "ks/plan.h"
#include "ks/push.h"
#include "ks/rekey.h"
#include "ks/show.h"

static uint32_t age_s(mono_t since, mono_t now)
{
	return (uint32_t)((now.ms - since.ms) / 1000);
}

static json_t *member_json(const struct ks_group *g, const struct member *m, mono_t now)
{
	char addr[ADDR_STRLEN], inner[ADDR_STRLEN], version[16], ks[ADDR_STRLEN];
	int64_t left_s = ks_show_ages_out_s(g, m, now);

	return json_pack("{s:s, s:b, s:s?, s:s, s:I, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:s, "
			 "s:s, s:o*}",
			 "id", addr_str(&m->remote.addr, addr), "nat", m->behind != 0, "inner",
			 m->inner.family ? addr_str(&m->inner, inner) : NULL, "identity",
			 m->identity, "registered_s", (json_int_t)age_s(m->registered, now),
			 "version", ks_show_version(m, version), "policy_form",
			 m->ordered ? "ordered" : "flat", "port", m->remote.port, "registrations",
			 (json_int_t)m->registrations, "rekeys_sent", (json_int_t)m->rekeys_sent,
			 "acks_received", (json_int_t)m->acks_received, "acks_missed",
			 (json_int_t)m->acks_missed, "last_seq_acked", (json_int_t)m->acked_seq[0],
			 "key_server", ks_show_home(g, m, ks), "database",
			 ks_show_is_local(g, m) ? "local" : "redundant", "ages_out_s",
			 left_s >= 0 ? json_integer(left_s) : NULL);
}

static json_t *excluded_json(const struct ks_group *g)
{
	json_t *list = json_array();
	char addr[ADDR_STRLEN];

	for (size_t i = 0; i < g->removal.n; i++) {
		if (g->removal.tombstone[i].proved)
			continue; // its address has one too
		json_array_append_new(list,
				      json_string(addr_str(&g->removal.tombstone[i].who, addr)));
	}
	return list;
}

json_t *ks_show_members_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *groups = json_array();
	struct addr only = { 0 };

	if (word && addr_parse(word, &only))
		only = (struct addr){ .family = UINT8_MAX };
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];
		json_t *members = json_array();

		for (const struct member *m = g->members.first; m; m = m->next) {
			if (ks_show_wanted(m, &only))
				json_array_append_new(members, member_json(g, m, now));
		}
		json_array_append_new(
			groups, json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "name", g->name,
					  "identity", (json_int_t)g->identity, "rekeys_sent",
					  (json_int_t)g->rekeys_sent, "retransmits",
					  (json_int_t)g->push.n_retransmits, "last_rekey_ms",
					  (json_int_t)ks_show_last_rekey_ms(&g->push, now),
					  "members", members, "excluded", excluded_json(g)));
	}
	return json_pack("{s:o}", "groups", groups);
}

// What members send under is the newest generation that is active.
static const char *gen_state(const struct ks_group *g, const struct tek_gen *gen, mono_t now)
{
	if (!mono_due(gen->active, now))
		return "staged";
	for (const struct tek_gen *newer = g->keys.gen; newer < gen; newer++) {
		if (mono_due(newer->active, now))
			return "draining";
	}
	return "current";
}

static json_t *tek_json(const struct ks_group *g, const struct tek_gen *gen, size_t slot,
			mono_t now)
{
	const struct tek *k = &gen->tek[slot];
	char spi[16];

	snprintf(spi, sizeof(spi), "0x%08X", k->spi);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I}", "spi", spi, "state",
			 gen_state(g, gen, now), "transform", k->suite->name, "access_list",
			 gen->policy->slot[slot].acl, "life_s", (json_int_t)k->life_s,
			 "remaining_s", (json_int_t)mono_left_s(k->dies, now), "replay_mode",
			 replay_mode_name(gen->policy->slot[slot].replay.mode), "replay_window",
			 (json_int_t)gen->policy->slot[slot].replay.window);
}

static json_t *kek_json(const struct ks_group *g, mono_t now)
{
	const struct kek *k = &g->keys.kek;
	char spi[2 * KEYS_KEK_SPI_LEN + 3] = "0x";

	ks_show_hex(k->spi, sizeof(k->spi), spi + 2);
	return json_pack("{s:s, s:s, s:o*, s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:s}", "spi", spi,
			 "management", ks_has_tree(g) ? "lkh" : "none", "tree_members",
			 ks_has_tree(g) ? json_integer(lkh_n_members(&g->lkh)) : NULL, "encryption",
			 k->params.suite->name, "seq", (json_int_t)k->seq, "life_s",
			 (json_int_t)k->params.life_s, "remaining_s",
			 (json_int_t)mono_left_s(k->dies, now), "rekey_in_s",
			 (json_int_t)mono_left_s(ks_rekey_kek_due(g), now), "signing_key",
			 k->params.sign_label, "signing_bits", (json_int_t)k->params.sign_bits,
			 "acknowledgement", ks_show_ack_word(k->params.ack));
}

json_t *ks_show_policy_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *groups = json_array();

	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];
		json_t *teks = json_array();

		for (size_t k = 0; k < g->keys.n_gen; k++) {
			const struct tek_gen *gen = &g->keys.gen[k];

			for (size_t s = 0; s < gen->policy->n_slot; s++)
				json_array_append_new(teks, tek_json(g, gen, s, now));
		}
		json_array_append_new(groups,
				      json_pack("{s:s, s:I, s:o, s:o, s:b, s:I, s:I}", "name",
						g->name, "identity", (json_int_t)g->identity, "kek",
						g->keys.n_gen > 0 ? kek_json(g, now) : json_null(),
						"teks", teks, "policy_change_pending",
						ks_plan_is_staged(ks, g), "sid_bits",
						(json_int_t)g->sids.bits, "sids_left",
						(json_int_t)sid_pool_left(&g->sids)));
	}
	return json_pack("{s:o}", "groups", groups);
}

json_t *ks_show_rekey_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *groups = json_array();

	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];
		const struct ks_push *p = &g->push;

		json_array_append_new(
			groups,
			json_pack(
				"{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
				"name", g->name, "transport",
				g->keys.kek.params.group.addr.family ? "multicast" : "unicast",
				"in_progress", p->live, "seq", (json_int_t)g->keys.kek.seq,
				"rekeys_sent", (json_int_t)g->rekeys_sent, "retransmits",
				(json_int_t)g->retransmits, "acks", (json_int_t)p->n_acks,
				"acks_due", (json_int_t)p->n_due, "last_rekey_ms",
				(json_int_t)ks_show_last_rekey_ms(p, now), "kek_rekey_in_s",
				(json_int_t)mono_left_s(ks_rekey_kek_due(g), now), "tek_rekey_in_s",
				(json_int_t)mono_left_s(ks_rekey_tek_due(g), now), "retransmit_s",
				(json_int_t)g->conf->retransmit_s, "retransmit_number",
				(json_int_t)g->conf->retransmit_number));
	}
	return json_pack("{s:o}", "groups", groups);
}

json_t *ks_show_summary_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *groups = json_array();

	(void)now;
	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

		json_array_append_new(
			groups,
			json_pack("{s:s, s:I, s:I, s:I, s:s, s:b}", "name", g->name, "identity",
				  (json_int_t)g->identity, "members", (json_int_t)g->members.n,
				  "registrations", (json_int_t)g->registrations, "direction",
				  ks_group_policy(g)->receive_only ? "receive-only" : "both",
				  "policy_change_pending", ks_plan_is_staged(ks, g)));
	}
	return json_pack("{s:I, s:o}", "members", (json_int_t)ks_show_n_members(ks), "groups",
			 groups);
}

json_t *ks_show_counters_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *refused = json_object(), *phase1 = json_object(), *dpd = json_object();

	(void)now;
	(void)word;
	for (size_t i = 0; i < KS_DROP_COUNT; i++)
		json_object_set_new(refused, ks_drop_name((enum ks_drop)i),
				    json_integer((json_int_t)ks->drop[i]));
	for (size_t i = 1; i < IKE_R_COUNT; i++)
		json_object_set_new(phase1, ike_reason_name((enum ike_reason)i),
				    json_integer((json_int_t)ks->ike_refused[i]));
#define X(field, name) json_object_set_new(dpd, name, json_integer((json_int_t)ks->dpd.field));
	IKE_DPD_COUNTS(X)
#undef X
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "nat_keepalives",
			 (json_int_t)ks->n_keepalives, "phase1_established",
			 (json_int_t)ks->n_phase1, "registrations", (json_int_t)ks->n_pulls,
			 "phase1_sas", (json_int_t)ks->sas.n, "phase1_half_open",
			 (json_int_t)ks->halfopen.n_used, "phase1_kept", (json_int_t)ks->n_kept,
			 "refused", refused, "phase1_refused", phase1, "dpd", dpd);
}
