/* The console as a hub: several ends at once, late ones, slow ones and those that leave. */
#include "console_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/clock.h"

#define LARGE 3000000

static struct rig rig;
static uint8_t large[LARGE];
static const int no_stop_fds[2] = {-1, -1};

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	rig_pattern(large, sizeof(large));
}

static void teardown(void)
{
	rig_fini(&rig);
}

static void print(const char *text)
{
	ck_assert(rig_print(&rig, (const uint8_t *)text, strlen(text)));
}

/* A stream and a viewer, on the writing ends of two pipes. */
static void init_two(int stream[2], int viewer[2])
{
	struct console_end ends[2] = {{.kind = CONSOLE_STREAM, .in = -1}, {.kind = CONSOLE_VIEWER, .in = -1}};

	rig_pair(RIG_PIPE, stream);
	rig_pair(RIG_SOCKET, viewer);
	ends[0].out = stream[1];
	ends[1].out = viewer[1];
	rig_init_ends(&rig, ends, 2);
}

/* Output */

START_TEST(every_end_gets_every_byte)
{
	int stream[2], viewer[2];

	init_two(stream, viewer);
	rig_start(&rig);
	for (size_t at = 0; at < 100000; at += 10000) {
		ck_assert(rig_print(&rig, large + at, 10000));
		rig_expect_bytes(stream[0], large + at, 10000);
		rig_expect_bytes(viewer[0], large + at, 10000);
	}
}
END_TEST

/* What its socket holds comes first, then the newest bytes that the ring had when it read on. */
START_TEST(overtaken_viewer_goes_on_with_the_oldest_that_is_kept)
{
	int fds[2], held = 0;

	rig_pair(RIG_SOCKET, fds);
	rig_init_ends(&rig, &(struct console_end){.kind = CONSOLE_VIEWER, .in = -1, .out = fds[1]}, 1);
	/* Its socket is filled, by a drain that gives up, before the rest overtakes it. */
	ck_assert_uint_eq(rig.sink.write(rig.sink.ctx, large, 1000000), 1000000);
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, -1), 0);
	ioctl(fds[0], FIONREAD, &held);
	ck_assert_int_gt(held, 1000);
	ck_assert_uint_eq(rig.sink.write(rig.sink.ctx, large + 1000000, LARGE - 1000000), LARGE - 1000000);
	rig_start(&rig);
	rig_expect_bytes(fds[0], large, (size_t)held);
	rig_expect_bytes(fds[0], large + LARGE - CONSOLE_RING_SIZE, CONSOLE_RING_SIZE);
	print("and this");
	rig_expect_text(fds[0], "and this");
}
END_TEST

START_TEST(stalled_viewer_holds_nobody_back)
{
	int stream[2], viewer[2];

	init_two(stream, viewer);
	rig_start(&rig);
	for (size_t at = 0; at + 50000 <= LARGE; at += 50000) {
		ck_assert(rig_print(&rig, large + at, 50000));
		rig_expect_bytes(stream[0], large + at, 50000);
	}
}
END_TEST

START_TEST(stalled_stream_holds_the_chip_back_and_no_viewer)
{
	int stream[2], viewer[2];
	size_t taken = 0;

	init_two(stream, viewer);
	rig_start(&rig);
	for (size_t count = 1; count; taken += count) {
		count = rig_print_until_refused(&rig, large + taken, 20000);
		rig_expect_bytes(viewer[0], large + taken, count);
	}
	ck_assert_uint_ge(taken, CONSOLE_RING_SIZE);
	ck_assert_uint_lt(taken, LARGE);
	rig_take(&rig, &rig.drains);
	rig_expect_bytes(stream[0], large, taken);
	ck_assert(rig_wait(&rig, &rig.drains));
}
END_TEST

START_TEST(viewer_that_leaves_is_no_failure)
{
	int stream[2], viewer[2];

	init_two(stream, viewer);
	rig_start(&rig);
	close(viewer[0]);
	for (unsigned i = 0; i < 10; i++) {
		print("still here");
		rig_expect_text(stream[0], "still here");
	}
	rig_stop(&rig);
	ck_assert_int_lt(rig.console.clients[1].out.source.fd, 0);
	ck_assert_uint_eq(rig.failures, 0);
}
END_TEST

/* The drain */

START_TEST(drain_waits_no_second_for_a_stalled_viewer)
{
	int stream[2], viewer[2];
	uint64_t start;

	init_two(stream, viewer);
	rig_start(&rig);
	for (size_t at = 0; at < 500000; at += 50000) {
		ck_assert(rig_print(&rig, large + at, 50000));
		rig_expect_bytes(stream[0], large + at, 50000);
	}
	rig_stop(&rig);
	start = clock_ns();
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, -1), 0);
	ck_assert_uint_lt(clock_ns() - start, 900000000);
}
END_TEST

struct reader {
	int fd;
	int done; /* is written to at the end */
};

static void *read_all(void *ctx)
{
	struct reader *reader = ctx;

	rig_expect_bytes(reader->fd, large, 900000);
	ck_assert_int_eq(write(reader->done, "x", 1), 1);
	return NULL;
}

/* While the drain waits for a stream anyway. */
START_TEST(drain_writes_what_viewers_take)
{
	int stream[2], viewer[2], stop[2];
	struct reader reader;
	pthread_t thread;

	init_two(stream, viewer);
	rig_pair(RIG_PIPE, stop);
	reader = (struct reader){.fd = viewer[0], .done = stop[1]};
	ck_assert_uint_eq(rig.sink.write(rig.sink.ctx, large, 900000), 900000);
	pthread_create(&thread, NULL, read_all, &reader);
	ck_assert_int_eq(
		console_drain(&rig.console, (const int[2]){stop[0], -1}, 4 * RIG_SECONDS * 1000), -ECANCELED);
	pthread_join(thread, NULL);
}
END_TEST

