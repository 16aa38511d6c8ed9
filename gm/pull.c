#include "gm/pull.h"

#include "common/ike/aggressive.h"
#include "gm/core.h"
#include "gm/dpd.h"
#include "gm/grant.h"

// Members renew at a random moment of this time before their first key ends; of shorter lives in
// the given parts. Its end leaves time for a dead server and the next; before its beginning the key
// server's rekey would have come.
#define RENEW_FIRST_MS	    72000
#define RENEW_FIRST_OF	    8
#define RENEW_LAST_MS	    20000
#define RENEW_LAST_OF	    30
#define RENEW_AGAIN_MS	    1000 // not sooner than this after a registration
#define OVERTAKEN_JITTER_MS 5000 // those whose download was deleted while it was on its way

// A dead server costs 1 + 2 + 4 + 4 s.
const struct ike_schedule gm_reg_schedule = { 1000, 4000, 4 };

void gm_reg_init(struct gm_reg *r, mono_t now)
{
	r->state = GM_REG_IDLE;
	r->next = now;
	r->begin = GM_BEGIN_BEST;
	r->linger = r->probe = MONO_NEVER;
	ike_resend_init(&r->resend);
}

static void sa_drop(struct gm_reg *r)
{
	if (r->sa_used)
		ike_sa_fini(&r->sa);
	r->sa_used = false;
	r->linger = MONO_NEVER;
	r->dh = NULL; // the job that is away is freed when it comes back
	r->auth = NULL;
	ike_resend_clear(&r->resend);
	explicit_bzero(r->ni, sizeof(r->ni));
	explicit_bzero(r->nr, sizeof(r->nr));
}

void gm_reg_fini(struct gm_reg *r)
{
	sa_drop(r);
}

static void set_state(struct gm_group *g, enum gm_reg_state to, const char *why, struct gm_out *out)
{
	static const char *const names[] = { "idle", "phase1", "pull2", "pull4" };

	gm_out_log(out, LOG_M_PULL, LOG_L_DEBUG, &g->lc, "registration %s -> %s (%s)",
		   names[g->reg.state], names[to], why);
	g->reg.state = to;
}

static void want(struct gm_group *g, mono_t when, size_t begin, bool alone)
{
	struct gm_reg *r = &g->reg;

	if ((r->state != GM_REG_IDLE && !r->probing) || !mono_before(when, r->next))
		return;
	r->next = when;
	r->tried = r->rounds = 0; // a new reason: what failed before makes nobody wait longer
	r->begin = begin;
	r->alone = alone;
}

void gm_reg_want(struct gm_group *g, mono_t when)
{
	want(g, when, GM_BEGIN_BEST, false);
}

static size_t server_index(const struct gm_group *g)
{
	for (size_t i = 0; i < g->conf.n_servers; i++) {
		if (addr_eq(&g->conf.server[i], &g->registered_with))
			return i;
	}
	return g->conf.n_servers - 1;
}

void gm_reg_want_next(struct gm_group *g, mono_t when)
{
	want(g, when, (server_index(g) + 1) % g->conf.n_servers, false);
}

void gm_reg_want_first(struct gm_group *g, mono_t when)
{
	want(g, when, 0, true);
}

void gm_reg_close(struct gm_group *g, struct gm_out *out)
{
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;
	struct gm_reg *r = &g->reg;

	if (r->sa_used && r->sa.state == IKE_ESTABLISHED &&
	    ike_info_delete_sa(&r->sa, buf, sizeof(buf), &msg) == 0)
		gm_out_send(out, &r->sa.local, &r->sa.peer, msg);
	sa_drop(r);
	if (r->state != GM_REG_IDLE)
		set_state(g, GM_REG_IDLE, "closed", out);
}

// ---- failure: the next server, or rest ----

int64_t gm_reg_backoff_ms(struct rng *rng, unsigned rounds)
{
	int64_t s = GM_BACKOFF_S;

	while (--rounds > 0 && s < GM_BACKOFF_MAX)
		s *= 2;
	s = MIN_OF(s, (int64_t)GM_BACKOFF_MAX);
	// Members that lost their key server in one moment come apart more with every round.
	return s * 500 + (int64_t)rng_range(rng, 0, (uint64_t)s * 1000);
}

