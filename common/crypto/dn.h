// common/crypto/dn.h - names as people write them: DN text, and patterns for authorization.
//
//	192.0.2.0/24          an address inside the prefix
//	gm1.example.net       this name                    *.example.net     any name below it
//	ops@example.net       this mail address            *@example.net     any at this host
//	ou=branch, o=Example  a DN that has all of these   cn=gm*            values may end in *
//
// From:   ks (who may join a group), common/pki (identities, requests), show commands.
// Spec:   RFC 4945 3.1.5 (lookups on any combination of C, CN, O, OU), RFC 4514 (text of a DN).
// Always: a pattern is matched against the authenticated identity alone.
#pragma once
#include "common/base/addr.h"
#include "common/base/bytes.h"
#include "common/crypto/cert.h"

#define DN_STRLEN	256
#define DN_MAX		1024 // octets of a DER Name
#define ID_PATTERN_MAX	160
#define ID_PATTERN_ATTR 8

// "CN=gm1,OU=branch,O=Example", most specific first, as RFC 4514 writes it; control octets are
// escaped. "?" when der is no Name. Always terminated, cut to fit.
const char *dn_text(struct bytes der, char buf[DN_STRLEN]);
// Text in the same order to DER. -EINVAL: not "attribute=value, ..." or an unknown attribute;
// -EMSGSIZE.
MUST_CHECK int dn_parse(const char *text, uint8_t *der, size_t max, size_t *len);

// The name in one form, however a CA has encoded it: string types, case of ASCII letters and repeated
// spaces do not count (as RFC 5280 7.1 compares names). Its length, 0 when der is no Name or is too long.
#define DN_FOLD_MAX (4 * DN_MAX)
size_t dn_fold(struct bytes der, uint8_t out[DN_FOLD_MAX]);

struct id_pattern {
	uint8_t type;		   // enum cert_id_type; IPV4 stands for both families
	struct prefix prefix;	   // IPV4
	char text[ID_PATTERN_MAX]; // the others: as written
};

// -EINVAL when the text is none of the forms above; *why then says what is wrong with it.
MUST_CHECK int id_pattern_parse(const char *text, struct id_pattern *out, const char **why);
// id: the identity as phase 1 authenticated it.
// Any name in a verified certificate, its Subject included (RFC 4945 3.1.10).
bool id_pattern_match_cert(const struct id_pattern *p, const struct cert *c);
bool id_pattern_match(const struct id_pattern *p, uint8_t type, struct bytes id);
