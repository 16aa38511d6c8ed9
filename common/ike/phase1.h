// common/ike/phase1.h - IKEv1 main mode with a pre-shared key or signatures, both roles, as pure
// step functions.
//
//	initiator (member)                                  responder (key server)
//	1  HDR, SA [, VID..]                        ->
//	                                            <-   2  HDR, SA [, VID..]
//	3  HDR, KE, Ni                              ->
//	                                            <-   4  HDR, KE, Nr
//	5  HDR*, IDii, HASH_I [, N]                 ->
//	                                            <-   6  HDR*, IDir, HASH_R [, N]
//
// With signatures, CERTREQ is asked for in 3 and 4 (and, as RFC 4945 3.2.5 has it, in 5), and the
// proof is
//	5  HDR*, IDii, CERT.., CERTREQ.., SIG_I     ->
//	                                            <-   6  HDR*, IDir, CERT.., SIG_R
//
// NAT-D payloads, where both sides know them, follow the nonces of 3 and 4 (natt.h).
//
// Aggressive mode, where configured, is drawn in aggressive.h.
//
// From:   gm (initiator), halfopen.h (message 3 makes a responder's SA), aggressive.h (message 1).
// Spec:   RFC 2409 5.4, 5.1, 5; RFC 4754, RFC 4945; RFC 2408 for the envelope.
// Never:  believes an unprotected error notify; but an initiator that got one gives up after its
//         first repetition stayed unanswered too.
// Always: state moves only when a message was accepted whole; each accepted message is remembered
//         and its repetition answered with the same octets. A message that cannot be
//         authenticated is counted and changes nothing.
#pragma once
#include "common/ike/ike.h"

enum ike_event_kind {
	IKE_EV_START,	  // initiator: send message 1 to sa->peer
	IKE_EV_DATAGRAM,  // exchange 2, or an unprotected informational (exchange 5)
	IKE_EV_DH_DONE,	  // takes dh
	IKE_EV_AUTH_DONE, // takes auth
	IKE_EV_TIMER,	  // sa->deadline has come
};

struct ike_event {
	enum ike_event_kind kind;
	struct bytes datagram;	  // without non-ESP marker; borrowed
	struct endpoint from, to; // to: the endpoint of ours that it came to
	struct dh_job *dh;
	struct ike_auth_job *auth;
};

// A zeroed SA becomes an initiator, from our endpoint local towards peer; IKE_EV_START sends. conf is borrowed.
void ike_sa_init(struct ike_sa *sa, const struct ike_conf *conf, const struct endpoint *local,
		 const struct endpoint *peer);
void ike_sa_fini(struct ike_sa *sa); // wipes; frees the handshake; idempotent

// out is overwritten. After each step sa->deadline says when IKE_EV_TIMER is due (MONO_NEVER: not).
void ike_sa_step(struct ike_sa *sa, mono_t now, const struct ike_event *ev, struct ike_out *out);

// Ends an SA from outside: its Delete came, DPD gave up, the operator cleared it. Wipes the keys.
void ike_sa_kill(struct ike_sa *sa, enum ike_reason why);

// What halfopen.c hands over when message 3 shows the right cookie.
struct ike_responder_seed {
	const struct ike_conf *conf;
	struct endpoint local, peer;
	const uint8_t *cky_i, *cky_r;
	uint32_t doi;
	struct ike_proposal suite;
	uint32_t life_s;
	bool peer_dpd, peer_conclave, peer_fragments, peer_natt;
	uint8_t peer_major, peer_minor;
	uint16_t peer_features;
	struct bytes sai; // SAi_b; copied
};
MUST_CHECK int ike_sa_init_responder(struct ike_sa *sa, mono_t now,
				     const struct ike_responder_seed *seed);
