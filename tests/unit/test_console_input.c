/* The console's input: no faster than the chip takes it, and its escapes. */
#include "console_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/bytes.h"

#define LARGE 1000000

static struct rig rig;
static uint8_t large[LARGE];

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	rig_pattern(large, sizeof(large));
}

static void teardown(void)
{
	rig_fini(&rig);
}

struct writer {
	int fd;
	pthread_t thread;
};

static void *write_all(void *ctx)
{
	const struct writer *writer = ctx;
	size_t at = 0;

	while (at < LARGE) {
		ssize_t count = write(writer->fd, large + at, LARGE - at);

		if (count <= 0)
			break;
		at += (size_t)count;
	}
	close(writer->fd);
	return NULL;
}

/* Gives the chip a little room at a time until it has got all. */
static void take_slowly(size_t total)
{
	size_t wanted = 0;

	while (wanted < total) {
		size_t room = (size_t)rand() % 400 + 1;

		room = MIN(room, total - wanted);
		wanted += room;
		rig_make_room(&rig, room);
		ck_assert_msg(rig_wait_got(&rig, wanted), "the input has stopped before %zu", wanted);
	}
	ck_assert(!memcmp(rig.got, large, total));
}

START_TEST(slow_chip_loses_no_byte)
{
	struct writer writer;
	int fds[2];

	rig_pair((enum rig_kind)_i, fds);
	writer.fd = fds[1];
	ck_assert_int_eq(pthread_create(&writer.thread, NULL, write_all, &writer), 0);
	rig_init(&rig, fds[0], -1, false);
	rig_start(&rig);
	take_slowly(LARGE);
	pthread_join(writer.thread, NULL);
	rig_stop(&rig);
	ck_assert_uint_eq(rig.got_len, LARGE);
	ck_assert_uint_eq(rig.console.bytes_in, LARGE);
}
END_TEST

START_TEST(regular_file_is_input_too)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, large, 100000), 100000);
	lseek(fd, 0, SEEK_SET);
	rig_init(&rig, fd, -1, false);
	rig_start(&rig);
	take_slowly(100000);
	rig_make_room(&rig, 100);
	rig_stop(&rig);
	ck_assert_uint_eq(rig.got_len, 100000);
}
END_TEST

/* What the chip does not take stays with the sender, but for one buffer; and nobody spins over it. */
START_TEST(full_chip_holds_the_sender_back)
{
	int fds[2], waiting;
	unsigned inputs;

	rig_pair(RIG_PIPE, fds);
	ck_assert_int_eq(write(fds[1], large, 20000), 20000);
	rig_init(&rig, fds[0], -1, false);
	rig_make_room(&rig, 10);
	rig_start(&rig);
	ck_assert(rig_wait_got(&rig, 10));
	usleep(50000);
	ioctl(fds[0], FIONREAD, &waiting);
	ck_assert_int_ge(waiting, 20000 - 10 - CONSOLE_IN_SIZE);
	inputs = rig.inputs;
	ck_assert_uint_le(inputs, 4);
	usleep(20000);
	ck_assert_uint_eq(rig.inputs, inputs);
	rig_make_room(&rig, 10);
	ck_assert(rig_wait_got(&rig, 20));
	usleep(20000);
	ck_assert_uint_le(rig.inputs, inputs + 4);
	rig_make_room(&rig, 20000);
	ck_assert(rig_wait_got(&rig, 20000));
	ck_assert(!memcmp(rig.got, large, 20000));
}
END_TEST

START_TEST(sender_that_leaves_takes_nothing_with_him)
{
	int fds[2];

	rig_pair((enum rig_kind)_i, fds);
	ck_assert_int_eq(write(fds[1], large, 9000), 9000);
	close(fds[1]);
	rig_init(&rig, fds[0], -1, false);
	rig_start(&rig);
	take_slowly(9000);
}
END_TEST

