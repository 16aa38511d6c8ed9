#include "gm/show.h"

#include "common/ike/natt.h"
#include "gm/dpd.h"

static const char *const tek_states[] = { "staged", "current", "draining" };

static const char *group_state(const struct gm_group *g)
{
	bool busy = g->reg.state != GM_REG_IDLE || !mono_is_never(g->reg.next);

	if (g->registered)
		return "registered";
	return busy ? "registering" : "not-registered";
}

static const char *group_state_text(const struct gm_group *g)
{
	if (g->registered)
		return g->reg.state == GM_REG_IDLE ? "Registered" : "Re-registering";
	return g->reg.state == GM_REG_IDLE ? "Not Registered" : "Registering";
}

static bool dp_has_it(const struct gm *gm, const struct gm_group *g)
{
	return gm->dp.state != GM_DP_DOWN && g->live_since != 0 && gm->dp.done >= g->live_since;
}

static void spi_hex(const struct gm_kek *k, char out[2 * GDOI_KEK_SPI_LEN + 1])
{
	for (size_t i = 0; i < GDOI_KEK_SPI_LEN; i++)
		snprintf(out + 2 * i, 3, "%02X", k->spi[i]);
}

static const char *server_str(const struct gm_group *g, char buf[ADDR_STRLEN])
{
	return addr_str(g->registered_with.family ? &g->registered_with : &g->conf.server[0], buf);
}

static void hms(char buf[24], mono_t since, mono_t now)
{
	int64_t s = (now.ms - since.ms) / 1000;

	snprintf(buf, 24, "%02lld:%02lld:%02lld", (long long)(s / 3600), (long long)(s / 60 % 60),
		 (long long)(s % 60));
}

// ---- access lists ----

static void acl_local(struct ctl_text *t, const struct gm *gm, const struct gm_group *g)
{
	const struct acl_conf *a = acl_conf_find(&gm->conf->acls, g->conf.local_acl);
	char text[FLOW_STRLEN];

	for (size_t i = 0; a && i < a->n; i++)
		ctl_text_add(t, "   access-list %s deny %s\n", a->name,
			     flow_str(&a->lines[i].acl.flow, text));
}

static void acl_downloaded(struct ctl_text *t, const struct gm_group *g, mono_t now)
{
	const struct gm_set *s = gm_teks_active(&g->teks, now);
	char ks[ADDR_STRLEN], text[FLOW_STRLEN];

	ctl_text_add(t, " ACL Downloaded From KS %s:\n", server_str(g, ks));
	for (size_t i = 0; s && i < s->n; i++)
		ctl_text_add(t, "   access-list   %s %s\n", s->line[i].protect ? "permit" : "deny",
			     flow_str(&s->line[i].flow, text));
}

void gm_show_acl_text(struct ctl_text *t, const struct gm *gm, mono_t now)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		const struct gm_group *g = gm->group[i];

		ctl_text_add(t, "Group Name: %s\n", g->conf.name);
		acl_downloaded(t, g, now);
		ctl_text_add(t, " ACL Configured Locally:\n");
		acl_local(t, gm, g);
		ctl_text_add(t, "\n");
	}
}

static json_t *line_json(bool protect, const struct flow *f, const struct gm_tek *out)
{
	char text[FLOW_STRLEN], spi[16];
	json_t *o = json_pack("{s:s,s:s}", "action", protect ? "permit" : "deny", "flow",
			      flow_str(f, text));

	if (out) {
		snprintf(spi, sizeof(spi), "0x%08X", out->spi);
		json_object_set_new(o, "spi", json_string(spi));
	}
	return o;
}

