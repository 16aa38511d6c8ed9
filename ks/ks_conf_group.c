#include "ks/ks_conf_int.h"

#include <stdarg.h>
#include <string.h>

#include "ks/lkh.h"

// IOS takes no shorter lifetimes; tests and labs do.
#define REKEY_LIFE_IOS_MIN 300
#define TEK_LIFE_IOS_MIN   120

void ks_conf_warn(struct ks_load *l, unsigned line, const char *fmt, ...)
{
	char text[512];
	size_t len;
	va_list ap;

	len = (size_t)snprintf(text, sizeof(text), "%s:%u: warning: ", l->path, line);
	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - len, fmt, ap);
	va_end(ap);
	l->report(l->arg, text);
}

struct rekey_in {
	struct ks_load *l;
	int transport, cipher, sig_hash, sign_type, management, ack;
	char key[SIGNER_LABEL_MAX];
	uint32_t key_bits, life_s, lkh_degree, retransmit_s, retransmit_number, atd_s;
	bool digest_info, periodic;
	struct addr address;
	uint16_t port;
	uint32_t ttl;
};

static const struct set_choice transports[] = { { "unicast", 0 }, { "multicast", 1 }, { NULL, 0 } };
static const struct set_choice kek_ciphers[] = { { "aes", 0 }, { NULL, 0 } };
static const struct set_choice sig_hashes[] = {
	{ "sha256", HASH_ALG_SHA256 },
	{ "sha384", HASH_ALG_SHA384 },
	{ "sha512", HASH_ALG_SHA512 },
	{ NULL, 0 },
};
static const struct set_choice sign_types[] = {
	{ "rsa-2048", 2048 }, { "rsa-3072", 3072 }, { "rsa-4096", 4096 }, { "ecdsa-256", 256 },
	{ "ecdsa-384", 384 }, { "ecdsa-521", 521 }, { NULL, 0 },
};
static const struct set_choice managements[] = { { "none", 0 }, { "lkh", 1 }, { NULL, 0 } };

static const struct set_choice acks[] = {
	{ "interoperable", KEK_ACK_KEK },
	{ "lkh", KEK_ACK_LKH },
	{ "any", KEK_ACK_ANY },
	{ "none", KEK_ACK_NONE },
	{ NULL, 0 },
};

static void read_no_ack(struct settings *s, struct set_node *n, void *out)
{
	struct ks_group_conf *g = ks_load_of(out)->group;
	const char *text = settings_text(s, n);
	struct addr a;

	if (!text)
		return;
	if (addr_parse(text, &a)) {
		settings_complain(s, n, "no_ack", "\"%s\" is not an address like \"192.0.2.9\"",
				  text);
		return;
	}
	g->no_ack = reallocarray(g->no_ack, g->n_no_ack + 1, sizeof(a));
	BUG_ON(!g->no_ack);
	g->no_ack[g->n_no_ack++] = a;
}

static void read_unicast(struct settings *s, struct set_node *n, void *out)
{
	struct ks_group_conf *g = ks_load_of(out)->group;
	const char *text = settings_text(s, n);
	struct prefix p;

	if (!text)
		return;
	if (prefix_parse(text, &p)) {
		settings_complain(s, n, "unicast_members",
				  "\"%s\" is not a prefix like \"192.0.2.0/24\"", text);
		return;
	}
	g->unicast = reallocarray(g->unicast, g->n_unicast + 1, sizeof(p));
	BUG_ON(!g->unicast);
	g->unicast[g->n_unicast++] = p;
}

