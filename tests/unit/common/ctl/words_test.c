#include "common/ctl/words.h"

#include "tests/unit/unit.h"

static const struct ctl_cmd table[] = {
	{ "show crypto gdoi ks", "the key server", NULL },
	{ "show crypto gdoi ks members [ADDRESS]", "its members", NULL },
	{ "show crypto gdoi ks policy", "its policy", NULL },
	{ "show crypto isakmp sa", "phase 1", NULL },
	{ "show version", "what runs here", NULL },
	{ "crypto gdoi ks rekey [group NAME] [now]", "send new keys", NULL },
	{ "terminal length N", "lines", NULL },
	{ NULL, NULL, NULL },
};

#define WORDS(...)                                                                                 \
	(const char *const[]){ __VA_ARGS__ },                                                      \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)

static struct ctl_grammar g;
static struct ctl_match m;

static void words_in_full_find_their_row(void **state)
{
	(void)state;
	ctl_match(&g, WORDS("show", "crypto", "gdoi", "ks", "members"), &m);
	assert_int_equal(m.verdict, CTL_MATCH);
	assert_ptr_equal(m.cmd, &table[1]);
}

static void unambiguous_beginnings_are_spelled_out(void **state)
{
	(void)state;
	ctl_match(&g, WORDS("sh", "CRY", "gd", "k", "mem"), &m);
	assert_int_equal(m.verdict, CTL_MATCH);
	assert_ptr_equal(m.cmd, &table[1]);
	assert_string_equal(m.full[0], "show");
	assert_string_equal(m.full[4], "members");
}

static void exact_word_that_begins_others_is_complete(void **state)
{
	(void)state;
	ctl_match(&g, WORDS("show", "crypto", "gdoi", "ks"), &m);
	assert_int_equal(m.verdict, CTL_MATCH);
	assert_ptr_equal(m.cmd, &table[0]);
}

static void two_keywords_with_one_beginning_are_ambiguous(void **state)
{
	static const struct ctl_cmd two[] = { { "show keys", "", NULL },
					      { "show keyrings", "", NULL },
					      { NULL, NULL, NULL } };
	struct ctl_grammar other;

	(void)state;
	ctl_grammar_init(&other, two);
	ctl_match(&other, WORDS("show", "key"), &m);
	assert_int_equal(m.verdict, CTL_AMBIGUOUS);
	assert_int_equal(m.at, 1);
}

static void missing_words_are_incomplete(void **state)
{
	(void)state;
	ctl_match(&g, WORDS("show", "crypto", "gdoi"), &m);
	assert_int_equal(m.verdict, CTL_INCOMPLETE);
	ctl_match(&g, WORDS("crypto", "gdoi", "ks", "rekey", "group"), &m);
	assert_int_equal(m.verdict, CTL_INCOMPLETE);
}

static void wrong_word_is_pointed_at(void **state)
{
	(void)state;
	ctl_match(&g, WORDS("show", "crypto", "gdoi", "kx"), &m);
	assert_int_equal(m.verdict, CTL_INVALID);
	assert_int_equal(m.at, 3);
	ctl_match(&g, WORDS("show", "version", "now"), &m);
	assert_int_equal(m.verdict, CTL_INVALID);
	assert_int_equal(m.at, 2);
	ctl_match(&g, WORDS("show", ""), &m);
	assert_int_equal(m.verdict, CTL_INVALID);
}

static void word_in_capitals_takes_what_it_names(void **state)
{
	(void)state;
	ctl_match(&g, WORDS("show", "crypto", "gdoi", "ks", "members", "192.0.2.1"), &m);
	assert_int_equal(m.verdict, CTL_MATCH);
	assert_string_equal(m.full[5], "192.0.2.1");
	ctl_match(&g, WORDS("show", "crypto", "gdoi", "ks", "members", "everybody"), &m);
	assert_int_equal(m.verdict, CTL_INVALID);
	assert_int_equal(m.at, 5);
	ctl_match(&g, WORDS("terminal", "length", "0"), &m);
	assert_int_equal(m.verdict, CTL_MATCH);
	ctl_match(&g, WORDS("terminal", "length", "0x"), &m);
	assert_int_equal(m.verdict, CTL_INVALID);
}

