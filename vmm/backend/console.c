#include "backend/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/console_client.h"
#include "util/bytes.h"
#include "util/clock.h"
#include "util/error.h"

#define ESCAPE      0x01 /* Ctrl-A */
#define TURN_CHUNKS 4    /* what a client is written before the others have their turn */

/* How long viewers are waited for when the guest has ended: in all, and for each of their reads. */
#define VIEWERS_NS 1000000000u
#define VIEWER_NS  100000000u

/* Any thread. */
static void wake(struct console *console)
{
	eventfd_write(console->wake.fd, 1);
}

/* Waits for the descriptor on the loop; where that is not possible, tries again at once. */
static void wait_for(struct console *console, struct console_fd *fd, uint32_t events)
{
	if (fd->pollable && event_loop_set(console->config.loop, &fd->source, events) == -EPERM)
		fd->pollable = false;
	if (!fd->pollable && (events & (EPOLLIN | EPOLLOUT)))
		wake(console);
}

/* Output */

/* The chip's thread, with the chip's lock held. */
static size_t sink_write(void *ctx, const uint8_t *bytes, size_t len)
{
	struct console *console = ctx;
	size_t taken;
	bool first;

	pthread_mutex_lock(&console->lock);
	taken = MIN(len, console->limit - console->ring.written);
	ring_write(&console->ring, bytes, taken);
	counter_add(&console->bytes_out, taken);
	console->out_refused = taken < len;
	first = taken && console->out_wanted;
	if (first)
		console->out_wanted = false;
	pthread_mutex_unlock(&console->lock);
	if (first)
		wake(console);
	return taken;
}

static void sink_want_input(void *ctx)
{
	struct console *console = ctx;

	atomic_store(&console->in_wanted, true);
	wake(console);
}

/*
 * Writes what a client has not had yet: 0 when that was all, -EAGAIN when there is more, for when it has room or
 * its next turn comes, or the error that ends all writing to it.
 */
