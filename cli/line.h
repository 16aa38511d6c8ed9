// cli/line.h - one command line cut into words, and the pipe behind it.
// Pure. Every word keeps the column where it began, for the caret under it.
#pragma once
#include <stddef.h>

#include "common/ctl/ctl.h"

#define LINE_SIZE 1024

enum line_filter {
	FILTER_NONE,
	FILTER_INCLUDE,
	FILTER_EXCLUDE,
	FILTER_BEGIN,
	FILTER_SECTION,
	FILTER_COUNT,
};

struct line {
	char text[LINE_SIZE]; // the words, each ended by a NUL
	size_t n_words;
	const char *words[CTL_MAX_WORDS];
	size_t column[CTL_MAX_WORDS];
	enum line_filter filter;
	const char *pattern; // of the filter: the rest of the line
};

enum line_verdict { LINE_OK, LINE_TOO_LONG, LINE_BAD_FILTER, LINE_NO_PATTERN };

// bad_column is set for LINE_BAD_FILTER and LINE_NO_PATTERN.
enum line_verdict line_parse(const char *text, struct line *out, size_t *bad_column);
