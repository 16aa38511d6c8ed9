// What espd tells unasked: counters that run out, SPIs that nobody gave us, own traffic caught.
#include "gm/dp.h"

static struct gm_group *group_of_spi(const struct gm *gm, uint32_t spi)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		if (gm_teks_find(&gm->group[i]->teks, spi))
			return gm->group[i];
	}
	return NULL;
}

// The sender id in use runs out of counters: the spare one takes over, new ones are fetched.
static void iv_ends(struct gm *gm, mono_t now, const struct dp_note *n, struct gm_out *out)
{
	struct gm_group *g = group_of_spi(gm, n->spi);

	if (!g)
		return;
	gm_out_event(out, EV_GM_RE_REGISTER, &g->lc, "reason=\"%s\" spi=0x%08X",
		     n->kind == DP_NOTE_IV_SOON ? "IV space runs low" : "IV space used up", n->spi);
	if (n->kind == DP_NOTE_IV_GONE) {
		gm_sids_spend(&g->sids, gm->dp.boot);
		gm->dp.dirty = true;
	}
	gm_reg_want(g, now);
}

static void invalid_spi(struct gm *gm, mono_t now, const struct dp_note *n, struct gm_out *out)
{
	struct gm_group *g = gm_find_group(gm, n->group);

	if (!g || !g->registered)
		return;
	g->n.unknown_spi += n->count;
	if (gm_recovery_note(&g->recovery, now, n->count, g->conf.recovery_s, gm->rng))
		gm_out_log(out, LOG_M_DP, LOG_L_NOTICE, &g->lc,
			   "traffic under spi=0x%08X that we lack: will ask a key server in %u s",
			   n->spi, mono_left_s(g->recovery.at, now));
}

// ---- traffic of the box itself that policy caught ----

static void policy_line(const struct gm_group *g, mono_t now, uint32_t line, char *out, size_t size)
{
	const struct gm_set *s = gm_teks_active(&g->teks, now);
	char flow[FLOW_STRLEN];

	if (s && line >= 1 && line <= s->n)
		snprintf(out, size, "policy line %u: %s %s", line,
			 s->line[line - 1].protect ? "permit" : "deny",
			 flow_str(&s->line[line - 1].flow, flow));
	else
		snprintf(out, size, "policy line %u", line);
}

static void by_what(const struct gm *gm, const struct dp_note *n, mono_t now, char *out,
		    size_t size)
{
	const struct gm_group *g = gm_find_group(gm, n->group);

	if (!g || n->origin == 0)
		snprintf(out, size, "no policy yet");
	else if (n->origin == DP_FROM_POLICY)
		policy_line(g, now, n->line, out, size);
	else if (n->origin == DP_FROM_CLOSED)
		snprintf(out, size, "fail_close, before registration");
	else
		snprintf(out, size, "%s, line %u of the file",
			 n->origin == DP_FROM_LOCAL ? g->conf.local_acl
						    : g->conf.fail_close.match_address,
			 n->line);
}

static struct addr addr_of(const struct dp_note *n, const uint8_t b[16])
{
	struct addr a = { .family = n->family };

	memcpy(a.b, b, sizeof(a.b));
	return a;
}

static const char *end_str(const struct dp_note *n, const uint8_t addr[16], uint16_t port,
			   char buf[ENDPOINT_STRLEN])
{
	const struct endpoint e = { addr_of(n, addr), port };
	bool has_ports = n->sport != 0 || n->dport != 0;

	return has_ports ? endpoint_str(&e, buf) : addr_str(&e.addr, buf);
}

static void own_caught(struct gm *gm, mono_t now, const struct dp_note *n, struct gm_out *out)
{
	static const char *const what[] = { "?", "dropped", "encrypted", "refused" };
	char by[FLOW_STRLEN + 32], from[ENDPOINT_STRLEN], to[ENDPOINT_STRLEN], proto[8];
	const struct gm_group *g = gm_find_group(gm, n->group);

	by_what(gm, n, now, by, sizeof(by));
	gm_out_event(out, EV_GM_OWN_CAUGHT, g ? &g->lc : NULL,
		     "what=%s flow=\"%s %s > %s\" by=\"%s\" packets=%llu",
		     n->caught < N_ELEMS(what) ? what[n->caught] : what[0],
		     ip_proto_str(n->proto, proto), end_str(n, n->src, n->sport, from),
		     end_str(n, n->dst, n->dport, to), by, (unsigned long long)n->count);
}

void gm_dp_note(struct gm *gm, mono_t now, const struct dp_note *n, struct gm_out *out)
{
	switch (n->kind) {
	case DP_NOTE_IV_SOON:
	case DP_NOTE_IV_GONE:
		iv_ends(gm, now, n, out);
		break;
	case DP_NOTE_INVALID_SPI:
		invalid_spi(gm, now, n, out);
		break;
	case DP_NOTE_OWN_CAUGHT:
		own_caught(gm, now, n, out);
		break;
	}
}
