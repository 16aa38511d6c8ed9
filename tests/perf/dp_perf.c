// tests/perf/dp_perf.c - what the dataplane is measured against, and with.
//
//   dp_perf gen out|in|tunnel SIZE FILE MAC   a pcap file: cleartext, ESP under the test key, or the same
//                                        from 192.0.2.1 to 192.0.2.2, for those who want a tunnel
//   dp_perf raw out|in SIZE              libipsec-mb alone on the same sizes: ns per packet
//   dp_perf loop FILE CORE huge|nohuge   net_pcap -> net_null, nothing between: ns per packet
//
// SIZE is the length of the inner IPv4 packet, or imix (7 x 64, 4 x 570, 1 x 1400). Time is the
// CPU time of the thread, since the machine may be shared.
#include <intel-ipsec-mb.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <time.h>

#include "common/base/err.h"
#include "dataplane/crypto.h"
#include "dataplane/esp_fmt.h"

#define N_PACKETS 240 // a multiple of the mix
#define SPI	  0x1001
#define ROUNDS	  3
#define ROUND_NS  40000000.0

static const uint8_t key[20] = { 0,  1,	 2,  3,	 4,  5,	 6,  7,	 8,  9,
				 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "dp_perf: %s\n", what);
	exit(1);
}

static size_t size_of(const char *size, unsigned i)
{
	static const uint16_t mix[] = { 64, 570, 64, 64, 570, 64, 1400, 64, 570, 64, 570, 64 };

	return strcmp(size, "imix") == 0 ? mix[i % N_ELEMS(mix)] : (size_t)atoi(size);
}

// UDP from 10.1.0.x to 10.2.0.y.
static void inner_put(uint8_t *b, size_t len, unsigned i)
{
	memset(b, (int)i, len);
	memcpy(b, (const uint8_t[12]){ 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17 }, 12);
	be16_put(b + 2, (uint32_t)len);
	be32_put(b + 12, 0x0a010000 | (10 + i % 200));
	be32_put(b + 16, 0x0a020000 | (10 + i * 7 % 200));
	ip4_set_checksum(b, IP4_HLEN);
	be16_put(b + 20, 1000 + i);
	be16_put(b + 22, 2000);
}

// Makes the ESP packet of the inner one at b + ESP_HEAD_MAX; returns where it starts.
static uint8_t *esp_put(struct crypto_ctx *c, const struct crypto_key *k, uint8_t *b, size_t *len,
			unsigned i)
{
	const struct esp_suite *s = esp_suite_get(DP_SUITE_AES128_GCM16);
	uint8_t *inner = b + ESP_HEAD_MAX, *outer = inner - IP4_HLEN - ESP_HLEN - s->iv_len;
	size_t trailer = esp_trailer_len(s, *len), total = esp_outer_len(s, *len);
	struct crypto_op op = { .key = k, .esp = outer + IP4_HLEN, .text = inner };
	struct esp_iv_space space;
	struct ip4 ip;

	if (ip4_parse(inner, *len, &ip) != IP4_GOOD || !esp_iv_space_init(&space, 7, 16, 0, 0))
		die("bad packet");
	esp_iv_put(inner - s->iv_len, &space, i + 1);
	esp_head_put(outer, &ip, total, (uint16_t)i, SPI, i + 1);
	esp_trailer_put(inner + *len, trailer);
	op.text_len = (uint32_t)(*len + trailer);
	crypto_seal(c, &op, 1);
	*len = total;
	return outer;
}

static void outer_set(uint8_t *outer)
{
	be32_put(outer + 12, 0xc0000201);
	be32_put(outer + 16, 0xc0000202);
	ip4_set_checksum(outer, IP4_HLEN);
}

static void gen(const char *kind, const char *size, const char *file, const char *mac)
{
	const uint32_t head[6] = { 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1 };
	struct crypto_ctx *c = crypto_ctx_new();
	struct crypto_key *k = crypto_key_new(DP_SUITE_AES128_GCM16, key, NULL);
	uint8_t eth[14] = { [6] = 2, [12] = 8 }, buf[2048];
	FILE *f = fopen(file, "wb");

	if (!f || !c || !k ||
	    sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &eth[0], &eth[1], &eth[2], &eth[3],
		   &eth[4], &eth[5]) != 6)
		die("cannot write the file");
	fwrite(head, sizeof(head), 1, f);
	for (unsigned i = 0; i < N_PACKETS; i++) {
		size_t len = size_of(size, i);
		uint8_t *p = buf + ESP_HEAD_MAX;
		uint32_t rec[4] = { 0 };

		inner_put(p, len, i);
		if (strcmp(kind, "out") != 0)
			p = esp_put(c, k, buf, &len, i);
		if (strcmp(kind, "tunnel") == 0)
			outer_set(p);
		rec[2] = rec[3] = (uint32_t)(len + sizeof(eth));
		fwrite(rec, sizeof(rec), 1, f);
		fwrite(eth, sizeof(eth), 1, f);
		fwrite(p, len, 1, f);
	}
	if (fclose(f) != 0)
		die("cannot write the file");
	crypto_key_free(k);
	crypto_ctx_free(c);
}

