// Messages of a key server and members that others wrote: every plaintext of the recorded runs
// decodes, means what the record says, and encodes to the same octets again.
// The recordings are not part of the project: CONCLAVE_VECTORS names their folder.
#include "tests/unit/unit.h"

#include "tests/unit/common/wire/samples.h"

#include <jansson.h>

#include "common/wire/gdoi_pull.h"
#include "common/wire/gdoi_push.h"
#include "common/wire/ike1_sa.h"
#include "common/wire/suite.h"

static struct gdoi_wire_opts opts;
static struct gdoi_pull2 m2; // large
static struct gdoi_pull4 m4;
static struct gdoi_push push;

static json_t *vectors_load(const char *name)
{
	const char *dir = getenv("CONCLAVE_VECTORS");
	char path[512];
	json_t *root;

	if (!dir) {
		print_message("skipped: CONCLAVE_VECTORS does not name a folder of recordings\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	root = json_load_file(path, 0, NULL);
	if (!root)
		fail_msg("%s: not readable as JSON", path);
	return root;
}

static struct bytes hex_of(const json_t *obj, const char *key, uint8_t *buf, size_t max)
{
	const char *hex = json_string_value(json_object_get(obj, key));

	assert_non_null(hex);
	return BYTES(buf, unhex(hex, buf, max));
}

static struct bytes plaintext(const json_t *client, const char *key, uint8_t *buf, size_t max)
{
	return hex_of(json_object_get(client, "plaintext"), key, buf, max);
}

// Phase 1 messages 1 to 4 are in clear.
static void phase1_is_ours_again(const json_t *client)
{
	const json_t *messages = json_object_get(client, "messages");

	for (size_t i = 0; i < 4; i++) {
		const char *hex = json_string_value(json_array_get(messages, i));
		uint8_t in[1024], out[1024];
		struct bytes msg = BYTES(in, unhex(hex, in, sizeof(in)));
		struct rd_err err = { NULL };
		struct rd r = rd_of(msg, &err);
		struct isakmp_hdr h;
		struct isakmp_chain chain;
		struct wr_chain c;
		struct ike1_sa sa;
		struct wr w;

		assert_true(isakmp_hdr_decode(&r, &h));
		assert_true(isakmp_chain_decode(rd_rest(&r), h.next, 0, &chain, &err));
		wr_init(&w, out, sizeof(out));
		c = isakmp_msg_begin(&w, &h);
		for (size_t k = 0; k < chain.n; k++) {
			if (chain.pl[k].type != ISAKMP_PL_SA) {
				wr_pl(&c, chain.pl[k].type, chain.pl[k].body);
				continue;
			}
			assert_true(ike1_sa_decode(&opts, chain.pl[k].body, &sa, &err));
			assert_int_equal(sa.doi, ISAKMP_DOI_GDOI);
			assert_int_equal(sa.n, 1);
			assert_int_equal(sa.t[0].enc, IKE1_ENC_3DES);
			assert_int_equal(sa.t[0].group, IKE1_GROUP_MODP_1024);
			assert_true(sa.t[0].life_s > 0);
			ike1_sa_encode(&c, &sa);
		}
		assert_true(isakmp_msg_end(&w, 0));
		assert_true(bytes_eq(msg, wr_view(&w, 0, w.len)));
	}
}

// Messages 5 and 6: ID, HASH, INITIAL-CONTACT with a DOI of 1.
static void identities_are_ours_again(const json_t *client, const char *key)
{
	uint8_t in[1024], out[1024];
	struct bytes msg = plaintext(client, key, in, sizeof(in));
	struct rd_err err = { NULL };
	struct isakmp_chain chain;
	struct isakmp_id id;
	struct isakmp_notify n;
	struct addr addr;
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	assert_true(isakmp_chain_decode(msg, ISAKMP_PL_ID, 8, &chain, &err));
	assert_int_equal(chain.n, 3);
	assert_true(isakmp_id_decode(chain.pl[0].body, &id, &err));
	assert_true(isakmp_id_to_addr(&id, &addr));
	assert_true(isakmp_id_port_ok(&id));
	assert_true(isakmp_notify_decode(chain.pl[2].body, &n, &err));
	assert_int_equal(n.type, ISAKMP_N_INITIAL_CONTACT);
	assert_int_equal(n.doi, ISAKMP_DOI_IPSEC);
	assert_int_equal(n.spi.len, 16);
	wr_init(&w, out, sizeof(out));
	isakmp_id_encode(&c, &id);
	wr_pl(&c, ISAKMP_PL_HASH, chain.pl[1].body);
	isakmp_notify_encode(&c, &n);
	assert_true(bytes_eq(chain.all, wr_view(&w, 0, w.len)));
}

static struct isakmp_hashed pull_open(const json_t *client, int n, uint8_t *buf, size_t max)
{
	char key[16];
	struct rd_err err = { NULL };
	static struct isakmp_hashed m;

	snprintf(key, sizeof(key), "pull_msg%d", n);
	if (!gdoi_pull_open(&opts, n, plaintext(client, key, buf, max), ISAKMP_PL_HASH, 8, &m,
			    &err))
		fail_msg("%s: %s", key, err.why);
	// The record splits payloads from padding by its own means: same result.
	assert_int_equal(m.chain.n,
			 json_array_size(json_array_get(json_object_get(client, "pull_payloads"),
							(size_t)n - 1)));
	for (size_t i = 0; i < m.chain.n; i++) {
		const json_t *pl = json_array_get(
			json_array_get(json_object_get(client, "pull_payloads"), (size_t)n - 1), i);
		uint8_t want[1024];

		assert_int_equal(m.chain.pl[i].type,
				 json_integer_value(json_object_get(pl, "type")));
		assert_true(bytes_eq(m.chain.pl[i].whole, hex_of(pl, "hex", want, sizeof(want))));
	}
	return m;
}

// Encoded again, the message is the recorded plaintext but for HASH (crypto is not ours here).
static void same_but_hash(const struct wr *w, const struct wr_hash *h,
			  const struct isakmp_hashed *m)
{
	assert_int_equal(h->hash_len, m->hash.len);
	assert_true(
		bytes_eq(wr_view(w, h->covered_at, h->covered_at + h->covered_len), m->covered));
	assert_int_equal(w->p[ISAKMP_HDR_LEN], m->chain.pl[0].whole.p[0]); // next payload of HASH
}

static void pull_is_ours_again(const json_t *client)
{
	static uint8_t in[1024]; // m4 keeps views into it
	uint8_t out[1024], nonce[64];
	struct sample_pull_out p = { .hash_len = 20 };
	struct rd_err err = { NULL };
	struct isakmp_hashed m;
	struct gdoi_pull1 m1;
	struct gdoi_pull3 m3;
	struct wr_hash h;
	struct wr w;
	uint32_t group;

	m = pull_open(client, 1, in, sizeof(in));
	assert_true(gdoi_pull1_decode(&m, &m1, &err));
	assert_true(bytes_eq(m1.nonce, hex_of(client, "pull_ni_b", nonce, sizeof(nonce))));
	assert_true(isakmp_id_to_group(&opts, &m1.id, &group));
	assert_int_equal(group, 1234);
	wr_init(&w, out, sizeof(out));
	assert_true(sample_pull1_encode(&w, &p, &m1, &h));
	same_but_hash(&w, &h, &m);

	m = pull_open(client, 2, in, sizeof(in));
	assert_true(gdoi_pull2_decode(&opts, &m, &m2, &err));
	assert_true(bytes_eq(m2.nonce, hex_of(client, "pull_nr_b", nonce, sizeof(nonce))));
	wr_init(&w, out, sizeof(out));
	assert_true(sample_pull2_encode(&opts, &w, &p, &m2, &h));
	same_but_hash(&w, &h, &m);

	m = pull_open(client, 3, in, sizeof(in));
	assert_true(gdoi_pull3_decode(&opts, &m, &m3, &err));
	assert_false(m3.has_gap);

	m = pull_open(client, 4, in, sizeof(in));
	assert_true(gdoi_pull4_decode(&opts, &m, &m4, &err));
	wr_init(&w, out, sizeof(out));
	assert_true(sample_pull4_encode(&opts, &w, &p, &m4, &h));
	same_but_hash(&w, &h, &m);
}

static void sats_have_keys_of_their_length(const struct gdoi_sa *sa, const struct gdoi_kd *kd)
{
	assert_int_equal(sa->n_sat, kd->n_tek);
	for (size_t i = 0; i < sa->n_sat; i++) {
		const struct gdoi_kd_tek *tek = gdoi_kd_find_tek(kd, sa->sat[i].spi);
		const struct suite_tek *suite = suite_tek_find(&sa->sat[i]);

		assert_non_null(tek);
		assert_string_equal(suite->name, "esp-3des esp-sha-hmac");
		assert_int_equal(tek->alg_key.len, suite->alg_key_len);
		assert_int_equal(tek->integrity_key.len, suite->integrity_key_len);
	}
}

static void a_recorded_registration_is_read_and_written_again(void **state)
{
	json_t *root = vectors_load("gdoi-loopback-pull.json");

	(void)state;
	phase1_is_ours_again(root);
	identities_are_ours_again(root, "p1_msg5");
	identities_are_ours_again(root, "p1_msg6");
	pull_is_ours_again(root);
	assert_false(m2.sa.has_sak);
	assert_false(m4.has_seq);
	sats_have_keys_of_their_length(&m2.sa, &m4.kd);
	json_decref(root);
}

static void sak_and_kek_say_what_the_record_says(const json_t *root)
{
	const json_t *kek = json_object_get(root, "kek");
	uint8_t buf[512];
	struct endpoint src, dst;
	char text[ENDPOINT_STRLEN];

	assert_true(m2.sa.has_sak);
	assert_true(m4.has_seq);
	assert_true(m4.kd.has_kek);
	assert_memory_equal(m2.sa.sak.spi, hex_of(kek, "spi", buf, sizeof(buf)).p,
			    GDOI_KEK_SPI_LEN);
	assert_memory_equal(m4.kd.kek.spi, m2.sa.sak.spi, GDOI_KEK_SPI_LEN);
	assert_true(bytes_eq(m4.kd.kek.alg_key, hex_of(kek, "attr1", buf, sizeof(buf))));
	assert_int_equal(m2.sa.sak.alg, GDOI_KEK_3DES);
	assert_int_equal(m2.sa.sak.sig_alg, GDOI_SIG_RSA);
	assert_int_equal(m2.sa.sak.sig_hash, GDOI_SIG_HASH_SHA1);
	assert_true(gdoi_id_to_endpoint(&m2.sa.sak.src, &src));
	assert_true(gdoi_id_to_endpoint(&m2.sa.sak.dst, &dst));
	assert_string_equal(endpoint_str(&src, text), "10.0.224.44:848");
	assert_string_equal(endpoint_str(&dst, text), "239.10.1.1:848");
}

static void three_recorded_registrations_are_read_and_written_again(void **state)
{
	json_t *root = vectors_load("gdoi-threeclients.json"), *client;
	size_t i;

	(void)state;
	json_array_foreach(json_object_get(root, "clients"), i, client)
	{
		phase1_is_ours_again(client);
		identities_are_ours_again(client, "p1_msg5");
		identities_are_ours_again(client, "p1_msg6");
		pull_is_ours_again(client);
		sak_and_kek_say_what_the_record_says(root);
		sats_have_keys_of_their_length(&m2.sa, &m4.kd);
	}
	assert_int_equal(i, 3);
	json_decref(root);
}

static void push_is_ours_again(const json_t *p)
{
	uint8_t wire[1024], plain[1024], want[64], out[1024];
	struct bytes msg = hex_of(p, "message", wire, sizeof(wire)), span;
	static struct gdoi_push_form form;
	struct rd_err err = { NULL };
	struct rd r = rd_of(msg, &err);
	struct isakmp_hdr h;
	struct wr w;

	assert_true(isakmp_hdr_decode(&r, &h));
	assert_true(
		gdoi_push_open(&h, hex_of(p, "plaintext", plain, sizeof(plain)), 8, &form, &err));
	assert_int_equal(form.seq, json_integer_value(json_object_get(p, "seq")));
	assert_true(
		bytes_eq(BYTES_OF(form.signed_hdr), hex_of(p, "signed_hdr", want, sizeof(want))));
	assert_true(gdoi_push_decode(&opts, &form, &push, &err));
	sats_have_keys_of_their_length(&push.sa, &push.kd);
	wr_init(&w, out, sizeof(out));
	assert_true(gdoi_push_begin(&opts, &w, form.signed_hdr, &push, form.sig.len, &span));
	assert_memory_equal(span.p, form.signed_hdr, ISAKMP_HDR_LEN);
	assert_true(gdoi_push_end(&w, form.sig));
	assert_true(bytes_eq(form.chain.all, wr_view(&w, ISAKMP_HDR_LEN, w.len)));
}

static void recorded_pushes_are_read_and_written_again(void **state)
{
	json_t *root = vectors_load("gdoi-threeclients.json"), *p;
	size_t i;

	(void)state;
	json_array_foreach(json_object_get(root, "pushes"), i, p) push_is_ours_again(p);
	assert_int_equal(i, 2);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_recorded_registration_is_read_and_written_again),
		cmocka_unit_test(three_recorded_registrations_are_read_and_written_again),
		cmocka_unit_test(recorded_pushes_are_read_and_written_again),
	};

	opts = gdoi_wire_opts_default();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
