#include "common/ike/ike_conf.h"

#include <string.h>
#include <time.h>

#include "common/ike/pki_conf.h"

struct isakmp_in {
	int cipher, hash, auth, ecdsa_hash;
	bool aggressive;
	uint32_t key_bits, group, life_s;
};

static const struct set_choice ciphers[] = { { "aes", 0 }, { NULL, 0 } };
static const struct set_choice hashes[] = {
	{ "sha256", HASH_ALG_SHA256 },
	{ "sha384", HASH_ALG_SHA384 },
	{ "sha512", HASH_ALG_SHA512 },
	{ NULL, 0 },
};

enum auth { AUTH_PSK, AUTH_RSA, AUTH_ECDSA };
static const struct set_choice auths[] = {
	{ "pre-share", AUTH_PSK },
	{ "rsa-sig", AUTH_RSA },
	{ "ecdsa-sig", AUTH_ECDSA },
	{ NULL, 0 },
};

static const struct set_choice ecdsa_hashes[] = { { "twice", 0 }, { "once", 1 }, { NULL, 0 } };

#define IN(field) offsetof(struct isakmp_in, field)
static const struct set_row isakmp_rows[] = {
	{ "encryption", SET_CHOICE, IN(cipher), .choices = ciphers, .def = "aes",
	  .help = "cipher of phase 1" },
	{ "key_bits", SET_U32, IN(key_bits), .min = 128, .max = 256, .def = "128",
	  .help = "128 or 256" },
	{ "hash", SET_CHOICE, IN(hash), .choices = hashes, .def = "sha256",
	  .help = "hash and prf" },
	{ "group", SET_U32, IN(group), .min = 14, .max = 21, .def = "19",
	  .help = "Diffie-Hellman: 14, 15, 16 (MODP), 19, 20, 21 (ECP)" },
	{ "authentication", SET_CHOICE, IN(auth), .choices = auths, .def = "pre-share",
	  .help = "pre-share; rsa-sig, ecdsa-sig: by a trustpoint's certificate of that kind" },
	{ "ecdsa_hash", SET_CHOICE, IN(ecdsa_hash), .choices = ecdsa_hashes, .def = "twice",
	  .help = "what ecdsa-sig signs of a message's hash: it is hashed once more, or signed as "
		  "it is, which a strongSwan responder wants; both are accepted, and answered "
		  "alike" },
	{ "aggressive", SET_BOOL, IN(aggressive), .def = "false",
	  .help = "rsa-sig, ecdsa-sig: in aggressive mode too; a member then uses it" },
	{ "lifetime", SET_U32, IN(life_s), .min = 60, .max = 86400, .def = "86400",
	  .help = "seconds" },
};

static bool kind_fits(enum auth auth, enum sign_alg a)
{
	return auth == AUTH_RSA ? a == SIGN_RSA : a != SIGN_RSA && a != SIGN_NONE;
}

static void proposal_add(struct settings *s, struct set_node *n, struct ike_settings *out,
			 const struct ike_proposal *p)
{
	if (out->n_proposals == IKE_MAX_PROPOSALS)
		settings_complain(s, n, "isakmp", "more than %d entries", IKE_MAX_PROPOSALS);
	else
		out->proposal[out->n_proposals++] = *p;
}

static void proposals_of_key(struct settings *s, struct set_node *n, struct ike_settings *out,
			     struct ike_proposal *p, enum sign_alg a, uint32_t *seen)
{
	if (*seen & 1u << a)
		return;
	*seen |= 1u << a;
	p->auth = a;
	proposal_add(s, n, out, p);
}

// A proposal for each kind of key that our trustpoints have, or will enroll for: IKEv1 numbers ECDSA
// by curve. One without its certificate is neither offered nor chosen.
static void proposals_add(struct settings *s, struct set_node *n, struct ike_settings *out,
			  struct ike_proposal *p, enum auth auth)
{
	uint32_t seen = 0;

	if (auth == AUTH_PSK) {
		proposal_add(s, n, out, p);
		return;
	}
	for (size_t i = 0; out->pki && i < out->pki->n; i++) {
		const struct ike_trustpoint *tp = &out->pki->tp[i];

		if (kind_fits(auth, tp->alg))
			proposals_of_key(s, n, out, p, tp->alg, &seen);
		if (tp->enrol.set && kind_fits(auth, tp->enrol.key_alg))
			proposals_of_key(s, n, out, p, tp->enrol.key_alg, &seen);
	}
	if (seen == 0)
		settings_complain(s, n, "authentication",
				  "no trustpoint has a certificate with %s key",
				  auth == AUTH_RSA ? "an RSA" : "an ECDSA");
}

