#include "gm/core.h"

#include "common/ike/keylog.h"
#include "gm/dp.h"
#include "gm/dpd.h"
#include "gm/rekey.h"
#include "gm/timers.h"

#define DROP_LOG_INTERVAL_MS 5000

static const char *const drop_names[] = {
#define X(sym, name) [GM_DROP_##sym] = (name),
	GM_DROPS(X)
#undef X
};

const char *gm_drop_name(enum gm_drop d)
{
	return drop_names[d];
}

// ---- refusals ----

static void bad_message(struct gm *gm, mono_t now, struct gm_out *o, enum event_id id,
			const char *name, const struct endpoint *from, const char *detail)
{
	char text[ENDPOINT_STRLEN];
	uint64_t held;

	if (log_limit_pass(&gm->drop_limit, now, &held))
		gm_out_event(o, id, NULL, "reason=%s from=%s%s%s held_back=%llu", name,
			     endpoint_str(from, text), detail ? " detail=" : "",
			     detail ? detail : "", (unsigned long long)held);
}

void gm_drop(struct gm *gm, mono_t now, struct gm_out *o, enum gm_drop why,
	     const struct endpoint *from, const char *detail)
{
	enum event_id id = why == GM_DROP_PUSH_SEQ   ? EV_GDOI_REKEY_SEQ_FAILURE
			   : why >= GM_DROP_PUSH_KEK ? EV_GDOI_REKEY_FAILURE
						     : EV_IKE_BAD_MESSAGE;

	gm->drops[why]++;
	if (why != GM_DROP_PUSH_DUPLICATE)
		bad_message(gm, now, o, id, gm_drop_name(why), from, detail);
}

void gm_refuse(struct gm *gm, mono_t now, struct gm_out *o, enum ike_reason why,
	       const struct endpoint *from, const char *detail)
{
	gm->ike_refused[why]++;
	if (why != IKE_R_DUPLICATE)
		bad_message(gm, now, o, EV_IKE_BAD_MESSAGE, ike_reason_name(why), from, detail);
}

// ---- groups ----

struct gm *gm_new(struct rng *rng)
{
	struct gm *gm = calloc(1, sizeof(*gm));

	if (!gm)
		return NULL;
	gm->scratch = calloc(1, sizeof(*gm->scratch));
	if (!gm->scratch) {
		free(gm);
		return NULL;
	}
	gm->rng = rng;
	gm->drop_limit.interval_ms = DROP_LOG_INTERVAL_MS;
	gm->dp.retry_at = (mono_t){ INT64_MIN };
	return gm;
}

static void group_free(struct gm_group *g)
{
	gm_reg_fini(&g->reg);
	gm_keks_fini(&g->keks);
	gm_lkh_fini(&g->lkh);
	gm_teks_fini(&g->teks);
	free(g);
}

void gm_free(struct gm *gm)
{
	if (!gm)
		return;
	for (size_t i = 0; i < gm->n_groups; i++)
		group_free(gm->group[i]);
	gm_conf_free(gm->conf);
	explicit_bzero(gm->scratch, sizeof(*gm->scratch));
	free(gm->scratch);
	free(gm);
}

struct gm_group *gm_find_group(const struct gm *gm, const char *name)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		if (strcmp(gm->group[i]->conf.name, name) == 0)
			return gm->group[i];
	}
	return NULL;
}

struct endpoint gm_server(const struct gm *gm, const struct gm_group *g, size_t i)
{
	return (struct endpoint){ g->conf.server[i],
				  g->conf.server_port ? g->conf.server_port : gm->conf->port };
}

struct gm_accept gm_accepts(const struct gm_group *g, bool ks_conclave)
{
	return (struct gm_accept){ .ours = ks_conclave, .sha1 = g->conf.accept_sha1 };
}

void gm_take_pseudotime(struct gm_group *g, const struct gdoi_sa *sa, bool pull, mono_t at,
			struct gm_out *out)
{
	const struct pseudotime *told = &sa->gap.pseudotime;
	uint16_t window_s = gm_pseudo_window(&g->teks);
	int64_t by;

