// coop/link_int.h - shared by the files of the channel: link_io.c (life, peers), link_conn_io.c
// (one connection), link_check_io.c (whose certificate), link_udp_io.c (hellos).
#pragma once
#include "common/base/log.h"
#include "coop/link.h"
#include "coop/link_io.h"

struct bufferevent;
struct event;
struct evconnlistener;
struct fetcher;
struct lookup;

enum conn_state { CONN_CALLING, CONN_SHAKING, CONN_CHECKING, CONN_WAITING, CONN_UP, CONN_DEAD };

struct conn {
	struct conn *next; // in l->conns, newest first; then in l->dead
	struct link_io *l;
	struct link_peer *peer;
	enum conn_state state;
	bool calls, want_room;
	struct bufferevent *bev;
	struct tls *tls;
	struct event *deadline;
	size_t octets_in;
	struct lookup *lookup; // under way
	mono_t since;	       // it is UP
	struct link_cut cut;
};

struct link_peer {
	struct link_io *l;
	size_t index;
	struct link_peer_conf conf;
	char text[ADDR_STRLEN];
	bool calls;	   // we call it
	struct conn *conn; // UP
	struct event *retry;
	unsigned tries;
	bool unanswered; // the last call
	mono_t called;
	struct link_keys keys;
	mono_t keys_end;
	struct link_stats stats;
	struct log_limit say, say_hello;
};

struct link_io {
	struct event_base *base;
	struct link_conf conf;
	char text[ADDR_STRLEN]; // our address
	struct tls_creds *creds;
	struct rng *rng;
	struct link_hooks hooks;
	struct evconnlistener *listener;
	struct fetcher *fetcher;
	int udp;
	struct event *on_udp, *on_recheck, *on_resume, *sweep;
	uint64_t boot, strangers;
	struct log_limit say;
	struct conn *conns, *dead;
	struct lookup *lookups;
	struct link_peer *peer[LINK_PEERS]; // conf.n_peers of them
};

// link_io.c
struct link_peer *link_peer_of(struct link_io *l, const struct addr *a); // counts strangers
void link_retry(struct link_peer *p); // call again after a while, if it is us who call
void link_heard(struct link_peer *p); // it is there: no need to wait
// unauth: it tried to be what it is not. At most once a second.
void link_say(struct link_peer *p, bool unauth, const char *what, const char *why);

// link_conn_io.c
void conn_accept(struct link_peer *p, int fd); // takes fd
void conn_call(struct link_peer *p);
// down() is called for one that was UP, unless quiet. It is freed later.
void conn_kill(struct conn *c, const char *why, bool quiet);
void conn_refuse(struct conn *c, uint64_t *counter, const char *what, const char *why);
void conn_believe(struct conn *c); // the peer is the one it should be
int conn_send(struct conn *c, struct bytes frame);
void conn_free(struct conn *c);

// link_check_io.c
void conn_check(struct conn *c); // refuses or believes it, at once or later; one that is UP: again
void conn_check_stop(struct conn *c);
void lookups_free(struct link_io *l);

// link_udp_io.c
int link_udp_open(struct link_io *l);
void link_udp_close(struct link_io *l);