#define RK(field) offsetof(struct rekey_in, field)
static const struct set_row rekey_rows[] = {
	{ "transport", SET_CHOICE, RK(transport), .choices = transports, .def = "unicast",
	  .help = "how rekeys travel" },
	{ "address", SET_ADDR, RK(address), .help = "multicast: the group address they go to" },
	{ "port", SET_U16, RK(port), .min = 1, .max = 65535, .def = "848",
	  .help = "multicast: and the port" },
	{ "ttl", SET_U32, RK(ttl), .min = 1, .max = 255, .def = "16",
	  .help = "multicast: routers they may pass" },
	{ "unicast_members", SET_EACH, .each = read_unicast, .max = 4096,
	  .help = "multicast: prefixes whose members get them by unicast" },
	{ "encryption", SET_CHOICE, RK(cipher), .choices = kek_ciphers, .def = "aes",
	  .help = "cipher of the KEK" },
	{ "key_bits", SET_U32, RK(key_bits), .min = 128, .max = 256, .def = "128",
	  .help = "128 or 256" },
	{ "sig_hash", SET_CHOICE, RK(sig_hash), .choices = sig_hashes, .def = "sha256",
	  .help = "hash of the signature; ECDSA keys bring their own" },
	{ "signing_key", SET_STR, RK(key), .size = SIGNER_LABEL_MAX, .def = "",
	  .help = "label from keys; a set of key servers makes and shares a key when it is empty" },
	{ "signing_type", SET_CHOICE, RK(sign_type), .choices = sign_types, .def = "rsa-2048",
	  .help = "of the key that a set makes" },
	{ "lifetime", SET_U32, RK(life_s), .min = 30, .max = 2592000, .def = "86400",
	  .help = "seconds of a KEK" },
	{ "management", SET_CHOICE, RK(management), .choices = managements, .def = "none",
	  .help = "lkh: a key tree (RFC 6407 5.6.3) keeps excluded members out with rekeys alone" },
	{ "lkh_degree", SET_U32, RK(lkh_degree), .min = LKH_DEGREE_MIN, .max = LKH_DEGREE_MAX,
	  .def = "2", .help = "branches of a node of the key tree" },
	{ "retransmit_s", SET_U32, RK(retransmit_s), .min = 1, .max = 60, .def = "10",
	  .help = "seconds between sendings of a rekey" },
	{ "retransmit_number", SET_U32, RK(retransmit_number), .min = 0, .max = 10, .def = "2",
	  .help = "sendings after the first" },
	{ "retransmit_periodic", SET_BOOL, RK(periodic), .def = "false",
	  .help = "and on, to whoever has not acknowledged, until the next rekey" },
	{ "acknowledgement", SET_CHOICE, RK(ack), .choices = acks, .def = "interoperable",
	  .help = "RFC 8263: under the KEK (interoperable) or the member's own key (lkh); or "
		  "none" },
	{ "no_ack", SET_EACH, .each = read_no_ack, .max = 4096,
	  .help = "members that know RFC 6407 only and must not be asked" },
	{ "atd_s", SET_U32, RK(atd_s), .min = 0, .max = 3600, .def = "0",
	  .help = "activation delay of new TEKs; 0: computed" },
	{ "rsa_digest_info", SET_BOOL, RK(digest_info), .def = "true",
	  .help = "false: sign the bare hash, for old members" },
};

// The set makes the key, or has it: what it would be like.
static void take_type(struct kek_params *k, const struct rekey_in *in)
{
	k->sign_bits = (uint16_t)in->sign_type;
	k->sign_alg = in->sign_type == 256   ? SIGN_ECDSA_P256
		      : in->sign_type == 384 ? SIGN_ECDSA_P384
		      : in->sign_type == 521 ? SIGN_ECDSA_P521
					     : SIGN_RSA;
	k->sign_hash =
		k->sign_alg == SIGN_RSA ? (enum hash_alg)in->sig_hash : sign_alg_hash(k->sign_alg);
}

