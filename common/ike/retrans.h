// common/ike/retrans.h - what was sent, kept so that it can be sent again, octet for octet.
// The asker resends on a schedule (struct ike_resend); the answerer repeats its reply when the
// same datagram comes again (struct ike_stored), a bounded number of times.
// Owns:   one heap copy of a datagram each.    Never: builds a message a second time.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/mono.h"

struct ike_schedule {
	uint32_t first_ms; // wait after the first sending; doubles each time
	uint32_t max_ms;   // and stays at this
	uint8_t tries;	   // sendings in all
};
#define IKE_SCHEDULE_DEFAULT ((struct ike_schedule){ 1000, 8000, 5 }) // gives up after 23 s

struct ike_resend {
	uint8_t *msg; // NULL: nothing outstanding
	size_t len;
	uint8_t sent;
	uint32_t wait_ms;
	mono_t next; // MONO_NEVER when nothing is outstanding
};

enum ike_resend_due { IKE_RESEND_WAIT, IKE_RESEND_AGAIN, IKE_RESEND_GIVE_UP };

void ike_resend_init(struct ike_resend *r);
// msg has just been sent; copied. Replaces what was outstanding.
MUST_CHECK int ike_resend_arm(struct ike_resend *r, const struct ike_schedule *s, mono_t now,
			      struct bytes msg);
// AGAIN: send r->msg, r->len now; the next deadline is already set.
enum ike_resend_due ike_resend_due(struct ike_resend *r, const struct ike_schedule *s, mono_t now);
void ike_resend_clear(struct ike_resend *r); // answered; also the end

#define IKE_STORED_MAX_REPEATS 16

struct ike_stored {
	uint8_t *reply; // NULL when the last message had none (yet)
	size_t len;
	bool have_in;
	uint8_t repeats;
	uint8_t in_hash[32]; // SHA-256 of the last message accepted
};

void ike_stored_init(struct ike_stored *s);
void ike_stored_fini(struct ike_stored *s);
// This message was accepted; the reply, if any, comes with set_reply (copied).
MUST_CHECK int ike_stored_accept(struct ike_stored *s, struct bytes in);
MUST_CHECK int ike_stored_reply(struct ike_stored *s, struct bytes reply);
// Is this the message accepted last? Then *again is the reply to send once more: empty when there
// is none, or when it was repeated too often already.
bool ike_stored_repeat(struct ike_stored *s, struct bytes in, struct bytes *again);