json_t *gm_show_acl_json(const struct gm *gm, mono_t now)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < gm->n_groups; i++) {
		const struct gm_group *g = gm->group[i];
		const struct gm_set *s = gm_teks_active(&g->teks, now);
		const struct acl_conf *a = acl_conf_find(&gm->conf->acls, g->conf.local_acl);
		json_t *local = json_array(), *down = json_array();

		for (size_t k = 0; a && k < a->n; k++)
			json_array_append_new(local, line_json(false, &a->lines[k].acl.flow, NULL));
		for (size_t k = 0; s && k < s->n; k++)
			json_array_append_new(down, line_json(s->line[k].protect, &s->line[k].flow,
							      gm_teks_out(&g->teks, now, k)));
		json_array_append_new(groups, json_pack("{s:s,s:o,s:o}", "name", g->conf.name,
							"local", local, "downloaded", down));
	}
	return json_pack("{s:o}", "groups", groups);
}

// ---- keys ----

static const char *sig_hash_text(enum hash_alg h)
{
	return h == HASH_ALG_SHA512   ? "HMAC_AUTH_SHA512"
	       : h == HASH_ALG_SHA384 ? "HMAC_AUTH_SHA384"
	       : h == HASH_ALG_SHA1   ? "HMAC_AUTH_SHA"
				      : "HMAC_AUTH_SHA256";
}

static unsigned sig_key_bits(const struct gm_kek *k)
{
	struct pubkey *key = NULL;
	unsigned bits;

	if (pubkey_decode(BYTES(k->sig_key, k->sig_key_len), &key) < 0)
		return 0;
	bits = pubkey_bits(key);
	pubkey_free(key);
	return bits;
}

static void kek_text(struct ctl_text *t, const struct gm_group *g, mono_t now)
{
	const struct gm_kek *k = gm_keks_current(&g->keks);

	ctl_text_add(t, "KEK POLICY:\n");
	if (!k) {
		ctl_text_add(t, "    none\n\n");
		return;
	}
	ctl_text_add(t, "    Rekey Transport Type     : %s\n",
		     k->group.addr.family ? "Multicast" : "Unicast");
	ctl_text_add(t, "    Lifetime (secs)          : %u\n", mono_left_s(k->dies, now));
	ctl_text_add(t, "    Encrypt Algorithm        : AES\n");
	ctl_text_add(t, "    Key Size                 : %u\n", k->key.len * 8u);
	ctl_text_add(t, "    Sig Hash Algorithm       : %s\n", sig_hash_text(k->sig_hash));
	ctl_text_add(t, "    Sig Key Length (bits)    : %u\n\n", sig_key_bits(k));
}

static void tek_text(struct ctl_text *t, const struct gm_group *g, const struct gm_tek *k,
		     mono_t now)
{
	ctl_text_add(t, "    IPsec SA:\n");
	ctl_text_add(t, "        spi: 0x%08X(%u)\n", k->spi, k->spi);
	ctl_text_add(t, "        transform: %s\n", k->transform);
	ctl_text_add(t, "        sa timing:remaining key lifetime (sec): (%u)\n",
		     mono_left_s(k->dies, now));
	ctl_text_add(t, "        state: %s\n", tek_states[gm_teks_state(&g->teks, now, k->spi)]);
	ctl_text_add(t, "        Anti-Replay : Disabled\n");
	ctl_text_add(t, "        tag method : disabled\n");
	ctl_text_add(t, "        alg key size: %u (bytes)\n",
		     k->key.len - (k->counter_iv ? 4u : 0u));
	ctl_text_add(t, "        sig key size: %u (bytes)\n", k->auth.len);
	ctl_text_add(t, "        encaps: ENCAPS_TUNNEL\n\n");
}

static json_t *teks_json(const struct gm_group *g, mono_t now)
{
	json_t *list = json_array();
	char spi[16];

	for (size_t i = 0; i < g->teks.n; i++) {
		const struct gm_tek *k = &g->teks.tek[i];

		snprintf(spi, sizeof(spi), "0x%08X", k->spi);
		json_array_append_new(
			list, json_pack("{s:s,s:s,s:I,s:s}", "spi", spi, "state",
					tek_states[gm_teks_state(&g->teks, now, k->spi)],
					"remaining_s", (json_int_t)mono_left_s(k->dies, now),
					"transform", k->transform));
	}
	return list;
}

