#include "cli/filter.h"

#include <regex.h>
#include <stdbool.h>
#include <string.h>

struct state {
	bool begun;    // begin: a line has matched
	bool inside;   // section: below a line that matched
	size_t indent; // section: of that line
	unsigned n;    // count
};

static bool keep(enum line_filter f, bool match, const char *line, struct state *s)
{
	size_t indent = strspn(line, " ");

	switch (f) {
	case FILTER_INCLUDE:
		return match;
	case FILTER_EXCLUDE:
		return !match;
	case FILTER_BEGIN:
		s->begun |= match;
		return s->begun;
	case FILTER_SECTION:
		if (s->inside && line[indent] && indent <= s->indent)
			s->inside = false;
		if (match && !s->inside) {
			s->inside = true;
			s->indent = indent;
		}
		return s->inside;
	case FILTER_COUNT:
		s->n += match;
		return false;
	case FILTER_NONE:
		break;
	}
	return true;
}

static void print_lines(enum line_filter f, const regex_t *re, char *text, FILE *to)
{
	struct state s = { 0 };
	char *line;

	while ((line = strsep(&text, "\n"))) {
		bool match = re && regexec(re, line, 0, NULL, 0) == 0;

		if (!text && *line == '\0') // behind the last newline
			break;
		if (keep(f, match, line, &s))
			fprintf(to, "%s\n", line);
	}
	if (f == FILTER_COUNT)
		fprintf(to, "Number of lines which match regexp = %u\n", s.n);
}

int filter_print(enum line_filter f, const char *pattern, const char *text, FILE *to, char *err,
		 size_t err_size)
{
	char *copy;
	regex_t re;
	int bad;

	if (f != FILTER_NONE) {
		bad = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);
		if (bad) {
			regerror(bad, &re, err, err_size);
			return -EINVAL;
		}
	}
	copy = strdup(text);
	BUG_ON(!copy);
	print_lines(f, f == FILTER_NONE ? NULL : &re, copy, to);
	free(copy);
	if (f != FILTER_NONE)
		regfree(&re);
	return 0;
}
