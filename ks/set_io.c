#include "ks/set_io.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "coop/coop_conf.h"
#include "coop/link_io.h"

#define KEY_LEN 32

struct ks_set_io {
	struct link_io *link;
	struct rng *rng;
	ks_set_in *in;
	void *arg;
};

// ---- in ----

static void on_link(struct ks_set_io *s, size_t peer, bool up)
{
	s->in(s->arg, &(struct ks_event){ .kind = KS_EV_LINK, .peer = peer, .up = up });
}

static void on_up(void *arg, size_t peer)
{
	on_link(arg, peer, true);
}

static void on_down(void *arg, size_t peer, const char *why)
{
	(void)why; // the channel has said it
	on_link(arg, peer, false);
}

static void on_octets(struct ks_set_io *s, size_t peer, struct bytes frame, bool hello)
{
	s->in(s->arg,
	      &(struct ks_event){
		      .kind = KS_EV_FRAME, .peer = peer, .datagram = frame, .hello = hello });
}

static void on_frame(void *arg, size_t peer, struct bytes frame)
{
	on_octets(arg, peer, frame, false);
}

static void on_hello(void *arg, size_t peer, struct bytes frame)
{
	on_octets(arg, peer, frame, true);
}

static void on_room(void *arg, size_t peer)
{
	(void)arg;
	(void)peer; // what was refused is told again by the core's own clock
}

// ---- out ----

void ks_set_io_tell(struct ks_set_io *s, const struct ks_tell *t)
{
	int err = t->hello ? link_io_hello(s->link, t->peer, t->frame)
			   : link_io_send(s->link, t->peer, t->frame);

	if (err && err != -ENOTCONN && err != -ENOBUFS)
		log_err(COOP, NULL, "a frame could not be sent: %s", strerror(-err));
}

void ks_set_io_close(struct ks_set_io *s, unsigned peers)
{
	for (size_t i = 0; i < LINK_PEERS; i++) {
		if (peers & 1u << i)
			link_io_close(s->link, i);
	}
}

// ---- life ----

// A certificate that is still to be had: until then a key that nobody else has.
static int creds_none_yet(struct ks_set_io *s, struct tls_creds **out)
{
	uint8_t b[KEY_LEN];
	struct secret key;
	int err;

	log_err(COOP, NULL,
		"the trustpoint of coop has no certificate yet: no key server of the set is "
		"reached before it has one");
	rng_fill(s->rng, b, sizeof(b));
	BUG_ON(secret_set(&key, b, sizeof(b)) != 0);
	err = tls_creds_key(&key, out);
	secret_fini(&key);
	explicit_bzero(b, sizeof(b));
	return err;
}

static int creds_of(struct ks_set_io *s, const struct ks_conf *conf, struct tls_creds **out)
{
	int err = coop_settings_creds(conf->coop, conf->ike.pki, out);

	if (err == -ENOENT)
		return creds_none_yet(s, out);
	if (err)
		log_err(COOP, NULL, "what coop proves itself with is of no use: %s",
			strerror(-err));
	return err;
}

int ks_set_io_new(struct event_base *base, const struct ks_conf *conf, struct rng *rng,
		  ks_set_in *in, void *arg, struct ks_set_io **out)
{
	struct ks_set_io *s = calloc(1, sizeof(*s));
	const struct link_hooks hooks = { s, on_up, on_down, on_frame, on_hello, on_room };
	struct tls_creds *creds;
	int err;

	BUG_ON(!s);
	*s = (struct ks_set_io){ .rng = rng, .in = in, .arg = arg };
	err = creds_of(s, conf, &creds);
	if (!err) {
		err = link_io_new(base, &conf->coop->link, creds, rng, &hooks, &s->link);
		tls_creds_put(creds);
	}
	if (err) {
		free(s);
		return err;
	}
	*out = s;
	return 0;
}

void ks_set_io_free(struct ks_set_io *s)
{
	if (!s)
		return;
	link_io_free(s->link);
	free(s);
}

void ks_set_io_conf(struct ks_set_io *s, const struct ks_conf *conf)
{
	const struct link_conf *l = &conf->coop->link;
	struct tls_creds *creds;

	link_io_peers(s->link, l->peer, l->n_peers);
	if (creds_of(s, conf, &creds))
		return;
	link_io_creds(s->link, creds);
	tls_creds_put(creds);
	link_io_recheck(s->link);
}

const struct link_io *ks_set_io_link(const struct ks_set_io *s)
{
	return s->link;
}