// Back to the first server: not at once, and not all members in one moment.
static void plan_return(struct gm *gm, struct gm_group *g, mono_t now)
{
	int64_t wait_ms = (int64_t)g->return_wait_s * 1000;

	g->return_at = MONO_NEVER;
	if (!g->conf.return_to_first || addr_eq(&g->registered_with, &g->conf.server[0]))
		return;
	g->return_at =
		mono_add_ms(now, wait_ms + (int64_t)rng_range(gm->rng, 0, (uint64_t)wait_ms));
}

// We are registered elsewhere; that stands as it was.
static void first_failed(struct gm *gm, struct gm_group *g, mono_t now)
{
	g->reg.alone = false;
	g->reg.next = MONO_NEVER;
	g->return_wait_s = MIN_OF(g->return_wait_s * 2, (uint32_t)GM_RETURN_MAX_S);
	plan_return(gm, g, now);
	gm_reg_plan_renewal(gm, g, now);
}

static void failed(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out,
		   const char *why)
{
	struct gm_reg *r = &g->reg;
	char ks[ADDR_STRLEN];

	if (r->probing) {
		gm_dpd_probe_failed(gm, g, now, why, out);
		gm_reg_close(g, out);
		return;
	}
	gm_out_event(out, EV_GM_REGS_FAIL, &g->lc, "ks=%s reason=\"%s\"",
		     addr_str(&g->conf.server[r->server], ks), why);
	gm_reg_close(g, out);
	if (r->alone) {
		first_failed(gm, g, now);
		return;
	}
	r->server = (r->server + 1) % g->conf.n_servers;
	r->next = now;
	if (++r->tried < g->conf.n_servers)
		return;
	r->tried = 0;
	r->rounds++;
	r->next = mono_add_ms(now, gm_reg_backoff_ms(gm->rng, r->rounds));
}

static const struct gdoi_wire_opts *wire(const struct gm_group *g)
{
	return ike_wire(&g->ike, &g->reg.sa.peer.addr);
}

// Policy or keys we cannot follow: say so by ending phase 1 (RFC 6407 3.3), which failed() does.
static void refused(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out,
		    const char *why)
{
	struct gm_reg *r = &g->reg;
	uint8_t buf[IKE_INFO_BUF];
	char ks[ADDR_STRLEN];
	struct bytes msg;

	if (wire(g)->reject_with_kek_delete && r->offer.has_sak && r->sa.state == IKE_ESTABLISHED &&
	    ike_info_delete_kek(&r->sa, r->offer.sak.spi, buf, sizeof(buf), &msg) == 0)
		gm_out_send(out, &r->sa.local, &r->sa.peer, msg);
	gm_out_event(out, EV_GM_REJECTED, &g->lc, "ks=%s reason=\"%s\"",
		     addr_str(&g->reg.sa.peer.addr, ks), why);
	failed(gm, g, now, out, why);
}

// ---- GROUPKEY-PULL, our two messages ----

static void send_exchange(struct gm *gm, struct gm_group *g, mono_t now, struct ike_seal *s,
			  const struct ike_nonces *n, struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	struct bytes msg;

	if (ike_seal_end(s, &r->x, n, &msg) < 0 ||
	    ike_resend_arm(&r->resend, &gm_reg_schedule, now, msg) < 0) {
		failed(gm, g, now, out, "out of memory");
		return;
	}
	gm_out_send(out, &r->sa.local, &r->sa.peer, msg);
}

// (1) HDR*, HASH(1), Ni, ID
static void send_1(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	static const struct ike_nonces none;
	struct gm_reg *r = &g->reg;
	uint8_t buf[512], id[4];
	struct isakmp_id group = isakmp_id_of_group(wire(g), g->conf.identity, id);
	struct ike_seal s;

	if (ike_exch_init(&r->x, &r->sa, GDOI_XCH_PULL, ike_msgid_new(gm->rng)) < 0) {
		failed(gm, g, now, out, "phase 1 is not usable");
		return;
	}
	r->offer.has_sak = false;
	rng_fill(gm->rng, r->ni, sizeof(r->ni));
	ike_seal_begin(&s, &r->x, buf, sizeof(buf));
	wr_pl(&s.chain, ISAKMP_PL_NONCE, BYTES_OF(r->ni));
	isakmp_id_encode(&s.chain, &group);
	r->key_rekeys = g->n.key_rekeys;
	set_state(g, GM_REG_PULL2, "phase 1 stands", out);
	send_exchange(gm, g, now, &s, &none, out);
}

