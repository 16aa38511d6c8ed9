#include "tests/unit/unit.h"

#include <fcntl.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include "dataplane/punt_io.h"

#define RING 4096
#define LOAD (3 * PUNT_WRITE_MAX + 1)

static struct espd d;
static struct rte_mbuf frame; // one for all: it is only counted down

static struct rte_ring *ring_new(void)
{
	struct rte_ring *r = aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)rte_ring_get_memsize(RING));

	assert_non_null(r);
	assert_int_equal(rte_ring_init(r, "to_kernel", RING, RING_F_SC_DEQ), 0);
	return r;
}

// Workers fill the ring faster than the kernel takes: the loop that serves gmd must go on.
static void a_turn_ends_however_much_waits_and_nothing_is_lost(void **state)
{
	struct port *p = &d.ports[0];
	unsigned left = LOAD;

	(void)state;
	d.n_ports = 1;
	p->tap_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	p->to_kernel = ring_new();
	frame.buf_addr = &frame;
	frame.nb_segs = 1;
	rte_mbuf_refcnt_set(&frame, LOAD + 1);
	for (unsigned i = 0; i < LOAD; i++)
		assert_int_equal(rte_ring_enqueue(p->to_kernel, &frame), 0);
	for (; left > PUNT_WRITE_MAX; left -= PUNT_WRITE_MAX) {
		assert_true(punt_io_pending(&d));
		punt_io_to_kernel(&d);
		assert_int_equal(rte_ring_count(p->to_kernel), left - PUNT_WRITE_MAX);
	}
	punt_io_to_kernel(&d);
	assert_false(punt_io_pending(&d));
	assert_int_equal(rte_mbuf_refcnt_read(&frame), 1);
	close(p->tap_fd);
	free(p->to_kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_ends_however_much_waits_and_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
