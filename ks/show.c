#include "ks/show.h"

#include <string.h>

#include "ks/plan.h"
#include "ks/push.h"
#include "ks/rekey.h"

const char *ks_show_version(const struct member *m, char buf[16])
{
	if (m->conclave)
		snprintf(buf, 16, "%u.%u", m->major, m->minor);
	else
		snprintf(buf, 16, "unknown");
	return buf;
}

const char *ks_show_ack_word(enum kek_ack ack)
{
	static const char *const word[] = { [KEK_ACK_NONE] = "none",
					    [KEK_ACK_KEK] = "interoperable",
					    [KEK_ACK_LKH] = "lkh",
					    [KEK_ACK_ANY] = "any" };

	return word[ack];
}

static const char *ack_word(const struct ks_group *g)
{
	static const char *const word[] = { [KEK_ACK_NONE] = "None",
					    [KEK_ACK_KEK] = "Interoperable",
					    [KEK_ACK_LKH] = "Interoperable (LKH)",
					    [KEK_ACK_ANY] = "Any" };

	return word[g->keys.kek.params.ack];
}

const char *ks_show_hex(const uint8_t *b, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02X", b[i]);
	return out;
}

// ---- members ----

bool ks_show_wanted(const struct member *m, const struct addr *only)
{
	return only->family == 0 || member_is(m, only);
}

static void seqs_text(struct ctl_text *t, const char *title, const uint32_t seq[MEMBER_SEQ_SHOWN])
{
	ctl_text_add(t, " %s :", title);
	for (size_t i = 0; i < MEMBER_SEQ_SHOWN; i++)
		ctl_text_add(t, " %-5u", seq[i]);
	ctl_text_add(t, "\n");
}

// Where rekeys go, and what it is called behind there.
static void nat_text(const struct member *m, struct ctl_text *t)
{
	char addr[ADDR_STRLEN];

	if (!m->behind)
		return;
	ctl_text_add(t, " NAT mapping       : %s port %u\n", addr_str(&m->remote.addr, addr),
		     m->remote.port);
	ctl_text_add(t, " Behind NAT as     : %s\n", m->identity);
	ctl_text_add(t, " Data traffic      : ESP keeps the hosts' addresses and cannot pass the "
			"NAT\n");
}

int64_t ks_show_ages_out_s(const struct ks_group *g, const struct member *m, mono_t now)
{
	if (g->conf->member_age_s == 0 || !member_is_silent(m))
		return -1;
	return mono_left_s(mono_add_s(m->registered, g->conf->member_age_s), now);
}

static void age_text(const struct ks_group *g, const struct member *m, mono_t now,
		     struct ctl_text *t)
{
	int64_t left_s = ks_show_ages_out_s(g, m, now);

	if (left_s >= 0)
		ctl_text_add(t, " Ages out in       : %lld sec, with the rekey after that\n",
			     (long long)left_s);
}

static void member_text(const struct ks_group *g, const struct member *m, mono_t now,
			struct ctl_text *t)
{
	char addr[ADDR_STRLEN], ks[ADDR_STRLEN], version[16];

	ctl_text_add(t, "Group Member ID    : %s  GM Version: %s\n",
		     addr_str(&m->remote.addr, addr), ks_show_version(m, version));
	ctl_text_add(t, " Group ID          : %u\n", g->identity);
	ctl_text_add(t, " Group Name        : %s\n", g->name);
	ctl_text_add(t, " Group Type        : GDOI (ISAKMP)\n");
	ctl_text_add(t, " GM State          : Registered\n");
	nat_text(m, t);
	age_text(g, m, now, t);
	ctl_text_add(t, " Key Server ID     : %s\n", ks_show_home(g, m, ks));
	if (g->shared)
		ctl_text_add(t, " GMDB State        : %s\n",
			     ks_show_is_local(g, m) ? "LOCAL" : "REDUNDANT");
	ctl_text_add(t, " Rekeys sent       : %u\n", m->rekeys_sent);
	ctl_text_add(t, " Rekeys retries    : %u\n", m->retransmits);
	ctl_text_add(t, " Rekey Acks Rcvd   : %u\n", m->acks_received);
	ctl_text_add(t, " Rekey Acks missed : %u\n\n", m->acks_missed);
	seqs_text(t, "Sent seq num", m->sent_seq);
	seqs_text(t, "Rcvd seq num", m->acked_seq);
	ctl_text_add(t, "\n");
}

