// Writes the seeds of the wire corpora: seed_wire DIR makes DIR/<decoder>/seed-NN from the sample
// messages of the unit tests. Run by hand when the samples learn something new.
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/unit/common/wire/samples.h"

#define SEEDS 12

static uint8_t buf[SAMPLE_MAX];
static struct sample_pool pool;

static void seed_write(const char *dir, const char *decoder, int n, int first, struct bytes b)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, decoder);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/seed-%02d", dir, decoder, n);
	f = fopen(path, "wb");
	if (!f) {
		perror(path);
		exit(1);
	}
	if (first >= 0)
		fputc(first, f);
	fwrite(b.p, 1, b.len, f);
	fclose(f);
}

static void seeds_of_payloads(const char *dir, int n)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	static struct gdoi_sa sa;
	static struct gdoi_kd kd;
	struct ike1_sa ike1;
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	wr_init(&w, buf, sizeof(buf));
	sample_ike1_sa(&pool, &ike1);
	ike1_sa_encode(&c, &ike1);
	seed_write(dir, "ike1_sa", n, 0, wr_view(&w, ISAKMP_PL_HDR_LEN, w.len));
	o.sak_id_len = o.sat_id_len = n % 2 ? 2 : 1;
	wr_init(&w, buf, sizeof(buf));
	sample_sa(&pool, &sa);
	gdoi_sa_encode(&o, &c, &sa);
	seed_write(dir, "gdoi_sa", n, n % 2, wr_view(&w, ISAKMP_PL_HDR_LEN, w.len));
	wr_init(&w, buf, sizeof(buf));
	sample_kd(&pool, &kd);
	gdoi_kd_encode(&o, &c, &kd);
	seed_write(dir, "gdoi_kd", n, 0, wr_view(&w, ISAKMP_PL_HDR_LEN, w.len));
}

static void seeds_of_messages(const char *dir, int n)
{
	struct wr w = { buf, 0, sizeof(buf), false };

	sample_pull_msg(&pool, n % 4 + 1, &w);
	seed_write(dir, "gdoi_pull", n, 0, wr_view(&w, 0, w.len));
	sample_push_msg(&pool, &w);
	seed_write(dir, "gdoi_push", n, 0, wr_view(&w, 0, w.len));
	seed_write(dir, "isakmp", 2 * n, -1, wr_view(&w, 0, w.len));
	sample_ack_msg(&pool, &w);
	seed_write(dir, "gdoi_ack", n, -1, wr_view(&w, 0, w.len));
	sample_phase1_msg(&pool, &w);
	seed_write(dir, "isakmp", 2 * n + 1, -1, wr_view(&w, 0, w.len));
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seed_wire DIR\n");
		return 2;
	}
	for (int n = 0; n < SEEDS; n++) {
		sample_pool_init(&pool, (uint64_t)n);
		seeds_of_payloads(argv[1], n);
		sample_pool_init(&pool, (uint64_t)n);
		seeds_of_messages(argv[1], n);
	}
	return 0;
}