static void judge_signing(struct ks_load *l, struct set_node *n, const struct rekey_in *in)
{
	const struct signer *signer = &l->conf->store->signer;
	struct kek_params *k = &l->group->kek;
	size_t sig_len = 0;

	snprintf(k->sign_label, sizeof(k->sign_label), "%s", in->key);
	k->sign_form = in->digest_info ? RSA_FORM_DIGESTINFO : RSA_FORM_BARE;
	if (!in->key[0] && l->group->in_set) {
		take_type(k, in);
		return;
	}
	k->sign_alg = signer_alg(signer, in->key, &sig_len);
	switch (k->sign_alg) {
	case SIGN_NONE:
		if (in->key[0])
			settings_complain(l->s, n, "signing_key",
					  "no key is labelled \"%s\" in keys", in->key);
		else
			settings_complain(l->s, n, "signing_key",
					  "is missing: the label of an entry of keys (only key "
					  "servers of a set, with a coop section, make their own)");
		return;
	case SIGN_RSA:
		k->sign_bits = (uint16_t)(sig_len * 8);
		k->sign_hash = (enum hash_alg)in->sig_hash;
		if (k->sign_bits < 2048)
			settings_complain(l->s, n, "signing_key",
					  "\"%s\" has %u bits; 2048 or more are right", in->key,
					  k->sign_bits);
		break;
	default:
		k->sign_bits = k->sign_alg == SIGN_ECDSA_P256	? 256
			       : k->sign_alg == SIGN_ECDSA_P384 ? 384
								: 521;
		k->sign_hash = sign_alg_hash(k->sign_alg);
	}
}

// No router forwards 224.0.0.0/24, nor IPv6 groups whose scope is smaller than admin-local (RFC 7346).
static bool is_forwarded_group(const struct addr *a)
{
	if (!addr_is_multicast(a))
		return false;
	return a->family == 4 ? addr_to_v4(a) >> 8 != 0xe00000 : (a->b[1] & 0xf) >= 4;
}

static bool is_unicast_member(const struct ks_group_conf *g, const struct addr *a)
{
	for (size_t i = 0; i < g->n_unicast; i++) {
		if (prefix_contains(&g->unicast[i], a))
			return true;
	}
	return false;
}

bool ks_conf_by_group(const struct ks_group_conf *g, const struct kek_params *kek,
		      const struct addr *member)
{
	return kek->group.addr.family && !is_unicast_member(g, member);
}

static void judge_multicast(struct ks_load *l, struct set_node *n, const struct rekey_in *in)
{
	struct ks_group_conf *g = l->group;
	char text[ADDR_STRLEN];

	if (!in->transport) {
		if (in->address.family || g->n_unicast)
			settings_complain(l->s, n,
					  in->address.family ? "address" : "unicast_members",
					  "is of use with transport = \"multicast\" only");
		return;
	}
	if (!is_forwarded_group(&in->address))
		settings_complain(l->s, n, "address",
				  "transport = \"multicast\" needs a group address that routers "
				  "forward, like \"239.192.1.1\" or \"ff08::848\"");
	else if (in->address.family != l->conf->address.family)
		settings_complain(l->s, n, "address",
				  "the group address and ksd.address have to be of one family");
	for (size_t i = 0; i < g->n_no_ack; i++) {
		if (!is_unicast_member(g, &g->no_ack[i]))
			settings_complain(l->s, n, "no_ack",
					  "%s: a message to the group asks all or none; a member "
					  "that must not be asked belongs in unicast_members too",
					  addr_str(&g->no_ack[i], text));
	}
	if (in->ack == KEK_ACK_ANY)
		settings_complain(l->s, n, "acknowledgement",
				  "\"any\" asks some and not others, which a message to the group "
				  "cannot; \"interoperable\" or \"none\" is right");
	g->kek.group = (struct endpoint){ in->address, in->port };
	g->kek.ttl = (uint8_t)in->ttl;
}

