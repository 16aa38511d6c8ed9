// common/wire/ike1_pl.h - the payloads that phase 1 and informational exchanges are made of.
// KE, NONCE, HASH, SIG, VID and NAT-D are their bodies: take isakmp_pl.body and write with wr_pl.
// Spec:   RFC 2408 3.7-3.16, RFC 2407 4.6.2, RFC 3947 3.2, RFC 3706 5.3.
#pragma once
#include "common/base/addr.h"
#include "common/wire/gdoi_opts.h"
#include "common/wire/isakmp.h"

struct isakmp_id {
	uint8_t type;  // enum isakmp_id_type
	uint8_t proto; // 0 or 17 in phase 1, 0 in GDOI
	uint16_t port;
	struct bytes data;
};

bool isakmp_id_decode(struct bytes body, struct isakmp_id *out, struct rd_err *err);
void isakmp_id_encode(struct wr_chain *c, const struct isakmp_id *id);
// Protocol and port of a phase 1 identity: 0/0, UDP/500, UDP/848 (and UDP/4500 behind a NAT).
bool isakmp_id_port_ok(const struct isakmp_id *id);
// IPV4_ADDR or IPV6_ADDR over addr, which must outlive the id.
struct isakmp_id isakmp_id_of_addr(const struct addr *addr);
bool isakmp_id_to_addr(const struct isakmp_id *id, struct addr *out);
// The group of a GROUPKEY-PULL: KEY_ID of four octets in buf.
struct isakmp_id isakmp_id_of_group(const struct gdoi_wire_opts *o, uint32_t group, uint8_t buf[4]);
bool isakmp_id_to_group(const struct gdoi_wire_opts *o, const struct isakmp_id *id, uint32_t *out);
bool isakmp_id_eq(const struct isakmp_id *a, const struct isakmp_id *b);
// "10.0.0.1", "gm1.example.org", "1234" (KEY_ID of four octets), otherwise "TYPE:hex"; octets that
// do not print become '?'. Always terminated, cut to fit.
#define ISAKMP_ID_STRLEN 160
const char *isakmp_id_str(const struct isakmp_id *id, char buf[ISAKMP_ID_STRLEN]);

// Fails unless its length is right for a nonce (8 to max octets).
bool isakmp_nonce_check(struct bytes body, size_t max, struct rd_err *err);

struct isakmp_cert {
	uint8_t encoding; // enum isakmp_cert_type
	struct bytes data;
};
// CERT and CERTREQ have the same form (RFC 2408 3.9, 3.10); a request may have no data.
bool isakmp_cert_decode(struct bytes body, struct isakmp_cert *out, struct rd_err *err);
void isakmp_cert_encode(struct wr_chain *c, uint8_t payload_type, const struct isakmp_cert *cert);

struct isakmp_notify {
	uint32_t doi; // 0, 1 or 2
	uint8_t proto;
	uint16_t type; // enum isakmp_notify_type
	struct bytes spi, data;
};
bool isakmp_notify_decode(struct bytes body, struct isakmp_notify *out, struct rd_err *err);
void isakmp_notify_encode(struct wr_chain *c, const struct isakmp_notify *n);

// In GDOI proto is enum gdoi_proto (0 = KEK), elsewhere enum ipsec_proto.
struct isakmp_delete {
	uint32_t doi;		 // 0, 1 or 2
	uint8_t proto, spi_size; // 1-16
	size_t n;		 // at least 1
	struct bytes spis;	 // n * spi_size octets
};
bool isakmp_delete_decode(struct bytes body, struct isakmp_delete *out, struct rd_err *err);
void isakmp_delete_encode(struct wr_chain *c, const struct isakmp_delete *d);
struct bytes isakmp_delete_spi(const struct isakmp_delete *d, size_t i);

// Our vendor id, any version of it: true, and its feature bits (VID_CONCLAVE_*).
bool isakmp_vid_conclave(const struct isakmp_chain *c, uint16_t *features);
bool isakmp_vid_has(const struct isakmp_chain *c, const uint8_t vid[GDOI_VID_LEN]);
