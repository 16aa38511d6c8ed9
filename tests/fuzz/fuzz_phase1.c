// A datagram into every place of IKEv1 that hears strangers: the half-open slots, each waiting
// state of main mode in both roles, and messages under an established SA.
//   octet 0: bits 0-2 the place (enum place), bit 7: leave the cookies as they are, bit 6: leave
//   the length field, bit 5: in aggressive mode (messages 1, 2 and 3); then the datagram. Where the place decrypts, the octets behind the header are
//   the plaintext: they are encrypted here, so that what lies behind the cipher is reached too.
#include "common/crypto/crypto.h"
#include "common/ike/aggressive.h"
#include "common/ike/halfopen.h"
#include "common/ike/handshake.h"
#include "common/ike/info.h"
#include "common/ike/protect.h"
#include "tests/fuzz/fuzz.h"

enum place { STRANGER, R_KE, R_AUTH, I_SA, I_KE, I_AUTH, PULL, INFO };

struct world {
	struct ike_conf conf[2];
	struct rng rng[2];
	struct endpoint here[2];
	struct ike_halfopen half;
	struct ike_aggr gate;
	struct ike_sa gm, *ks;
	mono_t now;
};

static const struct ike_proposal proposal = { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
static const struct secret psk = { .len = 3, .b = "key" };

static const struct secret *psk_of(void *arg, const struct addr *peer)
{
	(void)arg, (void)peer;
	return &psk;
}

static bool everybody(void *arg, const struct addr *peer)
{
	(void)arg, (void)peer;
	return true;
}

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	for (int i = 0; i < 2; i++) {
		rng_seed(&w->rng[i], 5 + (uint64_t)i);
		w->here[i] = (struct endpoint){ addr_from_v4(0x0a000001 + (uint32_t)i), 848 };
		w->conf[i] = (struct ike_conf){
			.proposals = &proposal,
			.n_proposals = 1,
			.own_id = isakmp_id_of_addr(&w->here[i].addr),
			.wire = gdoi_wire_opts_default(),
			.schedule = IKE_SCHEDULE_DEFAULT,
			.psk = psk_of,
			.aggressive = everybody,
			.rng = &w->rng[i],
			.natt_port = 4500,
		};
	}
	w->conf[1].wire.phase1_accept_doi1 = true;
	BUG_ON(ike_halfopen_init(&w->half, &w->rng[1], w->now, 4, 2));
	BUG_ON(ike_aggr_init(&w->gate, w->now, 4, 2));
	ike_sa_init(&w->gm, &w->conf[0], &w->here[0], &w->here[1]);
}

static void world_fini(struct world *w)
{
	ike_sa_fini(&w->gm);
	if (w->ks)
		ike_sa_fini(w->ks);
	free(w->ks);
	ike_halfopen_fini(&w->half);
	ike_aggr_fini(&w->gate);
}

static void step(struct world *w, struct ike_sa *sa, struct ike_event ev, struct ike_out *out)
{
	ike_sa_step(sa, w->now, &ev, out);
	while (out->dh) {
		ev = (struct ike_event){ .kind = IKE_EV_DH_DONE, .dh = out->dh };
		dh_job_run(ev.dh);
		ike_sa_step(sa, w->now, &ev, out);
	}
}

// One datagram to the member or the key server, and what follows from it.
static void deliver(struct world *w, bool to_ks, struct bytes d, struct ike_out *out)
{
	struct ike_event ev = { .kind = IKE_EV_DATAGRAM,
				.datagram = d,
				.from = w->here[!to_ks],
				.to = w->here[to_ks] };
	struct ike_sa *made = NULL;

	if (!to_ks || w->ks) {
		step(w, to_ks ? w->ks : &w->gm, ev, out);
		return;
	}
	if (w->gm.aggressive)
		ike_aggr_in(
			&w->gate,
			&(struct ike_aggr_call){ &w->conf[1], w->now, d, &w->here[0], &w->here[1] },
			out, &made);
	else
		ike_halfopen_in(&w->half, &w->conf[1], w->now, d, &w->here[0], &w->here[1], out,
				&made);
	if (made) {
		w->ks = made;
		ev = (struct ike_event){ .kind = IKE_EV_DH_DONE, .dh = out->dh };
		dh_job_run(ev.dh);
		step(w, made, ev, out);
	}
}

// The handshake up to the point where message n + 1 is awaited.
static void advance(struct world *w, unsigned n)
{
	struct ike_out out, next;

	step(w, &w->gm, (struct ike_event){ .kind = IKE_EV_START }, &out);
	for (unsigned i = 1; i <= n; i++) {
		deliver(w, i % 2, BYTES(out.msg, out.msg_len), &next);
		out = next;
	}
}

static void put_cookies(uint8_t *d, const uint8_t *cky_i, const uint8_t *cky_r)
{
	memcpy(d, cky_i, 8);
	memcpy(d + 8, cky_r, 8);
}

// Behind the header: padded to the block and encrypted as the peer would.
static size_t encrypt(const struct ike_sa *sa, const uint8_t *iv, uint8_t *d, size_t len)
{
	size_t n = len < ISAKMP_HDR_LEN ? 0 : (len - ISAKMP_HDR_LEN) / 16 * 16;

	if (n == 0)
		return len;
	BUG_ON(cipher_encrypt(sa->keys.cipher, &sa->keys.key, iv, d + ISAKMP_HDR_LEN, n,
			      d + ISAKMP_HDR_LEN));
	return ISAKMP_HDR_LEN + n;
}

