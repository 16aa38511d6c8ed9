// common/ike/info.h - informational exchanges: notify and delete, protected or in the clear.
// From:   ks, gm. DPD rides on this (dpd.h).
// Spec:   RFC 2408 3.14, 3.15, 4.8; RFC 2409 5.7; RFC 3706.
// Always: received DOIs may be 0, 1 or 2 (option accept_other_notify_doi); ours is notify_doi of
//         the wire options, or 1 in an SA of DOI 1.
// Never:  answers an informational with an informational (RFC 2408 4.8), DPD's own apart.
#pragma once
#include "common/ike/protect.h"

#define IKE_INFO_MAX 8 // notifies, and deletes, of one message; more are refused

struct ike_info {
	size_t n_notify, n_delete;
	struct isakmp_notify notify[IKE_INFO_MAX]; // views the caller's plain buffer
	struct isakmp_delete del[IKE_INFO_MAX];
	bool deletes_sa; // one of the deletes names this very SA, or a KEK
};

// A protected informational. IKE_R_REPLAY for a message id seen before.
enum ike_reason ike_info_open(struct ike_sa *sa, const struct isakmp_hdr *hdr,
			      struct bytes datagram, uint8_t plain[IKE_DGRAM_MAX],
			      struct ike_info *out, const char **detail);

// Protected; buf of 512 octets is enough for data up to 64 octets. *msg views buf. Notifies carry
// protocol ISAKMP and the cookie pair as SPI.
#define IKE_INFO_BUF 512
MUST_CHECK int ike_info_notify(const struct ike_sa *sa, uint16_t type, struct bytes data,
			       uint8_t *buf, size_t cap, struct bytes *msg);
// Delete of this SA (protocol ISAKMP, SPI = cookie pair): when a member refuses the policy
// (RFC 6407 3.3), at shutdown, at an operator's word.
MUST_CHECK int ike_info_delete_sa(const struct ike_sa *sa, uint8_t *buf, size_t cap,
				  struct bytes *msg);

// Delete of a KEK that was offered (protocol 0 of GDOI, its SPI of 16 octets): the other reading of
// RFC 6407 3.3.
MUST_CHECK int ike_info_delete_kek(const struct ike_sa *sa, const uint8_t *kek_spi, uint8_t *buf,
				   size_t cap, struct bytes *msg);

// In the clear: says why an exchange that has no keys yet went nowhere. Octets written, 0 if none.
size_t ike_info_clear(const uint8_t *cky_i, const uint8_t *cky_r, uint32_t doi, uint16_t type,
		      struct rng *rng, uint8_t *buf, size_t cap);
// The error type of an unprotected notify, 0 if the datagram is nothing of the kind. Only a hint.
uint16_t ike_info_clear_type(const struct isakmp_hdr *hdr, struct bytes datagram);