static int transmit(struct console_client *client)
{
	struct console *console = client->console;
	unsigned chunks;

	for (chunks = 0; chunks < TURN_CHUNKS; chunks++) {
		ssize_t count;
		size_t len = client->out.block_free ? client->out.block_free : CONSOLE_CHUNK_SIZE;

		/* A copy: the ring may overtake a viewer while it is written to. */
		pthread_mutex_lock(&console->lock);
		len = ring_read(&console->ring, &client->at, console->buffers->chunk, len);
		if (!len)
			console->out_wanted = true;
		pthread_mutex_unlock(&console->lock);
		if (!len)
			return 0;
		count = console_fd_write(&client->out, console->buffers->chunk, len);
		if (count >= 0)
			client->at += (size_t)count;
		else if (errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

/* The streams' progress, or the end of one, lets the chip send on. */
static void make_room(struct console *console)
{
	uint64_t limit = UINT64_MAX;
	bool refused;
	unsigned i;

	for (i = 0; i < console->config.end_count; i++) {
		const struct console_client *client = &console->clients[i];

		if (client->kind == CONSOLE_STREAM && client->out.source.fd >= 0)
			limit = MIN(limit, client->at + console->ring.size);
	}
	pthread_mutex_lock(&console->lock);
	console->limit = limit;
	refused = console->out_refused && console->ring.written < limit;
	if (refused)
		console->out_refused = false;
	pthread_mutex_unlock(&console->lock);
	if (refused)
		console->source.drained(console->source.ctx);
}

static void send_on(struct console_client *client, bool gone)
{
	struct console *console = client->console;
	bool stream = client->kind == CONSOLE_STREAM;
	int err = transmit(client);

	if ((!err || err == -EAGAIN) && gone)
		err = -EPIPE;
	if (!err) {
		/* A connection that hangs up is told of; a stream that does is only found out when there is more. */
		wait_for(console, &client->out, stream ? 0 : EPOLLHUP);
	} else if (err == -EAGAIN) {
		wait_for(console, &client->out, EPOLLOUT);
	} else {
		console_fd_close(&client->out, console->config.loop);
		if (stream)
			console->config.failed(console->config.ctx, err);
	}
	if (stream)
		make_room(console);
}

static void out_ready(void *ctx, uint32_t events)
{
	send_on(ctx, events & (EPOLLHUP | EPOLLERR));
}

/* Input */

/* Takes the escapes out of freshly read bytes; returns how many are left. */
static size_t filter_escapes(struct console_client *client, uint8_t *bytes, size_t len)
{
	const struct console_config *config = &client->console->config;
	size_t kept = 0, i;

	if (!client->escape)
		return len;
	for (i = 0; i < len; i++) {
		if (!client->in_escape) {
			client->in_escape = bytes[i] == ESCAPE;
			if (!client->in_escape)
				bytes[kept++] = bytes[i];
			continue;
		}
		client->in_escape = false;
		if (bytes[i] == 'x')
			config->stop(config->ctx);
		else if (bytes[i] == 'a' || bytes[i] == ESCAPE)
			bytes[kept++] = ESCAPE;
	}
	return kept;
}

/* Reads on while there is room, whether or not the chip takes it: an escape may be among it. */
static void wait_for_input(struct console_client *client)
{
	if (client->in.source.fd >= 0)
		wait_for(client->console, &client->in, client->in_len < CONSOLE_IN_SIZE ? EPOLLIN : 0);
}

static void receive(struct console_client *client)
{
	size_t room = CONSOLE_IN_SIZE - client->in_len;
	uint8_t *to = client->in_bytes + client->in_len;
	ssize_t count;

	if (client->in.source.fd < 0 || !room)
		return;
	count = console_fd_read(&client->in, to, room);
	if (count > 0)
		client->in_len += filter_escapes(client, to, (size_t)count);
	else if (!count || (errno != EAGAIN && errno != EINTR))
		/* The end of the input is not the end of the guest. */
		console_fd_close(&client->in, client->console->config.loop);
	wait_for_input(client);
}

/* Hands the chip what each client has typed, in turn, until it is full; want_input then wakes us. */
static void feed(struct console *console)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(console->clients) && atomic_load(&console->in_wanted); i++) {
		struct console_client *client = &console->clients[console->turn];
		size_t taken;

		console->turn = (console->turn + 1) % ARRAY_SIZE(console->clients);
		if (!client->in_len)
			continue;
		/* First, for the chip may want more before input() has returned. */
		atomic_store(&console->in_wanted, false);
		taken = console->source.input(console->source.ctx, client->in_bytes, client->in_len);
		if (taken == client->in_len)
			atomic_store(&console->in_wanted, true);
		client->in_len -= taken;
		memmove(client->in_bytes, client->in_bytes + taken, client->in_len);
		counter_add(&console->bytes_in, taken);
		wait_for_input(client);
	}
}

static void in_ready(void *ctx, uint32_t events)
{
	struct console_client *client = ctx;

	(void)events;
	receive(client);
	feed(client->console);
}

/* Life */

static void wake_ready(void *ctx, uint32_t events)
{
	struct console *console = ctx;
	eventfd_t count;
	unsigned i;

	(void)events;
	eventfd_read(console->wake.fd, &count);
	for (i = 0; i < ARRAY_SIZE(console->clients); i++) {
		struct console_client *client = &console->clients[i];

		/* Who is waited for is written to when it is ready. */
		if (client->out.source.fd >= 0 &&
			!(client->out.source.added && (client->out.source.events & EPOLLOUT)))
			send_on(client, false);
		if (!client->in.pollable)
			receive(client);
	}
	feed(console);
}

void console_client_start(struct console_client *client)
{
	wait_for_input(client);
	if (client->out.source.fd >= 0)
		send_on(client, false);
}

static int open_end(struct console_client *client, const struct console_end *end)
{
	int err = 0;

	client->kind = end->kind;
	client->escape = end->escape;
	if (end->kind == CONSOLE_LISTEN) {
		client->in.source.ready = console_listen_ready;
		err = console_listen_init(client->console, end->in);
	}
	if (!err && end->in >= 0)
		err = console_fd_open(&client->in, end->in, O_RDONLY);
	if (!err && end->kind != CONSOLE_LISTEN && end->out >= 0)
		err = console_fd_open(&client->out, end->out, O_WRONLY);
	return err;
}

static int open_all(struct console *console, struct error *error)
{
	const struct console_config *config = &console->config;
	struct console_buffers *buffers =
		mmap(NULL, sizeof(*buffers), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;
	unsigned i;

	if (buffers == MAP_FAILED)
		return error_set(error, ERROR_VMM, -ENOMEM, "console: %s", strerror(ENOMEM));
	console->buffers = buffers;
	ring_init(&console->ring, buffers->ring, sizeof(buffers->ring));
	for (i = 0; i < ARRAY_SIZE(console->clients); i++)
		console->clients[i].in_bytes = buffers->in[i];
	console->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = console->wake.fd < 0 ? -errno : event_loop_set(config->loop, &console->wake, EPOLLIN);
	if (err)
		return error_set(error, ERROR_VMM, err, "console: %s", strerror(-err));
	for (i = 0; i < config->end_count; i++) {
		err = open_end(&console->clients[i], &config->ends[i]);
		if (err)
			return error_set(error, ERROR_VMM, err, "console %u: %s", i, strerror(-err));
	}
	return 0;
}

int console_init(struct console *console, const struct console_config *config, struct error *error)
{
	unsigned i;
	int err;

	memset(console, 0, sizeof(*console));
	console->config = *config;
	console->wake = (struct event_source){.fd = -1, .ready = wake_ready, .ctx = console};
	atomic_init(&console->in_wanted, true);
	pthread_mutex_init(&console->lock, NULL);
	for (i = 0; i < ARRAY_SIZE(console->clients); i++) {
		struct console_client *client = &console->clients[i];

		client->console = console;
		client->kind = CONSOLE_VIEWER;
		client->in.source = (struct event_source){.fd = -1, .ready = in_ready, .ctx = client};
		client->out.source = (struct event_source){.fd = -1, .ready = out_ready, .ctx = client};
	}
	err = open_all(console, error);
	if (err)
		console_fini(console);
	else
		make_room(console);
	return err;
}

void console_fini(struct console *console)
{
	unsigned i;

	if (!console->config.loop)
		return;
	for (i = 0; i < ARRAY_SIZE(console->clients); i++) {
		console_fd_close(&console->clients[i].in, console->config.loop);
		console_fd_close(&console->clients[i].out, console->config.loop);
	}
	event_timer_fini(&console->listen_again);
	event_loop_remove(console->config.loop, &console->wake);
	if (console->wake.fd >= 0)
		close(console->wake.fd);
	if (console->buffers)
		munmap(console->buffers, sizeof(*console->buffers));
	pthread_mutex_destroy(&console->lock);
	console->config.loop = NULL;
}

struct character_sink console_sink(struct console *console)
{
	return (struct character_sink){.write = sink_write, .want_input = sink_want_input, .ctx = console};
}

void console_connect(struct console *console, const struct character_source *source)
{
	unsigned i;

	console->source = *source;
	for (i = 0; i < console->config.end_count; i++)
		console_client_start(&console->clients[i]);
}

/* What a drain waits for. */
struct drain {
	bool streams, viewers;                    /* have more to be written to them */
	bool stream_moved;                        /* in the last round */
	uint64_t start, stream_took, viewer_took; /* ns: when it began, and when bytes were taken last */
	int error;                                /* of a stream */
};

/* Writes to each client what it takes; fds are who has to be waited for. */
static unsigned drain_round(struct console *console, struct drain *drain, struct pollfd *fds)
{
	unsigned i, count = 0;

	drain->streams = drain->viewers = drain->stream_moved = false;
	for (i = 0; i < ARRAY_SIZE(console->clients); i++) {
		struct console_client *client = &console->clients[i];
		bool stream = client->kind == CONSOLE_STREAM;
		uint64_t before = client->at;
		int err;

		if (client->out.source.fd < 0)
			continue;
		err = transmit(client);
		if (client->at != before) {
			*(stream ? &drain->stream_took : &drain->viewer_took) = clock_ns();
			drain->stream_moved |= stream;
		}
		if (err == -EAGAIN) {
			*(stream ? &drain->streams : &drain->viewers) = true;
			fds[count++] = (struct pollfd){.fd = client->out.source.fd, .events = POLLOUT};
		} else if (err) {
			console_fd_close(&client->out, console->config.loop);
			if (stream)
				drain->error = err;
		}
	}
	return count;
}

/* Until when it makes sense to wait, in ns; UINT64_MAX: for ever. */
static uint64_t drain_deadline(const struct drain *drain, int timeout_ms)
{
	if (!drain->streams)
		return MIN(drain->start + VIEWERS_NS, drain->viewer_took + VIEWER_NS);
	return timeout_ms < 0 ? UINT64_MAX : drain->stream_took + (uint64_t)timeout_ms * 1000000;
}

int console_drain(struct console *console, const int stop_fds[2], int timeout_ms)
{
	struct pollfd fds[2 + ARRAY_SIZE(console->clients)] = {
		{.fd = stop_fds[0], .events = POLLIN},
		{.fd = stop_fds[1], .events = POLLIN},
	};
	struct drain drain = {.start = clock_ns()};

	drain.stream_took = drain.viewer_took = drain.start;
	for (;;) {
		unsigned count = drain_round(console, &drain, fds + 2);
		uint64_t deadline = drain_deadline(&drain, timeout_ms), now = clock_ns();
		int wait_ms = -1;

		if (!count || (now >= deadline && !drain.stream_moved))
			break;
		if (deadline != UINT64_MAX)
			wait_ms =
				now < deadline ? (int)MIN((deadline - now + 999999) / 1000000, INT32_MAX) : 0;
		if (poll(fds, 2 + count, wait_ms) > 0 && (fds[0].revents || fds[1].revents))
			return drain.error ? drain.error : -ECANCELED;
	}
	if (drain.error)
		return drain.error;
	return drain.streams ? -ETIMEDOUT : 0;
}

size_t console_copy(struct console *console, void *to, size_t size)
{
	uint64_t at;
	size_t len;

	pthread_mutex_lock(&console->lock);
	at = console->ring.written - MIN(console->ring.written, size);
	len = ring_read(&console->ring, &at, to, size);
	pthread_mutex_unlock(&console->lock);
	return len;
}

void console_resize(const struct console *console, unsigned columns, unsigned rows)
{
	const struct winsize size = {
		.ws_col = (unsigned short)MIN(columns, UINT16_MAX),
		.ws_row = (unsigned short)MIN(rows, UINT16_MAX),
	};
	unsigned i;

	for (i = 0; i < console->config.end_count; i++) {
		const struct console_end *end = &console->config.ends[i];
		int pty;

		/* Its master has the say; whoever sits at a terminal of his own knows its size. */
		if (end->kind != CONSOLE_LISTEN && !ioctl(end->out, TIOCGPTN, &pty))
			ioctl(end->out, TIOCSWINSZ, &size);
	}
}
