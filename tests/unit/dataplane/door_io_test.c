#include "tests/unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/door_io.h"
#include "dataplane/dp_client.h"
#include "dataplane/worker.h"

// espd without workers: nobody has counters or reads a policy.
static struct espd d;
static struct door *door;
static struct dp_client c;

const struct stats *worker_stats(const struct worker *w)
{
	return &w->st;
}

uint64_t worker_cpu_ns(const struct worker *w)
{
	(void)w;
	return 0;
}

static int opened(void **state)
{
	(void)state;
	d = (struct espd){ .boot_id = 7 };
	snprintf(d.conf.control, sizeof(d.conf.control), "/tmp/door_io_test.%d", (int)getpid());
	dp_client_init(&c);
	return door_new(&d, &door) ? -1 : dp_client_connect(&c, d.conf.control);
}

static int closed(void **state)
{
	(void)state;
	dp_client_close(&c);
	door_free(door);
	return 0;
}

static void turn(void)
{
	struct pollfd fds[DOOR_FDS];

	door_poll_set(door, fds);
	assert_true(poll(fds, DOOR_FDS, 0) >= 0);
	door_poll_done(door, fds, (mono_t){ 0 });
}

// How many answers end; -errno of the connection, 0 while it lasts, in *err.
static size_t take_all(int *err)
{
	struct dp_msg m;
	size_t n = 0;

	for (;;) {
		turn();
		*err = dp_client_recv(&c, &m);
		if (*err <= 0)
			return n;
		n += m.type == DP_RESULT;
	}
}

static void hello_is_answered(void **state)
{
	struct dp_msg m;

	(void)state;
	turn();
	assert_int_equal(dp_client_hello(&c), 0);
	assert_int_equal(dp_client_flush(&c), 0);
	turn();
	assert_int_equal(dp_client_recv(&c, &m), 1);
	assert_int_equal(m.type, DP_HELLO_ACK);
	assert_int_equal(m.u.hello_ack.boot_id, 7);
}

static void every_question_is_answered(void **state)
{
	int err;

	(void)state;
	turn();
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(dp_client_counters_get(&c), 0);
	assert_int_equal(dp_client_flush(&c), 0);
	assert_int_equal(take_all(&err), 8);
	assert_int_equal(err, 0);
}

// It would wait for an answer that found no room.
static void a_client_that_takes_no_answers_is_sent_away_rather_than_left_waiting(void **state)
{
	size_t asked = 0;
	int err;

	(void)state;
	turn();
	for (; asked < 1000; asked++) {
		assert_int_equal(dp_client_counters_get(&c), 0);
		if (dp_client_flush(&c) < 0)
			break;
		turn();
	}
	assert_true(take_all(&err) < asked);
	assert_int_equal(err, -ECONNRESET);
	dp_client_close(&c);
	assert_int_equal(dp_client_connect(&c, d.conf.control), 0);
	hello_is_answered(state);
}

static void without_a_user_of_its_own_the_socket_is_roots(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(d.conf.control, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, opened, closed)
		T(hello_is_answered),
		T(every_question_is_answered),
		T(a_client_that_takes_no_answers_is_sent_away_rather_than_left_waiting),
		T(without_a_user_of_its_own_the_socket_is_roots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
