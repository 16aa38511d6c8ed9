#include "tests/unit/common/crypto/make_pki.h"

#include "common/crypto/trust.h"

struct world {
	struct mp_node root, mid, gm;
	struct cert *c[3]; // gm, mid, root
	struct trust *t;
};

#define GM_SAN                                                                                     \
	{                                                                                          \
		NID_subject_alt_name, "DNS:gm1.example.net,IP:192.0.2.1"                           \
	}

static struct trust *trust_of(X509 *ca, const struct trust_conf *conf)
{
	struct trust *t;
	enum cert_reason why;

	assert_int_equal(trust_new(conf, &t), 0);
	assert_int_equal(trust_add_ca(t, mp_pem(ca), &why), 0);
	return t;
}

static void world_make(struct world *w, const struct mp_spec *mid, const struct mp_spec *gm,
		       const struct trust_conf *conf)
{
	static const struct mp_spec mid_def = { .cn = "mid", .ext = { MP_CA_EXT } };
	static const struct mp_spec gm_def = { .cn = "gm1", .serial = 77, .ext = { GM_SAN } };

	w->root = mp_ca("root");
	w->mid = mp_issue(&w->root, mid ? mid : &mid_def);
	w->gm = mp_issue(&w->mid, gm ? gm : &gm_def);
	w->c[0] = mp_cert(w->gm.x);
	w->c[1] = mp_cert(w->mid.x);
	w->c[2] = mp_cert(w->root.x);
	w->t = trust_of(w->root.x, conf ? conf : &(struct trust_conf){ 0 });
}

static void world_end(struct world *w)
{
	for (size_t i = 0; i < N_ELEMS(w->c); i++)
		cert_free(w->c[i]);
	trust_free(w->t);
	mp_free(&w->root);
	mp_free(&w->mid);
	mp_free(&w->gm);
}

static enum cert_reason path_at(const struct world *w, int64_t now, size_t n, int *depth)
{
	struct trust_path *p;
	enum cert_reason why = trust_path(w->t, now, w->c, n, 0, &p, depth);

	assert_true((why == CERT_R_OK) == (p != NULL));
	trust_path_free(p);
	return why;
}

static void a_path_through_a_received_intermediate_is_found(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, NULL, NULL, NULL);
	assert_int_equal(path_at(&w, MP_NOW, 2, NULL), CERT_R_OK);
	assert_int_equal(path_at(&w, MP_NOW, 1, NULL), CERT_R_ISSUER_UNKNOWN);
	assert_int_equal(trust_add_known(w.t, mp_pem(w.mid.x)), 0);
	assert_int_equal(path_at(&w, MP_NOW, 1, NULL), CERT_R_OK);
	assert_true(trust_has_ca(w.t, cert_issuer(w.c[0])));
	world_end(&w);
}

static void an_intermediate_can_be_the_trust_anchor(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, NULL, NULL, NULL);
	trust_free(w.t);
	w.t = trust_of(w.mid.x, &(struct trust_conf){ 0 });
	assert_int_equal(path_at(&w, MP_NOW, 1, NULL), CERT_R_OK);
	world_end(&w);
}

static void a_ca_of_the_same_name_but_another_key_is_not_believed(void **state)
{
	struct world w;
	struct mp_node other = mp_ca("root");

	(void)state;
	world_make(&w, NULL, NULL, NULL);
	trust_free(w.t);
	w.t = trust_of(other.x, &(struct trust_conf){ 0 });
	assert_int_not_equal(path_at(&w, MP_NOW, 3, NULL), CERT_R_OK);
	mp_free(&other);
	world_end(&w);
}

