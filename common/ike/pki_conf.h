// common/ike/pki_conf.h - the `trustpoints` list of a daemon's file: whom it believes, who it is.
//	trustpoints = ( { name = "CORP"; ca = "ca.pem"; chain = "mid.pem";
//	                  certificate = "gm1.pem"; key = "gm1.key";    # or pkcs12 = "gm1.p12"
//	                  passphrase = "…"; identity = "fqdn";
//	                  revocation = [ "crl", "none" ]; crl = "http://pki.example.net/ca.crl"; }
//);
// File names are relative to the daemon's file. Read before isakmp, whose methods need to know
// which kinds of keys there are.
// From:   ksd's and gmd's configuration readers.   To: struct ike_pki, in struct ike_settings.
// Always: what was read fits together: the key is the certificate's, the certificate leads to the
//         trustpoint's CA and may sign for IKE. One that has expired is taken, and said aloud.
#pragma once
#include "common/ike/ike_conf.h"

void ike_settings_read_trustpoint(struct settings *s, struct set_node *n, struct ike_settings *out);
void ike_settings_describe_trustpoints(FILE *to);
