#include "tests/unit/conf_text.h"

#include "gm/gm_conf.h"

static const char good[] =
	"gmd: { address = \"192.0.2.1\"; };\n"
	"isakmp = ( { group = 19; }, { hash = \"sha384\"; key_bits = 256; group = 20; } );\n"
	"psk = ( { peer = \"10.0.0.0/24\"; key = \"wide\"; }, { peer = \"10.0.0.1\"; key = \"k\"; "
	"} );\n"
	"acls = ( { name = \"OWN\"; lines = ( { action = \"deny\"; protocol = \"tcp\"; source = "
	"\"any\";\n"
	"  destination = \"10.9.0.0/16\"; destination_port = \"22-23\"; } ); } );\n"
	"groups = ( { name = \"G1\"; identity = 1234; servers = [ \"10.0.0.1\", \"10.0.0.2\" ];\n"
	"  local_acl = \"OWN\"; send_doi1 = true; server_port = 500; },\n"
	"  { name = \"G2\"; identity = 4294967295L; servers = [ \"10.0.0.2\" ]; } );\n";

static struct gm_conf *load(const char *text, struct told *t)
{
	char path[sizeof(CONF_TEXT_PATH)];
	struct gm_conf *c;

	conf_text_file(text, path);
	t->text[0] = '\0';
	c = gm_conf_load(path, tell, t);
	unlink(path);
	return c;
}

// The good file with one thing replaced is refused, and the report has these words.
static void refused(const char *from, const char *to, const char *line, const char *word)
{
	const char *at = strstr(good, from);
	char text[4096];
	struct told t;

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	assert_null(load(text, &t));
	if (!strstr(t.text, word) || !strstr(t.text, line))
		print_message("report was: %s", t.text);
	assert_non_null(strstr(t.text, word));
	assert_non_null(strstr(t.text, line));
}

static void without_nat_traversal_there_is_no_second_port(void **state)
{
	static const char head[] = "gmd: { address = \"192.0.2.1\"; nat_traversal = false; "
				   "nat_port = 848; };\n";
	char text[4096];
	struct gm_conf *c;
	struct told t;

	(void)state;
	snprintf(text, sizeof(text), "%s%s", head, strchr(good, '\n') + 1);
	c = load(text, &t);
	if (!c)
		fail_msg("%s", t.text);
	assert_int_equal(c->nat_port, 0);
	gm_conf_free(c);
	c = load(good, &t);
	assert_non_null(c);
	assert_int_equal(c->nat_port, 4500);
	assert_int_equal(c->nat_keepalive_s, 20);
	gm_conf_free(c);
}

static void a_good_file_is_read_with_its_defaults(void **state)
{
	struct told t;
	struct gm_conf *c = load(good, &t);

	(void)state;
	assert_string_equal(t.text, "");
	assert_non_null(c);
	assert_int_equal(c->port, 848);
	assert_string_equal(c->espd, "/run/conclave/espd.sock");
	assert_int_equal(c->ike.n_proposals, 2);
	assert_int_equal(c->ike.proposal[1].cipher, CIPHER_AES256_CBC);
	assert_int_equal(c->ike.proposal[1].group, DH_ECP384);
	assert_int_equal(c->n_groups, 2);
	assert_int_equal(c->group[0].n_servers, 2);
	assert_int_equal(c->group[0].server_port, 500);
	assert_true(c->group[0].send_doi1);
	assert_int_equal(c->group[1].identity, UINT32_MAX);
	assert_int_equal(c->acls.acl[0].lines[0].acl.flow.dst.port_lo, 22);
	assert_int_equal(c->acls.acl[0].lines[0].acl.flow.dst.port_hi, 23);
	gm_conf_free(c);
}

static void other_readings_of_the_rfcs_can_be_asked_for(void **state)
{
	const struct addr at[3] = { addr_from_v4(0x0a000001), addr_from_v4(0x0a000002),
				    addr_from_v4(0x0a020002) };
	struct ike_conf conf = { 0 };
	struct gm_conf *c;
	char text[4096];
	struct told t;

	(void)state;
	snprintf(text, sizeof(text),
		 "%swire = { sat_id_len = 2; accept_rsa_bare_hash = false; };\n", good);
	c = load(text, &t);
	assert_string_equal(t.text, "");
	assert_int_equal(ike_settings_wire(&c->ike).sat_id_len, 2);
	assert_int_equal(ike_settings_wire(&c->ike).sak_id_len, 1);
	assert_false(ike_settings_wire(&c->ike).accept_rsa_bare_hash);
	assert_true(ike_settings_wire(&c->ike).accept_other_id_len);
	gm_conf_free(c);
	snprintf(text, sizeof(text),
		 "%swire = { sat_id_len = 2; };\npeers = ( { peer = \"10.0.0.1\"; wire = { "
		 "dst_id_prot = true; }; }, { peer = \"10.0.0.0/24\"; wire = { any_src = "
		 "\"zeros\"; }; }, { peer = \"10.1.0.0/16\"; wire = { dst_id_prot = true; }; } "
		 ");\n",
		 good);
	c = load(text, &t);
	assert_string_equal(t.text, "");
	ike_settings_apply(&c->ike, &conf);
	assert_int_equal(c->ike.n_forms, 3); // the same readings are one form
	assert_int_equal(ike_form(&conf, &at[0]), 1);
	assert_int_equal(ike_form(&conf, &at[1]), 2);
	assert_int_equal(ike_form(&conf, &at[2]), 0);
	assert_true(ike_wire(&conf, &at[0])->dst_id_prot);
	assert_int_equal(ike_wire(&conf, &at[0])->sat_id_len, 2); // from the general ones
	assert_int_equal(ike_wire(&conf, &at[1])->any_src, GDOI_ANY_ZEROS);
	assert_false(ike_wire(&conf, &at[2])->dst_id_prot);
	gm_conf_free(c);
	snprintf(
		text, sizeof(text),
		"%speers = ( { peer = \"10.0.0.1\"; wire = { }; }, { peer = \"10.0.0.1\"; wire = { "
		"}; } );\n",
		good);
	assert_null(load(text, &t));
	assert_non_null(strstr(t.text, "peer: is there twice"));
	snprintf(text, sizeof(text), "%swire = { sat_id_len = 3; };\n", good);
	assert_null(load(text, &t));
	assert_non_null(strstr(t.text, "sat_id_len"));
}

