#include "tests/perf/bare.h"

#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ENOUGH_S  0.5
#define DATAGRAMS 5 // each way of a registration: three of phase 1, two of GROUPKEY-PULL
#define BURST	  64

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "ks_crowd: OpenSSL or the kernel cannot do this: %s\n", what);
	exit(1);
}

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Mean cost of once(arg).
static double cost_of(void (*once)(void *arg), void *arg)
{
	unsigned n = 0;
	double start = cpu(), spent;

	do {
		once(arg);
		n++;
		spent = cpu() - start;
	} while (spent < ENOUGH_S);
	return spent / n;
}

// ---- Diffie-Hellman ----

struct dh_bench {
	EVP_PKEY *group; // with a key: the peer
	EVP_PKEY_CTX *keygen;
	unsigned char *peer; // its public value as it comes
	size_t peer_len;
};

static EVP_PKEY *dh_peer(enum dh_group group)
{
	OSSL_PARAM modp[] = { OSSL_PARAM_utf8_string("group", (char *)(uintptr_t) "modp_2048", 0),
			      OSSL_PARAM_END };
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key = NULL;

	if (group == DH_ECP256)
		return EVP_EC_gen("P-256");
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	must(ctx && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_CTX_set_params(ctx, modp) > 0 &&
		     EVP_PKEY_keygen(ctx, &key) > 0,
	     "MODP-2048");
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void dh_once(void *arg)
{
	struct dh_bench *b = arg;
	EVP_PKEY *own = NULL, *peer = EVP_PKEY_new();
	unsigned char *public = NULL;
	uint8_t secret[256];
	size_t len = sizeof(secret);
	EVP_PKEY_CTX *ctx;

	must(EVP_PKEY_keygen(b->keygen, &own) > 0 &&
		     EVP_PKEY_get1_encoded_public_key(own, &public) > 0 && peer &&
		     EVP_PKEY_copy_parameters(peer, b->group) > 0 &&
		     EVP_PKEY_set1_encoded_public_key(peer, b->peer, b->peer_len) > 0,
	     "a key pair");
	ctx = EVP_PKEY_CTX_new(own, NULL);
	must(ctx && EVP_PKEY_derive_init(ctx) > 0 &&
		     EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) > 0 &&
		     EVP_PKEY_derive(ctx, secret, &len) > 0,
	     "Diffie-Hellman");
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(public);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(own);
}

double bare_dh(enum dh_group group)
{
	struct dh_bench b = { .group = dh_peer(group) };
	double cost;

	b.keygen = EVP_PKEY_CTX_new(b.group, NULL);
	b.peer_len = EVP_PKEY_get1_encoded_public_key(b.group, &b.peer);
	must(b.keygen && b.peer_len > 0 && EVP_PKEY_keygen_init(b.keygen) > 0, "a group");
	cost = cost_of(dh_once, &b);
	OPENSSL_free(b.peer);
	EVP_PKEY_CTX_free(b.keygen);
	EVP_PKEY_free(b.group);
	return cost;
}

// ---- hashes and ciphers ----

struct prf_bench {
	size_t size;
	uint8_t data[4096];
	EVP_MAC_CTX *hmac;
	EVP_MD *md;
	EVP_MD_CTX *hash;
	EVP_CIPHER *aes;
	EVP_CIPHER_CTX *cbc;
};

static void prf_once(void *arg)
{
	static const uint8_t key[32] = { 1 };
	struct prf_bench *b = arg;
	uint8_t digest[64], nonce[32];
	bool ok = true;
	int n;

	for (int i = 0; i < 10; i++)
		ok = ok && EVP_MAC_init(b->hmac, key, sizeof(key), NULL) &&
		     EVP_MAC_update(b->hmac, b->data, b->size) &&
		     EVP_MAC_final(b->hmac, digest, NULL, sizeof(digest));
	for (int i = 0; i < 2; i++)
		ok = ok && EVP_DigestInit_ex(b->hash, b->md, NULL) &&
		     EVP_DigestUpdate(b->hash, b->data, b->size) &&
		     EVP_DigestFinal_ex(b->hash, digest, NULL) &&
		     RAND_priv_bytes(nonce, sizeof(nonce));
	for (int i = 0; i < 6; i++)
		ok = ok && EVP_CipherInit_ex2(b->cbc, b->aes, key, nonce, i % 2, NULL) &&
		     EVP_CIPHER_CTX_set_padding(b->cbc, 0) &&
		     EVP_CipherUpdate(b->cbc, b->data, &n, b->data, (int)(b->size / 16 * 16));
	must(ok, "HMAC, SHA-256 and AES");
}

