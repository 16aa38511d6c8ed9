#include "tests/unit/common/crypto/make_pki.h"

#include <unistd.h>

#include "common/ike/pki_conf.h"

// A folder with a CA (root), a member's certificate under it (gm) and one of a stranger (other).
struct folder {
	char path[64];
	char said[4096]; // everything that was complained about
};

static void write_file(const struct folder *f, const char *name, struct bytes b)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(b.p, 1, b.len, out), b.len);
	fclose(out);
}

static int folder_make(void **state)
{
	static struct folder f;
	int64_t from = time(NULL) - MP_NOW - MP_DAY, until = from + 3 * MP_DAY;
	struct mp_spec ca = { .cn = "root", .from = from, .until = until, .ext = { MP_CA_EXT } };
	struct mp_spec gm = { .cn = "gm1",
			      .from = from,
			      .until = until,
			      .ext = { { NID_subject_alt_name, "DNS:gm1.example.net" } } };
	struct mp_node root, member, other;

	assert_int_equal(crypto_init(), 0);
	strcpy(f.path, "/tmp/pki_conf_XXXXXX");
	assert_non_null(mkdtemp(f.path));
	root = mp_issue(NULL, &ca);
	member = mp_issue(&root, &gm);
	other = mp_issue(NULL, &(struct mp_spec){ .cn = "other", .from = from, .until = until });
	write_file(&f, "root.pem", mp_pem(root.x));
	write_file(&f, "gm.pem", mp_pem(member.x));
	write_file(&f, "gm.key", mp_key_pem(member.key));
	write_file(&f, "other.pem", mp_pem(other.x));
	write_file(&f, "other.key", mp_key_pem(other.key));
	mp_free(&root);
	mp_free(&member);
	mp_free(&other);
	*state = &f;
	return 0;
}

static int folder_remove(void **state)
{
	static const char *const names[] = { "root.pem",  "gm.pem",    "gm.key",
					     "other.pem", "other.key", "test.conf" };
	const struct folder *f = *state;
	char path[128];

	for (size_t i = 0; i < N_ELEMS(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->path, names[i]);
		unlink(path);
	}
	return rmdir(f->path);
}

static void hear(void *arg, const char *text)
{
	struct folder *f = arg;

	strncat(f->said, text, sizeof(f->said) - strlen(f->said) - 2);
	strcat(f->said, "\n");
}

static void each_tp(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_trustpoint(s, n, out);
}

static void each_isakmp(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_isakmp(s, n, out);
}

// Reads one trustpoint of these words and one isakmp entry. Number of complaints.
static unsigned load(struct folder *f, const char *words, const char *authentication,
		     struct ike_settings *out)
{
	static const struct set_row rows[] = {
		{ "trustpoints", SET_EACH, .each = each_tp, .max = 4, .help = "" },
		{ "isakmp", SET_EACH, .each = each_isakmp, .max = 4, .help = "" },
	};
	char text[1024], path[128];
	struct settings *s;
	unsigned n;

	snprintf(text, sizeof(text),
		 "trustpoints = ( { name = \"T\"; %s } );\n"
		 "isakmp = ( { authentication = \"%s\"; } );\n",
		 words, authentication);
	write_file(f, "test.conf", BYTES(text, strlen(text)));
	snprintf(path, sizeof(path), "%s/test.conf", f->path);
	f->said[0] = '\0';
	*out = (struct ike_settings){ .n_psks = 0 };
	s = settings_open(path, hear, f);
	assert_non_null(s);
	settings_group(s, settings_root(s), rows, N_ELEMS(rows), out);
	n = settings_n_errors(s);
	settings_close(s);
	return n;
}

#define CA	    "ca = \"root.pem\"; revocation = [ \"none\" ];"
#define ENROL(file) "enrollment = { file = \"" file "\"; };"
#define OWN	    "certificate = \"gm.pem\"; key = \"gm.key\";"

static void a_trustpoint_gives_identity_and_proposals(void **state)
{
	struct ike_settings i;

	assert_int_equal(load(*state, CA OWN, "ecdsa-sig", &i), 0);
	assert_int_equal(i.pki->n, 1);
	assert_int_equal(i.pki->tp[0].alg, SIGN_ECDSA_P256);
	assert_int_equal(i.pki->tp[0].id_type, CERT_ID_FQDN);
	assert_int_equal(i.pki->tp[0].n_own, 1);
	assert_int_equal(i.n_proposals, 1);
	assert_int_equal(i.proposal[0].auth, SIGN_ECDSA_P256);
	assert_true(ike_settings_has_sig_proposal(&i) && !ike_settings_has_psk_proposal(&i));
	ike_settings_fini(&i);
}

static void mistakes_are_told_with_their_word(void **state)
{
	static const struct {
		const char *words, *auth, *said;
	} rows[] = {
		{ CA OWN, "rsa-sig",
		  "authentication: no trustpoint has a certificate with an RSA" },
		{ CA, "ecdsa-sig", "authentication: no trustpoint" },
		{ "ca = \"root.pem\";", "pre-share", "revocation" },
		{ "ca = \"root.pem\"; revocation = [ \"often\" ];", "pre-share", "\"often\"" },
		{ "ca = \"none.pem\"; revocation = [ \"none\" ];", "pre-share", "ca: " },
		{ "ca = \"gm.pem\"; revocation = [ \"none\" ];", "pre-share", "issuer-is-no-ca" },
		{ CA "certificate = \"gm.pem\";", "pre-share", "certificate: " },
		{ CA "certificate = \"gm.pem\"; key = \"other.key\";", "pre-share",
		  "do not belong together" },
		{ CA "certificate = \"other.pem\"; key = \"other.key\";", "pre-share",
		  "issuer-unknown" },
		{ CA OWN "identity = \"address\";", "ecdsa-sig", "identity: " },
		{ CA "ocsp = \"ldap://x\";", "pre-share", "ocsp: " },
		{ CA "crl = \"gm.pem\";", "pre-share", "crl: " },
		{ CA "}, { name = \"T\"; " CA, "pre-share", "name: \"T\" is there twice" },
		{ CA ENROL("own.pem") "}, { name = \"U\"; " CA ENROL("own.pem"), "pre-share",
		  "file: trustpoint T has it too" },
		{ CA ENROL("root.pem"), "pre-share", "file: is the file of ca, chain or crl" },
	};
	struct folder *f = *state;
	struct ike_settings i;

	for (size_t k = 0; k < N_ELEMS(rows); k++) {
		if (load(f, rows[k].words, rows[k].auth, &i) == 0 ||
		    !strstr(f->said, rows[k].said) || !strstr(f->said, "test.conf:"))
			fail_msg("%s\nsays: %s", rows[k].words, f->said);
		ike_settings_fini(&i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trustpoint_gives_identity_and_proposals),
		cmocka_unit_test(mistakes_are_told_with_their_word),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
