// tests/perf/bare.h - what a registration and a rekey cost OpenSSL and the kernel alone: the bound
// that ks_crowd.c sets beside ksd's CPU time.
// Counted is what no key server can leave out, from octets of the wire to octets of the wire, done
// with OpenSSL's EVP and X509 calls, their contexts reused where OpenSSL lets one; nothing is kept
// from one registration to the next.
// Always: CPU seconds of this thread for one, measured for half a second.
#pragma once
#include <openssl/x509.h>

#include "common/base/bytes.h"
#include "common/crypto/dh.h"

// A key pair made, its public value written, the peer's value read, the shared secret.
double bare_dh(enum dh_group group);
// Ten HMAC-SHA256 (SKEYID and its three children, HASH_I, HASH_R, four of GROUPKEY-PULL), two hashes
// (initial vectors), six messages through AES-128-CBC, two nonces; each message of size octets.
double bare_prf(size_t size);
// The member's certificate read (DER) and its path to the CA verified, signature and validity.
double bare_path(X509 *ca, struct bytes member);
// Five datagrams of in octets received and five of out octets sent, over loopback, none waited for.
double bare_datagrams(size_t in, size_t out);
// One RSA-2048 signature over a digest.
double bare_rsa(void);
// One datagram of a rekey sent.
double bare_sendto(void);
