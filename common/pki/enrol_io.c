#include "common/pki/enrol_io.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/base/log.h"
#include "common/base/events.h"
#include "common/pki/enrol_work.h"
#include "common/pki/fetch_io.h"
#include "common/pki/files.h"

#define HTTP_TIMEOUT_S 10
#define LOOK_S	       60 // the wall clock is looked at this often, or when something is due
#define MAX_SLOTS      (2 * IKE_MAX_TRUSTPOINTS) // those of a former configuration end first

// An enrolment under way. What both threads touch is behind the enroller's lock.
struct job {
	struct enroller *e;
	pthread_t thread;
	struct enrol_work *work;
	struct bytes ask; // a message that waits to be sent
	bool asking, answered, waiting, over;
	bool give_up; // it waits for the CA no more
	int status;   // of HTTP
	uint8_t *answer;
	size_t answer_len;
};

struct slot { // of one trustpoint
	char name[64];
	struct job *job;
	enrol_told *told;
	void *told_arg;
	unsigned failures;
	int64_t renew, retry;
	enum renew_stage stage;
	char last[CMP_WHY_LEN];
	int64_t last_at;
};

struct enroller {
	struct enrol_hooks h;
	struct rng *rng;
	struct fetcher *fetcher;
	struct event *ready, *timer;
	int efd;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	size_t n;
	struct slot slot[MAX_SLOTS];
};

struct ike_pki *enroller_pki(const struct enroller *e)
{
	return e->h.now(e->h.arg);
}

static struct slot *slot_of(struct enroller *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->slot[i].name, name) == 0)
			return &e->slot[i];
	}
	return NULL;
}

static struct ike_trustpoint *trustpoint_of(const struct enroller *e, const char *name, size_t *at)
{
	struct ike_pki *p = enroller_pki(e);

	for (size_t i = 0; p && i < p->n; i++) {
		if (strcmp(p->tp[i].name, name) == 0) {
			*at = i;
			return &p->tp[i];
		}
	}
	return NULL;
}

static void tell(struct slot *s, bool ok, const char *text)
{
	enrol_told *told = s->told;

	s->told = NULL;
	if (told)
		told(s->told_arg, ok, text);
}

// ---- on the thread ----

static bool job_sleep(void *arg, int seconds)
{
	struct job *j = arg;
	struct timespec until;
	bool go_on;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&j->e->lock);
	j->waiting = true;
	eventfd_write(j->e->efd, 1);
	while (!j->e->stop && !j->give_up && !err)
		err = pthread_cond_timedwait(&j->e->wake, &j->e->lock, &until);
	go_on = !j->e->stop && !j->give_up;
	pthread_mutex_unlock(&j->e->lock);
	return go_on;
}

// An exchange under way comes to its end, which is near.
static void job_give_up(struct job *j)
{
	pthread_mutex_lock(&j->e->lock);
	j->give_up = true;
	pthread_cond_broadcast(&j->e->wake);
	pthread_mutex_unlock(&j->e->lock);
}

static int job_exchange(void *arg, struct bytes message, uint8_t **answer, size_t *len, char *why,
			size_t why_size)
{
	struct job *j = arg;
	int err = 0;

	pthread_mutex_lock(&j->e->lock);
	j->ask = message;
	j->asking = true;
	j->answered = false;
	eventfd_write(j->e->efd, 1);
	while (!j->answered && !j->e->stop)
		pthread_cond_wait(&j->e->wake, &j->e->lock);
	*answer = j->answer;
	*len = j->answer_len;
	j->answer = NULL;
	if (j->e->stop || j->give_up || !*answer)
		err = -EIO;
	if (j->e->stop || j->give_up)
		snprintf(why, why_size, "interrupted");
	else if (err && j->status)
		snprintf(why, why_size, "%s answered with HTTP status %d", j->work->conf.url,
			 j->status);
	else if (err)
		snprintf(why, why_size, "no answer from %s: is the address right, the server up?",
			 j->work->conf.url);
	pthread_mutex_unlock(&j->e->lock);
	return err;
}

static void *job_run(void *arg)
{
	struct job *j = arg;

	enrol_work_run(j->work);
	pthread_mutex_lock(&j->e->lock);
	j->over = true;
	eventfd_write(j->e->efd, 1);
	pthread_mutex_unlock(&j->e->lock);
	return NULL;
}

