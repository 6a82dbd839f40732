#include "backend/console.h"

#include <errno.h>
#include <fcntl.h>
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

/* A batch is over when no byte has come for so long; at the latest when it is so old, which leaves the thread time to wake. */
#define QUIET_NS  1000000u
#define OLDEST_NS (CONSOLE_LATENCY_NS - 2 * QUIET_NS)

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

/* With the lock held: the first byte of a batch has come. The caller then starts the timer. */
static void begin_batch(struct console *console)
{
	console->batch = CONSOLE_BATCH_GROWS;
	console->batch_at = clock_ns();
	console->batch_seen = console->ring.written;
}

/* The chip's thread, with the chip's lock held: one system call a batch, or two if it is a long one. */
static size_t sink_write(void *ctx, const uint8_t *bytes, size_t len)
{
	struct console *console = ctx;
	bool first, full;
	size_t taken;

	pthread_mutex_lock(&console->lock);
	taken = MIN(len, console->limit - console->ring.written);
	ring_write(&console->ring, bytes, taken);
	counter_add(&console->bytes_out, taken);
	console->out_refused = taken < len;
	first = taken && console->batch == CONSOLE_BATCH_EMPTY;
	if (first)
		begin_batch(console);
	full = console->batch == CONSOLE_BATCH_GROWS &&
	       console->ring.written - console->due >= CONSOLE_CHUNK_SIZE;
	if (full)
		console->batch = CONSOLE_BATCH_FULL;
	pthread_mutex_unlock(&console->lock);
	if (full)
		wake(console);
	else if (first)
		event_timer_arm(&console->batch_timer, QUIET_NS);
	return taken;
}

void console_flush(struct console *console)
{
	bool any;

	pthread_mutex_lock(&console->lock);
	any = console->batch == CONSOLE_BATCH_GROWS;
	if (any)
		console->batch = CONSOLE_BATCH_FULL;
	pthread_mutex_unlock(&console->lock);
	if (any)
		wake(console);
}

void console_end_batch(struct console *console)
{
	pthread_mutex_lock(&console->lock);
	console->due = console->ring.written;
	console->batch = CONSOLE_BATCH_NONE;
	pthread_mutex_unlock(&console->lock);
}

static void sink_want_input(void *ctx)
{
	struct console *console = ctx;

	atomic_store(&console->in_wanted, true);
	wake(console);
}

/* Takes what is due to the client next; when that is nothing, the next batch may begin, or has. */
static size_t take_chunk(struct console_client *client)
{
	struct console *console = client->console;
	size_t len = client->out.block_free ? client->out.block_free : CONSOLE_CHUNK_SIZE;
	bool first = false;

	pthread_mutex_lock(&console->lock);
	len = client->at < console->due ? MIN(len, console->due - client->at) : 0;
	if (len) {
		/* A copy: the ring may overtake a viewer while it is written to. */
		len = ring_read(&console->ring, &client->at, console->buffers->chunk, len);
	} else if (console->batch == CONSOLE_BATCH_NONE) {
		first = console->ring.written != console->due;
		if (first)
			begin_batch(console);
		else
			console->batch = CONSOLE_BATCH_EMPTY;
	}
	pthread_mutex_unlock(&console->lock);
	if (first)
		event_timer_arm(&console->batch_timer, QUIET_NS);
	return len;
}

int console_client_transmit(struct console_client *client)
{
	struct console *console = client->console;
	unsigned chunks;

	for (chunks = 0; chunks < TURN_CHUNKS; chunks++) {
		size_t len = take_chunk(client);
		ssize_t count;

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
	int err = console_client_transmit(client);

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

static void serve_all(struct console *console)
{
	unsigned i;

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

static void wake_ready(void *ctx, uint32_t events)
{
	struct console *console = ctx;
	eventfd_t count;
	bool full;

	(void)events;
	eventfd_read(console->wake.fd, &count);
	pthread_mutex_lock(&console->lock);
	full = console->batch == CONSOLE_BATCH_FULL;
	pthread_mutex_unlock(&console->lock);
	if (full)
		console_end_batch(console);
	serve_all(console);
}

/* QUIET_NS have passed since the batch began, or was looked at last. */
static void batch_timed(void *ctx)
{
	struct console *console = ctx;
	uint64_t age, wait_ns = 0;
	bool grows;

	pthread_mutex_lock(&console->lock);
	/* It may be a younger one than the timer was started for: that one is just a shorter batch. */
	grows = console->batch == CONSOLE_BATCH_GROWS;
	age = clock_ns() - console->batch_at;
	if (console->batch_seen != console->ring.written && age < OLDEST_NS)
		wait_ns = MIN(QUIET_NS, OLDEST_NS - age);
	console->batch_seen = console->ring.written;
	pthread_mutex_unlock(&console->lock);
	if (!grows)
		return;
	if (wait_ns) {
		event_timer_arm(&console->batch_timer, wait_ns);
		return;
	}
	console_end_batch(console);
	serve_all(console);
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
	if (!err)
		err = event_timer_init(&console->batch_timer, config->loop, batch_timed, console);
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
	event_timer_fini(&console->batch_timer);
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
