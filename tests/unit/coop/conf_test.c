#include "tests/unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "common/ctl/settings.h"
#include "coop/coop_conf.h"
#include "coop/coop_key.h"

#define PEER "peers = ( { address = \"192.0.2.2\"; } );"
#define KEY  "key_file = \"coop.key\";"

struct heard {
	unsigned n;
	char text[4096];
};

struct world {
	char dir[32], conf[64], key[64];
	struct heard heard;
	struct coop_settings c;
};

static void hear(void *arg, const char *text)
{
	struct heard *h = arg;
	size_t len = strlen(h->text);

	h->n++;
	snprintf(h->text + len, sizeof(h->text) - len, "%s\n", text);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct rng rng;
	const char *why;

	crypto_rng_init(&rng);
	strcpy(w->dir, "/tmp/coop-conf-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	snprintf(w->conf, sizeof(w->conf), "%s/ksd.conf", w->dir);
	snprintf(w->key, sizeof(w->key), "%s/coop.key", w->dir);
	*state = w;
	return coop_key_make(w->key, &rng, &why);
}

static int end(void **state)
{
	struct world *w = *state;

	coop_settings_fini(&w->c);
	unlink(w->conf);
	unlink(w->key);
	rmdir(w->dir);
	free(w);
	return 0;
}

static void read_coop(struct settings *s, struct set_node *n, void *out)
{
	struct coop_about about = { .udp_port = { 848, 4500 } };

	assert_int_equal(addr_parse("192.0.2.1", &about.addr), 0);
	coop_settings_read(s, n, &about, *(struct coop_settings **)out);
}

static const struct set_row root_rows[] = {
	{ "coop", SET_GROUP, .each = read_coop, .help = "the set" },
};

static unsigned load(struct world *w, const char *text)
{
	struct coop_settings *c = &w->c;
	struct settings *s;
	FILE *f = fopen(w->conf, "w");

	assert_non_null(f);
	fprintf(f, "coop: {\n%s\n};\n", text);
	fclose(f);
	w->heard = (struct heard){ 0 };
	coop_settings_fini(&w->c);
	s = settings_open(w->conf, hear, &w->heard);
	assert_non_null(s);
	settings_group(s, settings_root(s), root_rows, N_ELEMS(root_rows), &c);
	settings_close(s);
	return w->heard.n;
}

static void says(struct world *w, const char *text, const char *what)
{
	assert_int_not_equal(load(w, text), 0);
	if (!strstr(w->heard.text, what))
		fail_msg("not \"%s\" in: %s", what, w->heard.text);
}

static void a_short_section_has_the_defaults(void **state)
{
	struct world *w = *state;
	struct tls_creds *creds;

	if (load(w, "id = 3; " KEY PEER))
		fail_msg("%s", w->heard.text);
	assert_int_equal(w->c.id, 3);
	assert_int_equal(w->c.priority, 1);
	assert_int_equal(w->c.hello_ms, 1000);
	assert_int_equal(w->c.dead_hellos, 3);
	assert_int_equal(w->c.link.port, 848);
	assert_int_equal(w->c.link.hello_port, 849);
	assert_int_equal(w->c.link.n_peers, 1);
	assert_int_equal(w->c.key.len, COOP_KEY_LEN);
	assert_false(w->c.majority || w->c.preempt || w->c.maintenance);
	assert_int_equal(coop_settings_creds(&w->c, NULL, &creds), 0);
	tls_creds_put(creds);
}

static void every_word_is_read(void **state)
{
	struct world *w = *state;
	struct coop_conf core;

	if (load(w,
		 "id = 0; priority = 255; port = 8480; hello_port = 8490; hello_ms = 100;"
		 "dead_hellos = 5; start_ms = 1000; commit_ms = 500; split_policy = \"majority\";"
		 "preempt = true; preempt_hold = 10; maintenance = true;" KEY PEER))
		fail_msg("%s", w->heard.text);
	assert_int_equal(w->c.priority, 255);
	assert_int_equal(w->c.link.port, 8480);
	assert_int_equal(w->c.link.hello_port, 8490);
	assert_int_equal(w->c.hello_ms, 100);
	assert_int_equal(w->c.dead_hellos, 5);
	assert_int_equal(w->c.start_ms, 1000);
	assert_int_equal(w->c.commit_ms, 500);
	assert_int_equal(w->c.preempt_hold_s, 10);
	assert_true(w->c.majority && w->c.preempt && w->c.maintenance);
	coop_settings_core(&w->c, &core);
	assert_int_equal(core.split, COOP_MAJORITY);
	assert_int_equal(core.preempt_hold_ms, 10000);
	assert_int_equal(core.n_peers, 1);
	assert_true(addr_eq(&core.peer[0], &w->c.link.peer[0].addr));
	assert_true(addr_eq(&core.addr, &w->c.link.addr));
}

static void what_is_wrong_is_told_with_line_and_word(void **state)
{
	struct world *w = *state;

	says(w, KEY PEER, "ksd.conf:1: id: is missing");
	says(w, "id = 16;" KEY PEER, "ksd.conf:2: id: 16 is out of range");
	says(w, "id = 1;\nhello_ms = 99;" KEY PEER, "ksd.conf:3: hello_ms: 99 is out of range");
	says(w, "id = 1; hello_ms = 20001;" KEY PEER, "hello_ms");
	says(w, "id = 1; hallo = 1;" KEY PEER, "hallo: is not a word known here");
	says(w, "id = 1; split_policy = \"x\";" KEY PEER, "one of \"continue\", \"majority\"");
	says(w, "id = 1; hello_port = 848;" KEY PEER, "hello_port: 848 is where members talk");
	says(w, "id = 1;" KEY "peers = ( );", "peers: has 0 entries");
}

static void wrong_peers_are_told(void **state)
{
	struct world *w = *state;

	says(w, "id = 1;" KEY "peers = ( { address = \"192.0.2.1\"; } );", "is our own address");
	says(w,
	     "id = 1;" KEY
	     "peers = ( { address = \"192.0.2.2\"; },\n{ address = \"192.0.2.2\"; } );",
	     "ksd.conf:3: address: 192.0.2.2 is there twice");
	says(w, "id = 1;" KEY "peers = ( { address = \"2001:db8::1\"; } );", "family");
	says(w, "id = 1;" KEY "peers = ( { address = \"239.0.0.1\"; } );", "address of a group");
	says(w, "id = 1;" KEY "peers = ( { address = \"192.0.2.2\"; names = [ \"ks2.net\" ]; } );",
	     "names: are of certificates");
	says(w,
	     "id = 1; trustpoint = \"CA\";"
	     "peers = ( { address = \"192.0.2.2\"; names = [ \"a b\" ]; } );",
	     "names: \"a b\"");
}

static void one_proof_is_wanted(void **state)
{
	struct world *w = *state;

	says(w, "id = 1;" PEER, "either key_file or trustpoint");
	says(w, "id = 1; trustpoint = \"CA\";" KEY PEER, "either key_file or trustpoint");
	says(w, "id = 1; trustpoint = \"CA\";" PEER, "trustpoint: \"CA\" is not one of");
	says(w, "id = 1; key_file = \"none.key\";" PEER, "key_file: none.key: No such file");
}

static void write_key(struct world *w, const char *text)
{
	FILE *f = fopen(w->key, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_bad_key_file_is_refused_and_never_shown(void **state)
{
	struct world *w = *state;

	chmod(w->key, 0640);
	says(w, "id = 1;" KEY PEER, "others may read it");
	chmod(w->key, 0600);
	write_key(w, "00112233445566778899aabbccddee\n"); // 15 octets
	says(w, "id = 1;" KEY PEER, "32 to 256 hexadecimal digits");
	assert_null(strstr(w->heard.text, "0011"));
	write_key(w, "not hexadecimal at all, but long enough\n");
	says(w, "id = 1;" KEY PEER, "32 to 256 hexadecimal digits");
	assert_null(strstr(w->heard.text, "at all"));
	write_key(w, "00112233445566778899aabbccddeeff\r\n");
	assert_int_equal(load(w, "id = 1;" KEY PEER), 0);
	assert_int_equal(w->c.key.len, 16);
}

static void a_key_is_made_once_and_differs_each_time(void **state)
{
	struct world *w = *state;
	struct secret a, b;
	struct rng rng;
	struct stat st;
	const char *why;

	crypto_rng_init(&rng);
	assert_int_equal(coop_key_make(w->key, &rng, &why), -EEXIST);
	assert_int_equal(coop_key_read(w->key, &a, &why), 0);
	unlink(w->key);
	assert_int_equal(coop_key_make(w->key, &rng, &why), 0);
	assert_int_equal(coop_key_read(w->key, &b, &why), 0);
	assert_false(secret_eq(&a, &b));
	assert_int_equal(stat(w->key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static int start(void **state)
{
	(void)state;
	return crypto_init();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_short_section_has_the_defaults),
		TEST(every_word_is_read),
		TEST(what_is_wrong_is_told_with_line_and_word),
		TEST(wrong_peers_are_told),
		TEST(one_proof_is_wanted),
		TEST(a_bad_key_file_is_refused_and_never_shown),
		TEST(a_key_is_made_once_and_differs_each_time),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