// (3) HDR*, HASH(3) [, GAP]: how many sender ids we want.
static void send_3(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	const struct gdoi_gap gap = { .has_sid_request = true, .sid_request = GM_SIDS_WANTED };
	struct gm_reg *r = &g->reg;
	const struct ike_nonces n = { BYTES_OF(r->ni), BYTES(r->nr, r->nr_len) };
	uint8_t buf[256];
	struct ike_seal s;

	ike_seal_begin(&s, &r->x, buf, sizeof(buf));
	if (gm_offer_has_counter(&r->offer) && wire(g)->send_sid_request)
		gdoi_gap_encode(&s.chain, &gap);
	set_state(g, GM_REG_PULL4, "policy is good", out);
	send_exchange(gm, g, now, &s, &n, out);
}

// ---- the key server's two messages ----

// (2) HDR*, HASH(2), Nr, SA
static void in_2(struct gm *gm, struct gm_group *g, mono_t now, const struct isakmp_hashed *m,
		 struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	struct gdoi_pull2 *p = &gm->scratch->pull2;
	struct rd_err err = { NULL };
	const char *why = NULL;

	if (!gdoi_pull2_decode(wire(g), m, p, &err)) {
		refused(gm, g, now, out, err.why);
		return;
	}
	r->offer = p->sa;
	r->offered = now;
	if (!gm_offer_judge(&p->sa, gm_accepts(g, r->sa.peer_conclave), &why)) {
		refused(gm, g, now, out, why);
		return;
	}
	r->nr_len = p->nonce.len;
	memcpy(r->nr, p->nonce.p, p->nonce.len);
	send_3(gm, g, now, out);
}

static bool sids_judge(const struct gdoi_sa *sa, const struct gdoi_kd *kd, const char **why)
{
	if (!gm_offer_has_counter(sa))
		return true;
	if (!kd->has_sid) {
		*why = "counter-mode keys without a sender id";
		return false;
	}
	return true;
}

static bool judge_4(struct gm *gm, struct gm_group *g, const struct gdoi_pull4 *p,
		    struct gm_kek *kek, const char **why)
{
	const struct gdoi_sa *sa = &g->reg.offer;
	struct gm_grant *grant = &gm->scratch->grant;

	if (p->has_seq != sa->has_sak) {
		*why = "sequence number and KEK not together";
		return false;
	}
	if (!gm_grant_read(sa, &p->kd, grant, why) || !gm_spis_free(gm, g, grant, why) ||
	    !gm_teks_judge(&g->teks, grant, why) || !sids_judge(sa, &p->kd, why))
		return false;
	if (grant->n_teks == 0) { // all traffic would go in clear
		*why = "no traffic keys";
		return false;
	}
	return !sa->has_sak ||
	       gm_grant_read_kek(wire(g), sa, &p->kd, NULL, &gm->scratch->lkh, kek, why);
}

// Did we miss something?
static bool is_news(struct gm_group *g, const struct gm_grant *grant, const struct gm_kek *kek,
		    bool has_kek)
{
	const struct gm_kek *held = has_kek ? gm_keks_find(&g->keks, kek->spi) : NULL;

	if (has_kek && (!held || kek->seq > held->seq))
		return true;
	for (size_t i = 0; i < grant->n_teks; i++) {
		if (!gm_teks_find(&g->teks, grant->tek[i].spi))
			return true;
	}
	return false;
}

static void install(struct gm *gm, struct gm_group *g, mono_t now, const struct gdoi_pull4 *p,
		    struct gm_kek *kek)
{
	struct gm_reg *r = &g->reg;