	if (!sa->has_gap || !sa->gap.has_pseudotime)
		return;
	by = pull ? gm_pseudo_pull(&g->pseudo, told, at) : gm_pseudo_push(&g->pseudo, told, at);
	if (gm_pseudo_jumped(&g->pseudo, by, window_s))
		gm_out_log(out, pull ? LOG_M_PULL : LOG_M_REKEY, LOG_L_WARN, &g->lc,
			   "pseudotime jumped by %lld ms, more than half of the window of %u s",
			   (long long)by, window_s);
}

enum gm_direction gm_direction(const struct gm_group *g, mono_t now)
{
	const struct gm_set *s = gm_teks_active(&g->teks, now);

	if (g->direction_set)
		return g->direction;
	if (g->conf.passive)
		return GM_DIR_INBOUND_OPTIONAL;
	return s && s->receive_only ? GM_DIR_INBOUND_ONLY : GM_DIR_BOTH;
}

bool gm_spis_free(const struct gm *gm, const struct gm_group *g, const struct gm_grant *grant,
		  const char **why)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		for (size_t k = 0; gm->group[i] != g && k < grant->n_teks; k++) {
			if (gm_teks_find(&gm->group[i]->teks, grant->tek[k].spi)) {
				*why = "an SPI that another group uses";
				return false;
			}
		}
	}
	return true;
}

// ---- key log ----

#if CONCLAVE_KEYLOG
static void on_ike_keys(void *arg, const struct ike_keylog *k)
{
	const struct gm *gm = arg;

	keylog_ike(gm->keylog, k);
}

void gm_keylog_download(const struct gm *gm, const struct gm_kek *kek)
{
	const struct gm_grant *g = &gm->scratch->grant;

	if (kek)
		keylog_kek(gm->keylog, BYTES_OF(kek->spi), cipher_name(kek->cipher),
			   BYTES(kek->iv, cipher_block_len(kek->cipher)), &kek->key);
	for (size_t i = 0; i < g->n_teks; i++)
		keylog_tek(gm->keylog, g->tek[i].spi, g->tek[i].transform,
			   BYTES(g->tek[i].key.b, g->tek[i].key.len));
}
#else
void gm_keylog_download(const struct gm *gm, const struct gm_kek *kek)
{
	(void)gm;
	(void)kek;
}
#endif

// ---- configuration ----

// Phase 1 borrows from the configuration: point it at the new one.
static void group_ike(struct gm *gm, struct gm_group *g)
{
	struct gm_conf *c = gm->conf;

	g->ike = (struct ike_conf){
		.own_id = isakmp_id_of_addr(&c->address),
		.features =
			VID_CONCLAVE_PRIVATE | (c->ike.dpd.interval_s > 0 ? VID_CONCLAVE_KEEP : 0),
		.schedule = gm_reg_schedule,
		.natt_port = c->nat_port,
		.rng = gm->rng,
	};
	ike_settings_apply(&c->ike, &g->ike);
	if (g->conf.send_doi1) {
		g->ike.wire.phase1_doi = ISAKMP_DOI_IPSEC;
		g->ike.wire.phase1_accept_doi1 = true;
	}
#if CONCLAVE_KEYLOG
	g->ike.keylog = on_ike_keys;
	g->ike.keylog_arg = gm;
#endif
}

static struct gm_group *group_new(const struct gm_conf_group *c, mono_t now)
{
	struct gm_group *g = calloc(1, sizeof(*g));

	BUG_ON(!g);
	g->conf = *c;
	logctx_set(&g->lc, "group=%s", c->name);
	g->renew_at = MONO_NEVER;
	g->n.last_rekey = g->return_at = MONO_NEVER;
	gm_recovery_init(&g->recovery);
	gm_reg_init(&g->reg, now);
	gm_keks_init(&g->keks);
	gm_nat_init(&g->nat);
	gm_teks_init(&g->teks);
	return g;
}

