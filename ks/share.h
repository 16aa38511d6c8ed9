// ks/share.h - the rekey signing key on its way between the key servers of a set.
//
//	WRAP item, key: id of its owner        version | KEM (2) | public value (65)
//	SIGN item, key: id of the receiver,    version | fingerprint (16) of that value | the
//	           fingerprint of the key                private key, sealed to it
//
// A signing key is known by its fingerprint: the first octets of SHA-256 of its
// SubjectPublicKeyInfo; a value by that of itself. So keys that two parts of a set have made apart do not take each other's
// place. What is sealed is bound to group, sender, receiver and fingerprint: no item can be passed
// off as another.
// From:   the rooms of ks that mint and take over.     To: common/crypto/signer.
// Spec:   RFC 9180; docs/coop-protocol.md.
// Always: what was opened has the fingerprint that its item names.
// Never:  a signing key in the clear outside of a signer.
#pragma once
#include "common/crypto/signer.h"
#include "common/wire/rd.h"

#define SHARE_FP_LEN   16
#define SHARE_NAME_LEN (1 + SHARE_FP_LEN)    // key of a SIGN item
#define SHARE_WRAP_LEN (3 + HPKE_PUBLIC_LEN) // body of a WRAP item
#define SHARE_SIGN_MAX (1 + SHARE_FP_LEN + SIGNER_WRAPPED_MAX)

// Whose key, for whom.
struct share_way {
	uint32_t group;
	uint8_t from, to; // ids of key servers
	uint8_t fp[SHARE_FP_LEN];
};

void share_fingerprint(struct bytes public, uint8_t fp[SHARE_FP_LEN]);
// What the key is called in a signer.
void share_label(const uint8_t fp[SHARE_FP_LEN], char out[SIGNER_LABEL_MAX]);

void share_wrap_encode(const struct hpke_key *k, uint8_t out[SHARE_WRAP_LEN]);
bool share_wrap_decode(struct bytes body, uint8_t public[HPKE_PUBLIC_LEN], struct rd_err *err);

void share_name_encode(const struct share_way *w, uint8_t out[SHARE_NAME_LEN]); // `to` and fp
bool share_name_decode(struct bytes key, struct share_way *out, struct rd_err *err);

// The body of a SIGN item. -ENOENT: s has no key of that fingerprint's label; -EBADMSG: `public`
// is none.
MUST_CHECK int share_sign_seal(const struct signer *s, const struct share_way *w,
			       const uint8_t public[HPKE_PUBLIC_LEN], uint8_t out[SHARE_SIGN_MAX],
			       size_t *len);
// A SIGN item as it came: was it sealed to this value? What is of a former one is of no use.
bool share_sign_is_for(struct bytes body, const uint8_t public[HPKE_PUBLIC_LEN]);
// Its key into s, under share_label. -EBADMSG: not ours to open, or not what the way says.
// 0 too when s has it already.
MUST_CHECK int share_sign_open(struct signer *s, const struct share_way *w,
			       const struct hpke_key *with, struct bytes body);
