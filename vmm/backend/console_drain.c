/* The guest has ended: what it printed still goes to its readers. */
#include <errno.h>
#include <poll.h>

#include "backend/console_client.h"
#include "util/bytes.h"
#include "util/clock.h"

/* How long viewers are waited for: in all, and for each of their reads. */
#define VIEWERS_NS 1000000000u
#define VIEWER_NS  100000000u

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
		err = console_client_transmit(client);
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
	console_end_batch(console);
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
