#include "common/base/jobs_io.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct ring {
	size_t at, n;
	void **slot;
};

struct jobs {
	void (*run)(void *job);
	void (*drop)(void *job);
	pthread_mutex_t lock; // of all below but fd and the threads
	pthread_cond_t work;
	size_t max, n; // n: put and not yet taken
	struct ring todo, done;
	bool stop;
	int fd;
	unsigned n_threads;
	pthread_t thread[];
};

// Room is certain: each ring holds as many as there may be in all.
static void ring_put(struct jobs *j, struct ring *r, void *job)
{
	r->slot[(r->at + r->n++) % j->max] = job;
}

static void *ring_take(struct jobs *j, struct ring *r)
{
	void *job;

	if (r->n == 0)
		return NULL;
	job = r->slot[r->at];
	r->at = (r->at + 1) % j->max;
	r->n--;
	return job;
}

static void *worker(void *arg)
{
	struct jobs *j = arg;

	pthread_mutex_lock(&j->lock);
	while (!j->stop) {
		void *job = ring_take(j, &j->todo);

		if (!job) {
			pthread_cond_wait(&j->work, &j->lock);
			continue;
		}
		pthread_mutex_unlock(&j->lock);
		j->run(job);
		pthread_mutex_lock(&j->lock);
		if (j->done.n == 0) // who takes one takes all
			eventfd_write(j->fd, 1);
		ring_put(j, &j->done, job);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

static int start_threads(struct jobs *j, unsigned n)
{
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; j->n_threads < n && !err; j->n_threads += err == 0)
		err = -pthread_create(&j->thread[j->n_threads], NULL, worker, j);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int jobs_new(unsigned n_threads, size_t max, void (*run)(void *job), void (*drop)(void *job),
	     struct jobs **out)
{
	struct jobs *j = calloc(1, sizeof(*j) + n_threads * sizeof(j->thread[0]));
	int err;

	*out = NULL;
	if (!j)
		return -ENOMEM;
	j->run = run;
	j->drop = drop;
	j->max = max;
	j->todo.slot = calloc(max, sizeof(void *));
	j->done.slot = calloc(max, sizeof(void *));
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->work, NULL);
	j->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = j->fd < 0 ? -errno : 0;
	if (!j->todo.slot || !j->done.slot)
		err = -ENOMEM;
	if (!err)
		err = start_threads(j, n_threads);
	if (err) {
		jobs_free(j);
		return err;
	}
	*out = j;
	return 0;
}

void jobs_free(struct jobs *j)
{
	void *job;

	if (!j)
		return;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->work);
	pthread_mutex_unlock(&j->lock);
	for (unsigned i = 0; i < j->n_threads; i++)
		pthread_join(j->thread[i], NULL);
	while ((job = ring_take(j, &j->todo)) || (job = ring_take(j, &j->done)))
		j->drop(job);
	if (j->fd >= 0)
		close(j->fd);
	pthread_cond_destroy(&j->work);
	pthread_mutex_destroy(&j->lock);
	free(j->todo.slot);
	free(j->done.slot);
	free(j);
}

int jobs_fd(const struct jobs *j)
{
	return j->fd;
}

bool jobs_put(struct jobs *j, void *job)
{
	bool room;

	pthread_mutex_lock(&j->lock);
	room = j->n < j->max;
	if (room) {
		j->n++;
		ring_put(j, &j->todo, job);
		pthread_cond_signal(&j->work);
	}
	pthread_mutex_unlock(&j->lock);
	return room;
}

void *jobs_take(struct jobs *j)
{
	eventfd_t n;
	void *job;

	pthread_mutex_lock(&j->lock);
	job = ring_take(j, &j->done);
	j->n -= job != NULL;
	if (!job)
		(void)eventfd_read(j->fd, &n);
	pthread_mutex_unlock(&j->lock);
	return job;
}