	kek->seq = p->seq;
	gm_recovery_done(&g->recovery, is_news(g, &gm->scratch->grant, kek, r->offer.has_sak));
	gm->scratch->grant.whole = true;
	gm->scratch->grant.inbound_is_receive_only = r->sa.peer_conclave;
	gm->scratch->grant.stale = r->offer.has_sak && r->key_rekeys != g->n.key_rekeys &&
				   gm_keks_newer(&g->keks, kek->spi, p->seq);
	gm_teks_stage(&g->teks, r->offered, &gm->scratch->grant);
	if (r->offer.has_sak) {
		gm_keks_put(&g->keks, now, kek);
		if (gm_keks_is_current(&g->keks, kek->spi)) {
			g->lkh = gm->scratch->lkh;
			gm_keks_close_others(&g->keks, now);
		}
	}
	gm_keylog_download(gm, r->offer.has_sak ? kek : NULL);
	if (p->kd.has_sid)
		gm_sids_set(&g->sids, (uint8_t)p->kd.sid.bits, p->kd.sid.sid, p->kd.sid.n);
	else // those of an earlier registration may be someone else's by now
		gm_sids_set(&g->sids, 0, NULL, 0);
	g->registered = true;
	g->registered_with = r->sa.peer.addr;
	r->alone = false;
	g->return_wait_s = g->conf.return_hold_s;
	plan_return(gm, g, now);
	g->ks_conclave = r->sa.peer_conclave;
	g->n.registrations++;
	g->n.rekeys_since_registration = 0;
	g->n.last_seq = p->seq;
	gm->dp.dirty = true;
}

// "Register again" came while the answer to an earlier registration was on its way.
static void renew_soon(struct gm *gm, struct gm_group *g, mono_t now)
{
	g->renew_at = mono_add_ms(now, (int64_t)rng_range(gm->rng, 0, OVERTAKEN_JITTER_MS));
	g->renew_why = "deleted by key server";
}

// (4) HDR*, HASH(4) [, SEQ], KD
static void in_4(struct gm *gm, struct gm_group *g, mono_t now, const struct isakmp_hashed *m,
		 struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	struct gdoi_pull4 *p = &gm->scratch->pull4;
	struct gm_kek kek = { .seq = 0 };
	struct rd_err err = { NULL };
	const char *why = NULL;
	char ks[ADDR_STRLEN];

	if (!gdoi_pull4_decode(wire(g), m, p, &err) || !judge_4(gm, g, p, &kek, &why)) {
		refused(gm, g, now, out, err.why ? err.why : why);
	} else {
		install(gm, g, now, p, &kek);
		gm_take_pseudotime(g, &r->offer, true, r->offered, out);
		set_state(g, GM_REG_IDLE, "registered", out);
		ike_resend_clear(&r->resend);
		r->next = MONO_NEVER;
		r->rounds = r->tried = 0;
		gm_nat_registered(gm, g, now, out);
		gm_dpd_keep(gm, g, now, out);
		gm_reg_plan_renewal(gm, g, now);
		if (r->offer.has_sak && !gm_keks_current(&g->keks))
			renew_soon(gm, g, now);
		gm_out_event(out, EV_GM_REGS_COMPL, &g->lc, "ks=%s teks=%zu seq=%u sids=%zu",
			     addr_str(&r->sa.peer.addr, ks), gm->scratch->grant.n_teks, p->seq,
			     p->kd.has_sid ? p->kd.sid.n : 0);
	}
	explicit_bzero(&kek, sizeof(kek));
}

// A message of the exchange that is open: HASH first, then the set of payloads. A HASH that is
// wrong changes nothing; what is wrong under a right one ends the attempt.
static void pull_in(struct gm *gm, struct gm_group *g, mono_t now, const struct isakmp_hdr *hdr,
		    struct bytes datagram, struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	struct gm_scratch *s = gm->scratch;
	bool second = r->state == GM_REG_PULL2;
	const struct ike_nonces n = { BYTES_OF(r->ni),
				      second ? BYTES(NULL, 0) : BYTES(r->nr, r->nr_len) };
	size_t block = cipher_block_len(r->sa.keys.cipher);
	struct rd_err err = { NULL };
	struct isakmp_hashed m;
	const char *detail = NULL;
	enum ike_reason why =
		ike_exch_open(&r->x, hdr, datagram, &n, s->plain, sizeof(s->plain), &m, &detail);

	if (why != IKE_R_OK) {
		gm_refuse(gm, now, out, why, &r->sa.peer, detail);
		return;
	}
	if (!gdoi_pull_open(wire(g), second ? 2 : 4, BYTES(s->plain, datagram.len - ISAKMP_HDR_LEN),
			    hdr->next, block, &m, &err))
		refused(gm, g, now, out, err.why);
	else if (second)
		in_2(gm, g, now, &m, out);
	else
		in_4(gm, g, now, &m, out);
	explicit_bzero(s->plain, datagram.len); // s->pull2, s->pull4 are views of it
	gm_grant_fini(&s->grant);
	gm_lkh_fini(&s->lkh);
}

