#include "common/wire/gdoi_push.h"
#include "tests/fuzz/fuzz.h"

// input: a whole GROUPKEY-PUSH-ACK datagram. What is accepted encodes to the same octets, but for
// HASH.
void fuzz_one(struct bytes input)
{
	static uint8_t buf[1 << 17];
	struct rd_err err = { NULL };
	struct gdoi_ack_msg m;
	struct wr_hash h;
	struct wr w;

	if (!gdoi_ack_decode(input, &m, &err)) {
		BUG_ON(!err.why);
		return;
	}
	wr_init(&w, buf, sizeof(buf));
	BUG_ON(!gdoi_ack_encode(&w, &m, m.hash.len, &h));
	memcpy(w.p + h.hash_at, m.hash.p, h.hash_len);
	BUG_ON(!bytes_eq(input, wr_view(&w, 0, w.len)));
}
