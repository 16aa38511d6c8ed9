// common/wire/gdoi_opts.h - where the RFCs leave a choice, the choice has a name.
// One struct for all of GDOI, whoever applies the field: the codecs here, phase 1, the key
// server, the member. A peer that needs another reading gets its own copy (ike_wire). Fields say
// what we send, what we accept besides it, and whose reading it is. gdoi_wire_opts_default() is
// what the RFC text and the traces of other implementations support best.
//
// Read one way, without an option, because the other reading cannot work or cannot be told apart:
//   - "GROUPKEY-PULL datagram" in RFC 6407 5.3 means the PUSH datagram: else nothing would tell
//     members the group address that rekeys go to;
//   - the static IV of KEK_ALGORITHM_KEY starts every PUSH under a KEK: there is no other IV on the
//     wire, and one that went on from the last message would be lost with it; SEQ in the first
//     block keeps the prefixes distinct;
//   - LKH keys have no length of their own: IV and key of one array are of one size, which has to
//     suit their type and fill the array exactly;
//   - a delay that is absent is 0 for activation, the old SA's own end for deactivation; what is
//     received is opened at once, whatever the activation delay: the other way only loses packets;
//   - GMAC keys may stand in one of three attributes: no AH and no GMAC transform is offered or
//     taken here, so no key of theirs is ever sent or read.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum gdoi_any_src { GDOI_ANY_SUBNET, GDOI_ANY_EMPTY, GDOI_ANY_ZEROS };

struct gdoi_wire_opts {
	// -- phase 1 (applied by common/ike) --

	// DOI of the phase 1 SA we send: 2 with situation 0 (RFC 6407 2.1), or 1 with
	// SIT_IDENTITY_ONLY for peers that know only IPsec's. Default 2.
	uint32_t phase1_doi;
	// Accept a phase 1 SA of DOI 1 with SIT_IDENTITY_ONLY. Default off.
	bool phase1_accept_doi1;
	// ECDSA in phase 1: sign the hash of HASH_I/HASH_R, i.e. take HASH as the message
	// (default), or sign HASH itself as the digest. accept_ecdsa_bare_hash (default on)
	// verifies the second form too.
	bool ecdsa_sign_bare_hash, accept_ecdsa_bare_hash;
	// DOI written into our own Notify and Delete payloads after phase 1: default 2. RFC 3706 is
	// silent about other DOIs than IPsec's: accept_other_notify_doi (default on) takes 0, 1 and
	// 2, off only the DOI that we would write.
	uint32_t notify_doi;
	bool accept_other_notify_doi;

	// -- GROUPKEY-PULL --

	// The group's number in KEY_ID, four octets: big endian as all of GDOI (default), or as
	// Cisco's reference daemon writes it on a little endian machine. Sent and expected so.
	bool group_id_little_endian;
	// Notify for a group that does not exist and for one that this peer may not have, the
	// same so that nobody learns which exist: 18 INVALID-ID-INFORMATION (default), or 24
	// AUTHENTICATION-FAILED. RFC 6407 names none.
	uint16_t refused_group_notify;
	// What a member that cannot follow the policy deletes (RFC 6407 3.3 says "a Delete
	// payload"): phase 1 alone, protocol ISAKMP and the cookies (default), or before it the
	// KEK that was offered, protocol 0 of GDOI. Either ends the exchange at our key server.
	bool reject_with_kek_delete;

	// Payloads beyond those of the message: vendor ids are covered by HASH and ignored. Others
	// fail the message unless this is set, then they are ignored too. Default off.
	bool pull_ignore_extra;
	// KEK_MANAGEMENT_ALGORITHM must not be in a PULL and must be ignored there (RFC 6407 5.3),
	// but RFC 3547 peers send it: tolerated (default), or the message fails.
	// Sending it anyway tells such a peer of the key tree: default off.
	bool accept_kek_management_in_pull, send_kek_management_in_pull;
	// ACTIVATION_TIME_DELAY in PULL: RFC 8052 wants it only in PUSH, RFC 6407 allows both.
	// Accepted in both, sent in both while new keys wait, by default.
	bool accept_atd_in_pull, send_atd_in_pull;
	// Lifetimes we send are what remains (default), or what the key had when it was made. RFC
	// 6407 says neither. A member always counts from receipt.
	bool send_total_life;
	// The member asks for sender ids by SENDER_ID_REQUEST (default), or waits to be given one
	// for what it is. RFC 6407 3.5 has both.
	bool send_sid_request;

	// -- SA payload --