// ---- phase 1 ----

// A key server behind a NAT calls itself by an address that nobody outside knows. That it holds the
// pre-shared key of the address we asked says who it is.
static bool behind_nat_with_psk(const struct gm_group *g)
{
	const struct ike_sa *sa = &g->reg.sa;

	return sa->peer_behind_nat && sa->suite.auth == SIGN_NONE &&
	       gm_conf_is_server(&g->conf, &sa->peer.addr);
}

// RFC 6407 3.1: who answered has to be a key server of this group: by its address, or by a name it
// proved with its certificate. A member's certificate is as good as a key server's but for that.
static bool identity_judge(const struct gm_group *g)
{
	struct isakmp_id id = ike_id_view(&g->reg.sa.peer_id);
	struct addr a;

	if (isakmp_id_to_addr(&id, &a) &&
	    (gm_conf_is_server(&g->conf, &a) || behind_nat_with_psk(g)))
		return true;
	if (g->reg.sa.peer_cert)
		return ike_peer_is(&g->reg.sa, g->conf.server_name, g->conf.n_server_names);
	// The pre-shared key was the one of the address we called: that is proof, and the name need
	// only be one we know it by.
	for (size_t i = 0; i < g->conf.n_server_names; i++) {
		if (id_pattern_match(&g->conf.server_name[i], id.type, id.data))
			return true;
	}
	return false;
}

static void established(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	char text[IKE_PEER_STRLEN], suite[IKE_PROPOSAL_STRLEN], ks[ENDPOINT_STRLEN];

	gm_out_event(out, EV_IKE_ESTABLISHED, &g->lc, "peer=%s id=%s suite=%s doi=%u",
		     endpoint_str(&r->sa.peer, ks), ike_peer_str(&r->sa, text),
		     ike_proposal_str(&r->sa.suite, suite), r->sa.doi);
	if (!identity_judge(g)) {
		refused(gm, g, now, out,
			"phase 1 identity is not a configured key server (servers, server_names)");
	} else if (r->probing) {
		set_state(g, GM_REG_IDLE, "key server is there", out);
		gm_dpd_keep(gm, g, now, out);
	} else {
		send_1(gm, g, now, out);
	}
}

static void send_phase1(const struct ike_out *io, struct gm_out *out)
{
	uint8_t buf[FRAG_SIZE];
	const uint8_t *p;
	size_t len;

	for (size_t n = 0; (len = frag_cut(BYTES(io->msg, io->msg_len), io->fragments, n, &p, buf));
	     n++)
		gm_out_send(out, &io->from, &io->to, BYTES(p, len));
}

// What a step of phase 1 asks for.
static void ike_act(struct gm *gm, struct gm_group *g, mono_t now, const struct ike_out *io,
		    struct gm_out *out)
{
	struct gm_reg *r = &g->reg;

	if (io->msg_len > 0)
		send_phase1(io, out);
	if (io->auth) {
		r->auth = io->auth;
		gm_out_auth(out, io->auth);
	}
	if (io->dh) {
		r->dh = io->dh;
		gm_out_dh(out, io->dh);
	}
	if (io->refused != IKE_R_OK)
		gm_refuse(gm, now, out, io->refused, &r->sa.peer, io->detail);
	if (io->dead && r->state == GM_REG_IDLE) {
		sa_drop(r);
		gm_dpd_lost(gm, g, now);
	} else if (io->dead) {
		failed(gm, g, now, out, ike_reason_name(r->sa.reason));
	} else if (io->established) {
		established(gm, g, now, out);
	}
}

static void ike_step(struct gm *gm, struct gm_group *g, mono_t now, const struct ike_event *ev,
		     struct gm_out *out)
{
	struct ike_out io;

	ike_sa_step(&g->reg.sa, now, ev, &io);
	ike_act(gm, g, now, &io, out);
	explicit_bzero(&io, sizeof(io));
}

static void phase1(struct gm *gm, struct gm_group *g, mono_t now, const struct endpoint *ks,
		   struct gm_out *out)
{
	const struct ike_event ev = { .kind = IKE_EV_START };
	const struct endpoint own = { gm->conf->address, gm->conf->port };
	struct gm_reg *r = &g->reg;