static void excluded_text(const struct ks_group *g, struct ctl_text *t)
{
	char addr[ADDR_STRLEN];

	for (size_t i = 0; i < g->removal.n; i++)
		ctl_text_add(t, "Excluded from group %s : %s%s\n", g->name,
			     addr_str(&g->removal.tombstone[i].who, addr),
			     g->removal.tombstone[i].proved ? ", and whoever proves its name" : "");
}

int64_t ks_show_last_rekey_ms(const struct ks_push *p, mono_t now)
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
			     (long long)ks_show_last_rekey_ms(&g->push, now));
		for (const struct member *m = g->members.first; m; m = m->next) {
			if (ks_show_wanted(m, &only)) {
				member_text(g, m, now, t);
				shown++;
			}
		}
		if (!word)
			excluded_text(g, t);
	}
	if (word && shown == 0)
		ctl_text_add(t, "Group Member not Found\n");
}

// ---- policy ----

static size_t n_teks(const struct ks_group *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->keys.n_gen; i++)
		n += g->keys.gen[i].policy->n_slot;
	return n;
}

static const char *transport_word(const struct ks_group *g)
{
	return g->keys.kek.params.group.addr.family ? "Multicast" : "Unicast";
}

static void kek_text(const struct ks_group *g, mono_t now, struct ctl_text *t)
{
	const struct kek *k = &g->keys.kek;
	char spi[2 * KEYS_KEK_SPI_LEN + 1], to[ENDPOINT_STRLEN];
	size_t sig_len = 0;

	if (k->store)
		signer_alg(&k->store->signer, k->params.sign_label, &sig_len);
	ctl_text_add(t, "  KEK POLICY (transport type : %s)\n", transport_word(g));
	if (k->params.group.addr.family)
		ctl_text_add(t, "    group address      : %s ttl %u\n",
			     endpoint_str(&k->params.group, to), k->params.ttl);
	ctl_text_add(t, "    spi : 0x%s\n", ks_show_hex(k->spi, sizeof(k->spi), spi));
	ctl_text_add(t, "    management alg     : %-13s encrypt alg           : AES\n",
		     ks_has_tree(g) ? "LKH" : "disabled");
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

// The words of IOS for a counter window, which is what it has by default.
static const char *replay_text(struct replay r, char buf[REPLAY_STRLEN])
{
	if (r.mode == REPLAY_TIME)
		snprintf(buf, REPLAY_STRLEN, "time window (sec)      : %u", r.window);
	else
		snprintf(buf, REPLAY_STRLEN, "antireplay window size: %u", r.window);
	return buf;
}

static void tek_text(const struct ks_group *g, const struct tek_gen *gen, size_t slot, mono_t now,
		     struct ctl_text *t)
{
	const struct tek *k = &gen->tek[slot];
	uint32_t left = mono_left_s(k->dies, now);
	char replay[REPLAY_STRLEN];

	ctl_text_add(t, "  TEK POLICY (encaps : ENCAPS_TUNNEL)\n");
	ctl_text_add(t, "    spi                : 0x%08X\n", k->spi);
	ctl_text_add(t, "    access-list        : %s\n", gen->policy->slot[slot].acl);
	ctl_text_add(t, "    transform          : %s\n", k->suite->name);
	ctl_text_add(t, "    alg key size       : %-13u sig key size          : %u\n",
		     k->suite->alg_key_len, k->suite->integrity_key_len);
	ctl_text_add(t, "    orig life(sec)     : %-13u remaining life(sec)   : %u\n", k->life_s,
		     left);
	ctl_text_add(t, "    tek life(sec)      : %-13u elapsed time(sec)     : %u\n", k->life_s,
		     k->life_s - left);
	ctl_text_add(t, "    override life(sec) : 0             %s\n",
		     replay_text(gen->policy->slot[slot].replay, replay));
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
		if (g->keys.n_gen > 0)
			kek_text(g, now, t);
		else
			ctl_text_add(t, "  No keys yet: the key servers of the set have not met\n");
		for (size_t k = 0; k < g->keys.n_gen; k++) {
			const struct tek_gen *gen = &g->keys.gen[k];

			for (size_t s = 0; s < gen->policy->n_slot; s++)
				tek_text(g, gen, s, now, t);
		}
	}
}

