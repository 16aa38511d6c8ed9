#include "common/pki/auth_io.h"

#include <time.h>

#include <event2/event.h>

#include "common/base/jobs_io.h"
#include "common/base/log.h"
#include "common/pki/fetch_io.h"

#define JOBS_MAX   8192			// waiting; one more is refused
#define ROUNDS_MAX (2 * TRUST_MAX_PATH) // a CRL and an OCSP answer for each certificate

struct item {
	struct item *next;
	struct ike_auth_job *job;
};

struct fifo {
	struct item *first, **last;
};

// One fetch and the jobs that wait for it: the first asked, the others would ask the same.
struct wait {
	struct wait *next;
	struct auth_runner *r;
	struct ike_auth_job *asker;
	struct fifo others;
};

struct auth_runner {
	auth_done *done;
	void *arg;
	struct fetcher *fetcher;
	struct wait *waits;
	struct event *ready;
	struct jobs *jobs; // NULL: run in line
};

static void fifo_init(struct fifo *f)
{
	*f = (struct fifo){ NULL, &f->first };
}

static void fifo_put(struct fifo *f, struct ike_auth_job *job)
{
	struct item *i = malloc(sizeof(*i));

	BUG_ON(!i);
	*i = (struct item){ NULL, job };
	*f->last = i;
	f->last = &i->next;
}

static struct ike_auth_job *fifo_take(struct fifo *f)
{
	struct item *i = f->first;
	struct ike_auth_job *job;

	if (!i)
		return NULL;
	f->first = i->next;
	if (!f->first)
		f->last = &f->first;
	job = i->job;
	free(i);
	return job;
}

static void fifo_fini(struct fifo *f)
{
	struct ike_auth_job *job;

	while ((job = fifo_take(f)))
		ike_auth_job_free(job);
}

static void job_run(void *job)
{
	ike_auth_job_run(job);
}

static void job_drop(void *job)
{
	ike_auth_job_free(job);
}

// ---- what jobs want ----

static void ran(struct auth_runner *r, struct ike_auth_job *job);

static void run(struct auth_runner *r, struct ike_auth_job *job)
{
	if (!r->jobs) {
		ike_auth_job_run(job);
		ran(r, job);
	} else if (!jobs_put(r->jobs, job)) {
		job->reason = IKE_R_BUSY;
		r->done(r->arg, job);
	}
}

static void unlink_wait(struct wait *w)
{
	struct wait **at = &w->r->waits;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

static void on_fetched(void *arg, int status, struct bytes body)
{
	struct wait *w = arg;
	struct auth_runner *r = w->r;
	struct ike_auth_job *job = w->asker;
	enum cert_reason why = trust_answer(job->need_of, time(NULL), job->need, body);

	if (why == CERT_R_OK)
		log_info(IKE, NULL, "fetched url=%s octets=%zu", job->need->url, body.len);
	else
		log_warn(IKE, NULL, "fetched url=%s status=%d octets=%zu: %s", job->need->url,
			 status, body.len, cert_reason_name(why));
	unlink_wait(w);
	do {
		run(r, job);
	} while ((job = fifo_take(&w->others)));
	free(w);
}

// A CRL serves everybody; an OCSP answer only who asked.
static struct wait *same_fetch(struct auth_runner *r, const struct ike_auth_job *job)
{
	for (struct wait *w = r->waits; w; w = w->next) {
		const struct trust_need *a = w->asker->need, *b = job->need;

		if (a->method == TRUST_CRL && b->method == TRUST_CRL &&
		    w->asker->need_of == job->need_of && strcmp(a->url, b->url) == 0)
			return w;
	}
	return NULL;
}

static bool fetch(struct auth_runner *r, struct ike_auth_job *job)
{
	const struct fetch_ask ask = { .url = job->need->url,
				       .post = BYTES(job->need->body, job->need->body_len),
				       .type = "application/ocsp-request" };
	struct wait *w = same_fetch(r, job);

	if (w) {
		fifo_put(&w->others, job);
		return true;
	}
	w = malloc(sizeof(*w));
	if (!w)
		return false;
	*w = (struct wait){ .next = r->waits, .r = r, .asker = job };
	fifo_init(&w->others);
	if (fetch_start(r->fetcher, &ask, on_fetched, w)) {
		free(w);
		return false;
	}
	r->waits = w;
	return true;
}

static void ran(struct auth_runner *r, struct ike_auth_job *job)
{
	if (job->need && job->rounds < ROUNDS_MAX && fetch(r, job))
		return;
	r->done(r->arg, job);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct auth_runner *r = arg;
	struct ike_auth_job *job;

	(void)fd;
	(void)what;
	while ((job = jobs_take(r->jobs)))
		ran(r, job);
}

// ---- life ----

static int start(struct auth_runner *r, struct event_base *base, unsigned n_threads)
{
	int err = jobs_new(n_threads, JOBS_MAX, job_run, job_drop, &r->jobs);

	if (err)
		return err;
	r->ready = event_new(base, jobs_fd(r->jobs), EV_READ | EV_PERSIST, on_ready, r);
	return r->ready && event_add(r->ready, NULL) == 0 ? 0 : -ENOMEM;
}

int auth_runner_new(struct event_base *base, unsigned n_threads, auth_done *done, void *arg,
		    struct auth_runner **out)
{
	struct auth_runner *r = calloc(1, sizeof(*r));
	int err;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->done = done;
	r->arg = arg;
	err = fetcher_new(base, &r->fetcher);
	if (!err && n_threads > 0)
		err = start(r, base, n_threads);
	if (err) {
		auth_runner_free(r);
		return err;
	}
	*out = r;
	return 0;
}

void auth_runner_free(struct auth_runner *r)
{
	struct wait *w;

	if (!r)
		return;
	if (r->ready)
		event_free(r->ready);
	jobs_free(r->jobs);
	fetcher_free(r->fetcher);
	while ((w = r->waits)) {
		r->waits = w->next;
		ike_auth_job_free(w->asker);
		fifo_fini(&w->others);
		free(w);
	}
	free(r);
}

void auth_runner_put(struct auth_runner *r, struct ike_auth_job *job)
{
	run(r, job);
}