	gm_reg_close(g, out);
	memset(&r->sa, 0, sizeof(r->sa));
	ike_sa_init(&r->sa, &g->ike, &own, ks);
	r->sa.aggressive = ike_aggressive_wanted(&g->ike, &ks->addr);
	r->sa_used = true;
	r->probe = MONO_NEVER;
	r->dpd = (struct ike_dpd){ .deadline = MONO_NEVER };
	set_state(g, GM_REG_PHASE1, r->probing ? "probe" : "due", out);
	ike_step(gm, g, now, &ev, out);
}

static void start(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	struct endpoint ks;
	char text[ENDPOINT_STRLEN];

	if (r->tried == 0)
		r->server = r->begin == GM_BEGIN_BEST ? gm_dpd_first(g) : r->begin;
	r->begin = GM_BEGIN_BEST;
	ks = gm_server(gm, g, r->server);
	r->next = MONO_NEVER;
	g->renew_at = MONO_NEVER;
	g->n.attempts++;
	gm_out_event(out, EV_GM_REGSTER, &g->lc, "ks=%s identity=%u attempt=%u",
		     endpoint_str(&ks, text), g->conf.identity, g->n.attempts);
	phase1(gm, g, now, &ks, out);
}

static void probe(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	struct endpoint ks = gm_server(gm, g, 0);

	g->reg.probing = true;
	ks.addr = g->registered_with;
	phase1(gm, g, now, &ks, out);
}

// ---- events ----

void gm_reg_dh_done(struct gm *gm, struct gm_group *g, mono_t now, struct dh_job *dh,
		    struct gm_out *out)
{
	const struct ike_event ev = { .kind = IKE_EV_DH_DONE, .dh = dh };

	g->reg.dh = NULL;
	ike_step(gm, g, now, &ev, out);
}

void gm_reg_auth_done(struct gm *gm, struct gm_group *g, mono_t now, struct ike_auth_job *job,
		      struct gm_out *out)
{
	const struct ike_event ev = { .kind = IKE_EV_AUTH_DONE, .auth = job };

	g->reg.auth = NULL;
	ike_step(gm, g, now, &ev, out);
}

// A protected informational: a Delete of this SA, or an error that ends the attempt.
static void info_in(struct gm *gm, struct gm_group *g, mono_t now, const struct isakmp_hdr *hdr,
		    struct bytes datagram, struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	struct ike_info info;
	const char *detail = NULL;
	enum ike_reason why;
	char text[64];

	if (datagram.len > IKE_DGRAM_MAX) {
		gm_refuse(gm, now, out, IKE_R_MALFORMED, &r->sa.peer, "datagram too long");
		return;
	}
	why = ike_info_open(&r->sa, hdr, datagram, gm->scratch->plain, &info, &detail);
	if (why != IKE_R_OK) {
		gm_refuse(gm, now, out, why, &r->sa.peer, detail);
		return;
	}
	gm_dpd_in(gm, g, now, &info, out);
	for (size_t i = 0; i < info.n_notify; i++) {
		gm_out_log(out, LOG_M_PULL, LOG_L_DEBUG, &g->lc, "notify=%s",
			   isakmp_notify_type_name(info.notify[i].type));
		if (info.notify[i].type < ISAKMP_N_CONNECTED && r->state != GM_REG_IDLE) {
			snprintf(text, sizeof(text), "key server says %s",
				 isakmp_notify_type_name(info.notify[i].type));
			failed(gm, g, now, out, text);
			return;
		}
	}
	if (!info.deletes_sa)
		return;
	ike_sa_kill(&r->sa, IKE_R_PEER_DELETED);
	if (r->state == GM_REG_IDLE) {
		sa_drop(r);
		gm_dpd_lost(gm, g, now);
	} else {
		failed(gm, g, now, out, ike_reason_name(IKE_R_PEER_DELETED));
	}
}

void gm_reg_in(struct gm *gm, struct gm_group *g, mono_t now, const struct isakmp_hdr *hdr,
	       const struct endpoint *from, const struct endpoint *to, struct bytes datagram,
	       struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	const struct ike_event ev = {
		.kind = IKE_EV_DATAGRAM, .datagram = datagram, .from = *from, .to = *to
	};

	if (!addr_eq(&from->addr, &r->sa.peer.addr))
		gm_refuse(gm, now, out, IKE_R_WRONG_SOURCE, from, NULL);
	else if (hdr->exchange == GDOI_XCH_PULL &&
		 (r->state == GM_REG_PULL2 || r->state == GM_REG_PULL4))
		pull_in(gm, g, now, hdr, datagram, out);
	else if (hdr->exchange == GDOI_XCH_PULL)
		gm_refuse(gm, now, out, IKE_R_UNEXPECTED_MESSAGE, from, NULL);
	else if (hdr->exchange == ISAKMP_XCH_INFO && r->sa.state == IKE_ESTABLISHED)
		info_in(gm, g, now, hdr, datagram, out);
	else
		ike_step(gm, g, now, &ev, out);
}

