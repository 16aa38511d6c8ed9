// common/crypto/cert_info.h - what people read of a certificate: for show, logs and fingerprints.
// Nothing is decided by these texts but the comparison of fingerprints.
#pragma once
#include "common/crypto/cert.h"

#define CERT_FINGERPRINT_STRLEN 96  // "AB:CD:…" of SHA-256
#define CERT_INFO_STRLEN	512 // lists, cut to fit

// SHA-256 of the certificate.
const char *cert_fingerprint(const struct cert *c, char buf[CERT_FINGERPRINT_STRLEN]);
// Is text the certificate's fingerprint? Colons, spaces and case do not matter.
bool cert_fingerprint_is(const struct cert *c, const char *text);
bool cert_fingerprint_ok(const char *text); // 32 octets in hexadecimal

// "Digital Signature, Non Repudiation"; "" when the certificate does not restrict it.
const char *cert_usage_text(const struct cert *c, char buf[CERT_INFO_STRLEN]);
// "ipsec Internet Key Exchange"; "" when there is none.
const char *cert_ext_usage_text(const struct cert *c, char buf[CERT_INFO_STRLEN]);
// "DNS:gm1.example.net, IP Address:192.0.2.2"
const char *cert_names_text(const struct cert *c, char buf[CERT_INFO_STRLEN]);
// "EC P-256", "RSA 2048"
const char *cert_key_text(const struct cert *c, char buf[32]);
// The first http address of its CRL, of its OCSP responder; "" for none.
const char *cert_crl_url(const struct cert *c, char buf[CERT_INFO_STRLEN]);
const char *cert_ocsp_url(const struct cert *c, char buf[CERT_INFO_STRLEN]);
