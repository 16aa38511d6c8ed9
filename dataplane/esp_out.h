// dataplane/esp_out.h - encapsulate and encrypt a burst, inner header preserved.
// Two passes: every header, trailer and IV first, then all the encryption at once.
// From: outbound.c.   To: esp_fmt, crypto.   Spec: RFC 4303 3.3, RFC 6054.
// Always: an IV counter moves before its packet is encrypted.   Never: sends under a dead SA.
#pragma once
#include "dataplane/worker.h"

// Every packet of l has its sa. What cannot be sent is dropped and leaves the list.
void esp_out(struct worker *w, struct pkts *l);
