#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/common/crypto/make_pki.h"
#include "tests/unit/ks/ks_world.h"

// Made for these tests, used nowhere else.
static const char ec_pem[] = "-----BEGIN PRIVATE KEY-----\n"
			     "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgngzyyDPLucb1XNos\n"
			     "8OX6tJe71xULDR8ms9t4+nYEpM6hRANCAAQonJVYJ+Xe9AAxR0pWfdBWmcc0SsWC\n"
			     "fxeoPLwgObfnW4Q7sCcQXa9BaCYa+liIbwTNfx28ZUj+US9x72MJ/pLS\n"
			     "-----END PRIVATE KEY-----\n";
static const char rsa_1024_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAJrv0zttcOMz6G3H\n"
	"zJ0AR7K5dpFbyUMfwQRle/BSPCB1mvZ4lOY2cEryxMFeBKbksrpCw2kOjqYBxbGn\n"
	"sqkliOOvEJ/KK4EIJj3FrFEaHtynR35Dai3/a+aSpOT3hrIToOwEILCcC21ytBr7\n"
	"8QkgeAdvyBkIG16rtv0jqPKptxFbAgMBAAECgYAmK8Ostm/DafxvX3QHkhQX8h1F\n"
	"/oj9IouZG6+HK5tom9DLvDVi6jKMJHdY9GLNAzcNMHmYHmACghlEhX48seShYUk3\n"
	"8aLHdifsrmtHDKwrwrnW5hxRYw/Jp3DkAWWNpxgsA8SD5mOX2g0ou0gjae4F1PO6\n"
	"ub8cWtzAF5scaj854QJBAM0djHrziIIYt6zqmt7Bw5O1i5DyKgtXFWyeSi0xiX7b\n"
	"UgYn8BsNzXOhR+0veYPVZ6MwUaYNy8FHU4097oTQCXMCQQDBX4m8MlcyYNB8AvsT\n"
	"lESBfEutkOqQJHh/cPBvrc4JeEX91iEUhEO5W4ZHeP76gfdOGylAF/EQqWRz5dTH\n"
	"VH55AkEAhbm5B8PUgLTqsvJ1K7t57cgTiNlI7gHFdv4v8Az2zlzguiC5mnnCM5u3\n"
	"j/w+peOw4KS05qTh7U26PEBfS/lx3wJAeDsavHTgWmZvumtwCOBrJ8dMloJAFZdX\n"
	"hIWIOSfrr1+kxQraTpNeOGV7u/yzLLaaOWoR39QDAsUPvC/ueHFEoQJACj2h1cCr\n"
	"b/jWkOiv17Ow10mkjMPWnWgF7pjGJKlZex5VKzOaGXJqcdhHD2mFj8P8RDsr/bdq\n"
	"/vkznA6h1TJycg==\n"
	"-----END PRIVATE KEY-----\n";

#define KSD    "ksd: { address = \"10.0.0.1\"; };\n"
#define ISAKMP "isakmp = ( { } );\n"
#define PSK    "psk = ( { peer = \"192.0.2.0/24\"; key = \"secret\"; } );\n"
#define KEYS   "keys = ( { label = \"REKEY\"; file = \"rekey.pem\"; } );\n"
#define ACLS                                                                                       \
	"acls = ( { name = \"LANS\"; lines = (\n"                                                  \
	"  { action = \"permit\"; source = \"10.1.0.0/16\"; destination = \"10.2.0.0/16\"; } ); "  \
	"} );\n"
#define REKEY "rekey: { signing_key = \"REKEY\"; };"
#define SA    "sa = ( { number = 10; transform = \"esp-gcm 128\"; acl = \"LANS\"; } );"
#define GROUP "groups = ( { name = \"G1\"; identity = 1234; " REKEY " " SA " } );\n"

struct heard {
	unsigned n_errors, n_warnings;
	char text[4096];
};

