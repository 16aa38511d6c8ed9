#include "tests/unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/pkcs12.h"
#include "common/pki/files.h"
#include "common/pki/renew.h"

#define DAY INT64_C(86400)

static void renewal_comes_at_its_percentage_and_not_for_all_at_once(void **state)
{
	const int64_t from = 1700000000, until = from + 100 * DAY;
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	for (uint64_t seed = 1; seed < 500; seed++) {
		struct rng rng;
		int64_t at;

		rng_seed(&rng, seed);
		at = renew_at(from, until, 70, &rng);
		assert_in_range(at, from + 70 * DAY, from + 72 * DAY);
		least = at < least ? at : least;
		most = at > most ? at : most;
	}
	assert_true(most - least > DAY);
}

static void odd_lifetimes_do_no_harm(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	assert_int_equal(renew_at(100, 100, 70, &rng), 100);
	assert_int_equal(renew_at(200, 100, 70, &rng), 200);
	assert_in_range(renew_at(100, 110, 95, &rng), 109, 110);
	// a CA that gives certificates of seven thousand years
	assert_true(renew_at(0, INT64_C(253402300799), 95, &rng) > INT64_C(240000000000));
}

static void attempts_come_at_longer_and_longer_intervals(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	assert_in_range(renew_retry_s(1, &rng), 8, 13);
	assert_in_range(renew_retry_s(2, &rng), 15, 25);
	assert_in_range(renew_retry_s(5, &rng), 120, 200);
	for (unsigned n = 10; n < 100000; n = n * 3)
		assert_in_range(renew_retry_s(n, &rng), 2700, 4500);
}

static void the_end_is_told_in_stages(void **state)
{
	const int64_t from = 0, year = 365 * DAY;

	(void)state;
	assert_int_equal(renew_stage(from, year, year - 31 * DAY), RENEW_FINE);
	assert_int_equal(renew_stage(from, year, year - 29 * DAY), RENEW_30_DAYS);
	assert_int_equal(renew_stage(from, year, year - 6 * DAY), RENEW_7_DAYS);
	assert_int_equal(renew_stage(from, year, year - 3600), RENEW_1_DAY);
	assert_int_equal(renew_stage(from, year, year + 1), RENEW_EXPIRED);
	// ten days in all: not late on its first
	assert_int_equal(renew_stage(from, 10 * DAY, DAY), RENEW_FINE);
	assert_int_equal(renew_stage(from, 10 * DAY, 7 * DAY), RENEW_7_DAYS);
}

static void a_key_file_is_whole_and_for_nobody_else(void **state)
{
	char dir[] = "/tmp/pki_files_XXXXXX", path[64], *b;
	struct stat st;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/own.pem", dir);
	umask(0);
	assert_int_equal(pki_file_write(path, BYTES("one", 3), PKI_MODE_KEY), 0);
	assert_int_equal(pki_file_write(path, BYTES("second", 6), PKI_MODE_KEY), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(file_read(path, PKI_FILE_MAX, &b, &len), 0);
	assert_int_equal(len, 6);
	assert_string_equal(b, "second");
	file_free(b, len);
	unlink(path);
	assert_int_equal(file_read(path, PKI_FILE_MAX, &b, &len), -ENOENT);
	assert_int_equal(pki_file_write("/nowhere/own.pem", BYTES("x", 1), PKI_MODE_KEY), -ENOENT);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renewal_comes_at_its_percentage_and_not_for_all_at_once),
		cmocka_unit_test(odd_lifetimes_do_no_harm),
		cmocka_unit_test(attempts_come_at_longer_and_longer_intervals),
		cmocka_unit_test(the_end_is_told_in_stages),
		cmocka_unit_test(a_key_file_is_whole_and_for_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
