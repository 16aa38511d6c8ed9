// tests/unit/ctl_thread.h - a control socket of its own, served by a thread.
#pragma once
#include <event2/thread.h>
#include <pthread.h>
#include <unistd.h>

#include "common/ctl/ctl.h"
#include "tests/unit/unit.h"

struct ctl_thread {
	char dir[32], path[64];
	struct event_base *base;
	struct ctl_server *server;
	pthread_t thread;
};

static inline void *ctl_thread_serve(void *arg)
{
	event_base_loop(arg, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

static inline void ctl_thread_start(struct ctl_thread *t, const struct ctl_cmd *table, void *arg)
{
	evthread_use_pthreads();
	strcpy(t->dir, "/tmp/ctl_thread.XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->path, sizeof(t->path), "%s/s", t->dir);
	t->base = event_base_new();
	assert_int_equal(ctl_server_new(t->base, t->path, table, arg, &t->server), 0);
	assert_int_equal(pthread_create(&t->thread, NULL, ctl_thread_serve, t->base), 0);
}

static inline void ctl_thread_stop(struct ctl_thread *t)
{
	event_base_loopbreak(t->base);
	pthread_join(t->thread, NULL);
	ctl_server_free(t->server);
	event_base_free(t->base);
	libevent_global_shutdown();
	assert_int_equal(access(t->path, F_OK), -1);
	assert_int_equal(rmdir(t->dir), 0);
}