static void expiry_is_judged_by_the_clock_given(void **state)
{
	struct world w;
	int depth;

	(void)state;
	world_make(&w, NULL, &(struct mp_spec){ .cn = "gm1", .from = -10, .until = 10 }, NULL);
	assert_int_equal(path_at(&w, MP_NOW + 9, 2, &depth), CERT_R_OK);
	assert_int_equal(path_at(&w, MP_NOW + 11, 2, &depth), CERT_R_EXPIRED);
	assert_int_equal(depth, 0);
	assert_int_equal(path_at(&w, MP_NOW - 11, 2, &depth), CERT_R_NOT_YET_VALID);
	world_end(&w);
}

static void an_expired_intermediate_is_named_by_its_depth(void **state)
{
	struct world w;
	int depth;

	(void)state;
	world_make(
		&w,
		&(struct mp_spec){ .cn = "mid", .from = -20, .until = -10, .ext = { MP_CA_EXT } },
		NULL, NULL);
	assert_int_equal(path_at(&w, MP_NOW, 2, &depth), CERT_R_EXPIRED);
	assert_int_equal(depth, 1);
	world_end(&w);
}

static void issuers_must_be_cas(void **state)
{
	static const struct mp_spec mids[] = {
		{ .cn = "mid" },
		{ .cn = "mid", .ext = { { NID_basic_constraints, "critical,CA:FALSE" } } },
		{ .cn = "mid",
		  .ext = { { NID_basic_constraints, "critical,CA:TRUE" },
			   { NID_key_usage, "critical,digitalSignature" } } },
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(mids); i++) {
		world_make(&w, &mids[i], NULL, NULL);
		assert_int_not_equal(path_at(&w, MP_NOW, 2, NULL), CERT_R_OK);
		world_end(&w);
	}
}

static void path_length_is_kept(void **state)
{
	struct world w;
	struct mp_node deep;
	struct cert *c[3];
	struct trust_path *p;

	(void)state;
	world_make(&w,
		   &(struct mp_spec){
			   .cn = "mid",
			   .ext = { { NID_basic_constraints, "critical,CA:TRUE,pathlen:0" } } },
		   &(struct mp_spec){ .cn = "sub", .ext = { MP_CA_EXT } }, NULL);
	deep = mp_issue(&w.gm, &(struct mp_spec){ .cn = "gm1" });
	c[0] = mp_cert(deep.x);
	c[1] = w.c[0];
	c[2] = w.c[1];
	assert_int_equal(trust_path(w.t, MP_NOW, c, 3, 0, &p, NULL), CERT_R_PATH_TOO_LONG);
	cert_free(c[0]);
	mp_free(&deep);
	world_end(&w);
}

static void name_constraints_bind_the_peers_names(void **state)
{
	static const struct {
		const char *constraint;
		enum cert_reason want;
	} rows[] = {
		{ "critical,permitted;DNS:example.net", CERT_R_OK },
		{ "critical,permitted;DNS:example.org", CERT_R_NAME_CONSTRAINT },
		{ "critical,excluded;DNS:gm1.example.net", CERT_R_NAME_CONSTRAINT },
		{ "critical,permitted;IP:192.0.2.0/255.255.255.0", CERT_R_OK },
		{ "critical,permitted;IP:10.0.0.0/255.0.0.0", CERT_R_NAME_CONSTRAINT },
		{ "critical,excluded;IP:192.0.2.1/255.255.255.255", CERT_R_NAME_CONSTRAINT },
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		world_make(&w,
			   &(struct mp_spec){
				   .cn = "mid",
				   .ext = { MP_CA_EXT,
					    { NID_name_constraints, rows[i].constraint } } },
			   NULL, NULL);
		if (path_at(&w, MP_NOW, 2, NULL) != rows[i].want)
			fail_msg("%s", rows[i].constraint);
		world_end(&w);
	}
}

static void weak_keys_and_digests_are_refused(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, NULL, &(struct mp_spec){ .cn = "gm1", .key = "RSA1024" }, NULL);
	assert_int_equal(path_at(&w, MP_NOW, 2, NULL), CERT_R_WEAK_KEY);
	world_end(&w);
	world_make(&w, NULL, &(struct mp_spec){ .cn = "gm1", .digest = "SHA1" }, NULL);
	assert_int_equal(path_at(&w, MP_NOW, 2, NULL), CERT_R_WEAK_DIGEST);
	world_end(&w);
}

