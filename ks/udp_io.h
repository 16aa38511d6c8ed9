// ks/udp_io.h - the key server's UDP ports: batches in, batches out.
// One socket per endpoint of ours; the one a datagram leaves from is told by ks_send.from. From the
// NAT port it leaves behind the non-ESP marker; what comes there is handed on as it came.
// Owns:   sockets and their events.
// From:   ks_io.c.
#pragma once
#include <event2/event.h>

#include "ks/ks_conf.h"
#include "ks/out.h"

struct ks_udp;

// Borrowed until it returns.
typedef void ks_udp_in(void *arg, const struct endpoint *from, const struct endpoint *to,
		       struct bytes datagram);

// Opens every port of the configuration. -errno, with the reason logged.
MUST_CHECK int ks_udp_new(struct event_base *base, const struct ks_conf *conf, ks_udp_in *in,
			  void *arg, struct ks_udp **out);
void ks_udp_free(struct ks_udp *u);
// At once, or, out of `in`, with the other answers of its batch: then what is owned is taken. A
// datagram that cannot be sent is lost, as any other on its way; resending makes up for both.
void ks_udp_send(struct ks_udp *u, struct ks_send *s, size_t n);
// Datagrams that have come and are handed in next, as soon as `in` returns.
size_t ks_udp_waiting(const struct ks_udp *u);
