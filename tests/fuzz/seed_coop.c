// Writes the seeds of corpus/coop_wire: seed_coop DIR makes DIR/seed-NN from the sample frames of
// the unit tests. Run by hand when the frames learn something new.
#include <stdio.h>

#include "common/base/err.h"
#include "tests/unit/coop/samples.h"

int main(int argc, char **argv)
{
	static uint8_t buf[COOP_SAMPLE_MAX];
	struct rng rng;

	BUG_ON(argc != 2);
	rng_seed(&rng, 1);
	for (int i = 0; i < 3 * COOP_REFUSE; i++) {
		struct bytes b = coop_sample(&rng, (uint8_t)(COOP_OPEN + i % COOP_REFUSE), buf);
		char path[1024];
		FILE *f;

		snprintf(path, sizeof(path), "%s/seed-%02d", argv[1], i);
		f = fopen(path, "wb");
		BUG_ON(!f || fwrite(b.p, 1, b.len, f) != b.len || fclose(f) != 0);
	}
	return 0;
}