static void attack_handshake(enum place place, uint8_t how, uint8_t *d, size_t len)
{
	// Messages that arrived before this one comes in place of the next.
	static const unsigned done[] = {
		[STRANGER] = 0, [R_KE] = 2, [R_AUTH] = 4, [I_SA] = 1, [I_KE] = 3, [I_AUTH] = 5
	};
	bool to_ks = place == STRANGER || place == R_KE || place == R_AUTH;
	bool aggressive = how & 0x20;
	unsigned n = !aggressive ? done[place] : place == R_AUTH ? 2 : !to_ks;
	struct world w;
	struct ike_sa *sa;
	struct ike_out out;

	world_init(&w);
	w.gm.aggressive = aggressive;
	if (n > 0 || !aggressive)
		advance(&w, n);
	sa = to_ks && w.ks ? w.ks : &w.gm;
	if (len >= 16 && !(how & 0x80) && n > 0)
		put_cookies(d, sa->cky_i,
			    place == I_SA || (aggressive && !to_ks) ? d + 8 : sa->cky_r);
	if (sa->hs && (aggressive ? place == R_AUTH && len > 19 && (d[19] & ISAKMP_FLAG_E)
				  : place == R_AUTH || place == I_AUTH))
		len = encrypt(sa, sa->hs->iv, d, len);
	if (len >= ISAKMP_HDR_LEN && !(how & 0x40))
		isakmp_hdr_len_set(d, (uint32_t)len);
	deliver(&w, to_ks, BYTES(d, len), &out);
	BUG_ON(out.established);		 // nobody guesses a HASH
	deliver(&w, to_ks, BYTES(d, len), &out); // and again, as networks do
	BUG_ON(out.established);
	world_fini(&w);
}

// An SA of both sides, made once.
static const struct ike_sa *established(void)
{
	static struct world w;

	if (w.gm.state != IKE_ESTABLISHED) {
		world_init(&w);
		advance(&w, 6);
		BUG_ON(w.gm.state != IKE_ESTABLISHED || w.ks->state != IKE_ESTABLISHED);
	}
	return &w.gm;
}

static void attack_sa(enum place place, uint8_t how, uint8_t *d, size_t len)
{
	static uint8_t plain[IKE_DGRAM_MAX];
	struct ike_sa sa = *established();
	struct ike_nonces none = { { NULL, 0 }, { NULL, 0 } };
	struct rd_err err = { NULL };
	struct ike_exch x, before;
	struct isakmp_hashed m;
	struct isakmp_hdr hdr;
	struct ike_info info;
	const char *detail = NULL;
	struct rd r;

	if (len < ISAKMP_HDR_LEN)
		return;
	memcpy(d + 20, "\0\0\0\7", 4); // message id
	if (ike_exch_init(&x, &sa, place == PULL ? GDOI_XCH_PULL : ISAKMP_XCH_INFO, 7))
		BUG("no exchange under a standing SA");
	len = encrypt(&sa, x.iv, d, len);
	if (!(how & 0x40))
		isakmp_hdr_len_set(d, (uint32_t)len);
	r = rd_of(BYTES(d, len), &err);
	if (!isakmp_hdr_decode(&r, &hdr))
		return;
	before = x;
	if (place == INFO) {
		BUG_ON(ike_info_open(&sa, &hdr, BYTES(d, len), plain, &info, &detail) == IKE_R_OK);
		BUG_ON(sa.info_at != established()->info_at);
		return;
	}
	BUG_ON(ike_exch_open(&x, &hdr, BYTES(d, len), &none, plain, sizeof(plain), &m, &detail) ==
	       IKE_R_OK);
	BUG_ON(memcmp(x.iv, before.iv, sizeof(x.iv)) != 0);
}

// The same payloads with a HASH that is right: what only the peer could send.
static void honest_info(const uint8_t *d, size_t len)
{
	static uint8_t plain[IKE_DGRAM_MAX], buf[IKE_DGRAM_MAX];
	struct ike_sa sa = *established();
	struct ike_nonces none = { { NULL, 0 }, { NULL, 0 } };
	struct rd_err err = { NULL };
	struct isakmp_hdr hdr;
	struct ike_info info;
	const char *detail = NULL;
	struct ike_exch x;
	struct ike_seal s;
	struct bytes msg;
	struct rd r;

	if (len < ISAKMP_HDR_LEN + 1 || d[ISAKMP_HDR_LEN] == ISAKMP_PL_NONE ||
	    ike_exch_init(&x, &sa, ISAKMP_XCH_INFO, 9))
		return;
	ike_seal_begin(&s, &x, buf, sizeof(buf));
	wr_pl(&s.chain, d[ISAKMP_HDR_LEN], BYTES(d + ISAKMP_HDR_LEN + 1, len - ISAKMP_HDR_LEN - 1));
	if (ike_seal_end(&s, &x, &none, &msg))
		return;
	r = rd_of(msg, &err);
	BUG_ON(!isakmp_hdr_decode(&r, &hdr));
	(void)ike_info_open(&sa, &hdr, msg, plain, &info, &detail);
	BUG_ON(ike_info_open(&sa, &hdr, msg, plain, &info, &detail) != IKE_R_REPLAY);
}

void fuzz_one(struct bytes input)
{
	static uint8_t d[IKE_DGRAM_MAX + 64];
	enum place place;

	if (crypto_init() || input.len < 1 || input.len - 1 > sizeof(d))
		return;
	memcpy(d, input.p + 1, input.len - 1);
	place = input.p[0] & 7;
	if (place < PULL)
		attack_handshake(place, input.p[0], d, input.len - 1);
	else
		attack_sa(place, input.p[0], d, input.len - 1);
	if (place == INFO && input.len - 1 < IKE_DGRAM_MAX - 256)
		honest_info(input.p + 1, input.len - 1);
}
