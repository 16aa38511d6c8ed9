// common/pki/pki_io.h - certificates as the operator handles them, the same in ksd and gmd: the
// commands "crypto pki …" and "show crypto pki …", enrolment behind them.
// Owns:   the enroller; questions that wait for the network.
// From:   ks_io and gm_io: their command tables hold PKI_COMMANDS.
#pragma once
#include "common/ctl/ctl.h"
#include "common/pki/enrol_io.h"

struct pki_io;

MUST_CHECK int pki_io_new(struct event_base *base, struct rng *rng, const struct enrol_hooks *h,
			  struct pki_io **out);
void pki_io_free(struct pki_io *p);   // NULL is fine
void pki_io_config(struct pki_io *p); // after every (re)load

// Rows of a command table; run hands the request to pki_io_command.
// clang-format off
#define PKI_COMMANDS(run)                                                                          \
	{ "show crypto pki certificates [NAME]", "certificates of ours and of CAs", run },         \
	{ "show crypto pki trustpoints", "whom we believe, who we are there", run },               \
	{ "show crypto pki trustpoints status", "and how enrollment stands", run },                \
	{ "show crypto pki crls", "revocation lists held", run },                                  \
	{ "crypto pki authenticate NAME [fingerprint HEX]",                                        \
	  "fetch the CA's certificate; take it when it is the one named", run },                   \
	{ "crypto pki enroll NAME [rekey]",                                                        \
	  "ask the CA for a certificate, or its successor; rekey: for a new key", run },           \
	{ "no crypto pki enroll NAME", "give up the request that waits for the CA", run },         \
	{ "crypto pki import NAME pem FILE [password WORD]",                                       \
	  "key, certificate and chain out of a PEM file of yours", run },                          \
	{ "crypto pki import NAME pkcs12 FILE [password WORD]", "out of a PKCS#12 file", run },    \
	{ "crypto pki export NAME pem FILE password WORD",                                         \
	  "key (encrypted), certificate and chain to a new PEM file", run },                       \
	{ "crypto pki export NAME pkcs12 FILE password WORD", "to a new PKCS#12 file", run }
// clang-format on
void pki_io_command(struct pki_io *p, struct ctl_req *req);