	// Octets of the length that precedes identification data in SAK and SAT. The RFC text and
	// Cisco's reference daemon have 1, other code has 2 in the SAT or in both. sak/sat_id_len
	// is what we send (1 by default) and what is preferred when both readings of a received
	// payload fit; accept_other_id_len (default on) allows the other reading at all. A
	// reading fits when every length suits its ID type, the transform is a known one and the
	// attributes end exactly with the payload.
	uint16_t sak_id_len, sat_id_len;
	bool accept_other_id_len;
	// The octet "DST ID Prot" that RFC 6407 lists in the text of 5.3 and 5.5.1 and that is in
	// none of its figures: sent and expected before the destination. Default off.
	bool dst_id_prot;
	// "Any source": sent as 0.0.0.0/0 or ::/0 (subnet types, default), as no data at all, or as
	// three zero octets (RFC 6407 5.5.1, RFC 3547). accept_empty_src (default on) reads the
	// short forms.
	int any_src; // enum gdoi_any_src
	bool accept_empty_src;
	// An attribute of SAK, GAP or SAT without a number here aborts (RFC 6407 5.3.2, 5.4; RFC
	// 2407 4.5.3): default. Ignored when set, for key servers that know later RFCs.
	bool ignore_unknown_attributes;
	// KEK_ACK_REQUESTED (RFC 8263), which a member that obeys RFC 6407 to the letter has to
	// abort on: sent where the group asks for acknowledgements (default), or never.
	bool send_ack_request;
	// RESERVED and RESERVED2 of a received SAK must be zero: RFC 3547 had proof-of-possession
	// fields in place of RESERVED2. Default: must be zero.
	bool accept_sak_pop_fields;

	// -- key download --

	// LKH with AES-192: IV and key are 40 octets, not a block multiple, padding undefined.
	// Refused by default.
	bool accept_lkh_aes192;
	// The signer's public key: as SubjectPublicKeyInfo (default), or an RSA key as the bare
	// PKCS #1 RSAPublicKey. accept_sig_key_pkcs1 (default on) reads the second too.
	bool sig_key_pkcs1, accept_sig_key_pkcs1;
	// Octets of SID_VALUE we send (4), more when the value needs them. 1 to 8, big endian, are
	// accepted.
	uint16_t sid_value_len;

	// -- GROUPKEY-PUSH --

	// A PUSH whose SEQ equals the one given in PULL: rejected (strictly greater; RFC 6407 3.2,
	// 7.3.4). "Not less than" (RFC 6407 3.3) when set. Applied by gm. Default off.
	bool accept_equal_seq;
	// The PUSH that brings a new KEK counts on under the old SPI, and the first one under the
	// new SPI has SEQ 1 (RFC 6407 4.3). RFC 3547 counts on across KEKs: sent so when set; a
	// member starts a new SPI at 0 and understands both. One counter for all members: of the
	// general `wire` group alone.
	bool seq_across_keks;
	// What SIG covers of the header: E set and Length up to the end of SIG, without cipher
	// padding (default, and what traces show); or E clear, as before encryption; or Length as
	// sent. Signed and verified so.
	bool sign_hdr_without_e, sign_hdr_padded_len;
	// SPIs that mean "all" in a Delete: sent as 4 (TEK) or 16 (KEK) zero octets, or as
	// zero_spi_len octets for either when that is not 0; any 1-16 zero octets are accepted by
	// default.
	uint16_t zero_spi_len;
	bool accept_any_zero_spi;
	// RSA signatures come with DigestInfo (EMSA-PKCS1-v1_5, RFC 6407 5.3.6.1), or over the bare
	// hash as IKEv1 does it. Both verify, comparing the whole block (default on). What is sent is
	// the group's word rekey.rsa_digest_info.
	bool accept_rsa_bare_hash;
	// A PUSH that changes only the KEK, without any TEK ("at least one TEK", says RFC 6407
	// 5.6.1). Sent and accepted by default; when not sent, new TEKs come with every new KEK but
	// for the one that shuts a member out. Sending is for all members: of the general `wire`
	// group alone.
	bool send_kek_only_push, accept_kek_only_push;
	// RFC 6407 does not say where a unicast PUSH goes when a NAT stands before the member. Default,
	// 0: to the address and port of its last PULL, from the port that went to (through a NAT
	// from 4500 to the mapped port, behind the marker). Else to this port of that address, from
	// port 848 and without marker, as for members behind a NAT that maps 848 one to one.
	// Applied by ks, of the general `wire` group alone; members take a PUSH on either port.
	uint16_t push_port;

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
