// Fragments as datagrams bring them: two octets of length before each.
#include "common/ike/frag.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(struct bytes in)
{
	struct ike_frag all = { 0 };

	while (in.len >= 2) {
		struct bytes one = { in.p + 2,
				     MIN_OF((size_t)(in.p[0] << 8 | in.p[1]), in.len - 2) };
		struct rd_err err = { NULL };
		struct ike_fragment f;
		uint8_t *whole = NULL;
		size_t len = 0;

		if (frag_decode(one, &f, &err)) {
			fuzz_touch(f.data);
			BUG_ON(frag_add(&all, &f, &whole, &len) == 1 && len > FRAG_MAX_MSG);
			fuzz_touch(BYTES(whole, len));
		}
		free(whole);
		in.p += one.len + 2;
		in.len -= one.len + 2;
	}
	frag_fini(&all);
}