double bare_prf(size_t size)
{
	struct prf_bench b = { .size = MIN_OF(size, sizeof(b.data)) };
	OSSL_PARAM sha256[] = { OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST,
						       (char *)(uintptr_t) "SHA256", 0),
				OSSL_PARAM_END };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	double cost;

	b.hmac = mac ? EVP_MAC_CTX_new(mac) : NULL;
	b.md = EVP_MD_fetch(NULL, "SHA256", NULL);
	b.hash = EVP_MD_CTX_new();
	b.aes = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
	b.cbc = EVP_CIPHER_CTX_new();
	must(b.hmac && b.md && b.hash && b.aes && b.cbc && EVP_MAC_CTX_set_params(b.hmac, sha256),
	     "algorithms");
	cost = cost_of(prf_once, &b);
	EVP_CIPHER_CTX_free(b.cbc);
	EVP_CIPHER_free(b.aes);
	EVP_MD_CTX_free(b.hash);
	EVP_MD_free(b.md);
	EVP_MAC_CTX_free(b.hmac);
	EVP_MAC_free(mac);
	return cost;
}

// ---- certificates ----

struct path_bench {
	X509_STORE *store;
	struct bytes member;
};

static void path_once(void *arg)
{
	struct path_bench *b = arg;
	const unsigned char *p = b->member.p;
	X509 *x = d2i_X509(NULL, &p, (long)b->member.len);
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	must(x && ctx && X509_STORE_CTX_init(ctx, b->store, x, NULL), "a certificate");
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), 2);
	must(X509_verify_cert(ctx) == 1, "a path");
	X509_STORE_CTX_free(ctx);
	X509_free(x);
}

double bare_path(X509 *ca, struct bytes member)
{
	struct path_bench b = { X509_STORE_new(), member };
	double cost;

	must(b.store && X509_STORE_add_cert(b.store, ca), "a CA");
	cost = cost_of(path_once, &b);
	X509_STORE_free(b.store);
	return cost;
}

struct rsa_bench {
	EVP_PKEY_CTX *ctx;
};

static void rsa_once(void *arg)
{
	struct rsa_bench *b = arg;
	uint8_t digest[32] = { 1 }, sig[512];
	size_t len = sizeof(sig);

	must(EVP_PKEY_sign(b->ctx, sig, &len, digest, sizeof(digest)) > 0, "an RSA signature");
}

double bare_rsa(void)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	struct rsa_bench b = { key ? EVP_PKEY_CTX_new(key, NULL) : NULL };
	double cost;

	must(b.ctx && EVP_PKEY_sign_init(b.ctx) > 0, "RSA");
	cost = cost_of(rsa_once, &b);
	EVP_PKEY_CTX_free(b.ctx);
	EVP_PKEY_free(key);
	return cost;
}

// ---- the kernel ----

struct udp {
	int fd;
	struct sockaddr_in at;
};

static struct udp udp_open(uint32_t address)
{
	struct udp u = { socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0),
			 { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) } };
	socklen_t len = sizeof(u.at);

	must(u.fd >= 0 && bind(u.fd, (struct sockaddr *)&u.at, len) == 0 &&
		     getsockname(u.fd, (struct sockaddr *)&u.at, &len) == 0,
	     "a UDP socket");
	return u;
}

static void burst(const struct udp *from, const struct udp *to, size_t size)
{
	static const uint8_t octets[4096];

	for (int i = 0; i < BURST; i++)
		must(sendto(from->fd, octets, MIN_OF(size, sizeof(octets)), 0,
			    (const struct sockaddr *)&to->at, sizeof(to->at)) > 0,
		     "a datagram");
}

static void drain(const struct udp *at)
{
	uint8_t octets[4096];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);

	for (int i = 0; i < BURST; i++)
		must(recvfrom(at->fd, octets, sizeof(octets), 0, (struct sockaddr *)&from, &len) >
			     0,
		     "a datagram");
}

double bare_datagrams(size_t in, size_t out)
{
	struct udp server = udp_open(INADDR_LOOPBACK), member = udp_open(0x7f010001u);
	double spent = 0, begun;
	unsigned n = 0;

	while (spent < ENOUGH_S) {
		burst(&member, &server, in);
		begun = cpu();
		drain(&server);
		burst(&server, &member, out);
		spent += cpu() - begun;
		drain(&member);
		n += BURST;
	}
	close(server.fd);
	close(member.fd);
	return DATAGRAMS * spent / n;
}

double bare_sendto(void)
{
	struct udp server = udp_open(INADDR_LOOPBACK), member = udp_open(0x7f010001u);
	double spent = 0, begun;
	unsigned n = 0;

	while (spent < ENOUGH_S) {
		begun = cpu();
		burst(&server, &member, 700);
		spent += cpu() - begun;
		drain(&member);
		n += BURST;
	}
	close(server.fd);
	close(member.fd);
	return spent / n;
}
