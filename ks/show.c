#include "ks/show.h"

#include <string.h>

#include "ks/rekey.h"

static uint32_t age_s(mono_t since, mono_t now)
{
	return (uint32_t)((now.ms - since.ms) / 1000);
}

static const char *version_of(const struct member *m, char buf[16])
{
	if (m->conclave)
		snprintf(buf, 16, "%u.%u", m->major, m->minor);
	else
		snprintf(buf, 16, "unknown");
	return buf;
}

static const char *ack_word(const struct ks_group *g)
{
	return g->conf->ack ? "Interoperable" : "None";
}

static const char *hex(const uint8_t *b, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02X", b[i]);
	return out;
}

// What a TEK protects with, as IOS names it ("esp-gcm 128").
static const char *transform_of(const struct tek *t)
{
	return t->suite->name;
}

// ---- members ----

static bool wanted(const struct member *m, const struct addr *only)
{
	return only->family == 0 || addr_eq(&m->remote.addr, only);
}

static void seqs_text(struct ctl_text *t, const char *title, const uint32_t seq[MEMBER_SEQ_SHOWN])
{
	ctl_text_add(t, " %s :", title);
	for (size_t i = 0; i < MEMBER_SEQ_SHOWN; i++)
		ctl_text_add(t, " %-5u", seq[i]);
	ctl_text_add(t, "\n");
}

static void member_text(const struct ks_group *g, const struct member *m, struct ctl_text *t)
{
	char addr[ADDR_STRLEN], ks[ADDR_STRLEN], version[16];

	ctl_text_add(t, "Group Member ID    : %s  GM Version: %s\n",
		     addr_str(&m->remote.addr, addr), version_of(m, version));
	ctl_text_add(t, " Group ID          : %u\n", g->identity);
	ctl_text_add(t, " Group Name        : %s\n", g->name);
	ctl_text_add(t, " Group Type        : GDOI (ISAKMP)\n");
	ctl_text_add(t, " GM State          : Registered\n");
	ctl_text_add(t, " Key Server ID     : %s\n", addr_str(&m->local.addr, ks));
	ctl_text_add(t, " Rekeys sent       : %u\n", m->rekeys_sent);
	ctl_text_add(t, " Rekeys retries    : %u\n", m->retransmits);
	ctl_text_add(t, " Rekey Acks Rcvd   : %u\n", m->acks_received);
	ctl_text_add(t, " Rekey Acks missed : %u\n\n", m->acks_missed);
	seqs_text(t, "Sent seq num", m->sent_seq);
	seqs_text(t, "Rcvd seq num", m->acked_seq);
	ctl_text_add(t, "\n");
}

static int64_t last_rekey_ms(const struct ks_push *p, mono_t now)
{
	if (!p->have)
		return 0;
	return (p->live ? now.ms : p->ended.ms) - p->started.ms;
}

void ks_show_members(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	struct addr only = { 0 };
	size_t shown = 0;

	if (word && addr_parse(word, &only))
		only = (struct addr){ .family = UINT8_MAX };
	ctl_text_add(t, "Group Member Information :\n\n");
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

		ctl_text_add(t, "Number of rekeys sent for group %s : %u\n", g->name,
			     g->rekeys_sent);
		ctl_text_add(t, "Number of retransmits during the last rekey for group %s : %u\n",
			     g->name, g->push.n_retransmits);
		ctl_text_add(t, "Duration of the last rekey for group %s : %lld msec\n\n", g->name,
			     (long long)last_rekey_ms(&g->push, now));
		for (const struct member *m = g->members.first; m; m = m->next) {
			if (wanted(m, &only)) {
				member_text(g, m, t);
				shown++;
			}
		}
	}
	if (word && shown == 0)
		ctl_text_add(t, "Group Member not Found\n");
}

static json_t *member_json(const struct member *m, mono_t now)
{
	char addr[ADDR_STRLEN], version[16];

	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "id",
			 addr_str(&m->remote.addr, addr), "identity", m->identity, "registered_s",
			 (json_int_t)age_s(m->registered, now), "version", version_of(m, version),
			 "policy_form", m->ordered ? "ordered" : "flat", "port", m->remote.port,
			 "registrations", (json_int_t)m->registrations, "rekeys_sent",
			 (json_int_t)m->rekeys_sent, "acks_received", (json_int_t)m->acks_received,
			 "acks_missed", (json_int_t)m->acks_missed, "last_seq_acked",
			 (json_int_t)m->acked_seq[0]);
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
			if (wanted(m, &only))
				json_array_append_new(members, member_json(m, now));
		}
		json_array_append_new(groups,
				      json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "name", g->name,
						"identity", (json_int_t)g->identity, "rekeys_sent",
						(json_int_t)g->rekeys_sent, "retransmits",
						(json_int_t)g->push.n_retransmits, "last_rekey_ms",
						(json_int_t)last_rekey_ms(&g->push, now), "members",
						members));
	}
	return json_pack("{s:o}", "groups", groups);
}