static int job_start(struct job *j)
{
	sigset_t all, before;
	int err;

	sigfillset(&all); // signals belong to the event loop
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&j->thread, NULL, job_run, j);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void job_free(struct job *j)
{
	enrol_work_free(j->work);
	free(j->answer);
	free(j);
}

// ---- messages ----

static void on_answer(void *arg, int status, struct bytes body)
{
	struct job *j = arg;

	pthread_mutex_lock(&j->e->lock);
	j->answer = body.len > 0 ? malloc(body.len) : NULL;
	if (j->answer)
		memcpy(j->answer, body.p, body.len);
	j->answer_len = j->answer ? body.len : 0;
	j->status = status;
	j->answered = true;
	pthread_cond_broadcast(&j->e->wake);
	pthread_mutex_unlock(&j->e->lock);
}

static void job_send(struct job *j)
{
	const struct fetch_ask ask = { .url = j->work->conf.url,
				       .post = j->ask,
				       .type = "application/pkixcmp",
				       .timeout_s = HTTP_TIMEOUT_S,
				       .max = CMP_ANSWER_MAX };

	if (fetch_start(j->e->fetcher, &ask, on_answer, j))
		on_answer(j, 0, BYTES(NULL, 0));
}

// ---- what came ----

static void plan(struct enroller *e, struct slot *s, const struct ike_trustpoint *tp)
{
	const struct cert *own = tp->n_own > 0 ? tp->own[0] : NULL;

	s->retry = 0;
	s->renew = 0;
	if (own && tp->enrol.renew_percent)
		s->renew = renew_at(cert_not_before(own), cert_not_after(own),
				    tp->enrol.renew_percent, e->rng);
	else if (tp->enrol.renew_percent && trust_n_ca(tp->trust) > 0)
		s->retry = time(NULL);
	s->stage = RENEW_FINE;
}

// A pki with the trustpoint's new certificate; -errno when it does not fit after all.
static int put_to_use(struct enroller *e, const char *name, struct pki_bundle *b)
{
	struct ike_pki *next;
	size_t at = 0;
	int err = trustpoint_of(e, name, &at) ? ike_pki_copy(enroller_pki(e), at, &next) : -ENOENT;

	if (err)
		return err;
	err = ike_trustpoint_own(next, &next->tp[at], b);
	if (err) {
		ike_pki_put(next);
		return err;
	}
	e->h.take(e->h.arg, next);
	plan(e, slot_of(e, name), trustpoint_of(e, name, &at));
	return 0;
}

static void note(struct slot *s, const char *fmt, ...) PRINTF(2, 3);

static void note(struct slot *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->last, sizeof(s->last), fmt, ap);
	va_end(ap);
	s->last_at = time(NULL);
}

static bool received(struct enroller *e, struct slot *s, struct enrol_work *w)
{
	struct pki_bundle b;
	char serial[64];
	int err = pki_from_pem(BYTES(w->pem, w->pem_len), NULL, BYTES(w->pem, w->pem_len), &b);

	if (!err) {
		cert_serial(b.own, serial, sizeof(serial));
		err = put_to_use(e, s->name, &b);
		pki_bundle_fini(&b);
	}
	if (err) {
		note(s, "the certificate came but cannot be used: %s",
		     err == -ENOENT ? "a reload took its trustpoint away" : strerror(-err));
		event_log(EV_PKI_FAILED, NULL, "trustpoint=%s %s", s->name, s->last);
		return false;
	}
	note(s, "certificate %s received", serial);
	if (s->renew > 0 && s->renew <= time(NULL)) // or a CA could keep us asking
		s->renew = time(NULL) + renew_retry_s(++s->failures, e->rng);
	else
		s->failures = 0;
	event_log(EV_PKI_RECEIVED, NULL, "trustpoint=%s request=%s serial=%s", s->name,
		  cmp_kind_name(w->kind), serial);
	return true;
}

static void failed(struct enroller *e, struct slot *s, const struct enrol_work *w)
{
	size_t at;
	const struct ike_trustpoint *tp = trustpoint_of(e, s->name, &at); // as it is by now
	bool again = tp && tp->enrol.renew_percent > 0;
	int64_t wait = renew_retry_s(++s->failures, e->rng);

	note(s, "%s", w->why);
	s->retry = again ? time(NULL) + wait : 0;
	event_log(EV_PKI_FAILED, NULL, "trustpoint=%s request=%s url=%s: %s%s%lld%s", s->name,
		  cmp_kind_name(w->kind), w->conf.url, s->last,
		  again ? "; again in " : "; attempt ",
		  again ? (long long)wait : (long long)s->failures, again ? " s" : "");
}

