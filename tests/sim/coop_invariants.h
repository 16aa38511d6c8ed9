// tests/sim/coop_invariants.h - what a set of key servers has to uphold, one sentence each.
// "Calm": nothing was cut, killed or reconfigured for a while, and the network loses nothing.
#pragma once

#define COOP_INVARIANTS(X)                                                                         \
	X(I1, "no term has two primaries, and in a calm component exactly one key server leads")   \
	X(I2, "a newly registered member never sends what an earlier one cannot open")             \
	X(I3, "no member in good standing sends what another one cannot open, whoever fails")      \
	X(I4, "a split makes no new keys before they are due, and both sides make the same ones")  \
	X(I5, "after a merge every reachable member can open all that is sent")                    \
	X(I6, "every reachable member gets the KEK that survives a merge")                         \
	X(I7, "no (KEK, SEQ) is ever used for two rekeys, in any life of any key server")          \
	X(I8, "no key server goes back: versions it holds only grow within a life")                \
	X(I9, "no sender id is used under one TEK by two registrations")                           \
	X(I10, "who was excluded on either side has no current key once it is calm")               \
	X(I11, "pseudotime does not go back, and is the same in a calm component")                 \
	X(I12, "replayed messages and terms out of reach change nothing")                          \
	X(I13, "a key server whose configuration differs does not lead unless it was told to")     \
	X(I14, "once it is calm all key servers of a component hold the same items")               \
	X(I15, "a calm component has a primary within the time of a start and an election")        \
	X(I16, "no datagram outgrows a small packet, and without changes no items are sent")       \
	X(I17, "nobody but a primary sends rekeys")                                                \
	X(I18, "a member that reaches a running key server is registered before its keys end")     \
	X(I19, "key servers of this version and of the next one work in one set")                  \
	X(I20, "in a calm component no role changes, and the same seed elects the same one")       \
	X(I21, "octets of keys leave only in ITEMS, over the stream")                              \
	X(I22, "a member asks its key servers in its order, one time-out for each that is dead")

enum coop_invariant {
#define X(sym, text) COOP_INV_##sym,
	COOP_INVARIANTS(X)
#undef X
		COOP_INV_COUNT
};
