/* The console's output: to readers that are quick, slow, stalled and gone. */
#include "console_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/files.h"
#include "util/bytes.h"
#include "util/clock.h"

#define LARGE 3000000 /* more than ring and pipe hold */

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

static bool print(const char *text)
{
	return rig_print(&rig, (const uint8_t *)text, strlen(text));
}

/* A reader on a thread: so many bytes, with a pause between its reads. */
struct reader {
	int fd;
	size_t want, len;
	unsigned pause_us;
	uint8_t *bytes;
	pthread_t thread;
};

static void *read_slowly(void *ctx)
{
	struct reader *reader = ctx;

	while (reader->len < reader->want) {
		ssize_t count = read(
			reader->fd, reader->bytes + reader->len, MIN(reader->want - reader->len, 20000u));

		if (count <= 0)
			break;
		reader->len += (size_t)count;
		usleep(reader->pause_us);
	}
	return NULL;
}

static void reader_start(struct reader *reader, int fd, size_t want, unsigned pause_us)
{
	*reader = (struct reader){.fd = fd, .want = want, .pause_us = pause_us, .bytes = malloc(want)};
	ck_assert_int_eq(pthread_create(&reader->thread, NULL, read_slowly, reader), 0);
}

static void reader_expect(struct reader *reader, const uint8_t *bytes)
{
	pthread_join(reader->thread, NULL);
	ck_assert_uint_eq(reader->len, reader->want);
	ck_assert(!memcmp(reader->bytes, bytes, reader->want));
	free(reader->bytes);
}

START_TEST(output_reaches_its_reader)
{
	char text[16] = "";
	int fds[2];

	rig_pair((enum rig_kind)_i, fds);
	rig_init(&rig, -1, fds[1], false);
	rig_start(&rig);
	ck_assert(print("hello"));
	ck_assert_int_eq(read(fds[0], text, sizeof(text)), 5);
	ck_assert_str_eq(text, "hello");
	rig_stop(&rig);
	ck_assert_uint_eq(rig.console.ring.written, 5);
}
END_TEST

START_TEST(output_reaches_a_regular_file)
{
	uint8_t *copy = malloc(LARGE);
	int fd = memfd_create("output", MFD_CLOEXEC);

	rig_init(&rig, -1, fd, false);
	rig_start(&rig);
	ck_assert(rig_print(&rig, large, LARGE));
	rig_stop(&rig);
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, -1), 0);
	ck_assert_int_eq(pread(fd, copy, LARGE, 0), LARGE);
	ck_assert(!memcmp(copy, large, LARGE));
	free(copy);
}
END_TEST

START_TEST(slow_reader_loses_no_byte)
{
	struct reader reader;
	int fds[2];

	rig_pair((enum rig_kind)_i, fds);
	rig_init(&rig, -1, fds[1], false);
	rig_start(&rig);
	reader_start(&reader, fds[0], LARGE, 500);
	ck_assert(rig_print(&rig, large, LARGE));
	reader_expect(&reader, large);
	rig_stop(&rig);
	ck_assert_uint_eq(rig.console.ring.written, LARGE);
}
END_TEST

static size_t print_until_refused(void)
{
	return rig_print_until_refused(&rig, large, LARGE);
}

START_TEST(stalled_reader_holds_the_chip_back)
{
	struct reader reader;
	size_t taken;
	int fds[2];

	rig_pair((enum rig_kind)_i, fds);
	rig_init(&rig, -1, fds[1], false);
	rig_start(&rig);
	taken = print_until_refused();
	ck_assert_uint_ge(taken, CONSOLE_RING_SIZE);
	ck_assert_uint_lt(taken, LARGE);
	rig_take(&rig, &rig.drains);
	reader_start(&reader, fds[0], taken, 0);
	ck_assert_msg(rig_wait(&rig, &rig.drains), "the chip was not told of the room");
	reader_expect(&reader, large);
}
END_TEST

