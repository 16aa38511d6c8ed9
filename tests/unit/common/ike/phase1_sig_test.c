#include "tests/unit/common/crypto/make_pki.h"
#include "tests/unit/ike_pair.h"

// One PKI for both sides: a root, an intermediate for the member, and a trustpoint each.
struct sig_world {
	struct ike_pair p;
	struct mp_node root, mid, gm, ks;
	struct ike_pki *pki_i, *pki_r;
	struct ike_trustpoint *tp_i, *tp_r; // in them
	struct ike_proposal proposal;
};

struct sig_kind {
	enum sign_alg alg;
	const char *key;
	enum hash_alg hash; // of the suite
};

static const struct sig_kind kinds[] = {
	{ SIGN_RSA, "RSA2048", HASH_ALG_SHA256 },
	{ SIGN_RSA, "RSA3072", HASH_ALG_SHA512 },
	{ SIGN_ECDSA_P256, "P-256", HASH_ALG_SHA256 },
	{ SIGN_ECDSA_P256, "P-256", HASH_ALG_SHA512 }, // the proof's prf is not the suite's
	{ SIGN_ECDSA_P384, "P-384", HASH_ALG_SHA384 },
	{ SIGN_ECDSA_P521, "P-521", HASH_ALG_SHA256 },
};
#define P256 (&kinds[2])

static int64_t clock_2027(void)
{
	return MP_NOW;
}

static void trust_make(struct ike_trustpoint *tp, X509 *ca, const struct trust_conf *conf)
{
	enum cert_reason why;

	assert_int_equal(trust_new(conf, &tp->trust), 0);
	assert_int_equal(trust_add_ca(tp->trust, mp_pem(ca), &why), 0);
}

static void own_make(struct ike_pki *pki, const struct mp_node *own, X509 *mid, enum sign_alg alg,
		     const char *fqdn)
{
	struct ike_trustpoint *tp = &pki->tp[0];

	assert_int_equal(signer_add_pem(&pki->signer, "ID", mp_key_pem(own->key)), 0);
	strcpy(tp->label, "ID");
	tp->signer = &pki->signer;
	tp->alg = alg;
	tp->own[tp->n_own++] = mp_cert(own->x);
	if (mid)
		tp->own[tp->n_own++] = mp_cert(mid);
	tp->id_type = CERT_ID_FQDN;
	tp->id_len = (uint16_t)strlen(fqdn);
	memcpy(tp->id, fqdn, strlen(fqdn));
}

static struct ike_trustpoint *side_make(struct pair_side *s, struct ike_pki **pki)
{
	assert_int_equal(ike_pki_new(pki), 0);
	(*pki)->n = 1;
	secret_fini(&s->psk);
	s->conf.pki = *pki;
	s->conf.wall_clock = clock_2027;
	return &(*pki)->tp[0];
}

static void world_make(struct sig_world *w, const struct sig_kind *k, const struct mp_spec *gm,
		       const struct trust_conf *conf)
{
	struct mp_spec spec = {
		.cn = "gm1", .ext = { { NID_subject_alt_name, "DNS:gm1.example.net,IP:10.0.1.1" } }
	};
	struct mp_spec ks = { .cn = "ks1",
			      .key = k->key,
			      .ext = { { NID_subject_alt_name, "DNS:ks1.example.net" } } };

	*w = (struct sig_world){ 0 };
	w->proposal = (struct ike_proposal){ CIPHER_AES128_CBC, k->hash, DH_ECP256, k->alg };
	pair_init(&w->p, &w->proposal, 1, 42);
	if (gm)
		spec = *gm;
	spec.key = spec.key ? spec.key : k->key;
	w->root = mp_ca("root");
	w->mid = mp_issue(&w->root, &(struct mp_spec){ .cn = "mid", .ext = { MP_CA_EXT } });
	w->gm = mp_issue(&w->mid, &spec);
	w->ks = mp_issue(&w->root, &ks);
	w->tp_i = side_make(&w->p.i, &w->pki_i);
	w->tp_r = side_make(&w->p.r, &w->pki_r);
	trust_make(w->tp_i, w->root.x, &(struct trust_conf){ 0 });
	trust_make(w->tp_r, w->root.x, conf ? conf : &(struct trust_conf){ 0 });
	own_make(w->pki_i, &w->gm, w->mid.x, k->alg, "gm1.example.net");
	own_make(w->pki_r, &w->ks, NULL, k->alg, "ks1.example.net");
}