// The same group at the same servers: keys and registration live on.
static bool group_same(const struct gm_conf_group *a, const struct gm_conf_group *b)
{
	bool same = strcmp(a->name, b->name) == 0 && a->identity == b->identity &&
		    a->n_servers == b->n_servers && a->server_port == b->server_port &&
		    a->send_doi1 == b->send_doi1;

	for (size_t i = 0; same && i < a->n_servers; i++)
		same = addr_eq(&a->server[i], &b->server[i]);
	return same;
}

static void group_end(struct gm_group *g, struct gm_out *out)
{
	gm_reg_close(g, out);
	group_free(g);
}

// A configuration that was checked replaces the one before; what it does not change goes on.
static void config(struct gm *gm, mono_t now, struct gm_conf *c, struct gm_out *out)
{
	struct gm_conf *before = gm->conf;
	struct gm_group *old[GM_MAX_GROUPS];
	size_t n_old = gm->n_groups;

	memcpy(old, gm->group, sizeof(old));
	gm->conf = c;
	for (size_t i = 0; i < c->n_groups; i++) {
		gm->group[i] = NULL;
		for (size_t k = 0; k < n_old; k++) {
			if (old[k] && group_same(&old[k]->conf, &c->group[i])) {
				gm->group[i] = old[k];
				gm->group[i]->conf = c->group[i];
				old[k] = NULL;
			}
		}
		if (!gm->group[i])
			gm->group[i] = group_new(&c->group[i], now);
		group_ike(gm, gm->group[i]);
		gm_nat_conf(gm, gm->group[i], now);
	}
	gm->n_groups = c->n_groups;
	for (size_t k = 0; k < n_old; k++) {
		if (old[k])
			group_end(old[k], out);
	}
	gm_conf_free(before);
	gm->dp.dirty = true;
}

// ---- datagrams ----

static struct gm_group *find_cookies(const struct gm *gm, const struct isakmp_hdr *hdr)
{
	static const uint8_t none[ISAKMP_COOKIE_LEN];

	for (size_t i = 0; i < gm->n_groups; i++) {
		const struct gm_reg *r = &gm->group[i]->reg;

		if (r->sa_used && memcmp(r->sa.cky_i, hdr->cky_i, ISAKMP_COOKIE_LEN) == 0 &&
		    (memcmp(r->sa.cky_r, none, sizeof(none)) == 0 ||
		     memcmp(r->sa.cky_r, hdr->cky_r, ISAKMP_COOKIE_LEN) == 0))
			return gm->group[i];
	}
	return NULL;
}

static void datagram(struct gm *gm, mono_t now, const struct gm_event *ev, struct gm_out *out)
{
	struct bytes msg = ev->datagram;
	struct rd_err err = { NULL };
	struct isakmp_hdr hdr;
	struct gm_group *g;
	struct rd r;

	if (gm->conf && gm->conf->nat_port && ev->to.port == gm->conf->nat_port &&
	    natt_classify(ev->datagram, &msg) != NATT_ISAKMP) {
		gm_drop(gm, now, out, GM_DROP_NAT_PORT, &ev->from, NULL);
		return;
	}
	r = rd_of(msg, &err);
	if (msg.len > GM_DATAGRAM_MAX || !isakmp_hdr_decode(&r, &hdr)) {
		gm_drop(gm, now, out, GM_DROP_MALFORMED, &ev->from, err.why);
		return;
	}
	switch (hdr.exchange) {
	case GDOI_XCH_PUSH:
		gm_rekey_in(gm, now, &hdr, &ev->from, &ev->to, msg, out);
		return;
	case ISAKMP_XCH_MAIN:
	case ISAKMP_XCH_AGGRESSIVE:
	case ISAKMP_XCH_INFO:
	case GDOI_XCH_PULL:
		g = find_cookies(gm, &hdr);
		if (g)
			gm_reg_in(gm, g, now, &hdr, &ev->from, &ev->to, msg, out);
		else
			gm_drop(gm, now, out, GM_DROP_COOKIE, &ev->from, NULL);
		return;
	}
	gm_drop(gm, now, out, GM_DROP_EXCHANGE, &ev->from, NULL);
}

