#include "tests/unit/unit.h"

#include "common/crypto/crypto.h"
#include "coop/link.h"

struct pair {
	struct link_keys a, b; // a calls
	struct secret x;
};

static void pair_make(struct pair *p)
{
	link_keys_init(&p->a, true);
	link_keys_init(&p->b, false);
	assert_int_equal(secret_set(&p->x, "0123456789abcdef0123456789abcdef", LINK_KEY_LEN), 0);
}

// One session more: both have accepted, and both know.
static void session(struct pair *p)
{
	p->x.b[0]++;
	assert_int_equal(link_keys_accept(&p->a, &p->x), 0);
	assert_int_equal(link_keys_accept(&p->b, &p->x), 0);
	link_keys_tell(&p->a);
	link_keys_tell(&p->b);
}

static uint8_t buf[LINK_HELLO_MAX];

static struct bytes says(struct link_keys *k, uint64_t boot, const char *text)
{
	return BYTES(buf, link_hello_seal(k, boot, BYTES(text, strlen(text)), buf, sizeof(buf)));
}

static enum link_hello_why hears(struct link_keys *k, struct bytes d)
{
	struct bytes frame;
	enum link_hello_why why = link_hello_open(k, d, &frame);

	if (why == LINK_HELLO_OK)
		assert_memory_equal(frame.p, "hello", frame.len);
	return why;
}

static void a_hello_is_heard_once(void **state)
{
	struct pair p;
	struct bytes d;

	(void)state;
	pair_make(&p);
	session(&p);
	d = says(&p.a, 7, "hello");
	assert_int_equal(d.len, 5 + LINK_HELLO_OVERHEAD);
	assert_int_equal(hears(&p.b, d), LINK_HELLO_OK);
	assert_int_equal(hears(&p.b, d), LINK_HELLO_REPLAYED);
	assert_int_equal(hears(&p.b, says(&p.a, 7, "hello")), LINK_HELLO_OK);
	assert_int_equal(hears(&p.a, says(&p.b, 8, "hello")), LINK_HELLO_OK);
}

static void an_older_hello_is_not_heard_after_a_newer_one(void **state)
{
	struct pair p;
	uint8_t old[LINK_HELLO_MAX];
	struct bytes d;

	(void)state;
	pair_make(&p);
	session(&p);
	d = says(&p.a, 7, "hello");
	memcpy(old, d.p, d.len);
	assert_int_equal(hears(&p.b, says(&p.a, 7, "hello")), LINK_HELLO_OK);
	assert_int_equal(hears(&p.b, BYTES(old, d.len)), LINK_HELLO_REPLAYED);
}

static void a_hello_sent_back_is_refused(void **state)
{
	struct pair p;
	struct bytes d;

	(void)state;
	pair_make(&p);
	session(&p);
	d = says(&p.a, 7, "hello");
	assert_int_equal(hears(&p.a, d), LINK_HELLO_REFLECTED);
	buf[3] = 0; // the same with the direction turned: its tag is of another key
	assert_int_equal(hears(&p.a, d), LINK_HELLO_BAD_TAG);
}

static void every_changed_octet_is_noticed(void **state)
{
	struct pair p;
	struct bytes d;

	(void)state;
	pair_make(&p);
	session(&p);
	d = says(&p.a, 7, "hello");
	for (size_t i = 0; i < d.len; i++) {
		buf[i] ^= 0x40;
		assert_int_not_equal(hears(&p.b, d), LINK_HELLO_OK);
		buf[i] ^= 0x40;
		assert_int_not_equal(hears(&p.b, BYTES(d.p, i)), LINK_HELLO_OK);
	}
	assert_int_equal(hears(&p.b, d), LINK_HELLO_OK);
}

static void another_boot_under_one_key_is_refused(void **state)
{
	struct pair p;

	(void)state;
	pair_make(&p);
	session(&p);
	assert_int_equal(hears(&p.b, says(&p.a, 7, "hello")), LINK_HELLO_OK);
	assert_int_equal(hears(&p.b, says(&p.a, 9, "hello")), LINK_HELLO_OTHER_BOOT);
}

static void without_a_session_nothing_is_said_or_heard(void **state)
{
	struct pair p, q;

	(void)state;
	pair_make(&p);
	pair_make(&q);
	session(&q);
	assert_int_equal(says(&p.a, 7, "hello").len, 0);
	assert_int_equal(hears(&p.b, says(&q.a, 7, "hello")), LINK_HELLO_UNKNOWN_KEY);
	session(&p);
	link_keys_fini(&p.a);
	assert_int_equal(says(&p.a, 7, "hello").len, 0);
}

static void the_former_key_holds_until_both_have_the_next(void **state)
{
	struct pair p;
	uint8_t former[LINK_HELLO_MAX];
	struct bytes d;

	(void)state;
	pair_make(&p);
	session(&p);
	p.x.b[0]++;
	assert_int_equal(link_keys_accept(&p.a, &p.x), 0); // b has not accepted a yet
	assert_int_equal(hears(&p.b, says(&p.a, 7, "hello")), LINK_HELLO_OK);
	assert_int_equal(link_keys_accept(&p.b, &p.x), 0);
	link_keys_tell(&p.a);
	d = says(&p.b, 8, "hello"); // b does not know yet that a has
	memcpy(former, d.p, d.len);
	assert_int_equal(hears(&p.a, d), LINK_HELLO_OK);
	assert_int_equal(hears(&p.b, says(&p.a, 7, "hello")), LINK_HELLO_OK);
	link_keys_tell(&p.b);
	assert_int_equal(hears(&p.a, says(&p.b, 8, "hello")), LINK_HELLO_OK);
	assert_int_equal(hears(&p.a, BYTES(former, d.len)), LINK_HELLO_UNKNOWN_KEY);
}