START_TEST(full_device_fails_once_and_holds_nobody_up)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	rig_init(&rig, -1, fd, false);
	rig_start(&rig);
	ck_assert(rig_print(&rig, large, 100000));
	ck_assert(rig_wait(&rig, &rig.failures));
	ck_assert(rig_print(&rig, large, 100000));
	rig_stop(&rig);
	ck_assert_int_eq(rig.failed, -ENOSPC);
	ck_assert_uint_eq(rig.failures, 1);
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, -1), 0);
}
END_TEST

START_TEST(closed_reader_fails_with_epipe)
{
	int fds[2];

	rig_pair((enum rig_kind)_i, fds);
	rig_init(&rig, -1, fds[1], false);
	rig_start(&rig);
	close(fds[0]);
	ck_assert(rig_print(&rig, large, 100000));
	ck_assert(rig_wait(&rig, &rig.failures));
	rig_stop(&rig);
	ck_assert_int_eq(rig.failed, -EPIPE);
	ck_assert_uint_eq(rig.failures, 1);
}
END_TEST

START_TEST(reader_that_leaves_in_the_middle_fails_with_epipe)
{
	int fds[2];

	rig_pair(RIG_PIPE, fds);
	rig_init(&rig, -1, fds[1], false);
	rig_start(&rig);
	print_until_refused();
	close(fds[0]);
	ck_assert(rig_wait(&rig, &rig.failures));
	ck_assert(rig_print(&rig, large, 100000));
	ck_assert_int_eq(rig.failed, -EPIPE);
}
END_TEST

START_TEST(without_an_output_all_is_taken_at_once)
{
	rig_init(&rig, -1, -1, false);
	ck_assert_uint_eq(rig.sink.write(rig.sink.ctx, large, LARGE), LARGE);
	ck_assert_uint_eq(rig.console.ring.written, LARGE);
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, -1), 0);
}
END_TEST

/* What is kept */

START_TEST(the_newest_bytes_are_kept)
{
	static const size_t steps[] = {
		1000, 8191, CONSOLE_RING_SIZE - 1, CONSOLE_RING_SIZE, CONSOLE_RING_SIZE + 1, LARGE};
	uint8_t *copy = calloc(1, CONSOLE_RING_SIZE + 1);

	rig_init(&rig, -1, -1, false);
	for (size_t at = 0; at < LARGE; at += steps[_i])
		rig.sink.write(rig.sink.ctx, large + at, MIN(steps[_i], LARGE - at));
	ck_assert_uint_eq(console_copy(&rig.console, copy, CONSOLE_RING_SIZE + 1), CONSOLE_RING_SIZE);
	ck_assert(!memcmp(copy, large + LARGE - CONSOLE_RING_SIZE, CONSOLE_RING_SIZE));
	ck_assert_uint_eq(copy[CONSOLE_RING_SIZE], 0);
	free(copy);
}
END_TEST

START_TEST(a_copy_is_cut_at_its_front_to_fit)
{
	char text[] = "????????";

	rig_init(&rig, -1, -1, false);
	ck_assert_uint_eq(console_copy(&rig.console, text, 4), 0);
	print("123456789");
	ck_assert_uint_eq(console_copy(&rig.console, text, 4), 4);
	ck_assert_str_eq(text, "6789????");
}
END_TEST

/* It is a copy: asking does not take it away. */
START_TEST(a_copy_can_be_asked_for_twice)
{
	char text[16] = "";

	rig_init(&rig, -1, -1, false);
	print("last words");
	console_copy(&rig.console, text, sizeof(text));
	memset(text, 0, sizeof(text));
	ck_assert_uint_eq(console_copy(&rig.console, text, sizeof(text)), 10);
	ck_assert_str_eq(text, "last words");
}
END_TEST

/* The drain: the loop has ended, and the reader still wants the rest. */

START_TEST(drain_writes_what_is_left)
{
	struct reader reader;
	size_t taken;
	int fds[2];

	rig_pair((enum rig_kind)_i, fds);
	rig_init(&rig, -1, fds[1], false);
	rig_start(&rig);
	taken = print_until_refused();
	rig_stop(&rig);
	reader_start(&reader, fds[0], taken, 1000);
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, -1), 0);
	reader_expect(&reader, large);
}
END_TEST

