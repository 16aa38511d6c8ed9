#include "tests/unit/unit.h"

#include <unistd.h>

#include "dataplane/conf.h"

#define PORTS                                                                                      \
	"ports = ( { name = \"wan\"; device = \"net_null0\"; tap = \"wan\"; role = "               \
	"\"protected\"; },\n"                                                                      \
	"  { name = \"lan\"; device = \"net_null1\"; tap = \"lan\"; role = \"clear\"; mtu = "      \
	"1400; } );\n"

// Reads text as a file; what was said goes to said (errors are printed to stderr).
static int read_text(const char *text, struct conf *c, char *said, size_t size)
{
	char in[] = "/tmp/espd_conf_XXXXXX";
	int fd = mkstemp(in), old = dup(STDERR_FILENO), err;
	FILE *f = tmpfile();
	size_t n;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	fflush(stderr);
	dup2(fileno(f), STDERR_FILENO);
	err = conf_read(in, c);
	fflush(stderr);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(f);
	n = fread(said, 1, size - 1, f);
	said[n] = '\0';
	fclose(f);
	unlink(in);
	return err;
}

static void a_small_file_gets_the_defaults(void **state)
{
	struct conf c;
	char said[2048];

	(void)state;
	assert_int_equal(read_text("espd: { };\n" PORTS, &c, said, sizeof(said)), 0);
	assert_string_equal(said, "");
	assert_string_equal(c.control, "/run/conclave/espd.sock");
	assert_int_equal(c.idle_us, 100);
	assert_int_equal(c.n_cores, 0);
	assert_true(c.fail_close);
	assert_int_equal(c.n_ports, 2);
	assert_int_equal(c.ports[0].role, PORT_PROTECTED);
	assert_int_equal(c.ports[0].mtu, 1500);
	assert_int_equal(c.ports[1].mtu, 1400);
}

static void every_word_is_read(void **state)
{
	struct conf c;
	char said[2048];

	(void)state;
	assert_int_equal(read_text("espd: { control = \"/x\"; user = \"nobody\"; idle_us = 7;\n"
				   "idle_max_us = 8; cores = [ 2, 5 ]; hugepages = true;\n"
				   "memory_mb = 512; routes = 1000; fail_close = false; };\n" PORTS,
				   &c, said, sizeof(said)),
			 0);
	assert_string_equal(c.control, "/x");
	assert_string_equal(c.user, "nobody");
	assert_int_equal(c.idle_us, 7);
	assert_int_equal(c.idle_max_us, 8);
	assert_int_equal(c.n_cores, 2);
	assert_int_equal(c.cores[1], 5);
	assert_true(c.hugepages);
	assert_int_equal(c.memory_mb, 512);
	assert_int_equal(c.routes, 1000);
	assert_false(c.fail_close);
}

static void wrong_words_are_named_with_their_line(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "espd: {\n idle = 5;\n};\n" PORTS, ":2: idle:" },
		{ "espd: {\n idle_us = 1000000;\n};\n" PORTS, ":2: idle_us:" },
		{ "espd: {\n hugepages = 1;\n};\n" PORTS, ":2: hugepages:" },
		{ "espd: {\n cores = [ 9999 ];\n};\n" PORTS, ":2:" },
		{ "espd: { };\n", "ports" },
		{ "espd: { };\nports = ( { name = \"a\"; } );\n", "ports: has 1 entries" },
		{ "espd: { };\nports = (\n"
		  "{ name=\"a\"; device=\"d\"; tap=\"t\"; role=\"red\"; },\n"
		  "{ name=\"b\"; device=\"d\"; tap=\"u\"; role=\"clear\"; } );\n",
		  ":3: role:" },
		{ "espd: { };\nports = (\n"
		  "{ name=\"a\"; device=\"d\"; tap=\"t\"; role=\"clear\"; },\n"
		  "{ name=\"b\"; device=\"d\"; tap=\"t\"; role=\"clear\"; } );\n",
		  ":4: tap:" },
		{ "espd: { };\nports = (\n"
		  "{ name=\"a\"; tap=\"t\"; role=\"clear\"; },\n"
		  "{ name=\"b\"; device=\"d\"; tap=\"u\"; role=\"clear\"; } );\n",
		  ":3: device:" },
	};
	struct conf c;
	char said[2048];

	(void)state;
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		assert_int_equal(read_text(bad[i].text, &c, said, sizeof(said)), -EINVAL);
		if (!strstr(said, bad[i].says))
			fail_msg("'%s' lacks '%s'", said, bad[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_file_gets_the_defaults),
		cmocka_unit_test(every_word_is_read),
		cmocka_unit_test(wrong_words_are_named_with_their_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
