#include "ks/adopt.h"

#include "ks/core.h"
#include "ks/fanout.h"
#include "ks/push.h"
#include "ks/rekey.h"

#define SEQ_JUMP    (1u << 20) // past whatever a forgotten future may have used
#define HURRY_TEK_S 120
#define HURRY_KEK_S 200

static bool unpack_rows(struct ks_group *g, const struct ks_saved *saved, struct rd_err *why)
{
	for (size_t i = 0; i < saved->n; i++) {
		const struct ks_saved_row *row = &saved->row[i];

		if (row->group == g->identity &&
		    !ks_replica_unpack(g, row->part, row->data, saved->base_ms, why))
			return false;
	}
	return true;
}

static bool is_saved(const struct ks_group *g, const struct ks_saved *saved)
{
	for (size_t i = 0; i < saved->n; i++) {
		if (saved->row[i].group == g->identity)
			return true;
	}
	return false;
}

// Signs for it as before: a key of the same label with the same public half.
bool ks_adopt_signer(const struct ks *ks, struct kek *k)
{
	uint8_t pub[PUBKEY_MAX];
	size_t len;

	if (ks_sharing_find(ks, k))
		return true;
	if (signer_public(&ks->conf->store->signer, k->params.sign_label, pub, sizeof(pub), &len) ||
	    !bytes_eq(BYTES(pub, len), BYTES(k->pub, k->pub_len)))
		return false;
	k->store = keystore_get(ks->conf->store);
	return true;
}

// A rekey that was cut short goes on, in the same octets: whoever has it knows them already.
static void resume_push(struct ks_group *g, mono_t now)
{
	struct ks_push *p = &g->push;

	for (struct member *m = g->members.first; m; m = m->next) {
		bool newer = mono_before(p->started, m->registered) && m->push == MEMBER_PUSH_NONE;

		if (m->part >= p->n_parts) // kept for a former rekey, which had more messages
			m->part = 0;
		m->push = newer || !p->live ? MEMBER_PUSH_NONE : MEMBER_PUSH_DUE;
		p->n_due += m->push == MEMBER_PUSH_DUE;
	}
	if (!p->live)
		return;
	p->round = 1;
	p->sending = true;
	p->group_due = p->group.addr.family;
	p->cursor = g->members.first;
	p->next = now;
}

// Nobody knows how much of their lives is over: what members hold is replaced now.
static void hurry(struct ks_group *g, mono_t now)
{
	struct keys *k = &g->keys;

	for (size_t i = 0; i < k->n_gen; i++) {
		for (size_t j = 0; j < k->gen[i].policy->n_slot; j++)
			k->gen[i].tek[j].dies =
				mono_min(k->gen[i].tek[j].dies, mono_add_s(now, HURRY_TEK_S));
	}
	k->kek.dies = mono_min(k->kek.dies, mono_add_s(now, k->kek.params.life_s / 5));
	k->kek.dies = mono_min(k->kek.dies, mono_add_s(now, HURRY_KEK_S));
	g->wanted = MAX_OF(g->wanted, KS_WANT_KEYS);
}

static enum ks_adopted judge(const struct ks *ks, struct ks_group *in, mono_t now)
{
	if (mono_due(in->keys.kek.dies, now))
		return KS_ADOPT_OVER;
	if (!ks_adopt_signer(ks, &in->keys.kek))
		return KS_ADOPT_UNSIGNED;
	if (in->keys.old_kek.params.suite && !ks_adopt_signer(ks, &in->keys.old_kek))
		kek_fini(&in->keys.old_kek);
	return KS_ADOPTED;
}

static void parts_fini(struct ks_group *g)
{
	keys_end_all(&g->keys);
	members_fini(&g->members);
	ks_push_fini(&g->push);
	lkh_fini(&g->lkh);
	removal_fini(&g->removal);
}

static void take_over(const struct ks *ks, struct ks_group *g, struct ks_group *in)
{
	parts_fini(g);
	g->keys = in->keys;
	g->sids = in->sids;
	g->pseudo = in->pseudo;
	g->members = in->members;
	g->push = in->push;
	g->lkh = in->lkh;
	g->removal = in->removal;
	g->wanted = in->wanted;
	g->rekeys_sent = in->rekeys_sent;
	g->retransmits = in->retransmits;
	g->registrations = in->registrations;
	explicit_bzero(in, sizeof(*in));
	ks_push_forms(ks, g);
}

