/*
 * An epoll loop: file descriptors, timers, and a way for other threads to end it. One thread runs a loop; it
 * alone adds, changes and removes sources, before or while it runs.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Owned by the caller, who keeps it where it is while it is in the loop. */
struct event_source {
	int fd;
	void (*ready)(void *ctx, uint32_t events); /* events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
	void *ctx;
	uint32_t events; /* what is waited for now; the loop keeps it */
	bool added;
};

struct event_loop {
	int epoll_fd;
	struct event_source stop_source;
	atomic_bool stopped;
	/* Asked before each wait of a run; true: there is something else to do, and it shall not wait. NULL: there is nothing. */
	bool (*busy)(void *ctx);
	void *busy_ctx;
};

int event_loop_init(struct event_loop *loop);
void event_loop_fini(struct event_loop *loop); /* half-built and zeroed loops too */

/* Waits for events on source->fd; with events 0 the source sleeps. -EPERM: a file that cannot be polled. */
int event_loop_set(struct event_loop *loop, struct event_source *source, uint32_t events);
void event_loop_remove(struct event_loop *loop, struct event_source *source);

/* Serves the sources until event_loop_stop(), even one before the run. 0 or -errno. */
int event_loop_run(struct event_loop *loop);

/* Serves what is ready now, also of a loop that was stopped, and does not wait. */
void event_loop_catch_up(struct event_loop *loop);

/* Any thread, and signal handlers. */
void event_loop_stop(struct event_loop *loop);

/* Takes the stops back, so that the loop can run again. While none runs it and none stops it. */
void event_loop_restart(struct event_loop *loop);

/* A one-shot timer over a timerfd. */
struct event_timer {
	struct event_source source;
	struct event_loop *loop;
	void (*expired)(void *ctx);
	void *ctx;
};

int event_timer_init(
	struct event_timer *timer, struct event_loop *loop, void (*expired)(void *ctx), void *ctx);
void event_timer_fini(struct event_timer *timer); /* zeroed ones too */

/* Expires once, ns nanoseconds from now; 0 disarms. Any thread. */
void event_timer_arm(struct event_timer *timer, uint64_t ns);