// ---- time ----

// Message 3 of aggressive mode gets no answer of its own: it may be what was lost.
static void send_again_3(const struct gm_reg *r, struct gm_out *out)
{
	const struct ike_stored *s = &r->sa.stored;
	uint8_t buf[FRAG_SIZE];
	const uint8_t *p;
	size_t len;

	for (size_t n = 0; s->reply && (len = frag_cut(BYTES(s->reply, s->len),
						       r->sa.peer_fragments, n, &p, buf));
	     n++)
		gm_out_send(out, &r->sa.local, &r->sa.peer, BYTES(p, len));
}

static void resend_due(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	struct gm_reg *r = &g->reg;

	switch (ike_resend_due(&r->resend, &gm_reg_schedule, now)) {
	case IKE_RESEND_AGAIN:
		if (r->sa.aggressive && r->state == GM_REG_PULL2)
			send_again_3(r, out);
		gm_out_send(out, &r->sa.local, &r->sa.peer, BYTES(r->resend.msg, r->resend.len));
		break;
	case IKE_RESEND_GIVE_UP:
		failed(gm, g, now, out, ike_reason_name(IKE_R_TIMEOUT));
		break;
	case IKE_RESEND_WAIT:
		break;
	}
}

void gm_reg_timer(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	static const struct ike_event ev = { .kind = IKE_EV_TIMER };
	struct gm_reg *r = &g->reg;

	if (r->sa_used && mono_due(r->sa.deadline, now))
		ike_step(gm, g, now, &ev, out);
	if (r->state == GM_REG_PULL2 || r->state == GM_REG_PULL4)
		resend_due(gm, g, now, out);
	if (r->state == GM_REG_IDLE && mono_due(r->linger, now))
		gm_reg_close(g, out);
	if (r->state == GM_REG_IDLE && r->sa_used && gm_dpd_timer(gm, g, now, out))
		sa_drop(r);
	if (r->state == GM_REG_IDLE && mono_due(r->next, now))
		start(gm, g, now, out);
	if (r->state == GM_REG_IDLE && mono_due(r->probe, now))
		probe(gm, g, now, out);
}

mono_t gm_reg_next(const struct gm_reg *r)
{
	mono_t next = MONO_NEVER;

	if (r->sa_used)
		next = r->sa.deadline;
	if (r->state == GM_REG_IDLE && r->sa_used)
		next = mono_min(next, r->dpd.deadline);
	if (r->state == GM_REG_IDLE)
		next = mono_min(mono_min(next, r->probe), mono_min(r->linger, r->next));
	else
		next = mono_min(next, r->resend.next);
	return next;
}

void gm_reg_plan_renewal(struct gm *gm, struct gm_group *g, mono_t now)
{
	const struct gm_kek *kek = gm_keks_current(&g->keks);
	mono_t end = gm_teks_end(&g->teks);
	uint32_t life_s = gm_teks_life_s(&g->teks);
	int64_t first, last, jitter;

	g->renew_why = "keys end";
	if (kek && mono_before(kek->dies, end)) {
		end = kek->dies;
		life_s = kek->life_s;
		g->renew_why = "KEK ends";
	}
	g->renew_at = MONO_NEVER;
	if (mono_is_never(end))
		return;
	first = MIN_OF((int64_t)life_s * 1000 / RENEW_FIRST_OF, (int64_t)RENEW_FIRST_MS);
	last = MIN_OF((int64_t)life_s * 1000 / RENEW_LAST_OF, (int64_t)RENEW_LAST_MS);
	jitter = (int64_t)rng_range(gm->rng, 0, (uint64_t)(first - last));
	g->renew_at = mono_add_ms(end, jitter - first);
	if (mono_before(g->renew_at, mono_add_ms(now, RENEW_AGAIN_MS)))
		g->renew_at = mono_add_ms(now, RENEW_AGAIN_MS + jitter);
}
