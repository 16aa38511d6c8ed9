// What a trustpoint takes for its own, and what stays on disk when it does not.
#include "tests/unit/common/crypto/cmp_ca.h"

#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "common/base/mono.h"
#include "common/pki/enrol_io.h"
#include "common/pki/enrol_work.h"
#include "common/pki/files.h"

#define SECRET "of the enrolment"
#define BEFORE "what was there before\n"

struct world {
	char dir[32], file[64];
	struct cmp_ca ca;
	struct ike_pki *pki;
	struct ike_trustpoint *tp;
};

static void put_file(const char *path, const char *text)
{
	assert_int_equal(pki_file_write(path, BYTES(text, strlen(text)), PKI_MODE_KEY), 0);
}

static void world_make(struct world *w, int id_want)
{
	static const struct trust_conf conf = { .n_methods = 1, .methods = { TRUST_NONE } };
	enum cert_reason why;

	*w = (struct world){ .dir = "/tmp/enrol_test.XXXXXX" };
	assert_int_equal(crypto_init(), 0);
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->file, sizeof(w->file), "%s/own.pem", w->dir);
	cmp_ca_init(&w->ca, SECRET);
	assert_int_equal(ike_pki_new(&w->pki), 0);
	w->tp = &w->pki->tp[w->pki->n++];
	strcpy(w->tp->name, "CORP");
	w->tp->id_want = id_want;
	assert_int_equal(trust_new(&conf, &w->tp->trust), 0);
	assert_int_equal(trust_add_ca(w->tp->trust, mp_pem(w->ca.root.x), &why), 0);
	w->tp->enrol = (struct ike_enrol){ .set = true,
					   .url = "http://127.0.0.1:1/",
					   .subject = "CN=gm1, O=Example",
					   .reference = "gm1",
					   .key_alg = SIGN_ECDSA_P256 };
	strcpy(w->tp->enrol.file, w->file);
	assert_int_equal(secret_set(&w->tp->enrol.secret, SECRET, strlen(SECRET)), 0);
	put_file(w->file, BEFORE);
}

static void world_end(struct world *w)
{
	char path[80];

	unlink(w->file);
	snprintf(path, sizeof(path), "%s.new", w->file);
	unlink(path);
	assert_int_equal(rmdir(w->dir), 0); // nothing else was left there
	ike_pki_put(w->pki);
	cmp_ca_fini(&w->ca);
}

static bool is_as_before(const struct world *w)
{
	size_t len;
	char *b;
	bool same;

	assert_int_equal(file_read(w->file, PKI_FILE_MAX, &b, &len), 0);
	same = len == strlen(BEFORE) && memcmp(b, BEFORE, len) == 0;
	file_free(b, len);
	return same;
}

// ---- by CMP ----

// The key lies there as an earlier attempt left it, since the CA has to know for whom it issues.
static void key_make(struct world *w)
{
	char path[80], *pem;
	size_t len;
	BIO *b;

	assert_int_equal(pki_key_new(SIGN_ECDSA_P256, 0, &pem, &len), 0);
	b = BIO_new_mem_buf(pem, (int)len);
	w->ca.subject_key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
	assert_non_null(w->ca.subject_key);
	BIO_free(b);
	snprintf(path, sizeof(path), "%s.new", w->file);
	put_file(path, pem);
	file_free(pem, len);
}

static bool never_waits(void *arg, int seconds)
{
	(void)arg, (void)seconds;
	return false;
}

static void a_certificate_without_our_name_does_not_replace_the_present_one(void **state)
{
	struct world w;
	struct enrol_work *work;

	(void)state;
	for (int named = 0; named < 2; named++) {
		world_make(&w, IKE_ID_FQDN);
		key_make(&w);
		w.tp->enrol.n_names = 1;
		strcpy(w.tp->enrol.name[0], named ? "gm1.example.net" : "192.0.2.2");
		work = enrol_work_new(w.tp);
		work->kind = CMP_IR;
		work->exchange = cmp_ca_exchange;
		work->sleep = never_waits;
		work->arg = &w.ca;
		enrol_work_run(work);
		assert_int_equal(work->done, named);
		assert_int_equal(is_as_before(&w), !named);
		if (!named)
			assert_non_null(strstr(work->why, "no name of the kind"));
		enrol_work_free(work);
		world_end(&w);
	}
}

static bool attempt(struct world *w, enum cmp_kind kind, bool new_key, char why[CMP_WHY_LEN])
{
	struct enrol_work *work = enrol_work_new(w->tp);
	bool done;

	work->kind = kind;
	work->conf.new_key = new_key;
	work->exchange = cmp_ca_exchange;
	work->sleep = never_waits;
	work->arg = &w->ca;
	enrol_work_run(work);
	done = work->done;
	strcpy(why, work->why);
	enrol_work_free(work);
	return done;
}

