#include "ks/core.h"

#include <string.h>

#include "common/ike/keylog.h"
#include "ks/adopt.h"
#include "ks/fanout.h"
#include "ks/phase1.h"
#include "ks/plan.h"
#include "ks/pull.h"
#include "ks/push.h"
#include "ks/rekey.h"
#include "ks/removal.h"
#include "ks/session.h"
#include "ks/timers.h"

#define DROP_LOG_MS 10000

// ---- names, look-ups, refusals ----

const char *ks_drop_name(enum ks_drop d)
{
	static const char *const name[KS_DROP_COUNT] = {
#define X(sym, text) [KS_DROP_##sym] = text,
		KS_DROPS(X)
#undef X
	};

	return name[d];
}

struct ks_group *ks_group_by_identity(const struct ks *ks, uint32_t identity)
{
	for (size_t i = 0; i < ks->n_groups; i++) {
		if (ks->group[i]->identity == identity)
			return ks->group[i];
	}
	return NULL;
}

struct ks_group *ks_group_by_name(const struct ks *ks, const char *name)
{
	for (size_t i = 0; i < ks->n_groups; i++) {
		if (strcmp(ks->group[i]->name, name) == 0)
			return ks->group[i];
	}
	return NULL;
}

const struct policy *ks_group_policy(const struct ks_group *g)
{
	return g->keys.n_gen > 0 ? g->keys.gen[0].policy : g->conf->policy;
}

void ks_group_logctx(const struct ks_group *g, struct logctx *c)
{
	logctx_set(c, "group=%s", g->name);
}

// The refusals an operator acts on have an event of their own.
static enum event_id drop_event(enum ks_drop why)
{
	switch (why) {
	case KS_DROP_PULL_UNKNOWN_GROUP:
		return EV_UNKNOWN_GROUP;
	case KS_DROP_PULL_UNAUTHORIZED:
	case KS_DROP_PULL_EXCLUDED:
		return EV_UNAUTHORIZED_IPADDR;
	case KS_DROP_PULL_IDENTITY:
		return EV_UNAUTHORIZED_IDENTITY;
	case KS_DROP_PULL_TOO_OFTEN:
		return EV_KS_GM_TOO_OFTEN;
	default:
		return EV_IKE_BAD_MESSAGE;
	}
}

static void tell_drop(struct log_limit *l, mono_t now, enum event_id ev, const char *name,
		      const struct endpoint *from, const char *detail, struct ks_out *out)
{
	char text[ENDPOINT_STRLEN];
	struct logctx who;
	uint64_t held;

	if (l->interval_ms == 0)
		l->interval_ms = DROP_LOG_MS;
	if (!log_limit_pass(l, now, &held))
		return;
	logctx_set(&who, "from=%s", endpoint_str(from, text));
	ks_out_event(out, ev, &who, "reason=%s%s%s%s held-back=%llu", name, detail ? " (" : "",
		     detail ? detail : "", detail ? ")" : "", (unsigned long long)held);
}

void ks_drop(struct ks *ks, mono_t now, enum ks_drop why, const struct endpoint *from,
	     const char *detail, struct ks_out *out)
{
	ks->drop[why]++;
	tell_drop(&ks->drop_log[why], now, drop_event(why), ks_drop_name(why), from, detail, out);
}

void ks_drop_ike(struct ks *ks, mono_t now, enum ike_reason why, const struct endpoint *from,
		 const char *detail, struct ks_out *out)
{
	enum event_id ev = EV_IKE_BAD_MESSAGE;

	ks->ike_refused[why]++;
	if (why == IKE_R_AUTH_FAILED || why == IKE_R_BAD_CERTIFICATE || why == IKE_R_UNKNOWN_CA ||
	    why == IKE_R_BAD_SIGNATURE || why == IKE_R_BAD_ID)
		ev = EV_IKE_AUTH_FAIL;
	else if (why == IKE_R_NO_PROPOSAL)
		ev = EV_IKE_NO_PROPOSAL;
	if (why != IKE_R_DUPLICATE)
		tell_drop(&ks->ike_log[why], now, ev, ike_reason_name(why), from, detail, out);
}

// ---- datagrams ----

