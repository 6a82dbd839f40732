/* lodge run on a real terminal: a pty. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/files.h"
#include "vm/suites.h"

static int master, slave;
static pid_t pid;
static char seen[65536];
static size_t seen_len;

static void start(void)
{
	files_setup();
	seen_len = 0;
	master = slave = pid = -1;
	if (openpty(&master, &slave, NULL, NULL, NULL))
		return;
	pid = fork();
	if (!pid) {
		close(master);
		login_tty(slave);
		execl(command_lodge(), "lodge", "run", NULL);
		_exit(127);
	}
}

static void stop(void)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (master >= 0) {
		close(master);
		close(slave);
	}
	files_teardown();
}

/* A bare chroot may have no /dev/pts. */
static bool no_terminal(void)
{
	if (master < 0)
		printf("SKIPPED: terminal: no pty can be had: is /dev/pts mounted?\n");
	return master < 0;
}

static bool expect(const char *text)
{
	for (int tries = 0; tries < 200; tries++) {
		struct pollfd fd = {.fd = master, .events = POLLIN};
		ssize_t count;

		if (strstr(seen, text))
			return true;
		if (poll(&fd, 1, 100) <= 0)
			continue;
		count = read(master, seen + seen_len, sizeof(seen) - 1 - seen_len);
		if (count > 0)
			seen_len += (size_t)count;
		seen[seen_len] = '\0';
	}
	return false;
}

static void type(const char *text)
{
	ck_assert_int_eq(write(master, text, strlen(text)), (ssize_t)strlen(text));
}

static int finish(void)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(keys_reach_the_guest_and_its_echo_comes_back_once)
{
	if (no_terminal())
		return;
	ck_assert(expect("lodger> "));
	type("echo abc-def\r");
	ck_assert(expect("\nabc-def"));
	/* Typed once, answered once: the terminal itself did not echo. */
	ck_assert_ptr_null(strstr(strstr(seen, "echo abc-def") + 1, "echo abc-def"));
	type("exit 4\r");
	ck_assert_int_eq(finish(), 4);
}
END_TEST

START_TEST(ctrl_c_goes_to_the_guest)
{
	if (no_terminal())
		return;
	ck_assert(expect("lodger> "));
	type("\003");
	type("exit 6\r");
	ck_assert_int_eq(finish(), 6);
}
END_TEST

START_TEST(the_escape_stops_the_guest)
{
	if (no_terminal())
		return;
	ck_assert(expect("lodger> "));
	type("\001x");
	ck_assert_int_eq(finish(), 115);
}
END_TEST

START_TEST(the_terminal_is_restored)
{
	struct termios before, during, after;

	if (no_terminal())
		return;
	ck_assert_int_eq(tcgetattr(slave, &before), 0);
	ck_assert(before.c_lflag & ICANON);
	ck_assert(expect("lodger> "));
	tcgetattr(slave, &during);
	ck_assert(!(during.c_lflag & (ICANON | ECHO | ISIG)));
	kill(pid, SIGTERM);
	ck_assert_int_eq(finish(), 115);
	tcgetattr(slave, &after);
	ck_assert_uint_eq(before.c_iflag, after.c_iflag);
	ck_assert_uint_eq(before.c_oflag, after.c_oflag);
	ck_assert_uint_eq(before.c_cflag, after.c_cflag);
	ck_assert_uint_eq(before.c_lflag, after.c_lflag);
	ck_assert_mem_eq(before.c_cc, after.c_cc, sizeof(before.c_cc));
}
END_TEST

Suite *terminal_suite(void)
{
	Suite *suite = suite_create("terminal");
	TCase *tcase = tcase_create("pty");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, keys_reach_the_guest_and_its_echo_comes_back_once);
	tcase_add_test(tcase, ctrl_c_goes_to_the_guest);
	tcase_add_test(tcase, the_escape_stops_the_guest);
	tcase_add_test(tcase, the_terminal_is_restored);
	suite_add_tcase(suite, tcase);
	return suite;
}