static void the_longest_prefix_has_the_key(void **state)
{
	struct told t;
	struct gm_conf *c = load(good, &t);
	const struct secret *k;

	(void)state;
	k = ike_settings_psk(&c->ike, &c->group[0].server[0]);
	assert_int_equal(k->len, 1);
	k = ike_settings_psk(&c->ike, &c->group[0].server[1]);
	assert_int_equal(k->len, 4);
	gm_conf_free(c);
}

static void mistakes_are_named_with_file_line_and_word(void **state)
{
	(void)state;
	refused("\"192.0.2.1\"", "\"192.0.2.1\"; nat_port = 848",
		":1: nat_port:", "848 is the port without NAT");
	refused("\"192.0.2.1\"", "\"192.0.2.1\"; nat_keepalive = 4000",
		":1: nat_keepalive:", "out of range");
	refused("group = 19", "group = 17", ":2: group:", "14, 15, 16, 19, 20 or 21");
	refused("key_bits = 256", "key_bits = 192", ":2: key_bits:", "128 or 256");
	refused("\"wide\"", "\"\"", ":3: key:", "1 to 128 characters");
	refused("\"10.0.0.1\"; key", "\"10.0.0.0/24\"; key", ":3: peer:", "twice");
	refused("\"22-23\"", "\"23-22\"", ":4: destination_port:", "not a port");
	refused("protocol = \"tcp\"", "protocol = \"icmp\"", ":4: protocol:", "tcp, udp or sctp");
	refused("\"10.9.0.0/16\"", "\"10.9.0.1/16\"", ":5: destination:", "host bits");
	refused("\"any\"", "\"::/0\"", ":4: destination:", "IP version");
	refused("[ \"10.0.0.1\", \"10.0.0.2\" ]", "[ ]", ":6: servers:", "1 to 8");
	refused("\"10.0.0.1\", \"10.0.0.2\"", "\"10.0.0.2\", \"10.0.0.2\"", ": servers:", "twice");
	refused("\"10.0.0.1\", \"10.0.0.2\"", "\"ks.example\"", ": servers:", "not an IP address");
	refused("servers = [ \"10.0.0.2\" ]", "servers = [ \"10.1.0.2\" ]",
		":8: servers:", "psk has no key for 10.1.0.2");
	refused("servers = [ \"10.0.0.2\" ]", "servers = [ \"2001:db8::1\" ]",
		":8: servers:", "IP version");
	refused("\"192.0.2.1\"", "\"10.0.0.2\"", ":6: servers:", "own address");
	refused("local_acl = \"OWN\"", "local_acl = \"OTHER\"",
		":6: local_acl:", "no access list \"OTHER\"");
	refused("action = \"deny\"", "action = \"permit\"", ":6: local_acl:", "permit on line 4");
	refused("name = \"G2\"", "name = \"G1\"", ":8: name:", "twice");
	refused("send_doi1", "send_doi", ":7: send_doi:", "not a word known here");
	refused("gmd: { address = \"192.0.2.1\"; };", "", ": gmd:", "missing");
}

static void a_syntax_error_is_named_with_its_line(void **state)
{
	(void)state;
	refused("identity = 1234;", "identity = ;", ":6", "';' may be missing");
}

static void a_missing_file_is_said(void **state)
{
	struct told t = { "" };

	(void)state;
	assert_null(gm_conf_load("/nowhere/gmd.conf", tell, &t));
	assert_non_null(strstr(t.text, "/nowhere/gmd.conf: cannot be read"));
}

static void the_shipped_example_is_right(void **state)
{
	const char *path = getenv("CONCLAVE_SOURCE");
	char file[1024];
	struct told t = { "" };
	struct gm_conf *c;

	(void)state;
	assert_non_null(path);
	snprintf(file, sizeof(file), "%s/configs/gmd.conf", path);
	c = gm_conf_load(file, tell, &t);
	assert_string_equal(t.text, "");
	assert_non_null(c);
	gm_conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_file_is_read_with_its_defaults),
		cmocka_unit_test(without_nat_traversal_there_is_no_second_port),
		cmocka_unit_test(other_readings_of_the_rfcs_can_be_asked_for),
		cmocka_unit_test(the_longest_prefix_has_the_key),
		cmocka_unit_test(mistakes_are_named_with_file_line_and_word),
		cmocka_unit_test(a_syntax_error_is_named_with_its_line),
		cmocka_unit_test(a_missing_file_is_said),
		cmocka_unit_test(the_shipped_example_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
