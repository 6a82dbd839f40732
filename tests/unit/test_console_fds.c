/* The console and its caller's descriptors: untouched, never blocked on, not leaked. */
#include "console_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/files.h"
#include "util/bytes.h"
#include "util/error.h"

#define MANY 3000000 /* more than ring and pipe hold */

static struct rig rig;
static uint8_t many[MANY];

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	rig_pattern(many, sizeof(many));
}

static void teardown(void)
{
	rig_fini(&rig);
}

static void expect_flags(const int fds[2], const int flags[2])
{
	ck_assert_int_eq(fcntl(fds[0], F_GETFL), flags[0]);
	ck_assert_int_eq(fcntl(fds[1], F_GETFL), flags[1]);
}

/* O_NONBLOCK on a shared terminal or pipe would break whoever else uses it. */
START_TEST(flags_of_the_callers_descriptors_stay)
{
	int in[2], out[2], in_flags[2], out_flags[2];

	rig_pair((enum rig_kind)_i, in);
	rig_pair((enum rig_kind)_i, out);
	for (unsigned i = 0; i < 2; i++) {
		in_flags[i] = fcntl(in[i], F_GETFL);
		out_flags[i] = fcntl(out[i], F_GETFL);
	}
	rig_init(&rig, in[0], out[1], false);
	rig_make_room(&rig, 100);
	rig_start(&rig);
	ck_assert_int_eq(write(in[1], "in", 2), 2);
	ck_assert(rig_wait_got(&rig, 2));
	ck_assert(rig_print(&rig, (const uint8_t *)"out", 3));
	expect_flags(in, in_flags);
	expect_flags(out, out_flags);
	rig_stop(&rig);
	console_fini(&rig.console);
	expect_flags(in, in_flags);
	expect_flags(out, out_flags);
}
END_TEST

START_TEST(console_leaves_no_descriptor_behind)
{
	int in[2], out[2];
	unsigned before;

	rig_pair((enum rig_kind)_i, in);
	rig_pair((enum rig_kind)_i, out);
	before = files_open_fds();
	rig_init(&rig, in[0], out[1], false);
	console_fini(&rig.console);
	console_fini(&rig.console);
	event_loop_fini(&rig.loop);
	ck_assert_uint_eq(files_open_fds(), before);
}
END_TEST

START_TEST(descriptor_that_is_none_is_refused)
{
	struct event_loop loop;
	struct console_config config = {
		.loop = &loop, .ends = {{.in = -1, .out = -1}, {.in = -1, .out = -1}}, .end_count = 2};
	struct error error;
	unsigned before;

	rig_init(&rig, -1, -1, false);
	ck_assert_int_eq(event_loop_init(&loop), 0);
	*(_i ? &config.ends[1].in : &config.ends[1].out) = 987;
	console_fini(&rig.console);
	before = files_open_fds();
	ck_assert_int_eq(console_init(&rig.console, &config, &error), -EBADF);
	ck_assert_str_eq(error.text, "console 1: Bad file descriptor");
	ck_assert_uint_eq(files_open_fds(), before);
	event_loop_fini(&loop);
}
END_TEST

/* Lets so many descriptors more be opened, as in a process at its limit. */
static void limit_fds(int more)
{
	struct rlimit limit;
	int top = 0, fd;

	for (fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			top = fd;
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) < top)
		;
	close(fd);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)fd + (rlim_t)more;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/*
 * A pipe or terminal of another user's (sudo -u), or no /proc: it cannot be opened anew, so the caller's own
 * descriptor has to do, and that one blocks. The loop must not. (Epoll, two eventfds and a timer are all there is.)
 */
START_TEST(blocking_output_does_not_block_the_loop)
{
	size_t taken, got = 0;
	uint8_t bytes[4096];
	int fds[2];

	rig_pair(RIG_PIPE, fds);
	limit_fds(4);
	rig_init(&rig, -1, fds[1], false);
	ck_assert(!rig.console.clients[0].out.owned);
	rig_start(&rig);
	taken = rig_print_until_refused(&rig, many, MANY);
	ck_assert_uint_lt(taken, MANY);
	rig_stop(&rig);
	/* And what the pipe holds is what was printed. */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	for (ssize_t count; (count = read(fds[0], bytes, sizeof(bytes))) > 0; got += (size_t)count)
		ck_assert(!memcmp(bytes, many + got, (size_t)count));
	ck_assert_uint_gt(got, 4096);
}
END_TEST

START_TEST(blocking_input_does_not_block_the_loop)
{
	int fds[2];

	rig_pair(RIG_PIPE, fds);
	ck_assert_int_eq(write(fds[1], many, 100), 100);
	limit_fds(4);
	rig_init(&rig, fds[0], -1, false);
	ck_assert(!rig.console.clients[0].in.owned);
	rig_make_room(&rig, 16);
	rig_start(&rig);
	ck_assert(rig_wait_got(&rig, 16));
	usleep(10000);
	/* The chip takes the rest, and nothing more comes. */
	rig_make_room(&rig, 1000);
	ck_assert(rig_wait_got(&rig, 100));
	usleep(10000);
	rig_stop(&rig);
	ck_assert(!memcmp(rig.got, many, 100));
}
END_TEST

/* As under inetd, but with the one descriptor for both. */
START_TEST(one_socket_serves_both_ways)
{
	size_t taken;
	uint8_t bytes[4096];
	int fds[2];

	rig_pair(RIG_SOCKET, fds);
	rig_init(&rig, fds[0], fds[0], false);
	rig_make_room(&rig, 100);
	rig_start(&rig);
	ck_assert_int_eq(write(fds[1], "in", 2), 2);
	ck_assert(rig_wait_got(&rig, 2));
	/* More than the socket holds, so that the console has to wait for its reader. */
	taken = rig_print_until_refused(&rig, many, MANY);
	ck_assert_uint_lt(taken, MANY);
	rig_take(&rig, &rig.drains);
	for (size_t left = taken; left;) {
		struct pollfd ready = {.fd = fds[1], .events = POLLIN};
		ssize_t count;

		ck_assert_msg(poll(&ready, 1, 2000) == 1, "the output has stopped, %zu to go", left);
		count = read(fds[1], bytes, MIN(left, sizeof(bytes)));
		ck_assert_int_gt(count, 0);
		left -= (size_t)count;
	}
	ck_assert(rig_wait(&rig, &rig.drains));
}
END_TEST

/* A socket's far end is gone: no signal may reach the caller, who has not asked to ignore it. */
START_TEST(closed_socket_raises_no_signal)
{
	int fds[2];

	signal(SIGPIPE, SIG_DFL);
	rig_pair(RIG_SOCKET, fds);
	rig_init(&rig, -1, fds[1], false);
	close(fds[0]);
	rig_start(&rig);
	ck_assert(rig_print(&rig, many, 100));
	ck_assert(rig_wait(&rig, &rig.failures));
	ck_assert_int_eq(rig.failed, -EPIPE);
}
END_TEST

TCase *console_fds_tcase(void)
{
	TCase *tcase = tcase_create("descriptors");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 15);
	tcase_add_loop_test(tcase, flags_of_the_callers_descriptors_stay, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_loop_test(tcase, console_leaves_no_descriptor_behind, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_loop_test(tcase, descriptor_that_is_none_is_refused, 0, 2);
	tcase_add_test(tcase, blocking_output_does_not_block_the_loop);
	tcase_add_test(tcase, blocking_input_does_not_block_the_loop);
	tcase_add_test(tcase, one_socket_serves_both_ways);
	tcase_add_test(tcase, closed_socket_raises_no_signal);
	return tcase;
}