static void a_changed_certificate_is_refused(void **state)
{
	struct world w;
	struct bytes der;
	uint8_t buf[CERT_DER_MAX];

	(void)state;
	world_make(&w, NULL, NULL, NULL);
	der = cert_der(w.c[0]);
	memcpy(buf, der.p, der.len);
	buf[der.len - 1] ^= 1; // the end of the signature
	cert_free(w.c[0]);
	assert_int_equal(cert_decode(BYTES(buf, der.len), &w.c[0]), 0);
	assert_int_equal(path_at(&w, MP_NOW, 2, NULL), CERT_R_BAD_SIGNATURE);
	world_end(&w);
}

static void usage_and_unknown_critical_extensions_end_it(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, NULL,
		   &(struct mp_spec){ .cn = "gm1", .ext = { { NID_ext_key_usage, "serverAuth" } } },
		   NULL);
	assert_int_equal(path_at(&w, MP_NOW, 2, NULL), CERT_R_EXT_KEY_USAGE);
	world_end(&w);
	world_make(&w, NULL,
		   &(struct mp_spec){ .cn = "gm1",
				      .ext = { { NID_netscape_comment, "critical,hello" } } },
		   NULL);
	assert_int_equal(path_at(&w, MP_NOW, 2, NULL), CERT_R_CRITICAL_EXTENSION);
	world_end(&w);
}

static void a_trustpoint_takes_only_cas(void **state)
{
	struct world w;
	enum cert_reason why;

	(void)state;
	world_make(&w, NULL, NULL, NULL);
	assert_int_equal(trust_add_ca(w.t, mp_pem(w.gm.x), &why), -EINVAL);
	assert_int_equal(why, CERT_R_NOT_A_CA);
	assert_int_equal(trust_n_ca(w.t), 1);
	world_end(&w);
}

// ---- revocation ----

static enum cert_reason status_at(struct world *w, int64_t now, struct trust_need **need)
{
	struct trust_path *p;
	struct trust_need *n;
	enum cert_reason why = trust_path(w->t, now, w->c, 2, 0, &p, NULL);

	assert_int_equal(why, CERT_R_OK);
	why = trust_status(w->t, now, p, &n, NULL);
	assert_true((why == CERT_R_STATUS_WANTED) == (n != NULL));
	if (need)
		*need = n;
	else
		trust_need_free(n);
	trust_path_free(p);
	return why;
}

static void a_crl_from_a_file_decides(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, NULL, NULL, &(struct trust_conf){ 1, { TRUST_CRL }, "", "" });
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_STATUS_UNAVAILABLE);
	assert_int_equal(trust_add_known(w.t, mp_pem(w.mid.x)), 0);
	assert_int_equal(trust_add_crl(w.t, mp_crl(&w.root, 0, -10, 100, NULL)), 0);
	assert_int_equal(status_at(&w, MP_NOW, NULL),
			 CERT_R_STATUS_UNAVAILABLE); // mid's is missing
	assert_int_equal(trust_add_crl(w.t, mp_crl(&w.mid, 0, -10, 100, NULL)), 0);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_OK);
	assert_int_equal(trust_add_crl(w.t, mp_crl(&w.mid, 77, -5, 100, NULL)), 0);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_REVOKED);
	assert_int_equal(trust_add_crl(w.t, mp_crl(&w.mid, 0, -8, 100, NULL)), -ESTALE);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_REVOKED);
	world_end(&w);
}