// The CA issues for the key that lay there first: a fresh one is told by that.
static void assert_fresh_key(struct world *w, enum cmp_kind kind, bool new_key)
{
	char why[CMP_WHY_LEN];

	assert_false(attempt(w, kind, new_key, why));
	assert_non_null(strstr(why, "another key than ours"));
}

static void put_pending(const struct world *w, const char *text)
{
	char path[80];

	snprintf(path, sizeof(path), "%s.new", w->file);
	put_file(path, text);
}

static void a_pending_key_that_cannot_be_read_is_replaced(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, IKE_ID_AUTO);
	key_make(&w);
	put_pending(&w, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	assert_fresh_key(&w, CMP_IR, true);
	assert_true(is_as_before(&w));
	world_end(&w);
}

static void a_pending_key_of_another_kind_than_is_configured_now_is_replaced(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, IKE_ID_AUTO);
	key_make(&w);
	w.tp->enrol.key_alg = SIGN_ECDSA_P384;
	assert_fresh_key(&w, CMP_IR, true);
	world_end(&w);
}

static void the_present_key_into_file_and_pending(struct world *w);

// kill -9 after FILE was replaced and before FILE.new was removed; or a renewal that failed.
static void the_present_key_lying_there_is_not_taken_for_a_new_one(void **state)
{
	char why[CMP_WHY_LEN];
	struct world w;

	(void)state;
	world_make(&w, IKE_ID_AUTO);
	cmp_ca_prove(&w.ca, NULL);
	the_present_key_into_file_and_pending(&w);
	assert_true(attempt(&w, CMP_KUR, false, why)); // the same key was wanted

	the_present_key_into_file_and_pending(&w);
	assert_fresh_key(&w, CMP_CR, true);
	the_present_key_into_file_and_pending(&w);
	assert_fresh_key(&w, CMP_KUR, true);
	world_end(&w);
}

struct patience {
	struct cmp_ca *ca;
	unsigned times;
	int64_t s;
};

static int ask_patiently(void *arg, struct bytes message, uint8_t **answer, size_t *len, char *why,
			 size_t why_size)
{
	return cmp_ca_exchange(((struct patience *)arg)->ca, message, answer, len, why, why_size);
}

static bool wait_patiently(void *arg, int seconds)
{
	struct patience *p = arg;

	assert_true(seconds >= 1 && seconds <= ENROL_POLL_MAX_S);
	p->times++;
	p->s += seconds;
	return true;
}

static void a_ca_that_never_decides_is_asked_ever_less_often_and_given_up(void **state)
{
	struct patience p;
	struct enrol_work *work;
	struct world w;

	(void)state;
	world_make(&w, IKE_ID_AUTO);
	key_make(&w);
	w.ca.polls = 1000000;
	p = (struct patience){ .ca = &w.ca };
	work = enrol_work_new(w.tp);
	work->kind = CMP_IR;
	work->exchange = ask_patiently;
	work->sleep = wait_patiently;
	work->arg = &p;
	enrol_work_run(work);
	assert_false(work->done);
	assert_non_null(strstr(work->why, "has not decided for a day"));
	assert_in_range(p.s, ENROL_POLL_TOTAL_S - ENROL_POLL_MAX_S, ENROL_POLL_TOTAL_S);
	assert_true(p.times < 300);
	enrol_work_free(work);
	world_end(&w);
}

// ---- by hand ----

static struct ike_pki *pki_now(void *arg)
{
	return ((struct world *)arg)->pki;
}

static void pki_take(void *arg, struct ike_pki *next)
{
	struct world *w = arg;

	ike_pki_put(w->pki);
	w->pki = next;
	w->tp = &next->tp[0];
}

