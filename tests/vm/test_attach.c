/* The consoles of guests by name: lodge attach, logs, and `lodge run --name` on a terminal. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/named_guests.h"
#include "lib/pty.h"
#include "vm/suites.h"

START_TEST(logs_repeat_what_was_printed)
{
	struct command *follower = command_new();
	int fd;

	start("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_int_eq(command_call(command, "logs", "web", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "lodger: ready"));
	command_start(follower, (const char *const[]){command_lodge(), "logs", "-f", "web", NULL});
	ck_assert(command_expect(follower, "lodger> ", 20));
	say(fd, "echo later\r");
	ck_assert(command_expect(follower, "\nlater", 20));
	say(fd, "exit 0\r");
	ck_assert_int_eq(command_finish(follower, 30), 0);
	close(fd);
	free(follower);
}
END_TEST

START_TEST(attach_types_and_leaves_with_the_guests_status)
{
	start("web");
	command->input = "echo hello\rexit 9\r";
	command->keep_input = true;
	ck_assert_int_eq(command_call(command, "attach", "web", NULL), 9);
	ck_assert_ptr_nonnull(strstr(command->out, "\nhello"));
}
END_TEST

/* Its input ends at once, and it goes on until the guest ends. */
START_TEST(attach_bears_any_stdin)
{
	struct command *attached = command_new();
	int fd;

	start("web");
	attached->close_stdin = _i == 1;
	attached->input = _i == 2 ? "" : NULL;
	command_start(attached, (const char *const[]){command_lodge(), "attach", "web", NULL});
	ck_assert(command_expect(attached, "lodger> ", 20));
	fd = connect_console("web");
	say(fd, "exit 4\r");
	ck_assert_int_eq(command_finish(attached, 30), 4);
	close(fd);
	free(attached);
}
END_TEST

static struct pty pty;
static struct termios terminal_before;

static bool attach_pty(const char *name)
{
	start(name);
	if (!pty_open(&pty))
		return false;
	tcgetattr(pty.slave, &terminal_before);
	pty_start(&pty, (const char *const[]){command_lodge(), "attach", name, NULL});
	ck_assert(pty_expect(&pty, "lodger> "));
	return true;
}

static void check_terminal_restored(void)
{
	struct termios now;

	ck_assert_int_eq(tcgetattr(pty.slave, &now), 0);
	ck_assert_uint_eq(now.c_iflag, terminal_before.c_iflag);
	ck_assert_uint_eq(now.c_oflag, terminal_before.c_oflag);
	ck_assert_uint_eq(now.c_lflag, terminal_before.c_lflag);
}

START_TEST(ctrl_a_d_leaves_the_guest_running_and_attach_comes_back)
{
	if (!attach_pty("web"))
		return;
	pty_type(&pty, "echo once\r");
	ck_assert(pty_expect(&pty, "\nonce"));
	pty_type(&pty, "\001d");
	ck_assert_int_eq(pty_finish(&pty), 0);
	check_terminal_restored();
	pty_start(&pty, (const char *const[]){command_lodge(), "attach", "web", NULL});
	ck_assert(pty_expect(&pty, "\nonce")); /* what was printed before is shown again */
	pty_type(&pty, "exit 8\r");
	ck_assert_int_eq(pty_finish(&pty), 8);
	check_terminal_restored();
	pty_close(&pty);
}
END_TEST

START_TEST(ctrl_a_x_stops_the_guest_and_ctrl_a_h_tells_so)
{
	if (!attach_pty("web"))
		return;
	pty_type(&pty, "\001h");
	ck_assert(pty_expect(&pty, "Ctrl-A x"));
	pty_type(&pty, "\001x");
	ck_assert_int_eq(pty_finish(&pty), 115);
	check_terminal_restored();
	pty_close(&pty);
	ck_assert(nothing_is_left());
}
END_TEST

START_TEST(the_terminal_is_restored_when_the_guest_is_killed)
{
	int pid;

	if (!attach_pty("web"))
		return;
	pid = pid_of("web");
	kill(pid, SIGKILL);
	ck_assert_int_eq(pty_finish(&pty), 103);
	ck_assert_ptr_nonnull(strstr(pty.seen, "is gone"));
	check_terminal_restored();
	pty_close(&pty);
	ck_assert(is_gone(pid));
	ck_assert(nothing_is_left());
}
END_TEST

START_TEST(a_stopped_attach_restores_the_terminal_and_goes_on)
{
	struct termios now;
	int status;

	if (!attach_pty("web"))
		return;
	kill(pty.pid, SIGTSTP);
	ck_assert_int_eq(waitpid(pty.pid, &status, WUNTRACED), pty.pid);
	ck_assert(WIFSTOPPED(status));
	check_terminal_restored();
	kill(pty.pid, SIGCONT);
	for (int tries = 0; tries < 500 && (tcgetattr(pty.slave, &now), now.c_lflag & ICANON); tries++)
		usleep(10000);
	pty_type(&pty, "echo still here\r");
	ck_assert(pty_expect(&pty, "\nstill here"));
	kill(pty.pid, SIGTERM);
	ck_assert_int_eq(pty_finish(&pty), 115);
	check_terminal_restored();
	pty_close(&pty);
}
END_TEST