static void world_end(struct sig_world *w)
{
	pair_fini(&w->p);
	ike_pki_put(w->pki_i);
	ike_pki_put(w->pki_r);
	mp_free(&w->root);
	mp_free(&w->mid);
	mp_free(&w->gm);
	mp_free(&w->ks);
}

static void assert_stands(struct sig_world *w)
{
	struct isakmp_id id;
	char text[ISAKMP_ID_STRLEN];

	if (!pair_run(&w->p))
		fail_msg("member %s (%s), key server %s (%s)", ike_state_name(w->p.gm.state),
			 ike_reason_name(w->p.gm.reason),
			 w->p.ks ? ike_state_name(w->p.ks->state) : "-",
			 w->p.ks ? ike_reason_name(w->p.ks->reason) : "-");
	assert_true(secret_eq(&w->p.gm.keys.key, &w->p.ks->keys.key));
	assert_memory_equal(w->p.gm.keys.last_block, w->p.ks->keys.last_block, CIPHER_BLOCK_MAX);
	id = ike_id_view(&w->p.ks->peer_id);
	assert_string_equal(isakmp_id_str(&id, text), "gm1.example.net");
	id = ike_id_view(&w->p.gm.peer_id);
	assert_string_equal(isakmp_id_str(&id, text), "ks1.example.net");
	assert_non_null(w->p.ks->peer_cert);
	assert_non_null(w->p.gm.peer_cert);
}

static void every_kind_of_signature_establishes(void **state)
{
	struct sig_world w;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(kinds); i++) {
		world_make(&w, &kinds[i], NULL, NULL);
		assert_stands(&w);
		assert_int_equal(w.p.n_auth, 3); // sign; verify and sign; verify
		world_end(&w);
	}
}

static void ecdsa_over_the_bare_hash_is_an_option(void **state)
{
	struct sig_world w;

	(void)state;
	for (int accept = 0; accept < 2; accept++) {
		world_make(&w, P256, NULL, NULL);
		w.p.i.conf.wire.ecdsa_sign_bare_hash = true;
		w.p.r.conf.wire.accept_ecdsa_bare_hash = accept;
		if (accept)
			assert_stands(&w);
		else
			assert_false(pair_run(&w.p));
		world_end(&w);
	}
}

static void signatures_survive_loss_and_reordering(void **state)
{
	struct sig_world w;
	unsigned stood = 0;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		world_make(&w, P256, NULL, NULL);
		rng_seed(&w.p.net, i);
		w.p.lose = 15;
		w.p.twice = 30;
		w.p.delay_ms = 3000;
		if (pair_run(&w.p)) {
			stood++;
			pair_drain(&w.p);
			assert_true(pair_stands(&w.p));
			assert_true(secret_eq(&w.p.gm.keys.key, &w.p.ks->keys.key));
		}
		world_end(&w);
	}
	if (stood < 45)
		fail_msg("only %u of 60 stood", stood);
}

static void largest(struct ike_pair *p, uint8_t *b, size_t *len, bool from_initiator)
{
	size_t *max = p->tap_arg;

	(void)b, (void)from_initiator;
	if (*len > *max)
		*max = *len;
}

