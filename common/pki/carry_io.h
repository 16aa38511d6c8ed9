// common/pki/carry_io.h - `crypto pki import` and `export`: keys and certificates in files of the
// operator, PEM or PKCS#12. gvsh carries the files (ctl.h); what passphrases cost is done on a
// thread.
// From:   pki_io.c.   To: enroller_import.
// Always: only a trustpoint with enrollment.file takes one in; a key leaves only where the
//         configuration says exportable, and encrypted.
#pragma once
#include "common/ctl/ctl.h"
#include "common/pki/enrol_io.h"

struct carrier;

MUST_CHECK int carrier_new(struct event_base *base, struct enroller *e, struct carrier **out);
void carrier_free(struct carrier *c); // before the enroller; NULL is fine
// crypto pki import NAME pem|pkcs12 FILE [password WORD]
void carrier_import(struct carrier *c, struct ctl_req *req);
// crypto pki export NAME pem|pkcs12 FILE password WORD
void carrier_export(struct carrier *c, struct ctl_req *req);
