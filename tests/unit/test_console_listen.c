/* The console's listening sockets, and the connections that come and go. */
#include "console_rig.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/files.h"
#include "util/bytes.h"
#include "util/clock.h"
#include "util/error.h"

#define LARGE 3000000

static struct rig rig;
static uint8_t large[LARGE];
static int listener;
static struct sockaddr_un address;
static socklen_t address_len;

/* A console that listens at an abstract name, so that who connects needs no right to a file. */
static void setup(void)
{
	struct console_end end = {.kind = CONSOLE_LISTEN, .out = -1, .escape = true};

	signal(SIGPIPE, SIG_IGN);
	rig_pattern(large, sizeof(large));
	address.sun_family = AF_UNIX;
	address_len = sizeof(address);
	listener = end.in = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &address_len), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
	rig_init_ends(&rig, &end, 1);
}

static void teardown(void)
{
	rig_fini(&rig);
}

static int join(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, address_len), 0);
	return fd;
}

static void print(const char *text)
{
	ck_assert(rig_print(&rig, (const uint8_t *)text, strlen(text)));
}

START_TEST(late_connection_gets_what_was_printed_before_and_what_follows)
{
	int first, second;

	rig_start(&rig);
	print("early ");
	first = join();
	rig_expect_text(first, "early ");
	print("later ");
	rig_expect_text(first, "later ");
	second = join();
	rig_expect_text(second, "early later ");
	print("end");
	rig_expect_text(first, "end");
	rig_expect_text(second, "end");
}
END_TEST

START_TEST(very_late_connection_gets_what_is_kept)
{
	int fd;

	rig_start(&rig);
	ck_assert(rig_print(&rig, large, LARGE));
	fd = join();
	rig_expect_bytes(fd, large + LARGE - CONSOLE_RING_SIZE, CONSOLE_RING_SIZE);
	print("and this");
	rig_expect_text(fd, "and this");
}
END_TEST

START_TEST(half_closed_connection_still_reads)
{
	int fd;

	rig_make_room(&rig, 100);
	rig_start(&rig);
	fd = join();
	ck_assert_int_eq(write(fd, "typed", 5), 5);
	shutdown(fd, SHUT_WR);
	ck_assert(rig_wait_got(&rig, 5));
	usleep(20000);
	print("and answered");
	rig_expect_text(fd, "and answered");
	rig_stop(&rig);
	ck_assert_int_ge(rig.console.clients[CONSOLE_ENDS_MAX].out.source.fd, 0);
	ck_assert_int_lt(rig.console.clients[CONSOLE_ENDS_MAX].in.source.fd, 0);
}
END_TEST

START_TEST(typing_reaches_the_chip_after_the_typist_has_left)
{
	char typed[3000];
	int fd = join();

	for (unsigned i = 0; i < sizeof(typed); i++)
		typed[i] = (char)('a' + i % 23);
	ck_assert_int_eq(write(fd, typed, sizeof(typed)), sizeof(typed));
	close(fd);
	rig_start(&rig);
	for (unsigned room = 500; room <= 3000; room += 500) {
		rig_make_room(&rig, 500);
		ck_assert(rig_wait_got(&rig, room));
	}
	ck_assert_mem_eq(rig.got, typed, sizeof(typed));
}
END_TEST

START_TEST(connection_has_the_listeners_escape)
{
	int fd;

	rig_start(&rig);
	fd = join();
	ck_assert_int_eq(write(fd, "\001x", 2), 2);
	ck_assert(rig_wait(&rig, &rig.stops));
}
END_TEST

static unsigned connections(void)
{
	unsigned count = 0;

	for (unsigned i = CONSOLE_ENDS_MAX; i < ARRAY_SIZE(rig.console.clients); i++)
		count += rig.console.clients[i].out.source.fd >= 0;
	return count;
}

