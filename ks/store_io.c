#include "ks/store_io.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "ks/store_int.h"

#define HEARTBEAT_S 60
#define RETRY_S	    1

static void machine_clocks(void *arg, struct ks_clocks *out)
{
	struct timespec ts;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	(void)arg;
	*out = (struct ks_clocks){ .mono_ms = mono_now().ms };
	clock_gettime(CLOCK_REALTIME, &ts);
	out->wall_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	if (f && !fgets(out->boot, sizeof(out->boot), f))
		out->boot[0] = '\0';
	if (f)
		fclose(f);
}

// ---- the thread ----

static void tell(struct ks_store *s, enum ks_store_news news)
{
	uint64_t one = 1;

	s->news = news;
	pthread_cond_broadcast(&s->over);
	BUG_ON(write(s->fd, &one, sizeof(one)) != (ssize_t)sizeof(one));
}

static void nap(struct ks_store *s, time_t seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

static void count(struct ks_store *s, const struct timespec *from, size_t rows)
{
	struct timespec now;
	int64_t us;

	clock_gettime(CLOCK_MONOTONIC, &now);
	us = (now.tv_sec - from->tv_sec) * 1000000 + (now.tv_nsec - from->tv_nsec) / 1000;
	s->figures.commits++;
	s->figures.rows += rows;
	s->figures.last_us = (uint32_t)us;
	s->figures.max_us = MAX_OF(s->figures.max_us, s->figures.last_us);
}

// With the lock held; drops it while the disk works. Without a write it is the stamp alone.
static void work_off(struct ks_store *s)
{
	struct ks_write w = s->write;
	bool asked = s->busy, ok;
	struct timespec from;

	s->write = (struct ks_write){ 0 };
	pthread_mutex_unlock(&s->lock);
	clock_gettime(CLOCK_MONOTONIC, &from);
	ok = store_commit(s, &w);
	pthread_mutex_lock(&s->lock);
	if (ok) {
		count(s, &from, w.n);
		ks_write_fini(&w);
		if (asked) {
			s->busy = false;
			tell(s, KS_STORE_DONE);
		}
		return;
	}
	s->figures.failures++;
	memcpy(s->why, s->problem, sizeof(s->why));
	if (asked)
		s->write = w;
	tell(s, KS_STORE_FAILED);
	if (!s->stop)
		nap(s, RETRY_S);
}

static void *writer(void *arg)
{
	struct ks_store *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		if (!s->busy && !s->stop)
			nap(s, HEARTBEAT_S);
		if (s->stop && (!s->busy || s->news == KS_STORE_FAILED))
			break;
		work_off(s);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

// ---- life ----

static int start_thread(struct ks_store *s)
{
	pthread_condattr_t attr;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, &attr);
	pthread_cond_init(&s->over, &attr);
	pthread_condattr_destroy(&attr);
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = s->fd < 0 ? errno : pthread_create(&s->thread, NULL, writer, s);
	s->started = err == 0;
	return err ? store_complain(s, -err, "no thread to write with: %s", strerror(err)) : 0;
}

static int start_run(struct ks_store *s)
{
	struct rng rng;

	crypto_rng_init(&rng);
	rng_fill(&rng, s->salt, sizeof(s->salt));
	return store_run_key(s, s->salt, &s->run) ? store_complain(s, -ENOMEM, "no memory") : 0;
}

int ks_store_open(const struct ks_store_conf *conf, struct ks_store **out, char why[KS_STORE_WHY])
{
	struct ks_store *s = calloc(1, sizeof(*s));
	int err;

	BUG_ON(!s);
	s->fd = -1;
	s->clocks = conf->clocks ? conf->clocks : machine_clocks;
	s->arg = conf->arg;
	snprintf(s->dir, sizeof(s->dir), "%s", conf->dir);
	snprintf(s->path, sizeof(s->path), "%s/state.db", conf->dir);
	snprintf(s->key_path, sizeof(s->key_path), "%s%s", conf->device_key[0] ? "" : conf->dir,
		 conf->device_key[0] ? conf->device_key : "/device.key");
	snprintf(s->user, sizeof(s->user), "%s", conf->user);
	err = store_make_dir(s);
	err = err ? err : store_get_device_key(s);
	err = err ? err : start_run(s);
	err = err ? err : store_open_db(s);
	err = err ? err : store_resume_time(s);
	err = err ? err : store_read_rows(s);
	err = err ? err : start_thread(s);
	snprintf(why, KS_STORE_WHY, "%s", s->why);
	if (err) {
		ks_store_close(s);
		return err;
	}
	*out = s;
	return 0;
}

static void stop_thread(struct ks_store *s)
{
	if (!s->started)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
}

void ks_store_close(struct ks_store *s)
{
	if (!s)
		return;
	stop_thread(s);
	ks_store_forget(s);
	ks_write_fini(&s->write);
	sqlite3_finalize(s->put);
	sqlite3_finalize(s->del);
	sqlite3_finalize(s->drop);
	sqlite3_finalize(s->put_meta);
	sqlite3_close(s->db);
	if (s->fd >= 0)
		close(s->fd);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

const struct ks_saved *ks_store_saved(const struct ks_store *s)
{
	return &s->saved;
}

void ks_store_forget(struct ks_store *s)
{
	for (size_t i = 0; i < s->saved.n; i++) {
		struct ks_blob b = { (uint8_t *)(uintptr_t)s->rows[i].data.p, s->rows[i].data.len };

		ks_blob_fini(&b);
	}
	free(s->rows);
	s->rows = NULL;
	s->saved.row = NULL;
	s->saved.n = 0;
}

int64_t ks_store_base(const struct ks_store *s)
{
	return s->base_ms;
}

void ks_store_put(struct ks_store *s, struct ks_write *w)
{
	pthread_mutex_lock(&s->lock);
	BUG_ON(s->busy);
	ks_write_fini(&s->write);
	s->write = *w;
	*w = (struct ks_write){ 0 };
	s->busy = true;
	s->news = KS_STORE_NOTHING;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

int ks_store_fd(const struct ks_store *s)
{
	return s->fd;
}

enum ks_store_news ks_store_take(struct ks_store *s, char why[KS_STORE_WHY])
{
	enum ks_store_news news;
	uint64_t n;

	if (read(s->fd, &n, sizeof(n)) < 0)
		return KS_STORE_NOTHING;
	pthread_mutex_lock(&s->lock);
	news = s->news;
	snprintf(why, KS_STORE_WHY, "%s", s->why);
	pthread_mutex_unlock(&s->lock);
	return news;
}

void ks_store_wait(struct ks_store *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->busy && s->news == KS_STORE_NOTHING)
		pthread_cond_wait(&s->over, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void ks_store_figures(struct ks_store *s, struct ks_store_figures *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->figures;
	pthread_mutex_unlock(&s->lock);
}
