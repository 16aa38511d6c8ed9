// common/ike/exchange.h - an exchange as rows: what a state waits for, checked before any handler.
// From:   phase1; ks/pull and gm/pull keep their rows in the same form.
// Spec:   RFC 2408 5.
// Always: a row names every payload that may come; anything else refuses the message.
#pragma once
#include "common/ike/reason.h"
#include "common/wire/isakmp.h"

struct ike_row {
	uint8_t state; // the exchange's own enum: this row is for messages in that state
	uint8_t next;  // state after the message was accepted
	bool encrypted;
	struct isakmp_form form;
	// Ordered messages (RFC 2409 5): this payload comes first. 0: any.
	uint8_t first;
};

// NULL: no message is awaited in this state.
const struct ike_row *ike_row_find(const struct ike_row *rows, size_t n, unsigned state);
// Flags of a message against its row. The commit bit has no use here and is let pass.
enum ike_reason ike_row_check_hdr(const struct ike_row *row, const struct isakmp_hdr *hdr);
enum ike_reason ike_row_check_chain(const struct ike_row *row, const struct isakmp_chain *chain,
				    const char **detail);
