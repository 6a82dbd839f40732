#include "backend/console.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/bytes.h"

#define ESCAPE 0x01 /* Ctrl-A */

static void wake(struct console *console);

/* Descriptors */

/*
 * O_NONBLOCK belongs to the open file, which other processes share: a terminal's shell, the far end of a
 * pipeline. So pipes and character devices are opened anew through /proc, and sockets read with
 * MSG_DONTWAIT. Without /proc the caller's own descriptor has to do; it is then used only when it is ready.
 */
static int console_fd_open(struct console_fd *fd, int from, int flags)
{
	struct stat st;
	char path[32];

	if (fstat(from, &st))
		return -errno;
	fd->source.fd = from;
	fd->socket = S_ISSOCK(st.st_mode);
	fd->pollable = !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
	fd->blocking = fd->pollable && !fd->socket;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		int twin;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", from);
		twin = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (twin >= 0) {
			fd->source.fd = twin;
			fd->owned = true;
			fd->blocking = false;
		}
	} else if (fd->socket) {
		/* One socket may serve both ways, but epoll takes a descriptor only once. */
		int twin = fcntl(from, F_DUPFD_CLOEXEC, 0);

		if (twin >= 0) {
			fd->source.fd = twin;
			fd->owned = true;
		}
	}
	return 0;
}

static void console_fd_close(struct console_fd *fd)
{
	if (fd->owned)
		close(fd->source.fd);
	*fd = (struct console_fd){.source.fd = -1};
}

/* A descriptor that would block is only touched when it is ready. */
static bool not_ready(const struct console_fd *fd, short events)
{
	struct pollfd poll_fd = {.fd = fd->source.fd, .events = events};

	if (!fd->blocking || poll(&poll_fd, 1, 0) > 0)
		return false;
	errno = EAGAIN;
	return true;
}

static ssize_t console_fd_read(const struct console_fd *fd, void *to, size_t len)
{
	if (not_ready(fd, POLLIN))
		return -1;
	if (fd->socket)
		return recv(fd->source.fd, to, len, MSG_DONTWAIT);
	return read(fd->source.fd, to, len);
}