static json_t *kek_json(const struct gm_kek *k, mono_t now)
{
	char spi[2 * GDOI_KEK_SPI_LEN + 1], group[ENDPOINT_STRLEN];

	if (!k)
		return json_null();
	spi_hex(k, spi);
	return json_pack("{s:s,s:I,s:I,s:s,s:b,s:s,s:s?}", "spi", spi, "remaining_s",
			 (json_int_t)mono_left_s(k->dies, now), "seq", (json_int_t)k->seq,
			 "algorithm", cipher_name(k->cipher), "ack_requested", k->ack != 0,
			 "transport", k->group.addr.family ? "multicast" : "unicast",
			 "group_address",
			 k->group.addr.family ? endpoint_str(&k->group, group) : NULL);
}

// ---- show crypto gdoi ----

static void server_list(struct ctl_text *t, const struct gm_group *g)
{
	char a[ADDR_STRLEN];

	for (size_t i = 0; i < g->conf.n_servers; i++)
		ctl_text_add(t, "%s%s\n",
			     i == 0 ? "     Group Server list       : "
				    : "                               ",
			     addr_str(&g->conf.server[i], a));
}

static void group_text(struct ctl_text *t, const struct gm_group *g, mono_t now)
{
	ctl_text_add(t, "    Group Name               : %s\n", g->conf.name);
	ctl_text_add(t, "    Group Identity           : %u\n", g->conf.identity);
	ctl_text_add(t, "    Group Type               : GDOI (ISAKMP)\n");
	ctl_text_add(t, "    Crypto Path              : ipv4\n");
	ctl_text_add(t, "    Key Management Path      : ipv4\n");
	ctl_text_add(t, "    Rekeys received          : %u\n", g->n.rekeys);
	ctl_text_add(t, "    IPSec SA Direction       : %s\n\n",
		     gm_direction_text(gm_direction(g, now)));
	server_list(t, g);
	ctl_text_add(t, "\n");
}

static void nat_text(struct ctl_text *t, const struct gm *gm, const struct gm_group *g)
{
	const struct gm_nat *n = &g->nat;
	char ks[ENDPOINT_STRLEN];

	if (!n->behind && !n->ks_behind)
		return;
	ctl_text_add(t, "       NAT before            : %s\n",
		     n->behind && n->ks_behind ? "this member and the key server"
		     : n->behind	       ? "this member"
					       : "the key server");
	ctl_text_add(t, "       NAT traversal         : UDP %u to %s, keepalives %u every %u sec\n",
		     n->local.port, endpoint_str(&n->ks, ks), g->n.keepalives,
		     gm->conf->nat_keepalive_s);
	ctl_text_add(t, "       Data traffic          : ESP keeps the hosts' addresses and cannot "
			"pass the NAT\n");
}

static void registration_text(struct ctl_text *t, const struct gm *gm, const struct gm_group *g,
			      mono_t now)
{
	struct endpoint own = { gm->conf->address, gm->conf->port };
	char a[ENDPOINT_STRLEN];

	ctl_text_add(t, "    Group member             : %-16s vrf: None\n", addr_str(&own.addr, a));
	ctl_text_add(t, "       Local addr/port       : %s/%u\n", addr_str(&own.addr, a), own.port);
	ctl_text_add(t, "       Remote addr/port      : %s/%u\n", server_str(g, a),
		     gm_server(gm, g, 0).port);
	nat_text(t, gm, g);
	ctl_text_add(t, "       fvrf/ivrf             : None/None\n");
	ctl_text_add(t, "       Version               : %s\n", CONCLAVE_VERSION);
	ctl_text_add(t, "       Registration status   : %s\n", group_state_text(g));
	if (g->registered)
		ctl_text_add(t, "       Registered with       : %s\n", server_str(g, a));
	if (!mono_is_never(g->renew_at))
		ctl_text_add(t, "       Re-registers in       : %u sec\n",
			     mono_left_s(g->renew_at, now));
	ctl_text_add(t, "       Succeeded registration: %u\n", g->n.registrations);
	ctl_text_add(t, "       Attempted registration: %u\n", g->n.attempts);
}

