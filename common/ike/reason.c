#include "common/ike/reason.h"

static const struct {
	const char *name;
	uint16_t notify;
} rows[IKE_R_COUNT] = {
#define X(sym, text, n) [IKE_R_##sym] = { text, n },
	IKE_REASONS(X)
#undef X
};

const char *ike_reason_name(enum ike_reason r)
{
	return (unsigned)r < IKE_R_COUNT ? rows[r].name : "unknown";
}

uint16_t ike_reason_notify(enum ike_reason r)
{
	return (unsigned)r < IKE_R_COUNT ? rows[r].notify : 0;
}
