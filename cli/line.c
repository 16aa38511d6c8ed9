#include "cli/line.h"

#include <string.h>
#include <strings.h>

static const char spaces[] = " \t\r\n";

// As in IOS any beginning of the name does.
static enum line_filter filter_of(const char *word, size_t len)
{
	static const struct {
		const char *name;
		enum line_filter filter;
	} known[] = {
		{ "include", FILTER_INCLUDE }, { "exclude", FILTER_EXCLUDE },
		{ "begin", FILTER_BEGIN },     { "section", FILTER_SECTION },
		{ "count", FILTER_COUNT },
	};

	for (size_t i = 0; len > 0 && i < N_ELEMS(known); i++) {
		if (strncasecmp(known[i].name, word, len) == 0 && len <= strlen(known[i].name))
			return known[i].filter;
	}
	return FILTER_NONE;
}

static void cut_tail(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && strchr(spaces, text[len - 1]))
		text[--len] = '\0';
}

static enum line_verdict parse_filter(char *p, struct line *out, size_t *bad_column)
{
	size_t len;

	p += strspn(p, spaces);
	len = strcspn(p, spaces);
	*bad_column = (size_t)(p - out->text);
	out->filter = filter_of(p, len);
	if (out->filter == FILTER_NONE)
		return LINE_BAD_FILTER;
	p += len;
	p += strspn(p, spaces);
	cut_tail(p);
	*bad_column = (size_t)(p - out->text);
	if (*p == '\0')
		return LINE_NO_PATTERN;
	out->pattern = p;
	return LINE_OK;
}

enum line_verdict line_parse(const char *text, struct line *out, size_t *bad_column)
{
	char *p;

	*out = (struct line){ 0 };
	if (strlen(text) >= sizeof(out->text))
		return LINE_TOO_LONG;
	strcpy(out->text, text);
	for (p = out->text + strspn(out->text, spaces); *p && *p != '|'; p += strspn(p, spaces)) {
		size_t len = strcspn(p, " \t\r\n|");
		char after = p[len];

		if (out->n_words == CTL_MAX_WORDS)
			return LINE_TOO_LONG;
		out->column[out->n_words] = (size_t)(p - out->text);
		out->words[out->n_words++] = p;
		p[len] = '\0';
		p += len;
		if (after == '|')
			return parse_filter(p + 1, out, bad_column);
		if (after)
			p++;
	}
	return *p == '|' ? parse_filter(p + 1, out, bad_column) : LINE_OK;
}
