// Writes the seeds of corpus/coop_link: seed_link DIR
#include "common/crypto/crypto.h"
#include "common/crypto/tls.h"
#include "coop/link.h"

static void save(const char *dir, const char *name, uint8_t mode, struct bytes b)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	BUG_ON(!f);
	fputc(mode, f);
	fwrite(b.p, 1, b.len, f);
	fclose(f);
}

static struct bytes stream(uint8_t *b, size_t max, uint32_t body)
{
	struct wr w;

	wr_init(&w, b, max);
	wr_zero(&w, LINK_PREFACE_LEN);
	link_preface(b);
	for (int i = 0; i < 2; i++) {
		wr_u16(&w, 0x4350);
		wr_u8(&w, COOP_VERSION);
		wr_u8(&w, COOP_VECTOR);
		wr_u32(&w, 1234);
		wr_u32(&w, body);
		wr_zero(&w, 19);
	}
	return wr_view(&w, 0, w.len);
}

// Under the key of the target (wrong) and another direction; and a caller's first flight.
int main(int argc, char **argv)
{
	struct secret key = { LINK_KEY_LEN, { 2 } };
	struct tls_creds *creds;
	struct link_keys k;
	struct tls *t;
	uint8_t b[2048];

	BUG_ON(argc != 2 || crypto_init());
	link_keys_init(&k, true);
	BUG_ON(link_keys_accept(&k, &key) != 0);
	link_keys_tell(&k);
	save(argv[1], "hello", 0,
	     BYTES(b, link_hello_seal(&k, 7, BYTES_LIT("hello"), b, sizeof(b))));
	save(argv[1], "sealed", 1, BYTES_LIT("hello"));
	save(argv[1], "stream", 2, stream(b, sizeof(b), 19));
	save(argv[1], "stream-long", 2, stream(b, sizeof(b), COOP_BODY_MAX + 1));
	BUG_ON(tls_creds_key(&key, &creds) != 0);
	BUG_ON(tls_new(creds, true, "192.0.2.1", "192.0.2.2", 0, &t) != 0);
	save(argv[1], "call", 3, BYTES(b, tls_take(t, b, sizeof(b))));
	save(argv[1], "http", 3, BYTES_LIT("GET / HTTP/1.1\r\n\r\n"));
	tls_free(t);
	tls_creds_put(creds);
	link_keys_fini(&k);
	return 0;
}
