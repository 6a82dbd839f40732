#include "event/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "util/bytes.h"

#define CATCH_UP_MAX 64

static void stop_ready(void *ctx, uint32_t events)
{
	struct event_loop *loop = ctx;
	eventfd_t count;

	(void)events;
	/* It has woken the loop; `stopped` says what for, and keeps saying it. */
	eventfd_read(loop->stop_source.fd, &count);
}

int event_loop_init(struct event_loop *loop)
{
	int err;

	*loop = (struct event_loop){
		.epoll_fd = -1, .stop_source = {.fd = -1, .ready = stop_ready, .ctx = loop}};
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop->stop_source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->stop_source.fd < 0) {
		err = -errno;
		goto fail;
	}
	err = event_loop_set(loop, &loop->stop_source, EPOLLIN);
	if (err)
		goto fail;
	return 0;
fail:
	event_loop_fini(loop);
	return err;
}

void event_loop_fini(struct event_loop *loop)
{
	if (!loop->stop_source.ready)
		return; /* zeroed, or undone before */
	if (loop->stop_source.fd >= 0)
		close(loop->stop_source.fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	*loop = (struct event_loop){0};
}

int event_loop_set(struct event_loop *loop, struct event_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (!events) {
		/* A source that waits for nothing would still be told of EPOLLHUP, again and again. */
		event_loop_remove(loop, source);
		return 0;
	}
	if (source->added && source->events == events)
		return 0;
	if (epoll_ctl(loop->epoll_fd, source->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, source->fd, &event))
		return -errno;
	source->added = true;
	source->events = events;
	return 0;
}

void event_loop_remove(struct event_loop *loop, struct event_source *source)
{
	if (source->added)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->added = false;
}

/* One at a time: a handler may remove any source, and none is then served stale. How many, or -errno. */
static int serve_one(struct event_loop *loop, int timeout_ms)
{
	struct epoll_event event;
	int count = epoll_wait(loop->epoll_fd, &event, 1, timeout_ms);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	if (count == 1) {
		struct event_source *source = event.data.ptr;

		source->ready(source->ctx, event.events);
	}
	return count;
}

int event_loop_run(struct event_loop *loop)
{
	int err = 0;

	while (err >= 0 && !atomic_load(&loop->stopped))
		err = serve_one(loop, loop->busy && loop->busy(loop->busy_ctx) ? 0 : -1);
	return MIN(err, 0);
}

void event_loop_catch_up(struct event_loop *loop)
{
	unsigned i;

	/* Sources take turns, and some are always ready: so many that each gets one. */
	for (i = 0; i < CATCH_UP_MAX && serve_one(loop, 0) > 0; i++)
		;
}

void event_loop_stop(struct event_loop *loop)
{
	atomic_store(&loop->stopped, true);
	eventfd_write(loop->stop_source.fd, 1);
}

void event_loop_restart(struct event_loop *loop)
{
	eventfd_t count;

	/* It fails only when nobody stopped the loop. */
	eventfd_read(loop->stop_source.fd, &count);
	atomic_store(&loop->stopped, false);
}

static void timer_ready(void *ctx, uint32_t events)
{
	struct event_timer *timer = ctx;
	uint64_t count;

	(void)events;
	if (read(timer->source.fd, &count, sizeof(count)) == sizeof(count))
		timer->expired(timer->ctx);
}

int event_timer_init(
	struct event_timer *timer, struct event_loop *loop, void (*expired)(void *ctx), void *ctx)
{
	int err;

	*timer = (struct event_timer){.loop = loop, .expired = expired, .ctx = ctx};
	timer->source = (struct event_source){.ready = timer_ready, .ctx = timer};
	timer->source.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer->source.fd < 0) {
		err = -errno;
		*timer = (struct event_timer){0};
		return err;
	}
	err = event_loop_set(loop, &timer->source, EPOLLIN);
	if (err)
		event_timer_fini(timer);
	return err;
}

void event_timer_fini(struct event_timer *timer)
{
	if (!timer->loop)
		return;
	event_loop_remove(timer->loop, &timer->source);
	close(timer->source.fd);
	*timer = (struct event_timer){0};
}

void event_timer_arm(struct event_timer *timer, uint64_t ns)
{
	struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)},
	};

	timerfd_settime(timer->source.fd, 0, &when, NULL);
}