static void sessions_that_came_to_nothing_cost_no_key(void **state)
{
	struct pair p;

	(void)state;
	pair_make(&p);
	session(&p);
	for (int i = 0; i < 5; i++) {
		p.x.b[1]++;
		assert_int_equal(link_keys_accept(&p.a, &p.x), 0);
	}
	assert_int_equal(hears(&p.b, says(&p.a, 7, "hello")), LINK_HELLO_OK);
	assert_int_equal(hears(&p.a, says(&p.b, 7, "hello")), LINK_HELLO_OK);
}

// ---- the stream ----

static size_t write_frame(uint8_t *out, uint32_t body)
{
	struct wr w;

	wr_init(&w, out, COOP_FRAME_LEN + 5);
	wr_u16(&w, 0x4350);
	wr_u8(&w, COOP_VERSION);
	wr_u8(&w, COOP_VECTOR);
	wr_u32(&w, 1);
	wr_u32(&w, body);
	return w.len;
}

static void a_stream_is_cut_wherever_it_was_torn(void **state)
{
	static struct link_cut c;
	uint8_t stream[LINK_PREFACE_LEN + 3 * (COOP_FRAME_LEN + 5)] = { 0 };
	size_t frame_len = COOP_FRAME_LEN + 5;

	(void)state;
	link_preface(stream);
	for (size_t i = 0; i < 3; i++)
		write_frame(stream + LINK_PREFACE_LEN + i * frame_len, 5);
	for (size_t step = 1; step <= sizeof(stream); step++) {
		size_t n_preface = 0, n_frames = 0;

		memset(&c, 0, sizeof(c));
		for (size_t at = 0; at < sizeof(stream); at += step) {
			struct bytes in = BYTES(stream + at, MIN_OF(step, sizeof(stream) - at));
			enum link_cut_got got;
			struct bytes f;

			while ((got = link_cut(&c, &in, &f)) != LINK_CUT_MORE) {
				assert_int_not_equal(got, LINK_CUT_BAD);
				n_preface += got == LINK_CUT_PREFACE;
				n_frames += got == LINK_CUT_FRAME;
				if (got == LINK_CUT_FRAME)
					assert_int_equal(f.len, frame_len);
			}
			assert_int_equal(in.len, 0);
		}
		assert_int_equal(n_preface, 1);
		assert_int_equal(n_frames, 3);
	}
}

static void what_is_no_frame_is_refused_at_its_header(void **state)
{
	static struct link_cut c;
	uint8_t b[LINK_PREFACE_LEN + COOP_FRAME_LEN];
	struct bytes in = BYTES_OF(b), f;

	(void)state;
	link_preface(b);
	write_frame(b + LINK_PREFACE_LEN, COOP_BODY_MAX + 1);
	memset(&c, 0, sizeof(c));
	assert_int_equal(link_cut(&c, &in, &f), LINK_CUT_PREFACE);
	assert_int_equal(link_cut(&c, &in, &f), LINK_CUT_BAD);
	b[7] = 9; // a version that we do not know
	memset(&c, 0, sizeof(c));
	in = BYTES_OF(b);
	assert_int_equal(link_cut(&c, &in, &f), LINK_CUT_BAD);
}

static void of_two_one_calls(void **state)
{
	struct addr a = addr_from_v4(1), b = addr_from_v4(2);

	(void)state;
	assert_true(link_calls(&a, &b));
	assert_false(link_calls(&b, &a));
}

static void calls_come_slower_and_scattered(void **state)
{
	struct rng rng;
	int64_t ms, first;
	bool scattered = false;

	(void)state;
	rng_seed(&rng, 1);
	first = link_backoff_ms(0, &rng);
	for (unsigned tries = 0; tries < 100; tries++) {
		ms = link_backoff_ms(tries, &rng);
		assert_in_range(ms, tries < 3 ? 125 << tries : 1000,
				tries < 3 ? 250 << tries : 2000);
		scattered |= link_backoff_ms(0, &rng) != first;
	}
	assert_true(scattered);
}

static int start(void **state)
{
	(void)state;
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_is_heard_once),
		cmocka_unit_test(an_older_hello_is_not_heard_after_a_newer_one),
		cmocka_unit_test(a_hello_sent_back_is_refused),
		cmocka_unit_test(every_changed_octet_is_noticed),
		cmocka_unit_test(another_boot_under_one_key_is_refused),
		cmocka_unit_test(without_a_session_nothing_is_said_or_heard),
		cmocka_unit_test(the_former_key_holds_until_both_have_the_next),
		cmocka_unit_test(sessions_that_came_to_nothing_cost_no_key),
		cmocka_unit_test(a_stream_is_cut_wherever_it_was_torn),
		cmocka_unit_test(what_is_no_frame_is_refused_at_its_header),
		cmocka_unit_test(of_two_one_calls),
		cmocka_unit_test(calls_come_slower_and_scattered),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
