#include "dataplane/dp_client.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void dp_msg_wipe(struct dp_msg *m)
{
	explicit_bzero(m, sizeof(*m));
}

void dp_client_init(struct dp_client *c)
{
	*c = (struct dp_client){ .fd = -1 };
}

int dp_client_connect(struct dp_client *c, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, err;

	BUG_ON(c->fd >= 0);
	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	c->fd = fd;
	return 0;
}

void dp_client_close(struct dp_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->q)
		explicit_bzero(c->q, c->cap_q * sizeof(*c->q));
	free(c->q);
	dp_client_init(c);
}

// realloc() would leave keys behind in the old block.
static int grow(struct dp_client *c)
{
	size_t cap = c->cap_q ? c->cap_q * 2 : 64;
	struct dp_msg *q = calloc(cap, sizeof(*q));

	if (!q)
		return -ENOMEM;
	if (c->q) {
		memcpy(q, c->q, c->n_q * sizeof(*q));
		explicit_bzero(c->q, c->cap_q * sizeof(*c->q));
	}
	free(c->q);
	c->q = q;
	c->cap_q = cap;
	return 0;
}

static struct dp_msg *enqueue(struct dp_client *c, enum dp_type type)
{
	struct dp_msg *m;

	if (c->n_q == c->cap_q && grow(c) < 0)
		return NULL;
	m = &c->q[c->n_q++];
	m->version = DP_API_VERSION;
	m->type = (uint16_t)type;
	m->tag = ++c->tag;
	return m;
}

int dp_client_hello(struct dp_client *c)
{
	return enqueue(c, DP_HELLO) ? 0 : -ENOMEM;
}

static int enqueue_generation(struct dp_client *c, enum dp_type type, uint64_t generation)
{
	struct dp_msg *m = enqueue(c, type);

	if (!m)
		return -ENOMEM;
	m->u.generation = generation;
	return 0;
}

int dp_client_begin(struct dp_client *c, uint64_t generation)
{
	return enqueue_generation(c, DP_BEGIN, generation);
}

int dp_client_commit(struct dp_client *c, uint64_t generation)
{
	return enqueue_generation(c, DP_COMMIT, generation);
}

int dp_client_group(struct dp_client *c, const struct dp_group *group)
{
	struct dp_msg *m = enqueue(c, DP_GROUP);

	if (!m)
		return -ENOMEM;
	m->u.group = *group;
	return 0;
}

int dp_client_sa(struct dp_client *c, const struct dp_sa *sa)
{
	struct dp_msg *m = enqueue(c, DP_SA);

	if (!m)
		return -ENOMEM;
	m->u.sa = *sa;
	return 0;
}

int dp_client_rule(struct dp_client *c, const struct dp_rule *rule)
{
	struct dp_msg *m = enqueue(c, DP_RULE);

	if (!m)
		return -ENOMEM;
	m->u.rule = *rule;
	return 0;
}

int dp_client_exempt(struct dp_client *c, const struct dp_exempt *exempt)
{
	struct dp_msg *m = enqueue(c, DP_EXEMPT);

	if (!m)
		return -ENOMEM;
	m->u.exempt = *exempt;
	return 0;
}

int dp_client_sa_stats_get(struct dp_client *c)
{
	return enqueue(c, DP_SA_STATS_GET) ? 0 : -ENOMEM;
}

int dp_client_counters_get(struct dp_client *c)
{
	return enqueue(c, DP_COUNTERS_GET) ? 0 : -ENOMEM;
}

bool dp_client_wants_write(const struct dp_client *c)
{
	return c->head < c->n_q;
}

int dp_client_flush(struct dp_client *c)
{
	while (c->head < c->n_q) {
		struct dp_msg *m = &c->q[c->head];

		if (send(c->fd, m, sizeof(*m), MSG_NOSIGNAL) < 0) {
			if (errno == EINTR)
				continue;
			return errno == EAGAIN ? 0 : -errno;
		}
		dp_msg_wipe(m);
		c->head++;
	}
	c->head = c->n_q = 0;
	return 0;
}

int dp_client_recv(struct dp_client *c, struct dp_msg *out)
{
	ssize_t n;

	do
		n = recv(c->fd, out, sizeof(*out), MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if ((size_t)n != sizeof(*out) || out->version != DP_API_VERSION)
		return -EPROTO;
	return 1;
}
