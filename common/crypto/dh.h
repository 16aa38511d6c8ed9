// common/crypto/dh.h - Diffie-Hellman as a piece of work that any thread can do.
// A struct dh_job is filled by a pure state machine, run (dh_job_run) where there is time for it,
// and handed back. A job without peer value makes a key pair; with one it also makes the shared
// secret. An initiator runs the same job twice: first without, then with the peer's value.
// Spec:   RFC 3526 (14-16), RFC 5903 (19-21: x | y on the wire, x alone is the secret), RFC 6989
//         (what to check of a peer's value).
// Always: public values and secrets are padded with zeros on the left to the group's size.
// Never:  a secret from a peer value that is 0, 1, p-1, out of range or off the curve.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/crypto/secret.h"

#define DH_PUBLIC_MAX 512
#define DH_SHARED_MAX 512

enum dh_group { // IANA numbers, the same in IKEv1 and IKEv2
	DH_NONE = 0,
	DH_MODP2048 = 14,
	DH_MODP3072 = 15,
	DH_MODP4096 = 16,
	DH_ECP256 = 19,
	DH_ECP384 = 20,
	DH_ECP521 = 21,
};

// g^xy. Larger than a struct secret, wiped the same way.
struct dh_secret {
	uint16_t len;
	uint8_t b[DH_SHARED_MAX];
};

struct dh_job {
	enum dh_group group;
	uint16_t peer_len; // 0: only make a key pair
	uint16_t own_len;  // 0 until run
	int err;	   // of the last run: 0, -EBADMSG the peer's value is bad, -ENOMEM
	uint64_t tag;	   // the machine's: tells its own job from one of a predecessor
	void *own_key;	   // own private key; made by the first run
	uint8_t peer[DH_PUBLIC_MAX];
	uint8_t own[DH_PUBLIC_MAX];
	struct dh_secret shared;
};

size_t dh_public_len(enum dh_group g); // octets in a KE payload; 0 for a group we do not have
size_t dh_shared_len(enum dh_group g);
const char *dh_name(enum dh_group g); // "MODP-2048", "ECP-256"
bool dh_is_quick(enum dh_group g);    // a job costs less than handing it to another thread and back

// NULL when out of memory or for a group we do not have. Freed (and wiped) by dh_job_free.
struct dh_job *dh_job_new(enum dh_group g);
void dh_job_free(struct dh_job *j);
// -EBADMSG when the length is not the group's.
MUST_CHECK int dh_job_set_peer(struct dh_job *j, struct bytes ke);
// Use this key pair rather than a fresh one (x and its public value as on the wire): for known
// answers. -EINVAL when it is none of the group's.
MUST_CHECK int dh_job_set_private(struct dh_job *j, struct bytes x, struct bytes own);
// x of a job of an ECP group that was run, padded to the field's size: for keys that are kept.
MUST_CHECK int dh_job_private(const struct dh_job *j, struct secret *out);
// Any thread; touches nothing but *j. The result is j->err, also returned.
int dh_job_run(struct dh_job *j);
