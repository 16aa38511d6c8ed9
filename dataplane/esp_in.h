// dataplane/esp_in.h - verify, open and check a burst of ESP packets.
// Two passes: find the SA of each, open all at once, then judge what came out.
// From: forward.c with packets of protected ports.   To: esp_fmt, crypto, sadb.
// Spec: RFC 4303 3.4, RFC 6040, header preservation: RFC 5374 3.1.
// Always: nothing of a packet is believed before its ICV.   Never: decides where it goes.
#pragma once
#include "dataplane/worker.h"

// l: whole packets of protocol 50. Opened ones are appended to out with spi_in set; those under an
// SPI we lack are appended as they are. The rest is dropped. Consumes l.
void esp_in(struct worker *w, struct pkts *l, struct pkts *out);
