#include "tests/unit/unit.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/dp_client.h"

// A listening socket with a name of its own, and the accepted end of the client's connection.
struct door {
	char path[64];
	int lfd, fd;
	struct dp_client c;
};

static void door_open(struct door *d)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(d->path, sizeof(d->path), "/tmp/dp_client_test.%d", (int)getpid());
	unlink(d->path);
	memcpy(sa.sun_path, d->path, sizeof(d->path));
	d->lfd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_return_code(bind(d->lfd, (struct sockaddr *)&sa, sizeof(sa)), errno);
	assert_return_code(listen(d->lfd, 1), errno);
	dp_client_init(&d->c);
	assert_int_equal(dp_client_connect(&d->c, d->path), 0);
	d->fd = accept(d->lfd, NULL, NULL);
	assert_return_code(d->fd, errno);
}

static void door_close(struct door *d)
{
	dp_client_close(&d->c);
	close(d->fd);
	close(d->lfd);
	unlink(d->path);
}

static void connect_fails_where_nobody_listens(void **state)
{
	struct dp_client c;

	(void)state;
	dp_client_init(&c);
	assert_int_equal(dp_client_connect(&c, "/tmp/no/such/door"), -ENOENT);
	assert_int_equal(c.fd, -1);
}

static void messages_arrive_in_order_and_whole(void **state)
{
	struct dp_sa sa = { .spi = 0x1234, .key_len = 20, .key = { 1, 2, 3 } };
	struct dp_rule rule = { .action = DP_PROTECT, .line = 7 };
	struct dp_msg m;
	struct door d;

	(void)state;
	door_open(&d);
	assert_int_equal(dp_client_begin(&d.c, 5), 0);
	assert_int_equal(dp_client_sa(&d.c, &sa), 0);
	assert_int_equal(dp_client_rule(&d.c, &rule), 0);
	assert_int_equal(dp_client_commit(&d.c, 5), 0);
	assert_true(dp_client_wants_write(&d.c));
	assert_int_equal(dp_client_flush(&d.c), 0);
	assert_false(dp_client_wants_write(&d.c));
	assert_int_equal(recv(d.fd, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m.type, DP_BEGIN);
	assert_int_equal(m.u.generation, 5);
	assert_int_equal(recv(d.fd, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m.type, DP_SA);
	assert_memory_equal(&m.u.sa, &sa, sizeof(sa));
	assert_int_equal(recv(d.fd, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m.u.rule.line, 7);
	assert_int_equal(recv(d.fd, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m.type, DP_COMMIT);
	assert_int_equal(m.tag, d.c.tag);
	door_close(&d);
}

static void a_full_socket_leaves_the_rest_queued(void **state)
{
	struct dp_sa sa = { .spi = 1 };
	struct dp_msg m;
	unsigned got = 0;
	struct door d;

	(void)state;
	door_open(&d);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(dp_client_sa(&d.c, &sa), 0);
	assert_int_equal(dp_client_flush(&d.c), 0);
	assert_true(dp_client_wants_write(&d.c));
	while (got < 5000) {
		assert_int_equal(recv(d.fd, &m, sizeof(m), 0), sizeof(m));
		assert_int_equal(m.tag, ++got);
		assert_int_equal(dp_client_flush(&d.c), 0);
	}
	assert_false(dp_client_wants_write(&d.c));
	door_close(&d);
}

static void sent_keys_are_wiped_from_the_queue(void **state)
{
	struct dp_sa sa = { .spi = 1, .key_len = 20 };
	struct door d;

	(void)state;
	door_open(&d);
	memset(sa.key, 0xa5, sizeof(sa.key));
	assert_int_equal(dp_client_sa(&d.c, &sa), 0);
	assert_int_equal(dp_client_flush(&d.c), 0);
	for (size_t i = 0; i < d.c.cap_q * sizeof(*d.c.q); i++)
		assert_int_equal(((uint8_t *)d.c.q)[i], 0);
	door_close(&d);
}

static void recv_tells_nothing_message_and_end_apart(void **state)
{
	struct dp_msg m = { .version = DP_API_VERSION, .type = DP_NOTE };
	struct dp_msg out;
	struct door d;

	(void)state;
	door_open(&d);
	assert_int_equal(dp_client_recv(&d.c, &out), 0);
	assert_int_equal(send(d.fd, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(dp_client_recv(&d.c, &out), 1);
	assert_int_equal(out.type, DP_NOTE);
	assert_int_equal(send(d.fd, &m, 10, 0), 10);
	assert_int_equal(dp_client_recv(&d.c, &out), -EPROTO);
	close(d.fd);
	assert_int_equal(dp_client_recv(&d.c, &out), -ECONNRESET);
	d.fd = -1;
	door_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_fails_where_nobody_listens),
		cmocka_unit_test(messages_arrive_in_order_and_whole),
		cmocka_unit_test(a_full_socket_leaves_the_rest_queued),
		cmocka_unit_test(sent_keys_are_wiped_from_the_queue),
		cmocka_unit_test(recv_tells_nothing_message_and_end_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
