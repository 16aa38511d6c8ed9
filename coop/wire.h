// coop/wire.h - what key servers of a set tell each other, as bytes and back.
//
//	 0                   1                   2                   3
//	+---------------+---------------+---------------+---------------+
//	|      0x43     |      0x50     |    version    |      type     |
//	+---------------+---------------+---------------+---------------+
//	|                      group identity                           |
//	+---------------------------------------------------------------+
//	|                      length of the body                       |
//	+---------------------------------------------------------------+
//
// One frame per datagram (HELLO); frames follow each other on the stream (all others). Numbers are
// in network order. docs/coop-protocol.md says what each field is for.
// Owns:   nothing: bodies of items are views into the frame.
// Always: a frame of our version decodes exactly; one of a later version may carry more behind the
//	   fields that we know.
// Never:  state, log, allocation.
#pragma once
#include "common/base/addr.h"
#include "common/wire/rd.h"
#include "common/wire/wr.h"

#define COOP_VERSION   1
#define COOP_FRAME_LEN 12
#define COOP_BODY_MAX  65536 // of a frame
#define COOP_CHUNK     16384 // at this size a message of items ends, unless one item is larger
#define COOP_ITEM_MAX  60000 // octets of an item's body
#define COOP_IDS       16    // ids are 0 to 15
#define COOP_NOBODY    0xff
#define COOP_KEY_MAX   20
#define COOP_DIGEST    32
#define COOP_TEXT_MAX  32
#define COOP_FOREVER   UINT64_MAX
#define COOP_COUNT_MAX (UINT64_C(1) << 62)

enum coop_type {
	COOP_OPEN = 1,
	COOP_HELLO,
	COOP_VECTOR,
	COOP_ITEMS,
	COOP_HANDOVER,
	COOP_SID_ASK,
	COOP_SID_GIVE,
	COOP_REFUSE,
};

// In HELLO.
enum coop_flag {
	COOP_F_ELIGIBLE = 1,	// may become primary
	COOP_F_MAINTENANCE = 2, // wants no role
	COOP_F_DRIFT = 4,	// its configuration differs
	COOP_F_PREEMPT = 8,	// wants to lead when it has the higher priority
	COOP_F_PROVEN = 16,	// knows which of its sender ids were given out: it may lend some
	COOP_F_NEED_SIDS = 32,	// asks for new sender ids for all
	COOP_F_TIME = 64,	// its pseudotime is not one that it began alone and without a disk
};

enum coop_why { COOP_WHY_VERSION = 1, COOP_WHY_ID, COOP_WHY_UNKNOWN };

// First on the stream, from both sides.
#define COOP_OPEN_ANSWER 1 // yours has not been heard: send it again
struct coop_open {
	uint8_t flags;
	uint8_t ver_min, ver_max;
	uint8_t id, priority;
	struct addr addr;
	uint64_t boot; // drawn at every start, never 0
	uint8_t digest[COOP_DIGEST];
	uint8_t text_len;
	char text[COOP_TEXT_MAX]; // software and version, for people
};

// Who leads, and the last sign of life of it that was heard of. Higher term: newer.
struct coop_claim {
	uint64_t term; // 0: nobody
	uint64_t beat;
	uint8_t id, priority;
	struct addr addr;
};

struct coop_hello {
	uint64_t boot, counter; // counter grows with every hello of a boot
	uint64_t stamp, echo; // the sender's clock; the last stamp it heard from the receiver, or 0
	uint64_t max_term;    // highest ever heard of
	struct coop_claim lead; // whom the sender follows
	uint8_t id, role, flags, priority;
	uint8_t choice; // id of who should lead, in the sender's eyes
	uint64_t conf;	// first octets of the digest of its configuration
	uint64_t pseudotime;
};

// For each id: everything of its, up to this count, is durable here.
#define COOP_VECTOR_OPENING 1 // answer with yours
#define COOP_VECTOR_GAP	    2 // something did not arrive: go on from here
struct coop_vector {
	uint8_t flags;
	uint16_t known; // bit per id
	uint64_t count[COOP_IDS];
};

struct coop_wire_item {
	uint8_t kind, flags, by, key_len;
	uint8_t key[COOP_KEY_MAX];
	uint64_t ver, count;
	uint64_t dies_ms, active_ms; // from now; COOP_FOREVER, 0
	struct bytes body;
};

// Items of one origin with counts in (after, upto], oldest first. What is missing in between was
// replaced by something newer.
struct coop_items {
	uint8_t origin;
	uint64_t after, upto;
	uint16_t n;
	struct bytes all; // n items: coop_item_decode takes them one by one
};

struct coop_handover {
	uint64_t term;
	uint8_t to;
};

struct coop_sid_ask {
	uint32_t epoch;
	uint32_t serial; // comes back with the answer: a repeated one is no second gift
	uint16_t n;
};

struct coop_sid_give {
	uint32_t epoch;
	uint64_t boot; // of the asking
	uint32_t serial, first;
	uint16_t n; // 0: none left
};

struct coop_refuse {
	uint8_t why; // enum coop_why
	uint8_t text_len;
	char text[COOP_TEXT_MAX];
};

struct coop_frame {
	uint8_t version, type;
	uint32_t group;
	union {
		struct coop_open open;
		struct coop_hello hello;
		struct coop_vector vector;
		struct coop_items items;
		struct coop_handover handover;
		struct coop_sid_ask ask;
		struct coop_sid_give give;
		struct coop_refuse refuse;
	};
};

// How long the frame is that begins at b, header included: for cutting a stream. 0: its first
// COOP_FRAME_LEN octets are not there yet; SIZE_MAX: no frame of ours, the stream is to be closed.
size_t coop_frame_size(struct bytes b);
// in: exactly one frame. A type that is not known, of a later version than ours, decodes to its
// header. False: err->why says what is wrong with it.
bool coop_decode(struct bytes in, struct coop_frame *out, struct rd_err *err);
// ITEMS are written by coop_items_begin, coop_item_encode …, coop_items_end.
void coop_encode(struct wr *w, const struct coop_frame *f);

bool coop_item_decode(struct rd *r, struct coop_wire_item *out);
void coop_item_encode(struct wr *w, const struct coop_wire_item *i);
size_t coop_item_size(const struct coop_wire_item *i);
size_t coop_items_begin(struct wr *w, uint32_t group, uint8_t origin, uint64_t after);
void coop_items_end(struct wr *w, size_t at, uint64_t upto, uint16_t n);
