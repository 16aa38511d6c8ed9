#include "ks/session.h"

#define IDLE_S	       60 // a phase 1 SA nobody uses is forgotten
#define CROWDED_IDLE_S 10
#define KEPT_IDLE_S                                                                                \
	7200 // so is one that a member keeps, when nobody asks: twice the longest interval
#define PULL_PATIENCE_S 30 // for message 3

void ks_pull_free(struct ks_pull *p)
{
	if (!p)
		return;
	ike_stored_fini(&p->stored);
	explicit_bzero(p, sizeof(*p));
	free(p);
}

void ks_session_open(struct ike_sa *sa, mono_t now)
{
	struct ks_session *s = calloc(1, sizeof(*s));

	BUG_ON(!s);
	s->idle_at = mono_add_s(now, IDLE_S);
	s->sa = sa;
	sa->owner = s;
}

void ks_session_stand(struct ks_session *s, struct ks_sessions *line)
{
	if (s->line)
		TAILQ_REMOVE(s->line, s, link);
	s->line = line;
	if (line)
		TAILQ_INSERT_TAIL(line, s, link);
}

void ks_session_close(struct ike_sa *sa)
{
	struct ks_session *s = sa->owner;

	if (!s)
		return;
	for (size_t i = 0; i < KS_PULLS_PER_SA; i++)
		ks_pull_free(s->pull[i]);
	ks_session_stand(s, NULL);
	free(s);
	sa->owner = NULL;
}

void ks_session_touch(struct ike_sa *sa, mono_t now)
{
	struct ks_session *s = sa->owner;

	s->idle_at = mono_add_s(now, s->kept ? KEPT_IDLE_S : IDLE_S);
	ks_session_stand(s, s->line);
}

void ks_session_proven(struct ike_sa *sa, mono_t now, bool kept, const struct ike_dpd_conf *c)
{
	const struct ike_dpd_conf answers_only = { 0 };
	struct ks_session *s = sa->owner;

	s->kept = kept;
	ike_dpd_init(&s->dpd, kept && sa->peer_dpd ? c : &answers_only, now, sa->conf->rng);
	ks_session_touch(sa, now);
}

static bool has_registered(const struct ks_session *s)
{
	bool any = false;

	for (size_t i = 0; i < KS_PULLS_PER_SA; i++) {
		if (s->pull[i] && !s->pull[i]->done)
			return false;
		any = any || s->pull[i];
	}
	return any;
}

mono_t ks_session_idle_at(const struct ike_sa *sa, bool crowded)
{
	const struct ks_session *s = sa->owner;

	if (crowded && !s->kept && has_registered(s))
		return mono_add_s(s->idle_at, CROWDED_IDLE_S - IDLE_S);
	return s->idle_at;
}

struct ks_pull *ks_pull_find(const struct ks_session *s, uint32_t msgid)
{
	for (size_t i = 0; i < KS_PULLS_PER_SA; i++) {
		if (s->pull[i] && s->pull[i]->exch.msgid == msgid)
			return s->pull[i];
	}
	return NULL;
}

struct ks_pull **ks_pull_slot(struct ks_session *s, mono_t now)
{
	struct ks_pull **oldest = NULL;

	for (size_t i = 0; i < KS_PULLS_PER_SA; i++) {
		struct ks_pull *p = s->pull[i];

		if (!p)
			return &s->pull[i];
		if (!p->done && mono_before(now, mono_add_s(p->offer.made, PULL_PATIENCE_S)))
			continue;
		if (!oldest || mono_before(p->offer.made, (*oldest)->offer.made))
			oldest = &s->pull[i];
	}
	return oldest;
}
