// tests/sim/coop_cover.h - what happens in the worlds: how often each fault and each turn of the
// protocol was there. A run prints the sums; a line that stays at 0 is one that nothing tests.
// From:   all parts of coop_sim.
#pragma once
#include "common/base/events.h"

#define COOP_COVER(X)                                                                              \
	X(SPLITS, "splits")                                                                        \
	X(SPLITS_WITH_MEMBERS, "  members are cut too")                                            \
	X(CHAINS, "  chains and stars")                                                            \
	X(PAIR_CUTS, "cuts of a pair")                                                             \
	X(ONE_WAY_CUTS, "cuts one way only")                                                       \
	X(ISOLATED, "one cut from all")                                                            \
	X(HEALS, "heals")                                                                          \
	X(KILLS, "kills")                                                                          \
	X(KILLS_IN_WRITE, "  with writes under way")                                               \
	X(RESTARTS, "restarts")                                                                    \
	X(CLOCK_STEPS, "  with a stepped clock")                                                   \
	X(OLD_DISKS, "  from an old disk")                                                         \
	X(NO_DISKS, "  from an empty disk")                                                        \
	X(UPGRADES, "  of another version")                                                        \
	X(FREEZES, "freezes")                                                                      \
	X(ADDED, "key servers added")                                                              \
	X(REMOVED, "key servers taken out")                                                        \
	X(MAINTENANCE, "maintenance on or off")                                                    \
	X(PREEMPT, "preempt on or off")                                                            \
	X(POLICY, "configuration changed")                                                         \
	X(POLICY_MANY, "configuration changed at many")                                            \
	X(PRIORITY, "priority changed")                                                            \
	X(CLEAR_ROLE, "clear role")                                                                \
	X(EXCLUDED, "members excluded")                                                            \
	X(READMITTED, "members readmitted")                                                        \
	X(BOTH, "  both at once")                                                                  \
	X(DGRAM_LOST, "datagrams lost")                                                            \
	X(DGRAM_TWICE, "datagrams doubled")                                                        \
	X(STREAM_LOST, "stream messages lost")                                                     \
	X(STREAM_TWICE, "stream messages doubled")                                                 \
	X(STREAM_LATE, "stream messages overtaken")                                                \
	X(NEWER_FORM, "messages of the next version")                                              \
	X(UNKNOWN_TYPE, "messages of unknown types")                                               \
	X(UNKNOWN_ITEM, "items of unknown kinds")                                                  \
	X(REPLAYED, "hellos replayed")                                                             \
	X(CUT_SHORT, "messages cut short")                                                         \
	X(FUTURE_TERM, "terms from the future")                                                    \
	X(WRONG_WAY, "messages on the wrong way")                                                  \
	X(WRONG_GROUP, "messages of another group")                                                \
	X(WRONG_HANDOVER, "hand-overs by others")                                                  \
	X(WRONG_GIFT, "sender ids not asked for")                                                  \
	X(WRONG_OPEN, "openings to be refused")                                                    \
	X(REFUSED, "refusals")                                                                     \
	X(ELECTED, "elected")                                                                      \
	X(HANDED_OVER, "handed over")                                                              \
	X(STEPPED_BACK, "stepped back in a merge")                                                 \
	X(LED_AFRESH, "led with a new epoch")                                                      \
	X(GENERATIONS, "generations made")                                                         \
	X(SAME_GENERATION, "  the same one elsewhere")                                             \
	X(HELD_BACK, "  taken over and held back")                                                 \
	X(EPOCHS, "epochs begun")                                                                  \
	X(ROUNDS, "rekeys")                                                                        \
	X(ROUNDS_MANY, "  under more than one KEK")                                                \
	X(COMMITS, "commits")                                                                      \
	X(RELAYS, "items passed on for others")                                                    \
	X(REGISTERED, "registrations")                                                             \
	X(BORROWED, "sender ids borrowed")

enum coop_cover {
#define X(sym, text) COVER_##sym,
	COOP_COVER(X)
#undef X
		COVER_COUNT
};

struct coop_covered {
	uint64_t n[COVER_COUNT], event[EV_COUNT];
};

extern struct coop_covered covered;

const char *cover_text(enum coop_cover c);

static inline void cover(enum coop_cover c)
{
	covered.n[c]++;
}