// Not before whatever anybody was told. When nobody knows how long ago that was, it moves ahead by
// the longest life of a key: no member is further.
static void resume_pseudo(struct ks_group *g, const struct ks_saved *saved, mono_t now)
{
	ks_pseudo_resume(&g->pseudo, now);
	if (saved->time_unknown || saved->mint)
		ks_pseudo_forward(&g->pseudo, PSEUDO_UNKNOWN_MS);
}

// Whoever was shut out stays out, under new keys too, and the clock of the group goes on.
static void keep_banned(struct ks_group *g, struct ks_group *in)
{
	g->pseudo = in->pseudo;
	removal_fini(&g->removal);
	g->removal = in->removal;
	g->removal.pending = REMOVAL_NONE;
	in->removal = (struct removal){ 0 };
}

static enum ks_adopted adopt_group(struct ks *ks, struct ks_group *g, mono_t now,
				   const struct ks_saved *saved, struct rd_err *why)
{
	struct ks_group in = { .identity = g->identity };
	enum ks_adopted result;

	if (!is_saved(g, saved))
		return KS_ADOPT_NOTHING;
	if (g->shared)
		return ks_shared_adopt(ks, g, now, saved, why) ? KS_ADOPT_SHARED : KS_ADOPT_BROKEN;
	members_init(&in.members);
	if (!unpack_rows(&in, saved, why) || in.keys.n_gen == 0 || in.sids.bits == 0) {
		if (!why->why)
			why->why = "keys or sender ids are missing";
		parts_fini(&in);
		return KS_ADOPT_BROKEN;
	}
	resume_pseudo(&in, saved, now);
	result = judge(ks, &in, now);
	if (result != KS_ADOPTED) {
		keep_banned(g, &in);
		parts_fini(&in);
		return result;
	}
	keys_expire(&in.keys, now);
	resume_push(&in, now);
	if (saved->time_unknown)
		hurry(&in, now);
	if (saved->mint)
		in.keys.kek.seq += SEQ_JUMP;
	if (in.push.have && in.push.clears) // members are registering again
		in.removal.until = in.keys.gen[0].active;
	take_over(ks, g, &in);
	if (g->push.have)
		ks_fanout_resume(g);
	ks_rekey_revive(ks, g, now);
	return KS_ADOPTED;
}

// ---- telling ----

static const char *reason(enum ks_adopted a)
{
	switch (a) {
	case KS_ADOPT_OVER:
		return "its KEK ended while nobody served";
	case KS_ADOPT_UNSIGNED:
		return "the key that signs its rekeys is not configured any more; a reload and a "
		       "rekey would have told the members";
	default:
		return "not kept";
	}
}

static void tell(const struct ks_group *g, enum ks_adopted a, mono_t now, struct ks_out *out)
{
	struct logctx who;

	ks_group_logctx(g, &who);
	if (a == KS_ADOPTED)
		ks_out_event(out, EV_KS_RESTORED, &who,
			     "members=%zu generations=%zu seq=%u kek-left=%u s%s", g->members.n,
			     g->keys.n_gen, g->keys.kek.seq, mono_left_s(g->keys.kek.dies, now),
			     g->push.live ? " rekey=resumed" : "");
	else if (a == KS_ADOPT_SHARED)
		ks_out_event(out, EV_KS_RESTORED, &who, "items=%zu", g->shared->coop.store.n);
	else if (a != KS_ADOPT_NOTHING)
		ks_out_event(out, EV_KS_NOT_RESTORED, &who,
			     "%s: new keys; members come by themselves before theirs end",
			     reason(a));
}

// Members that hold what was kept hear that it is over; others come when their keys end.
static void mint(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_event(out, EV_KS_MINTED, &who,
		     "new keys by order of the operator; %zu known members are told to register "
		     "again",
		     g->members.n);
	ks_rekey_renew(ks, g, now, out);
}

bool ks_adopt(struct ks *ks, mono_t now, const struct ks_saved *saved, struct ks_out *out)
{
	for (size_t i = 0; i < ks->n_groups; i++) {
		struct ks_group *g = ks->group[i];
		struct rd_err why = { NULL };
		enum ks_adopted a = adopt_group(ks, g, now, saved, &why);

		if (a == KS_ADOPT_BROKEN) {
			snprintf(out->answer, sizeof(out->answer), "group %s: %s", g->name,
				 why.why);
			return false;
		}
		tell(g, a, now, out);
		if (a == KS_ADOPTED && saved->mint)
			mint(ks, g, now, out);
	}
	return true;
}