static void a_revoked_intermediate_takes_its_members_along(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, &(struct mp_spec){ .cn = "mid", .serial = 55, .ext = { MP_CA_EXT } }, NULL,
		   &(struct trust_conf){ 1, { TRUST_CRL }, "", "" });
	assert_int_equal(trust_add_known(w.t, mp_pem(w.mid.x)), 0);
	assert_int_equal(trust_add_crl(w.t, mp_crl(&w.mid, 0, -10, 100, NULL)), 0);
	assert_int_equal(trust_add_crl(w.t, mp_crl(&w.root, 55, -10, 100, NULL)), 0);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_REVOKED);
	world_end(&w);
}

static void an_expired_crl_is_no_answer_and_none_is_the_last_resort(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, NULL, NULL, &(struct trust_conf){ 1, { TRUST_CRL }, "", "" });
	assert_int_equal(trust_add_known(w.t, mp_pem(w.mid.x)), 0);
	assert_int_equal(trust_add_crl(w.t, mp_crl(&w.mid, 0, -20, -10, NULL)), 0);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_CRL_EXPIRED);
	world_end(&w);
	world_make(&w, NULL, NULL, &(struct trust_conf){ 2, { TRUST_CRL, TRUST_NONE }, "", "" });
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_OK);
	assert_int_equal(trust_add_known(w.t, mp_pem(w.mid.x)), 0);
	assert_int_equal(trust_add_crl(w.t, mp_crl(&w.mid, 77, -20, 10, NULL)), 0);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_REVOKED);
	world_end(&w);
}

static void a_crl_of_a_stranger_is_not_kept(void **state)
{
	struct world w;
	struct mp_node other = mp_ca("root");

	(void)state;
	world_make(&w, NULL, NULL, &(struct trust_conf){ 1, { TRUST_CRL }, "", "" });
	assert_int_equal(trust_add_crl(w.t, mp_crl(&other, 0, -10, 100, NULL)), -EBADMSG);
	assert_int_equal(trust_add_crl(w.t, BYTES_LIT("rubbish")), -EBADMSG);
	mp_free(&other);
	world_end(&w);
}

#define CDP                                                                                        \
	{                                                                                          \
		NID_crl_distribution_points, "URI:http://pki.example.net/mid.crl"                  \
	}

static void a_crl_is_asked_for_at_its_distribution_point(void **state)
{
	struct world w;
	struct trust_need *need;

	(void)state;
	world_make(&w, NULL, &(struct mp_spec){ .cn = "gm1", .serial = 77, .ext = { GM_SAN, CDP } },
		   &(struct trust_conf){ 2, { TRUST_CRL, TRUST_NONE }, "", "" });
	assert_int_equal(status_at(&w, MP_NOW, &need), CERT_R_STATUS_WANTED);
	assert_int_equal(need->method, TRUST_CRL);
	assert_string_equal(need->url, "http://pki.example.net/mid.crl");
	// another CA's list, garbage and yesterday's list are not believed
	assert_int_equal(trust_answer(w.t, MP_NOW, need, mp_crl(&w.root, 0, -10, 100, NULL)),
			 CERT_R_CRL_BAD);
	assert_int_equal(trust_answer(w.t, MP_NOW, need, BYTES_LIT("<html>")), CERT_R_CRL_BAD);
	assert_int_equal(trust_answer(w.t, MP_NOW, need, mp_crl(&w.mid, 0, -20, -10, NULL)),
			 CERT_R_CRL_EXPIRED);
	// after a failure the address is left alone for a while, and the next method decides
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_OK);
	assert_int_equal(status_at(&w, MP_NOW + TRUST_RETRY_S + 1, NULL), CERT_R_STATUS_WANTED);
	assert_int_equal(trust_answer(w.t, MP_NOW, need, mp_crl(&w.mid, 77, -10, 100, NULL)),
			 CERT_R_OK);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_REVOKED);
	trust_need_free(need);
	world_end(&w);
}

