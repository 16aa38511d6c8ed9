#include "common/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

static struct {
	const char *program;
	bool to_syslog;
	int level[LOG_M_COUNT]; // offset from LOG_L_INFO, so that zero is the default
} log_state;

static const char *const module_names[LOG_M_COUNT] = {
#define X(sym, name) [LOG_M_##sym] = name,
	LOG_MODULES(X)
#undef X
};

void logctx_set(struct logctx *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->who, sizeof(c->who), fmt, ap);
	va_end(ap);
}

void log_init(const char *program, bool to_syslog)
{
	log_state.program = program;
	log_state.to_syslog = to_syslog;
	if (to_syslog)
		openlog(program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void log_set_level(enum log_module m, enum log_level level)
{
	log_state.level[m] = (int)level - LOG_L_INFO;
}

enum log_level log_get_level(enum log_module m)
{
	return (enum log_level)(log_state.level[m] + LOG_L_INFO);
}

const char *log_module_name(enum log_module m)
{
	return module_names[m];
}

void log_line(enum log_module m, enum log_level level, const struct logctx *c, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (level > log_get_level(m))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++) { // a peer's bytes never forge a second line
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	const char *who = c ? c->who : "", *gap = c ? " " : "";

	if (log_state.to_syslog) {
		syslog((int)level, "[%s] %s%s%s", module_names[m], text, gap, who);
		return;
	}
	mono_t now = mono_now();

	fprintf(stderr, "%lld.%03lld %s[%s] %s%s%s\n", (long long)(now.ms / 1000),
		(long long)(now.ms % 1000), log_state.program ? log_state.program : "",
		module_names[m], text, gap, who);
}

bool log_limit_pass(struct log_limit *l, mono_t now, uint64_t *held)
{
	if (mono_before(now, l->next)) {
		l->held++;
		return false;
	}
	*held = l->held;
	l->held = 0;
	l->next = mono_add_ms(now, l->interval_ms ? l->interval_ms : 1000);
	return true;
}
