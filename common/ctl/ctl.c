#include "common/ctl/ctl.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/ctl/hex.h"
#include "common/ctl/request.h"
#include "common/ctl/words.h"

#define MAX_CONNS	64
#define IDLE_S		60 // a client that asks nothing
#define STALL_S		30 // a client that does not read its answer
#define ACCEPT_PAUSE_MS 1000
#define MAX_GROUPS	256

struct conn {
	struct ctl_server *server;
	struct bufferevent *bev;
	struct ctl_req *req; // being answered; the next one waits in the input buffer
	bool closing;	     // no more questions: close once the answer is out
	struct logctx who;
	LIST_ENTRY(conn) link;
};

struct ctl_req {
	struct conn *conn; // NULL once the client has gone
	struct ctl_request request;
	struct ctl_match match;
};

struct ctl_server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *accept_again;
	void *arg;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	gid_t gid; // of the socket file
	size_t n_conns;
	struct log_limit refused;
	struct ctl_grammar grammar;
	LIST_HEAD(, conn) conns;
};

// ---- answers ----

// Takes answer. The frame goes out when the loop runs; conn_serve() goes on after that.
static void conn_send(struct conn *c, json_t *answer)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	char *text = json_dumps(answer, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	uint32_t len_be = htonl((uint32_t)len);

	json_decref(answer);
	if (!text || len > CTL_MAX_FRAME) {
		free(text);
		conn_send(c, json_pack("{s:i, s:s, s:s, s:s}", "v", CTL_VERSION, "status", "error",
				       "code", "failed", "error", "the answer is too large"));
		return;
	}
	evbuffer_add(out, &len_be, sizeof(len_be));
	evbuffer_add(out, text, len);
	explicit_bzero(text, len);
	free(text);
}

static json_t *error_answer(const char *code, const char *error, const char *hint)
{
	json_t *a = json_pack("{s:i, s:s, s:s, s:s}", "v", CTL_VERSION, "status", "error", "code",
			      code, "error", error);

	BUG_ON(!a);
	if (hint)
		json_object_set_new(a, "hint", json_string(hint));
	return a;
}

// Takes answer, ends req.
static void answer(struct ctl_req *req, json_t *a)
{
	if (req->conn) {
		req->conn->req = NULL;
		conn_send(req->conn, a);
	} else {
		json_decref(a);
	}
	ctl_request_fini(&req->request);
	free(req);
}

void ctl_reply_json(struct ctl_req *req, json_t *data)
{
	answer(req, json_pack("{s:i, s:s, s:o}", "v", CTL_VERSION, "status", "ok", "data", data));
}

void ctl_reply_text(struct ctl_req *req, const char *text)
{
	json_t *value = json_string(text);

	if (!value) { // not UTF-8: keep what is ASCII
		char *ascii = strdup(text);

		BUG_ON(!ascii);
		for (char *p = ascii; *p; p++)
			*p = (unsigned char)*p < 0x80 ? *p : '?';
		value = json_string(ascii);
		free(ascii);
	}
	answer(req, json_pack("{s:i, s:s, s:o}", "v", CTL_VERSION, "status", "ok", "text", value));
}

void ctl_reply_error(struct ctl_req *req, const char *error, const char *hint)
{
	answer(req, error_answer("failed", error, hint));
}

bool ctl_req_file(const struct ctl_req *req, struct bytes *out)
{
	*out = BYTES(req->request.file, req->request.file_len);
	return req->request.file;
}

void ctl_reply_want_file(struct ctl_req *req, size_t at)
{
	answer(req,
	       json_pack("{s:i, s:s, s:i}", "v", CTL_VERSION, "status", "file", "at", (int)at));
}

void ctl_reply_file(struct ctl_req *req, size_t at, struct bytes content, const char *text)
{
	char *hex = hex_from(content);

	if (!hex) {
		ctl_reply_error(req, "no memory", NULL);
		return;
	}
	answer(req, json_pack("{s:i, s:s, s:s, s:s, s:i}", "v", CTL_VERSION, "status", "ok", "text",
			      text, "file", hex, "at", (int)at));
	explicit_bzero(hex, 2 * content.len);
	free(hex);
}

bool ctl_req_json(const struct ctl_req *req)
{
	return req->request.json;
}

const char *ctl_req_word(const struct ctl_req *req, size_t i)
{
	return i < req->request.n_words ? req->match.full[i] : NULL;
}

// ---- text ----

static const char shortened[] = "\n% Out of memory: the rest is missing\n";

