// dataplane/dp_api.h - the narrow door between gmd and espd.
//
// A unix SOCK_SEQPACKET socket; one message is one struct dp_msg, always whole (fixed size), host
// byte order except where said (both ends run on one box). gmd is the only writer of SAs and
// policy. There is one way to change them, and it is idempotent:
//
//   gmd                                espd
//   DP_HELLO            ------------>
//                       <------------  DP_HELLO_ACK   boot id, limits, where outbound counters
//                       stand
//   DP_BEGIN generation ------------>                 a new table is built aside
//   DP_EXEMPT …         ------------>
//   DP_GROUP            ------------>                 a section per group, in the order searched:
//   DP_SA … DP_RULE …   ------------>                 what the group should have, whole
//   DP_GROUP …
//   DP_COMMIT generation ----------->                 one pointer swap; what is not named is gone
//                       <------------  DP_RESULT      status; text says what was odd
//
// Groups live and die apart from each other. DP_LIVE: the SAs and rules of the section are in
// force. DP_KEEP: what stands for the group (same name and identity) stays as it is, until its SAs
// end; when nothing stands, what the section names is put in its place. DP_INSTEAD: that in any
// case. Rules put in place stand behind those of all live groups, and behind them, if the group is
// closed, everything else on its ports is dropped.
//
// What an SA keeps across a commit: an SA named again with the same (spi, key) keeps its counters
// and its receive state; an outbound one with the same sid keeps its IV counter as well. An IV
// counter never goes back: an SA that is removed, or changes its sid, and is named again with the
// earlier (spi, sid) goes on where that counter stood. All sids of one SPI have the same length.
// boot_id: espd draws it at start. When it differs from the one gmd knew, every IV counter was
// lost with the old process, so gmd may use for sending only sids that it never used before under
// that SPI (docs/security.md, "Nonces").
// espd keeps forwarding on what it has when gmd is gone, and stops using an SA at its hard life.
//
// Both sides wipe a message that carried keys as soon as it is consumed.
#pragma once
#include <stdint.h>

#define DP_API_VERSION 4
#define DP_MAX_KEY     64
#define DP_MAX_SPI_IN  12 // four generations of a line, and of two that overlap it
#define DP_NAME_LEN    32
#define DP_MAX_SAS     4096
#define DP_MAX_RULES   16384
#define DP_MAX_GROUPS  16
#define DP_MAX_PORTS   8
#define DP_PORT_LEN    32

enum dp_type {
	DP_HELLO = 1,
	DP_HELLO_ACK,
	DP_BEGIN,
	DP_GROUP,
	DP_SA,
	DP_RULE,
	DP_EXEMPT,
	DP_COMMIT,
	DP_RESULT,
	DP_SA_STATS_GET, // answered by one DP_SA_STATS per SA, then DP_RESULT
	DP_SA_STATS,
	DP_COUNTERS_GET, // answered by one DP_COUNTER per named counter, then DP_RESULT
	DP_COUNTER,
	DP_NOTE, // espd -> gmd, unasked
};

// Values of struct dp_sa.suite. AEAD keys carry their 4 octet salt at the end (RFC 4106 8.1).
enum dp_suite {
	DP_SUITE_NONE,
	DP_SUITE_AES128_GCM16,		// key 16 + salt 4
	DP_SUITE_AES256_GCM16,		// key 32 + salt 4
	DP_SUITE_AES128_CBC_SHA256_128, // key 16, auth key 32
	DP_SUITE_AES256_CBC_SHA256_128, // key 32, auth key 32
};

enum dp_standing { DP_LIVE = 1, DP_KEEP, DP_INSTEAD };

// Begins the section of a group. Two groups of one name are refused.
struct dp_group {
	char name[DP_NAME_LEN];
	uint32_t identity;
	uint32_t table;	  // of the kernel's routing tables: only 0, the main one
	uint8_t standing; // enum dp_standing
	uint8_t closed;	  // while nothing of it is in force: drop what no rule names
	uint8_t n_ports;  // 0: all protected ports
	uint8_t pad[5];
	char port[DP_MAX_PORTS][DP_PORT_LEN]; // names or TAPs; unknown ones are reported, not fatal
};

enum dp_sa_dir { DP_DIR_IN = 1, DP_DIR_OUT = 2, DP_DIR_BOTH = 3 };

#define DP_MAX_WINDOW 1024

struct dp_sa {
	uint32_t spi;	  // host order
	uint8_t dir;	  // enum dp_sa_dir
	uint8_t suite;	  // enum dp_suite
	uint8_t sid_bits; // length of sid in the IV, RFC 6054; 0 for suites without a counter IV
	uint8_t key_len, auth_len;
	uint8_t pad;
	uint16_t
		window; // anti-replay, packets per sender: a multiple of 64, 0: none; counter suites
	uint32_t sid;	// right-aligned
	uint32_t life_s; // hard life left at the moment of sending, 0 = gone at once
	uint8_t key[DP_MAX_KEY], auth[DP_MAX_KEY];
};

