#include "tests/unit/ike_pair.h"

#include "common/ike/keylog.h"

static void write_ike(void *arg, const struct ike_keylog *k)
{
	keylog_ike(arg, k);
}

static void both_sides_log_the_same_line(void **state)
{
	static const struct ike_proposal fast[] = { { CIPHER_AES128_CBC, HASH_ALG_SHA256,
						      DH_ECP256 } };
	char lines[2][1024] = { "", "" };
	FILE *f[2];
	struct ike_pair p;

	(void)state;
	pair_init(&p, fast, 1, 1);
	for (int i = 0; i < 2; i++)
		f[i] = fmemopen(lines[i], sizeof(lines[i]), "w");
	p.i.conf.keylog = p.r.conf.keylog = write_ike;
	p.i.conf.keylog_arg = f[0];
	p.r.conf.keylog_arg = f[1];
	assert_true(pair_run(&p));
	fclose(f[0]);
	fclose(f[1]);
	assert_string_equal(lines[0], lines[1]);
	assert_int_equal(strncmp(lines[0], "{\"cky_i\":\"", 10), 0);
	assert_int_equal(strlen(lines[0]), 10 + 16 + 11 + 16 + 12 + 64 + 14 + 64 + 14 + 64 + 3);
	pair_fini(&p);
}

static void group_keys_are_hex(void **state)
{
	static const uint8_t spi[16] = { 0xab }, iv[2] = { 1, 2 };
	struct secret key = { .len = 2, .b = { 0xff, 0 } };
	char text[256] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	(void)state;
	keylog_kek(f, BYTES_OF(spi), "AES-128-CBC", BYTES_OF(iv), &key);
	keylog_tek(f, 0x7f3a, "esp-gcm 128", BYTES(key.b, 2));
	keylog_tek(NULL, 1, "nowhere", BYTES(key.b, 2));
	fclose(f);
	assert_string_equal(
		text, "{\"kek_spi\":\"ab000000000000000000000000000000\","
		      "\"alg\":\"AES-128-CBC\",\"iv\":\"0102\",\"key\":\"ff00\"}\n"
		      "{\"tek_spi\":\"00007f3a\",\"alg\":\"esp-gcm 128\",\"key\":\"ff00\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_log_the_same_line),
		cmocka_unit_test(group_keys_are_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