static void rekeys_text(struct ctl_text *t, const struct gm_group *g, mono_t now)
{
	const struct gm_kek *kek = gm_keks_current(&g->keks);
	bool any = !mono_is_never(g->n.last_rekey);
	char a[ADDR_STRLEN], ago[24];

	ctl_text_add(t, "       Last rekey from       : %s\n",
		     any ? addr_str(&g->n.last_rekey_from, a) : "0.0.0.0");
	ctl_text_add(t, "       Last rekey seq num    : %u\n", g->n.last_seq);
	ctl_text_add(t, "       %-22s: %u\n",
		     kek && kek->group.addr.family ? "Multicast rekey rcvd"
						   : "Unicast rekey received",
		     g->n.rekeys);
	ctl_text_add(t, "       Rekey ACKs sent       : %u\n", g->n.acks);
	if (any) {
		hms(ago, g->n.last_rekey, now);
		ctl_text_add(t, "       Rekey Rcvd(hh:mm:ss)  : %s\n", ago);
	} else {
		ctl_text_add(t, "       Rekey Received        : never\n");
	}
	if (g->conf.recovery_s)
		ctl_text_add(t,
			     "       DP Error Monitoring   : ON, interval %u sec, recoveries %u\n",
			     g->conf.recovery_s, g->n.recoveries);
	else
		ctl_text_add(t, "       DP Error Monitoring   : OFF\n");
	ctl_text_add(t, "       Active TEK Number     : %zu\n", g->teks.n);
	ctl_text_add(t, "       SA Track (OID/status) : disabled\n");
	ctl_text_add(t, "       Fail-Close            : %s%s%s\n",
		     g->conf.fail_close.activate ? "Activated" : "Not activated",
		     g->conf.fail_close.match_address[0] ? ", but for " : "",
		     g->conf.fail_close.match_address);
	ctl_text_add(t, "       Fail-Close Revert : %s\n\n",
		     g->conf.fail_close.revert ? "Enabled" : "Disabled");
	ctl_text_add(t, "       allowable rekey cipher: any\n");
	ctl_text_add(t, "       allowable rekey hash  : any\n");
	ctl_text_add(t, "       allowable transformtag: any ESP\n\n");
	ctl_text_add(t, "    Rekeys cumulative\n");
	ctl_text_add(t, "       Total received        : %u\n", g->n.rekeys);
	ctl_text_add(t, "       After latest register : %u\n", g->n.rekeys_since_registration);
	ctl_text_add(t, "       Rekey Acks sents      : %u\n\n", g->n.acks);
}

static void interfaces_text(struct ctl_text *t, const struct gm_group *g)
{
	ctl_text_add(t, "    Interfaces               :");
	for (size_t i = 0; i < g->conf.n_interfaces; i++)
		ctl_text_add(t, " %s", g->conf.interface[i]);
	ctl_text_add(t, "%s\n", g->conf.n_interfaces ? "" : " all protected");
}

static void member_text(struct ctl_text *t, const struct gm *gm, const struct gm_group *g,
			mono_t now)
{
	ctl_text_add(t, "Group Member Information For Group %s:\n", g->conf.name);
	ctl_text_add(t, "    IPSec SA Direction       : %s\n",
		     gm_direction_text(gm_direction(g, now)));
	interfaces_text(t, g);
	ctl_text_add(t, "    ACL Received From KS     : gdoi_group_%s_temp_acl\n\n", g->conf.name);
	registration_text(t, gm, g, now);
	rekeys_text(t, g, now);
	acl_downloaded(t, g, now);
	ctl_text_add(t, "\n");
	kek_text(t, g, now);
	ctl_text_add(t, "TEK POLICY for the current KS-Policy ACEs Downloaded:\n");
	ctl_text_add(t, "  espd (%s):\n", dp_has_it(gm, g) ? gm->dp.backend : "not programmed");
	for (size_t i = 0; i < g->teks.n; i++)
		tek_text(t, g, &g->teks.tek[i], now);
}

