/* What the commands for guests by name promise beyond their plain use, which is in test_guests.c. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/files.h"
#include "lib/named_guests.h"
#include "lib/pty.h"
#include "util/clock.h"
#include "vm/suites.h"

/* stop */

START_TEST(stop_waits_for_the_time_of_grace)
{
	uint64_t before;
	int fd;

	ck_assert_int_eq(
		command_call(command, "run", "--detach", "--name", "web", "--append", "nobutton", NULL), 0);
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	before = clock_ns();
	ask("web", "{\"command\": \"stop\", \"grace_ms\": 600000}");
	ck_assert_ptr_nonnull(strstr(seen, "\"ok\":true"));
	ask("web", "{\"command\": \"status\"}");
	ck_assert_ptr_nonnull(strstr(seen, "\"state\":\"stopping\""));
	/* Who asks again chooses again. */
	ck_assert_int_eq(command_call(command, "stop", "--grace", "1.5", "web", NULL), 0);
	ck_assert_uint_ge(clock_ns() - before, 1500000000u);
	close(fd);
}
END_TEST

START_TEST(stop_of_several_tells_what_went_wrong_and_stops_the_rest)
{
	start("web");
	ck_assert_int_eq(command_call(command, "stop", "--now", "nobody", "web", NULL), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "'nobody'"));
	ck_assert_str_eq(command->out, "web: stopped\n");
	ck_assert_int_eq(rmdir(runtime_dir), 0); /* nothing is left, nor has anybody to remove it */
}
END_TEST

START_TEST(stop_takes_a_grace_of_a_day_at_most)
{
	ck_assert_int_eq(command_call(command, "stop", "--grace", "86401", "nobody", NULL), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "up to a day"));
	ck_assert_int_eq(command_call(command, "stop", "--grace", "86400", "nobody", NULL), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "'nobody'"));
}
END_TEST

/* run --detach */

static void check_fd_is_null(int pid, int number)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number);
	ck_assert_int_gt(readlink(path, target, sizeof(target) - 1), 0);
	ck_assert_str_eq(target, "/dev/null");
}

START_TEST(a_detached_guest_has_nothing_of_its_callers)
{
	command->input = ""; /* a pipe */
	start("web");
	for (int number = 0; number <= 2; number++)
		check_fd_is_null(pid_of("web"), number);
}
END_TEST

static bool file_gets(const char *path, const char *text)
{
	char has[4096] = "";

	for (int tries = 0; tries < 300 && !strstr(has, text); tries++) {
		int fd = open(path, O_RDONLY);

		usleep(100000);
		ck_assert_int_ge(read(fd, has, sizeof(has) - 1), 0);
		close(fd);
	}
	return strstr(has, text);
}

START_TEST(a_detached_guest_goes_on_writing_to_its_log)
{
	static const char script[] =
		"exec \"$0\" run --detach --name web --verbose --append 'run=exit 5' 2>log";

	command_start(command, (const char *const[]){"/bin/sh", "-c", script, command_lodge(), NULL});
	ck_assert_int_eq(command_finish(command, 60), 0);
	ck_assert(file_gets("log", "status 5"));
}
END_TEST

START_TEST(a_named_guest_on_a_terminal_tells_there_how_it_ended)
{
	static struct pty pty;

	if (!pty_open(&pty))
		return;
	pty_start(&pty, (const char *const[]){command_lodge(), "run", "--verbose", "--name", "web", NULL});
	ck_assert(pty_expect(&pty, "lodger> "));
	pty_type(&pty, "exit 6\r");
	ck_assert(pty_expect(&pty, "status 6"));
	ck_assert_int_eq(pty_finish(&pty), 6);
	pty_close(&pty);
}
END_TEST

START_TEST(a_named_guest_that_is_killed_leaves_its_terminal_with_103)
{
	static struct pty pty;

	if (!pty_open(&pty))
		return;
	pty_start(&pty, (const char *const[]){command_lodge(), "run", "--name", "web", NULL});
	ck_assert(pty_expect(&pty, "lodger> "));
	kill(pid_of("web"), SIGKILL);
	ck_assert_int_eq(pty_finish(&pty), 103);
	ck_assert_ptr_nonnull(strstr(pty.seen, "was killed"));
	pty_close(&pty);
}
END_TEST

/* The console */

