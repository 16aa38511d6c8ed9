#include "ks/ks_conf_int.h"

#include <stdlib.h>
#include <string.h>

#include "common/ike/pki_conf.h"
#include "coop/coop_conf.h"

// ---- ksd ----

#define KSD(field) offsetof(struct ks_conf, field)
static const struct set_row ksd_rows[] = {
	{ "address", SET_ADDR, KSD(address), .required = true,
	  .help = "own address: members talk to it, rekeys come from it" },
	{ "port", SET_U16, KSD(port), .min = 1, .max = 65535, .def = "848", .help = "UDP port" },
	{ "nat_traversal", SET_BOOL, KSD(nat_traversal), .def = "true",
	  .help = "look for NATs on the way to members and pass them by nat_port" },
	{ "nat_port", SET_U16, KSD(nat_port), .min = 1, .max = 65535, .def = "4500",
	  .help = "UDP port of both sides when there is a NAT" },
	{ "control", SET_STR, KSD(control), .size = KS_PATH_LEN, .def = "/run/conclave/ksd.sock",
	  .help = "control socket, for gvsh" },
	{ "user", SET_STR, KSD(user), .size = 33, .def = "",
	  .help = "who to become once the port is open; empty: stay" },
	{ "state", SET_STR, KSD(state), .size = KS_PATH_LEN, .def = "",
	  .help = "folder of keys and members that outlive a restart, as /var/lib/conclave/ksd; "
		  "empty: a restart ends all keys" },
	{ "device_key", SET_STR, KSD(device_key), .size = KS_PATH_LEN, .def = "",
	  .help = "file of the key that seals the state; empty: device.key in its folder" },
	{ "accept_doi1", SET_BOOL, KSD(accept_doi1), .def = "false",
	  .help = "answer phase 1 of DOI 1 (IPsec) too" },
	{ "workers", SET_U32, KSD(workers), .min = 0, .max = 64, .def = "1",
	  .help = "threads for Diffie-Hellman; 0: none" },
};

static void read_ksd(struct settings *s, struct set_node *n, void *out)
{
	struct ks_conf *c = ks_load_of(out)->conf;

	settings_group(s, n, ksd_rows, N_ELEMS(ksd_rows), c);
	ike_settings_nat(s, n, c->port, c->nat_traversal, &c->nat_port);
}

static void read_isakmp(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_isakmp(s, n, &ks_load_of(out)->conf->ike);
}

static void read_trustpoint(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_trustpoint(s, n, &ks_load_of(out)->conf->ike);
}

static void read_psk(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_psk(s, n, &ks_load_of(out)->conf->ike);
}

static void read_wire(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_wire(s, n, &ks_load_of(out)->conf->ike);
}

static void read_peer(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_peer(s, n, &ks_load_of(out)->conf->ike);
}

static void read_dpd(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_dpd(s, n, &ks_load_of(out)->conf->ike);
}

static void read_acl(struct settings *s, struct set_node *n, void *out)
{
	acl_conf_read(s, n, &ks_load_of(out)->acls);
}

// ---- keys ----

struct key_in {
	char label[SIGNER_LABEL_MAX], file[1024];
};

static const struct set_row key_rows[] = {
	{ "label", SET_STR, offsetof(struct key_in, label), .size = SIGNER_LABEL_MAX,
	  .required = true, .help = "what groups call it" },
	{ "file", SET_STR, offsetof(struct key_in, file), .size = 1024, .required = true,
	  .help = "PEM private key, RSA 2048-4096 or ECDSA; relative to this file" },
};

static void beside(const char *conf_path, const char *file, char *out, size_t size)
{
	const char *slash = strrchr(conf_path, '/');

	if (file[0] == '/' || !slash)
		snprintf(out, size, "%s", file);
	else
		snprintf(out, size, "%.*s/%s", (int)(slash - conf_path), conf_path, file);
}

// RFC 6407 4.1: whoever gets hold of one of them must not have the other too.
static void judge_key(struct ks_load *l, struct set_node *n, const char *label)
{
	const struct ike_pki *pki = l->conf->ike.pki;
	uint8_t ours[PUBKEY_MAX], theirs[PUBKEY_MAX];
	size_t len, other;

	if (signer_public(&l->conf->store->signer, label, ours, sizeof(ours), &len))
		return;
	for (size_t i = 0; pki && i < pki->n; i++) {
		const struct ike_trustpoint *tp = &pki->tp[i];

		if (tp->n_own > 0 &&
		    pubkey_encode(cert_key(tp->own[0]), theirs, sizeof(theirs), &other) == 0 &&
		    bytes_eq(BYTES(ours, len), BYTES(theirs, other)))
			ks_conf_warn(l, settings_line(n),
				     "\"%s\" is the key of trustpoint \"%s\" too: rekeys should be "
				     "signed with a key of their own",
				     label, tp->name);
	}
}