static void bundle_make(const struct world *w, const char *alt_name, struct pki_bundle *out)
{
	const int64_t now = time(NULL);
	const struct mp_spec spec = { .cn = "gm1",
				      .from = now - MP_NOW - 60,
				      .until = now - MP_NOW + MP_DAY,
				      .ext = { { NID_subject_alt_name, alt_name } } };
	struct mp_node n = mp_issue(&w->ca.root, &spec);
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long len;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(b, n.key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(PEM_write_bio_X509(b, n.x), 1);
	len = BIO_get_mem_data(b, &p);
	assert_int_equal(pki_from_pem(BYTES(p, (size_t)len), NULL, BYTES(p, (size_t)len), out), 0);
	BIO_free(b);
	mp_free(&n);
}

static void the_present_key_into_file_and_pending(struct world *w)
{
	struct pki_bundle b;
	char *pem;
	size_t len;
	BIO *bio;

	bundle_make(w, "DNS:gm1.example.net", &b);
	pem = pki_join(BYTES(b.key_pem, b.key_len), (const struct cert *const *)&b.own, 1, &len);
	put_file(w->file, pem);
	file_free(pem, len);
	put_pending(w, b.key_pem);
	EVP_PKEY_free(w->ca.subject_key);
	bio = BIO_new_mem_buf(b.key_pem, (int)b.key_len);
	w->ca.subject_key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	pki_bundle_fini(&b);
}

static void an_import_without_our_name_leaves_the_file_as_it_is(void **state)
{
	struct event_base *base = event_base_new();
	struct enroller *e;
	struct rng rng;
	struct world w;
	struct pki_bundle b;
	char why[CMP_WHY_LEN];

	(void)state;
	world_make(&w, IKE_ID_FQDN);
	rng_seed(&rng, 1);
	assert_int_equal(
		enroller_new(base, &rng, &(struct enrol_hooks){ pki_now, pki_take, &w }, &e), 0);
	enroller_config(e);
	bundle_make(&w, "IP:192.0.2.2", &b);
	assert_int_not_equal(enroller_import(e, "CORP", &b, why), 0);
	assert_non_null(strstr(why, "no name of the kind"));
	assert_true(is_as_before(&w));
	assert_int_equal(w.tp->n_own, 0);
	pki_bundle_fini(&b);

	bundle_make(&w, "DNS:gm1.example.net", &b);
	assert_int_equal(enroller_import(e, "CORP", &b, why), 0);
	assert_false(is_as_before(&w));
	assert_int_equal(w.tp->n_own, 1);
	pki_bundle_fini(&b);
	enroller_free(e);
	event_base_free(base);
	world_end(&w);
}

static void remember(void *arg, bool ok, const char *text)
{
	(void)ok;
	snprintf(arg, CMP_WHY_LEN, "%s", text);
}

static void no_import_while_an_enrolment_is_under_way(void **state)
{
	struct event_base *base = event_base_new();
	struct enroller *e;
	struct rng rng;
	struct world w;
	struct pki_bundle b;
	char why[CMP_WHY_LEN], told[CMP_WHY_LEN] = "";

	(void)state;
	world_make(&w, IKE_ID_AUTO);
	rng_seed(&rng, 1);
	assert_int_equal(
		enroller_new(base, &rng, &(struct enrol_hooks){ pki_now, pki_take, &w }, &e), 0);
	enroller_config(e);
	enroller_enroll(e, "CORP", false, remember, told);
	bundle_make(&w, "DNS:gm1.example.net", &b);
	assert_int_not_equal(enroller_import(e, "CORP", &b, why), 0);
	assert_non_null(strstr(why, "an enrolment is under way"));
	assert_true(is_as_before(&w));
	pki_bundle_fini(&b);
	enroller_free(e); // and nobody is left waiting
	assert_string_equal(told, "the daemon stops");
	event_base_free(base);
	world_end(&w);
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req), *out = evbuffer_new();
	size_t n = evbuffer_get_length(in), len;
	uint8_t *answer;
	char why[CMP_WHY_LEN];

	assert_int_equal(cmp_ca_exchange(arg, BYTES(evbuffer_pullup(in, -1), n), &answer, &len, why,
					 sizeof(why)),
			 0);
	evbuffer_add(out, answer, len);
	free(answer);
	evhttp_send_reply(req, 200, "OK", out);
	evbuffer_free(out);
}

// The server listens where the trustpoint's url says.
static struct evhttp *ca_listens(struct world *w, struct event_base *base)
{
	struct evhttp *h = evhttp_new(base);

	for (unsigned port = 20000; port < 20100; port++) {
		if (evhttp_bind_socket(h, "127.0.0.1", (uint16_t)port) == 0) {
			snprintf(w->tp->enrol.url, sizeof(w->tp->enrol.url), "http://127.0.0.1:%u/",
				 port);
			evhttp_set_gencb(h, on_request, &w->ca);
			return h;
		}
	}
	fail_msg("no port is free");
	return NULL;
}

static void run_until(struct event_base *base, bool (*is)(void *arg), void *arg)
{
	for (unsigned i = 0; i < 50 && !is(arg); i++) {
		event_base_loopexit(base, &(struct timeval){ .tv_usec = 100000 });
		event_base_dispatch(base);
	}
	assert_true(is(arg));
}

static bool is_told(void *arg)
{
	return *(char *)arg != '\0';
}

static bool is_over(void *arg)
{
	struct enrol_status st;

	assert_true(enroller_status(arg, "CORP", &st));
	return !st.running;
}