static void hear(void *arg, const char *text)
{
	struct heard *h = arg;
	size_t n = strlen(h->text);

	if (strstr(text, ": warning: "))
		h->n_warnings++;
	else
		h->n_errors++;
	snprintf(h->text + n, sizeof(h->text) - n, "%s\n", text);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void remove_dir(const char *dir)
{
	static const char *const names[] = { "ksd.conf", "rekey.pem", "weak.pem", "junk.pem" };
	char path[256];

	for (size_t i = 0; i < N_ELEMS(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static struct ks_conf *load(const char *text, struct heard *h)
{
	char dir[] = "/tmp/ks_conf_test.XXXXXX", path[256];
	struct ks_conf *c;

	memset(h, 0, sizeof(*h));
	assert_non_null(mkdtemp(dir));
	write_file(dir, "ksd.conf", text);
	write_file(dir, "rekey.pem", ec_pem);
	write_file(dir, "weak.pem", rsa_1024_pem);
	write_file(dir, "junk.pem", "no key at all\n");
	snprintf(path, sizeof(path), "%s/ksd.conf", dir);
	c = ks_conf_load(path, hear, h);
	remove_dir(dir);
	return c;
}

// The file is refused, and one line of the report holds all of these.
static void refuses(const char *text, const char *line, const char *word, const char *why)
{
	struct heard h;
	char *saved = NULL;
	bool found = false;

	assert_null(load(text, &h));
	assert_true(h.n_errors > 0);
	print_message("%s", h.text);
	for (char *l = strtok_r(h.text, "\n", &saved); l; l = strtok_r(NULL, "\n", &saved))
		found = found || (strstr(l, line) && strstr(l, word) && strstr(l, why));
	if (!found)
		fail_msg("nothing about %s %s: %s", line, word, why);
}

static void a_small_file_is_complete_with_its_defaults(void **state)
{
	struct heard h;
	struct ks_conf *c = load(KSD ISAKMP PSK KEYS ACLS GROUP, &h);
	const struct ks_group_conf *g;

	(void)state;
	if (!c)
		fail_msg("%s", h.text);
	g = &c->groups[0];
	assert_int_equal(c->port, 848);
	assert_int_equal(c->workers, 1);
	assert_false(c->accept_doi1);
	assert_int_equal(g->identity, 1234);
	assert_int_equal(g->kek.life_s, 86400);
	assert_int_equal(g->kek.sign_alg, SIGN_ECDSA_P256);
	assert_int_equal(g->kek.sign_hash, HASH_ALG_SHA256);
	assert_int_equal(g->kek.suite->key_bits, 128);
	assert_int_equal(g->retransmit_s, 10);
	assert_int_equal(g->retransmit_number, 2);
	assert_int_equal(g->kek.ack, KEK_ACK_KEK);
	assert_int_equal(g->kek.lkh_degree, 0);
	assert_int_equal(g->sid_bits, 24);
	assert_int_equal(g->member_age_s, 0);
	assert_int_equal(g->reg_limit.burst, 10);
	assert_int_equal(g->reg_limit.interval_s, 30);
	assert_int_equal(g->policy->slot[0].life_s, 3600);
	assert_int_equal(h.n_errors + h.n_warnings, 0);
	ks_conf_free(c);
}

static void keys_stronger_than_the_phase_1_that_carries_them_are_warned_about(void **state)
{
	struct heard h;
	struct ks_conf *c = load(KSD ISAKMP PSK KEYS ACLS
				 "groups = ( { name = \"G1\"; identity = 1; rekey: { signing_key = "
				 "\"REKEY\"; key_bits = 256; }; " SA " } );\n",
				 &h);

	(void)state;
	assert_non_null(c);
	assert_int_equal(h.n_warnings, 1);
	assert_non_null(strstr(h.text, "keys of 256 bits, and isakmp lets them travel under 128"));
	ks_conf_free(c);
	c = load(KSD "isakmp = ( { key_bits = 256; } );\n" PSK KEYS ACLS
		     "groups = ( { name = \"G1\"; identity = 1; rekey: { signing_key = \"REKEY\"; "
		     "key_bits = 256; }; " SA " } );\n",
		 &h);
	assert_non_null(c);
	assert_int_equal(h.n_warnings, 0);
	ks_conf_free(c);
}

static void write_pem(const char *dir, const char *name, struct bytes pem)
{
	char text[4096];

	snprintf(text, sizeof(text), "%.*s", (int)pem.len, (const char *)pem.p);
	write_file(dir, name, text);
}

static void a_rekey_key_that_is_a_trustpoints_too_is_warned_about(void **state)
{
	int64_t from = time(NULL) - MP_NOW - MP_DAY, until = from + 3 * MP_DAY;
	struct mp_spec ca = { .cn = "root", .from = from, .until = until, .ext = { MP_CA_EXT } };
	struct mp_spec ee = { .cn = "ks1", .from = from, .until = until };
	struct mp_node root = mp_issue(NULL, &ca), own = mp_issue(&root, &ee);
	char dir[] = "/tmp/ks_conf_test.XXXXXX", path[256];
	struct heard h = { 0 };
	struct ks_conf *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	write_pem(dir, "weak.pem", mp_pem(root.x));
	write_pem(dir, "junk.pem", mp_pem(own.x));
	write_pem(dir, "rekey.pem", mp_key_pem(own.key));
	write_file(dir, "ksd.conf",
		   KSD "trustpoints = ( { name = \"T\"; ca = \"weak.pem\"; certificate = "
		       "\"junk.pem\"; key = \"rekey.pem\"; revocation = [ \"none\" ]; } "
		       ");\n" ISAKMP PSK KEYS ACLS GROUP);
	snprintf(path, sizeof(path), "%s/ksd.conf", dir);
	c = ks_conf_load(path, hear, &h);
	assert_non_null(c);
	assert_int_equal(h.n_warnings, 1);
	assert_non_null(strstr(h.text, "\"REKEY\" is the key of trustpoint \"T\" too"));
	ks_conf_free(c);
	remove_dir(dir);
	mp_free(&own);
	mp_free(&root);
}

static void several_groups_may_share_lists_and_keys(void **state)
{
	struct heard h;
	struct ks_conf *c = load(KSD ISAKMP PSK KEYS ACLS
				 "groups = ( { name = \"G1\"; identity = 1; " REKEY " " SA " },\n"
				 " { name = \"G2\"; identity = 2; " REKEY " sid_bits = 16;\n"
				 "   receive_only = true;\n"
				 "   authorization = [ \"192.0.2.0/25\", \"198.51.100.1\" ];\n"
				 "   " SA " } );\n",
				 &h);

	(void)state;
	if (!c)
		fail_msg("%s", h.text);
	assert_int_equal(c->n_groups, 2);
	assert_int_equal(c->groups[1].sid_bits, 16);
	assert_false(c->groups[0].policy->receive_only);
	assert_true(c->groups[1].policy->receive_only);
	assert_int_equal(c->groups[1].n_authorized, 2);
	ks_conf_free(c);
}

static void a_group_may_have_a_key_tree(void **state)
{
	struct heard h;
	struct ks_conf *c =
		load(KSD ISAKMP PSK KEYS ACLS
		     "groups = ( { name = \"G1\"; identity = 1; rekey: { signing_key = "
		     "\"REKEY\"; management = \"lkh\"; lkh_degree = 4; acknowledgement = "
		     "\"lkh\"; }; " SA " } );\n",
		     &h);

	(void)state;
	if (!c)
		fail_msg("%s", h.text);
	assert_int_equal(c->groups[0].kek.lkh_degree, 4);
	assert_int_equal(c->groups[0].kek.ack, KEK_ACK_LKH);
	ks_conf_free(c);
	refuses(KSD ISAKMP PSK KEYS ACLS
		"groups = ( { name = \"G1\"; identity = 1; rekey: { "
		"signing_key = \"REKEY\"; acknowledgement = \"lkh\"; };\n" SA " } );\n",
		":7:", "acknowledgement", "needs management");
}

static void what_is_wrong_is_told_with_line_and_word(void **state)
{
	(void)state;
	refuses(KSD ISAKMP PSK KEYS ACLS, "", "groups", "is missing");
	refuses("ksd: { addr = \"10.0.0.1\"; };\n" ISAKMP PSK KEYS ACLS GROUP, ":1:", "addr",
		"known are: address");
	refuses("ksd: { address = \"10.0.0.1\"; port = 70000; };\n" ISAKMP PSK KEYS ACLS GROUP,
		":1:", "port", "out of range");
	refuses("ksd: { address = \"10.0.0.1\"; port = 4500; };\n" ISAKMP PSK KEYS ACLS GROUP,
		":1:", "nat_port", "4500 is the port without NAT");
	refuses(KSD "isakmp = ( { group = 2; } );\n" PSK KEYS ACLS GROUP, ":2:", "group",
		"out of range");
	refuses(KSD ISAKMP PSK KEYS ACLS "groups = ( { name = \"G1\"; identity = 1; rekey: { "
					 "signing_key = \"OTHER\"; };\n" SA " } );\n",
		":7:", "signing_key", "no key is labelled \"OTHER\"");
	refuses(KSD ISAKMP PSK KEYS ACLS "groups = ( { name = \"G1\"; identity = 1; " REKEY
					 "\n sa = ( { number = 10; "
					 "transform = \"esp-3des\"; acl = \"LANS\"; } ); } );\n",
		":8:", "transform", "\"esp-3des\" is not known");
	refuses(KSD ISAKMP PSK KEYS ACLS "groups = ( { name = \"G1\"; identity = 1; " REKEY
					 "\n sa = ( { number = 10; "
					 "transform = \"esp-gcm 128\"; acl = \"WANS\"; } ); } );\n",
		":8:", "acl", "no access list is named \"WANS\"");
	refuses(KSD ISAKMP PSK KEYS ACLS
		"groups = ( { name = \"G1\"; identity = 1; sid_bits = 20; " REKEY " " SA " } );\n",
		":7:", "sid_bits", "8, 12, 16, 24 or 32");
	refuses(KSD ISAKMP PSK KEYS ACLS
		"groups = ( { name = \"G1\"; identity = 1; member_age_s = 3600; " REKEY " " SA
		" } );\n",
		":7:", "member_age_s", "less than the lifetime of a KEK, 86400 s");
	refuses(KSD ISAKMP PSK KEYS ACLS
		"groups = ( { name = \"G1\"; identity = 1;\nregistration_interval_s = 0; " REKEY
		" " SA " } );\n",
		":8:", "registration_interval_s", "out of range");
	refuses(KSD ISAKMP PSK KEYS ACLS "groups = ( { name = \"G1\"; identity = 1; " REKEY " " SA
					 " },\n"
					 " { name = \"G2\"; identity = 1; " REKEY " " SA " } );\n",
		":8:", "identity", "that of group \"G1\"");
	refuses("ksd: { address = \"10.0.0.1\" \n" ISAKMP, ":3:", "", "syntax error");
}

static void keys_by_name_and_aggressive_mode_are_read_and_judged(void **state)
{
	struct isakmp_id id = { .type = ISAKMP_ID_FQDN, .data = BYTES_LIT("gm7.example.net") };
	struct addr a = addr_from_v4(0xc0000201), b = addr_from_v4(0xc0000205);
	struct ike_conf ike = { .n_proposals = 0 };
	struct ks_conf *c;
	struct heard h;

	(void)state;
	c = load(KSD ISAKMP "psk = ( { peer = \"192.0.2.0/24\"; key = \"wide\"; },\n"
			    "{ peer = \"192.0.2.1\"; key = \"one\"; aggressive = true; },\n"
			    "{ id = \"gm7.example.net\"; key = \"seven\"; } );\n" KEYS ACLS GROUP,
		 &h);
	assert_non_null(c);
	assert_non_null(strstr(h.text, ":4: warning: aggressive:"));
	assert_non_null(strstr(h.text, ":5: warning: aggressive:"));
	ike_settings_apply(&c->ike, &ike);
	assert_true(ike.aggressive(ike.psk_arg, &a));
	assert_false(ike.aggressive(ike.psk_arg, &b));
	assert_memory_equal(ike.psk_of_name(ike.psk_arg, &id)->b, "seven", 5);
	assert_memory_equal(ike.psk(ike.psk_arg, &b)->b, "wide", 4);
	id.type = ISAKMP_ID_USER_FQDN;
	assert_null(ike.psk_of_name(ike.psk_arg, &id));
	ks_conf_free(c);
	refuses(KSD ISAKMP "psk = ( { key = \"k\"; } );\n" KEYS ACLS GROUP, ":3:", "peer",
		"either peer or id");
	refuses(KSD ISAKMP
		"psk = ( { peer = \"192.0.2.1\"; key = \"k\"; own_id = \"x\"; } );\n" KEYS ACLS
			GROUP,
		":3:", "own_id", "aggressive = true is missing");
}

static void a_signing_key_that_cannot_sign_is_refused(void **state)
{
	(void)state;
	refuses(KSD ISAKMP PSK
		"keys = ( { label = \"REKEY\"; file = \"junk.pem\"; } );\n" ACLS GROUP,
		":4:", "file", "holds no private key");
	refuses(KSD ISAKMP PSK
		"keys = ( { label = \"REKEY\"; file = \"none.pem\"; } );\n" ACLS GROUP,
		":4:", "file", "No such file");
	refuses(KSD ISAKMP PSK
		"keys = ( { label = \"REKEY\"; file = \"weak.pem\"; } );\n" ACLS GROUP,
		":7:", "signing_key", "2048 or more");
}

static void every_problem_of_a_file_is_told_in_one_go(void **state)
{
	struct heard h;

	(void)state;
	assert_null(load("ksd: { address = \"10.0.0.300\"; workers = 100; };\n" ISAKMP
			 "psk = ( { peer = \"192.0.2.1/24\"; key = \"\"; } );\n" KEYS ACLS GROUP,
			 &h));
	assert_int_equal(h.n_errors, 4);
}

static void a_deny_that_only_our_members_understand_is_a_warning_with_its_line(void **state)
{
	struct heard h;
	struct ks_conf *c = load(
		KSD ISAKMP PSK KEYS
		"acls = ( { name = \"LANS\"; lines = (\n"
		" { action = \"deny\"; protocol = \"tcp\"; source = \"any\"; destination = "
		"\"any\"; },\n"
		" { action = \"permit\"; source = \"10.1.0.0/16\"; destination = \"10.1.0.0/16\"; "
		"} ); } );\n" GROUP,
		&h);

	(void)state;
	assert_non_null(c);
	assert_int_equal(h.n_warnings, 1);
	assert_non_null(strstr(h.text, ":6: warning: this deny"));
	assert_non_null(strstr(h.text, "vendor id"));
	ks_conf_free(c);
}

static void too_many_entries_are_refused_with_the_line_of_the_list(void **state)
{
	char text[16384];
	size_t n;

	(void)state;
	n = (size_t)snprintf(text, sizeof(text), "%s",
			     KSD ISAKMP PSK KEYS "acls = ( { name = \"LANS\"; lines = (\n");
	for (unsigned i = 0; i < 101; i++)
		n += (size_t)snprintf(
			text + n, sizeof(text) - n,
			"%s{ action = \"permit\"; source = \"10.%u.0.0/16\"; destination = "
			"\"10.0.0.0/8\"; }\n",
			i ? "," : "", i);
	snprintf(text + n, sizeof(text) - n, ") } );\n%s", GROUP);
	refuses(text, ":106:", "acls", "100 are the most");
}

#define MULTICAST(words)                                                                           \
	KSD ISAKMP PSK KEYS ACLS "groups = ( { name = \"G1\"; identity = 1; rekey: { "             \
				 "signing_key = \"REKEY\"; " words " }; " SA " } );\n"

static void a_group_may_be_rekeyed_by_multicast(void **state)
{
	struct addr near = { 0 }, far = { 0 };
	struct ks_group_conf *g;
	struct ks_conf *c;
	struct heard h;

	(void)state;
	c = load(MULTICAST("transport = \"multicast\"; address = \"239.192.1.1\"; ttl = 9; "
			   "unicast_members = [ \"192.0.2.8/29\" ]; no_ack = [ \"192.0.2.9\" ];"),
		 &h);
	assert_non_null(c);
	g = &c->groups[0];
	assert_int_equal(addr_to_v4(&g->kek.group.addr), 0xefc00101);
	assert_int_equal(g->kek.group.port, 848);
	assert_int_equal(g->kek.ttl, 9);
	assert_int_equal(addr_parse("192.0.2.1", &near), 0);
	assert_int_equal(addr_parse("192.0.2.9", &far), 0);
	assert_true(ks_conf_by_group(g, &g->kek, &near));
	assert_false(ks_conf_by_group(g, &g->kek, &far));
	ks_conf_free(c);

	refuses(MULTICAST("transport = \"multicast\";"), ":7:", "address", "239.192.1.1");
	refuses(MULTICAST("transport = \"multicast\"; address = \"10.1.1.1\";"), ":7:", "address",
		"group address");
	refuses(MULTICAST("transport = \"multicast\"; address = \"224.0.0.9\";"), ":7:", "address",
		"routers forward");
	refuses(MULTICAST("address = \"239.192.1.1\";"), ":7:", "address", "multicast");
	refuses(MULTICAST("unicast_members = [ \"192.0.2.8/29\" ];"), ":7:", "unicast_members",
		"multicast");
	refuses(MULTICAST("transport = \"multicast\"; address = \"239.192.1.1\"; "
			  "no_ack = [ \"192.0.2.9\" ];"),
		":7:", "no_ack", "unicast_members");
}

#define REPLAY(what)                                                                               \
	KSD ISAKMP PSK KEYS ACLS                                                                   \
		"groups = ( { name = \"G1\"; identity = 1;\n"                                      \
		" rekey: { signing_key = \"REKEY\"; };\n"                                          \
		" sa = ( { number = 10; transform = \"esp-gcm 128\"; acl = \"LANS\"; " what        \
		" } ); } );\n"

static void takes_replay(const char *text, struct replay want)
{
	struct heard h;
	struct ks_conf *c = load(text, &h);

	assert_non_null(c);
	assert_true(replay_eq(c->groups[0].policy->slot[0].replay, want));
	ks_conf_free(c);
}

static void anti_replay_is_64_packets_or_what_the_file_says(void **state)
{
	(void)state;
	takes_replay(REPLAY(""), (struct replay){ REPLAY_COUNTER, 64 });
	takes_replay(REPLAY("replay = { window = 1024; };"),
		     (struct replay){ REPLAY_COUNTER, 1024 });
	takes_replay(REPLAY("replay = { mode = \"time\"; window = 100; };"),
		     (struct replay){ REPLAY_TIME, 100 });
	refuses(REPLAY("replay = { window = 100; };"), ":9:", "window", "64, 128, 256");
	refuses(REPLAY("replay = { mode = \"time\"; window = 101; };"), ":9:", "window",
		"1 to 100");
	refuses(REPLAY("replay = { mode = \"time\"; window = 0; };"), ":9:", "window", "");
	refuses(REPLAY("replay = { mode = \"clock\"; window = 64; };"), ":9:", "mode", "time");
	refuses(REPLAY("replay = { mode = \"time\"; };"), ":9:", "window", "");
}

static void short_lives_are_warned_about(void **state)
{
	struct heard h;
	struct ks_conf *c =
		load(KSD ISAKMP PSK KEYS ACLS
		     "groups = ( { name = \"G1\"; identity = 1;\n"
		     " rekey: { signing_key = \"REKEY\"; lifetime = 60; };\n"
		     " sa = ( { number = 10; transform = \"esp-gcm 128\"; lifetime = 40; acl "
		     "= \"LANS\"; } ); } );\n",
		     &h);

	(void)state;
	assert_non_null(c);
	assert_int_equal(h.n_warnings, 3); // KEK, TEK, and the repetitions that do not fit
	assert_non_null(strstr(h.text, "TEKs of 40 s are short for 3 sendings"));
	ks_conf_free(c);
}

#define REACH(lines)                                                                               \
	KSD ISAKMP PSK KEYS "acls = ( { name = \"LANS\"; lines = (\n" lines " ); } );\n" GROUP
#define PERMIT_10 "{ action = \"permit\"; source = \"10.0.0.0/8\"; destination = \"10.0.0.0/8\"; }"

static void a_permit_over_our_own_address_is_told_with_the_lines_that_mend_it(void **state)
{
	struct heard h;
	struct ks_conf *c = load(REACH(PERMIT_10), &h);

	(void)state;
	assert_non_null(c);
	ks_conf_free(c);
	assert_non_null(strstr(h.text, ":6: warning: this permit of group \"G1\" covers the key "
				       "server's own address 10.0.0.1"));
	assert_non_null(strstr(h.text, "{ action = \"deny\"; protocol = \"ip\"; source = "
				       "\"10.0.0.1\"; destination = \"any\"; },"));
	assert_non_null(strstr(h.text,
			       "{ action = \"deny\"; protocol = \"udp\"; source = \"any\"; "
			       "destination = \"10.0.0.1\"; destination_port = \"4500\"; },"));
	c = load(REACH("{ action = \"deny\"; protocol = \"ip\"; source = \"10.0.0.1\"; destination "
		       "= "
		       "\"any\"; },\n{ action = \"deny\"; protocol = \"ip\"; source = \"any\"; "
		       "destination = \"10.0.0.1\"; },\n" PERMIT_10),
		 &h);
	assert_non_null(c);
	ks_conf_free(c);
	assert_int_equal(h.n_warnings, 0);
}

static void a_deny_of_the_network_or_of_one_way_counts_for_what_it_covers(void **state)
{
	struct heard h;
	struct ks_conf *c;

	(void)state;
	c = load(REACH("{ action = \"deny\"; protocol = \"ip\"; source = \"10.0.0.0/24\"; "
		       "destination = \"any\"; },\n" PERMIT_10),
		 &h);
	assert_non_null(c);
	ks_conf_free(c);
	assert_null(strstr(h.text, "source = \"10.0.0.1\""));
	assert_non_null(strstr(h.text, "destination = \"10.0.0.1\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_file_is_complete_with_its_defaults),
		cmocka_unit_test(keys_stronger_than_the_phase_1_that_carries_them_are_warned_about),
		cmocka_unit_test(a_rekey_key_that_is_a_trustpoints_too_is_warned_about),
		cmocka_unit_test(several_groups_may_share_lists_and_keys),
		cmocka_unit_test(a_group_may_have_a_key_tree),
		cmocka_unit_test(a_group_may_be_rekeyed_by_multicast),
		cmocka_unit_test(what_is_wrong_is_told_with_line_and_word),
		cmocka_unit_test(keys_by_name_and_aggressive_mode_are_read_and_judged),
		cmocka_unit_test(a_signing_key_that_cannot_sign_is_refused),
		cmocka_unit_test(every_problem_of_a_file_is_told_in_one_go),
		cmocka_unit_test(
			a_deny_that_only_our_members_understand_is_a_warning_with_its_line),
		cmocka_unit_test(too_many_entries_are_refused_with_the_line_of_the_list),
		cmocka_unit_test(anti_replay_is_64_packets_or_what_the_file_says),
		cmocka_unit_test(short_lives_are_warned_about),
		cmocka_unit_test(a_permit_over_our_own_address_is_told_with_the_lines_that_mend_it),
		cmocka_unit_test(a_deny_of_the_network_or_of_one_way_counts_for_what_it_covers),
	};

	assert_int_equal(crypto_init(), 0);
	return cmocka_run_group_tests_name("ks/ks_conf", tests, NULL, NULL);
}
