// dataplane/windows.h - anti-replay of an SA with many senders: a window for each of them.
// The IV of a counter suite (esp_fmt.h) names its sender and counts; it is authenticated, and no
// two packets have the same. Bits right behind the sender id may tell workers of the sender apart:
// three of them belong to its name here, which is all that espd has and does no harm where a sender
// has fewer, for then they are the highest of its counter.
//
//	IV   |<--- sid_bits --->|<- 3 ->|<--------------- number --------------->|
//	     |<-------- sender -------->|
//
// A window belongs to one worker: a packet that is sent again through the same port has the
// addresses it had, so it comes to the worker that has seen it. Through another port of another
// make, which spreads flows in its own way, it may come to one that has not: once per worker.
// Owns:   the windows of one SA and worker.
// From:   sadb.c makes them; esp_in.c asks, once a packet has proved authentic.
// Spec:   RFC 4303 3.4.3 per sender, RFC 6054 4, RFC 6479 (blocks instead of shifts).
// Always: bounded: senders beyond the room are counted and pass unchecked.
// Never:  has a history: a receiver that starts takes what it hears first. Tells a member from
//         another that uses its sender id.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOWS_WORKER_BITS 3u

enum windows_verdict {
	WINDOWS_FRESH,
	WINDOWS_REPEATED,  // seen before
	WINDOWS_OLD,	   // below the window: may have been seen
	WINDOWS_UNCHECKED, // no room for another sender
};

struct windows;

// numbers: width, a multiple of 64; senders: room. NULL when out of memory, or when the IV of such
// sender ids leaves no counter.
struct windows *windows_new(unsigned sid_bits, uint32_t numbers, uint32_t senders);
void windows_free(struct windows *w);

enum windows_verdict windows_check(struct windows *w, const uint8_t iv[8]);
size_t windows_senders(const struct windows *w); // how many it has heard (atomic)