// On the NAT port ISAKMP stands behind a marker. Keepalives are for the NAT: they prove nothing.
static bool nat_port_in(struct ks_call *c)
{
	const struct ks_event *ev = c->ev;

	c->msg = ev->datagram;
	if (c->ks->conf->nat_port == 0 || ev->to.port != c->ks->conf->nat_port)
		return true;
	switch (natt_classify(ev->datagram, &c->msg)) {
	case NATT_ISAKMP:
		return true;
	case NATT_KEEPALIVE:
		c->ks->n_keepalives++;
		return false;
	case NATT_ESP:
		break;
	}
	ks_drop(c->ks, c->now, KS_DROP_NAT_PORT, &ev->from, NULL, c->out);
	return false;
}

static void datagram_in(struct ks_call *c)
{
	const struct ks_event *ev = c->ev;
	struct rd_err err = { NULL };
	struct isakmp_hdr hdr;
	struct rd r;

	if (!nat_port_in(c))
		return;
	r = rd_of(c->msg, &err);
	if (!isakmp_hdr_decode(&r, &hdr) || c->msg.len > KS_DGRAM_MAX) {
		ks_drop(c->ks, c->now, KS_DROP_SHORT, &ev->from, err.why, c->out);
		return;
	}
	switch (hdr.exchange) {
	case ISAKMP_XCH_MAIN:
	case ISAKMP_XCH_AGGRESSIVE:
		ks_phase1_in(c, &hdr);
		break;
	case ISAKMP_XCH_INFO:
		ks_info_in(c, &hdr);
		break;
	case GDOI_XCH_PULL:
		ks_pull_in(c->ks, c->now, &hdr, c->msg, &ev->from, &ev->to, c->out);
		break;
	case GDOI_XCH_PUSH_ACK:
		ks_ack_in(c->ks, c->now, c->msg, &ev->from, &ev->to, c->out);
		break;
	default:
		ks_drop(c->ks, c->now, KS_DROP_EXCHANGE, &ev->from, NULL, c->out);
	}
}

// ---- configuration ----

static void group_free(struct ks_group *g)
{
	keys_end_all(&g->keys);
	members_fini(&g->members);
	ks_push_fini(&g->push);
	lkh_fini(&g->lkh);
	removal_fini(&g->removal);
	ks_shared_free(g);
	free(g);
}

static struct ks_group *group_new(const struct ks_group_conf *conf)
{
	struct ks_group *g = calloc(1, sizeof(*g));

	BUG_ON(!g);
	snprintf(g->name, sizeof(g->name), "%s", conf->name);
	g->identity = conf->identity;
	g->conf = conf;
	members_init(&g->members);
	return g;
}

static struct ks_group *take_group(struct ks *ks, const struct ks_group_conf *conf)
{
	for (size_t i = 0; i < ks->n_groups; i++) {
		struct ks_group *g = ks->group[i];

		if (g && g->identity == conf->identity && strcmp(g->name, conf->name) == 0) {
			ks->group[i] = NULL;
			return g;
		}
	}
	return NULL;
}

static void tell_policy(struct ks *ks, struct ks_group *g, struct ks_out *out)
{
	struct logctx who;

	if (!ks_plan_is_staged(ks, g))
		return;
	ks_group_logctx(g, &who);
	ks_out_event(
		out, EV_POLICY_CHANGE, &who,
		"staged: \"show crypto gdoi ks policy diff\" shows it, \"crypto gdoi ks rekey\" "
		"sends it; until then members hold the former");
}

// Nobody serves them any more; what they hold lives on until its end.
static void tell_gone(const struct ks_group *g, struct ks_out *out)
{
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_event(
		out, EV_POLICY_CHANGE, &who,
		"the group is not configured any more; %zu members keep their keys until these "
		"end",
		g->members.n);
}

static void conf_to_ike(struct ks *ks)
{
	struct ks_conf *c = ks->conf;

	ike_settings_apply(&c->ike, &ks->ike);
	ks->ike.own_id = isakmp_id_of_addr(&c->address);
	ks->ike.wire.phase1_accept_doi1 |= c->accept_doi1;
	ks->ike.natt_port = c->nat_port;
}