static void large_certificates_travel_in_fragments(void **state)
{
	static const struct sig_kind rsa4096 = { SIGN_RSA, "RSA4096", HASH_ALG_SHA256 };
	struct sig_world w;
	size_t max;

	(void)state;
	for (int off = 0; off < 2; off++) {
		world_make(&w, &rsa4096, NULL, NULL);
		max = 0;
		w.p.tap = largest;
		w.p.tap_arg = &max;
		w.p.lose = 10;
		w.p.twice = 20;
		w.p.delay_ms = 50;
		w.p.r.conf.no_fragments = off; // then nobody cuts anything
		assert_stands(&w);
		assert_true(off ? max > FRAG_SIZE : max <= FRAG_SIZE);
		world_end(&w);
	}
}

static void a_suite_needs_its_credential_on_both_sides(void **state)
{
	struct sig_world w;

	(void)state;
	world_make(&w, P256, NULL, NULL);
	w.p.i.conf.pki = NULL; // nothing to offer
	assert_false(pair_run(&w.p));
	assert_int_equal(w.p.gm.reason, IKE_R_NO_PROPOSAL);
	world_end(&w);
	world_make(&w, P256, NULL, NULL);
	w.p.r.conf.pki = NULL;
	assert_false(pair_run(&w.p));
	assert_null(w.p.ks);
	assert_int_equal(w.p.gm.reason, IKE_R_NO_PROPOSAL);
	world_end(&w);
}

static void pre_shared_keys_and_signatures_live_side_by_side(void **state)
{
	struct sig_world w;
	struct ike_proposal both[2];

	(void)state;
	world_make(&w, P256, NULL, NULL);
	both[0] = w.proposal;
	both[1] = w.proposal;
	both[1].auth = SIGN_NONE;
	w.p.r.conf.proposals = both;
	w.p.r.conf.n_proposals = 2;
	assert_int_equal(secret_set(&w.p.r.psk, "a key of both", 13), 0);
	assert_stands(&w);
	world_end(&w);
}

// ---- refusals ----

static void refused(struct sig_world *w, enum ike_reason why, unsigned signatures)
{
	assert_false(pair_run(&w->p));
	assert_non_null(w->p.ks);
	if (w->p.ks->reason != why)
		fail_msg("refused for %s, not %s", ike_reason_name(w->p.ks->reason),
			 ike_reason_name(why));
	assert_int_equal(w->p.ks->state, IKE_DEAD);
	assert_null(w->p.ks->peer_cert);
	assert_int_equal(w->p.refused_r[why], 1);
	assert_int_equal(w->p.n_auth, signatures);
	assert_int_equal(w->p.gm.reason, why); // the notify said so
	assert_int_equal(w->p.ks->keys.key.len, 0);
}

static void bad_certificates_are_refused_by_name(void **state)
{
	static const struct {
		struct mp_spec gm;
		enum ike_reason want;
	} rows[] = {
		{ { .cn = "gm1",
		    .from = -20,
		    .until = -10,
		    .ext = { { NID_subject_alt_name, "DNS:gm1.example.net" } } },
		  IKE_R_BAD_CERTIFICATE },
		{ { .cn = "gm1",
		    .ext = { { NID_subject_alt_name, "DNS:gm1.example.net" },
			     { NID_key_usage, "critical,keyEncipherment" } } },
		  IKE_R_BAD_CERTIFICATE },
		{ { .cn = "gm1.example.net" }, IKE_R_BAD_ID }, // a CN is no identity
		{ { .cn = "gm1", .ext = { { NID_subject_alt_name, "DNS:gm2.example.net" } } },
		  IKE_R_BAD_ID },
	};
	struct sig_world w;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		world_make(&w, P256, &rows[i].gm, NULL);
		refused(&w, rows[i].want, 2);
		world_end(&w);
	}
}

static void a_stranger_to_the_ca_is_refused(void **state)
{
	struct sig_world w;
	struct mp_node other = mp_ca("other");

	(void)state;
	world_make(&w, P256, NULL, NULL);
	trust_free(w.tp_r->trust);
	trust_make(w.tp_r, other.x, &(struct trust_conf){ 0 });
	refused(&w, IKE_R_UNKNOWN_CA, 2);
	mp_free(&other);
	world_end(&w);
}