static void optional_parts_may_be_left_out_each(void **state)
{
	(void)state;
	ctl_match(&g, WORDS("crypto", "gdoi", "ks", "rekey"), &m);
	assert_int_equal(m.verdict, CTL_MATCH);
	ctl_match(&g, WORDS("crypto", "gdoi", "ks", "rekey", "now"), &m);
	assert_int_equal(m.verdict, CTL_MATCH);
	ctl_match(&g, WORDS("crypto", "gdoi", "ks", "rekey", "group", "G1", "now"), &m);
	assert_int_equal(m.verdict, CTL_MATCH);
	assert_string_equal(m.full[5], "G1");
}

static void more_words_than_any_row_are_invalid(void **state)
{
	const char *words[CTL_MAX_WORDS + 1];

	(void)state;
	for (size_t i = 0; i < N_ELEMS(words); i++)
		words[i] = "show";
	ctl_match(&g, words, N_ELEMS(words), &m);
	assert_int_equal(m.verdict, CTL_INVALID);
	assert_int_equal(m.at, 1);
}

static void help_lists_each_word_once(void **state)
{
	struct ctl_next next[8];
	size_t n;

	(void)state;
	n = ctl_next(&g, WORDS(""), next, N_ELEMS(next), &m);
	assert_int_equal(n, 3);
	assert_string_equal(next[0].word, "show");
	assert_string_equal(next[1].word, "crypto");
	n = ctl_next(&g, WORDS("sh", "cry", ""), next, N_ELEMS(next), &m);
	assert_int_equal(n, 2);
	assert_string_equal(next[0].word, "gdoi");
	assert_string_equal(next[1].word, "isakmp");
	assert_string_equal(next[1].help, "phase 1");
}

static void help_filters_by_what_is_typed(void **state)
{
	struct ctl_next next[8];

	(void)state;
	assert_int_equal(
		ctl_next(&g, WORDS("show", "crypto", "gdoi", "ks", "p"), next, N_ELEMS(next), &m),
		1);
	assert_string_equal(next[0].word, "policy");
	assert_string_equal(next[0].help, "its policy");
}

static void help_says_where_a_line_may_end(void **state)
{
	struct ctl_next next[8];
	size_t n;

	(void)state;
	n = ctl_next(&g, WORDS("show", "crypto", "gdoi", "ks", "members", ""), next, N_ELEMS(next),
		     &m);
	assert_int_equal(n, 2);
	assert_string_equal(next[0].word, "ADDRESS");
	assert_string_equal(next[1].word, "<cr>");
	assert_string_equal(next[1].help, "its members");
}

static void help_prefers_the_row_that_ends_with_the_word(void **state)
{
	struct ctl_next next[8];

	(void)state;
	assert_int_equal(
		ctl_next(&g, WORDS("show", "crypto", "gdoi", "k"), next, N_ELEMS(next), &m), 1);
	assert_string_equal(next[0].help, "the key server");
}

static void help_behind_a_wrong_word_points_at_it(void **state)
{
	struct ctl_next next[8];

	(void)state;
	assert_int_equal(ctl_next(&g, WORDS("show", "nothing", ""), next, N_ELEMS(next), &m), 0);
	assert_int_equal(m.verdict, CTL_INVALID);
	assert_int_equal(m.at, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_in_full_find_their_row),
		cmocka_unit_test(unambiguous_beginnings_are_spelled_out),
		cmocka_unit_test(exact_word_that_begins_others_is_complete),
		cmocka_unit_test(two_keywords_with_one_beginning_are_ambiguous),
		cmocka_unit_test(missing_words_are_incomplete),
		cmocka_unit_test(wrong_word_is_pointed_at),
		cmocka_unit_test(word_in_capitals_takes_what_it_names),
		cmocka_unit_test(optional_parts_may_be_left_out_each),
		cmocka_unit_test(more_words_than_any_row_are_invalid),
		cmocka_unit_test(help_lists_each_word_once),
		cmocka_unit_test(help_filters_by_what_is_typed),
		cmocka_unit_test(help_says_where_a_line_may_end),
		cmocka_unit_test(help_prefers_the_row_that_ends_with_the_word),
		cmocka_unit_test(help_behind_a_wrong_word_points_at_it),
	};

	ctl_grammar_init(&g, table);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
