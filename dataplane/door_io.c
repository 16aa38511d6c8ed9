#include "dataplane/door_io.h"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/log.h"
#include "dataplane/dp_client.h"
#include "dataplane/notes.h"
#include "dataplane/worker.h"

#define READ_MAX  512 // messages per turn, so that the kernel's packets wait little
#define QUEUE_MAX (DP_MAX_SAS * 2 + 1024) // answers a client may leave untaken

struct door {
	struct espd *d;
	int lfd, fd;
	uid_t user;
	bool has_user;
	struct txn txn;
	struct notes notes;
	uint8_t bare; // protected ports of no group, a bit each
	struct log_limit refused;
	struct dp_msg *out; // answers, without keys
	size_t n_out, head, cap_out;
};

static void client_close(struct door *o, const char *why)
{
	if (o->fd < 0)
		return;
	log_notice(DP, NULL, "client gone: %s", why);
	close(o->fd);
	o->fd = -1;
	o->n_out = o->head = 0;
	txn_abort(&o->txn);
}

static void flush(struct door *o)
{
	while (o->fd >= 0 && o->head < o->n_out) {
		if (send(o->fd, &o->out[o->head], sizeof(*o->out), MSG_NOSIGNAL) < 0) {
			if (errno == EAGAIN || errno == EINTR)
				return;
			client_close(o, strerror(errno));
			return;
		}
		o->head++;
	}
	o->n_out = o->head = 0;
}

// NULL: there is no client, or no more. One that left its answers lying would wait for those that
// found no room for ever: it had better come again.
static struct dp_msg *answer(struct door *o, enum dp_type type, uint32_t tag)
{
	struct dp_msg *m;

	if (o->fd < 0)
		return NULL;
	if (o->n_out == o->cap_out) {
		size_t cap = o->cap_out ? o->cap_out * 2 : 64;
		struct dp_msg *p = cap > QUEUE_MAX ? NULL : realloc(o->out, cap * sizeof(*p));

		if (!p) {
			client_close(o, "it does not take its answers");
			return NULL;
		}
		o->out = p;
		o->cap_out = cap;
	}
	m = &o->out[o->n_out++];
	*m = (struct dp_msg){ .version = DP_API_VERSION, .type = (uint16_t)type, .tag = tag };
	return m;
}

static void result(struct door *o, const struct dp_msg *of, int status, const char *text)
{
	struct dp_msg *m = answer(o, DP_RESULT, of->tag);

	if (!m)
		return;
	m->u.result.status = status;
	m->u.result.of = of->type;
	m->u.result.generation = o->d->policy ? o->d->policy->generation : 0;
	snprintf(m->u.result.text, sizeof(m->u.result.text), "%s", text);
}

static void hello(struct door *o, const struct dp_msg *of)
{
	struct dp_msg *m = answer(o, DP_HELLO_ACK, of->tag);
	struct dp_hello_ack *a;

	if (!m)
		return;
	a = &m->u.hello_ack;
	a->version = DP_API_VERSION;
	a->n_workers = (uint16_t)o->d->n_workers;
	a->core_bits = (uint8_t)o->d->store.core_bits;
	a->boot_id = o->d->boot_id;
	a->generation = o->d->policy ? o->d->policy->generation : 0;
	snprintf(a->backend, sizeof(a->backend), "%s", crypto_backend());
}

static void sa_stats(struct door *o, const struct dp_msg *of, mono_t now)
{
	const struct sadb *db = o->d->policy ? o->d->policy->sadb : NULL;

	for (size_t i = 0; db && i < db->n; i++) {
		struct dp_msg *m = answer(o, DP_SA_STATS, of->tag);

		if (m)
			sadb_stats(&db->sas[i], o->d->n_workers, now, &m->u.sa_stats);
	}
	result(o, of, 0, "ok");
}

static size_t all_stats(const struct espd *d, const struct stats *s[ESPD_MAX_WORKERS + 1])
{
	for (unsigned i = 0; i < d->n_workers; i++)
		s[i] = worker_stats(d->workers[i]);
	s[d->n_workers] = &d->ctl_stats;
	return d->n_workers + 1;
}

