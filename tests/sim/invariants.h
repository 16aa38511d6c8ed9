// tests/sim/invariants.h - what has to hold in every world, at every moment.
#pragma once

#define INVARIANTS(X)                                                                              \
	X(NONCE,                                                                                   \
	  "no (key, sender id) is sent under by two boots, or again after its counter was lost")   \
	X(OPEN, "no packet goes out under a TEK that a member in good standing cannot open")       \
	X(CLEAR, "a registered group's traffic never leaves in clear")                             \
	X(SENDS, "a member in good standing has a key to send under")                              \
	X(SEQ, "SEQ strictly increases per KEK, at the key server and at every member")            \
	X(SPI, "no SPI ever stands for two keys")                                                  \
	X(AGREE, "once it is quiet all members send under the same TEK of a flow")                 \
	X(LIFE, "no packet goes out under a TEK past its life")                                    \
	X(REST, "time moves on: nobody asks to be woken for ever at one moment")

enum invariant {
#define X(sym, text) INV_##sym,
	INVARIANTS(X)
#undef X
		INV_COUNT
};
