#include "common/pki/fetch_io.h"

#include <event2/buffer.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/http.h>

#include "common/base/log.h"
#include "common/crypto/trust.h"

struct fetch {
	struct fetcher *f; // NULL: free
	struct evhttp_connection *conn;
	struct event *end; // its time is over, or its connection may go
	fetch_done *done;
	void *arg;
};

struct fetcher {
	struct event_base *base;
	struct evdns_base *dns; // made by the first name
	struct fetch fetch[FETCH_MAX];
};

int fetcher_new(struct event_base *base, struct fetcher **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->base = base;
	return 0;
}

static void release(struct fetch *x)
{
	if (x->end)
		event_free(x->end);
	if (x->conn)
		evhttp_connection_free(x->conn);
	*x = (struct fetch){ .f = NULL };
}

void fetcher_free(struct fetcher *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < FETCH_MAX; i++) {
		f->fetch[i].done = NULL; // closing a connection ends its request
		if (f->fetch[i].f)
			release(&f->fetch[i]);
	}
	if (f->dns)
		evdns_base_free(f->dns, 0);
	free(f);
}

// A server that sends an octet now and then is never silent for long: the whole has a limit too.
static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *x = arg;
	fetch_done *done = x->done;
	void *done_arg = x->arg;

	(void)fd, (void)what;
	x->done = NULL;
	release(x);
	if (done)
		done(done_arg, 0, BYTES(NULL, 0));
}

// libevent owns the request; its connection must not go from inside its own callback.
static void on_answer(struct evhttp_request *req, void *arg)
{
	static const struct timeval now = { 0, 0 };
	struct fetch *x = arg;
	fetch_done *done = x->done;
	struct evbuffer *in = req ? evhttp_request_get_input_buffer(req) : NULL;
	size_t len = in ? evbuffer_get_length(in) : 0;
	int status = req ? evhttp_request_get_response_code(req) : 0;
	bool good = status == HTTP_OK && len > 0;

	if (!done)
		return;
	x->done = NULL;
	evtimer_add(x->end, &now);
	done(x->arg, status, good ? BYTES(evbuffer_pullup(in, -1), len) : BYTES(NULL, 0));
}

static struct fetch *slot(struct fetcher *f)
{
	for (size_t i = 0; i < FETCH_MAX; i++) {
		if (!f->fetch[i].f)
			return &f->fetch[i];
	}
	return NULL;
}

static bool is_name(const char *host)
{
	return host[strspn(host, "0123456789.")] != '\0' && !strchr(host, ':');
}

static unsigned silence_s(const struct fetch_ask *ask)
{
	return ask->timeout_s ? ask->timeout_s : FETCH_TIMEOUT_S;
}

static struct evhttp_connection *connect_to(struct fetcher *f, const char *host, int port,
					    const struct fetch_ask *ask)
{
	struct evhttp_connection *c;
	char bare[TRUST_URL_MAX];
	size_t len = strlen(host);

	if (host[0] == '[' && len > 2 && len < sizeof(bare)) { // an IPv6 address in an URL
		snprintf(bare, sizeof(bare), "%.*s", (int)len - 2, host + 1);
		host = bare;
	}
	// Without it a name would be looked up while everything else waits.
	if (is_name(host) && !f->dns)
		f->dns = evdns_base_new(f->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
							 EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (is_name(host) && !f->dns)
		return NULL;
	c = evhttp_connection_base_new(f->base, is_name(host) ? f->dns : NULL, host,
				       (uint16_t)(port > 0 ? port : 80));
	if (c) {
		evhttp_connection_set_timeout(c, (int)silence_s(ask));
		evhttp_connection_set_max_body_size(
			c, (ev_ssize_t)(ask->max ? ask->max : FETCH_ANSWER_MAX));
		evhttp_connection_set_max_headers_size(c, 16384);
	}
	return c;
}

static int send_request(struct fetch *x, const struct evhttp_uri *uri, const char *host,
			const struct fetch_ask *ask)
{
	const char *path = evhttp_uri_get_path(uri), *query = evhttp_uri_get_query(uri);
	struct evhttp_request *req = evhttp_request_new(on_answer, x);
	struct evkeyvalq *headers;
	char target[512], name[512];
	int port = evhttp_uri_get_port(uri);

	if (!req)
		return -ENOMEM;
	headers = evhttp_request_get_output_headers(req);
	if (port > 0 && port != 80)
		snprintf(name, sizeof(name), "%s:%d", host, port);
	else
		snprintf(name, sizeof(name), "%s", host);
	evhttp_add_header(headers, "Host", name);
	evhttp_add_header(headers, "Connection", "close");
	if (ask->post.len > 0) {
		evhttp_add_header(headers, "Content-Type", ask->type);
		evbuffer_add(evhttp_request_get_output_buffer(req), ask->post.p, ask->post.len);
	}
	snprintf(target, sizeof(target), "%s%s%s", path && path[0] ? path : "/", query ? "?" : "",
		 query ? query : "");
	if (evhttp_make_request(x->conn, req, ask->post.len > 0 ? EVHTTP_REQ_POST : EVHTTP_REQ_GET,
				target) == 0)
		return 0;
	return -EIO; // evhttp_make_request has freed it
}

static int begin(struct fetch *x, const struct evhttp_uri *uri, const char *host,
		 const struct fetch_ask *ask)
{
	const struct timeval whole = { .tv_sec = FETCH_WHOLE * silence_s(ask) };

	x->end = evtimer_new(x->f->base, on_end, x);
	x->conn = connect_to(x->f, host, evhttp_uri_get_port(uri), ask);
	if (!x->end || !x->conn || evtimer_add(x->end, &whole))
		return -ENOMEM;
	return send_request(x, uri, host, ask);
}

int fetch_start(struct fetcher *f, const struct fetch_ask *ask, fetch_done *done, void *arg)
{
	struct evhttp_uri *uri = evhttp_uri_parse(ask->url);
	const char *host = uri ? evhttp_uri_get_host(uri) : NULL;
	struct fetch *x = slot(f);
	int err = !host || host[0] == '\0' ? -EINVAL : !x ? -EBUSY : 0;

	if (!err) {
		*x = (struct fetch){ .f = f };
		err = begin(x, uri, host, ask);
		if (err)
			release(x);
		else
			x->done = done, x->arg = arg;
	}
	if (uri)
		evhttp_uri_free(uri);
	return err;
}
