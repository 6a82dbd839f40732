/* How the console's output is put together: a burst is one write, and no byte waits for long. */
#include "console_rig.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/clock.h"

#define FOREVER_MS 5000

static struct rig rig;
static int fds[2]; /* a packet a write */

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	rig_init(&rig, -1, fds[1], false);
}

static void teardown(void)
{
	rig_fini(&rig);
}

/* One byte an exit, as a guest prints. */
static void print(size_t count)
{
	const uint8_t byte = 'x';

	while (count--)
		ck_assert_uint_eq(rig.sink.write(rig.sink.ctx, &byte, 1), 1);
}

/* The length of the next write; 0: there is none in that time. */
static size_t next_write(int timeout_ms)
{
	struct pollfd ready = {.fd = fds[0], .events = POLLIN};
	static uint8_t bytes[65536];

	return poll(&ready, 1, timeout_ms) == 1 ? (size_t)read(fds[0], bytes, sizeof(bytes)) : 0;
}

static bool is_woken(void)
{
	struct pollfd wake = {.fd = rig.console.wake.fd, .events = POLLIN};

	return poll(&wake, 1, 0) == 1;
}

static bool is_timed(void)
{
	struct itimerspec left;

	ck_assert_int_eq(timerfd_gettime(rig.console.batch_timer.source.fd, &left), 0);
	return left.it_value.tv_sec || left.it_value.tv_nsec;
}

START_TEST(a_burst_is_one_write)
{
	print(3000);
	ck_assert(!is_woken());
	rig_start(&rig);
	ck_assert_uint_eq(next_write(FOREVER_MS), 3000);
	print(1);
	ck_assert_uint_eq(next_write(FOREVER_MS), 1);
	ck_assert_uint_eq(next_write(50), 0);
}
END_TEST

START_TEST(a_full_chunk_does_not_wait_for_the_end_of_its_burst)
{
	print(CONSOLE_CHUNK_SIZE - 1);
	ck_assert(!is_woken());
	print(1);
	ck_assert(is_woken());
	event_loop_catch_up(&rig.loop);
	ck_assert_uint_eq(next_write(0), CONSOLE_CHUNK_SIZE);
	/* The next one counts anew. */
	print(CONSOLE_CHUNK_SIZE - 1);
	ck_assert(!is_woken());
}
END_TEST

struct printer {
	unsigned count;
	uint64_t at[2000]; /* when each byte was printed, ns */
};

/* A byte about every 0.1 ms: it is never quiet for a whole one. */
static void *print_on(void *ctx)
{
	struct printer *printer = ctx;

	while (printer->count < ARRAY_SIZE(printer->at)) {
		uint64_t now = clock_ns();

		printer->at[printer->count++] = now;
		print(1);
		while (clock_ns() < now + 100000)
			;
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* The host may be busy, so most must keep the bound, not each. */
START_TEST(no_byte_of_an_endless_burst_waits_longer_than_10_ms)
{
	static struct printer printer;
	static uint64_t waits[ARRAY_SIZE(printer.at)];
	unsigned writes = 0, got = 0;
	pthread_t thread;

	rig_start(&rig);
	ck_assert_int_eq(pthread_create(&thread, NULL, print_on, &printer), 0);
	while (got < ARRAY_SIZE(printer.at)) {
		size_t len = next_write(FOREVER_MS);

		ck_assert_uint_gt(len, 0);
		waits[writes++] = clock_ns() - printer.at[got];
		got += (unsigned)len;
	}
	pthread_join(thread, NULL);
	qsort(waits, writes, sizeof(waits[0]), compare);
	ck_assert_uint_le(waits[writes / 2], CONSOLE_LATENCY_NS);
	ck_assert_uint_lt(writes, ARRAY_SIZE(printer.at) / 20); /* it goes on for 200 ms */
}
END_TEST

START_TEST(a_flush_ends_a_batch_and_wakes_nobody_without_one)
{
	console_flush(&rig.console);
	ck_assert(!is_woken());
	print(10);
	console_flush(&rig.console);
	ck_assert(is_woken());
	event_loop_catch_up(&rig.loop);
	ck_assert_uint_eq(next_write(0), 10);
	console_flush(&rig.console);
	ck_assert(!is_woken());
}
END_TEST

START_TEST(a_drain_writes_at_once_what_was_still_put_together)
{
	static const int no_stop_fds[2] = {-1, -1};

	print(700);
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, -1), 0);
	ck_assert_uint_eq(next_write(0), 700);
	print(1);
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, -1), 0);
	ck_assert_uint_eq(next_write(0), 1);
}
END_TEST

START_TEST(a_silent_chip_or_one_that_nobody_reads_wakes_nobody)
{
	ck_assert(!is_timed());
	print(1);
	ck_assert(is_timed());
	rig_start(&rig);
	ck_assert_uint_eq(next_write(FOREVER_MS), 1);
	rig_stop(&rig);
	ck_assert(!is_timed() && !is_woken());
	rig_fini(&rig);
	rig_init(&rig, -1, -1, false);
	print(2 * CONSOLE_CHUNK_SIZE);
	ck_assert(!is_timed() && !is_woken());
}
END_TEST

TCase *console_batch_tcase(void)
{
	TCase *tcase = tcase_create("batches");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, a_burst_is_one_write);
	tcase_add_test(tcase, a_full_chunk_does_not_wait_for_the_end_of_its_burst);
	tcase_add_test(tcase, no_byte_of_an_endless_burst_waits_longer_than_10_ms);
	tcase_add_test(tcase, a_flush_ends_a_batch_and_wakes_nobody_without_one);
	tcase_add_test(tcase, a_drain_writes_at_once_what_was_still_put_together);
	tcase_add_test(tcase, a_silent_chip_or_one_that_nobody_reads_wakes_nobody);
	return tcase;
}