static ssize_t console_fd_write(const struct console_fd *fd, const void *from, size_t len)
{
	if (not_ready(fd, POLLOUT))
		return -1;
	if (fd->socket)
		return send(fd->source.fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* A blocking pipe that polls writable takes PIPE_BUF bytes without blocking. */
	return write(fd->source.fd, from, fd->blocking ? MIN(len, (size_t)PIPE_BUF) : len);
}

/* Waits for the descriptor on the loop; where that is not possible, tries again at once. */
static void console_fd_wait(struct console *console, struct console_fd *fd, uint32_t events)
{
	if (fd->pollable && event_loop_set(console->config.loop, &fd->source, events) == -EPERM)
		fd->pollable = false;
	if (!fd->pollable && events)
		wake(console);
}

/* Output */

/* Any thread. */
static void wake(struct console *console)
{
	eventfd_write(console->wake.fd, 1);
}

static void keep_tail(struct console *console, const uint8_t *bytes, size_t len)
{
	struct ring *tail = &console->tail_ring;

	if (len > tail->size) {
		bytes += len - tail->size;
		len = tail->size;
	}
	if (len > ring_room(tail))
		ring_drop(tail, len - ring_room(tail));
	ring_put(tail, bytes, len);
}

/* The chip's thread, with the chip's lock held. */
static size_t sink_write(void *ctx, const uint8_t *bytes, size_t len)
{
	struct console *console = ctx;
	size_t taken = len;
	bool first = false;

	pthread_mutex_lock(&console->lock);
	if (console->config.out_fd >= 0) {
		first = !ring_used(&console->out_ring);
		taken = ring_put(&console->out_ring, bytes, len);
		console->out_refused = taken < len;
	}
	keep_tail(console, bytes, taken);
	console->bytes_out += taken;
	pthread_mutex_unlock(&console->lock);
	if (first)
		wake(console);
	return taken;
}

static void sink_want_input(void *ctx)
{
	struct console *console = ctx;

	pthread_mutex_lock(&console->lock);
	console->in_wanted = true;
	pthread_mutex_unlock(&console->lock);
	wake(console);
}

/*
 * Writes what out_fd takes: 0 when the ring is empty, -EAGAIN when the reader is slow, or the error that ends
 * all writing.
 */
static int write_out(struct console *console)
{
	for (;;) {
		const uint8_t *bytes;
		size_t len;
		ssize_t count;

		pthread_mutex_lock(&console->lock);
		bytes = ring_peek(&console->out_ring, &len);
		pthread_mutex_unlock(&console->lock);
		if (!len)
			return 0;
		/* Outside the lock: the run stays where it is, since only this thread drops bytes. */
		count = console_fd_write(&console->out, bytes, len);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		pthread_mutex_lock(&console->lock);
		ring_drop(&console->out_ring, (size_t)count);
		pthread_mutex_unlock(&console->lock);
	}
}

static void flush(struct console *console)
{
	bool refused;
	int err;

	if (console->config.out_fd < 0)
		return;
	err = console->out_broken ? 0 : write_out(console);
	if (err && err != -EAGAIN) {
		console->out_broken = true;
		console->config.failed(console->config.ctx, err);
	}
	console_fd_wait(console, &console->out, err == -EAGAIN ? EPOLLOUT : 0);
	pthread_mutex_lock(&console->lock);
	if (console->out_broken)
		ring_drop(&console->out_ring, ring_used(&console->out_ring));
	refused = console->out_refused && ring_room(&console->out_ring);
	if (refused)
		console->out_refused = false;
	pthread_mutex_unlock(&console->lock);
	if (refused)
		console->source.drained(console->source.ctx);
}

static void out_ready(void *ctx, uint32_t events)
{
	(void)events;
	flush(ctx);
}

/* Input */

/* Takes the escapes out of freshly read bytes; returns how many are left. */
static size_t filter_escapes(struct console *console, uint8_t *bytes, size_t len)
{
	size_t kept = 0, i;

	if (!console->config.escape)
		return len;
	for (i = 0; i < len; i++) {
		if (!console->in_escape) {
			console->in_escape = bytes[i] == ESCAPE;
			if (!console->in_escape)
				bytes[kept++] = bytes[i];
			continue;
		}
		console->in_escape = false;
		if (bytes[i] == 'x')
			console->config.stop(console->config.ctx);
		else if (bytes[i] == 'a' || bytes[i] == ESCAPE)
			bytes[kept++] = ESCAPE;
	}
	return kept;
}

/* Hands on what was read: true when the chip took it all. */
static bool feed(struct console *console)
{
	while (console->in_start < console->in_end) {
		size_t taken;

		pthread_mutex_lock(&console->lock);
		console->in_wanted = false;
		pthread_mutex_unlock(&console->lock);
		taken = console->source.input(console->source.ctx, console->in_bytes + console->in_start,
			console->in_end - console->in_start);
		console->in_start += taken;
		console->bytes_in += taken;
		if (!taken)
			return false;
	}
	console->in_start = console->in_end = 0;
	return true;
}

static void receive(struct console *console)
{
	ssize_t count;

	if (console->in.source.fd < 0)
		return;
	if (!feed(console)) {
		/* want_input wakes us when the chip has room; until then the bytes wait in the pipe. */
		console_fd_wait(console, &console->in, 0);
		return;
	}
	count = console_fd_read(&console->in, console->in_bytes, sizeof(console->in_bytes));
	if (count > 0) {
		console->in_end = filter_escapes(console, console->in_bytes, (size_t)count);
		if (feed(console))
			console_fd_wait(console, &console->in, EPOLLIN);
		else
			console_fd_wait(console, &console->in, 0);
	} else if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
		console_fd_wait(console, &console->in, EPOLLIN);
	} else {
		/* The end of the input is not the end of the guest. */
		event_loop_remove(console->config.loop, &console->in.source);
		console_fd_close(&console->in);
	}
}