static void counter(struct door *o, const struct dp_msg *of, const char *name, uint64_t value)
{
	struct dp_msg *m = answer(o, DP_COUNTER, of->tag);

	if (!m)
		return;
	snprintf(m->u.counter.name, sizeof(m->u.counter.name), "%s", name);
	m->u.counter.value = value;
}

static void counters(struct door *o, const struct dp_msg *of)
{
	const struct stats *s[ESPD_MAX_WORKERS + 1];
	size_t n = all_stats(o->d, s);
	uint64_t cpu_ns = 0;

	for (unsigned i = 0; i < o->d->n_workers; i++)
		cpu_ns += worker_cpu_ns(o->d->workers[i]);
	counter(o, of, "worker_cpu_ns", cpu_ns);
	for (size_t i = 0; i < STATS_NAMES; i++)
		counter(o, of, stats_name(i), stats_sum(s, n, i));
	result(o, of, 0, "ok");
}

// One pointer swap; then nobody reads the old policy, and its keys are wiped.
static void publish(struct espd *d, struct policy *next)
{
	struct policy *old = d->policy;

	__atomic_store_n(&d->policy, next, __ATOMIC_RELEASE);
	rte_rcu_qsbr_synchronize(d->rcu, RTE_QSBR_THRID_INVALID);
	policy_free(old, &d->store);
}

// Said when it begins: such a port is as before the first policy.
static void ports_without_group(struct door *o, const struct policy *p)
{
	uint8_t bare = o->txn.ports.are_protected & (uint8_t)~p->ports;

	for (unsigned i = 0; i < o->txn.ports.n; i++)
		if ((bare & ~o->bare) >> i & 1)
			log_warn(DP, NULL, "port=%s is protected, but of no group: %s",
				 o->txn.ports.name[i],
				 o->d->conf.fail_close ? "only the box itself may use it"
						       : "all passes in clear");
	o->bare = bare;
}

static void transact(struct door *o, const struct dp_msg *m, mono_t now)
{
	const char *why = "";
	struct policy *next;
	int err = txn_step(&o->txn, o->d->policy, m, now, &next, &why);

	if (err == 1) {
		publish(o->d, next);
		log_info(DP, NULL, "policy generation=%llu groups=%zu sas=%zu rules=%zu",
			 (unsigned long long)next->generation, next->n_groups, next->sadb->n,
			 next->rules->n);
		ports_without_group(o, next);
		result(o, m, 0, o->txn.remark[0] ? o->txn.remark : "ok");
	} else if (err < 0 && (err != -ECANCELED || m->type == DP_COMMIT)) {
		log_warn(DP, NULL, "client message type %u refused: %s", m->type, why);
		result(o, m, err, why);
	}
}

static void handle(struct door *o, const struct dp_msg *m, mono_t now)
{
	switch (m->type) {
	case DP_HELLO:
		hello(o, m);
		break;
	case DP_BEGIN:
	case DP_GROUP:
	case DP_SA:
	case DP_RULE:
	case DP_EXEMPT:
	case DP_COMMIT:
		transact(o, m, now);
		break;
	case DP_SA_STATS_GET:
		sa_stats(o, m, now);
		break;
	case DP_COUNTERS_GET:
		counters(o, m);
		break;
	default:
		result(o, m, -EOPNOTSUPP, "unknown message type");
	}
}

static void client_read(struct door *o, mono_t now)
{
	struct dp_msg m;

	for (unsigned i = 0; i < READ_MAX && o->fd >= 0; i++) {
		ssize_t n = recv(o->fd, &m, sizeof(m), MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			client_close(o, n == 0 ? "closed" : strerror(errno));
			break;
		}
		if ((size_t)n != sizeof(m) || m.version != DP_API_VERSION) {
			client_close(o, "message of another size or version");
			break;
		}
		handle(o, &m, now);
	}
	dp_msg_wipe(&m);
	flush(o);
}

static bool peer_may(const struct door *o, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	return cred.uid == 0 || cred.uid == geteuid() || (o->has_user && cred.uid == o->user);
}