static struct ks_group **groups_of(const struct ks_conf *conf)
{
	struct ks_group **group = calloc(conf->n_groups ? conf->n_groups : 1, sizeof(*group));

	BUG_ON(!group);
	return group;
}

// The new configuration is right as a whole: groups of the same name and identity go on with their
// keys and members, others begin or end.
static void swap_conf(struct ks *ks, mono_t now, struct ks_conf *conf, struct ks_out *out)
{
	struct ks_group **group = groups_of(conf), **old = ks->group;
	struct ks_conf *old_conf = ks->conf;
	size_t n_old = ks->n_groups;

	for (size_t i = 0; i < conf->n_groups; i++) {
		group[i] = take_group(ks, &conf->groups[i]);
		if (group[i])
			group[i]->conf = &conf->groups[i];
	}
	for (size_t i = 0; i < n_old; i++) {
		if (old[i]) {
			tell_gone(old[i], out);
			group_free(old[i]);
		}
	}
	free(old);
	ks->conf = conf;
	ks->group = group;
	ks->n_groups = 0;
	conf_to_ike(ks);
	for (size_t i = 0; i < conf->n_groups; i++) {
		bool is_new = !group[i];

		if (is_new)
			group[i] = group_new(&conf->groups[i]);
		ks->n_groups++;
		ks_shared_conf(ks, group[i], now, out);
		if (is_new && !group[i]->shared)
			ks_rekey_start(ks, group[i], now, out);
		else if (group[i]->keys.n_gen > 0)
			tell_policy(ks, group[i], out);
	}
	ks_conf_free(old_conf);
}

// ---- commands ----

static void append_answer(struct ks_out *out, const char *text)
{
	size_t n = strlen(out->answer);

	snprintf(out->answer + n, sizeof(out->answer) - n, "%s%s", n ? "\n" : "", text);
}

static bool command_to(struct ks_call *c, struct ks_group *g, char *why, size_t size)
{
	const struct ks_event *ev = c->ev;

	if ((ev->kind == KS_EV_REKEY || ev->kind == KS_EV_CLEAR) && !ks_shared_may_mint(g)) {
		char lead[ADDR_STRLEN] = "nobody leads now";

		if (g->shared->coop.lead.term != 0 && !coop_may_mint(&g->shared->coop))
			addr_str(&g->shared->coop.lead.addr, lead);
		snprintf(why, size, "group %s: only the primary makes keys (%s): say it there",
			 g->name, lead);
		return false;
	}
	switch (ev->kind) {
	case KS_EV_REKEY:
		return ks_rekey_now(c->ks, g, c->now, ev->at_once, c->out, why, size);
	case KS_EV_CLEAR:
		return ks_removal_clear(c->ks, g, c->now, ev->at_once, c->out, why, size);
	case KS_EV_EXCLUDE:
		return ks_removal_exclude(c->ks, g, c->now, &ev->member, c->out, why, size);
	case KS_EV_READMIT:
		return ks_removal_readmit(g, &ev->member, c->out, why, size);
	case KS_EV_ROLE:
		return ks_shared_role(g, c->now, c->out, why, size);
	case KS_EV_MAINTENANCE:
		return ks_shared_maintenance(g, c->now, ev->up, c->out, why, size);
	default:
		BUG("no command of an operator");
	}
}

static void command(struct ks_call *c)
{
	char why[192];

	for (size_t i = 0; i < c->ks->n_groups; i++) {
		struct ks_group *g = c->ks->group[i];

		if (c->ev->group && strcmp(c->ev->group, g->name) != 0)
			continue;
		if (!command_to(c, g, why, sizeof(why)))
			c->out->refused = true;
		append_answer(c->out, why);
	}
	if (c->out->answer[0] == '\0') {
		c->out->refused = true;
		append_answer(c->out, c->ev->group ? "no such group" : "no group is configured");
	}
}

static void adopt(struct ks_call *c)
{
	c->out->refused = !ks_adopt(c->ks, c->now, c->ev->saved, c->out);
	for (size_t i = 0; i < c->ks->n_groups; i++) {
		if (c->ks->group[i]->keys.n_gen > 0)
			tell_policy(c->ks, c->ks->group[i], c->out);
	}
}

// ---- life ----

