// The shell against a real control socket served by a thread.
#include "cli/shell.h"

#include "tests/unit/ctl_thread.h"

static struct {
	struct ctl_thread ctl;
	struct shell shell;
	char *out, *err;
	size_t out_len, err_len;
} world;

static void run_members(struct ctl_req *req, void *arg)
{
	(void)arg;
	if (ctl_req_json(req))
		ctl_reply_json(req, json_pack("{s:[]}", "groups"));
	else
		ctl_reply_text(req, "member 192.0.2.1\nmember 192.0.2.5\n");
}

static void run_rekey(struct ctl_req *req, void *arg)
{
	(void)arg;
	ctl_reply_error(req, "no group of that name", "show crypto gdoi ks lists them");
}

static const struct ctl_cmd table[] = {
	{ "show crypto gdoi ks members", "Registered members", run_members },
	{ "show crypto gdoi ks policy", "Policy and keys", run_members },
	{ "crypto gdoi ks rekey [group NAME]", "Send new keys", run_rekey },
	{ NULL, NULL, NULL },
};

static int setup(void **state)
{
	(void)state;
	ctl_thread_start(&world.ctl, table, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ctl_thread_stop(&world.ctl);
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	world.shell = (struct shell){ .socket = world.ctl.path,
				      .out = open_memstream(&world.out, &world.out_len),
				      .err = open_memstream(&world.err, &world.err_len) };
	return 0;
}

static int done(void **state)
{
	(void)state;
	fclose(world.shell.out);
	fclose(world.shell.err);
	free(world.out);
	free(world.err);
	return 0;
}

static enum shell_status run(const char *line)
{
	enum shell_status s = shell_run(&world.shell, line);

	fflush(world.shell.out);
	fflush(world.shell.err);
	return s;
}

static void answer_is_printed(void **state)
{
	(void)state;
	assert_int_equal(run("sh cry gdoi ks mem"), SHELL_OK);
	assert_string_equal(world.out, "member 192.0.2.1\nmember 192.0.2.5\n");
}

static void pipe_filters_the_answer(void **state)
{
	(void)state;
	assert_int_equal(run("show crypto gdoi ks members | inc 2.5"), SHELL_OK);
	assert_string_equal(world.out, "member 192.0.2.5\n");
	assert_int_equal(run("show crypto gdoi ks members | inc ["), SHELL_REFUSED);
	assert_non_null(strstr(world.err, "regular expression"));
}

static void json_is_printed_as_json(void **state)
{
	(void)state;
	world.shell.json = true;
	assert_int_equal(run("show crypto gdoi ks members"), SHELL_OK);
	assert_string_equal(world.out, "{\n  \"groups\": []\n}\n");
}

static void caret_stands_under_the_wrong_word(void **state)
{
	(void)state;
	world.shell.prompt_len = 4;
	assert_int_equal(run("show crypto gdoi kz"), SHELL_REFUSED);
	assert_string_equal(world.err, "                     ^\n"
				       "% Invalid input detected at '^' marker.\n\n");
}

static void line_is_repeated_where_no_terminal_shows_it(void **state)
{
	(void)state;
	world.shell.echo = true;
	assert_int_equal(run("show nothing"), SHELL_REFUSED);
	assert_string_equal(world.err, "show nothing\n     ^\n"
				       "% Invalid input detected at '^' marker.\n\n");
}

static void errors_read_as_ios_spells_them(void **state)
{
	(void)state;
	assert_int_equal(run("show crypto"), SHELL_REFUSED);
	assert_string_equal(world.err, "% Incomplete command.\n\n");
	assert_int_equal(run("crypto gdoi ks rekey group X"), SHELL_REFUSED);
	assert_non_null(strstr(world.err, "% no group of that name\n  show crypto gdoi ks"));
}

static void leaving_and_doing_nothing_need_no_daemon(void **state)
{
	(void)state;
	world.shell.socket = "/nonexistent";
	assert_int_equal(run("exit"), SHELL_EXIT);
	assert_int_equal(run("  "), SHELL_OK);
	assert_int_equal(run("show version"), SHELL_NO_ANSWER);
	assert_non_null(strstr(world.err, "is the daemon running?"));
}

static void help_lists_words_with_their_meaning(void **state)
{
	(void)state;
	shell_help(&world.shell, "show crypto gdoi ks ");
	fflush(world.shell.out);
	assert_string_equal(world.out, "  members           Registered members\n"
				       "  policy            Policy and keys\n");
}

static void tab_adds_what_can_only_follow(void **state)
{
	char more[64];

	(void)state;
	assert_int_equal(shell_complete(&world.shell, "sh", more, sizeof(more)), 3);
	assert_string_equal(more, "ow ");
	assert_int_equal(shell_complete(&world.shell, "show crypto gdoi ks ", more, sizeof(more)),
			 0);
	assert_int_equal(shell_complete(&world.shell, "nothing ", more, sizeof(more)), 0);
}

static void a_password_is_not_kept_however_it_is_introduced(void **state)
{
	(void)state;
	assert_true(shell_hides("crypto pki export CORP pem f.pem password hunter22"));
	assert_true(shell_hides("cry pki exp CORP pem f.pem pass hunter22"));
	assert_true(shell_hides("crypto pki export CORP pem f.pem Password\thunter22"));
	assert_true(shell_hides("crypto pki export CORP pem f.pem p  hunter22"));
	assert_false(shell_hides("show crypto pki certificates"));
	assert_false(shell_hides("crypto pki export CORP pem f.pem password "));
}

static void a_mistyped_line_is_repeated_without_its_password(void **state)
{
	(void)state;
	world.shell.echo = true;
	assert_int_equal(run("crypto pki exprtt CORP pem f.pem passw hunter22"), SHELL_REFUSED);
	assert_null(strstr(world.err, "hunter22"));
	assert_non_null(strstr(world.err, "crypto pki exprtt CORP pem f.pem passw ********\n"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(answer_is_printed),
		T(pipe_filters_the_answer),
		T(json_is_printed_as_json),
		T(caret_stands_under_the_wrong_word),
		T(line_is_repeated_where_no_terminal_shows_it),
		T(errors_read_as_ios_spells_them),
		T(leaving_and_doing_nothing_need_no_daemon),
		T(help_lists_words_with_their_meaning),
		T(tab_adds_what_can_only_follow),
		T(a_password_is_not_kept_however_it_is_introduced),
		T(a_mistyped_line_is_repeated_without_its_password),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
