#include "tests/unit/conf_text.h"

#include "common/base/addr.h"
#include "common/crypto/secret.h"
#include "common/ctl/settings.h"

struct conf {
	char name[8];
	bool flag;
	int64_t big;
	uint16_t port;
	struct addr addr;
	struct prefix net;
	uint8_t proto;
	int mode;
	struct secret psk;
	int n_items;
};

static const struct set_choice modes[] = { { "none", 0 }, { "all", 7 }, { NULL, 0 } };

static void one_item(struct settings *s, struct set_node *n, void *out)
{
	struct conf *c = out;

	if (settings_text(s, n))
		c->n_items++;
}

#define F(f) offsetof(struct conf, f)
static const struct set_row rows[] = {
	{ .word = "name",
	  .type = SET_STR,
	  .offset = F(name),
	  .size = 8,
	  .required = true,
	  .help = "a name" },
	{ .word = "flag", .type = SET_BOOL, .offset = F(flag), .def = "true", .help = "a flag" },
	{ .word = "big",
	  .type = SET_INT,
	  .offset = F(big),
	  .max = INT64_MAX,
	  .def = "5",
	  .help = "seconds" },
	{ .word = "port",
	  .type = SET_U16,
	  .offset = F(port),
	  .min = 1,
	  .max = 65535,
	  .def = "848",
	  .help = "UDP port" },
	{ .word = "addr", .type = SET_ADDR, .offset = F(addr), .help = "an address" },
	{ .word = "net", .type = SET_PREFIX, .offset = F(net), .help = "a prefix" },
	{ .word = "proto",
	  .type = SET_PROTO,
	  .offset = F(proto),
	  .def = "ip",
	  .help = "a protocol" },
	{ .word = "mode",
	  .type = SET_CHOICE,
	  .offset = F(mode),
	  .choices = modes,
	  .def = "none",
	  .help = "a mode" },
	{ .word = "psk", .type = SET_SECRET, .offset = F(psk), .help = "a key" },
	{ .word = "items", .type = SET_EACH, .max = 3, .each = one_item, .help = "texts" },
};

// Reads text through a file of its own; returns the number of problems (-1: could not be opened).
static int read_text(const char *text, struct conf *c, struct told *t)
{
	char path[sizeof(CONF_TEXT_PATH)];
	struct settings *s;
	int n = -1;

	memset(c, 0, sizeof(*c));
	memset(t, 0, sizeof(*t));
	conf_text_file(text, path);
	s = settings_open(path, tell, t);
	if (s) {
		settings_group(s, settings_root(s), rows, N_ELEMS(rows), c);
		n = (int)settings_n_errors(s);
		settings_close(s);
	}
	unlink(path);
	return n;
}

static void right_file_fills_the_struct(void **state)
{
	struct conf c;
	struct told t;

	(void)state;
	assert_int_equal(read_text("name = \"G1\"; big = 5000000000L; addr = \"10.0.0.1\";\n"
				   "net = \"10.0.0.0/8\"; proto = \"udp\"; mode = \"all\";\n"
				   "psk = \"secret\"; items = ( \"a\", \"b\" );\n",
				   &c, &t),
			 0);
	assert_string_equal(c.name, "G1");
	assert_true(c.flag);
	assert_true(c.big == 5000000000LL);
	assert_int_equal(c.port, 848);
	assert_int_equal(c.net.len, 8);
	assert_int_equal(c.proto, 17);
	assert_int_equal(c.mode, 7);
	assert_int_equal(c.psk.len, 6);
	assert_int_equal(c.n_items, 2);
	assert_string_equal(t.text, "");
}

static void each_problem_names_line_and_word(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "name = \"a\";\nprot = 1;\n",
		  ":2: prot: is not a word known here; known are: name, flag" },
		{ "flag = true;\n", "name: is missing: a name" },
		{ "name = \"much too long\";\n", ":1: name: longer than 7" },
		{ "name = \"a\";\n\nflag = \"yes\";\n", ":3: flag: wants true or false" },
		{ "name = \"a\";\nbig = 5000000000;\n", ":2: big: a number this large needs an L" },
		{ "name = \"a\";\nport = 0;\n",
		  ":2: port: 0 is out of range: UDP port (1 to 65535)" },
		{ "name = \"a\";\nport = \"x\";\n", ":2: port: wants a number" },
		{ "name = \"a\";\naddr = \"10.0.0\";\n",
		  ":2: addr: \"10.0.0\" is not an IP address" },
		{ "name = \"a\";\nnet = \"10.0.0.1/8\";\n",
		  ":2: net: \"10.0.0.1/8\" is not a prefix" },
		{ "name = \"a\";\nproto = \"tpc\";\n", ":2: proto: \"tpc\" is not an IP protocol" },
		{ "name = \"a\";\nmode = \"al\";\n",
		  ":2: mode: \"al\" is not known here; one of \"none\", \"all\"" },
		{ "name = \"a\";\npsk = \"\";\n", ":2: psk: wants 1 to 128 characters" },
		{ "name = \"a\";\nitems = 3;\n", ":2: items: wants a list" },
		{ "name = \"a\";\nitems = (1);\n", ":2: every entry wants to be text" },
		{ "name = \"a\";\nitems = (\"\",\"\",\"\",\"\");\n", ":2: items: has 4 entries" },
	};
	struct conf c;
	struct told t;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		assert_int_equal(read_text(cases[i].text, &c, &t), 1);
		if (!strstr(t.text, cases[i].want))
			fail_msg("want '%s' in '%s'", cases[i].want, t.text);
	}
}

static void several_problems_are_told_in_one_run(void **state)
{
	struct conf c;
	struct told t;

	(void)state;
	assert_int_equal(read_text("port = 0; mode = 3; what = 1;", &c, &t), 4);
}

static void syntax_error_names_its_line(void **state)
{
	struct conf c;
	struct told t;

	(void)state;
	assert_int_equal(read_text("name = \"a\"\n\n= 3;\n", &c, &t), -1);
	assert_non_null(strstr(t.text, ":3: syntax error"));
}

static void a_missing_file_is_said_to_be_missing(void **state)
{
	struct told t = { 0 };

	(void)state;
	assert_null(settings_open("/nonexistent/x.conf", tell, &t));
	assert_non_null(strstr(t.text, "No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_file_fills_the_struct),
		cmocka_unit_test(each_problem_names_line_and_word),
		cmocka_unit_test(several_problems_are_told_in_one_run),
		cmocka_unit_test(syntax_error_names_its_line),
		cmocka_unit_test(a_missing_file_is_said_to_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
