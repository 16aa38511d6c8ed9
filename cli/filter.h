// cli/filter.h - what `| include RE` and its kin leave of an answer.
// Pure but for the stream it prints to. Patterns are POSIX extended regular expressions.
#pragma once
#include <stdio.h>

#include "cli/line.h"

// -EINVAL with the reason in err when pattern is no regular expression.
// section prints a matching line and the deeper indented lines below it; count prints how many
// lines match.
MUST_CHECK int filter_print(enum line_filter f, const char *pattern, const char *text, FILE *to,
			    char *err, size_t err_size);
