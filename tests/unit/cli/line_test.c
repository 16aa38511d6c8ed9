#include "cli/line.h"

#include "tests/unit/unit.h"

static struct line l;
static size_t column;

static void words_keep_their_columns(void **state)
{
	(void)state;
	assert_int_equal(line_parse("  show\tcrypto  gdoi \n", &l, &column), LINE_OK);
	assert_int_equal(l.n_words, 3);
	assert_string_equal(l.words[0], "show");
	assert_int_equal(l.column[0], 2);
	assert_string_equal(l.words[1], "crypto");
	assert_string_equal(l.words[2], "gdoi");
	assert_int_equal(l.column[2], 15);
	assert_int_equal(l.filter, FILTER_NONE);
}

static void empty_line_has_no_words(void **state)
{
	(void)state;
	assert_int_equal(line_parse("", &l, &column), LINE_OK);
	assert_int_equal(l.n_words, 0);
	assert_int_equal(line_parse(" \t ", &l, &column), LINE_OK);
	assert_int_equal(l.n_words, 0);
}

static void pipe_takes_the_rest_of_the_line(void **state)
{
	(void)state;
	assert_int_equal(line_parse("show version | inc a|b  c ", &l, &column), LINE_OK);
	assert_int_equal(l.n_words, 2);
	assert_int_equal(l.filter, FILTER_INCLUDE);
	assert_string_equal(l.pattern, "a|b  c");
	assert_int_equal(line_parse("show version|count x", &l, &column), LINE_OK);
	assert_string_equal(l.words[1], "version");
	assert_int_equal(l.filter, FILTER_COUNT);
}

static void every_filter_has_its_name(void **state)
{
	(void)state;
	assert_int_equal(line_parse("a | exclude x", &l, &column), LINE_OK);
	assert_int_equal(l.filter, FILTER_EXCLUDE);
	assert_int_equal(line_parse("a | b x", &l, &column), LINE_OK);
	assert_int_equal(l.filter, FILTER_BEGIN);
	assert_int_equal(line_parse("a | section x", &l, &column), LINE_OK);
	assert_int_equal(l.filter, FILTER_SECTION);
}

static void unknown_filter_is_pointed_at(void **state)
{
	(void)state;
	assert_int_equal(line_parse("show version | grep x", &l, &column), LINE_BAD_FILTER);
	assert_int_equal(column, 15);
	assert_int_equal(line_parse("show version |", &l, &column), LINE_BAD_FILTER);
	assert_int_equal(line_parse("a | includes x", &l, &column), LINE_BAD_FILTER);
}

static void filter_without_pattern_is_incomplete(void **state)
{
	(void)state;
	assert_int_equal(line_parse("show version | include  ", &l, &column), LINE_NO_PATTERN);
}

static void line_that_does_not_fit_is_refused(void **state)
{
	char text[LINE_SIZE + 1];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(line_parse(text, &l, &column), LINE_TOO_LONG);
	for (size_t i = 0; i < 2 * (CTL_MAX_WORDS + 1); i += 2)
		memcpy(text + i, "a ", 3);
	assert_int_equal(line_parse(text, &l, &column), LINE_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_keep_their_columns),
		cmocka_unit_test(empty_line_has_no_words),
		cmocka_unit_test(pipe_takes_the_rest_of_the_line),
		cmocka_unit_test(every_filter_has_its_name),
		cmocka_unit_test(unknown_filter_is_pointed_at),
		cmocka_unit_test(filter_without_pattern_is_incomplete),
		cmocka_unit_test(line_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
