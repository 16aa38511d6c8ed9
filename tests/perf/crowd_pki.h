// tests/perf/crowd_pki.h - a certificate for every member of a crowd, by a CA made for the run.
// No two members show the same one, so nothing the key server may remember of one serves another.
// From:   ks_crowd.c.
#pragma once
#include "common/ike/auth.h"

struct crowd_pki;

// dir holds ca.pem, ca.key and member.key, the key that all of them share.
struct crowd_pki *crowd_pki_open(const char *dir); // NULL: something of it is missing
void crowd_pki_close(struct crowd_pki *p);	   // NULL is fine
// What member i has: its own certificate (DNS:mN.crowd.example.net), the CA it believes.
struct ike_pki *crowd_pki_member(const struct crowd_pki *p, unsigned i);
// What OpenSSL alone takes to read and verify the certificate of one member, CPU seconds.
double crowd_pki_path(const struct crowd_pki *p);