// ---- policy ----

static size_t n_teks(const struct ks_group *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->keys.n_gen; i++)
		n += g->keys.gen[i].policy->n_slot;
	return n;
}

static void kek_text(const struct ks_group *g, mono_t now, struct ctl_text *t)
{
	const struct kek *k = &g->keys.kek;
	char spi[2 * KEYS_KEK_SPI_LEN + 1];
	size_t sig_len = 0;

	signer_alg(&k->store->signer, k->params.sign_label, &sig_len);
	ctl_text_add(t, "  KEK POLICY (transport type : Unicast)\n");
	ctl_text_add(t, "    spi : 0x%s\n", hex(k->spi, sizeof(k->spi), spi));
	ctl_text_add(t, "    management alg     : disabled      encrypt alg           : AES\n");
	ctl_text_add(t, "    crypto iv length   : %-13u key size              : %u\n",
		     k->params.suite->iv_len, k->params.suite->key_len);
	ctl_text_add(t, "    orig life(sec)     : %-13u remaining life(sec)   : %u\n",
		     k->params.life_s, mono_left_s(k->dies, now));
	ctl_text_add(t, "    time to rekey (sec): %u\n", mono_left_s(ks_rekey_kek_due(g), now));
	ctl_text_add(t, "    sig hash algorithm : enabled       sig key length        : %u\n",
		     k->params.sign_bits);
	ctl_text_add(t, "    sig size           : %zu\n", sig_len);
	ctl_text_add(t, "    sig key name       : %s\n", k->params.sign_label);
	ctl_text_add(t, "    acknowledgement    : %s\n\n", ack_word(g));
}

static void tek_text(const struct ks_group *g, const struct tek_gen *gen, size_t slot, mono_t now,
		     struct ctl_text *t)
{
	const struct tek *k = &gen->tek[slot];
	uint32_t left = mono_left_s(k->dies, now);

	ctl_text_add(t, "  TEK POLICY (encaps : ENCAPS_TUNNEL)\n");
	ctl_text_add(t, "    spi                : 0x%08X\n", k->spi);
	ctl_text_add(t, "    access-list        : %s\n", gen->policy->slot[slot].acl);
	ctl_text_add(t, "    transform          : %s\n", transform_of(k));
	ctl_text_add(t, "    alg key size       : %-13u sig key size          : %u\n",
		     k->suite->alg_key_len, k->suite->integrity_key_len);
	ctl_text_add(t, "    orig life(sec)     : %-13u remaining life(sec)   : %u\n", k->life_s,
		     left);
	ctl_text_add(t, "    tek life(sec)      : %-13u elapsed time(sec)     : %u\n", k->life_s,
		     k->life_s - left);
	ctl_text_add(t, "    override life(sec) : 0             antireplay window size: 64\n");
	if (gen == &g->keys.gen[0])
		ctl_text_add(t, "    time to rekey (sec): %u\n\n",
			     mono_left_s(ks_rekey_tek_due(g), now));
	else
		ctl_text_add(t, "    time to rekey (sec): n/a\n\n");
}

void ks_show_policy(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	char addr[ADDR_STRLEN];

	(void)word;
	ctl_text_add(t, "Key Server Policy:\n");
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

		ctl_text_add(t, "For group %s (handle: %zu) server %s (handle: %zu):\n\n", g->name,
			     i + 1, addr_str(&ks->conf->address, addr), i + 1);
		ctl_text_add(t, "  # of teks : %zu  Seq num : %u\n", n_teks(g), g->keys.kek.seq);
		kek_text(g, now, t);
		for (size_t k = 0; k < g->keys.n_gen; k++) {
			const struct tek_gen *gen = &g->keys.gen[k];

			for (size_t s = 0; s < gen->policy->n_slot; s++)
				tek_text(g, gen, s, now, t);
		}
	}
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
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "spi", spi, "state",
			 gen_state(g, gen, now), "transform", transform_of(k), "access_list",
			 gen->policy->slot[slot].acl, "life_s", (json_int_t)k->life_s,
			 "remaining_s", (json_int_t)mono_left_s(k->dies, now));
}