#if CONCLAVE_KEYLOG
static void log_phase1(void *arg, const struct ike_keylog *k)
{
	keylog_ike(arg, k);
}

static void log_keys_to(struct ks *ks, const struct ks_options *options)
{
	ks->keylog = options->keylog;
	ks->ike.keylog = log_phase1;
	ks->ike.keylog_arg = options->keylog;
}
#else
static void log_keys_to(struct ks *ks, const struct ks_options *options)
{
	(void)ks;
	(void)options;
}
#endif

int ks_init(struct ks *ks, struct rng *rng, const struct ks_options *options, mono_t now,
	    struct ks_conf *conf)
{
	struct ks_out out;
	int err;

	*ks = (struct ks){ .rng = rng, .sweep = MONO_NEVER, .set_keys = keystore_new() };
	TAILQ_INIT(&ks->sources.unproven);
	TAILQ_INIT(&ks->sources.proven);
	ks->sources.seed = rng_u32(rng);
	ks->sources.max_unproven = (uint32_t)options->n_sas / 2;
	ks->sources.max_unproven_each = (uint32_t)options->per_source;
	ks->sources.max = (uint32_t)MAX_OF(options->n_sas / KS_SOURCE_SHARE, options->per_source);
	ks->ike.rng = rng;
	ks->ike.features = VID_CONCLAVE_PRIVATE;
	log_keys_to(ks, options);
	ks->buf = malloc(KS_DGRAM_MAX);
	ks->plain = malloc(KS_DGRAM_MAX);
	err = ks->buf && ks->plain ? ike_table_init(&ks->sas, options->n_sas) : -ENOMEM;
	if (!err)
		err = ike_halfopen_init(&ks->halfopen, rng, now, options->n_halfopen,
					options->per_source);
	if (!err)
		err = ike_aggr_init(&ks->aggressive, now, IKE_AGGR_SLOTS, IKE_AGGR_PER_SOURCE);
	if (err) {
		ks_conf_free(conf);
		ks_fini(ks);
		return err;
	}
	ks_out_init(&out);
	swap_conf(ks, now, conf, &out);
	ks_out_fini(&out);
	return 0;
}

void ks_fini(struct ks *ks)
{
	struct ike_sa *sa;
	size_t at = 0;

	while ((sa = ike_table_next(&ks->sas, &at)))
		ks_session_close(sa);
	ike_table_fini(&ks->sas);
	ike_halfopen_fini(&ks->halfopen);
	ike_aggr_fini(&ks->aggressive);
	for (size_t i = 0; i < ks->n_groups; i++)
		group_free(ks->group[i]);
	free(ks->group);
	ks_conf_free(ks->conf);
	keystore_put(ks->set_keys);
	free(ks->buf);
	free(ks->plain);
	*ks = (struct ks){ 0 };
}

void ks_step(struct ks *ks, mono_t now, const struct ks_event *ev, struct ks_out *out)
{
	struct ks_call c = { .ks = ks, .now = now, .ev = ev, .out = out };

	ks_out_reset(out);
	switch (ev->kind) {
	case KS_EV_CONFIG:
		swap_conf(ks, now, ev->conf, out);
		break;
	case KS_EV_DATAGRAM:
		datagram_in(&c);
		break;
	case KS_EV_DH_DONE:
		ks_dh_done(&c);
		break;
	case KS_EV_AUTH_DONE:
		ks_auth_done(&c);
		break;
	case KS_EV_TIMER:
		ks_timers_run(ks, now, out);
		break;
	case KS_EV_REKEY:
	case KS_EV_CLEAR:
	case KS_EV_EXCLUDE:
	case KS_EV_READMIT:
	case KS_EV_ROLE:
	case KS_EV_MAINTENANCE:
		command(&c);
		break;
	case KS_EV_LINK:
	case KS_EV_FRAME:
	case KS_EV_DURABLE:
		ks_shared_event(ks, now, ev, out);
		break;
	case KS_EV_PKI:
		ike_settings_renew(&ks->conf->ike, ev->pki);
		ks->ike.pki = ev->pki;
		break;
	case KS_EV_ADOPT:
		adopt(&c);
		break;
	}
	ks_shared_settle(ks, now, out);
	out->deadline = ks_timers_next(ks, now);
}
