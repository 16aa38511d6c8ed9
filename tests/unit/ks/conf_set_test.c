// Files of key servers that serve their groups together.
#include "tests/unit/unit.h"

#include <unistd.h>

#include "common/crypto/crypto.h"
#include "coop/coop_conf.h"
#include "coop/coop_key.h"
#include "ks/ks_conf.h"

#define KSD                                                                                        \
	"ksd: { address = \"10.0.0.1\"; state = \"/var/lib/conclave/ksd\"; };\n"                   \
	"isakmp = ( { } );\n"                                                                      \
	"psk = ( { peer = \"192.0.2.0/24\"; key = \"secret\"; } );\n"
#define COOP                                                                                       \
	"coop: { id = 1; priority = 100; key_file = \"coop.key\";\n"                               \
	"        peers = ( { address = \"10.0.0.2\"; }, { address = \"10.0.0.3\"; } ); };\n"
#define ACL(source)                                                                                \
	"acls = ( { name = \"LANS\"; lines = (\n"                                                  \
	"  { action = \"permit\"; source = \"" source                                              \
	"\"; destination = \"10.2.0.0/16\"; } ); } );\n"
#define ACLS ACL("10.1.0.0/16")
#define SA   "sa = ( { number = 10; transform = \"esp-gcm 128\"; acl = \"LANS\"; } );"
#define GROUP(rest)                                                                                \
	"groups = ( { name = \"G1\"; identity = 1234; rekey: { " rest " }; " SA " } );\n"

struct world {
	char dir[32], conf[64], key[64];
	unsigned n_errors;
	char text[8192];
};

static void hear(void *arg, const char *text)
{
	struct world *w = arg;
	size_t n = strlen(w->text);

	w->n_errors += strstr(text, ": warning: ") == NULL;
	snprintf(w->text + n, sizeof(w->text) - n, "%s\n", text);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct rng rng;
	const char *why;

	crypto_rng_init(&rng);
	strcpy(w->dir, "/tmp/ks-set-XXXXXX");
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

	unlink(w->conf);
	unlink(w->key);
	rmdir(w->dir);
	free(w);
	return 0;
}

static struct ks_conf *load(struct world *w, const char *text)
{
	FILE *f = fopen(w->conf, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	w->n_errors = 0;
	w->text[0] = '\0';
	return ks_conf_load(w->conf, hear, w);
}

static struct ks_conf *must_load(struct world *w, const char *text)
{
	struct ks_conf *c = load(w, text);

