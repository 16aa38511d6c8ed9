// What reaches a key server before it knows who speaks: a hello datagram, the octets of a call, and
// the stream behind them. The first octet chooses.
#include "common/crypto/crypto.h"
#include "common/crypto/tls.h"
#include "coop/link.h"
#include "tests/fuzz/fuzz.h"

static const struct secret key = { LINK_KEY_LEN, { 1 } };

// Without the key nothing is ever heard.
static void hello(struct bytes in)
{
	struct link_keys k;
	struct bytes frame;

	link_keys_init(&k, false);
	BUG_ON(link_keys_accept(&k, &key) != 0);
	BUG_ON(link_hello_open(&k, in, &frame) == LINK_HELLO_OK);
	link_keys_fini(&k);
}

// With it, what was sealed comes out as it went in.
static void sealed(struct bytes in)
{
	struct link_keys a, b;
	uint8_t d[LINK_HELLO_MAX];
	struct bytes frame;
	size_t len;

	link_keys_init(&a, true);
	link_keys_init(&b, false);
	BUG_ON(link_keys_accept(&a, &key) != 0 || link_keys_accept(&b, &key) != 0);
	link_keys_tell(&a);
	len = link_hello_seal(&a, 1, in, d, sizeof(d));
	BUG_ON((len == 0) != (in.len + LINK_HELLO_OVERHEAD > sizeof(d)));
	if (len > 0) {
		BUG_ON(link_hello_open(&b, BYTES(d, len), &frame) != LINK_HELLO_OK);
		BUG_ON(!bytes_eq(frame, in));
	}
	link_keys_fini(&a);
	link_keys_fini(&b);
}

static void stream(struct bytes in)
{
	static struct link_cut c;
	enum link_cut_got got;
	struct bytes frame;

	memset(&c, 0, sizeof(c));
	while ((got = link_cut(&c, &in, &frame)) != LINK_CUT_MORE && got != LINK_CUT_BAD) {
		if (got == LINK_CUT_FRAME)
			fuzz_touch(frame);
	}
	BUG_ON(got == LINK_CUT_MORE && in.len > 0);
}

// A caller's first octets, at a listener.
static void call(struct bytes in)
{
	struct tls_creds *creds;
	uint8_t out[4096];
	struct tls *t;

	BUG_ON(tls_creds_key(&key, &creds) != 0);
	BUG_ON(tls_new(creds, false, "192.0.2.1", "192.0.2.2", 0, &t) != 0);
	(void)tls_feed(t, in);
	BUG_ON(tls_state(t) == TLS_OPEN);
	while (tls_take(t, out, sizeof(out)) > 0)
		;
	tls_free(t);
	tls_creds_put(creds);
}

void fuzz_one(struct bytes in)
{
	static void (*const mode[])(struct bytes) = { hello, sealed, stream, call };
	static bool ready;

	if (!ready)
		BUG_ON(crypto_init() != 0);
	ready = true;
	if (in.len > 0)
		mode[in.p[0] % N_ELEMS(mode)](BYTES(in.p + 1, in.len - 1));
}
