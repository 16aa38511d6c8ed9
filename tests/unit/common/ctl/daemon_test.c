#include "tests/unit/unit.h"

#include <getopt.h>

#include "common/ctl/daemon.h"

static unsigned helped;
static bool mint;

static void help(void)
{
	helped++;
}

static const struct daemon_about all = { "testd", "1", help, true, true, "mint-new", &mint };
static const struct daemon_about plain = { "testd", "1", help, .modules = false };

static int begin(const struct daemon_about *d, const char *a1, const char *a2, const char *a3,
		 struct daemon_args *a)
{
	char words[4][32] = { "testd" };
	char *argv[5] = { words[0] };
	const char *in[] = { a1, a2, a3 };
	int argc = 1;

	for (size_t i = 0; i < 3 && in[i]; i++) {
		snprintf(words[argc], sizeof(words[0]), "%s", in[i]);
		argv[argc] = words[argc];
		argc++;
	}
	optind = 0; // getopt starts over
	mint = false;
	return daemon_begin(d, argc, argv, a);
}

static void what_every_daemon_knows(void **state)
{
	struct daemon_args a;

	(void)state;
	assert_int_equal(begin(&plain, "-f", "/etc/x", "-n", &a), -1);
	assert_true(a.to_stderr && !a.check && !a.keylog);
	assert_int_equal(begin(&plain, "--check", "--file", "/etc/x", &a), -1);
	assert_true(a.check && !a.to_stderr);
	assert_int_equal(begin(&plain, "--help", NULL, NULL, &a), 0);
	assert_int_equal(helped, 1);
	assert_int_equal(begin(&plain, "-V", NULL, NULL, &a), 0);
}

static void called_wrongly_is_2(void **state)
{
	struct daemon_args a;

	(void)state;
	assert_int_equal(begin(&all, NULL, NULL, NULL, &a), 2);
	assert_int_equal(begin(&all, "-f", "/etc/x", "more", &a), 2);
	assert_int_equal(begin(&all, "-d", "nonsense", NULL, &a), 2);
	assert_int_equal(begin(&all, "--nonsense", NULL, NULL, &a), 2);
	assert_int_equal(begin(&plain, "-d", "all", NULL, &a), 2);
	assert_int_equal(begin(&plain, "--mint-new", NULL, NULL, &a), 2);
}

static void words_of_their_own(void **state)
{
	struct daemon_args a;

	(void)state;
	assert_int_equal(begin(&all, "-f", "/etc/x", "--mint-new", &a), -1);
	assert_true(mint);
	assert_int_equal(begin(&all, "-f/etc/x", "--keylog", "k", &a), -1);
	assert_false(mint);
	assert_non_null(a.keylog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_every_daemon_knows),
		cmocka_unit_test(called_wrongly_is_2),
		cmocka_unit_test(words_of_their_own),
	};

	return cmocka_run_group_tests_name("ctl/daemon", tests, NULL, NULL);
}
