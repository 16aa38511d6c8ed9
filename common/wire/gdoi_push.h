// common/wire/gdoi_push.h - GROUPKEY-PUSH and its acknowledgement.
//
//   key server -> members   HDR*, SEQ, [D…,] [SA, KD,] SIG      SIG over "rekey" | signed span
//   member -> key server    HDR, HASH, SEQ, ID                  HASH over SEQ | ID
//
// Sending: gdoi_push_begin writes header and payloads and names the span to sign (E flag set,
// Length = header and payloads with SIG, without padding, as other implementations sign it);
// gdoi_push_end appends SIG; then encrypt what follows the header and isakmp_hdr_len_set.
// Receiving: decrypt, gdoi_push_open, SEQ against the last one, verify SIG over "rekey" |
// signed_hdr | signed_payloads, then gdoi_push_decode.
// From:   ks/rekey, gm/rekey.   To: gdoi_sa, gdoi_kd.   Spec: RFC 6407 4, 5.9; RFC 8263.
#pragma once
#include "common/wire/gdoi_kd.h"
#include "common/wire/gdoi_sa.h"
#include "common/wire/ike1_pl.h"

#define GDOI_PUSH_LABEL	     "rekey" // signed without its NUL
#define GDOI_PUSH_LABEL_LEN  5
#define GDOI_ACK_LABEL	     "GROUPKEY-PUSH ACK" // keyed with its NUL: 18 octets
#define GDOI_ACK_LABEL_LEN   18
#define GDOI_PUSH_MAX_DELETE 8

struct gdoi_push {
	uint32_t seq;
	size_t n_del;
	struct isakmp_delete del[GDOI_PUSH_MAX_DELETE];
	bool has_sa; // SA and KD come together or not at all
	struct gdoi_sa sa;
	struct gdoi_kd kd;
};

// w is empty. spi: of the KEK that is in force. sig_len: exact length of the signature to come.
// signed_span: view into w of what to hash after the label. False when the buffer is too small.
bool gdoi_push_begin(const struct gdoi_wire_opts *o, struct wr *w,
		     const uint8_t spi[GDOI_KEK_SPI_LEN], const struct gdoi_push *m, size_t sig_len,
		     struct bytes *signed_span);
bool gdoi_push_end(struct wr *w, struct bytes sig);

// The header that SIG covers, in the other readings of it: hdr is as gdoi_push_begin wrote it or
// gdoi_push_open rebuilt it, len_sent the length of the padded message.
void gdoi_push_hdr_as_signed(const struct gdoi_wire_opts *o, size_t len_sent,
			     uint8_t hdr[ISAKMP_HDR_LEN]);

// A PUSH whose outer form is right; nothing of it is believed before sig is verified.
struct gdoi_push_form {
	uint32_t seq;
	uint8_t signed_hdr[ISAKMP_HDR_LEN]; // the header as it was when signed
	struct bytes signed_payloads;
	struct bytes sig; // body of the SIG payload
	struct isakmp_chain chain;
};

// Exchange, flags and message id of a PUSH, before anything is decrypted.
bool gdoi_push_hdr_judge(const struct isakmp_hdr *h, struct rd_err *err);
// h: decoded header, judged again. payloads: decrypted.
bool gdoi_push_open(const struct isakmp_hdr *h, struct bytes payloads, size_t pad,
		    struct gdoi_push_form *out, struct rd_err *err);
// Deletes, SA and KD of a verified message.
bool gdoi_push_decode(const struct gdoi_wire_opts *o, const struct gdoi_push_form *m,
		      struct gdoi_push *out, struct rd_err *err);

// What a Delete of GDOI names: a KEK SPI is 16 octets, a TEK SPI 4; zero stands for all of them.
enum gdoi_delete_kind {
	GDOI_DELETE_TEK,
	GDOI_DELETE_KEK,
	GDOI_DELETE_ALL_TEK,
	GDOI_DELETE_ALL_KEK
};
struct gdoi_delete_item {
	enum gdoi_delete_kind kind;
	uint8_t proto; // enum gdoi_proto
	uint32_t tek_spi;
	uint8_t kek_spi[GDOI_KEK_SPI_LEN];
};
// The i-th SPI of a Delete that gdoi_push_decode let through.
struct gdoi_delete_item gdoi_delete_spi(const struct isakmp_delete *d, size_t i);
// Deletes to send. buf holds n * 4 octets and outlives the delete. n 0: all of the protocol.
struct isakmp_delete gdoi_delete_teks(uint8_t proto, const uint32_t *spi, size_t n, uint8_t *buf);
// spi NULL: the zero SPI.
struct isakmp_delete gdoi_delete_kek(const uint8_t *spi);

// ---- GROUPKEY-PUSH-ACK, RFC 8263 3; in clear ----

struct gdoi_ack_msg {
	uint8_t spi[GDOI_KEK_SPI_LEN]; // cookies of the PUSH
	uint32_t seq;
	struct isakmp_id id;  // IPV4_ADDR or IPV6_ADDR of the last PULL, or OID
	struct bytes hash;    // decoded only
	struct bytes covered; // decoded only: SEQ | ID payloads, what HASH covers
};

bool gdoi_ack_encode(struct wr *w, const struct gdoi_ack_msg *m, size_t hash_len,
		     struct wr_hash *h);
// datagram: the whole message, header included.
bool gdoi_ack_decode(struct bytes datagram, struct gdoi_ack_msg *out, struct rd_err *err);