static void a_stolen_certificate_without_its_key_is_refused(void **state)
{
	struct sig_world w;

	(void)state;
	world_make(&w, P256, NULL, NULL);
	signer_fini(&w.pki_i->signer);
	assert_int_equal(signer_generate(&w.pki_i->signer, "ID", SIGN_ECDSA_P256, 0), 0);
	refused(&w, IKE_R_BAD_SIGNATURE, 2);
	world_end(&w);
}

static void an_address_identity_must_be_where_it_comes_from(void **state)
{
	static const uint8_t here[4] = { 10, 0, 1, 1 };
	struct sig_world w;

	(void)state;
	for (int away = 0; away < 2; away++) {
		world_make(&w, P256, NULL, NULL);
		w.tp_i->id_type = CERT_ID_IPV4;
		w.tp_i->id_len = 4;
		memcpy(w.tp_i->id, here, 4);
		if (away)
			assert_int_equal(addr_parse("10.0.1.2", &w.p.i.here.addr), 0);
		w.p.gm.local = w.p.i.here;
		if (away)
			refused(&w, IKE_R_BAD_ID, 2);
		else
			assert_true(pair_run(&w.p));
		world_end(&w);
	}
}

static void from_another_address(struct ike_pair *p, bool from_initiator, struct endpoint *from,
				 struct endpoint *to)
{
	if (from_initiator)
		from->addr = addr_from_v4(0xc6336401);
	else
		to->addr = p->i.here.addr;
}

// Its certificate proves the address behind the NAT, which nobody else can look at.
static void behind_a_nat_an_address_identity_is_the_inner_one(void **state)
{
	static const uint8_t here[4] = { 10, 0, 1, 1 };
	struct sig_world w;

	(void)state;
	world_make(&w, P256, NULL, NULL);
	w.tp_i->id_type = CERT_ID_IPV4;
	w.tp_i->id_len = 4;
	memcpy(w.tp_i->id, here, 4);
	w.p.i.conf.natt_port = w.p.r.conf.natt_port = 4500;
	w.p.nat = from_another_address;
	assert_true(pair_run(&w.p));
	assert_true(w.p.ks->peer_behind_nat);
	assert_int_equal(w.p.ks->peer.port, 4500);
	assert_int_equal(w.p.gm.peer.port, 4500);
	world_end(&w);
}

static void a_key_server_that_cannot_prove_itself_is_left(void **state)
{
	struct sig_world w;

	(void)state;
	world_make(&w, P256, NULL, NULL);
	signer_fini(&w.pki_r->signer);
	assert_int_equal(signer_generate(&w.pki_r->signer, "ID", SIGN_ECDSA_P256, 0), 0);
	assert_false(pair_run(&w.p));
	assert_int_equal(w.p.gm.state, IKE_DEAD);
	assert_int_equal(w.p.gm.reason, IKE_R_BAD_SIGNATURE);
	world_end(&w);
}

// ---- what waits for the network ----

static void run_until_auth(struct sig_world *w, struct ike_out *out)
{
	struct pair_dgram d;

	// by hand, since the pair's own steps run jobs at once: message 5 is given to the key
	// server directly
	pair_start(&w->p);
	while (!w->p.ks || w->p.ks->state != IKE_R_WAIT_AUTH || !w->p.queue[0].b ||
	       w->p.gm.state != IKE_I_WAIT_AUTH)
		assert_true(pair_advance(&w->p));
	d = w->p.queue[0];
	w->p.queue[0].b = NULL;
	ike_sa_step(w->p.ks, w->p.now,
		    &(struct ike_event){ .kind = IKE_EV_DATAGRAM,
					 .datagram = BYTES(d.b, d.len),
					 .from = d.from,
					 .to = d.to },
		    out);
	free(d.b);
	assert_int_equal(out->refused, IKE_R_OK);
	assert_non_null(out->auth);
	assert_int_equal(out->msg_len, 0); // nothing of ours before the peer is proved
	assert_int_equal(w->p.ks->state, IKE_R_VERIFY);
}