static void dh_done(struct gm *gm, mono_t now, struct dh_job *dh, struct gm_out *out)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		if (gm->group[i]->reg.dh == dh) {
			gm_reg_dh_done(gm, gm->group[i], now, dh, out);
			return;
		}
	}
	dh_job_free(dh); // its registration is gone
}

static void auth_done(struct gm *gm, mono_t now, struct ike_auth_job *job, struct gm_out *out)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		if (gm->group[i]->reg.auth == job) {
			gm_reg_auth_done(gm, gm->group[i], now, job, out);
			return;
		}
	}
	ike_auth_job_free(job);
}

// ---- the step ----

static void reregister(struct gm *gm, mono_t now, const char *name, struct gm_out *out)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		struct gm_group *g = gm->group[i];

		if (name && strcmp(name, g->conf.name) != 0)
			continue;
		gm_out_event(out, EV_GM_RE_REGISTER, &g->lc, "reason=\"operator\"");
		gm_reg_want(g, now);
	}
}

static void direction(struct gm *gm, const struct gm_event *ev, struct gm_out *out)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		struct gm_group *g = gm->group[i];

		if (ev->group && strcmp(ev->group, g->conf.name) != 0)
			continue;
		g->direction_set = ev->direction_set;
		g->direction = ev->direction;
		gm_out_event(out, EV_GM_DIRECTION, &g->lc, "direction=\"%s\" by=operator",
			     !g->direction_set ? "as configured" : gm_direction_text(g->direction));
	}
	gm->dp.dirty = true;
}

static void renew_pki(struct gm *gm, struct ike_pki *pki)
{
	ike_settings_renew(&gm->conf->ike, pki);
	for (size_t i = 0; i < gm->n_groups; i++)
		gm->group[i]->ike.pki = pki;
}

static void dispatch(struct gm *gm, mono_t now, const struct gm_event *ev, struct gm_out *out)
{
	switch (ev->kind) {
	case GM_EV_TIMER:
		break;
	case GM_EV_CONFIG:
		config(gm, now, ev->conf, out);
		break;
	case GM_EV_DATAGRAM:
		datagram(gm, now, ev, out);
		break;
	case GM_EV_DH_DONE:
		dh_done(gm, now, ev->dh, out);
		break;
	case GM_EV_AUTH_DONE:
		auth_done(gm, now, ev->auth, out);
		break;
	case GM_EV_PKI:
		renew_pki(gm, ev->pki);
		break;
	case GM_EV_DP_UP:
		gm_dp_up(gm, ev->hello, out);
		break;
	case GM_EV_DP_DOWN:
		gm_dp_down(gm, out);
		break;
	case GM_EV_DP_RESULT:
		gm_dp_result(gm, now, ev->result, out);
		break;
	case GM_EV_DP_NOTE:
		gm_dp_note(gm, now, ev->note, out);
		break;
	case GM_EV_REREGISTER:
		reregister(gm, now, ev->group, out);
		break;
	case GM_EV_DIRECTION:
		direction(gm, ev, out);
		break;
	}
}

size_t gm_listens(const struct gm *gm, struct endpoint out[GM_MAX_LISTENS])
{
	size_t n = 0;

	for (size_t i = 0; i < gm->n_groups; i++)
		n = gm_keks_listens(&gm->group[i]->keks, out, n);
	return n;
}

void gm_step(struct gm *gm, mono_t now, const struct gm_event *ev, struct gm_out *out)
{
	dispatch(gm, now, ev, out);
	gm_timers_run(gm, gm->stepped, now, out);
	gm_dp_program(gm, now, out);
	gm->stepped = now;
	out->deadline = gm_timers_next(gm, now);
}