void ike_settings_read_isakmp(struct settings *s, struct set_node *n, struct ike_settings *out)
{
	struct isakmp_in in = { 0 };
	struct ike_proposal p;
	unsigned before = settings_n_errors(s);

	settings_group(s, n, isakmp_rows, N_ELEMS(isakmp_rows), &in);
	if (in.key_bits != 128 && in.key_bits != 256)
		settings_complain(s, n, "key_bits", "%u: 128 or 256 is right", in.key_bits);
	p = (struct ike_proposal){ in.key_bits == 256 ? CIPHER_AES256_CBC : CIPHER_AES128_CBC,
				   (enum hash_alg)in.hash, (enum dh_group)in.group };
	if (dh_public_len(p.group) == 0)
		settings_complain(s, n, "group", "%u: 14, 15, 16, 19, 20 or 21 is right", in.group);
	p.aggressive = in.aggressive;
	if (in.aggressive && in.auth == AUTH_PSK)
		settings_complain(s, n, "aggressive",
				  "is for signatures; with pre-shared keys it is said in psk, for "
				  "each peer");
	if (settings_n_errors(s) != before)
		return;
	proposals_add(s, n, out, &p, (enum auth)in.auth);
	out->ecdsa_bare |= in.ecdsa_hash;
	out->life_s = out->life_s ? MIN_OF(out->life_s, in.life_s) : in.life_s;
}

static const struct set_row psk_rows[] = {
	{ "peer", SET_PREFIX, offsetof(struct ike_psk, peer),
	  .help = "address or prefix; the longest that holds the peer wins" },
	{ "id", SET_STR, offsetof(struct ike_psk, id), .size = IKE_NAME_LEN, .def = "",
	  .help = "instead of peer, for members without a fixed address: the name they show in "
		  "aggressive mode, like \"gm7.example.net\" or \"gm7@example.net\"" },
	{ "key", SET_SECRET, offsetof(struct ike_psk, key), .required = true,
	  .help = "the pre-shared key, as text" },
	{ "aggressive", SET_BOOL, offsetof(struct ike_psk, aggressive), .def = "false",
	  .help = "aggressive mode: answered to this peer, used by a member; the key can be "
		  "guessed from one answer" },
	{ "own_id", SET_STR, offsetof(struct ike_psk, own_id), .size = IKE_NAME_LEN, .def = "",
	  .help = "with aggressive, on a member: the name to show; empty: its address" },
};

static struct ike_psk *psk_find(const struct ike_settings *i, const struct ike_psk *p)
{
	for (size_t k = 0; k < i->n_psks; k++) {
		if (i->psk[k].peer.len == p->peer.len &&
		    addr_eq(&i->psk[k].peer.addr, &p->peer.addr) &&
		    strcmp(i->psk[k].id, p->id) == 0)
			return &i->psk[k];
	}
	return NULL;
}

// Room for twice as many; realloc would leave keys behind in the old block.
static void psks_grow(struct ike_settings *i)
{
	struct ike_psk *grown = calloc(i->n_psks ? 2 * i->n_psks : 1, sizeof(*grown));

	BUG_ON(!grown);
	if (i->n_psks > 0) {
		memcpy(grown, i->psk, i->n_psks * sizeof(*grown));
		explicit_bzero(i->psk, i->n_psks * sizeof(*grown));
	}
	free(i->psk);
	i->psk = grown;
}

static void psk_append(struct ike_settings *i, const struct ike_psk *p)
{
	if ((i->n_psks & (i->n_psks - 1)) == 0) // full: its size is a power of two
		psks_grow(i);
	i->psk[i->n_psks++] = *p;
}

static void psk_judge(struct settings *s, struct set_node *n, const struct ike_psk *p)
{
	bool by_name = p->id[0] != '\0';

	if (by_name == (p->peer.addr.family != 0))
		settings_complain(s, n, "peer", "either peer or id is wanted");
	if (p->own_id[0] && !p->aggressive)
		settings_complain(s, n, "own_id",
				  "main mode knows the peer by its address; aggressive = true is "
				  "missing");
}

void ike_settings_read_psk(struct settings *s, struct set_node *n, struct ike_settings *out)
{
	struct ike_psk p = { 0 };
	unsigned before = settings_n_errors(s);

	settings_group(s, n, psk_rows, N_ELEMS(psk_rows), &p);
	p.aggressive |= p.id[0] != '\0';
	if (settings_n_errors(s) == before)
		psk_judge(s, n, &p);
	if (settings_n_errors(s) == before && psk_find(out, &p))
		settings_complain(s, n, p.id[0] ? "id" : "peer", "is there twice");
	if (settings_n_errors(s) == before && p.aggressive)
		settings_warn(s, n, "aggressive",
			      "whoever asks for this peer gets a hash to guess the key by, without "
			      "our noticing: the key must be long and random");
	if (settings_n_errors(s) == before)
		psk_append(out, &p);
	secret_fini(&p.key);
}

