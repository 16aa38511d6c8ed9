// tests/sim/invariants.h - what has to hold in every world, at every moment.
// A member is in good standing when it is registered, on the network, has sender ids if it needs
// them, and nothing has befallen it or its espd lately, a rekey of which every copy was lost
// included.
#pragma once

#define INVARIANTS(X)                                                                              \
	X(NONCE,                                                                                   \
	  "no (TEK, sender id) is sent under by two members, two boots of espd, or again after "   \
	  "its counter was lost")                                                                  \
	X(REUSE, "no (KEK, SEQ) ever stands for two different rekeys on the wire")                 \
	X(SPI, "no SPI ever stands for two keys")                                                  \
	X(SEQ, "SEQ never goes back under a KEK, at the key server or at a member")                \
	X(EARLY,                                                                                   \
	  "nobody encrypts under a key that a member in good standing was not given the time "     \
	  "to install, unless it has no other")                                                    \
	X(OPEN, "members in good standing can open whatever members in good standing send")        \
	X(SENDS, "a member in good standing has a key to send under")                              \
	X(CLEAR, "a registered group's traffic never leaves in clear")                             \
	X(LIFE, "no packet goes out under a TEK past its life")                                    \
	X(OUT, "an excluded member never holds a TEK made after its exclusion")                    \
	X(FORGED, "a message that was changed on its way changes nothing")                         \
	X(KEPT,                                                                                    \
	  "a key server that was killed knows every key, SEQ and member of which it has told "     \
	  "anyone")                                                                                \
	X(STAYS, "a member that holds its keys does not register again because ksd was killed")    \
	X(BACK, "once it is quiet every member has keys again")                                    \
	X(AGREE, "once it is quiet all members send under the same TEK of a flow")                 \
	X(REST, "time moves on: nobody asks to be woken for ever at one moment")

enum invariant {
#define X(sym, text) INV_##sym,
	INVARIANTS(X)
#undef X
		INV_COUNT
};