START_TEST(thirty_third_connection_is_hung_up_on)
{
	int fds[CONSOLE_CONNECTIONS_MAX], one_more;

	rig_start(&rig);
	print("here");
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = join();
		rig_expect_text(fds[i], "here");
	}
	one_more = join();
	rig_expect_end(one_more);
	close(one_more);
	close(fds[7]);
	/* A place is free once the console has seen that. */
	for (unsigned tries = 0; tries < 1000; tries++) {
		struct pollfd ready = {.events = POLLIN};
		char text[8] = "";

		ready.fd = one_more = join();
		ck_assert_int_eq(poll(&ready, 1, RIG_SECONDS * 1000), 1);
		if (read(one_more, text, sizeof(text)) == 4)
			break;
		close(one_more);
		usleep(5000);
	}
	print(" still");
	rig_expect_text(one_more, " still");
	rig_expect_text(fds[31], " still");
	rig_stop(&rig);
	ck_assert_uint_eq(connections(), CONSOLE_CONNECTIONS_MAX);
}
END_TEST

/* With a guest that neither prints nor takes input: no write shows who has gone. */
START_TEST(who_hangs_up_leaves_a_place_behind)
{
	unsigned fds = files_open_fds();

	rig_start(&rig);
	for (unsigned i = 0; i < 5 * CONSOLE_CONNECTIONS_MAX; i++) {
		int fd = join();

		if (i % 2)
			ck_assert_int_eq(write(fd, large, 1 + i), 1 + i);
		close(fd);
	}
	for (unsigned tries = 0; tries < 1000 && files_open_fds() > fds + 2 * CONSOLE_CONNECTIONS_MAX;
		tries++)
		usleep(2000);
	print("hello");
	rig_expect_text(join(), "hello");
}
END_TEST

START_TEST(console_closes_its_connections)
{
	unsigned fds = files_open_fds();
	int fd;

	rig_start(&rig);
	fd = join();
	print("bye");
	rig_expect_text(fd, "bye");
	rig_stop(&rig);
	console_fini(&rig.console);
	rig_expect_end(fd);
	close(fd);
	/* Without the ring's thread and its wake-up, but with the listener, which is the caller's. */
	ck_assert_uint_le(files_open_fds(), fds);
	ck_assert_int_eq(listen(listener, 1), 0);
}
END_TEST

/* Who may connect */

static bool skipped_unless_root(void)
{
	if (geteuid() != 0)
		printf("SKIPPED: only root can be another user\n");
	return geteuid() != 0;
}