static void a_crl_for_another_distribution_point_is_no_answer(void **state)
{
	static const struct mp_ext idp = {
		NID_issuing_distribution_point,
		"critical,fullname:URI:http://pki.example.net/other.crl"
	};
	struct world w;
	struct trust_need *need;

	(void)state;
	world_make(&w, NULL, &(struct mp_spec){ .cn = "gm1", .serial = 77, .ext = { GM_SAN, CDP } },
		   &(struct trust_conf){ 1, { TRUST_CRL }, "", "" });
	assert_int_equal(status_at(&w, MP_NOW, &need), CERT_R_STATUS_WANTED);
	assert_int_equal(trust_answer(w.t, MP_NOW, need, mp_crl(&w.mid, 0, -10, 100, &idp)),
			 CERT_R_OK);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_STATUS_UNAVAILABLE);
	trust_need_free(need);
	world_end(&w);
}

// A world without intermediate questions: gm directly under root, OCSP address in gm.
static struct trust_need *ocsp_world(struct world *w, struct mp_node *responder,
				     const char *responder_eku, bool then_none)
{
	struct trust_conf conf = { then_none ? 2 : 1, { TRUST_OCSP, TRUST_NONE }, "", "" };
	struct trust_need *need;

	*w = (struct world){ 0 };
	w->root = mp_ca("root");
	w->gm = mp_issue(&w->root,
			 &(struct mp_spec){ .cn = "gm1",
					    .ext = { { NID_info_access,
						       "OCSP;URI:http://ocsp.example.net/" } } });
	*responder = mp_issue(&w->root,
			      &(struct mp_spec){ .cn = "responder",
						 .ext = { { responder_eku ? NID_ext_key_usage : 0,
							    responder_eku } } });
	w->c[0] = mp_cert(w->gm.x);
	w->c[1] = mp_cert(w->root.x);
	w->t = trust_of(w->root.x, &conf);
	assert_int_equal(status_at(w, MP_NOW, &need), CERT_R_STATUS_WANTED);
	assert_int_equal(need->method, TRUST_OCSP);
	assert_string_equal(need->url, "http://ocsp.example.net/");
	return need;
}

static void ocsp_answers_of_ca_and_delegate_are_believed(void **state)
{
	struct world w;
	struct mp_node responder;
	struct trust_need *need = ocsp_world(&w, &responder, "OCSPSigning", false);
	struct bytes q = BYTES(need->body, need->body_len);

	(void)state;
	assert_int_equal(
		trust_answer(w.t, MP_NOW, need,
			     mp_ocsp(q, &responder, V_OCSP_CERTSTATUS_GOOD, -5, 100, true)),
		CERT_R_OK);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_OK);
	assert_int_equal(status_at(&w, MP_NOW + 101, NULL), CERT_R_STATUS_WANTED);
	assert_int_equal(
		trust_answer(w.t, MP_NOW, need,
			     mp_ocsp(q, &w.root, V_OCSP_CERTSTATUS_REVOKED, -5, 100, false)),
		CERT_R_OK);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_REVOKED);
	trust_need_free(need);
	mp_free(&responder);
	world_end(&w);
}