static void read_rekey(struct settings *s, struct set_node *n, void *out)
{
	struct ks_load *l = ks_load_of(out);
	struct ks_group_conf *g = l->group;
	struct rekey_in in = { .l = l };
	char name[16];

	settings_group(s, n, rekey_rows, N_ELEMS(rekey_rows), &in);
	snprintf(name, sizeof(name), "aes %u", in.key_bits);
	g->kek.suite = suite_kek_named(name);
	if (!g->kek.suite)
		settings_complain(s, n, "key_bits", "%u: 128 or 256 is right", in.key_bits);
	g->kek.cipher = in.key_bits == 256 ? CIPHER_AES256_CBC : CIPHER_AES128_CBC;
	g->kek.life_s = in.life_s;
	if (in.life_s > 0 && in.life_s < REKEY_LIFE_IOS_MIN)
		ks_conf_warn(l, settings_line(n),
			     "lifetime: %u s is below the %d s that other key servers take",
			     in.life_s, REKEY_LIFE_IOS_MIN);
	judge_signing(l, n, &in);
	judge_multicast(l, n, &in);
	g->kek.lkh_degree = in.management ? (uint16_t)in.lkh_degree : 0;
	g->kek.ack = (enum kek_ack)in.ack;
	if (in.ack == KEK_ACK_LKH && !in.management)
		settings_complain(s, n, "acknowledgement",
				  "\"lkh\" needs management = \"lkh\"; \"interoperable\" is right");
	g->retransmit_s = in.retransmit_s;
	g->retransmit_number = in.retransmit_number;
	g->periodic = in.periodic;
	if (g->periodic && g->kek.ack == KEK_ACK_NONE)
		settings_complain(l->s, n, "retransmit_periodic",
				  "reminds those that have not acknowledged: acknowledgement = "
				  "\"none\" tells nobody apart");
	g->atd_s = in.atd_s;
}

static void read_authorization(struct settings *s, struct set_node *n, void *out)
{
	struct ks_group_conf *g = ks_load_of(out)->group;
	const char *text = settings_text(s, n), *why;
	struct id_pattern p;

	if (!text)
		return;
	if (id_pattern_parse(text, &p, &why)) {
		settings_complain(s, n, "authorization",
				  "\"%s\": %s; a prefix like \"192.0.2.0/24\" or a name like "
				  "\"*.example.net\" or \"ou=branch\" is right",
				  text, why);
	} else if (p.type == CERT_ID_IPV4) {
		g->authorized = reallocarray(g->authorized, g->n_authorized + 1, sizeof(p.prefix));
		BUG_ON(!g->authorized);
		g->authorized[g->n_authorized++] = p.prefix;
	} else {
		g->names = reallocarray(g->names, g->n_names + 1, sizeof(p));
		BUG_ON(!g->names);
		g->names[g->n_names++] = p;
	}
}

static const struct set_choice replay_modes[] = { { "counter", REPLAY_COUNTER },
						  { "time", REPLAY_TIME },
						  { NULL, 0 } };

struct replay_in {
	int mode;
	uint32_t window;
};

#define RI(field) offsetof(struct replay_in, field)
static const struct set_row replay_rows[] = {
	{ "mode", SET_CHOICE, RI(mode), .choices = replay_modes, .def = "counter",
	  .help = "counter: sequence numbers; time: pseudotime of the group" },
	{ "window", SET_U32, RI(window), .min = 1, .max = 1024, .required = true,
	  .help = "counter: 64, 128, 256, 512 or 1024 packets; time: 1 to 100 seconds" },
};

struct sa_in {
	struct replay replay;
	uint16_t number;
	uint32_t life_s;
	char transform[64], acl[ACL_CONF_NAME_LEN];
};

static void read_replay(struct settings *s, struct set_node *n, void *out)
{
	struct sa_in *sa = out;
	struct replay_in in = { .mode = REPLAY_COUNTER };
	unsigned before = settings_n_errors(s);

	settings_group(s, n, replay_rows, N_ELEMS(replay_rows), &in);
	if (settings_n_errors(s) != before)
		return;
	sa->replay = (struct replay){ (uint8_t)in.mode, (uint16_t)in.window };
	if (!replay_ok(sa->replay))
		settings_complain(s, n, "window", "%u: %s", in.window,
				  in.mode == REPLAY_TIME
					  ? "a window of time is 1 to 100 seconds"
					  : "a counter window is 64, 128, 256, 512 or 1024");
}