static void job_over(struct enroller *e, struct slot *s)
{
	struct job *j = s->job;
	struct enrol_work *w = j->work;
	bool ok = false;

	pthread_join(j->thread, NULL);
	s->job = NULL;
	if (w->done)
		ok = received(e, s, w);
	else
		failed(e, s, w);
	tell(s, ok, s->last);
	job_free(j);
}

static void look_at(struct enroller *e, struct slot *s)
{
	struct job *j = s->job;
	bool send, over, waiting;

	pthread_mutex_lock(&e->lock);
	send = j->asking;
	waiting = j->waiting;
	over = j->over;
	j->asking = j->waiting = false;
	pthread_mutex_unlock(&e->lock);
	if (waiting)
		tell(s, true, "the CA has not decided yet; it is asked again by itself");
	if (send)
		job_send(j);
	if (over)
		job_over(e, s);
}

static void arm(struct enroller *e);

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct enroller *e = arg;
	eventfd_t n;

	(void)what;
	(void)eventfd_read(fd, &n);
	for (size_t i = 0; i < e->n; i++) {
		if (e->slot[i].job)
			look_at(e, &e->slot[i]);
	}
	arm(e);
}

// ---- beginning ----

// What proves us, by what there is. NULL, or why not, with what to do next.
static const char *choose(const struct ike_trustpoint *tp, bool other_key, enum cmp_kind *kind)
{
	const struct ike_enrol *c = &tp->enrol;
	bool own = tp->n_own > 0 && cert_not_after(tp->own[0]) > time(NULL);

	if (!c->set || c->url[0] == '\0')
		return "the trustpoint has no enrollment.url in the configuration";
	if (c->subject[0] == '\0')
		return "the trustpoint has no enrollment.subject in the configuration";
	if (trust_n_ca(tp->trust) == 0)
		return "the trustpoint has no CA yet: crypto pki authenticate first";
	*kind = !own ? CMP_IR : other_key ? CMP_CR : CMP_KUR;
	if (!own && c->secret.len == 0)
		return tp->n_own > 0
			       ? "the certificate has expired: enrollment.reference and secret "
				 "of the CA are wanted for a new one"
			       : "enrollment.reference and secret of the CA are wanted for "
				 "the first certificate";
	return NULL;
}

static const char *begin(struct enroller *e, struct slot *s, const struct ike_trustpoint *tp,
			 bool other_key)
{
	struct job *j;
	enum cmp_kind kind;
	const char *why = s->job ? "an enrolment is under way" : choose(tp, other_key, &kind);

	if (why)
		return why;
	j = calloc(1, sizeof(*j));
	BUG_ON(!j);
	j->e = e;
	j->work = enrol_work_new(tp);
	j->work->kind = kind;
	j->work->exchange = job_exchange;
	j->work->sleep = job_sleep;
	j->work->arg = j;
	j->work->conf.new_key |= other_key;
	if (job_start(j)) {
		job_free(j);
		return "no thread can be started";
	}
	s->retry = s->renew = 0;
	s->job = j;
	return NULL;
}

void enroller_enroll(struct enroller *e, const char *name, bool other_key, enrol_told *told,
		     void *arg)
{
	struct slot *s = slot_of(e, name);
	size_t at;
	const struct ike_trustpoint *tp = trustpoint_of(e, name, &at);
	const char *why = s && tp ? begin(e, s, tp, other_key) : "no such trustpoint";

	if (why) {
		told(arg, false, why);
		return;
	}
	s->told = told;
	s->told_arg = arg;
}

bool enroller_cancel(struct enroller *e, const char *name)
{
	struct slot *s = slot_of(e, name);

	if (s && s->job)
		job_give_up(s->job);
	return s && s->job;
}

static void begin_by_itself(struct enroller *e, struct slot *s, const struct ike_trustpoint *tp)
{
	const char *why = begin(e, s, tp, false);

	if (!why) {
		event_log(EV_PKI_RENEW, NULL, "trustpoint=%s %s", s->name,
			  tp->n_own > 0 ? "renewing the certificate" : "first certificate");
		return;
	}
	note(s, "%s", why);
	s->renew = 0;
	s->retry = time(NULL) + renew_retry_s(++s->failures, e->rng);
	event_log(EV_PKI_FAILED, NULL, "trustpoint=%s: %s", s->name, why);
}

