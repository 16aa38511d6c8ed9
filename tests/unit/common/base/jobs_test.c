#include "tests/unit/unit.h"

#include <poll.h>
#include <unistd.h>

#include "common/base/jobs_io.h"

static int gate[2]; // a running job waits for an octet
static unsigned dropped;

static void run(void *job)
{
	char c;

	assert_int_equal(read(gate[0], &c, 1), 1);
	*(int *)job += 100;
}

static void drop(void *job)
{
	(void)job;
	dropped++;
}

static void let_run(unsigned n)
{
	while (n--)
		assert_int_equal(write(gate[1], "x", 1), 1);
}

static int *wait_one(struct jobs *j)
{
	struct pollfd p = { .fd = jobs_fd(j), .events = POLLIN };
	int *job = jobs_take(j);

	while (!job) {
		assert_int_equal(poll(&p, 1, 5000), 1);
		job = jobs_take(j);
	}
	return job;
}

static void jobs_come_back_in_order_and_one_too_many_is_refused(void **state)
{
	int job[4] = { 1, 2, 3, 4 };
	struct jobs *j;

	(void)state;
	assert_int_equal(jobs_new(1, 3, run, drop, &j), 0);
	for (int i = 0; i < 3; i++)
		assert_true(jobs_put(j, &job[i]));
	assert_false(jobs_put(j, &job[3])); // whatever of the three is running
	let_run(1);
	assert_ptr_equal(wait_one(j), &job[0]);
	assert_int_equal(job[0], 101);
	assert_true(jobs_put(j, &job[3])); // its place is free again
	let_run(3);
	for (int i = 1; i < 4; i++)
		assert_ptr_equal(wait_one(j), &job[i]);
	assert_null(jobs_take(j));
	jobs_free(j);
	assert_int_equal(dropped, 0);
	assert_int_equal(job[3], 104);
}

static void a_finished_job_counts_until_it_is_taken(void **state)
{
	int job[2] = { 1, 2 };
	struct jobs *j;
	struct pollfd p = { .events = POLLIN };

	(void)state;
	assert_int_equal(jobs_new(2, 1, run, drop, &j), 0);
	p.fd = jobs_fd(j);
	assert_true(jobs_put(j, &job[0]));
	let_run(1);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_false(jobs_put(j, &job[1]));
	jobs_free(j);
	assert_int_equal(dropped, 1);
}

static void what_never_ran_is_dropped_at_the_end(void **state)
{
	int job[3] = { 1, 2, 3 };
	struct jobs *j;

	(void)state;
	dropped = 0;
	assert_int_equal(jobs_new(1, 8, run, drop, &j), 0);
	for (int i = 0; i < 3; i++)
		assert_true(jobs_put(j, &job[i]));
	let_run(3); // so that the one that runs can end
	jobs_free(j);
	assert_int_equal(dropped, 3);
	jobs_free(NULL);
}

static int setup(void **state)
{
	(void)state;
	return pipe(gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_come_back_in_order_and_one_too_many_is_refused),
		cmocka_unit_test(a_finished_job_counts_until_it_is_taken),
		cmocka_unit_test(what_never_ran_is_dropped_at_the_end),
	};

	return cmocka_run_group_tests_name("base/jobs", tests, setup, NULL);
}