// Tells an unwelcome client why, if its socket takes it.
static void turn_away(struct door *o, int fd, const char *why, mono_t now)
{
	struct dp_msg m = { .version = DP_API_VERSION, .type = DP_RESULT };
	uint64_t held;

	m.u.result.status = -EBUSY;
	snprintf(m.u.result.text, sizeof(m.u.result.text), "%s", why);
	if (send(fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 &&
	    log_limit_pass(&o->refused, now, &held))
		log_warn(DP, NULL, "client refused: %s", why);
	close(fd);
}

static void client_accept(struct door *o, mono_t now)
{
	int fd = accept4(o->lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (!peer_may(o, fd)) {
		turn_away(o, fd, "this user may not program the dataplane", now);
		return;
	}
	if (o->fd >= 0)
		client_read(o, now); // notices one that has gone
	if (o->fd >= 0) {
		turn_away(o, fd, "another client is connected", now);
		return;
	}
	o->fd = fd;
	sa_store_tell_again(&o->d->store);
	log_notice(DP, NULL, "client connected");
}

void door_poll_set(const struct door *o, struct pollfd fds[DOOR_FDS])
{
	fds[0] = (struct pollfd){ .fd = o->lfd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = o->fd, .events = POLLIN };
	if (o->head < o->n_out)
		fds[1].events |= POLLOUT;
}

void door_poll_done(struct door *o, const struct pollfd fds[DOOR_FDS], mono_t now)
{
	if (o->fd >= 0 && fds[1].fd == o->fd && fds[1].revents) {
		client_read(o, now);
		flush(o);
	}
	if (fds[0].revents)
		client_accept(o, now);
}

static void tell(void *arg, const struct dp_note *n)
{
	struct door *o = arg;
	struct dp_msg *m = answer(o, DP_NOTE, 0);

	if (m)
		m->u.note = *n;
}

void door_tick(struct door *o, mono_t now)
{
	const struct stats *s[ESPD_MAX_WORKERS + 1];
	struct caught *c[ESPD_MAX_WORKERS];
	uint64_t total = 0;
	size_t n;

	if (o->fd < 0)
		return;
	n = all_stats(o->d, s);
	for (size_t i = 0; i < n; i++)
		total += __atomic_load_n(&s[i]->path[PATH_OWN_CAUGHT], __ATOMIC_RELAXED);
	for (unsigned i = 0; i < o->d->n_workers; i++)
		c[i] = &o->d->workers[i]->caught;
	notes_own_caught(&o->notes, total, c, o->d->n_workers, now, tell, o);
	if (o->d->policy) {
		notes_unknown_spi(o->d->policy, o->d->n_workers, now, tell, o);
		notes_sas(o->d->policy->sadb, o->d->n_workers, now, tell, o);
	}
	flush(o);
}

static int listen_at(struct door *o, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path));
	unlink(path);
	o->lfd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (o->lfd < 0 || bind(o->lfd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	// Which user may speak is decided by the peer's credentials; without one, nobody need knock.
	if (chmod(path, o->has_user ? 0666 : 0600) < 0 || listen(o->lfd, 4) < 0)
		return -errno;
	return 0;
}

static struct txn_ports ports_of(const struct espd *d)
{
	struct txn_ports t = { .n = d->n_ports };

	for (unsigned i = 0; i < d->n_ports; i++) {
		t.name[i] = d->ports[i].conf->name;
		t.tap[i] = d->ports[i].conf->tap;
		t.are_protected |= (uint8_t)(d->ports[i].is_protected << i);
	}
	return t;
}

int door_new(struct espd *d, struct door **out)
{
	struct txn_ports ports = ports_of(d);
	struct door *o = calloc(1, sizeof(*o));
	const struct passwd *pw;
	int err;

	if (!o)
		return -ENOMEM;
	o->d = d;
	o->lfd = o->fd = -1;
	txn_init(&o->txn, &d->store, &ports);
	if (d->conf.user[0]) {
		pw = getpwnam(d->conf.user);
		if (!pw) {
			free(o);
			return -ENOENT;
		}
		o->user = pw->pw_uid;
		o->has_user = true;
	}
	err = listen_at(o, d->conf.control);
	if (err) {
		door_free(o);
		return err;
	}
	*out = o;
	return 0;
}

void door_free(struct door *o)
{
	client_close(o, "espd ends");
	txn_abort(&o->txn);
	if (o->lfd >= 0) {
		close(o->lfd);
		unlink(o->d->conf.control);
	}
	free(o->out);
	free(o);
}
