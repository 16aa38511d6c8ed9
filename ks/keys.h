// ks/keys.h - birth and death of KEK and TEK; nowhere else are group keys made.
// A generation is one TEK per policy slot, made together and replaced together:
//
//   born ---- sent to members ---- active ------------- replaced ---- drained     (or dies before)
//             (they receive)       (all send)           (next one      (members
//                                                        active)        dropped it)
//
// Members count the delays from their own receipt of the rekey; the times kept here are the
// latest that any member can be at.
// Owns:   key bytes; wiped when a generation or a KEK ends.
// From:   core.c, rekey.c, pull.c.     Spec: RFC 6407 3.5, 5.4, 5.6, 7.5; RFC 5374 4.2.1.
// Always: keys and SPIs come from the generator handed in; every TEK has its own key.
// Never:  knows ISAKMP: the same keys are to serve G-IKEv2.
#pragma once
#include "common/base/addr.h"
#include "common/base/mono.h"
#include "common/base/rng.h"
#include "common/crypto/cipher.h"
#include "common/crypto/secret.h"
#include "common/crypto/signer.h"
#include "ks/policy.h"

#define KEYS_MAX_GENS	 8
#define KEYS_KEK_SPI_LEN 16
#define KEYS_IV_MAX	 16
#define KEYS_GEN_ID_LEN	 8

struct tek {
	uint32_t spi;
	const struct suite_tek *suite;
	uint32_t life_s;
	mono_t dies;
	struct secret alg_key, integrity_key;
};

// The signing keys of one reading of the configuration. A KEK goes on being signed with the key it
// was announced with, whatever a reload brings: the last one to need a set of keys frees it.
struct keystore {
	unsigned refs;
	struct signer signer;
};

struct keystore *keystore_new(void);		   // one reference
struct keystore *keystore_get(struct keystore *s); // NULL: NULL
void keystore_put(struct keystore *s);

struct tek_gen {
	uint32_t serial;	     // never given twice in a group
	uint64_t ver;		     // in a set: its place among the generations of all key servers
	uint8_t id[KEYS_GEN_ID_LEN]; // in a set: its name
	struct policy *policy;	     // under which it was made; one reference
	struct tek *tek;	     // policy->n_slot of them
	mono_t born;
	mono_t active;	// from here on every member may send under it
	mono_t drained; // MONO_NEVER until replaced; members have dropped it by then
};

// RFC 8263 acknowledgements: of nobody; of all, keyed by the KEK or by the member's leaf; of those
// that are known to understand the request, whatever becomes of the others.
enum kek_ack { KEK_ACK_NONE, KEK_ACK_KEK, KEK_ACK_LKH, KEK_ACK_ANY };

struct kek_params {
	const struct suite_kek *suite;
	enum cipher_alg cipher; // the suite's
	uint32_t life_s;
	char sign_label[SIGNER_LABEL_MAX];
	enum sign_alg sign_alg;
	uint16_t sign_bits;
	enum hash_alg sign_hash;
	enum rsa_form sign_form;
	uint16_t lkh_degree;   // of the key tree; 0: one key for all, no tree
	struct endpoint group; // that rekeys are sent to; family 0: to each member
	uint8_t ttl;	       // of what goes there
	enum kek_ack ack;      // whether acknowledgements are asked for, and how keyed
};

struct kek {
	uint8_t spi[KEYS_KEK_SPI_LEN];
	struct kek_params params;
	struct keystore *store; // one reference
	size_t pub_len;
	uint8_t pub[PUBKEY_MAX]; // of the signing key, as members get it
	uint8_t iv[KEYS_IV_MAX];
	struct secret key;
	mono_t born, dies;
	uint32_t seq; // of the last PUSH under this KEK, 0: none yet
	uint64_t ver; // in a set: of the generation it was made with
};

// Newest generation first. n_gen 0 only before keys_start.
struct keys {
	uint32_t last_serial;
	size_t n_gen;
	struct tek_gen gen[KEYS_MAX_GENS];
	struct kek kek;
	struct kek old_kek; // the one before, while registrations may still have been offered it
};

// No two live TEKs of this key server may share an SPI, whatever their group.
typedef bool keys_spi_taken(void *arg, uint32_t spi);

struct keys_maker {
	struct rng *rng;
	keys_spi_taken *taken;
	void *arg;
};

// The label of p must be one of store's.
void kek_new(const struct keys_maker *mk, const struct kek_params *p, struct keystore *store,
	     mono_t now, struct kek *out);
// The key tree makes its own keys: IV, then key.
void kek_set_key(struct kek *k, const struct secret *iv_key);
void kek_fini(struct kek *k);

// A new first generation under p (one reference is taken). active: see struct tek_gen. When
// KEYS_MAX_GENS are alive already the oldest ends.
void keys_add_gen(struct keys *k, const struct keys_maker *mk, struct policy *p, mono_t now,
		  mono_t active);
// One that was made elsewhere, behind those that are newer: its own references and keys move in.
// False, and gen is the caller's still: it is older than all there is room for.
bool keys_insert_gen(struct keys *k, struct tek_gen *gen);
void tek_gen_fini(struct tek_gen *g);
void keys_drop_newest(struct keys *k); // a rekey could not be built; another generation is left
struct tek_gen *keys_find_gen(struct keys *k, uint32_t serial); // NULL when it has ended
// Every generation but the first is forgotten at `when` at the latest.
void keys_drain_old(struct keys *k, mono_t when);
// Ends what has died or drained; the newest generation stays for its successor to replace.
void keys_expire(struct keys *k, mono_t now);
// Every key, at once; serials go on. Followed by new ones, or by the end of the group.
void keys_end_all(struct keys *k);

// Every key of every generation ends at `when` at the latest.
void keys_shorten(struct keys *k, mono_t when);

bool keys_has_spi(const struct keys *k, uint32_t spi);
mono_t tek_gen_dies(const struct tek_gen *g);  // its first TEK to die
mono_t keys_next_expiry(const struct keys *k); // of those keys_expire would end