static void revocation_is_asked_after_the_signature_and_decides(void **state)
{
	static const struct trust_conf conf = { 1, { TRUST_CRL }, "", "" };
	static const struct mp_spec gm = { .cn = "gm1",
					   .serial = 77,
					   .ext = { { NID_subject_alt_name, "DNS:gm1.example.net" },
						    { NID_crl_distribution_points,
						      "URI:http://pki.example.net/mid.crl" } } };
	struct sig_world w;
	struct ike_out out;

	(void)state;
	for (int revoked = 0; revoked < 2; revoked++) {
		world_make(&w, P256, &gm, &conf);
		assert_int_equal(trust_add_crl(w.tp_r->trust, mp_crl(&w.root, 0, -5, 100, NULL)),
				 0);
		run_until_auth(&w, &out);
		ike_auth_job_run(out.auth);
		assert_non_null(out.auth->need);
		assert_int_equal(out.auth->own.sig_len, 0);
		assert_int_equal(trust_answer(out.auth->need_of, MP_NOW, out.auth->need,
					      mp_crl(&w.mid, revoked ? 77 : 0, -5, 100, NULL)),
				 CERT_R_OK);
		ike_auth_job_run(out.auth);
		assert_null(out.auth->need);
		assert_int_equal(out.auth->reason, revoked ? IKE_R_BAD_CERTIFICATE : IKE_R_OK);
		pair_step(&w.p, w.p.ks,
			  (struct ike_event){ .kind = IKE_EV_AUTH_DONE, .auth = out.auth });
		assert_int_equal(w.p.ks->state, revoked ? IKE_DEAD : IKE_ESTABLISHED);
		assert_int_equal(pair_run(&w.p), !revoked);
		world_end(&w);
	}
}

static void a_status_nobody_fetched_refuses(void **state)
{
	static const struct trust_conf conf = { 1, { TRUST_CRL }, "http://pki.example.net/x", "" };
	struct sig_world w;
	struct ike_out out;

	(void)state;
	world_make(&w, P256, NULL, &conf);
	run_until_auth(&w, &out);
	ike_auth_job_run(out.auth);
	assert_non_null(out.auth->need);
	pair_step(&w.p, w.p.ks, (struct ike_event){ .kind = IKE_EV_AUTH_DONE, .auth = out.auth });
	assert_int_equal(w.p.ks->state, IKE_DEAD);
	assert_int_equal(w.p.ks->reason, IKE_R_BAD_CERTIFICATE);
	world_end(&w);
}

static void a_job_of_another_handshake_changes_nothing(void **state)
{
	struct sig_world w;
	struct ike_out out, ignored;
	struct ike_auth_job *stray = ike_auth_job_new();

	(void)state;
	world_make(&w, P256, NULL, NULL);
	run_until_auth(&w, &out);
	stray->tag = out.auth->tag + 1;
	ike_sa_step(w.p.ks, w.p.now, &(struct ike_event){ .kind = IKE_EV_AUTH_DONE, .auth = stray },
		    &ignored);
	assert_int_equal(w.p.ks->state, IKE_R_VERIFY);
	ike_sa_kill(w.p.ks, IKE_R_CLOSED);
	ike_auth_job_run(out.auth);
	ike_sa_step(w.p.ks, w.p.now,
		    &(struct ike_event){ .kind = IKE_EV_AUTH_DONE, .auth = out.auth }, &ignored);
	assert_int_equal(w.p.ks->state, IKE_DEAD);
	assert_int_equal(ignored.msg_len, 0);
	world_end(&w);
}

static void damage(struct ike_pair *p, uint8_t *b, size_t *len, bool from_initiator)
{
	uint64_t *pick = p->tap_arg;

	if (from_initiator && (b[19] & ISAKMP_FLAG_E))
		b[28 + *pick / 8 % (*len - 28)] ^= (uint8_t)(1u << *pick % 8);
}