static void warn_of_end(struct slot *s, const struct ike_trustpoint *tp, int64_t now)
{
	int64_t until = cert_not_after(tp->own[0]);
	enum renew_stage stage = renew_stage(cert_not_before(tp->own[0]), until, now);
	char serial[64];

	if (stage <= s->stage)
		return;
	s->stage = stage;
	cert_serial(tp->own[0], serial, sizeof(serial));
	if (stage == RENEW_EXPIRED)
		event_log(EV_PKI_EXPIRES, NULL,
			  "trustpoint=%s serial=%s has expired: peers refuse it", s->name, serial);
	else
		event_log(EV_PKI_EXPIRES, NULL, "trustpoint=%s serial=%s ends in %lld hours%s",
			  s->name, serial, (long long)((until - now) / 3600),
			  tp->enrol.renew_percent ? "" : " and nothing renews it");
}

static bool is_due(int64_t at, int64_t now)
{
	return at > 0 && at <= now;
}

static int64_t earliest(int64_t a, int64_t b)
{
	return b > 0 && b < a ? b : a;
}

static void arm(struct enroller *e)
{
	int64_t now = time(NULL), at = now + LOOK_S;
	struct timeval tv = { 0 };

	for (size_t i = 0; i < e->n; i++) {
		const struct slot *s = &e->slot[i];

		if (!s->job) // else its end arms anew
			at = earliest(earliest(at, s->renew), s->retry);
	}
	tv.tv_sec = at > now ? at - now : 0;
	tv.tv_usec = at > now ? 0 : 1000;
	evtimer_add(e->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct enroller *e = arg;
	int64_t now = time(NULL);

	(void)fd, (void)what;
	for (size_t i = 0; i < e->n; i++) {
		struct slot *s = &e->slot[i];
		size_t at;
		const struct ike_trustpoint *tp = trustpoint_of(e, s->name, &at);

		if (!tp) {
			s->renew = s->retry = 0;
			continue;
		}
		if (tp->n_own > 0)
			warn_of_end(s, tp, now);
		if (!s->job && (is_due(s->renew, now) || is_due(s->retry, now)))
			begin_by_itself(e, s, tp);
	}
	arm(e);
}

// ---- the operator brings something ----

// What a renewal would have been refused for.
static enum cert_reason judge(const struct ike_trustpoint *tp, struct pki_bundle *b)
{
	struct cert *all[PKI_CHAIN_MAX + 1] = { b->own };
	struct trust_path *path;
	enum cert_reason why;

	for (size_t i = 0; i < b->n_chain; i++)
		all[i + 1] = b->chain[i];
	why = trust_path(tp->trust, time(NULL), all, b->n_chain + 1, 0, &path, NULL);
	trust_path_free(path);
	return why;
}

static int store(const struct ike_trustpoint *tp, const struct pki_bundle *b)
{
	const struct cert *all[PKI_CHAIN_MAX + 1] = { b->own };
	size_t len;
	char *pem;
	int err;

	for (size_t i = 0; i < b->n_chain; i++)
		all[i + 1] = b->chain[i];
	pem = pki_join(BYTES(b->key_pem, b->key_len), all, b->n_chain + 1, &len);
	err = pem ? pki_file_write(tp->enrol.file, BYTES(pem, len), PKI_MODE_KEY) : -ENOMEM;
	file_free(pem, len);
	return err;
}

static int refuse(char why[CMP_WHY_LEN], const char *text)
{
	snprintf(why, CMP_WHY_LEN, "%s", text);
	return -EINVAL;
}

int enroller_import(struct enroller *e, const char *name, struct pki_bundle *b,
		    char why[CMP_WHY_LEN])
{
	size_t at;
	const struct ike_trustpoint *tp = trustpoint_of(e, name, &at);
	const struct slot *s = slot_of(e, name);
	const char *flaw = enrol_flaw(b->own, tp ? tp->id_want : 0);
	enum cert_reason bad;
	int err;

	if (!tp || !s)
		return refuse(why, "no such trustpoint");
	if (s->job) { // it would put its own in the place of this one
		job_give_up(s->job);
		return refuse(why, "an enrolment is under way; it is given up: again in a moment");
	}
	if (!tp->enrol.set)
		return refuse(why, "the trustpoint has no enrollment.file to keep it in");
	if (pubkey_alg(cert_key(b->own)) != tp->enrol.key_alg &&
	    pubkey_alg(cert_key(b->own)) != tp->alg)
		return refuse(why, "enrollment.key says another kind of key");
	bad = judge(tp, b);
	if (bad != CERT_R_OK)
		return refuse(why, cert_reason_name(bad));
	if (flaw) // before it is on disk, or the next start would stumble over it
		return refuse(why, flaw);
	err = store(tp, b);
	if (err) {
		snprintf(why, CMP_WHY_LEN, "cannot write %s: %s", tp->enrol.file, strerror(-err));
		return err;
	}
	err = put_to_use(e, name, b);
	arm(e);
	return err ? refuse(why, strerror(-err)) : 0;
}

// ---- life ----

bool enroller_status(const struct enroller *e, const char *name, struct enrol_status *out)
{
	for (size_t i = 0; i < e->n; i++) {
		const struct slot *s = &e->slot[i];

		if (strcmp(s->name, name) != 0)
			continue;
		*out = (struct enrol_status){ .running = s->job != NULL,
					      .failures = s->failures,
					      .renew = s->renew,
					      .retry = s->retry,
					      .last_at = s->last_at };
		memcpy(out->last, s->last, sizeof(out->last));
		return true;
	}
	return false;
}

static void drop_gone(struct enroller *e)
{
	size_t n = 0, at;

	for (size_t i = 0; i < e->n; i++) {
		if (e->slot[i].job || trustpoint_of(e, e->slot[i].name, &at))
			e->slot[n++] = e->slot[i];
	}
	e->n = n;
}

void enroller_config(struct enroller *e)
{
	const struct ike_pki *p = enroller_pki(e);

	drop_gone(e);
	for (size_t i = 0; p && i < p->n; i++) {
		struct slot *s = slot_of(e, p->tp[i].name);

		if (!s && e->n == MAX_SLOTS) {
			log_err(IKE, NULL, "trustpoint=%s: renewed after the next reload only",
				p->tp[i].name);
			continue;
		}
		if (!s) {
			s = &e->slot[e->n++];
			*s = (struct slot){ 0 };
			memcpy(s->name, p->tp[i].name, sizeof(s->name));
		}
		if (!s->job)
			plan(e, s, &p->tp[i]);
	}
	evtimer_add(e->timer, &(struct timeval){ .tv_usec = 1000 });
}

static int watch(struct enroller *e, struct event_base *base)
{
	e->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (e->efd < 0)
		return -errno;
	e->ready = event_new(base, e->efd, EV_READ | EV_PERSIST, on_ready, e);
	e->timer = evtimer_new(base, on_timer, e);
	return e->ready && e->timer && event_add(e->ready, NULL) == 0 ? 0 : -ENOMEM;
}

int enroller_new(struct event_base *base, struct rng *rng, const struct enrol_hooks *h,
		 struct enroller **out)
{
	struct enroller *e = calloc(1, sizeof(*e));
	pthread_condattr_t attr;
	int err;

	*out = NULL;
	if (!e)
		return -ENOMEM;
	e->h = *h;
	e->rng = rng;
	e->efd = -1;
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); // a stepped clock must not stop a job
	pthread_cond_init(&e->wake, &attr);
	pthread_condattr_destroy(&attr);
	err = fetcher_new(base, &e->fetcher);
	if (!err)
		err = watch(e, base);
	if (err)
		enroller_free(e);
	else
		*out = e;
	return err;
}

void enroller_free(struct enroller *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&e->lock);
	e->stop = true;
	pthread_cond_broadcast(&e->wake);
	pthread_mutex_unlock(&e->lock);
	for (size_t i = 0; i < e->n; i++) {
		if (e->slot[i].job) {
			pthread_join(e->slot[i].job->thread, NULL);
			tell(&e->slot[i], false, "the daemon stops");
			job_free(e->slot[i].job);
		}
	}
	fetcher_free(e->fetcher);
	if (e->ready)
		event_free(e->ready);
	if (e->timer)
		event_free(e->timer);
	if (e->efd >= 0)
		close(e->efd);
	pthread_cond_destroy(&e->wake);
	pthread_mutex_destroy(&e->lock);
	explicit_bzero(e, sizeof(*e));
	free(e);
}
