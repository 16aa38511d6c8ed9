#include "common/ctl/hex.h"

#include <stdlib.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

char *hex_from(struct bytes b)
{
	char *text = malloc(2 * b.len + 1);

	if (!text)
		return NULL;
	for (size_t i = 0; i < b.len; i++) {
		text[2 * i] = digits[b.p[i] >> 4];
		text[2 * i + 1] = digits[b.p[i] & 15];
	}
	text[2 * b.len] = '\0';
	return text;
}

bool hex_to(const char *text, uint8_t *out, size_t max, size_t *len)
{
	size_t n = strlen(text);

	if (n % 2 || n / 2 > max)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *d = strchr(digits, text[i]);

		if (!d)
			return false;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | (d - digits));
	}
	*len = n / 2;
	return true;
}
