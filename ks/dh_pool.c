#include "ks/dh_pool.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct item {
	struct item *next;
	struct ks_dh job;
};

struct fifo {
	struct item *first, **last;
};

struct dh_pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct fifo todo, done;
	bool stop;
	int fd;
	unsigned n_threads;
	pthread_t thread[];
};

static void fifo_put(struct fifo *f, struct item *i)
{
	i->next = NULL;
	*f->last = i;
	f->last = &i->next;
}

static struct item *fifo_take(struct fifo *f)
{
	struct item *i = f->first;

	if (!i)
		return NULL;
	f->first = i->next;
	if (!f->first)
		f->last = &f->first;
	return i;
}

static void fifo_fini(struct fifo *f)
{
	struct item *i;

	while ((i = fifo_take(f))) {
		dh_job_free(i->job.job);
		free(i);
	}
}

static void *worker(void *arg)
{
	struct dh_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct item *i = fifo_take(&p->todo);

		if (!i) {
			pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		pthread_mutex_unlock(&p->lock);
		dh_job_run(i->job.job);
		pthread_mutex_lock(&p->lock);
		fifo_put(&p->done, i);
		eventfd_write(p->fd, 1);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

// Signals belong to the event loop.
static int start_threads(struct dh_pool *p, unsigned n)
{
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; p->n_threads < n && !err; p->n_threads += err == 0)
		err = -pthread_create(&p->thread[p->n_threads], NULL, worker, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int dh_pool_new(unsigned n_threads, struct dh_pool **out)
{
	struct dh_pool *p = calloc(1, sizeof(*p) + n_threads * sizeof(p->thread[0]));
	int err;

	BUG_ON(!p);
	p->todo.last = &p->todo.first;
	p->done.last = &p->done.first;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = p->fd < 0 ? -errno : start_threads(p, n_threads);
	if (err) {
		dh_pool_free(p);
		return err;
	}
	*out = p;
	return 0;
}

void dh_pool_free(struct dh_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->thread[i], NULL);
	fifo_fini(&p->todo);
	fifo_fini(&p->done);
	if (p->fd >= 0)
		close(p->fd);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

int dh_pool_fd(const struct dh_pool *p)
{
	return p->fd;
}

void dh_pool_put(struct dh_pool *p, const struct ks_dh *job)
{
	struct item *i = malloc(sizeof(*i));

	BUG_ON(!i);
	i->job = *job;
	pthread_mutex_lock(&p->lock);
	fifo_put(&p->todo, i);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

bool dh_pool_take(struct dh_pool *p, struct ks_dh *job)
{
	struct item *i;
	eventfd_t n;

	eventfd_read(p->fd, &n);
	pthread_mutex_lock(&p->lock);
	i = fifo_take(&p->done);
	pthread_mutex_unlock(&p->lock);
	if (!i)
		return false;
	*job = i->job;
	free(i);
	return true;
}
