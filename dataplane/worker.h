// dataplane/worker.h - the poll loop of one worker and the path of a packet through it.
//
//   rx -> parse -+-> ESP we hold: esp_in -+-> route -> may it arrive? -+-> for the box: punt
//                +------------------------+                           +-> outbound -> neighbour ->
//                tx
//   kernel's TAP -----------------------------------> outbound: classify -> esp_out | clear | drop
//
// Owns:   its packets while they are here, transmit buffers, packets that wait for a neighbour.
// From:   main.c starts it.
// To:     esp_in, esp_out, classify, fwd; rings to the main thread.
// Always: one snapshot of policy and neighbours per burst; every packet leaves by tx, by punt or
//         by DROP.   Never: locks, logs, allocates (but buffers), or waits for the main thread.
#pragma once
#include <rte_mbuf.h>
#include <time.h>

#include "dataplane/espd.h"
#include "dataplane/flows.h"
#include "dataplane/notes.h"

#define BURST	  32
#define HELD_MAX  16 // neighbours waited for
#define HELD_EACH 4  // packets per neighbour
#define HELD_MS	  3000

// One packet on its way. The buffer's data starts at the IP header.
struct pkt {
	struct rte_mbuf *m;
	const struct sa *sa; // to send under; NULL: clear
	uint32_t spi_in;     // it came under this SA; 0: in clear
	uint32_t hop;	     // neighbour to send to, unless has_mac
	struct ip4 ip;	     // the cleartext packet
	uint8_t in, out;     // ports
	bool from_kernel, from_box, for_box;
	bool l2_group; // came as a link-layer broadcast or multicast
	bool has_mac;  // mac is the next hop's: the kernel found it
	bool quotes;   // ICMP error that quotes a packet which came protected
	struct rte_ether_addr mac;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct pkt) == 64, "a cache line");

struct pkts {
	struct pkt *p[2 * BURST];
	unsigned n;
};

struct held {
	uint32_t ip;
	uint8_t port, n;
	int64_t since_ms, asked_ms;
	struct rte_mbuf *m[HELD_EACH];
};

struct tx_buf {
	unsigned n;
	struct rte_mbuf *m[2 * BURST];
};

struct worker {
	struct espd *d;
	unsigned id, lcore;
	uint16_t n_rxq; // (port, queue) pairs it polls
	struct {
		uint8_t port;
		uint16_t queue;
	} rxq[ESPD_MAX_PORTS * ESPD_MAX_WORKERS];
	uint8_t taps[ESPD_MAX_PORTS]; // ports whose TAP it serves
	unsigned n_taps;

	int64_t now_ms;		     // of this burst
	const struct policy *policy; // of this burst
	struct neigh_table *neigh;   // of this burst
	struct crypto_ctx *crypto;
	uint16_t ip_id;
	unsigned icmp_tokens;
	int64_t icmp_refill_ms;
	bool busy;	     // this turn moved a packet
	clockid_t cpu_clock; // of the thread; 0 until it runs (atomic)

	struct tx_buf tx[ESPD_MAX_PORTS];
	struct held held[HELD_MAX];
	unsigned n_held;
	struct stats st;
	struct caught caught;
	struct flows flows;
};

MUST_CHECK int worker_new(struct espd *d, unsigned id, unsigned lcore, struct worker **out);
void worker_free(struct worker *w);
int worker_run(void *w); // until espd.stop
const struct stats *worker_stats(const struct worker *w);
uint64_t worker_cpu_ns(const struct worker *w); // CPU time it has spent

static inline void drop(struct worker *w, struct rte_mbuf *m, enum drop_reason why)
{
	w->st.drop[why]++;
	rte_pktmbuf_free(m);
}

static inline void pkts_add(struct pkts *l, struct pkt *p)
{
	l->p[l->n++] = p;
}

static inline uint8_t *pkt_ip(const struct pkt *p)
{
	return rte_pktmbuf_mtod(p->m, uint8_t *);
}

// Buffers here have one segment: their data becomes the len octets that start `skip` octets further.
static inline void buf_cut(struct rte_mbuf *m, size_t skip, size_t len)
{
	m->data_off = (uint16_t)(m->data_off + skip);
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
}

// The same data with head octets more before and tail octets behind; NULL: there is no room.
static inline uint8_t *buf_grow(struct rte_mbuf *m, size_t head, size_t tail)
{
	size_t len = m->data_len + head + tail;

	if (unlikely(head > m->data_off || m->data_off - head + len > m->buf_len))
		return NULL;
	m->data_off = (uint16_t)(m->data_off - head);
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	return rte_pktmbuf_mtod(m, uint8_t *);
}

// outbound.c: packets whose port and next hop are known leave by here. Consumes the list.
void outbound(struct worker *w, struct pkts *l);
// icmp.c: an ICMP error to the sender of p, sent like any packet of this box. p stays the caller's.
void icmp_answer(struct worker *w, const struct pkt *p, uint8_t type, uint8_t code, uint16_t mtu);
// forward.c
// Cleartext packets of one port, or of the box itself, to where their routes say. Consumes l.
void forward(struct worker *w, struct pkts *l);
void punt(struct worker *w, struct pkt *p);
// caught.c: does traffic of the box itself pass whatever the rule says (NULL: none applies, the
// port is closed)? out: it leaves the box.
bool own_passes(struct worker *w, const struct pkt *p, const struct rule *rule, bool out);
// It does not, and what became of it may be a surprise: counted and left for notes.c.
void own_caught(struct worker *w, const struct pkt *p, const struct rule *rule,
		enum dp_caught what);
// tx.c
void tx_packet(struct worker *w, struct pkt *p); // adds Ethernet; may hold it for a neighbour
void tx_frame(struct worker *w, unsigned port, struct rte_mbuf *m);
void tx_flush(struct worker *w);
void tx_retry_held(struct worker *w);
