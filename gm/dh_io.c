#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gm/io_int.h"

#define DH_QUEUE (GM_MAX_GROUPS + 1)

struct dh_queue {
	size_t n;
	struct dh_job *job[DH_QUEUE];
};

struct dh_thread {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	bool stop;
	struct dh_queue in, out;
	int efd; // written when out has something
	struct event *ready;
	dh_done *done;
	void *arg;
};

// A group has at most one job away, so there is always room for the next.
static void queue_put(struct dh_queue *q, struct dh_job *j)
{
	BUG_ON(q->n == DH_QUEUE);
	q->job[q->n++] = j;
}

static struct dh_job *queue_take(struct dh_queue *q)
{
	struct dh_job *j;

	if (q->n == 0)
		return NULL;
	j = q->job[0];
	memmove(&q->job[0], &q->job[1], --q->n * sizeof(q->job[0]));
	return j;
}

static void *work(void *arg)
{
	const uint64_t one = 1;
	struct dh_thread *t = arg;
	struct dh_job *j;

	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		j = queue_take(&t->in);
		if (!j) {
			pthread_cond_wait(&t->more, &t->lock);
			continue;
		}
		pthread_mutex_unlock(&t->lock);
		dh_job_run(j);
		pthread_mutex_lock(&t->lock);
		queue_put(&t->out, j);
		if (write(t->efd, &one, sizeof(one)) < 0)
			BUG("eventfd");
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct dh_thread *t = arg;
	struct dh_queue q;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&t->lock);
	q = t->out;
	t->out.n = 0;
	pthread_mutex_unlock(&t->lock);
	for (size_t i = 0; i < q.n; i++)
		t->done(t->arg, q.job[i]);
}

int dh_thread_new(struct event_base *base, dh_done *done, void *arg, struct dh_thread **out)
{
	struct dh_thread *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->done = done;
	t->arg = arg;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->more, NULL);
	t->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->efd < 0) {
		err = -errno;
		goto bad;
	}
	t->ready = event_new(base, t->efd, EV_READ | EV_PERSIST, on_ready, t);
	if (!t->ready || event_add(t->ready, NULL) < 0) {
		err = -ENOMEM;
		goto bad_fd;
	}
	err = -pthread_create(&t->thread, NULL, work, t);
	if (err == 0) {
		*out = t;
		return 0;
	}
bad_fd:
	if (t->ready)
		event_free(t->ready);
	close(t->efd);
bad:
	free(t);
	return err;
}

void dh_thread_add(struct dh_thread *t, struct dh_job *job)
{
	pthread_mutex_lock(&t->lock);
	queue_put(&t->in, job);
	pthread_cond_signal(&t->more);
	pthread_mutex_unlock(&t->lock);
}

void dh_thread_free(struct dh_thread *t)
{
	struct dh_job *j;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->more);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	while ((j = queue_take(&t->in)) || (j = queue_take(&t->out)))
		dh_job_free(j);
	event_free(t->ready);
	close(t->efd);
	pthread_cond_destroy(&t->more);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
