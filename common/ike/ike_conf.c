#include "common/ike/ike_conf.h"

struct isakmp_in {
	int cipher, hash;
	uint32_t key_bits, group, life_s;
};

static const struct set_choice ciphers[] = { { "aes", 0 }, { NULL, 0 } };
static const struct set_choice hashes[] = {
	{ "sha256", HASH_ALG_SHA256 },
	{ "sha384", HASH_ALG_SHA384 },
	{ "sha512", HASH_ALG_SHA512 },
	{ NULL, 0 },
};

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
	{ "lifetime", SET_U32, IN(life_s), .min = 60, .max = 86400, .def = "86400",
	  .help = "seconds" },
};

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
	if (out->n_proposals == IKE_MAX_PROPOSALS)
		settings_complain(s, n, "isakmp", "more than %d entries", IKE_MAX_PROPOSALS);
	if (settings_n_errors(s) != before)
		return;
	out->proposal[out->n_proposals++] = p;
	out->life_s = out->life_s ? MIN_OF(out->life_s, in.life_s) : in.life_s;
}

static const struct set_row psk_rows[] = {
	{ "peer", SET_PREFIX, offsetof(struct ike_psk, peer), .required = true,
	  .help = "address or prefix; the longest that holds the peer wins" },
	{ "key", SET_SECRET, offsetof(struct ike_psk, key), .required = true,
	  .help = "the pre-shared key, as text" },
};

static struct ike_psk *psk_find(const struct ike_settings *i, const struct prefix *peer)
{
	for (size_t k = 0; k < i->n_psks; k++) {
		if (i->psk[k].peer.len == peer->len && addr_eq(&i->psk[k].peer.addr, &peer->addr))
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

void ike_settings_read_psk(struct settings *s, struct set_node *n, struct ike_settings *out)
{
	struct ike_psk p = { 0 };
	unsigned before = settings_n_errors(s);

	settings_group(s, n, psk_rows, N_ELEMS(psk_rows), &p);
	if (settings_n_errors(s) == before && psk_find(out, &p.peer))
		settings_complain(s, n, "peer", "is there twice");
	if (settings_n_errors(s) == before)
		psk_append(out, &p);
	secret_fini(&p.key);
}

void ike_settings_fini(struct ike_settings *i)
{
	if (i->psk)
		explicit_bzero(i->psk, i->n_psks * sizeof(*i->psk));
	free(i->psk);
	*i = (struct ike_settings){ .n_psks = 0 };
}

const struct secret *ike_settings_psk(void *arg, const struct addr *peer)
{
	const struct ike_settings *i = arg;
	const struct ike_psk *best = NULL;

	for (size_t k = 0; k < i->n_psks; k++) {
		if (prefix_contains(&i->psk[k].peer, peer) &&
		    (!best || i->psk[k].peer.len > best->peer.len))
			best = &i->psk[k];
	}
	return best ? &best->key : NULL;
}

void ike_settings_describe(FILE *to)
{
	settings_describe(to, "isakmp = ( { … } )", isakmp_rows, N_ELEMS(isakmp_rows));
	settings_describe(to, "psk = ( { … } )", psk_rows, N_ELEMS(psk_rows));
}