START_TEST(logs_have_the_very_bytes)
{
	static const char bytes[] = "one \xe4\xff\xc3\xa4 two";
	int fd;

	start("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	say(fd, "echo ");
	say(fd, bytes);
	say(fd, "\r");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_int_eq(command_call(command, "logs", "web", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, bytes));
	ask("web", "{\"command\": \"logs\"}");
	ck_assert_ptr_nonnull(strstr(seen, "one \xc3\xa4\xc3\xbf\xc3\x83\xc2\xa4 two")); /* UTF-8 of each */
	ask("web", "{\"command\": \"logs\", \"bytes\": 6}");
	ck_assert_str_eq(seen, "{\"ok\":true,\"result\":{\"text\":\"dger> \"}}");
	close(fd);
}
END_TEST

START_TEST(a_size_that_is_told_reaches_a_pty)
{
	struct winsize size = {0};
	const char *at;
	int fd;

	if (access("/dev/pts/ptmx", F_OK)) {
		printf("SKIPPED: a_size_that_is_told_reaches_a_pty: there is no /dev/pts\n");
		return;
	}
	ck_assert_int_eq(
		command_call(command, "run", "--detach", "--name", "web", "--console", "pty", NULL), 0);
	at = strstr(command->err, "/dev/pts/");
	ck_assert_ptr_nonnull(at);
	*strchr(at, '\n') = '\0';
	fd = open(at, O_RDWR | O_NOCTTY);
	ck_assert_int_ge(fd, 0);
	ask("web", "{\"command\": \"console-size\", \"columns\": 91, \"rows\": 17}");
	for (int tries = 0; tries < 500 && size.ws_col != 91; tries++) {
		usleep(10000);
		ck_assert_int_eq(ioctl(fd, TIOCGWINSZ, &size), 0);
	}
	ck_assert_uint_eq(size.ws_col, 91);
	ck_assert_uint_eq(size.ws_row, 17);
	close(fd);
}
END_TEST

START_TEST(ctrl_a_reaches_the_guest_when_typed_twice_or_not_on_a_terminal)
{
	static struct pty pty;
	int fd;

	start("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	if (_i == 0) {
		command->input = "echo <\001d>\r";
		command->keep_input = true;
		command_start(command, (const char *const[]){command_lodge(), "attach", "web", NULL});
	} else {
		if (!pty_open(&pty))
			return;
		pty_start(&pty, (const char *const[]){command_lodge(), "attach", "web", NULL});
		ck_assert(pty_expect(&pty, "lodger> "));
		pty_type(&pty, _i == 1 ? "echo <\001\001d>\r" : "echo <\001ad>\r");
	}
	ck_assert(hear(fd, "\n<d>")); /* lodger passes over the ^A, */
	ask("web", "{\"command\": \"stats\"}");
	ck_assert_ptr_nonnull(strstr(seen, "\"console_bytes_in\":10,")); /* but it was there */
	say(fd, "exit 3\r");
	ck_assert_int_eq(_i ? pty_finish(&pty) : command_finish(command, 60), 3);
	close(fd);
}
END_TEST

/* set */

START_TEST(a_rate_for_all_disks_holds_back_the_last_after_a_reset_too)
{
	int fd;

	files_make("one", 1 << 20);
	files_make("two", 1 << 20);
	ck_assert_int_eq(command_call(command, "run", "--detach", "--name", "web", "--disk", "path=one",
				 "--disk", "path=two", NULL),
		0);
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_int_eq(command_call(command, "set", "web", "disk-rate=bytes=1K", NULL), 0);
	ck_assert_int_eq(command_call(command, "reset", "web", NULL), 0);
	ck_assert(hear(fd, "lodger> "));
	say(fd, "blk write 1 0 a\rblk write 1 0 a\rblk write 1 0 a\recho do%ne\r");
	ck_assert(hear(fd, "\ndo%ne"));
	ck_assert_int_eq(command_call(command, "stats", "--json", "web", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "\"throttled_us\":0")); /* the first one's */
	ck_assert_ptr_null(strstr(strstr(command->out, "\"throttled_us\":") + 15, "\"throttled_us\":0"));
	close(fd);
}
END_TEST

/* Who may */

static int connect_raw(const char *file)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/web/%s", runtime_dir, file);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -1 : fd;
}

/* Another user connects and asks: 0 where that is no use. */
static int try_as_another_user(void)
{
	static const char *const files[] = {"control", "console"};

	if (setgid(65534) || setuid(65534))
		return 99;
	for (unsigned i = 0; i < 2; i++) {
		int fd = connect_raw(files[i]);
		char byte;

		if (fd < 0 && errno != EACCES)
			return 98;
		if (fd >= 0)
			(void)!send(fd, "{}\n", 3, MSG_NOSIGNAL);
		if (fd >= 0 && read(fd, &byte, 1) > 0)
			return 1 + (int)i;
	}
	return 0;
}

/* As if its owner had opened the directories on the way, and then the sockets: these know themselves who comes. */
START_TEST(another_user_gets_no_word)
{
	char path[128];
	struct stat st;
	pid_t pid;
	int status;

	if (geteuid()) {
		printf("SKIPPED: another_user_gets_no_word: only root can become another user\n");
		return;
	}
	start("web");
	snprintf(path, sizeof(path), "%s/web/control", runtime_dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	chmod(path, 0666);
	snprintf(path, sizeof(path), "%s/web/console", runtime_dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	chmod(path, 0666);
	snprintf(path, sizeof(path), "%s/web", runtime_dir);
	chmod(path, 0755);
	chmod(runtime_dir, 0755);
	chmod(".", 0755);
	pid = fork();
	if (!pid)
		_exit(try_as_another_user());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	chmod(runtime_dir, 0700);
}
END_TEST

Suite *commands_suite(void)
{
	Suite *suite = suite_create("commands");
	TCase *tcase = tcase_create("commands");

	tcase_add_checked_fixture(tcase, named_setup, named_teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, stop_waits_for_the_time_of_grace);
	tcase_add_test(tcase, stop_of_several_tells_what_went_wrong_and_stops_the_rest);
	tcase_add_test(tcase, stop_takes_a_grace_of_a_day_at_most);
	tcase_add_test(tcase, a_detached_guest_has_nothing_of_its_callers);
	tcase_add_test(tcase, a_detached_guest_goes_on_writing_to_its_log);
	tcase_add_test(tcase, a_named_guest_on_a_terminal_tells_there_how_it_ended);
	tcase_add_test(tcase, a_named_guest_that_is_killed_leaves_its_terminal_with_103);
	tcase_add_test(tcase, logs_have_the_very_bytes);
	tcase_add_test(tcase, a_size_that_is_told_reaches_a_pty);
	tcase_add_loop_test(tcase, ctrl_a_reaches_the_guest_when_typed_twice_or_not_on_a_terminal, 0, 3);
	tcase_add_test(tcase, a_rate_for_all_disks_holds_back_the_last_after_a_reset_too);
	tcase_add_test(tcase, another_user_gets_no_word);
	suite_add_tcase(suite, tcase);
	return suite;
}
