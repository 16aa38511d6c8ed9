// common/pki/show.h - show crypto pki certificates, trustpoints, crls: as IOS lays them out, and as
// JSON. Reads, decides nothing.
// From:   pki_io.c.
#pragma once
#include "common/ctl/ctl.h"
#include "common/ike/auth.h"
#include "common/pki/enrol_io.h"

struct pki_view {
	const struct ike_pki *pki; // may be NULL
	const struct enroller *e;
	int64_t now;	  // wall clock
	const char *name; // of one trustpoint; NULL: all
	bool status;	  // trustpoints: with how enrolment stands
};

void pki_show_certificates(const struct pki_view *v, struct ctl_text *t);
void pki_show_trustpoints(const struct pki_view *v, struct ctl_text *t);
void pki_show_crls(const struct pki_view *v, struct ctl_text *t);
json_t *pki_show_certificates_json(const struct pki_view *v);
json_t *pki_show_trustpoints_json(const struct pki_view *v);
json_t *pki_show_crls_json(const struct pki_view *v);
