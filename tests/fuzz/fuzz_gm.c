// A datagram into a member: what its UDP port hears, and what lies behind cipher, HASH and SIG.
//   octet 0: place. 0: the rest is a datagram for a member that has sent message 1 of main mode.
//   1: the rest is the payloads of a PUSH without SIG: signed and encrypted here.
//   2, 3: octet 1 is the type of the first payload behind the HASH of message 2 or 4 of the PULL
//   (bit 7: the policy has no KEK), the rest are the payloads: hashed and encrypted here.
#include "tests/fuzz/fuzz.h"
#include "tests/unit/unit.h"

#include "tests/unit/gm/world.h"

enum place { STRANGER, PUSH, PULL_2, PULL_4, PLACES };

static struct signer signer;

static void start(struct world *w)
{
	world_init(w, 1, &signer);
	test_ks_tek(&w->ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
}

static void stranger(struct bytes d)
{
	struct world w;

	start(&w);
	w.ks[0].dead = true;
	world_register(&w);
	world_datagram(&w, &w.ks[0].at, d);
	BUG_ON(w.g->registered);
	world_fini(&w);
}

// Where the last payload of a chain says what follows it.
static size_t last_next(const uint8_t *p, size_t len)
{
	size_t at = 0;

	while (at + 4 <= len && p[at] != ISAKMP_PL_NONE) {
		size_t n = (size_t)(p[at + 2] << 8 | p[at + 3]);

		if (n < 4 || at + n + 4 > len)
			break;
		at += n;
	}
	return at;
}

static void push(struct bytes payloads)
{
	static struct test_push p;
	struct world w;
	struct bytes d;

	if (payloads.len < 4 || payloads.len > TKS_DGRAM / 2)
		return;
	start(&w);
	world_register(&w);
	world_dp_up(&w, 0xb1, 0);
	test_push_begin(&p, &w.ks[0].kek);
	p.buf[p.c.next_at] = GDOI_PL_SEQ;
	wr_bytes(&p.w, payloads);
	p.c.next_at = ISAKMP_HDR_LEN + last_next(p.buf + ISAKMP_HDR_LEN, payloads.len);
	d = test_push_seal(&p, &w.ks[0], &w.ks[0].kek, NULL);
	world_datagram(&w, &w.ks[0].at, d);
	world_datagram(&w, &w.ks[0].at, d);
	world_until(&w, 10);
	BUG_ON(w.g->teks.n > GM_MAX_TEKS);
	world_fini(&w);
}

static void pull(bool second, uint8_t first, struct bytes payloads)
{
	uint8_t buf[TKS_DGRAM];
	struct test_ks *k;
	struct ike_nonces n;
	struct ike_seal s;
	struct bytes msg;
	struct world w;

	if (payloads.len > sizeof(buf) / 2)
		return;
	start(&w);
	k = &w.ks[0];
	k->mute_2 = second;
	k->mute_4 = !second;
	k->no_sak = first & 0x80;
	world_register(&w);
	BUG_ON(w.g->reg.state != (second ? GM_REG_PULL2 : GM_REG_PULL4));
	n = (struct ike_nonces){ BYTES(k->ni, k->ni_len),
				 second ? BYTES(NULL, 0) : BYTES_OF(k->nr) };
	ike_seal_begin(&s, &k->x, buf, sizeof(buf));
	wr_bytes(&s.w, payloads);
	wr_patch8(&s.w, s.chain.next_at, first & 0x7f);
	if (ike_seal_end(&s, &k->x, &n, &msg) == 0) {
		world_datagram(&w, &k->at, msg);
		world_datagram(&w, &k->at, msg);
	}
	world_until(&w, 2);
	world_fini(&w);
}

void fuzz_one(struct bytes in)
{
	static bool ready;

	if (!ready) {
		BUG_ON(crypto_init() < 0);
		signer_init(&signer);
		BUG_ON(signer_generate(&signer, "REKEY", SIGN_RSA, 2048) < 0);
		ready = true;
	}
	if (in.len < 2)
		return;
	switch (in.p[0] % PLACES) {
	case STRANGER:
		stranger(BYTES(in.p + 1, in.len - 1));
		break;
	case PUSH:
		push(BYTES(in.p + 1, in.len - 1));
		break;
	case PULL_2:
	case PULL_4:
		pull(in.p[0] % PLACES == PULL_2, in.p[1], BYTES(in.p + 2, in.len - 2));
		break;
	}
}
