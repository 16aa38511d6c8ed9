// gm/rekey.h - accept GROUPKEY-PUSH messages from our key servers.
// In this order, cheapest first: cookies, source, repetition, decrypt, form, SEQ, SIG; then the
// content is judged as a whole; then it is acted on and acknowledged.
// From:   gm/core.c with a datagram; gm/pull.c brings the first KEK and its SEQ.
// To:     wire/gdoi_push, crypto/{cipher,sign}, gm/grant, gm/keks, gm/lkh, gm/teks.
// Spec:   RFC 6407 4.4, 5.9, 7.3.4; RFC 8263.
// Always: SEQ is kept only after SIG verified, and when it is not a part of a rekey for others.    Never: installs a TEK itself; answers a PUSH
//         that it did not accept.
#pragma once
#include "common/base/addr.h"
#include "common/base/mono.h"
#include "common/wire/isakmp.h"

struct gm;
struct gm_out;

void gm_rekey_in(struct gm *gm, mono_t now, const struct isakmp_hdr *hdr,
		 const struct endpoint *from, const struct endpoint *to, struct bytes datagram,
		 struct gm_out *out);