void gm_show_gm_text(struct ctl_text *t, const struct gm *gm, mono_t now)
{
	for (size_t i = 0; i < gm->n_groups; i++)
		member_text(t, gm, gm->group[i], now);
}

void gm_show_gdoi_text(struct ctl_text *t, const struct gm *gm, mono_t now)
{
	ctl_text_add(t, "GROUP INFORMATION\n\n");
	for (size_t i = 0; i < gm->n_groups; i++) {
		group_text(t, gm->group[i], now);
		member_text(t, gm, gm->group[i], now);
	}
}

static json_t *servers_json(const struct gm_group *g)
{
	json_t *list = json_array();
	char a[ADDR_STRLEN];

	for (size_t i = 0; i < g->conf.n_servers; i++)
		json_array_append_new(list, json_string(addr_str(&g->conf.server[i], a)));
	return list;
}

static json_t *interfaces_json(const struct gm_group *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->conf.n_interfaces; i++)
		json_array_append_new(list, json_string(g->conf.interface[i]));
	return list;
}

static json_t *group_json(const struct gm *gm, const struct gm_group *g, mono_t now)
{
	json_t *o = json_pack("{s:s,s:I,s:s,s:o}", "name", g->conf.name, "identity",
			      (json_int_t)g->conf.identity, "state", group_state(g), "servers",
			      servers_json(g));
	char a[ADDR_STRLEN];

	json_object_set_new(o, "server",
			    g->registered ? json_string(server_str(g, a)) : json_null());
	json_object_set_new(o, "address", json_string(addr_str(&gm->conf->address, a)));
	json_object_set_new(o, "nat", json_string(g->nat.side));
	json_object_set_new(o, "nat_keepalives", json_integer(g->n.keepalives));
	json_object_set_new(o, "registrations", json_integer(g->n.registrations));
	json_object_set_new(o, "attempts", json_integer(g->n.attempts));
	json_object_set_new(o, "renew_s",
			    mono_is_never(g->renew_at)
				    ? json_null()
				    : json_integer(mono_left_s(g->renew_at, now)));
	json_object_set_new(o, "rekeys_received", json_integer(g->n.rekeys));
	json_object_set_new(o, "rekeys_since_registration",
			    json_integer(g->n.rekeys_since_registration));
	json_object_set_new(o, "acks_sent", json_integer(g->n.acks));
	json_object_set_new(o, "seq", json_integer(g->n.last_seq));
	json_object_set_new(o, "teks", teks_json(g, now));
	json_object_set_new(o, "kek", kek_json(gm_keks_current(&g->keks), now));
	json_object_set_new(o, "direction", json_string(gm_direction_text(gm_direction(g, now))));
	json_object_set_new(o, "interfaces", interfaces_json(g));
	json_object_set_new(o, "fail_close", json_boolean(g->conf.fail_close.activate));
	json_object_set_new(o, "recoveries", json_integer(g->n.recoveries));
	json_object_set_new(o, "dataplane", json_string(dp_has_it(gm, g) ? "up" : "down"));
	return o;
}

json_t *gm_show_gm_json(const struct gm *gm, mono_t now)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < gm->n_groups; i++)
		json_array_append_new(groups, group_json(gm, gm->group[i], now));
	return json_pack("{s:o}", "groups", groups);
}

// ---- show crypto gdoi gm rekey ----