#define SA(field) offsetof(struct sa_in, field)
static const struct set_row sa_rows[] = {
	{ "number", SET_U16, SA(number), .min = 1, .max = 65535, .required = true,
	  .help = "as in `sa ipsec N`" },
	{ "transform", SET_STR, SA(transform), .size = 64, .required = true,
	  .help = "\"esp-gcm 128\", \"esp-gcm 256\", \"esp-aes 128 esp-sha256-hmac\", \"esp-aes "
		  "256 esp-sha256-hmac\"" },
	{ "lifetime", SET_U32, SA(life_s), .min = 30, .max = 2592000, .def = "3600",
	  .help = "seconds of a TEK" },
	{ "acl", SET_STR, SA(acl), .size = ACL_CONF_NAME_LEN, .required = true,
	  .help = "name from acls" },
	{ "replay", SET_GROUP, .each = read_replay,
	  .help = "anti-replay that members are told; default: counter, 64 packets" },
};

// What the dataplane of this release can do.
static bool transform_ok(const struct suite_tek *t)
{
	if (!t || t->weak || t->proto != GDOI_PROTO_ESP)
		return false;
	if (t->transform == ESP_AES_GCM_16)
		return t->key_bits == 128 || t->key_bits == 256;
	return t->transform == ESP_AES_CBC && t->auth == IPSEC_AUTH_HMAC_SHA256 &&
	       (t->key_bits == 128 || t->key_bits == 256);
}

static void read_sa(struct settings *s, struct set_node *n, void *out)
{
	struct ks_load *l = ks_load_of(out);
	struct sa_in in = { .replay = REPLAY_DEFAULT };
	struct policy_sa sa;
	unsigned before = settings_n_errors(s);

	settings_group(s, n, sa_rows, N_ELEMS(sa_rows), &in);
	sa = (struct policy_sa){ in.number, suite_tek_named(in.transform), in.life_s,
				 acl_conf_find(&l->acls, in.acl), in.replay };
	if (in.transform[0] && !transform_ok(sa.suite))
		settings_complain(s, n, "transform", "\"%s\" is not known here; one of %s",
				  in.transform, sa_rows[1].help);
	if (in.acl[0] && !sa.acl)
		settings_complain(s, n, "acl", "no access list is named \"%s\"", in.acl);
	if (in.life_s > 0 && in.life_s < TEK_LIFE_IOS_MIN)
		ks_conf_warn(l, settings_line(n),
			     "lifetime: %u s is below the %d s that other key servers take",
			     in.life_s, TEK_LIFE_IOS_MIN);
	if (settings_n_errors(s) != before)
		return;
	l->sa = reallocarray(l->sa, l->n_sa + 1, sizeof(sa));
	BUG_ON(!l->sa);
	l->sa[l->n_sa++] = sa;
}

struct redundancy_in {
	bool enabled;
	uint32_t priority;
};

#define RD(field) offsetof(struct redundancy_in, field)
static const struct set_row redundancy_rows[] = {
	{ "enabled", SET_BOOL, RD(enabled), .def = "true",
	  .help = "false: this key server alone serves the group" },
	{ "local_priority", SET_U32, RD(priority), .min = 0, .max = 255,
	  .help = "in place of that of coop" },
};

struct group_in {
	struct ks_load *l;
	struct ks_group_conf conf;
	uint32_t sid_bits, priority;
};

static void read_redundancy(struct settings *s, struct set_node *n, void *out)
{
	struct group_in *g = out;
	struct redundancy_in in = { .priority = KS_CONF_PRIORITY_OF_COOP };

	settings_group(s, n, redundancy_rows, N_ELEMS(redundancy_rows), &in);
	if (!g->l->conf->coop)
		settings_complain(s, n, "redundancy", "is of use with a coop section only");
	g->conf.in_set = g->conf.in_set && in.enabled;
	g->priority = in.priority;
}

