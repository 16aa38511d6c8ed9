// common/wire/suite.h - algorithm rows: numbers on the wire, names operators type, key lengths.
// From:   ks/policy (name -> numbers), gm (numbers -> what to key).
// Spec:   RFC 2407 4.4, 3602, 4106, 4543, 4868, 6407 5.3 and 5.6.1.
// Never:  knows OpenSSL or the dataplane: those translate from these rows.
#pragma once
#include "common/wire/gdoi.h"
#include "common/wire/gdoi_sa.h"

// Rekey SA.
struct suite_kek {
	const char *name; // "aes 128"
	uint16_t alg;	  // enum gdoi_kek_alg
	uint16_t key_bits;
	uint8_t key_len, iv_len; // octets; KEK_ALGORITHM_KEY is iv_len + key_len
	bool weak;
};
const struct suite_kek *suite_kek_named(const char *name);

// Data SAs. name as `show` prints it: "esp-gcm 128", "esp-256-aes esp-sha256-hmac".
struct suite_tek {
	const char *name;
	uint8_t proto;		   // GDOI_PROTO_ESP or GDOI_PROTO_AH
	uint8_t transform;	   // enum esp_transform or ah_transform
	uint16_t key_bits;	   // attribute Key Length; 0 absent
	uint16_t auth;		   // attribute Authentication Algorithm; 0 absent
	uint8_t alg_key_len;	   // octets of TEK_ALGORITHM_KEY, salt included
	uint8_t salt_len;	   // of the key, at its end (AH: of the integrity key)
	uint8_t integrity_key_len; // octets of TEK_INTEGRITY_KEY
	uint8_t iv_len, icv_len;   // octets in the packet
	bool aead;
	bool counter_iv; // needs a sender id (RFC 6054)
	bool weak;
};

// The row of a received SAT, NULL when it names none. A Key Length left out finds the 128 bit row
// of AES (RFC 3602 default key length).
const struct suite_tek *suite_tek_find(const struct gdoi_sat *sat);
// As a transform-set spells it: "esp-gcm 128", "esp-aes 256 esp-sha256-hmac". Returns buf.
#define SUITE_TEK_STRLEN 48
const char *suite_tek_words(const struct suite_tek *s, char buf[SUITE_TEK_STRLEN]);
const struct suite_tek *suite_tek_named(const char *name_or_words);
const struct suite_tek *suite_tek_row(size_t i); // NULL past the end
// proto, transform, key_bits, auth of a SAT to send.
void suite_tek_to_sat(const struct suite_tek *s, struct gdoi_sat *sat);