// ---- rekey ----

static void sa_rekey_text(const struct ks_group *g, mono_t now, struct ctl_text *t)
{
	const struct tek_gen *gen = &g->keys.gen[0];
	uint16_t shown = 0;

	for (size_t i = 0; g->keys.n_gen > 0 && i < gen->policy->n_slot; i++) {
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

		ctl_text_add(t, "Group %s (%s)\n", g->name, transport_word(g));
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

// ---- summary ----

size_t ks_show_n_members(const struct ks *ks)
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
	ctl_text_add(t, "Total group members registered to this box: %zu\n\n",
		     ks_show_n_members(ks));
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];
		const struct policy *p = ks_group_policy(g);
		const char *shown = "";

		ctl_text_add(t, "Key Server Information For Group %s:\n", g->name);
		ctl_text_add(t, "    Group Name               : %s\n", g->name);
		ctl_text_add(t, "    Re-auth on new CRL       : Disabled\n");
		ctl_text_add(t, "    Group Identity           : %u\n", g->identity);
		ctl_text_add(t, "    Group Type               : GDOI (ISAKMP)\n");
		ctl_text_add(t, "    Group Members            : %zu\n", g->members.n);
		ctl_text_add(t, "    Rekey Acknowledgement Cfg: %s\n", ack_word(g));
		ctl_text_add(t, "    IPSec SA Direction       : %s\n",
			     p->receive_only ? "Inbound Only" : "Both");
		ctl_text_add(t, "    IP D3P Window            : Disabled\n");
		ctl_text_add(t, "    Split Resiliency Factor  : 0\n");
		ctl_text_add(t, "    CKM status               : Disabled\n");
		ctl_text_add(t, "    ACL Configured:\n");
		for (size_t k = 0; k < p->n_slot; k++) {
			if (strcmp(shown, p->slot[k].acl) != 0)
				ctl_text_add(t, "        access-list %s\n", p->slot[k].acl);
			shown = p->slot[k].acl;
		}
		if (ks_plan_is_staged(ks, g))
			ctl_text_add(t,
				     "    Policy changed, not sent : run crypto gdoi ks rekey\n");
		ctl_text_add(t, "\n");
	}
}

// ---- counters ----

void ks_show_counters(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	(void)now;
	(void)word;
	ctl_text_add(t, "Key server counters:\n");
	ctl_text_add(t, "    %-36s : %llu\n", "phase1-established",
		     (unsigned long long)ks->n_phase1);
	ctl_text_add(t, "    %-36s : %llu\n", "nat-keepalives",
		     (unsigned long long)ks->n_keepalives);
	ctl_text_add(t, "    %-36s : %llu\n", "registrations", (unsigned long long)ks->n_pulls);
	ctl_text_add(t, "    %-36s : %zu\n", "phase1-sas", ks->sas.n);
	ctl_text_add(t, "    %-36s : %zu\n", "phase1-half-open", ks->halfopen.n_used);
	ctl_text_add(t, "    %-36s : %zu\n", "phase1-kept", ks->n_kept);
#define X(field, name)                                                                             \
	ctl_text_add(t, "    %-36s : %llu\n", name, (unsigned long long)ks->dpd.field);
	IKE_DPD_COUNTS(X)
#undef X
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
