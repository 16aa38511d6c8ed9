// common/wire/isakmp.h - the ISAKMP envelope: header, payload chain, attributes (RFC 2408 3).
// From:   ike, ks, gm with a datagram (decrypted in place by the caller).
// To:     the payload codecs of this folder; ike hashes and encrypts through the spans given here.
// Spec:   RFC 2408 3.1-3.3, 5; RFC 2409 5.5 and 5.7 (HASH first), RFC 3948 2.2 (non-ESP marker).
// Always: whole payloads (generic header included) stay visible: HASH and SIG cover them.
#pragma once
#include "common/wire/gdoi.h"
#include "common/wire/rd.h"
#include "common/wire/wr.h"

#define ISAKMP_HDR_LEN	    28
#define ISAKMP_HDR_LEN_AT   24 // offset of the length field
#define ISAKMP_HDR_FLAGS_AT 19
#define ISAKMP_PL_HDR_LEN   4 // generic header
#define ISAKMP_COOKIE_LEN   8
#define ISAKMP_MAX_PL	    32 // payloads of one message
#define ISAKMP_MAX_HASH	    64
#define ISAKMP_NONCE_MIN    8
#define ISAKMP_NONCE_MAX    256 // phase 1 (RFC 2409 5)
#define GDOI_NONCE_MAX	    128 // GROUPKEY-PULL (RFC 6407 5.8)

struct isakmp_hdr {
	uint8_t cky_i[ISAKMP_COOKIE_LEN], cky_r[ISAKMP_COOKIE_LEN];
	uint8_t next;	  // enum isakmp_payload
	uint8_t exchange; // enum isakmp_exchange
	uint8_t flags;	  // enum isakmp_flag
	uint32_t msgid;
	uint32_t len; // decoded: the datagram's; encoded: patched by isakmp_hdr_len_set
};

// Reads 28 octets; r is left at the first payload. The length has to be that of the datagram.
bool isakmp_hdr_decode(struct rd *r, struct isakmp_hdr *out);
// Next payload and length are placeholders until the chain and isakmp_hdr_len_set fill them.
void isakmp_hdr_encode(struct wr *w, const struct isakmp_hdr *h);
// The length field of a finished message (after padding and encryption: the padded length).
void isakmp_hdr_len_set(uint8_t *msg, uint32_t len);

// UDP 4500: 0 marks ISAKMP, anything else is ESP; one octet 0xff is a keepalive (RFC 3948).
enum natt_kind { NATT_ISAKMP, NATT_ESP, NATT_KEEPALIVE };
#define NATT_MARKER_LEN	     4
#define NATT_KEEPALIVE_OCTET 0xff
// *isakmp is the datagram without its marker when the kind is NATT_ISAKMP.
enum natt_kind natt_classify(struct bytes datagram, struct bytes *isakmp);

// ---- payload chain ----

struct isakmp_pl {
	uint8_t type;
	struct bytes body;  // after the generic header
	struct bytes whole; // generic header and body, as sent
};

struct isakmp_chain {
	size_t n;
	struct isakmp_pl pl[ISAKMP_MAX_PL];
	struct bytes all; // every payload, without cipher padding
};

// first: the type of the first payload. pad: 0 in the clear, the cipher's block size when the
// chain was encrypted. Fails on anything left over beyond that.
bool isakmp_chain_decode(struct bytes payloads, uint8_t first, size_t pad, struct isakmp_chain *out,
			 struct rd_err *err);

// The n-th payload of a type (0 = first), NULL when there is none.
const struct isakmp_pl *isakmp_chain_find(const struct isakmp_chain *c, uint8_t type, size_t nth);

// The set of payloads a message may have; bits by PL_BIT(type). Required ones come exactly once,
// optional ones at most once; those also in repeat any number of times. Others fail.
#define PL_BIT(type) (1u << (type))
struct isakmp_form {
	uint32_t required, optional, repeat;
};
bool isakmp_chain_judge(const struct isakmp_chain *c, const struct isakmp_form *form,
			struct rd_err *err);

// Messages whose first payload is a HASH over all that follows (informational, GROUPKEY-PULL):
// verify prf(SKEYID_a, M-ID [| Ni_b [| Nr_b]] | covered) before looking into the payloads.
struct isakmp_hashed {
	struct bytes hash;	   // body of the HASH payload
	struct bytes covered;	   // every octet after the HASH payload, cipher padding excluded
	struct isakmp_chain chain; // pl[0] is the HASH
};
bool isakmp_hashed_decode(struct bytes payloads, uint8_t first, size_t pad,
			  struct isakmp_hashed *out, struct rd_err *err);

// ---- writing a chain ----

// next_at: where the type of the next payload is to be written.
struct wr_chain {
	struct wr *w;
	size_t next_at;
};

// Starts a message: header now, chain positioned on its next-payload octet.
struct wr_chain isakmp_msg_begin(struct wr *w, const struct isakmp_hdr *h);
// at: where the message began in w (0 unless something precedes it). Patches Length to what was
// written. False when the buffer was too small.
bool isakmp_msg_end(struct wr *w, size_t at);

// A payload between begin (writes the generic header, links it) and end (patches its length).
size_t wr_pl_begin(struct wr_chain *c, uint8_t type); // returns the offset of the generic header
void wr_pl_end(struct wr_chain *c, size_t at);
void wr_pl(struct wr_chain *c, uint8_t type, struct bytes body); // a payload that is its body

// A HASH payload of hash_len zero octets; the caller fills hash after it computed over covered.
// Offsets into the writer's buffer, so that the caller may write there.
struct wr_hash {
	size_t hash_at, hash_len;
	size_t covered_at, covered_len; // set by wr_hash_end
};
void wr_hash_begin(struct wr_chain *c, size_t hash_len, struct wr_hash *h);
void wr_hash_end(struct wr_chain *c, struct wr_hash *h);

// ---- data attributes, RFC 2408 3.3 ----

struct isakmp_attr {
	uint16_t type;
	bool basic; // AF = 1: two octets of value
	struct bytes value;
};

bool isakmp_attr_decode(struct rd *r, struct isakmp_attr *out);
// The value of a basic attribute; fails when it was sent as variable (RFC 2407 4.5).
uint16_t isakmp_attr_u16(struct rd *r, const struct isakmp_attr *a);
// The value of a variable attribute that is a number: sent as basic or as 1-8 octets; above 32
// bits fails.
uint32_t isakmp_attr_u32(struct rd *r, const struct isakmp_attr *a);
void wr_attr_u16(struct wr *w, uint16_t type, uint16_t value);
void wr_attr_u32(struct wr *w, uint16_t type, uint32_t value); // always as 4 octets
void wr_attr_num(struct wr *w, uint16_t type, uint32_t value); // basic when it fits, else 4 octets
void wr_attr_bytes(struct wr *w, uint16_t type, struct bytes value);