void ctl_text_add(struct ctl_text *t, const char *fmt, ...)
{
	va_list ap;
	size_t want, cap;
	char *b;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	BUG_ON(n < 0);
	want = t->len + (size_t)n + sizeof(shortened); // always room left to say it
	if (want > t->cap && !t->cut) {
		cap = MAX_OF(want, t->cap * 2) + 512;
		b = realloc(t->b, cap);
		if (b) {
			t->b = b;
			t->cap = cap;
		} else if (t->b) {
			strcpy(t->b + t->len, shortened);
		}
		t->cut = !b;
	}
	if (t->cut)
		return;
	va_start(ap, fmt);
	t->len += (size_t)vsnprintf(t->b + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
}

void ctl_reply_text_take(struct ctl_req *req, struct ctl_text *t)
{
	ctl_reply_text(req, t->b ? t->b : "");
	free(t->b);
	*t = (struct ctl_text){ 0 };
}

// ---- questions ----

static void conn_free(struct conn *c)
{
	struct ctl_server *s = c->server;

	if (c->req)
		c->req->conn = NULL;
	LIST_REMOVE(c, link);
	bufferevent_free(c->bev);
	if (s->n_conns-- == MAX_CONNS)
		evconnlistener_enable(s->listener);
	free(c);
}

static void answer_bad_words(struct ctl_req *req)
{
	static const char *const code[] = { [CTL_INCOMPLETE] = "incomplete",
					    [CTL_INVALID] = "invalid",
					    [CTL_AMBIGUOUS] = "ambiguous" };
	static const char *const text[] = { [CTL_INCOMPLETE] = "Incomplete command.",
					    [CTL_INVALID] = "Invalid input detected",
					    [CTL_AMBIGUOUS] = "Ambiguous command" };
	enum ctl_verdict v = req->match.verdict;
	json_t *a = error_answer(code[v], text[v], NULL);

	if (v != CTL_INCOMPLETE)
		json_object_set_new(a, "at", json_integer((json_int_t)req->match.at));
	answer(req, a);
}

static void answer_help(struct ctl_req *req, const struct ctl_grammar *g)
{
	struct ctl_next next[CTL_MAX_CMDS];
	const struct ctl_request *r = &req->request;
	size_t n = ctl_next(g, r->words, r->n_words, next, N_ELEMS(next), &req->match);
	json_t *list;

	if (n == 0) {
		if (req->match.verdict == CTL_MATCH || req->match.at + 1 == r->n_words) {
			req->match.verdict = CTL_INVALID;
			req->match.at = r->n_words - 1;
		}
		answer_bad_words(req);
		return;
	}
	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s}", "word", next[i].word, "help", next[i].help));
	answer(req, json_pack("{s:i, s:s, s:o}", "v", CTL_VERSION, "status", "ok", "next", list));
}

// Behind this word stands a secret.
static bool hides_next(const char *word)
{
	return strcmp(word, "password") == 0;
}

// Who did what is worth a line, who looked at what is not.
static void log_action(const struct ctl_req *req)
{
	struct ctl_text line = { 0 };

	if (strcmp(req->match.full[0], "show") == 0)
		return;
	for (size_t i = 0; i < req->request.n_words; i++)
		ctl_text_add(&line, "%s%s", i ? " " : "",
			     i && hides_next(req->match.full[i - 1]) ? "*" : req->match.full[i]);
	log_notice(CTL, &req->conn->who, "command=\"%s\"", line.b ? line.b : "");
	free(line.b);
}

static void answer_bad_request(struct conn *c, const char *why, long long version)
{
	char text[160];

	if (version > CTL_VERSION) {
		snprintf(text, sizeof(text), "version %lld is not spoken here", version);
		conn_send(c, error_answer("version", text, "this daemon speaks version 1"));
		return;
	}
	conn_send(c, error_answer("request", why, NULL));
	c->closing = true; // it does not speak our protocol
}

static void serve_one(struct conn *c, const void *frame, size_t len)
{
	const struct ctl_grammar *g = &c->server->grammar;
	struct ctl_req *req = calloc(1, sizeof(*req));
	long long version;
	const char *why;

	BUG_ON(!req);
	why = ctl_request_decode(frame, len, &req->request, &version);
	if (why) {
		free(req);
		answer_bad_request(c, why, version);
		return;
	}
	req->conn = c;
	c->req = req;
	if (req->request.help) {
		answer_help(req, g);
		return;
	}
	ctl_match(g, req->request.words, req->request.n_words, &req->match);
	if (req->match.verdict != CTL_MATCH) {
		answer_bad_words(req);
		return;
	}
	log_action(req);
	req->match.cmd->run(req, c->server->arg);
}

