#include "cli/filter.h"

#include "tests/unit/unit.h"

static const char members[] = "Group Member Information :\n"
			      "\n"
			      "Group Member ID    : 192.0.2.1\n"
			      " Group Name        : G1\n"
			      "  deeper\n"
			      "Group Member ID    : 192.0.2.5\n"
			      " Group Name        : G2\n";

static void check(enum line_filter f, const char *pattern, const char *want)
{
	char err[128], *got = NULL;
	size_t len;
	FILE *to = open_memstream(&got, &len);

	assert_int_equal(filter_print(f, pattern, members, to, err, sizeof(err)), 0);
	fclose(to);
	assert_string_equal(got, want);
	free(got);
}

static void no_filter_prints_all(void **state)
{
	(void)state;
	check(FILTER_NONE, NULL, members);
}

static void include_keeps_matching_lines(void **state)
{
	(void)state;
	check(FILTER_INCLUDE, "Name +: G[12]$",
	      " Group Name        : G1\n Group Name        : G2\n");
}

static void exclude_drops_them(void **state)
{
	(void)state;
	check(FILTER_EXCLUDE, "Group|^$", "  deeper\n");
}

static void begin_starts_at_the_first_match(void **state)
{
	(void)state;
	check(FILTER_BEGIN, "192.0.2.5",
	      "Group Member ID    : 192.0.2.5\n Group Name        : G2\n");
}

static void section_takes_what_is_indented_below(void **state)
{
	(void)state;
	check(FILTER_SECTION, "192.0.2.1",
	      "Group Member ID    : 192.0.2.1\n Group Name        : G1\n  deeper\n");
}

static void count_counts(void **state)
{
	(void)state;
	check(FILTER_COUNT, "Member ID", "Number of lines which match regexp = 2\n");
}

static void broken_expression_is_refused(void **state)
{
	char err[128] = "";

	(void)state;
	assert_int_equal(filter_print(FILTER_INCLUDE, "(", members, stdout, err, sizeof(err)),
			 -EINVAL);
	assert_true(strlen(err) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_filter_prints_all),
		cmocka_unit_test(include_keeps_matching_lines),
		cmocka_unit_test(exclude_drops_them),
		cmocka_unit_test(begin_starts_at_the_first_match),
		cmocka_unit_test(section_takes_what_is_indented_below),
		cmocka_unit_test(count_counts),
		cmocka_unit_test(broken_expression_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
