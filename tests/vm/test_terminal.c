/* lodge run on a real terminal: a pty. */
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/files.h"
#include "lib/pty.h"
#include "vm/suites.h"

static struct pty pty;
static bool there;
static struct termios before; /* lodge ran */

static void start(void)
{
	files_setup();
	there = pty_open(&pty);
	if (!there)
		return;
	ck_assert_int_eq(tcgetattr(pty.slave, &before), 0);
	pty_start(&pty, (const char *const[]){command_lodge(), "run", NULL});
}

static void stop(void)
{
	pty_close(&pty);
	files_teardown();
}

START_TEST(keys_reach_the_guest_and_its_echo_comes_back_once)
{
	if (!there)
		return;
	ck_assert(pty_expect(&pty, "lodger> "));
	pty_type(&pty, "echo abc-def\r");
	ck_assert(pty_expect(&pty, "\nabc-def"));
	/* Typed once, answered once: the terminal itself did not echo. */
	ck_assert_ptr_null(strstr(strstr(pty.seen, "echo abc-def") + 1, "echo abc-def"));
	pty_type(&pty, "exit 4\r");
	ck_assert_int_eq(pty_finish(&pty), 4);
}
END_TEST

START_TEST(ctrl_c_goes_to_the_guest)
{
	if (!there)
		return;
	ck_assert(pty_expect(&pty, "lodger> "));
	pty_type(&pty, "\003");
	pty_type(&pty, "exit 6\r");
	ck_assert_int_eq(pty_finish(&pty), 6);
}
END_TEST

START_TEST(the_escape_stops_the_guest)
{
	if (!there)
		return;
	ck_assert(pty_expect(&pty, "lodger> "));
	pty_type(&pty, "\001x");
	ck_assert_int_eq(pty_finish(&pty), 115);
}
END_TEST

START_TEST(the_terminal_is_restored)
{
	struct termios during, after;

	if (!there)
		return;
	ck_assert(before.c_lflag & ICANON);
	ck_assert(pty_expect(&pty, "lodger> "));
	tcgetattr(pty.slave, &during);
	ck_assert(!(during.c_lflag & (ICANON | ECHO | ISIG)));
	kill(pty.pid, SIGTERM);
	ck_assert_int_eq(pty_finish(&pty), 115);
	tcgetattr(pty.slave, &after);
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