START_TEST(the_size_of_the_window_is_told)
{
	const struct winsize sizes[] = {{.ws_col = 91, .ws_row = 17}, {.ws_col = 44, .ws_row = 55}};

	if (!attach_pty("web"))
		return;
	for (unsigned i = 0; i < 2; i++) {
		char wanted[64];

		snprintf(wanted, sizeof(wanted), "\"console_columns\":%u,\"console_rows\":%u",
			sizes[i].ws_col, sizes[i].ws_row);
		/* The kernel sends SIGWINCH to the terminal's foreground processes. */
		ck_assert_int_eq(ioctl(pty.master, TIOCSWINSZ, &sizes[i]), 0);
		for (int tries = 0; tries < 500; tries++) {
			ask("web", "{\"command\": \"status\"}");
			if (strstr(seen, wanted))
				break;
			usleep(10000);
		}
		ck_assert_ptr_nonnull(strstr(seen, wanted));
	}
	pty_close(&pty);
}
END_TEST

START_TEST(a_named_guest_on_a_terminal_can_be_left_too)
{
	if (!pty_open(&pty))
		return;
	tcgetattr(pty.slave, &terminal_before);
	pty_start(&pty, (const char *const[]){command_lodge(), "run", "--name", "web", NULL});
	ck_assert(pty_expect(&pty, "lodger> "));
	pty_type(&pty, "\001d");
	ck_assert_int_eq(pty_finish(&pty), 0);
	check_terminal_restored();
	ck_assert_int_eq(command_call(command, "list", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "running"));
	pty_start(&pty, (const char *const[]){command_lodge(), "attach", "web", NULL});
	ck_assert(pty_expect(&pty, "lodger> "));
	pty_type(&pty, "exit 6\r");
	ck_assert_int_eq(pty_finish(&pty), 6);
	pty_close(&pty);
}
END_TEST

START_TEST(a_named_guest_that_is_not_left_behaves_as_any_other)
{
	if (!pty_open(&pty))
		return;
	pty_start(&pty, (const char *const[]){command_lodge(), "run", "--name", "web", NULL});
	ck_assert(pty_expect(&pty, "lodger> "));
	if (_i == 0) {
		pty_type(&pty, "exit 6\r");
		ck_assert_int_eq(pty_finish(&pty), 6);
	} else {
		kill(pty.pid, SIGTERM);
		ck_assert_int_eq(pty_finish(&pty), 115);
	}
	pty_close(&pty);
	ck_assert(nothing_is_left());
}
END_TEST

START_TEST(a_named_guest_off_a_terminal_has_its_console_there_and_its_name)
{
	command->input = "echo here\r";
	command->keep_input = true;
	command_start(command, (const char *const[]){command_lodge(), "run", "--name", "web", NULL});
	ck_assert(command_expect(command, "\nhere", 30));
	ask("web", "{\"command\": \"status\"}");
	ck_assert_ptr_nonnull(strstr(seen, "running"));
	command_send(command, "exit 2\r", 7);
	ck_assert_int_eq(command_finish(command, 30), 2);
}
END_TEST

Suite *attach_suite(void)
{
	Suite *suite = suite_create("attach");
	TCase *console = tcase_create("console");
	TCase *const all[] = {console};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		tcase_add_checked_fixture(all[i], named_setup, named_teardown);
		tcase_set_timeout(all[i], 120);
		suite_add_tcase(suite, all[i]);
	}
	tcase_add_test(console, logs_repeat_what_was_printed);
	tcase_add_test(console, attach_types_and_leaves_with_the_guests_status);
	tcase_add_loop_test(console, attach_bears_any_stdin, 0, 3);
	tcase_add_test(console, ctrl_a_d_leaves_the_guest_running_and_attach_comes_back);
	tcase_add_test(console, ctrl_a_x_stops_the_guest_and_ctrl_a_h_tells_so);
	tcase_add_test(console, the_terminal_is_restored_when_the_guest_is_killed);
	tcase_add_test(console, a_stopped_attach_restores_the_terminal_and_goes_on);
	tcase_add_test(console, the_size_of_the_window_is_told);
	tcase_add_test(console, a_named_guest_on_a_terminal_can_be_left_too);
	tcase_add_loop_test(console, a_named_guest_that_is_not_left_behaves_as_any_other, 0, 2);
	tcase_add_test(console, a_named_guest_off_a_terminal_has_its_console_there_and_its_name);
	return suite;
}