static void a_damaged_message_5_never_establishes(void **state)
{
	struct sig_world w;
	struct rng r;
	uint64_t pick;

	(void)state;
	rng_seed(&r, 5);
	for (int i = 0; i < 60; i++) {
		world_make(&w, P256, NULL, NULL);
		pick = rng_u64(&r);
		w.p.tap = damage;
		w.p.tap_arg = &pick;
		// A flip in a CERTREQ harms nothing that is signed; everything else must fail.
		if (pair_run(&w.p))
			assert_true(secret_eq(&w.p.gm.keys.key, &w.p.ks->keys.key));
		world_end(&w);
	}
}

static void every_kind_of_signature_establishes_in_aggressive_mode(void **state)
{
	struct sig_world w;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(kinds); i++) {
		world_make(&w, &kinds[i], NULL, NULL);
		w.proposal.aggressive = w.p.gm.aggressive = true;
		assert_stands(&w);
		assert_int_equal(w.p.n_auth, 3); // the key server signs first, then verifies
		world_end(&w);
	}
}

static void signatures_without_the_word_are_refused_in_aggressive_mode(void **state)
{
	const struct ike_proposal plain = { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256,
					    SIGN_ECDSA_P256 };
	struct sig_world w;

	(void)state;
	world_make(&w, P256, NULL, NULL);
	w.proposal.aggressive = w.p.gm.aggressive = true;
	w.p.r.conf.proposals = &plain;
	assert_false(pair_run(&w.p));
	assert_true(w.p.refused_r[IKE_R_AGGRESSIVE] > 0);
	assert_int_equal(w.p.n_auth, 0);
	world_end(&w);
}

static void a_stranger_s_certificate_gets_no_sa_in_aggressive_mode(void **state)
{
	struct mp_node other = mp_ca("other");
	struct mp_node own = mp_issue(
		&other,
		&(struct mp_spec){ .cn = "gm1",
				   .key = "P-256",
				   .ext = { { NID_subject_alt_name, "DNS:gm1.example.net" } } });
	struct sig_world w;

	(void)state;
	world_make(&w, P256, NULL, NULL);
	w.proposal.aggressive = w.p.gm.aggressive = true;
	cert_free(w.tp_i->own[0]);
	w.tp_i->own[0] = mp_cert(own.x);
	pair_run(&w.p);
	assert_non_null(w.p.ks);
	while (w.p.ks->state != IKE_DEAD && w.p.ks->state != IKE_ESTABLISHED && pair_advance(&w.p))
		;
	assert_int_equal(w.p.ks->state, IKE_DEAD);
	world_end(&w);
	mp_free(&other);
	mp_free(&own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_signature_establishes),
		cmocka_unit_test(every_kind_of_signature_establishes_in_aggressive_mode),
		cmocka_unit_test(signatures_without_the_word_are_refused_in_aggressive_mode),
		cmocka_unit_test(a_stranger_s_certificate_gets_no_sa_in_aggressive_mode),
		cmocka_unit_test(ecdsa_over_the_bare_hash_is_an_option),
		cmocka_unit_test(signatures_survive_loss_and_reordering),
		cmocka_unit_test(large_certificates_travel_in_fragments),
		cmocka_unit_test(a_suite_needs_its_credential_on_both_sides),
		cmocka_unit_test(pre_shared_keys_and_signatures_live_side_by_side),
		cmocka_unit_test(bad_certificates_are_refused_by_name),
		cmocka_unit_test(a_stranger_to_the_ca_is_refused),
		cmocka_unit_test(a_stolen_certificate_without_its_key_is_refused),
		cmocka_unit_test(an_address_identity_must_be_where_it_comes_from),
		cmocka_unit_test(behind_a_nat_an_address_identity_is_the_inner_one),
		cmocka_unit_test(a_key_server_that_cannot_prove_itself_is_left),
		cmocka_unit_test(revocation_is_asked_after_the_signature_and_decides),
		cmocka_unit_test(a_status_nobody_fetched_refuses),
		cmocka_unit_test(a_job_of_another_handshake_changes_nothing),
		cmocka_unit_test(a_damaged_message_5_never_establishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
