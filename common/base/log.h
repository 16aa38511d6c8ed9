// common/base/log.h - one line per fact, key=value, through the object that speaks.
// Lines go to stderr (lab, tests) or syslog (daemons without -f). Levels are per module and can
// change at run time. Operator messages are rows of events.h: tests and people wait for those.
// Never: key bytes, PSKs, anything derived from them.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/mono.h"

// Severities are syslog's.
enum log_level { LOG_L_ERR = 3, LOG_L_WARN = 4, LOG_L_NOTICE = 5, LOG_L_INFO = 6, LOG_L_DEBUG = 7 };

#define LOG_MODULES(X)                                                                             \
	X(MAIN, "main")                                                                            \
	X(CONF, "conf")                                                                            \
	X(CTL, "ctl")                                                                              \
	X(IKE, "ike")                                                                              \
	X(PULL, "pull")                                                                            \
	X(REKEY, "rekey")                                                                          \
	X(TEKS, "teks")                                                                            \
	X(DP, "dp")                                                                                \
	X(COOP, "coop")

enum log_module {
#define X(sym, name) LOG_M_##sym,
	LOG_MODULES(X)
#undef X
		LOG_M_COUNT
};

// The object a line is about: "group=G1 gm=10.0.1.1". Borrowed for the call only.
struct logctx {
	char who[96];
};

void logctx_set(struct logctx *c, const char *fmt, ...) PRINTF(2, 3);

// Where lines go. to_syslog false: stderr, with a monotonic stamp. Program name is borrowed.
void log_init(const char *program, bool to_syslog);
void log_set_level(enum log_module m, enum log_level level); // default INFO
enum log_level log_get_level(enum log_module m);
const char *log_module_name(enum log_module m);

void log_line(enum log_module m, enum log_level level, const struct logctx *c, const char *fmt, ...)
	PRINTF(4, 5);

#define log_err(m, c, ...)    log_line(LOG_M_##m, LOG_L_ERR, c, __VA_ARGS__)
#define log_warn(m, c, ...)   log_line(LOG_M_##m, LOG_L_WARN, c, __VA_ARGS__)
#define log_notice(m, c, ...) log_line(LOG_M_##m, LOG_L_NOTICE, c, __VA_ARGS__)
#define log_info(m, c, ...)   log_line(LOG_M_##m, LOG_L_INFO, c, __VA_ARGS__)
#define log_debug(m, c, ...)                                                                       \
	do {                                                                                       \
		if (log_get_level(LOG_M_##m) >= LOG_L_DEBUG)                                       \
			log_line(LOG_M_##m, LOG_L_DEBUG, c, __VA_ARGS__);                          \
	} while (0)

// At most one line per interval; what was held back is counted and told with the next one.
struct log_limit {
	mono_t next;
	uint64_t held;
	int64_t interval_ms; // 0 means 1000
};

// True when the caller may log now; *held gets the number of lines suppressed since the last.
bool log_limit_pass(struct log_limit *l, mono_t now, uint64_t *held);