static json_t *kek_json(const struct ks_group *g, mono_t now)
{
	const struct kek *k = &g->keys.kek;
	char spi[2 * KEYS_KEK_SPI_LEN + 3] = "0x";

	hex(k->spi, sizeof(k->spi), spi + 2);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:s}", "spi", spi, "encryption",
			 k->params.suite->name, "seq", (json_int_t)k->seq, "life_s",
			 (json_int_t)k->params.life_s, "remaining_s",
			 (json_int_t)mono_left_s(k->dies, now), "rekey_in_s",
			 (json_int_t)mono_left_s(ks_rekey_kek_due(g), now), "signing_key",
			 k->params.sign_label, "signing_bits", (json_int_t)k->params.sign_bits,
			 "acknowledgement", g->conf->ack ? "interoperable" : "none");
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
		json_array_append_new(
			groups, json_pack("{s:s, s:I, s:o, s:o, s:b, s:I, s:I}", "name", g->name,
					  "identity", (json_int_t)g->identity, "kek",
					  kek_json(g, now), "teks", teks, "policy_change_pending",
					  g->policy_changed, "sid_bits", (json_int_t)g->sids.bits,
					  "sids_left", (json_int_t)sid_pool_left(&g->sids)));
	}
	return json_pack("{s:o}", "groups", groups);
}

// ---- rekey ----

static void sa_rekey_text(const struct ks_group *g, mono_t now, struct ctl_text *t)
{
	const struct tek_gen *gen = &g->keys.gen[0];
	uint16_t shown = 0;

	for (size_t i = 0; i < gen->policy->n_slot; i++) {
		const struct policy_slot *s = &gen->policy->slot[i];

		if (s->sa_number == shown)
			continue;
		shown = s->sa_number;
		ctl_text_add(t, "    IPSec SA %u\n", s->sa_number);
		ctl_text_add(t, "      TEK Rekey Lifetime (sec)  : %u\n", s->life_s);
		ctl_text_add(t, "      TEK Remaining Lifetime    : %u\n",
			     mono_left_s(gen->tek[i].dies, now));
		ctl_text_add(t, "      Time to TEK Rekey (sec)   : %u\n",
			     mono_left_s(ks_rekey_tek_due(g), now));
	}
}

void ks_show_rekey(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];
		const struct ks_push *p = &g->push;

		ctl_text_add(t, "Group %s (Unicast)\n", g->name);
		ctl_text_add(t, "    Rekey Acknowledgement Cfg   : %s\n", ack_word(g));
		ctl_text_add(t, "    Rekey in progress           : %s\n", p->live ? "Yes" : "No");
		ctl_text_add(t, "    Number of Rekeys sent       : %u\n", g->rekeys_sent);
		ctl_text_add(t, "    Number of Rekeys retransmitted : %u\n", g->retransmits);
		ctl_text_add(t, "    KEK rekey lifetime (sec)    : %u\n",
			     g->keys.kek.params.life_s);
		ctl_text_add(t, "        Remaining lifetime (sec): %u\n",
			     mono_left_s(g->keys.kek.dies, now));
		ctl_text_add(t, "        Time to KEK rekey (sec) : %u\n",
			     mono_left_s(ks_rekey_kek_due(g), now));
		ctl_text_add(t, "    Retransmit period (sec)     : %u\n", g->conf->retransmit_s);
		ctl_text_add(t, "    Number of retransmissions   : %u\n",
			     g->conf->retransmit_number);
		ctl_text_add(t, "    Current retransmission      : %u\n", p->live ? p->round : 0);
		ctl_text_add(t, "    Acknowledged                : %u of %u\n", p->n_acks,
			     p->n_due);
		sa_rekey_text(g, now, t);
		ctl_text_add(t, "\n");
	}
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
			json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
				  "name", g->name, "in_progress", p->live, "seq",
				  (json_int_t)g->keys.kek.seq, "rekeys_sent",
				  (json_int_t)g->rekeys_sent, "retransmits",
				  (json_int_t)g->retransmits, "acks", (json_int_t)p->n_acks,
				  "acks_due", (json_int_t)p->n_due, "last_rekey_ms",
				  (json_int_t)last_rekey_ms(p, now), "kek_rekey_in_s",
				  (json_int_t)mono_left_s(ks_rekey_kek_due(g), now),
				  "tek_rekey_in_s",
				  (json_int_t)mono_left_s(ks_rekey_tek_due(g), now), "retransmit_s",
				  (json_int_t)g->conf->retransmit_s, "retransmit_number",
				  (json_int_t)g->conf->retransmit_number));
	}
	return json_pack("{s:o}", "groups", groups);
}