	if (!c)
		fail_msg("%s", w->text);
	return c;
}

static void refuses(struct world *w, const char *text, const char *line, const char *why)
{
	char at[128];

	assert_null(load(w, text));
	snprintf(at, sizeof(at), "ksd.conf:%s: ", line);
	if (!strstr(w->text, at) || !strstr(w->text, why))
		fail_msg("not \"%s\" in line %s: %s", why, line, w->text);
}

static void a_set_needs_no_signing_key_file(void **state)
{
	struct ks_conf *c = must_load(*state, KSD COOP ACLS GROUP(""));
	const struct ks_group_conf *g = &c->groups[0];

	assert_true(g->in_set);
	assert_string_equal(g->kek.sign_label, "");
	assert_int_equal(g->kek.sign_alg, SIGN_RSA);
	assert_int_equal(g->kek.sign_bits, 2048);
	assert_int_equal(g->set.group, 1234);
	assert_int_equal(g->set.id, 1);
	assert_int_equal(g->set.priority, 100);
	assert_int_equal(g->set.n_peers, 2);
	assert_int_equal(g->set.sid_bits, 24);
	assert_memory_equal(g->set.text, "Conclave ", 9);
	ks_conf_free(c);
}

static void the_kind_of_key_that_a_set_makes_can_be_named(void **state)
{
	struct ks_conf *c = must_load(*state, KSD COOP ACLS GROUP("signing_type = \"ecdsa-384\";"));

	assert_int_equal(c->groups[0].kek.sign_alg, SIGN_ECDSA_P384);
	assert_int_equal(c->groups[0].kek.sign_bits, 384);
	assert_int_equal(c->groups[0].kek.sign_hash, HASH_ALG_SHA384);
	ks_conf_free(c);
}

static void a_group_may_have_its_own_priority_or_stay_alone(void **state)
{
	struct ks_conf *c = must_load(*state, KSD COOP ACLS
				      "groups = ( { name = \"G1\"; identity = 1; rekey: { };\n"
				      " redundancy: { local_priority = 7; }; " SA " } );");

	assert_int_equal(c->groups[0].set.priority, 7);
	ks_conf_free(c);
	refuses(*state,
		KSD COOP ACLS "groups = ( { name = \"G1\"; identity = 1;\n"
			      " redundancy: { enabled = false; };\n rekey: { };\n " SA " } );",
		"10", "signing_key: is missing");
}

static void what_makes_no_set_is_told_with_line_and_word(void **state)
{
	struct world *w = *state;

	refuses(w, KSD ACLS GROUP(""), "6", "signing_key: is missing");
	refuses(w,
		KSD ACLS "groups = ( { name = \"G1\"; identity = 1;\n redundancy: { };\n"
			 " rekey: { }; " SA " } );",
		"7", "redundancy: is of use with a coop section only");
	refuses(w,
		"ksd: { address = \"10.0.0.1\"; };\nisakmp = ( { } );\n"
		"psk = ( { peer = \"192.0.2.0/24\"; key = \"s\"; } );\n" COOP ACLS GROUP(""),
		"4", "ksd.state is missing");
	refuses(w, KSD COOP ACLS GROUP("management = \"lkh\";"), "8", "a key tree");
	refuses(w, KSD COOP ACLS GROUP("signing_type = \"dsa\";"), "8", "signing_type");
	refuses(w,
		KSD "coop: { id = 16; key_file = \"coop.key\";\n"
		    " peers = ( { address = \"10.0.0.1\"; } ); };\n" ACLS GROUP(""),
		"5", "is our own address");
	assert_non_null(strstr(w->text, "ksd.conf:4: id: "));
}

static void a_permit_over_a_peers_address_is_warned_about_with_the_lines_that_mend_it(void **state)
{
	struct world *w = *state;
	struct ks_conf *c = must_load(w, KSD COOP ACL("10.0.0.3") GROUP(""));

	assert_int_equal(w->n_errors, 0);
	assert_null(strstr(w->text, "own address"));
	assert_non_null(strstr(w->text, "covers the address 10.0.0.3 of another key server"));
	assert_non_null(strstr(w->text, "{ action = \"deny\"; protocol = \"ip\"; source = "
					"\"10.0.0.3\"; destination = \"any\"; },"));
	assert_non_null(strstr(w->text, "{ action = \"deny\"; protocol = \"ip\"; source = "
					"\"10.0.0.1\"; destination = \"10.0.0.3\"; },"));
	ks_conf_free(c);
}

static void digest_of(struct world *w, const char *text, uint8_t out[COOP_DIGEST])
{
	struct ks_conf *c = must_load(w, text);

	memcpy(out, c->groups[0].set.digest, COOP_DIGEST);
	ks_conf_free(c);
}

static void two_boxes_of_one_policy_have_one_digest(void **state)
{
	uint8_t one[COOP_DIGEST], two[COOP_DIGEST];

	digest_of(*state, KSD COOP ACLS GROUP(""), one);
	digest_of(*state,
		  "ksd: { address = \"10.0.0.2\"; state = \"/tmp\"; };\nisakmp = ( { } );\n"
		  "psk = ( { peer = \"192.0.2.0/24\"; key = \"secret\"; } );\n"
		  "coop: { id = 2; key_file = \"coop.key\"; peers = ( { address = \"10.0.0.1\"; } "
		  "); };\n"
		  "acls = ( { name = \"OTHER\"; lines = ( { action = \"permit\"; source = "
		  "\"10.1.0.0/16\"; destination = \"10.2.0.0/16\"; } ); } );\n"
		  "groups = ( { name = \"EAST\"; identity = 1234; rekey: { retransmit_s = 3; "
		  "signing_type = \"rsa-4096\"; }; sa = ( { number = 10; transform = \"esp-gcm "
		  "128\"; acl = \"OTHER\"; } ); } );\n",
		  two);
	assert_memory_equal(one, two, COOP_DIGEST);
}

static void whatever_members_would_notice_changes_the_digest(void **state)
{
	static const char *const other[] = {
		KSD COOP ACL("10.1.0.0/17") GROUP(""),
		KSD COOP ACLS GROUP("lifetime = 3600;"),
		KSD COOP ACLS GROUP("key_bits = 256;"),
		KSD COOP ACLS GROUP("acknowledgement = \"none\";"),
		KSD COOP ACLS GROUP("atd_s = 5;"),
		KSD COOP ACLS GROUP("no_ack = [ \"192.0.2.9\" ];"),
		KSD COOP ACLS GROUP("transport = \"multicast\"; address = \"239.1.1.1\";"),
		KSD COOP ACLS "groups = ( { name = \"G1\"; identity = 1235; rekey: { }; " SA
			      " } );",
		KSD COOP ACLS "groups = ( { name = \"G1\"; identity = 1234; rekey: { }; sid_bits = "
			      "16; " SA " } );",
		KSD COOP ACLS "groups = ( { name = \"G1\"; identity = 1234; rekey: { }; "
			      "receive_only = true; " SA " } );",
		KSD COOP ACLS "groups = ( { name = \"G1\"; identity = 1234; rekey: { }; "
			      "authorization = [ \"192.0.2.0/25\" ]; " SA " } );",
		KSD COOP ACLS "groups = ( { name = \"G1\"; identity = 1234; rekey: { }; sa = ( { "
			      "number = 10; transform = \"esp-gcm 256\"; acl = \"LANS\"; } ); } );",
		KSD COOP ACLS "groups = ( { name = \"G1\"; identity = 1234; rekey: { }; sa = ( { "
			      "number = 10; transform = \"esp-gcm 128\"; lifetime = 7200; acl = "
			      "\"LANS\"; } ); } );",
		KSD COOP ACLS "groups = ( { name = \"G1\"; identity = 1234; rekey: { }; sa = ( { "
			      "number = 10; transform = \"esp-gcm 128\"; replay = { mode = "
			      "\"time\"; window = 20; }; acl = \"LANS\"; } ); } );",
	};
	uint8_t d[N_ELEMS(other) + 1][COOP_DIGEST];

	digest_of(*state, KSD COOP ACLS GROUP(""), d[N_ELEMS(other)]);
	for (size_t i = 0; i < N_ELEMS(other); i++) {
		digest_of(*state, other[i], d[i]);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(d[i], d[k], COOP_DIGEST);
		assert_memory_not_equal(d[i], d[N_ELEMS(other)], COOP_DIGEST);
	}
}

static void the_shipped_examples_are_right(void **state)
{
	static const char *const names[] = { "ksd-coop.conf" };
	struct world *w = *state;
	char text[8192], path[1024];
	struct ks_conf *c;
	size_t n;
	FILE *f;

	for (size_t i = 0; i < N_ELEMS(names); i++) {
		assert_non_null(getenv("CONCLAVE_SOURCE"));
		snprintf(path, sizeof(path), "%s/configs/%s", getenv("CONCLAVE_SOURCE"), names[i]);
		f = fopen(path, "r");
		assert_non_null(f);
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[n] = '\0';
		c = must_load(w, text);
		assert_string_equal(w->text, "");
		ks_conf_free(c);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		T(a_set_needs_no_signing_key_file),
		T(the_kind_of_key_that_a_set_makes_can_be_named),
		T(a_group_may_have_its_own_priority_or_stay_alone),
		T(what_makes_no_set_is_told_with_line_and_word),
		T(a_permit_over_a_peers_address_is_warned_about_with_the_lines_that_mend_it),
		T(two_boxes_of_one_policy_have_one_digest),
		T(whatever_members_would_notice_changes_the_digest),
		T(the_shipped_examples_are_right),
	};

	assert_int_equal(crypto_init(), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