static void kek_row(struct ctl_text *t, const char *what, const struct gm *gm,
		    const struct gm_group *g, const struct gm_kek *k)
{
	char spi[2 * GDOI_KEK_SPI_LEN + 1], own[ADDR_STRLEN], ks[ADDR_STRLEN];

	if (!k) {
		ctl_text_add(t,
			     "%-9s: ---             ---             ---   ---               ---\n",
			     what);
		return;
	}
	spi_hex(k, spi);
	ctl_text_add(t, "%-9s: %-15s %-15s %-5u %.16s  %.16s\n", what,
		     addr_str(&gm->conf->address, own), server_str(g, ks), k->seq, spi, spi + 16);
}

void gm_show_rekey_text(struct ctl_text *t, const struct gm *gm, mono_t now)
{
	(void)now;
	for (size_t i = 0; i < gm->n_groups; i++) {
		const struct gm_group *g = gm->group[i];
		const struct gm_kek *k = gm_keks_current(&g->keks);

		ctl_text_add(t, "Group %s (%s)\n", g->conf.name,
			     k && k->group.addr.family ? "Multicast" : "Unicast");
		ctl_text_add(t, "    Number of Rekeys received (cumulative)       : %u\n",
			     g->n.rekeys);
		ctl_text_add(t, "    Number of Rekeys received after registration : %u\n",
			     g->n.rekeys_since_registration);
		ctl_text_add(t, "    Number of Rekey Acks sent                    : %u\n\n",
			     g->n.acks);
		ctl_text_add(t, "Rekey (KEK) SA information :\n");
		ctl_text_add(t,
			     "           dst             src             seq   my-cookie         "
			     "his-cookie\n");
		kek_row(t, "New", gm, g, NULL);
		kek_row(t, "Current", gm, g, k);
		kek_row(t, "Previous", gm, g, g->keks.n > 1 ? &g->keks.kek[1] : NULL);
		ctl_text_add(t, "\n");
	}
}

json_t *gm_show_rekey_json(const struct gm *gm, mono_t now)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < gm->n_groups; i++) {
		const struct gm_group *g = gm->group[i];

		json_array_append_new(
			groups,
			json_pack("{s:s,s:I,s:I,s:I,s:I,s:o,s:o}", "name", g->conf.name,
				  "rekeys_received", (json_int_t)g->n.rekeys,
				  "rekeys_since_registration",
				  (json_int_t)g->n.rekeys_since_registration, "acks_sent",
				  (json_int_t)g->n.acks, "seq", (json_int_t)g->n.last_seq,
				  "current", kek_json(gm_keks_current(&g->keks), now), "previous",
				  kek_json(g->keks.n > 1 ? &g->keks.kek[1] : NULL, now)));
	}
	return json_pack("{s:o}", "groups", groups);
}

// ---- show crypto isakmp sa ----

// Phase 1 SAs, and each KEK as an SA of its own kind, as IOS lists them.
static void sa_row(struct ctl_text *t, const struct addr *dst, const struct addr *src,
		   const char *state, size_t id, const char *status)
{
	char d[ADDR_STRLEN], s[ADDR_STRLEN];

	ctl_text_add(t, "%-15s %-15s %-14s %7zu %s\n", addr_str(dst, d), addr_str(src, s), state,
		     1001 + id, status);
}

static void dpd_text(struct ctl_text *t, const struct gm *gm, mono_t now)
{
	const struct ike_dpd_conf *c = &gm->conf->ike.dpd;
	char a[ADDR_STRLEN];

	ctl_text_add(t, "\nDead peer detection: ");
	if (c->interval_s == 0)
		ctl_text_add(t,
			     "not configured, questions are answered; behind a NAT: periodic, "
			     "interval %u s, retry %u s\n",
			     GM_DPD_NAT_S, GM_DPD_NAT_RETRY_S);
	else
		ctl_text_add(t, "%s, interval %u s, retry %u s\n",
			     c->on_demand ? "on-demand" : "periodic", c->interval_s, c->retry_s);
	for (size_t i = 0; i < gm->n_groups; i++) {
		const struct gm_reg *r = &gm->group[i]->reg;

		if (r->sa_used && r->state == GM_REG_IDLE && r->dpd.conf.interval_s > 0)
			ctl_text_add(t, "    %-15s : %s, heard %lld s ago\n",
				     addr_str(&r->sa.peer.addr, a), ike_dpd_state(&r->dpd),
				     (long long)(now.ms - r->dpd.heard.ms) / 1000);
		for (size_t k = 0; k < gm->group[i]->conf.n_servers; k++)
			if (r->dead[k])
				ctl_text_add(t, "    %-15s : dead, others are tried first\n",
					     addr_str(&gm->group[i]->conf.server[k], a));
	}
}