// ---- summary ----

static size_t all_members(const struct ks *ks)
{
	size_t n = 0;

	for (size_t i = 0; i < ks->n_groups; i++)
		n += ks->group[i]->members.n;
	return n;
}

void ks_show_summary(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	(void)now;
	(void)word;
	ctl_text_add(t, "Total group members registered to this box: %zu\n\n", all_members(ks));
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];
		const struct policy *p = g->keys.gen[0].policy;
		const char *shown = "";

		ctl_text_add(t, "Key Server Information For Group %s:\n", g->name);
		ctl_text_add(t, "    Group Name               : %s\n", g->name);
		ctl_text_add(t, "    Re-auth on new CRL       : Disabled\n");
		ctl_text_add(t, "    Group Identity           : %u\n", g->identity);
		ctl_text_add(t, "    Group Type               : GDOI (ISAKMP)\n");
		ctl_text_add(t, "    Group Members            : %zu\n", g->members.n);
		ctl_text_add(t, "    Rekey Acknowledgement Cfg: %s\n", ack_word(g));
		ctl_text_add(t, "    IPSec SA Direction       : Both\n");
		ctl_text_add(t, "    IP D3P Window            : Disabled\n");
		ctl_text_add(t, "    Split Resiliency Factor  : 0\n");
		ctl_text_add(t, "    CKM status               : Disabled\n");
		ctl_text_add(t, "    ACL Configured:\n");
		for (size_t k = 0; k < p->n_slot; k++) {
			if (strcmp(shown, p->slot[k].acl) != 0)
				ctl_text_add(t, "        access-list %s\n", p->slot[k].acl);
			shown = p->slot[k].acl;
		}
		if (g->policy_changed)
			ctl_text_add(t,
				     "    Policy changed, not sent : run crypto gdoi ks rekey\n");
		ctl_text_add(t, "\n");
	}
}

json_t *ks_show_summary_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *groups = json_array();

	(void)now;
	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

		json_array_append_new(groups,
				      json_pack("{s:s, s:I, s:I, s:I, s:b}", "name", g->name,
						"identity", (json_int_t)g->identity, "members",
						(json_int_t)g->members.n, "registrations",
						(json_int_t)g->registrations,
						"policy_change_pending", g->policy_changed));
	}
	return json_pack("{s:I, s:o}", "members", (json_int_t)all_members(ks), "groups", groups);
}

// ---- counters ----

void ks_show_counters(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	(void)now;
	(void)word;
	ctl_text_add(t, "Key server counters:\n");
	ctl_text_add(t, "    %-36s : %llu\n", "phase1-established",
		     (unsigned long long)ks->n_phase1);
	ctl_text_add(t, "    %-36s : %llu\n", "registrations", (unsigned long long)ks->n_pulls);
	ctl_text_add(t, "    %-36s : %zu\n", "phase1-sas", ks->sas.n);
	ctl_text_add(t, "    %-36s : %zu\n", "phase1-half-open", ks->halfopen.n_used);
	ctl_text_add(t, "\nRefused, by reason:\n");
	for (size_t i = 0; i < KS_DROP_COUNT; i++) {
		if (ks->drop[i] > 0)
			ctl_text_add(t, "    %-36s : %llu\n", ks_drop_name((enum ks_drop)i),
				     (unsigned long long)ks->drop[i]);
	}
	for (size_t i = 0; i < IKE_R_COUNT; i++) {
		if (ks->ike_refused[i] > 0)
			ctl_text_add(t, "    phase1-%-29s : %llu\n",
				     ike_reason_name((enum ike_reason)i),
				     (unsigned long long)ks->ike_refused[i]);
	}
}

json_t *ks_show_counters_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *refused = json_object(), *phase1 = json_object();

	(void)now;
	(void)word;
	for (size_t i = 0; i < KS_DROP_COUNT; i++)
		json_object_set_new(refused, ks_drop_name((enum ks_drop)i),
				    json_integer((json_int_t)ks->drop[i]));
	for (size_t i = 1; i < IKE_R_COUNT; i++)
		json_object_set_new(phase1, ike_reason_name((enum ike_reason)i),
				    json_integer((json_int_t)ks->ike_refused[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "phase1_established",
			 (json_int_t)ks->n_phase1, "registrations", (json_int_t)ks->n_pulls,
			 "phase1_sas", (json_int_t)ks->sas.n, "phase1_half_open",
			 (json_int_t)ks->halfopen.n_used, "refused", refused, "phase1_refused",
			 phase1);
}