void ike_settings_fini(struct ike_settings *i)
{
	if (i->psk)
		explicit_bzero(i->psk, i->n_psks * sizeof(*i->psk));
	free(i->psk);
	free(i->peer);
	ike_pki_put(i->pki);
	*i = (struct ike_settings){ .n_psks = 0 };
}

static const struct ike_psk *psk_of_addr(const struct ike_settings *i, const struct addr *peer)
{
	const struct ike_psk *best = NULL;

	for (size_t k = 0; k < i->n_psks; k++) {
		if (prefix_contains(&i->psk[k].peer, peer) &&
		    (!best || i->psk[k].peer.len > best->peer.len))
			best = &i->psk[k];
	}
	return best;
}

const struct secret *ike_settings_psk(void *arg, const struct addr *peer)
{
	const struct ike_psk *p = psk_of_addr(arg, peer);

	return p ? &p->key : NULL;
}

static bool is_aggressive(void *arg, const struct addr *peer)
{
	const struct ike_psk *p = psk_of_addr(arg, peer);

	return p && p->aggressive;
}

// A name as an identity: with an @ it is a user's.
static struct isakmp_id id_of_name(const char *name)
{
	return (struct isakmp_id){ .type = strchr(name, '@') ? ISAKMP_ID_USER_FQDN : ISAKMP_ID_FQDN,
				   .data = BYTES((const uint8_t *)name, strlen(name)) };
}

static const struct secret *psk_of_name(void *arg, const struct isakmp_id *id)
{
	const struct ike_settings *i = arg;

	for (size_t k = 0; k < i->n_psks; k++) {
		const struct isakmp_id own = id_of_name(i->psk[k].id);

		if (own.data.len > 0 && isakmp_id_eq(&own, id))
			return &i->psk[k].key;
	}
	return NULL;
}

static struct isakmp_id own_name(void *arg, const struct addr *peer)
{
	const struct ike_psk *p = psk_of_addr(arg, peer);

	return p && p->own_id[0] ? id_of_name(p->own_id) : (struct isakmp_id){ .type = 0 };
}

bool ike_settings_has_psk_names(const struct ike_settings *i)
{
	for (size_t k = 0; k < i->n_psks; k++) {
		if (i->psk[k].id[0])
			return true;
	}
	return false;
}

static bool has_aggressive_psk(const struct ike_settings *i)
{
	for (size_t k = 0; k < i->n_psks; k++) {
		if (i->psk[k].aggressive)
			return true;
	}
	return false;
}

bool ike_settings_has_psk_proposal(const struct ike_settings *i)
{
	for (size_t k = 0; k < i->n_proposals; k++) {
		if (i->proposal[k].auth == SIGN_NONE)
			return true;
	}
	return false;
}

bool ike_settings_has_sig_proposal(const struct ike_settings *i)
{
	for (size_t k = 0; k < i->n_proposals; k++) {
		if (i->proposal[k].auth != SIGN_NONE)
			return true;
	}
	return false;
}

static int64_t wall_clock(void)
{
	return time(NULL);
}

void ike_settings_apply(const struct ike_settings *i, struct ike_conf *conf)
{
	union {
		const struct ike_settings *i;
		void *arg; // of ike_settings_psk, which only reads
	} u = { .i = i };

	conf->proposals = i->proposal;
	conf->n_proposals = i->n_proposals;
	conf->life_s = i->life_s;
	conf->psk = ike_settings_psk;
	conf->psk_arg = u.arg;
	conf->aggressive = has_aggressive_psk(i) ? is_aggressive : NULL;
	conf->psk_of_name = ike_settings_has_psk_names(i) ? psk_of_name : NULL;
	conf->own_name = own_name;
	conf->pki = i->pki;
	conf->wall_clock = wall_clock;
	conf->wire = ike_settings_wire(i);
	conf->wire.ecdsa_sign_bare_hash |= i->ecdsa_bare;
	conf->form = i->form;
	conf->n_forms = i->n_forms;
	conf->peers = i->peer;
	conf->n_peers = i->n_peers;
}

void ike_settings_renew(struct ike_settings *i, struct ike_pki *pki)
{
	ike_pki_put(i->pki);
	i->pki = pki;
}

void ike_settings_describe(FILE *to)
{
	ike_settings_describe_trustpoints(to);
	settings_describe(to, "isakmp = ( { … } )", isakmp_rows, N_ELEMS(isakmp_rows));
	settings_describe(to, "psk = ( { … } )", psk_rows, N_ELEMS(psk_rows));
	ike_settings_describe_dpd(to);
	ike_settings_describe_wire(to);
}

void ike_settings_nat(struct settings *s, struct set_node *n, uint16_t port, bool traversal,
		      uint16_t *nat_port)
{
	if (!traversal)
		*nat_port = 0;
	else if (*nat_port == port)
		settings_complain(
			s, n, "nat_port",
			"%u is the port without NAT too; another one is right, usually 4500", port);
}