/* The end of the input is not the end of the guest: it may print on. */
START_TEST(end_of_input_leaves_the_output_open)
{
	char text[16] = "";
	int in[2], out[2];

	rig_pair(RIG_PIPE, in);
	rig_pair(RIG_PIPE, out);
	rig_init(&rig, in[0], out[1], true);
	rig_make_room(&rig, 100);
	rig_start(&rig);
	ck_assert_int_eq(write(in[1], "bye", 3), 3);
	close(in[1]);
	ck_assert(rig_wait_got(&rig, 3));
	usleep(20000);
	ck_assert(rig_print(&rig, (const uint8_t *)"still here", 10));
	ck_assert_int_eq(read(out[0], text, sizeof(text)), 10);
	rig_make_room(&rig, 100);
	rig_stop(&rig);
	ck_assert_uint_eq(rig.stops, 0);
	ck_assert_uint_eq(rig.failures, 0);
	ck_assert_uint_eq(rig.got_len, 3);
}
END_TEST

START_TEST(no_input_at_all_is_fine)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	rig_init(&rig, _i ? fd : -1, -1, true);
	rig_make_room(&rig, 100);
	rig_start(&rig);
	usleep(20000);
	rig_stop(&rig);
	ck_assert_uint_eq(rig.got_len, 0);
	ck_assert_uint_eq(rig.stops, 0);
	ck_assert_uint_eq(rig.failures, 0);
}
END_TEST

/* Escapes: the end of each input is marked by a '.', which the chip gets last. */
static const struct {
	bool escape;
	const char *typed, *got;
	unsigned stops;
} escapes[] = {
	{false,
		"a\x01xb\x01"
		"ac.",
		"a\x01xb\x01"
		"ac.",
		0},
	{true, "plain.", "plain.", 0},
	{true, "a\x01xb.", "ab.", 1},
	{true,
		"a\x01"
		"ab.",
		"a\x01"
		"b.",
		0},
	{true,
		"a\x01\x01"
		"b.",
		"a\x01"
		"b.",
		0},
	{true, "\x01\x01x.", "\x01x.", 0},
	{true,
		"\x01"
		"ax.",
		"\x01x.", 0},
	{true, "a\x01qb.", "ab.", 0},
	{true, "\x01x\x01x.", ".", 2},
	{true, "x\x01Xx.", "xx.", 0},
};

START_TEST(escapes_are_taken_out_only_where_they_are_wanted)
{
	/* At once, and a byte at a time: an escape may be cut in two. */
	const char *typed = escapes[_i / 2].typed;
	size_t step = _i % 2 ? 1 : strlen(typed);
	int fds[2];

	rig_pair(RIG_PIPE, fds);
	rig_init(&rig, fds[0], -1, escapes[_i / 2].escape);
	rig_make_room(&rig, 100);
	rig_start(&rig);
	for (size_t at = 0; at < strlen(typed); at += step) {
		ck_assert_int_eq(write(fds[1], typed + at, step), (ssize_t)step);
		usleep(step == 1 ? 2000 : 0);
	}
	ck_assert(rig_wait_got(&rig, strlen(escapes[_i / 2].got)));
	rig_stop(&rig);
	ck_assert_uint_eq(rig.got_len, strlen(escapes[_i / 2].got));
	ck_assert_mem_eq(rig.got, escapes[_i / 2].got, rig.got_len);
	ck_assert_uint_eq(rig.stops, escapes[_i / 2].stops);
}
END_TEST

TCase *console_input_tcase(void)
{
	TCase *tcase = tcase_create("input");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, slow_chip_loses_no_byte, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_test(tcase, regular_file_is_input_too);
	tcase_add_test(tcase, full_chip_holds_the_sender_back);
	tcase_add_loop_test(tcase, sender_that_leaves_takes_nothing_with_him, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_test(tcase, end_of_input_leaves_the_output_open);
	tcase_add_loop_test(tcase, no_input_at_all_is_fine, 0, 2);
	tcase_add_loop_test(
		tcase, escapes_are_taken_out_only_where_they_are_wanted, 0, 2 * ARRAY_SIZE(escapes));
	return tcase;
}