static void in_ready(void *ctx, uint32_t events)
{
	(void)events;
	receive(ctx);
}

static void wake_ready(void *ctx, uint32_t events)
{
	struct console *console = ctx;
	eventfd_t count;
	bool wanted;

	(void)events;
	eventfd_read(console->wake.fd, &count);
	flush(console);
	pthread_mutex_lock(&console->lock);
	wanted = console->in_wanted;
	pthread_mutex_unlock(&console->lock);
	if (wanted || !console->in.pollable)
		receive(console);
}

/* Life */

int console_init(struct console *console, const struct console_config *config)
{
	int err;

	*console = (struct console){.config = *config, .wake = {.ready = wake_ready, .ctx = console}};
	pthread_mutex_init(&console->lock, NULL);
	ring_init(&console->out_ring, console->out_bytes, CONSOLE_OUT_SIZE);
	ring_init(&console->tail_ring, console->tail_bytes, CONSOLE_TAIL_SIZE);
	console->in.source = (struct event_source){.fd = -1, .ready = in_ready, .ctx = console};
	console->out.source = (struct event_source){.fd = -1, .ready = out_ready, .ctx = console};
	console->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (console->wake.fd < 0)
		return -errno;
	err = event_loop_set(config->loop, &console->wake, EPOLLIN);
	if (!err && config->in_fd >= 0)
		err = console_fd_open(&console->in, config->in_fd, O_RDONLY);
	if (!err && config->out_fd >= 0)
		err = console_fd_open(&console->out, config->out_fd, O_WRONLY);
	if (err)
		console_fini(console);
	return err;
}

void console_fini(struct console *console)
{
	if (!console->config.loop)
		return;
	event_loop_remove(console->config.loop, &console->in.source);
	event_loop_remove(console->config.loop, &console->out.source);
	event_loop_remove(console->config.loop, &console->wake);
	console_fd_close(&console->in);
	console_fd_close(&console->out);
	if (console->wake.fd >= 0)
		close(console->wake.fd);
	pthread_mutex_destroy(&console->lock);
	console->config.loop = NULL;
}

struct character_sink console_sink(struct console *console)
{
	return (struct character_sink){.write = sink_write, .want_input = sink_want_input, .ctx = console};
}

void console_connect(struct console *console, const struct character_source *source)
{
	console->source = *source;
	if (console->in.source.fd >= 0)
		console_fd_wait(console, &console->in, EPOLLIN);
}

int console_drain(struct console *console, const int stop_fds[2], int timeout_ms)
{
	int err;

	if (console->config.out_fd < 0 || console->out_broken)
		return 0;
	while ((err = write_out(console)) == -EAGAIN) {
		struct pollfd fds[] = {
			{.fd = console->out.source.fd, .events = POLLOUT},
			{.fd = stop_fds[0], .events = POLLIN},
			{.fd = stop_fds[1], .events = POLLIN},
		};
		int count = poll(fds, ARRAY_SIZE(fds), timeout_ms);

		if (!count)
			return -ETIMEDOUT;
		if (count > 0 && (fds[1].revents || fds[2].revents))
			return -ECANCELED;
	}
	return err;
}

void console_tail(struct console *console, char *text, size_t size)
{
	struct ring tail;
	size_t used = 0;

	pthread_mutex_lock(&console->lock);
	tail = console->tail_ring;
	if (ring_used(&tail) > size - 1)
		ring_drop(&tail, ring_used(&tail) - (size - 1));
	while (ring_used(&tail)) {
		size_t len;
		const uint8_t *bytes = ring_peek(&tail, &len);

		memcpy(text + used, bytes, len);
		used += len;
		ring_drop(&tail, len);
	}
	pthread_mutex_unlock(&console->lock);
	text[used] = '\0';
}