#define GC(field) offsetof(struct group_in, conf.field)
static const struct set_row group_rows[] = {
	{ "name", SET_STR, GC(name), .size = KS_NAME_LEN, .required = true,
	  .help = "of the group" },
	{ "identity", SET_U32, GC(identity), .min = 0, .max = UINT32_MAX, .required = true,
	  .help = "the number members ask for" },
	{ "redundancy", SET_GROUP, .each = read_redundancy,
	  .help = "this group among the key servers of the set (coop)" },
	{ "rekey", SET_GROUP, .each = read_rekey, .required = true, .help = "the rekey SA" },
	{ "sid_bits", SET_U32, offsetof(struct group_in, sid_bits), .min = 8, .max = 32,
	  .def = "24", .help = "length of sender ids: 8, 12, 16, 24 or 32" },
	{ "registration_burst", SET_U32, GC(reg_limit.burst), .min = 0, .max = 1000, .def = "10",
	  .help = "registrations of one member in quick succession; 0: no limit" },
	{ "registration_interval_s", SET_U32, GC(reg_limit.interval_s), .min = 1, .max = 3600,
	  .def = "30", .help = "and one more for each so many seconds" },
	{ "member_age_s", SET_U32, GC(member_age_s), .min = 0, .max = 31536000, .def = "0",
	  .help = "members that are not asked for acknowledgements, or never sent one, are deleted "
		  "when their registration is older; 0: never" },
	{ "receive_only", SET_BOOL, GC(receive_only), .def = "false",
	  .help = "members accept traffic protected or in clear, and send it in clear: the first "
		  "step of a migration" },
	{ "authorization", SET_EACH, .each = read_authorization, .max = 4096,
	  .help = "who may join: prefixes of addresses, and names that a certificate proves "
		  "(\"gm1.example.net\", \"*.example.net\", \"ou=branch, o=Example\"); none: "
		  "whoever is authenticated" },
	{ "sa", SET_EACH, .each = read_sa, .min = 1, .max = 64, .required = true,
	  .help = "what is protected, and how" },
};

static bool sid_bits_ok(uint32_t bits)
{
	return bits == 8 || bits == 12 || bits == 16 || bits == 24 || bits == 32;
}

static void judge_policy(struct ks_load *l, struct set_node *n, struct ks_group_conf *g)
{
	struct policy_error why;

	g->policy = policy_build(l->sa, l->n_sa, &why);
	if (g->policy)
		g->policy->receive_only = g->receive_only;
	if (!g->policy && why.conf_line)
		settings_complain_line(l->s, why.conf_line, "acls", "as used by group \"%s\": %s",
				       g->name, why.text);
	else if (!g->policy)
		settings_complain(l->s, n, "sa", "group \"%s\": %s", g->name, why.text);
	else if (g->policy->no_flat_at)
		ks_conf_warn(l, g->policy->no_flat_at,
			     "this deny has no RFC 6407 form under the permits after it: group "
			     "\"%s\" will "
			     "serve only members that show our vendor id",
			     g->name);
}

// Members that hear only the last repetition must still have the key before anyone uses it.
static void judge_timing(struct ks_load *l, struct set_node *n, const struct ks_group_conf *g)
{
	uint32_t needs = g->retransmit_s * (g->retransmit_number + 1) + 1;

	if (g->policy && needs > g->policy->life_s / 5)
		ks_conf_warn(
			l, settings_line(n),
			"group \"%s\": TEKs of %u s are short for %u sendings %u s apart; a member "
			"that hears only the last may lose packets",
			g->name, g->policy->life_s, g->retransmit_number + 1, g->retransmit_s);
}

