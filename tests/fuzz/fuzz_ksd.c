// The datagram entry of ksd: a key server with one registered member, and a peer that may be
// anybody. An input is a list of acts: octet 0 what, octets 1-2 how many octets follow, then those.
//   0 RAW      a datagram as it is, from the member's address
//   1 STRANGE  the same from an address nobody knows
//   2 PULL_1   payloads: sealed by the member under its phase 1 SA as message 1 of a new PULL
//   3 PULL_3   a PULL of the member's with these payloads in message 3
//   4 INFO     payloads: sealed as an informational
//   5 ACK      payloads behind the header of an acknowledgement of the last rekey, in clear
//   6 REKEY    on demand
//   7 PASS     time: octets are milliseconds
//   8 NAT      a datagram as it is, to the NAT port, from another port of the member's address
// So what lies behind the cipher and the HASH is reached too: this member is not to be trusted.
// At the end the key server must still register a newcomer.
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ks/ks_world.h"

#define MAX_ACTS 16
#define MAX_DATA 4096

enum act { RAW, STRANGE, PULL_1, PULL_3, INFO, ACK, REKEY, PASS, NAT };

#define NAT_PORT 4500

struct scene {
	struct world *w;
	struct test_member *m;
	uint8_t ni[16];
	uint8_t buf[MAX_DATA + 512];
};

static void inject(struct scene *s, const char *from, struct bytes d)
{
	struct endpoint e = { .port = 848 };

	BUG_ON(addr_parse(from, &e.addr));
	world_inject(s->w, &e, d);
	world_settle(s->w);
}

static void act_nat(struct scene *s, struct bytes data)
{
	struct endpoint from = { .port = 40000 };
	struct ks_event ev = { .kind = KS_EV_DATAGRAM,
			       .datagram = data,
			       .to = { s->w->server.addr, NAT_PORT } };

	BUG_ON(addr_parse("192.0.2.1", &from.addr));
	ev.from = from;
	world_step(s->w, &ev);
	world_settle(s->w);
}

// Payloads of the input as a chain: its first octet is the type of the first.
static void seal(struct scene *s, struct ike_exch *x, struct bytes data, bool with_nonce)
{
	struct ike_seal seal;
	struct bytes msg;

	ike_seal_begin(&seal, x, s->buf, sizeof(s->buf));
	if (with_nonce)
		wr_pl(&seal.chain, ISAKMP_PL_NONCE, BYTES_OF(s->ni));
	if (data.len > 0) {
		wr_patch8(&seal.w, seal.chain.next_at, data.p[0]);
		wr_put(&seal.w, data.p + 1, data.len - 1);
	}
	if (ike_seal_end(&seal, x, &(struct ike_nonces){ 0 }, &msg) == 0)
		inject(s, "192.0.2.1", msg);
}

static void act_pull_1(struct scene *s, struct bytes data)
{
	struct ike_exch x;

	BUG_ON(ike_exch_init(&x, &s->m->sa, GDOI_XCH_PULL, ike_msgid_new(&s->w->rng)));
	memset(s->ni, 7, sizeof(s->ni));
	seal(s, &x, data, true);
}

// The member's own PULL, whose nonces it knows, with other payloads in message 3.
static void act_pull_3(struct scene *s, struct bytes data)
{
	s->m->payloads_3 = data;
	tm_pull(s->m, s->w->now);
	world_settle(s->w);
	s->m->payloads_3 = (struct bytes){ 0 };
}

static void act_info(struct scene *s, struct bytes data)
{
	struct ike_exch x;

	BUG_ON(ike_exch_init(&x, &s->m->sa, ISAKMP_XCH_INFO, ike_msgid_new(&s->w->rng)));
	seal(s, &x, data, false);
}

static void act_ack(struct scene *s, struct bytes data)
{
	struct isakmp_hdr h = { .exchange = GDOI_XCH_PUSH_ACK };
	struct wr_chain c;
	struct wr w;

	memcpy(h.cky_i, s->m->kek_spi, 8);
	memcpy(h.cky_r, s->m->kek_spi + 8, 8);
	wr_init(&w, s->buf, sizeof(s->buf));
	c = isakmp_msg_begin(&w, &h);
	if (data.len > 0) {
		wr_patch8(&w, c.next_at, data.p[0]);
		wr_put(&w, data.p + 1, data.len - 1);
	}
	if (isakmp_msg_end(&w, 0))
		inject(s, "192.0.2.1", BYTES(w.p, w.len));
}

static void act_pass(struct scene *s, struct bytes data)
{
	int64_t ms = 0;

	for (size_t i = 0; i < data.len && i < 3; i++)
		ms = ms << 8 | data.p[i];
	world_pass(s->w, ms % 600000);
}

static void perform(struct scene *s, uint8_t what, struct bytes data)
{
	bool sealed = s->m->sa.state == IKE_ESTABLISHED;

	switch ((enum act)(what % (NAT + 1))) {
	case RAW:
		inject(s, "192.0.2.1", data);
		break;
	case STRANGE:
		inject(s, "198.51.100.7", data);
		break;
	case PULL_1:
		if (sealed)
			act_pull_1(s, data);
		break;
	case PULL_3:
		if (sealed)
			act_pull_3(s, data);
		break;
	case INFO:
		if (sealed)
			act_info(s, data);
		break;
	case ACK:
		act_ack(s, data);
		break;
	case REKEY:
		world_rekey(s->w);
		break;
	case PASS:
		act_pass(s, data);
		break;
	case NAT:
		act_nat(s, data);
		break;
	}
}

static void speaks_of_nats(struct ks_conf *c)
{
	c->nat_port = NAT_PORT;
}

void fuzz_one(struct bytes input)
{
	struct scene s = { .w = world_new(speaks_of_nats) };
	struct rd_err err = { NULL };
	struct rd r = rd_of(input, &err);
	struct test_member *newcomer;

	s.m = world_member(s.w, "192.0.2.1");
	world_register(s.w, s.m);
	for (int i = 0; i < MAX_ACTS && rd_left(&r) >= 3; i++) {
		uint8_t what = rd_u8(&r);
		size_t len = MIN_OF((size_t)rd_u16(&r), MIN_OF(rd_left(&r), (size_t)MAX_DATA));

		perform(&s, what, rd_bytes(&r, len));
	}
	world_settle(s.w);
	newcomer = world_member(s.w, "192.0.2.200");
	world_register(s.w, newcomer);
	BUG_ON(newcomer->n_tek == 0);
	world_free(s.w);
}
