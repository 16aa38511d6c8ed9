// common/ike/enrol_conf.h - the `enrollment` group of a trustpoint: how it gets its certificate.
//	enrollment = { url = "http://pki.example.net:829/cmp"; file = "corp-own.pem";
//	               subject = "CN=gm1, O=Example"; names = [ "gm1.example.net", "192.0.2.2" ];
//	               reference = "gm1"; secret = "…"; key = "ec-256"; auto_enroll = 70; };
// From:   pki_conf.c.   To: struct ike_enrol (auth.h), used by common/pki/enrol_io.c.
#pragma once
#include "common/ctl/settings.h"
#include "common/ike/auth.h"

void ike_settings_read_enrol(struct settings *s, struct set_node *n, struct ike_enrol *out);
// The last trustpoint of pki beside those before it: its name, and the file it writes, are its own.
void ike_settings_judge_enrol(struct settings *s, struct set_node *n, const struct ike_pki *pki);
void ike_settings_describe_enrol(FILE *to);