// Phase 1 carries the keys of the group: it should not be weaker than they are (RFC 6407 7.1.2).
static void judge_strength(struct ks_load *l, struct set_node *n, const struct ks_group_conf *g)
{
	const struct ike_settings *ike = &l->conf->ike;
	size_t weakest = SIZE_MAX, strongest = g->kek.suite ? g->kek.suite->key_bits : 0;

	for (size_t i = 0; i < ike->n_proposals; i++)
		weakest = MIN_OF(weakest, 8 * cipher_key_len(ike->proposal[i].cipher));
	for (size_t i = 0; i < l->n_sa; i++)
		strongest = MAX_OF(strongest, (size_t)l->sa[i].suite->key_bits);
	if (weakest < strongest)
		ks_conf_warn(l, settings_line(n),
			     "group \"%s\" has keys of %zu bits, and isakmp lets them travel under "
			     "%zu",
			     g->name, strongest, weakest);
}

static void judge_group(struct ks_load *l, struct set_node *n, struct ks_group_conf *g)
{
	for (size_t i = 0; i < l->conf->n_groups; i++) {
		const struct ks_group_conf *other = &l->conf->groups[i];

		if (other->identity == g->identity)
			settings_complain(l->s, n, "identity", "%u is that of group \"%s\" too",
					  g->identity, other->name);
		if (strcmp(other->name, g->name) == 0)
			settings_complain(l->s, n, "name", "\"%s\" is there twice", g->name);
	}
	if (g->sid_bits == 8)
		ks_conf_warn(l, settings_line(n),
			     "group \"%s\": sid_bits = 8 makes 256 sender ids, and each "
			     "registration of a "
			     "member takes two or more: with 100 members the keys end again and "
			     "again; 24 "
			     "is right for any size",
			     g->name);
	if (g->member_age_s && g->member_age_s < g->kek.life_s)
		settings_complain(
			l->s, n, "member_age_s",
			"%u s is less than the lifetime of a KEK, %u s: members that follow "
			"every rekey would have to register again in between",
			g->member_age_s, g->kek.life_s);
	if (!sid_bits_ok(g->sid_bits))
		settings_complain(l->s, n, "sid_bits", "%u: 8, 12, 16, 24 or 32 is right",
				  g->sid_bits);
}

void ks_conf_read_group(struct settings *s, struct set_node *n, void *out)
{
	struct ks_load *l = ks_load_of(out);
	struct group_in in = { .l = l };
	unsigned before = settings_n_errors(s);

	in.priority = KS_CONF_PRIORITY_OF_COOP;
	in.conf.in_set = l->conf->coop != NULL;
	l->group = &in.conf;
	l->n_sa = 0;
	settings_group(s, n, group_rows, N_ELEMS(group_rows), &in);
	in.conf.sid_bits = (uint8_t)in.sid_bits;
	if (settings_n_errors(s) == before) {
		judge_group(l, n, &in.conf);
		judge_policy(l, n, &in.conf);
		ks_conf_set_group(l, n, &in.conf, in.priority);
		ks_conf_judge_reach(l, &in.conf);
		judge_timing(l, n, &in.conf);
		judge_strength(l, n, &in.conf);
	}
	l->group = NULL;
	l->conf->groups = reallocarray(l->conf->groups, l->conf->n_groups + 1, sizeof(in.conf));
	BUG_ON(!l->conf->groups);
	l->conf->groups[l->conf->n_groups++] = in.conf;
}

void ks_conf_describe_group(FILE *to)
{
	settings_describe(to, "groups = ( { … } )", group_rows, N_ELEMS(group_rows));
	settings_describe(to, "groups.redundancy: { … }", redundancy_rows,
			  N_ELEMS(redundancy_rows));
	settings_describe(to, "groups.rekey: { … }", rekey_rows, N_ELEMS(rekey_rows));
	settings_describe(to, "groups.sa = ( { … } )", sa_rows, N_ELEMS(sa_rows));
	settings_describe(to, "groups.sa.replay: { … }", replay_rows, N_ELEMS(replay_rows));
}