void gm_show_isakmp_text(struct ctl_text *t, const struct gm *gm, mono_t now)
{
	size_t id = 0;

	ctl_text_add(t, "IPv4 Crypto ISAKMP SA\n");
	ctl_text_add(t, "dst             src             state          conn-id status\n");
	for (size_t i = 0; i < gm->n_groups; i++) {
		const struct gm_group *g = gm->group[i];
		const struct gm_reg *r = &g->reg;
		const struct addr *own = &gm->conf->address;

		for (size_t k = 0; k < g->keks.n; k++)
			sa_row(t, own, &g->registered_with, "GDOI_REKEY", id++,
			       g->keks.kek[k].closed ? "ACTIVE (deleted)" : "ACTIVE");
		if (r->sa_used)
			sa_row(t, &r->sa.peer.addr, own,
			       r->sa.state == IKE_ESTABLISHED ? "GDOI_IDLE" : "MM_NO_STATE", id++,
			       natt_seen(&r->sa) ? "ACTIVE (NAT)" : "ACTIVE");
	}
	ctl_text_add(t, "\nIPv6 Crypto ISAKMP SA\n");
	dpd_text(t, gm, now);
}

static json_t *sa_json(const struct gm_group *g, mono_t now)
{
	const struct gm_reg *r = &g->reg;
	char a[ADDR_STRLEN], suite[IKE_PROPOSAL_STRLEN];
	bool idle = r->state == GM_REG_IDLE;

	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:o}", "group", g->conf.name, "nat",
			 natt_side(&r->sa), "peer", addr_str(&r->sa.peer.addr, a), "state",
			 ike_state_name(r->sa.state), "suite",
			 ike_proposal_str(&r->sa.suite, suite), "doi", (json_int_t)r->sa.doi, "dpd",
			 idle ? ike_dpd_state(&r->dpd) : "off", "heard_s",
			 idle ? json_integer((now.ms - r->dpd.heard.ms) / 1000) : json_null());
}

json_t *gm_show_isakmp_json(const struct gm *gm, mono_t now)
{
	json_t *list = json_array(), *dead = json_array();
	char a[ADDR_STRLEN];

	for (size_t i = 0; i < gm->n_groups; i++) {
		const struct gm_group *g = gm->group[i];

		if (g->reg.sa_used)
			json_array_append_new(list, sa_json(g, now));
		for (size_t k = 0; k < g->conf.n_servers; k++)
			if (g->reg.dead[k])
				json_array_append_new(
					dead, json_pack("{s:s,s:s}", "group", g->conf.name, "peer",
							addr_str(&g->conf.server[k], a)));
	}
	return json_pack("{s:o,s:o}", "sas", list, "dead", dead);
}

// ---- show version ----

void gm_show_version_text(struct ctl_text *t, const struct gm *gm, mono_t now)
{
	(void)gm;
	(void)now;
	ctl_text_add(t, "Conclave gmd, Version %s\n", CONCLAVE_VERSION);
	if (CONCLAVE_KEYLOG)
		ctl_text_add(t, "LAB BUILD: session keys can be written to a file (--keylog)\n");
}

json_t *gm_show_version_json(const struct gm *gm, mono_t now)
{
	(void)gm;
	(void)now;
	return json_pack("{s:s,s:s,s:b}", "program", "gmd", "version", CONCLAVE_VERSION, "keylog",
			 CONCLAVE_KEYLOG);
}