// One question at a time: called when bytes came in and when an answer has gone out.
static void conn_serve(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	unsigned char *frame;
	uint32_t len;

	if (c->req || c->closing || evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		return;
	if (evbuffer_copyout(in, &len, sizeof(len)) < (ev_ssize_t)sizeof(len))
		return;
	len = ntohl(len);
	if (len > CTL_MAX_REQUEST) {
		answer_bad_request(c, "the request is too large", 0);
		return;
	}
	if (evbuffer_get_length(in) < sizeof(len) + len)
		return;
	evbuffer_drain(in, sizeof(len));
	frame = len ? evbuffer_pullup(in, (ev_ssize_t)len) : NULL;
	serve_one(c, frame, len);
	if (frame) // it may have held a password, or a key
		explicit_bzero(frame, len);
	evbuffer_drain(in, len);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	conn_serve(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if (c->closing && !c->req)
		conn_free(c);
	else
		conn_serve(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;
	bool owed = c->req || evbuffer_get_length(bufferevent_get_output(bev)) > 0;

	if (what & BEV_EVENT_TIMEOUT && what & BEV_EVENT_READING && owed)
		bufferevent_enable(bev, EV_READ); // it waits for us, not we for it
	else if (what & BEV_EVENT_EOF && owed)
		c->closing = true;
	else
		conn_free(c);
}

// ---- connections ----

// A supplementary group of the peer counts like its first.
static bool peer_in_group(int fd, gid_t primary, gid_t wanted)
{
	gid_t groups[MAX_GROUPS];
	socklen_t size = sizeof(groups);

	if (primary == wanted)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(groups[0]); i++) {
		if (groups[i] == wanted)
			return true;
	}
	return false;
}

static bool peer_allowed(const struct ctl_server *s, int fd, struct logctx *who)
{
	struct ucred peer = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	logctx_set(who, "client=uid:%u,pid:%d", (unsigned)peer.uid, (int)peer.pid);
	return peer.uid == 0 || peer.uid == geteuid() || peer_in_group(fd, peer.gid, s->gid);
}

static void refuse(struct ctl_server *s, int fd, const struct logctx *who, const char *why)
{
	uint64_t held;

	if (log_limit_pass(&s->refused, mono_now(), &held))
		log_warn(CTL, who, "refused: %s suppressed=%llu", why, (unsigned long long)held);
	evutil_closesocket(fd);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int sa_len,
		      void *arg)
{
	static const struct timeval idle = { .tv_sec = IDLE_S }, stall = { .tv_sec = STALL_S };
	struct ctl_server *s = arg;
	struct conn *c;
	struct logctx who = { "client=unknown" };

	(void)sa;
	(void)sa_len;
	if (!peer_allowed(s, fd, &who)) {
		refuse(s, fd, &who, "neither root nor of the socket's group");
		return;
	}
	c = calloc(1, sizeof(*c));
	BUG_ON(!c);
	c->server = s;
	c->who = who;
	c->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	BUG_ON(!c->bev);
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, CTL_MAX_REQUEST + sizeof(uint32_t));
	bufferevent_set_timeouts(c->bev, &idle, &stall);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	LIST_INSERT_HEAD(&s->conns, c, link);
	if (++s->n_conns == MAX_CONNS)
		evconnlistener_disable(l);
}

// Out of descriptors: the connection stays in the backlog, so asking again at once would spin.
static void on_accept_error(struct evconnlistener *l, void *arg)
{
	static const struct timeval pause = { .tv_usec = ACCEPT_PAUSE_MS * 1000 % 1000000,
					      .tv_sec = ACCEPT_PAUSE_MS / 1000 };
	struct ctl_server *s = arg;

	log_err(CTL, NULL, "accept failed: %s", strerror(errno));
	evconnlistener_disable(l);
	event_add(s->accept_again, &pause);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_server *s = arg;

	(void)fd;
	(void)what;
	if (s->n_conns < MAX_CONNS)
		evconnlistener_enable(s->listener);
}

// ---- the socket ----

// Only a socket nobody listens on may be replaced.
static int remove_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, err;

	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ? -EADDRINUSE : 0;
	close(fd);
	if (!err && unlink(sa->sun_path) < 0)
		err = -errno;
	return err;
}

static int listen_on(struct ctl_server *s, const char *path, int *out_fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t old;
	int fd, err;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	err = remove_stale(&sa);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	old = umask(0117);
	err = bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	umask(old);
	if (!err && stat(path, &st) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	s->gid = st.st_gid;
	strcpy(s->path, path);
	*out_fd = fd;
	return 0;
}

int ctl_server_new(struct event_base *base, const char *path, const struct ctl_cmd *cmds, void *arg,
		   struct ctl_server **out)
{
	struct ctl_server *s = calloc(1, sizeof(*s));
	int fd = -1, err;

	*out = NULL;
	if (!s)
		return -ENOMEM;
	s->base = base;
	s->arg = arg;
	LIST_INIT(&s->conns);
	ctl_grammar_init(&s->grammar, cmds);
	err = listen_on(s, path, &fd);
	if (err)
		goto bad;
	signal(SIGPIPE, SIG_IGN); // a client may go away in the middle of an answer
	s->accept_again = evtimer_new(base, on_accept_again, s);
	s->listener = evconnlistener_new(base, on_accept, s,
					 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, fd);
	if (!s->accept_again || !s->listener) {
		err = -ENOMEM;
		goto bad;
	}
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	*out = s;
	return 0;
bad:
	if (s->accept_again)
		event_free(s->accept_again);
	if (fd >= 0) {
		close(fd);
		unlink(s->path);
	}
	free(s);
	return err;
}

void ctl_server_free(struct ctl_server *s)
{
	struct conn *c;

	if (!s)
		return;
	while ((c = LIST_FIRST(&s->conns)))
		conn_free(c); // NOLINT(clang-analyzer-unix.Malloc): takes it off the list
	event_free(s->accept_again);
	evconnlistener_free(s->listener);
	unlink(s->path);
	free(s);
}