/* Input */

START_TEST(flood_from_one_end_does_not_starve_another)
{
	struct console_end ends[2] = {
		{.kind = CONSOLE_VIEWER, .out = -1}, {.kind = CONSOLE_STREAM, .out = -1}};
	int flood[2], typist[2], left = 1;

	rig_pair(RIG_PIPE, flood);
	rig_pair(RIG_PIPE, typist);
	ends[0].in = flood[0];
	ends[1].in = typist[0];
	ck_assert_int_eq(write(flood[1], large, 60000), 60000);
	ck_assert_int_eq(write(typist[1], "typed", 5), 5);
	rig_init_ends(&rig, ends, 2);
	rig_start(&rig);
	for (unsigned i = 0; left && i < 1000; i++) {
		usleep(1000);
		ioctl(typist[0], FIONREAD, &left);
	}
	for (unsigned room = 16; room <= 64; room += 16) {
		rig_make_room(&rig, 16);
		ck_assert(rig_wait_got(&rig, room));
	}
	ck_assert_msg(memmem(rig.got, 64, "typed", 5), "64 bytes on, and still not a word");
	rig_make_room(&rig, 100000);
	ck_assert(rig_wait_got(&rig, 60005));
}
END_TEST

START_TEST(each_end_has_an_escape_of_its_own)
{
	struct console_end ends[3] = {{.out = -1, .escape = true}, {.out = -1, .escape = true}, {.out = -1}};
	int fds[3][2];

	for (unsigned i = 0; i < 3; i++) {
		rig_pair(RIG_SOCKET, fds[i]);
		ends[i].in = fds[i][0];
	}
	rig_init_ends(&rig, ends, 3);
	rig_make_room(&rig, 100);
	rig_start(&rig);
	ck_assert_int_eq(write(fds[0][1], "\001", 1), 1);
	usleep(10000);
	ck_assert_int_eq(write(fds[1][1], "x", 1), 1);
	ck_assert(rig_wait_got(&rig, 1));
	ck_assert_int_eq(write(fds[2][1], "\001x", 2), 2);
	ck_assert(rig_wait_got(&rig, 3));
	ck_assert_uint_eq(rig_take(&rig, &rig.stops), 0);
	ck_assert_int_eq(write(fds[0][1], "x", 1), 1);
	ck_assert(rig_wait(&rig, &rig.stops));
	ck_assert_mem_eq(rig.got, "x\001x", 3);
}
END_TEST

/* A guest that hangs takes no input: that is when somebody wants to stop it. */
START_TEST(escape_works_while_the_chip_takes_nothing)
{
	int fds[2];

	rig_pair(RIG_PIPE, fds);
	rig_init(&rig, fds[0], -1, true);
	rig_start(&rig);
	ck_assert_int_eq(write(fds[1], "hello? is anybody there?", 24), 24);
	ck_assert(rig_wait(&rig, &rig.inputs));
	ck_assert_int_eq(write(fds[1], "\001x", 2), 2);
	ck_assert(rig_wait(&rig, &rig.stops));
}
END_TEST

/* A pty: its far end is a terminal that comes and goes. */

START_TEST(pty_is_served_both_ways_and_never_waited_for)
{
	struct console_end end = {.kind = CONSOLE_VIEWER};
	struct winsize size;
	struct termios raw;
	int slave;

	if (openpty(&end.in, &slave, NULL, NULL, NULL)) {
		printf("SKIPPED: no pty can be had: is /dev/pts mounted?\n");
		end = (struct console_end){.in = -1, .out = -1};
		rig_init_ends(&rig, &end, 1);
		return;
	}
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	end.out = end.in;
	rig_init_ends(&rig, &end, 1);
	rig_make_room(&rig, 100);
	rig_start(&rig);
	print("login: ");
	rig_expect_text(slave, "login: ");
	ck_assert_int_eq(write(slave, "root", 4), 4);
	ck_assert(rig_wait_got(&rig, 4));
	/* The master blocks, and its terminal does not read. */
	ck_assert_int_eq(fcntl(end.in, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_uint_eq(rig_print_until_refused(&rig, large, LARGE), LARGE);
	console_resize(&rig.console, 132, 43);
	ck_assert_int_eq(ioctl(slave, TIOCGWINSZ, &size), 0);
	ck_assert_uint_eq(size.ws_col, 132);
	ck_assert_uint_eq(size.ws_row, 43);
	rig_stop(&rig);
}
END_TEST

TCase *console_hub_tcase(void)
{
	TCase *tcase = tcase_create("hub");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, every_end_gets_every_byte);
	tcase_add_test(tcase, overtaken_viewer_goes_on_with_the_oldest_that_is_kept);
	tcase_add_test(tcase, stalled_viewer_holds_nobody_back);
	tcase_add_test(tcase, stalled_stream_holds_the_chip_back_and_no_viewer);
	tcase_add_test(tcase, viewer_that_leaves_is_no_failure);
	tcase_add_test(tcase, drain_waits_no_second_for_a_stalled_viewer);
	tcase_add_test(tcase, drain_writes_what_viewers_take);
	tcase_add_test(tcase, flood_from_one_end_does_not_starve_another);
	tcase_add_test(tcase, each_end_has_an_escape_of_its_own);
	tcase_add_test(tcase, escape_works_while_the_chip_takes_nothing);
	tcase_add_test(tcase, pty_is_served_both_ways_and_never_waited_for);
	return tcase;
}