// A CA may take a day to decide: what the operator brings meanwhile counts more.
static void an_import_ends_an_enrolment_that_waits_for_the_ca(void **state)
{
	struct event_base *base = event_base_new();
	struct enroller *e;
	struct evhttp *h;
	struct rng rng;
	struct world w;
	struct pki_bundle b;
	char why[CMP_WHY_LEN], told[CMP_WHY_LEN] = "";

	(void)state;
	world_make(&w, IKE_ID_AUTO);
	w.ca.polls = 1000;
	h = ca_listens(&w, base);
	rng_seed(&rng, 1);
	assert_int_equal(
		enroller_new(base, &rng, &(struct enrol_hooks){ pki_now, pki_take, &w }, &e), 0);
	enroller_config(e);
	enroller_enroll(e, "CORP", false, remember, told);
	run_until(base, is_told, told);
	assert_non_null(strstr(told, "has not decided yet"));
	bundle_make(&w, "DNS:gm1.example.net", &b);
	assert_int_not_equal(enroller_import(e, "CORP", &b, why), 0);
	run_until(base, is_over, e);
	assert_int_equal(enroller_import(e, "CORP", &b, why), 0);
	assert_int_equal(w.tp->n_own, 1);
	pki_bundle_fini(&b);
	enroller_free(e);
	evhttp_free(h);
	event_base_free(base);
	world_end(&w);
}

// An enrolment that waits for the CA.
struct waiting {
	struct world w;
	struct event_base *base;
	struct enroller *e;
	struct evhttp *h;
	struct rng rng;
	char told[CMP_WHY_LEN];
};

static void waiting_make(struct waiting *v)
{
	world_make(&v->w, IKE_ID_AUTO);
	v->base = event_base_new();
	v->told[0] = '\0';
	v->w.ca.polls = 1000;
	v->h = ca_listens(&v->w, v->base);
	rng_seed(&v->rng, 1);
	assert_int_equal(enroller_new(v->base, &v->rng,
				      &(struct enrol_hooks){ pki_now, pki_take, &v->w }, &v->e),
			 0);
	enroller_config(v->e);
	enroller_enroll(v->e, "CORP", false, remember, v->told);
	run_until(v->base, is_told, v->told);
	assert_non_null(strstr(v->told, "has not decided yet"));
}

static void waiting_end(struct waiting *v)
{
	enroller_free(v->e);
	evhttp_free(v->h);
	event_base_free(v->base);
	world_end(&v->w);
}

static void an_operator_can_give_up_what_waits_for_the_ca(void **state)
{
	struct enrol_status st;
	struct waiting v;

	(void)state;
	waiting_make(&v);
	assert_false(enroller_cancel(v.e, "OTHER"));
	assert_true(enroller_cancel(v.e, "CORP"));
	run_until(v.base, is_over, v.e);
	assert_false(enroller_cancel(v.e, "CORP"));
	assert_true(enroller_status(v.e, "CORP", &st));
	assert_string_equal(st.last, "interrupted");
	assert_int_equal(st.retry, 0);
	assert_true(is_as_before(&v.w));
	waiting_end(&v);
}

static unsigned turns_in_a_moment(struct event_base *base)
{
	unsigned n = 0;

	for (mono_t end = mono_add_ms(mono_now(), 300); mono_before(mono_now(), end); n++) {
		event_base_loopexit(base, &(struct timeval){ .tv_usec = 300000 });
		event_base_loop(base, EVLOOP_ONCE);
	}
	return n;
}

// What is due begins when the one under way has ended: until then there is nothing to wake up for.
static void a_reload_while_an_enrolment_waits_costs_no_time(void **state)
{
	struct enrol_status st;
	struct waiting v;

	(void)state;
	waiting_make(&v);
	v.w.tp->enrol.renew_percent = 50;
	enroller_config(v.e);
	assert_true(turns_in_a_moment(v.base) < 20);
	v.w.pki->n = 0; // a reload that takes the trustpoint away
	enroller_config(v.e);
	assert_true(enroller_cancel(v.e, "CORP"));
	run_until(v.base, is_over, v.e);
	assert_true(enroller_status(v.e, "CORP", &st));
	assert_int_equal(st.retry, 0);
	v.w.pki->n = 1;
	waiting_end(&v);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_without_our_name_does_not_replace_the_present_one),
		cmocka_unit_test(an_import_without_our_name_leaves_the_file_as_it_is),
		cmocka_unit_test(no_import_while_an_enrolment_is_under_way),
		cmocka_unit_test(an_import_ends_an_enrolment_that_waits_for_the_ca),
		cmocka_unit_test(a_pending_key_that_cannot_be_read_is_replaced),
		cmocka_unit_test(a_pending_key_of_another_kind_than_is_configured_now_is_replaced),
		cmocka_unit_test(the_present_key_lying_there_is_not_taken_for_a_new_one),
		cmocka_unit_test(a_ca_that_never_decides_is_asked_ever_less_often_and_given_up),
		cmocka_unit_test(an_operator_can_give_up_what_waits_for_the_ca),
		cmocka_unit_test(a_reload_while_an_enrolment_waits_costs_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