START_TEST(another_user_is_hung_up_on)
{
	int status;
	pid_t pid;

	if (skipped_unless_root())
		return;
	rig_make_room(&rig, 100);
	print("secret");
	rig_start(&rig);
	pid = fork();
	if (!pid) {
		char byte;

		if (setgid(65534) || setuid(65534))
			_exit(1);
		status = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(status, (struct sockaddr *)&address, address_len))
			_exit(2);
		(void)!write(status, "x", 1);
		/* Unread input makes it a reset. */
		_exit(read(status, &byte, 1) > 0 ? 3 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	rig_expect_text(join(), "secret");
	rig_stop(&rig);
	ck_assert_uint_eq(rig.got_len, 0);
}
END_TEST

START_TEST(root_and_the_same_user_are_let_in)
{
	int root, same;

	if (skipped_unless_root())
		return;
	print("public");
	root = join();
	ck_assert_int_eq(seteuid(65534), 0);
	same = join();
	rig_start(&rig);
	rig_expect_text(root, "public");
	rig_expect_text(same, "public");
	rig_stop(&rig);
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* Failures */

START_TEST(what_does_not_listen_is_refused)
{
	struct console_config config = {
		.loop = &rig.loop, .ends = {{.kind = CONSOLE_LISTEN}}, .end_count = 1};
	struct console *console = calloc(1, sizeof(*console));
	struct error error;
	int fds[2];

	rig_pair((enum rig_kind)_i, fds);
	config.ends[0].in = fds[0];
	ck_assert_int_eq(console_init(console, &config, &error), _i == RIG_PIPE ? -ENOTSOCK : -EINVAL);
	ck_assert(!strncmp(error.text, "console 0: ", 11));
	free(console);
}
END_TEST

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

START_TEST(without_a_descriptor_it_waits_and_does_not_spin)
{
	struct rlimit limit, before;
	int fd = join();
	double start;

	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	limit.rlim_cur = 3; /* all that are open have higher numbers, or are the standard ones */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	print("patience");
	rig_start(&rig);
	start = cpu_seconds();
	usleep(500000);
	ck_assert_msg(cpu_seconds() - start < 0.1, "%g s of CPU time", cpu_seconds() - start);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	rig_expect_text(fd, "patience");
	rig_expect_text(join(), "patience");
}
END_TEST

/* Everything at once: 50 MB, for a reader that is quick, one that is slow, one that never reads, and passers-by. */

#define FLOW 50000000
#define END  "the end"

struct reader {
	unsigned pause_us;
	pthread_t thread;
	size_t len;
	size_t in_order; /* of these from the first byte on */
	uint8_t last[1000];
};

/* Reads until the end has come. */
static void *follow(void *ctx)
{
	struct reader *reader = ctx;
	const size_t size = sizeof(reader->last);
	uint8_t bytes[65536];
	int fd = join();

	while (memcmp(reader->last + size - strlen(END), END, strlen(END)) != 0) {
		ssize_t count = read(fd, bytes, sizeof(bytes));
		size_t len = (size_t)count, keep = MIN(len, size);

		ck_assert_int_gt(count, 0);
		if (reader->in_order == reader->len) {
			for (size_t i = 0; i < len && bytes[i] == large[reader->in_order % LARGE]; i++)
				reader->in_order++;
		}
		reader->len += len;
		memmove(reader->last, reader->last + keep, size - keep);
		memcpy(reader->last + size - keep, bytes + len - keep, keep);
		usleep(reader->pause_us);
	}
	close(fd);
	return NULL;
}

static atomic_bool passing;

static void *pass_by(void *ctx)
{
	(void)ctx;
	while (atomic_load(&passing)) {
		char bytes[1000];
		int fd = join();

		/* A hurry: the places of those before may not be free yet. */
		(void)!read(fd, bytes, sizeof(bytes));
		(void)!write(fd, "typed", 5);
		close(fd);
	}
	return NULL;
}

START_TEST(fifty_megabytes_reach_who_reads_and_wait_for_nobody)
{
	static struct reader readers[2] = {{.pause_us = 0}, {.pause_us = 2000}};
	pthread_t passer;
	int never = join();

	rig_make_room(&rig, 100000000);
	rig_start(&rig);
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&readers[i].thread, NULL, follow, &readers[i]);
	atomic_store(&passing, true);
	pthread_create(&passer, NULL, pass_by, NULL);
	for (size_t at = 0; at < FLOW; at += 1000)
		ck_assert_uint_eq(rig.sink.write(rig.sink.ctx, large + at % LARGE, 1000), 1000);
	print(END);
	atomic_store(&passing, false);
	pthread_join(passer, NULL);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(readers[i].thread, NULL);
		/* Every byte; or it was overtaken, and has all that was kept then. */
		ck_assert_uint_ge(readers[i].len, CONSOLE_RING_SIZE);
		if (readers[i].in_order != FLOW)
			ck_assert_uint_lt(readers[i].len, FLOW);
		ck_assert_mem_eq(
			readers[i].last, large + FLOW % LARGE - (1000 - strlen(END)), 1000 - strlen(END));
	}
	close(never);
}
END_TEST

TCase *console_listen_tcase(void)
{
	TCase *tcase = tcase_create("listen");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, late_connection_gets_what_was_printed_before_and_what_follows);
	tcase_add_test(tcase, very_late_connection_gets_what_is_kept);
	tcase_add_test(tcase, half_closed_connection_still_reads);
	tcase_add_test(tcase, typing_reaches_the_chip_after_the_typist_has_left);
	tcase_add_test(tcase, connection_has_the_listeners_escape);
	tcase_add_test(tcase, thirty_third_connection_is_hung_up_on);
	tcase_add_test(tcase, who_hangs_up_leaves_a_place_behind);
	tcase_add_test(tcase, console_closes_its_connections);
	tcase_add_test(tcase, another_user_is_hung_up_on);
	tcase_add_test(tcase, root_and_the_same_user_are_let_in);
	tcase_add_loop_test(tcase, what_does_not_listen_is_refused, RIG_PIPE, RIG_SOCKET + 1);
	tcase_add_test(tcase, without_a_descriptor_it_waits_and_does_not_spin);
	tcase_add_test(tcase, fifty_megabytes_reach_who_reads_and_wait_for_nobody);
	return tcase;
}
