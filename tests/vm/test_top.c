/* lodge top on a terminal, beside two guests. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "lib/command_fixture.h"
#include "lib/files.h"
#include "lib/pty.h"
#include "vm/suites.h"

#define LONG_NAME "top-b-with-a-name-that-80-columns-cannot-hold"

static struct pty pty;
static struct termios before;
static bool there;

static void start_guest(const char *name)
{
	ck_assert_msg(!command_call(command, "run", "--detach", "--name", name, "-m", "32M", NULL), "%s",
		command->err);
}

static void resize(unsigned short columns, unsigned short rows)
{
	const struct winsize size = {.ws_row = rows, .ws_col = columns};

	ck_assert_int_eq(ioctl(pty.master, TIOCSWINSZ, &size), 0);
}

static void start(void)
{
	command_setup();
	setenv("TERM", "xterm", 1);
	start_guest("top-a");
	start_guest(LONG_NAME);
	there = pty_open(&pty);
	if (!there)
		return;
	tcgetattr(pty.slave, &before);
	resize(80, 24);
	pty_start(&pty, (const char *const[]){command_lodge(), "top", "--every", "0.2", NULL});
}

static void stop(void)
{
	pty_close(&pty);
	command_call(command, "stop", "--all", "--now", NULL);
	command_teardown();
}

/* Types, and waits for what is shown after that. */
static bool after_typing(const char *keys, const char *text)
{
	pty.seen_len = 0;
	pty.seen[0] = '\0';
	pty_type(&pty, keys);
	return pty_expect(&pty, text);
}

static void expect_restored(void)
{
	struct termios after;

	tcgetattr(pty.slave, &after);
	ck_assert_uint_eq(before.c_iflag, after.c_iflag);
	ck_assert_uint_eq(before.c_oflag, after.c_oflag);
	ck_assert_uint_eq(before.c_lflag, after.c_lflag);
	ck_assert(pty_expect(&pty, "\033[?1049l")); /* back to the screen that was there */
}

START_TEST(all_guests_are_shown)
{
	if (!there)
		return;
	ck_assert(pty_expect(&pty, "2 guests, 2 running"));
	ck_assert(pty_expect(&pty, "top-a    running"));
	ck_assert(pty_expect(&pty, "q quit"));
	pty_type(&pty, "q");
	ck_assert_int_eq(pty_finish(&pty), 0);
	expect_restored();
}
END_TEST

START_TEST(selected_guest_is_paused_and_resumed)
{
	if (!there)
		return;
	ck_assert(pty_expect(&pty, "2 guests, 2 running"));
	ck_assert(after_typing("np", "paused"));
	ck_assert(after_typing("p", "running"));
	pty_type(&pty, "q");
	ck_assert_int_eq(pty_finish(&pty), 0);
}
END_TEST

START_TEST(attach_comes_back)
{
	if (!there)
		return;
	ck_assert(pty_expect(&pty, "2 guests, 2 running"));
	/* Sorted by name, one down. */
	ck_assert(after_typing("n\033OBa", "this is " LONG_NAME "'s console"));
	ck_assert(pty_expect(&pty, "lodger> "));
	ck_assert(after_typing("\001d", "detached"));
	ck_assert(pty_expect(&pty, "2 guests"));
	pty_type(&pty, "q");
	ck_assert_int_eq(pty_finish(&pty), 0);
	expect_restored();
}
END_TEST

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

START_TEST(signal_restores_the_terminal)
{
	if (!there)
		return;
	ck_assert(pty_expect(&pty, "q quit"));
	kill(pty.pid, signals[_i]);
	ck_assert_int_eq(pty_finish(&pty), 115);
	expect_restored();
}
END_TEST

START_TEST(signal_while_attached_ends_both)
{
	if (!there)
		return;
	ck_assert(pty_expect(&pty, "2 guests, 2 running"));
	ck_assert(after_typing("a", "'s console"));
	kill(pty.pid, SIGTERM);
	ck_assert_int_eq(pty_finish(&pty), 115);
	expect_restored();
}
END_TEST

START_TEST(table_fits_a_terminal_that_changes)
{
	if (!there)
		return;
	ck_assert(pty_expect(&pty, "top-b-wi running"));
	resize(150, 8);
	ck_assert(pty_expect(&pty, LONG_NAME));
	pty_type(&pty, "q");
	ck_assert_int_eq(pty_finish(&pty), 0);
}
END_TEST

START_TEST(without_a_terminal_it_is_one_table)
{
	const char *at;

	ck_assert_int_eq(command_call(command, "top", "--sort", "name", NULL), 0);
	ck_assert_str_eq(command->err, "");
	at = strstr(command->out, "2 guests, 2 running");
	ck_assert_ptr_nonnull(at);
	at = strstr(at, "\ntop-a ");
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_nonnull(strstr(at, "\n" LONG_NAME " running"));
	ck_assert_int_eq(command_call(command, "top", "-n", "3", "--every", "0.01", NULL), 0);
	at = command->out;
	for (int i = 0; i < 3; i++) {
		at = strstr(at, "2 guests");
		ck_assert_ptr_nonnull(at++);
	}
	ck_assert_ptr_null(strstr(at, "2 guests"));
}
END_TEST

Suite *top_suite(void)
{
	Suite *suite = suite_create("top");
	TCase *tcase = tcase_create("top");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, all_guests_are_shown);
	tcase_add_test(tcase, selected_guest_is_paused_and_resumed);
	tcase_add_test(tcase, attach_comes_back);
	tcase_add_loop_test(tcase, signal_restores_the_terminal, 0, 3);
	tcase_add_test(tcase, signal_while_attached_ends_both);
	tcase_add_test(tcase, table_fits_a_terminal_that_changes);
	tcase_add_test(tcase, without_a_terminal_it_is_one_table);
	suite_add_tcase(suite, tcase);
	return suite;
}
