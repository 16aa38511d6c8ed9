#include "common/base/events.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	int severity;
	const char *tag, *meaning;
} rows[EV_COUNT] = {
#define X(sym, fac, sev, mnem, meaning) [EV_##sym] = { sev, "%" fac "-" #sev "-" mnem, meaning },
	EVENTS(X)
#undef X
};

void event_log(enum event_id id, const struct logctx *c, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_line(LOG_M_MAIN, (enum log_level)rows[id].severity, c, "%s: %s", rows[id].tag, text);
}

const char *event_mnemonic(enum event_id id)
{
	return rows[id].tag;
}

const char *event_meaning(enum event_id id)
{
	return rows[id].meaning;
}
