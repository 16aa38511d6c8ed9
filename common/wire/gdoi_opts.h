// common/wire/gdoi_opts.h - where the RFCs leave a choice, the choice has a name.
// One struct for all of GDOI, whoever applies the field: the codecs here, phase 1, the key
// server, the member. A peer that needs another reading gets its own copy. Fields say what we send,
// what we accept besides it, and whose reading it is. gdoi_wire_opts_default() is what the RFC
// text and the traces of other implementations support best.
//
// Read one way, without an option, because traces or other sentences of the RFC settle it:
//   - the octet "DST ID Prot" that RFC 6407 5.3 and 5.5.1 list is in no figure and not on the wire;
//   - "GROUPKEY-PULL datagram" in 5.3 means the PUSH datagram;
//   - a group id of four octets is matched as octets and printed big endian;
//   - SIG covers the header with E set and Length up to the end of SIG, without cipher padding;
//   - the static IV of KEK_ALGORITHM_KEY starts every PUSH under a KEK: there is no other IV on the
//     wire; SEQ in the first block keeps the prefixes distinct;
//   - LKH keys have no length of their own: the keys of one array are of one size, which has to
//     suit their type;
//   - the PUSH that brings a new KEK counts on under the old SPI; the first one under the new SPI
//     has SEQ 1, and a member starts it at 0;
//   - sender ids go to senders, in PULL only;
//   - a rejected policy is answered with a Delete of protocol ISAKMP and the cookies as SPI;
//   - lifetimes sent are what remains, and a member counts from receipt;
//   - a public key in SIG_ALGORITHM_KEY is sent as SubjectPublicKeyInfo, a bare PKCS #1
//     RSAPublicKey is read as well;
//   - a delay that is absent is 0 for activation, the old SA's own end for deactivation; what is
//     received is opened at once, whatever the activation delay;
//   - a unicast PUSH goes to the address and port of the member's last PULL; port 4500 and its
//     marker belong to NAT traversal, which neither daemon speaks yet;
//   - KEK_ACK_REQUESTED, which a member that knows RFC 6407 only has to refuse, is asked for by
//     group (rekey.acknowledgement) and left out for members that the group lists (no_ack).
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct gdoi_wire_opts {
	// -- phase 1 (applied by common/ike) --

	// DOI of the phase 1 SA we send: 2 with situation 0 (RFC 6407 2.1), or 1 with
	// SIT_IDENTITY_ONLY for peers that know only IPsec's. Default 2.
	uint32_t phase1_doi;
	// Accept a phase 1 SA of DOI 1 with SIT_IDENTITY_ONLY. Default off.
	bool phase1_accept_doi1;
	// ECDSA in phase 1: sign the hash of HASH_I/HASH_R, i.e. take HASH as the message
	// (default), or sign HASH itself as the digest. accept_ecdsa_bare verifies the second form
	// too; off.
	bool ecdsa_sign_bare_hash, accept_ecdsa_bare_hash;
	// DOI written into our own Notify and Delete payloads after phase 1: default 2. Received
	// ones may say 0, 1 or 2 (RFC 3706 is silent about other DOIs than IPsec's).
	uint32_t notify_doi;

	// -- GROUPKEY-PULL --

	// Payloads beyond those of the message: vendor ids are covered by HASH and ignored. Others
	// fail the message unless this is set, then they are ignored too. Default off.
	bool pull_ignore_extra;
	// KEK_MANAGEMENT_ALGORITHM must not be in a PULL and must be ignored there (RFC 6407 5.3),
	// but RFC 3547 peers send it: tolerated (default), or the message fails.
	bool accept_kek_management_in_pull;
	// ACTIVATION_TIME_DELAY in PULL: RFC 8052 wants it only in PUSH, RFC 6407 allows both.
	// Accepted in both by default.
	bool accept_atd_in_pull;

	// -- SA payload --

	// Octets of the length that precedes identification data in SAK and SAT. The RFC text and
	// Cisco's reference daemon have 1, other code has 2 in the SAT or in both. sak/sat_id_len
	// is what we send (1 by default) and what is preferred when both readings of a received
	// payload fit; accept_other_id_len (default on) allows the other reading at all. A
	// reading fits when every length suits its ID type, the transform is a known one and the
	// attributes end exactly with the payload.
	uint16_t sak_id_len, sat_id_len;
	bool accept_other_id_len;
	// "Any source": sent as 0.0.0.0/0 or ::/0 (subnet types). Accept also no data at all or
	// three zero octets (RFC 6407 5.5.1, RFC 3547). Default on.
	bool accept_empty_src;
	// RESERVED and RESERVED2 of a received SAK must be zero: RFC 3547 had proof-of-possession
	// fields in place of RESERVED2. Default: must be zero.
	bool accept_sak_pop_fields;

	// -- key download --

	// LKH with AES-192: IV and key are 40 octets, not a block multiple, padding undefined.
	// Refused by default.
	bool accept_lkh_aes192;
	// Octets of SID_VALUE we send (4). 1 to 8, big endian, are accepted.
	uint16_t sid_value_len;

	// -- GROUPKEY-PUSH --

	// A PUSH whose SEQ equals the one given in PULL: rejected (strictly greater; RFC 6407 3.2,
	// 7.3.4). "Not less than" (RFC 6407 3.3) when set. Applied by gm. Default off.
	bool accept_equal_seq;
	// SPIs that mean "all" in a Delete: sent as 4 (TEK) or 16 (KEK) zero octets; any 1-16 zero
	// octets are accepted by default.
	bool accept_any_zero_spi;
	// RSA signatures come with DigestInfo (EMSA-PKCS1-v1_5, RFC 6407 5.3.6.1), or over the bare
	// hash as IKEv1 does it. Both verify, comparing the whole block (default on). What is sent is
	// the group's word rekey.rsa_digest_info.
	bool accept_rsa_bare_hash;
	// A PUSH that changes only the KEK, without any TEK. Accepted by default.
	bool accept_kek_only_push;

	// -- sender ids (applied by ks) --

	// Give a sender id also to members that did not ask by SENDER_ID_REQUEST, when the group
	// has counter-mode SAs: RFC 6407 5.6.4.4 wants one with every such key. Default on; off,
	// who does not ask is taken for a receiver.
	bool sid_without_request;

	// -- acknowledgement (RFC 8263) --

	// L in the derivation of ack_key. The prf's block size in bits (512, 1024: default) or its
	// output size (256, 512). accept_ack_other_l (default on) makes the key server try both.
	bool ack_l_is_output_size, accept_ack_other_l;
};

struct gdoi_wire_opts gdoi_wire_opts_default(void);
