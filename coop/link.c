#include "coop/link.h"

#include "common/crypto/prf.h"

#define MAGIC	   0x4348
#define VERSION	   1
#define HEAD_LEN   28
#define TAG_LEN	   32
#define BACKOFF_MS 250
#define BACKOFF_N  3 // doublings: 2 s at most, less than a starting key server waits

static const uint8_t preface[LINK_PREFACE_LEN] = { 'C', 'O', 'O', 'P', 'L', 'K', 0, VERSION };

bool link_calls(const struct addr *own, const struct addr *peer)
{
	return addr_cmp(own, peer) < 0;
}

int64_t link_backoff_ms(unsigned tries, struct rng *rng)
{
	int64_t most = BACKOFF_MS << MIN_OF(tries, (unsigned)BACKOFF_N);

	return most / 2 + (int64_t)rng_range(rng, 0, (uint64_t)most / 2);
}

// ---- the stream ----

void link_preface(uint8_t out[LINK_PREFACE_LEN])
{
	memcpy(out, preface, sizeof(preface));
}

// Up to len octets; true when they are all there.
static bool fill(struct link_cut *c, struct bytes *in, size_t len)
{
	size_t n = MIN_OF(len - c->len, in->len);

	if (n > 0)
		memcpy(c->b + c->len, in->p, n);
	c->len += n;
	in->p += n;
	in->len -= n;
	return c->len == len;
}

enum link_cut_got link_cut(struct link_cut *c, struct bytes *in, struct bytes *frame)
{
	size_t size;

	if (!c->greeted) {
		if (!fill(c, in, LINK_PREFACE_LEN))
			return LINK_CUT_MORE;
		c->greeted = true;
		c->len = 0;
		return memcmp(c->b, preface, sizeof(preface)) == 0 ? LINK_CUT_PREFACE
								   : LINK_CUT_BAD;
	}
	if (c->len < COOP_FRAME_LEN && !fill(c, in, COOP_FRAME_LEN))
		return LINK_CUT_MORE;
	size = coop_frame_size(BYTES(c->b, COOP_FRAME_LEN));
	if (size == SIZE_MAX || size > sizeof(c->b))
		return LINK_CUT_BAD;
	if (!fill(c, in, size))
		return LINK_CUT_MORE;
	*frame = BYTES(c->b, size);
	c->len = 0;
	return LINK_CUT_FRAME;
}

// ---- hello datagrams ----

const char *link_hello_why_name(enum link_hello_why w)
{
	static const char *const names[] = {
#define X(sym, text) text,
		LINK_HELLO_WHYS(X)
#undef X
	};

	return (unsigned)w < N_ELEMS(names) ? names[w] : "unknown";
}

static void key_fini(struct link_key *k)
{
	secret_fini(&k->send);
	secret_fini(&k->recv);
	*k = (struct link_key){ 0 };
}

void link_keys_init(struct link_keys *k, bool calls)
{
	*k = (struct link_keys){ .calls = calls };
}

void link_keys_fini(struct link_keys *k)
{
	key_fini(&k->now);
	key_fini(&k->before);
}

static int derive(const struct secret *from, const char *what, struct secret *out)
{
	const struct bytes part = BYTES(what, strlen(what));

	return prf_secret(HASH_ALG_SHA256, BYTES(from->b, from->len), &part, 1, out);
}

// A key under which nothing was said yet makes room without becoming the former one.
int link_keys_accept(struct link_keys *k, const struct secret *exported)
{
	struct link_key n = { .set = true };
	struct secret id = { 0 };
	int err;

	err = derive(exported, k->calls ? "caller" : "listener", &n.send);
	if (!err)
		err = derive(exported, k->calls ? "listener" : "caller", &n.recv);
	if (!err)
		err = derive(exported, "id", &id);
	if (!err) {
		memcpy(n.id, id.b, sizeof(n.id));
		if (k->now.tells) {
			key_fini(&k->before);
			k->before = k->now;
		}
		k->now = n;
	}
	key_fini(&n);
	secret_fini(&id);
	return err;
}

void link_keys_tell(struct link_keys *k)
{
	k->now.tells = k->now.set;
}

static int tag_of(const struct secret *key, struct bytes text, uint8_t tag[TAG_LEN])
{
	return prf_parts(HASH_ALG_SHA256, BYTES(key->b, key->len), &text, 1, tag);
}

size_t link_hello_seal(struct link_keys *k, uint64_t boot, struct bytes frame, uint8_t *out,
		       size_t max)
{
	struct link_key *key = k->now.tells ? &k->now : &k->before;
	uint8_t tag[TAG_LEN];
	struct wr w;

	if (!key->set)
		return 0;
	wr_init(&w, out, max);
	wr_u16(&w, MAGIC);
	wr_u8(&w, VERSION);
	wr_u8(&w, k->calls);
	wr_put(&w, key->id, sizeof(key->id));
	wr_u64(&w, key->sent + 1);
	wr_u64(&w, boot);
	wr_bytes(&w, frame);
	if (!wr_ok(&w) || tag_of(&key->send, wr_view(&w, 0, w.len), tag))
		return 0;
	wr_put(&w, tag, sizeof(tag));
	if (!wr_ok(&w))
		return 0;
	key->sent++;
	return w.len;
}

struct head {
	uint16_t magic;
	uint8_t version, direction;
	struct bytes id;
	uint64_t counter, boot;
};

static bool head_decode(struct bytes b, struct head *h)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(b, &err);

	h->magic = rd_u16(&r);
	h->version = rd_u8(&r);
	h->direction = rd_u8(&r);
	h->id = rd_bytes(&r, sizeof(((struct link_key *)0)->id));
	h->counter = rd_u64(&r);
	h->boot = rd_u64(&r);
	return rd_ok(&r) && rd_left(&r) >= TAG_LEN && h->magic == MAGIC && h->version == VERSION &&
	       h->direction <= 1;
}

static bool is_of(const struct link_key *k, const struct head *h)
{
	return k->set && bytes_eq(h->id, BYTES_OF(k->id));
}

static enum link_hello_why judge(const struct link_key *key, const struct head *h, struct bytes d)
{
	uint8_t tag[TAG_LEN];

	if (tag_of(&key->recv, BYTES(d.p, d.len - TAG_LEN), tag) ||
	    !bytes_eq_ct(tag, d.p + d.len - TAG_LEN, TAG_LEN))
		return LINK_HELLO_BAD_TAG;
	if (h->counter <= key->heard)
		return LINK_HELLO_REPLAYED;
	if (key->heard > 0 && h->boot != key->boot)
		return LINK_HELLO_OTHER_BOOT;
	return LINK_HELLO_OK;
}

enum link_hello_why link_hello_open(struct link_keys *k, struct bytes d, struct bytes *frame)
{
	enum link_hello_why why;
	struct link_key *key;
	struct head h;

	if (!head_decode(d, &h))
		return LINK_HELLO_MALFORMED;
	if (h.direction == k->calls)
		return LINK_HELLO_REFLECTED;
	key = is_of(&k->now, &h) ? &k->now : is_of(&k->before, &h) ? &k->before : NULL;
	if (!key)
		return LINK_HELLO_UNKNOWN_KEY;
	why = judge(key, &h, d);
	if (why != LINK_HELLO_OK)
		return why;
	key->heard = h.counter;
	key->boot = h.boot;
	if (key == &k->now && key->tells)
		key_fini(&k->before); // both sides have moved on
	*frame = BYTES(d.p + HEAD_LEN, d.len - HEAD_LEN - TAG_LEN);
	return LINK_HELLO_OK;
}
