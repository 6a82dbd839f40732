#include "console_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "util/bytes.h"

static struct timespec deadline(void)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += RIG_SECONDS;
	return at;
}

static size_t chip_input(void *ctx, const uint8_t *bytes, size_t len)
{
	struct rig *rig = ctx;
	size_t taken;

	pthread_mutex_lock(&rig->lock);
	taken = MIN(len, rig->room);
	if (rig->got_len + taken > rig->got_max) {
		rig->got_max = 2 * (rig->got_len + taken);
		rig->got = realloc(rig->got, rig->got_max);
	}
	if (taken)
		memcpy(rig->got + rig->got_len, bytes, taken);
	rig->got_len += taken;
	rig->room -= taken;
	rig->waits |= taken < len;
	rig->inputs++;
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
	return taken;
}

static void count(struct rig *rig, unsigned *counter)
{
	pthread_mutex_lock(&rig->lock);
	++*counter;
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
}

static void chip_drained(void *ctx)
{
	struct rig *rig = ctx;

	count(rig, &rig->drains);
}

static void note_stop(void *ctx)
{
	struct rig *rig = ctx;

	count(rig, &rig->stops);
}

static void note_failure(void *ctx, int error)
{
	struct rig *rig = ctx;

	rig->failed = error;
	count(rig, &rig->failures);
}

void rig_pair(enum rig_kind kind, int fds[2])
{
	if (kind == RIG_PIPE)
		ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

void rig_init(struct rig *rig, int in, int out, bool escape)
{
	const struct console_end end = {.kind = CONSOLE_STREAM, .in = in, .out = out, .escape = escape};

	rig_init_ends(rig, &end, 1);
}

void rig_init_ends(struct rig *rig, const struct console_end *ends, unsigned count)
{
	struct console_config config = {
		.loop = &rig->loop,
		.end_count = count,
		.stop = note_stop,
		.failed = note_failure,
		.ctx = rig,
	};
	const struct character_source source = {.input = chip_input, .drained = chip_drained, .ctx = rig};

	memcpy(config.ends, ends, count * sizeof(*ends));
	memset(rig, 0, sizeof(*rig));
	pthread_mutex_init(&rig->lock, NULL);
	pthread_cond_init(&rig->changed, NULL);
	ck_assert_int_eq(event_loop_init(&rig->loop), 0);
	ck_assert_int_eq(console_init(&rig->console, &config, NULL), 0);
	rig->sink = console_sink(&rig->console);
	console_connect(&rig->console, &source);
}

void rig_fini(struct rig *rig)
{
	if (rig->running)
		rig_stop(rig);
	console_fini(&rig->console);
	event_loop_fini(&rig->loop);
	free(rig->got);
}

static void *run(void *loop)
{
	event_loop_run(loop);
	return NULL;
}

void rig_start(struct rig *rig)
{
	ck_assert_int_eq(pthread_create(&rig->thread, NULL, run, &rig->loop), 0);
	rig->running = true;
}

void rig_stop(struct rig *rig)
{
	struct timespec until = deadline();

	event_loop_stop(&rig->loop);
	if (pthread_timedjoin_np(rig->thread, NULL, &until))
		ck_abort_msg("the loop is stuck");
	rig->running = false;
}

void rig_make_room(struct rig *rig, size_t bytes)
{
	bool waits;

	pthread_mutex_lock(&rig->lock);
	rig->room += bytes;
	waits = rig->waits;
	rig->waits = false;
	pthread_mutex_unlock(&rig->lock);
	if (waits)
		rig->sink.want_input(rig->sink.ctx);
}

bool rig_wait_got(struct rig *rig, size_t len)
{
	struct timespec until = deadline();
	bool enough;

	pthread_mutex_lock(&rig->lock);
	while (rig->got_len < len && pthread_cond_timedwait(&rig->changed, &rig->lock, &until) != ETIMEDOUT)
		;
	enough = rig->got_len >= len;
	pthread_mutex_unlock(&rig->lock);
	return enough;
}

bool rig_wait(struct rig *rig, const unsigned *counter)
{
	struct timespec until = deadline();
	bool happened;

	pthread_mutex_lock(&rig->lock);
	while (!*counter && pthread_cond_timedwait(&rig->changed, &rig->lock, &until) != ETIMEDOUT)
		;
	happened = *counter;
	pthread_mutex_unlock(&rig->lock);
	return happened;
}

unsigned rig_take(struct rig *rig, unsigned *counter)
{
	unsigned value;

	pthread_mutex_lock(&rig->lock);
	value = *counter;
	*counter = 0;
	pthread_mutex_unlock(&rig->lock);
	return value;
}

bool rig_print(struct rig *rig, const uint8_t *bytes, size_t len)
{
	while (len) {
		size_t taken;

		rig_take(rig, &rig->drains);
		taken = rig->sink.write(rig->sink.ctx, bytes, MIN(len, 700u));
		bytes += taken;
		if (taken < MIN(len, 700u) && !rig_wait(rig, &rig->drains))
			return false;
		len -= taken;
	}
	return true;
}

size_t rig_print_until_refused(struct rig *rig, const uint8_t *bytes, size_t len)
{
	struct pollfd out = {.fd = rig->console.config.ends[0].out, .events = POLLOUT};
	size_t taken = 0;

	for (unsigned idle = 0; idle < 50 && taken < len;) {
		size_t count = rig->sink.write(rig->sink.ctx, bytes + taken, MIN(len - taken, 1000u));

		taken += count;
		/* While there is room behind it, the loop's thread has only not come to it yet. */
		idle = count || poll(&out, 1, 0) > 0 ? 0 : idle + 1;
		if (!count)
			usleep(1000);
	}
	return taken;
}

/* Exactly these bytes come, in a few seconds. */
void rig_expect_bytes(int fd, const uint8_t *bytes, size_t len)
{
	uint8_t copy[65536];

	while (len) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t count;

		ck_assert_msg(poll(&ready, 1, RIG_SECONDS * 1000) == 1, "%zu bytes are missing", len);
		count = read(fd, copy, MIN(len, sizeof(copy)));
		ck_assert_msg(count > 0, "%zu bytes are missing at the end", len);
		ck_assert(!memcmp(copy, bytes, (size_t)count));
		bytes += count;
		len -= (size_t)count;
	}
}

void rig_expect_text(int fd, const char *text)
{
	rig_expect_bytes(fd, (const uint8_t *)text, strlen(text));
}

void rig_expect_end(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char byte;

	ck_assert_int_eq(poll(&ready, 1, RIG_SECONDS * 1000), 1);
	ck_assert_int_eq(read(fd, &byte, 1), 0);
}

void rig_pattern(uint8_t *bytes, size_t len)
{
	uint32_t state = 12345;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(state >> 24);
	}
}
