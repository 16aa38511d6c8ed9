// common/ctl/ctl.h - the control socket: questions from gvsh, answers from the daemon that owns
// the state.
// A unix stream socket. A frame is a 4 octet big-endian length and that many octets of JSON (at
// most CTL_MAX_FRAME). One request at a time per connection:
//   -> {"v":1, "words":["show","crypto","gdoi","ks","members"], "format":"text"|"json"}
//   <- {"v":1, "status":"ok"|"error", "text":"…" | "data":{…}, "error":"…", "hint":"…", "at":N}
// "at" is the index of the word the error is about (gvsh draws the caret). A client of a newer
// version is told which version we speak. Access: file mode 0660 and the peer's credentials.
// Owns: connections and their buffers.  From/To: main.c registers tables; show.c answers.
#pragma once
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

#define CTL_VERSION   1
#define CTL_MAX_FRAME (16u << 20)
#define CTL_MAX_WORDS 32

struct ctl_server;
struct ctl_req;

// A handler answers now, or keeps req and answers later (gmd asks espd first). Exactly one answer
// per request; answering a request whose client has gone is harmless.
typedef void ctl_handler(struct ctl_req *req, void *arg);

// One row per command. Words in capitals stand for any one word ("A.B.C.D", "NAME"); words match
// by unambiguous prefix as in IOS ("sh cry gdoi ks mem"). [x] marks an optional word.
struct ctl_cmd {
	const char *syntax; // "show crypto gdoi ks members"
	const char *help;   // one line
	ctl_handler *run;
};

// Listens on path (an old socket file is replaced; its directory must exist). -errno on failure.
// cmds is borrowed and ends with a row whose syntax is NULL.
MUST_CHECK int ctl_server_new(struct event_base *base, const char *path, const struct ctl_cmd *cmds,
			      void *arg, struct ctl_server **out);
void ctl_server_free(struct ctl_server *s); // removes the socket file

bool ctl_req_json(const struct ctl_req *req); // the client asked for JSON
// The i-th word as the full keyword of the syntax, or as typed where the syntax has a capital
// word; NULL past the end.
const char *ctl_req_word(const struct ctl_req *req, size_t i);

void ctl_reply_text(struct ctl_req *req, const char *text);
void ctl_reply_json(struct ctl_req *req, json_t *data);				// takes data
void ctl_reply_error(struct ctl_req *req, const char *error, const char *hint); // hint may be NULL

// A growing text for show.c: never fails visibly (out of memory shortens the text and says so).
struct ctl_text {
	char *b;
	size_t len, cap;
};
void ctl_text_add(struct ctl_text *t, const char *fmt, ...) PRINTF(2, 3);
void ctl_reply_text_take(struct ctl_req *req, struct ctl_text *t); // frees t

// Client side, blocking: gvsh and tests. Returns 0 and the whole answer (to be json_decref'd), or
// -errno with a sentence for people in err.
MUST_CHECK int ctl_ask(const char *path, const char *const *words, size_t n_words, bool json,
		       json_t **answer, char *err, size_t err_size);