static void read_key(struct settings *s, struct set_node *n, void *out)
{
	struct ks_load *l = ks_load_of(out);
	struct key_in in = { 0 };
	char path[2048];
	unsigned before = settings_n_errors(s);
	int err;

	settings_group(s, n, key_rows, N_ELEMS(key_rows), &in);
	if (settings_n_errors(s) != before)
		return;
	beside(l->path, in.file, path, sizeof(path));
	err = signer_load(&l->conf->store->signer, in.label, path);
	if (err == -EEXIST)
		settings_complain(s, n, "label", "\"%s\" is there twice", in.label);
	else if (err == -EBADMSG)
		settings_complain(s, n, "file",
				  "%s holds no private key of use here: unencrypted PEM, RSA "
				  "2048-4096 or ECDSA P-256, P-384, P-521 is right",
				  path);
	else if (err)
		settings_complain(s, n, "file", "%s: %s", path, strerror(-err));
	else
		judge_key(l, n, in.label);
}

// ---- file ----

// In the order in which they are needed: keys and lists before the groups that name them.
static const struct set_row root_rows[] = {
	{ "ksd", SET_GROUP, .each = read_ksd, .required = true, .help = "the daemon" },
	{ "trustpoints", SET_EACH, .each = read_trustpoint, .max = IKE_MAX_TRUSTPOINTS,
	  .help = "CAs that are believed, own certificates" },
	{ "isakmp", SET_EACH, .each = read_isakmp, .min = 1, .max = IKE_MAX_PROPOSALS,
	  .required = true, .help = "phase 1 proposals, best first" },
	{ "psk", SET_EACH, .each = read_psk, .max = IKE_MAX_PSKS,
	  .help = "pre-shared keys by peer; wanted by isakmp entries that say pre-share" },
	{ "wire", SET_GROUP, .each = read_wire, .help = "other readings of the RFCs" },
	{ "peers", SET_EACH, .each = read_peer, .max = IKE_MAX_PEERS,
	  .help = "members with readings of their own" },
	{ "dpd", SET_GROUP, .each = read_dpd,
	  .help = "dead peer detection; absent: only answered" },
	{ "coop", SET_GROUP, .each = ks_conf_read_coop,
	  .help = "other key servers that serve the same groups" },
	{ "keys", SET_EACH, .each = read_key, .min = 1, .max = SIGNER_MAX_KEYS,
	  .help = "keys that sign rekeys; a set of key servers makes one where none is named" },
	{ "acls", SET_EACH, .each = read_acl, .min = 1, .max = ACL_CONF_MAX, .required = true,
	  .help = "access lists" },
	{ "groups", SET_EACH, .each = ks_conf_read_group, .min = 1, .max = 1024, .required = true,
	  .help = "the groups served" },
};

static void judge_authentication(struct ks_load *l)
{
	const struct ks_conf *c = l->conf;

	if (ike_settings_has_psk_proposal(&c->ike) && c->ike.n_psks == 0)
		settings_complain(l->s, NULL, "psk",
				  "is missing, but an isakmp entry authenticates by pre-share");
	for (size_t i = 0; i < c->n_groups; i++) {
		if (c->groups[i].n_names > 0 && !ike_settings_has_sig_proposal(&c->ike) &&
		    !ike_settings_has_psk_names(&c->ike))
			settings_complain(l->s, NULL, "authorization",
					  "group \"%s\" names members, but no isakmp entry says "
					  "rsa-sig or ecdsa-sig, and no psk has an id: nobody can "
					  "prove a name",
					  c->groups[i].name);
	}
}

struct ks_conf *ks_conf_load(const char *path, settings_report *report, void *arg)
{
	struct ks_load l = { .report = report, .arg = arg, .path = path };
	struct {
		struct ks_load *l;
	} root = { &l };
	struct ks_conf *conf = calloc(1, sizeof(*conf));

	BUG_ON(!conf);
	conf->store = keystore_new();
	l.conf = conf;
	l.s = settings_open(path, report, arg);
	if (l.s)
		settings_group(l.s, settings_root(l.s), root_rows, N_ELEMS(root_rows), &root);
	if (l.s &&
	    settings_n_errors(l.s) == 0) // else an entry refused above would be called missing
		judge_authentication(&l);
	if (!l.s || settings_n_errors(l.s) > 0) {
		ks_conf_free(conf);
		conf = NULL;
	}
	acl_conf_fini(&l.acls);
	free(l.sa);
	settings_close(l.s);
	return conf;
}

void ks_conf_free(struct ks_conf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_groups; i++) {
		free(c->groups[i].no_ack);
		free(c->groups[i].unicast);
		free(c->groups[i].authorized);
		free(c->groups[i].names);
		policy_put(c->groups[i].policy);
	}
	free(c->groups);
	ike_settings_fini(&c->ike);
	keystore_put(c->store);
	if (c->coop)
		coop_settings_fini(c->coop);
	free(c->coop);
	free(c);
}

void ks_conf_describe(FILE *to)
{
	settings_describe(to, "ksd: { … }", ksd_rows, N_ELEMS(ksd_rows));
	ike_settings_describe(to);
	coop_settings_describe(to);
	settings_describe(to, "keys = ( { … } )", key_rows, N_ELEMS(key_rows));
	acl_conf_describe(to);
	ks_conf_describe_group(to);
}

bool ks_conf_asks_ack(const struct ks_group_conf *g, const struct kek_params *kek,
		      const struct addr *member, bool conclave)
{
	for (size_t i = 0; i < g->n_no_ack; i++) {
		if (addr_eq(&g->no_ack[i], member))
			return false;
	}
	return kek->ack == KEK_ACK_ANY ? conclave : kek->ack != KEK_ACK_NONE;
}