static void ocsp_answers_of_others_are_not(void **state)
{
	struct world w;
	struct mp_node responder, stranger = mp_ca("root");
	struct trust_need *need = ocsp_world(&w, &responder, NULL, false), *other;
	struct bytes q = BYTES(need->body, need->body_len);

	(void)state;
	// a member with an ordinary certificate, another CA of the same name, a stale answer
	assert_int_equal(
		trust_answer(w.t, MP_NOW, need,
			     mp_ocsp(q, &responder, V_OCSP_CERTSTATUS_GOOD, -5, 100, true)),
		CERT_R_OCSP_BAD);
	assert_int_equal(trust_answer(w.t, MP_NOW, need,
				      mp_ocsp(q, &stranger, V_OCSP_CERTSTATUS_GOOD, -5, 100, true)),
			 CERT_R_OCSP_BAD);
	assert_int_equal(
		trust_answer(w.t, MP_NOW, need,
			     mp_ocsp(q, &w.root, V_OCSP_CERTSTATUS_GOOD, -9000, -8000, true)),
		CERT_R_OCSP_BAD);
	assert_int_equal(trust_answer(w.t, MP_NOW, need,
				      mp_ocsp(q, &w.root, V_OCSP_CERTSTATUS_GOOD, 9000, 0, true)),
			 CERT_R_OCSP_BAD);
	assert_int_equal(trust_answer(w.t, MP_NOW, need, BYTES_LIT("\x30\x01\x00")),
			 CERT_R_OCSP_BAD);
	// the answer to somebody else's question carries another nonce
	assert_int_equal(status_at(&w, MP_NOW + 10 * TRUST_RETRY_S, &other), CERT_R_STATUS_WANTED);
	assert_int_equal(trust_answer(w.t, MP_NOW, need,
				      mp_ocsp(BYTES(other->body, other->body_len), &w.root,
					      V_OCSP_CERTSTATUS_GOOD, -5, 100, true)),
			 CERT_R_OCSP_BAD);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_OCSP_BAD);
	trust_need_free(need);
	trust_need_free(other);
	mp_free(&responder);
	mp_free(&stranger);
	world_end(&w);
}

static void a_silent_or_ignorant_responder_gives_way_to_the_next_method(void **state)
{
	struct world w;
	struct mp_node responder;
	struct trust_need *need = ocsp_world(&w, &responder, "OCSPSigning", true);
	struct bytes q = BYTES(need->body, need->body_len);

	(void)state;
	assert_int_equal(trust_answer(w.t, MP_NOW, need, BYTES(NULL, 0)),
			 CERT_R_STATUS_UNAVAILABLE);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_OK);
	assert_int_equal(
		trust_answer(w.t, MP_NOW, need,
			     mp_ocsp(q, &responder, V_OCSP_CERTSTATUS_UNKNOWN, -5, 100, true)),
		CERT_R_OK);
	assert_int_equal(status_at(&w, MP_NOW, NULL), CERT_R_OK);
	trust_need_free(need);
	mp_free(&responder);
	world_end(&w);
}

static int setup(void **state)
{
	(void)state;
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_through_a_received_intermediate_is_found),
		cmocka_unit_test(an_intermediate_can_be_the_trust_anchor),
		cmocka_unit_test(a_ca_of_the_same_name_but_another_key_is_not_believed),
		cmocka_unit_test(expiry_is_judged_by_the_clock_given),
		cmocka_unit_test(an_expired_intermediate_is_named_by_its_depth),
		cmocka_unit_test(issuers_must_be_cas),
		cmocka_unit_test(path_length_is_kept),
		cmocka_unit_test(name_constraints_bind_the_peers_names),
		cmocka_unit_test(weak_keys_and_digests_are_refused),
		cmocka_unit_test(a_changed_certificate_is_refused),
		cmocka_unit_test(usage_and_unknown_critical_extensions_end_it),
		cmocka_unit_test(a_trustpoint_takes_only_cas),
		cmocka_unit_test(a_crl_from_a_file_decides),
		cmocka_unit_test(a_revoked_intermediate_takes_its_members_along),
		cmocka_unit_test(an_expired_crl_is_no_answer_and_none_is_the_last_resort),
		cmocka_unit_test(a_crl_of_a_stranger_is_not_kept),
		cmocka_unit_test(a_crl_is_asked_for_at_its_distribution_point),
		cmocka_unit_test(a_crl_for_another_distribution_point_is_no_answer),
		cmocka_unit_test(ocsp_answers_of_ca_and_delegate_are_believed),
		cmocka_unit_test(ocsp_answers_of_others_are_not),
		cmocka_unit_test(a_silent_or_ignorant_responder_gives_way_to_the_next_method),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