/* It gives up when nothing moves for so long, not when all of it takes so long. */
START_TEST(drain_is_patient_with_a_reader_that_reads)
{
	struct reader reader;
	size_t taken;
	int fds[2];

	rig_pair(RIG_PIPE, fds);
	rig_init(&rig, -1, fds[1], false);
	rig_start(&rig);
	taken = print_until_refused();
	rig_stop(&rig);
	reader_start(&reader, fds[0], taken, 60000);
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, 1000), 0);
	reader_expect(&reader, large);
}
END_TEST

START_TEST(drain_times_out_on_a_stalled_reader)
{
	uint64_t start;
	int fds[2];

	rig_pair((enum rig_kind)_i, fds);
	rig_init(&rig, -1, fds[1], false);
	rig_start(&rig);
	print_until_refused();
	rig_stop(&rig);
	start = clock_ns();
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, 50), -ETIMEDOUT);
	ck_assert_uint_ge(clock_ns() - start, 45000000);
	ck_assert_uint_lt(clock_ns() - start, 5000000000);
}
END_TEST

START_TEST(drain_ends_when_a_stop_fd_is_readable)
{
	int fds[2], stop[2], stop_fds[2] = {-1, -1};

	rig_pair(RIG_PIPE, fds);
	rig_pair(RIG_PIPE, stop);
	rig_init(&rig, -1, fds[1], false);
	rig_start(&rig);
	print_until_refused();
	rig_stop(&rig);
	stop_fds[_i] = stop[0];
	ck_assert_int_eq(console_drain(&rig.console, stop_fds, 20), -ETIMEDOUT);
	ck_assert_int_eq(write(stop[1], "x", 1), 1);
	ck_assert_int_eq(console_drain(&rig.console, stop_fds, -1), -ECANCELED);
}
END_TEST

START_TEST(drain_says_why_it_cannot_write)
{
	int fds[2];

	rig_pair(RIG_PIPE, fds);
	rig_init(&rig, -1, fds[1], false);
	close(fds[0]);
	rig.sink.write(rig.sink.ctx, large, 100);
	ck_assert_int_eq(console_drain(&rig.console, no_stop_fds, -1), -EPIPE);
}
END_TEST

Suite *console_suite(void)
{
	Suite *suite = suite_create("backend/console");
	TCase *tcase = tcase_create("output"), *end = tcase_create("what is kept, and drain");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, output_reaches_its_reader, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_test(tcase, output_reaches_a_regular_file);
	tcase_add_loop_test(tcase, slow_reader_loses_no_byte, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_loop_test(tcase, stalled_reader_holds_the_chip_back, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_test(tcase, full_device_fails_once_and_holds_nobody_up);
	tcase_add_loop_test(tcase, closed_reader_fails_with_epipe, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_test(tcase, reader_that_leaves_in_the_middle_fails_with_epipe);
	tcase_add_test(tcase, without_an_output_all_is_taken_at_once);
	suite_add_tcase(suite, end);
	tcase_add_checked_fixture(end, setup, teardown);
	tcase_set_timeout(end, 30);
	tcase_add_loop_test(end, the_newest_bytes_are_kept, 0, 6);
	tcase_add_test(end, a_copy_is_cut_at_its_front_to_fit);
	tcase_add_test(end, a_copy_can_be_asked_for_twice);
	tcase_add_loop_test(end, drain_writes_what_is_left, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_test(end, drain_is_patient_with_a_reader_that_reads);
	tcase_add_loop_test(end, drain_times_out_on_a_stalled_reader, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_loop_test(end, drain_ends_when_a_stop_fd_is_readable, 0, 2);
	tcase_add_test(end, drain_says_why_it_cannot_write);
	suite_add_tcase(suite, console_batch_tcase());
	suite_add_tcase(suite, console_input_tcase());
	suite_add_tcase(suite, console_fds_tcase());
	suite_add_tcase(suite, console_hub_tcase());
	suite_add_tcase(suite, console_listen_tcase());
	return suite;
}