enum dp_action { DP_PROTECT = 1, DP_CLEAR = 2, DP_DROP = 3 };

// Which list of the group a rule comes from; line counts within it.
enum dp_origin { DP_FROM_POLICY = 1, DP_FROM_LOCAL, DP_FROM_EXCEPTIONS, DP_FROM_CLOSED };

// Rules are searched in the order they were sent; the first match among those of the port decides,
// both for what leaves through a protected port and for what arrives there. No match: clear, on a
// port that some group names; a protected port without groups is as before the first policy.
struct dp_rule {
	uint8_t action; // enum dp_action
	uint8_t family; // 4 or 6
	uint8_t proto;	// 0 any
	uint8_t n_spi_in;
	uint32_t line; // for logs; espd does not look at it
	uint8_t src_lo[16], src_hi[16], dst_lo[16], dst_hi[16]; // network order
	uint16_t sport_lo, sport_hi, dport_lo, dport_hi;	// host order
	uint32_t spi_out;		// DP_PROTECT: encrypt under this SA; 0 = none yet, drop
	uint32_t spi_in[DP_MAX_SPI_IN]; // DP_PROTECT: SAs this flow may arrive under
	uint8_t accept_clear;		// DP_PROTECT: cleartext may arrive too (migration)
	uint8_t send_clear;		// DP_PROTECT: and is sent (receive-only)
	uint8_t origin;			// enum dp_origin
	uint8_t pad;
};

// Control traffic of this box that policy must not catch: exact addresses, one UDP or TCP port of
// the box: whoever takes the other's address reaches nothing else here. Only for packets that
// start or end at this box. What espd frees by itself: dataplane/own.h.
struct dp_exempt {
	uint8_t family, proto;
	uint16_t port; // host order, of local
	uint8_t local[16], remote[16];
};

struct dp_hello_ack {
	uint32_t version;
	uint16_t n_workers;
	uint8_t core_bits; // bits of the IV, right after the sid, that tell workers apart
	uint8_t pad;
	uint64_t boot_id;
	uint64_t generation;	   // last committed, 0 after start
	char backend[DP_NAME_LEN]; // "imb vaes_avx512" …
};

struct dp_result {
	int32_t status; // 0 or -errno
	uint32_t of;	// enum dp_type it answers
	uint64_t generation;
	char text[128];
};

struct dp_sa_stats {
	uint32_t spi;
	uint8_t dir;
	uint8_t pad;
	uint16_t window; // as in struct dp_sa, when it is enforced
	uint32_t sid, life_s;
	uint32_t senders; // heard under it, worst worker; only when it has a window
	uint32_t pad2;
	uint64_t packets_out, bytes_out, packets_in, bytes_in, auth_fail, policy_fail, replayed;
	uint64_t iv_used, iv_limit; // worst worker, counter suites
	char group[DP_NAME_LEN];
};

struct dp_counter {
	char name[DP_NAME_LEN]; // "esp_in_auth_fail", names of dataplane/drop.h and stats
	uint64_t value;
};

enum dp_note_kind {
	DP_NOTE_INVALID_SPI = 1, // ESP for a protected flow under an SPI we lack; at most 1 per s
	DP_NOTE_IV_SOON,	 // an outbound SA has used 75 % of its IV space
	DP_NOTE_IV_GONE,	 // an outbound SA stopped: its IV space is used up
	DP_NOTE_EXPIRED,	 // an SA reached its hard life
	DP_NOTE_OWN_CAUGHT,	 // policy caught traffic of the box itself; at most 1 per 5 s
};

enum dp_caught { DP_CAUGHT_DROPPED = 1, DP_CAUGHT_ENCRYPTED, DP_CAUGHT_REFUSED };

struct dp_note {
	uint32_t kind, spi;
	uint64_t count;		 // since the last note of the kind (and group)
	char group[DP_NAME_LEN]; // INVALID_SPI, OWN_CAUGHT: whose rule
	// OWN_CAUGHT: the last one.
	uint32_t line;
	uint8_t origin; // enum dp_origin; 0: no rule, the port was closed
	uint8_t caught; // enum dp_caught: on its way out; out; on its way in
	uint8_t family, proto;
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
	uint8_t pad[4];
};

struct dp_msg {
	uint16_t version; // DP_API_VERSION
	uint16_t type;	  // enum dp_type
	uint32_t tag;	  // chosen by gmd, echoed in answers
	union {
		struct dp_hello_ack hello_ack;
		uint64_t generation; // DP_BEGIN, DP_COMMIT
		struct dp_group group;
		struct dp_sa sa;
		struct dp_rule rule;
		struct dp_exempt exempt;
		struct dp_result result;
		struct dp_sa_stats sa_stats;
		struct dp_counter counter;
		struct dp_note note;
	} u;
};
