// dataplane/dp_client.h - gmd's side of the door to espd.
// Messages are queued whole and sent as the socket takes them; nothing here blocks, so an event
// loop can own the descriptor: write when dp_client_wants_write(), read when readable.
// Owns:   the descriptor and the queue of messages not yet sent (wiped when sent or dropped).
// From:   gm's I/O file, the lab's test programs.
// To:     dataplane/dp_api.h; espd at the other end.
// Always: a queued message is wiped right after it left.   Never: blocks, retries, interprets.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "dataplane/dp_api.h"

struct dp_client {
	int fd;	      // -1 when closed
	uint32_t tag; // of the message queued last; answers echo it
	struct dp_msg *q;
	size_t n_q, cap_q, head; // q[head..n_q) waits
};

void dp_client_init(struct dp_client *c);
// -errno when espd does not listen there: the caller tries again later.
MUST_CHECK int dp_client_connect(struct dp_client *c, const char *path);
void dp_client_close(struct dp_client *c); // wipes and frees the queue too; init state again

// Queue one message. Each returns 0 or -ENOMEM, and copies what it is given. The whole state
// goes as begin, exemptions, then per group its head, SAs and rules in order, then commit; espd answers the commit with
// one DP_RESULT (and an earlier one when it refuses a message of the transaction).
MUST_CHECK int dp_client_hello(struct dp_client *c);
MUST_CHECK int dp_client_begin(struct dp_client *c, uint64_t generation);
MUST_CHECK int dp_client_group(struct dp_client *c, const struct dp_group *group);
MUST_CHECK int dp_client_sa(struct dp_client *c, const struct dp_sa *sa);
MUST_CHECK int dp_client_rule(struct dp_client *c, const struct dp_rule *rule);
MUST_CHECK int dp_client_exempt(struct dp_client *c, const struct dp_exempt *exempt);
MUST_CHECK int dp_client_commit(struct dp_client *c, uint64_t generation);
MUST_CHECK int dp_client_sa_stats_get(struct dp_client *c);
MUST_CHECK int dp_client_counters_get(struct dp_client *c);

bool dp_client_wants_write(const struct dp_client *c);
// Sends what the socket takes now. 0 (perhaps with some left) or -errno: the connection is over.
MUST_CHECK int dp_client_flush(struct dp_client *c);
// 1 and a message in *out, 0 when none is there now, -errno when the connection is over:
// -ECONNRESET after espd closed it, -EPROTO after a message of another size or version.
MUST_CHECK int dp_client_recv(struct dp_client *c, struct dp_msg *out);

void dp_msg_wipe(struct dp_msg *m);
