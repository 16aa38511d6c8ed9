// common/ctl/ctl.h - the control socket: questions from gvsh, answers from the daemon that owns
// the state.
// A unix stream socket. A frame is a 4 octet big-endian length and that many octets of JSON (at
// most CTL_MAX_FRAME). One request at a time per connection:
//   -> {"v":1, "words":["show","crypto","gdoi","ks","members"], "format":"text"|"json"}
//   <- {"v":1, "status":"ok", "text":"…" | "data":{…}}
//   <- {"v":1, "status":"error", "code":"…", "error":"…", "hint":"…", "at":N}
//   "code" of an error: invalid, ambiguous (both with "at", the index of the word the error is
//   about: gvsh draws the caret), incomplete, failed (the command itself), request, version.
//   -> {"v":1, "help":["show","cr"]}          the last word is being typed, maybe ""
//   <- {"v":1, "status":"ok", "next":[{"word":"crypto","help":"…"}, …]}   "<cr>": may end here
// A client of a newer version is told which version we speak. Access: file mode 0660, and the
// peer's credentials must be root's, ours, or of the file's group.
// A file that a word names is the client's: it is read and written with the operator's rights.
//   <- {"v":1, "status":"file", "at":N}       bring word N's file: the request again, with
//   -> {…, "file":"…"}                        its octets in hexadecimal
//   <- {"v":1, "status":"ok", "text":"…", "file":"…", "at":N}   to be kept under the name of word N
// Owns: connections and their buffers.  From/To: main.c registers tables; show.c answers.
#pragma once
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

#define CTL_VERSION   1
#define CTL_MAX_FRAME (16u << 20)
#define CTL_MAX_WORDS 32

struct ctl_server;
struct ctl_req;

// A handler answers now, or keeps req and answers later (gmd asks espd first). Exactly one answer
// per request; answering a request whose client has gone is harmless.
typedef void ctl_handler(struct ctl_req *req, void *arg);

// One row per command. Words in capitals stand for any one word ("NAME"), "ADDRESS" for an
// IPv4 or IPv6 address, "N" for a number; keywords match by unambiguous prefix as in IOS ("sh cry gdoi ks mem").
// [x] and [group NAME] mark what may be left out. At most CTL_MAX_CMDS rows (words.h).
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
// word; NULL past the end. Lasts as long as req.
const char *ctl_req_word(const struct ctl_req *req, size_t i);

void ctl_reply_text(struct ctl_req *req, const char *text);
void ctl_reply_json(struct ctl_req *req, json_t *data); // takes data
// What the client brought; false: nothing yet, ctl_reply_want_file asks for it.
bool ctl_req_file(const struct ctl_req *req, struct bytes *out);
void ctl_reply_want_file(struct ctl_req *req, size_t at);
void ctl_reply_file(struct ctl_req *req, size_t at, struct bytes content, const char *text);
void ctl_reply_error(struct ctl_req *req, const char *error, const char *hint); // hint may be NULL

// A growing text for show.c: never fails visibly (out of memory shortens the text and says so).
struct ctl_text {
	char *b;
	size_t len, cap;
	bool cut; // memory ran out
};
void ctl_text_add(struct ctl_text *t, const char *fmt, ...) PRINTF(2, 3);
void ctl_reply_text_take(struct ctl_req *req, struct ctl_text *t); // frees t

// Client side, blocking: gvsh and tests. Returns 0 and the whole answer (to be json_decref'd), or
// -errno with a sentence for people in err. An answer with status "error" counts as an answer.
MUST_CHECK int ctl_ask(const char *path, const char *const *words, size_t n_words, bool json,
		       json_t **answer, char *err, size_t err_size);
// The same again, with the file that the daemon asked for.
MUST_CHECK int ctl_ask_with(const char *path, const char *const *words, size_t n_words, bool json,
			    struct bytes file, json_t **answer, char *err, size_t err_size);
// The same for what may stand next: the last word is the one being typed, maybe "".
MUST_CHECK int ctl_ask_help(const char *path, const char *const *words, size_t n_words,
			    json_t **answer, char *err, size_t err_size);