static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void raw(bool in, const char *size)
{
	static uint8_t buf[N_PACKETS][2048 + 64] __attribute__((aligned(64)));
	const struct esp_suite *s = esp_suite_get(DP_SUITE_AES128_GCM16);
	struct gcm_context_data ctx;
	struct gcm_key_data k;
	IMB_MGR *mgr = alloc_mb_mgr(0);
	uint32_t len[N_PACKETS];
	double least = 1e9;

	if (!mgr)
		die("out of memory");
	init_mb_mgr_auto(mgr, NULL);
	IMB_AES128_GCM_PRE(mgr, key, &k);
	for (unsigned i = 0; i < N_PACKETS; i++)
		len[i] = (uint32_t)(size_of(size, i) + esp_trailer_len(s, size_of(size, i)));
	for (unsigned r = 0; r < ROUNDS; r++) {
		double start = cpu_ns(), spent = 0, n = 0;

		while (spent < ROUND_NS) {
			for (unsigned i = 0; i < N_PACKETS; i++) {
				uint8_t *b = buf[i], *tag = b + 36 + len[i];

				if (in)
					IMB_AES128_GCM_DEC(mgr, &k, &ctx, b + 36, b + 36, len[i], b,
							   b + 16, 8, tag, 16);
				else
					IMB_AES128_GCM_ENC(mgr, &k, &ctx, b + 36, b + 36, len[i], b,
							   b + 16, 8, tag, 16);
			}
			n += N_PACKETS;
			spent = cpu_ns() - start;
		}
		least = spent / n < least ? spent / n : least;
	}
	free_mb_mgr(mgr);
	printf("%.1f\n", least);
}

static void port_start(uint16_t port, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = { 0 };

	if (rte_eth_dev_configure(port, 1, 1, &conf) ||
	    rte_eth_rx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL, pool) ||
	    rte_eth_tx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL) || rte_eth_dev_start(port))
		die("port does not start");
}

static void loop(const char *file, const char *core, bool huge)
{
	char vdev[512], lcores[32];
	char *argv[] = { (char *)"dp_perf",
			 (char *)"--lcores",
			 lcores,
			 (char *)(huge ? "--in-memory" : "--no-huge"),
			 (char *)"-m",
			 (char *)"160",
			 (char *)"--no-pci",
			 (char *)"--no-telemetry",
			 (char *)"--log-level=4",
			 (char *)"--vdev",
			 vdev,
			 (char *)"--vdev",
			 (char *)"net_null0,no-rx=1" };
	struct rte_mempool *pool;
	struct rte_mbuf *m[32];
	double least = 1e9;

	snprintf(lcores, sizeof(lcores), "0@%s", core);
	snprintf(vdev, sizeof(vdev), "net_pcap0,rx_pcap=%s,infinite_rx=1", file);
	if (rte_eal_init((int)N_ELEMS(argv), argv) < 0)
		die("DPDK does not start");
	pool = rte_pktmbuf_pool_create("packets", 10240, 256, 0, 2176, SOCKET_ID_ANY);
	port_start(0, pool);
	port_start(1, pool);
	for (unsigned r = 0; r < ROUNDS; r++) {
		double start = cpu_ns(), spent = 0, n = 0;

		while (spent < ROUND_NS) {
			for (unsigned i = 0; i < 64; i++) {
				uint16_t got = rte_eth_rx_burst(0, 0, m, 32);

				n += rte_eth_tx_burst(1, 0, m, got);
			}
			spent = cpu_ns() - start;
		}
		least = spent / n < least ? spent / n : least;
	}
	printf("%.1f\n", least);
	rte_eth_dev_stop(0);
	rte_eth_dev_stop(1);
	rte_eal_cleanup();
}

int main(int argc, char **argv)
{
	bool in = argc > 2 && strcmp(argv[2], "in") == 0;

	if (argc == 6 && strcmp(argv[1], "gen") == 0)
		gen(argv[2], argv[3], argv[4], argv[5]);
	else if (argc == 4 && strcmp(argv[1], "raw") == 0)
		raw(in, argv[3]);
	else if (argc == 5 && strcmp(argv[1], "loop") == 0)
		loop(argv[2], argv[3], strcmp(argv[4], "huge") == 0);
	else
		die("usage: gen out|in|tunnel SIZE FILE MAC | raw out|in SIZE | loop FILE CORE "
		    "huge|nohuge");
	return 0;
}
