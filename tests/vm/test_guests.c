/* The hotel: guests by name, started, looked at, steered and stopped through the command line and the sockets. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/files.h"
#include "lib/named_guests.h"
#include "lib/process.h"
#include "vm/suites.h"

#define GUESTS_MAX 100

/* Starting and ending */

START_TEST(a_detached_guest_runs_when_the_command_returns)
{
	start("web");
	ck_assert_int_eq(command_call(command, "list", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "web"));
	ck_assert_ptr_nonnull(strstr(command->out, "running"));
	ck_assert_ptr_nonnull(strstr(command->out, "32 MiB"));
	ask("web", "{\"command\": \"status\"}");
	ck_assert_ptr_nonnull(strstr(seen,
		"\"name\":\"web\",\"state\":\"running\",\"kernel\":\"lodger\",\"cpus\":1,\"memory\":33554432"));
}
END_TEST

START_TEST(names_are_made_up_where_none_is_given)
{
	ck_assert_int_eq(command_call(command, "run", "--detach", NULL), 0);
	ck_assert_str_eq(command->out, "lodger-1\n");
	ck_assert_int_eq(command_call(command, "run", "--detach", NULL), 0);
	ck_assert_str_eq(command->out, "lodger-2\n");
	ck_assert_int_eq(command_call(command, "stop", "--now", "lodger-1", NULL), 0);
	ck_assert_int_eq(command_call(command, "run", "--detach", NULL), 0);
	ck_assert_str_eq(command->out, "lodger-1\n");
}
END_TEST

START_TEST(a_name_is_had_once)
{
	start("web");
	ck_assert_int_eq(command_call(command, "run", "--detach", "--name", "web", NULL), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "'web'"));
	ck_assert_int_eq(command_call(command, "list", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "running"));
}
END_TEST

static const struct {
	const char *option, *value;
	int status;
	const char *wanted;
} bad_starts[] = {
	{"--initrd", "missing", 102, "missing: No such file"},
	{"--kvm-device", "/dev/null", 101, "/dev/null"},
	{"--disk", "path=nodisk", 102, "nodisk"},
	{"--name", "../x", 100, "'../x'"},
	{"--console", "stdio", 100, "--detach"},
	{"--report", "no/dir", 100, "no/dir"},
};

START_TEST(a_guest_that_cannot_start_says_why_with_its_status)
{
	int status =
		command_call(command, "run", "--detach", bad_starts[_i].option, bad_starts[_i].value, NULL);

	ck_assert_int_eq(status, bad_starts[_i].status);
	ck_assert_str_eq(command->out, "");
	ck_assert_msg(strstr(command->err, bad_starts[_i].wanted), "%s", command->err);
	mkdir(runtime_dir, 0700);
	ck_assert(nothing_is_left());
}
END_TEST

START_TEST(a_detached_guest_holds_no_descriptor_of_its_caller)
{
	/* The command's output ends although the guest runs on: command_finish() waits for that. */
	start("web");
	ck_assert(!command->timed_out);
	ck_assert_int_eq(command->out_fd, -1);
}
END_TEST

/* Starts `lodge wait`, and returns when it has a socket and sleeps: when it waits for an answer. */
static void start_waiter(struct command *waiter)
{
	bool waits = false;

	command_start(waiter, (const char *const[]){command_lodge(), "wait", "web", NULL});
	for (int tries = 0; tries < 3000 && !waits; tries++) {
		usleep(10000);
		waits = process_has_socket(waiter->pid) && process_is(waiter->pid, 'S');
	}
	ck_assert(waits);
}

START_TEST(wait_returns_the_guests_status)
{
	struct command *waiter = command_new();
	int fd;

	start("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	start_waiter(waiter);
	say(fd, "exit 7\r");
	ck_assert_int_eq(command_finish(waiter, 30), 7);
	close(fd);
	free(waiter);
	ck_assert(nothing_is_left());
}
END_TEST

START_TEST(a_report_is_written_at_the_end_of_a_detached_guest)
{
	char text[4096] = "";
	int fd;

	ck_assert_int_eq(command_call(command, "run", "--detach", "--name", "web", "--report", "report.json",
				 "--append", "run=exit 5", NULL),
		0);
	for (int tries = 0; tries < 300 && !strstr(text, "}\n"); tries++) {
		usleep(100000);
		fd = open("report.json", O_RDONLY);
		ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
		close(fd);
	}
	ck_assert_ptr_nonnull(strstr(text, "\"status\": 5"));
}
END_TEST

/* What a killed process leaves */

START_TEST(a_killed_guest_is_forgotten_and_its_name_free)
{
	int pid;

	start("web");
	pid = pid_of("web");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert(is_gone(pid));
	ck_assert_int_eq(command_call(command, "stats", "web", NULL), 100);
	start("web");
	ck_assert_int_ne(pid_of("web"), pid);
}
END_TEST

START_TEST(wait_for_a_guest_that_is_killed_tells_so)
{
	struct command *waiter = command_new();
	int pid;

	start("web");
	start_waiter(waiter);
	pid = pid_of("web");
	kill(pid, SIGKILL);
	ck_assert_int_eq(command_finish(waiter, 30), 103);
	ck_assert_ptr_nonnull(strstr(waiter->err, "is gone"));
	free(waiter);
	ck_assert(is_gone(pid)); /* its socket goes before its lock */
	ck_assert(nothing_is_left());
}
END_TEST

START_TEST(a_guest_whose_process_stands_still_is_listed_as_silent)
{
	int pid;

	start("web");
	pid = pid_of("web");
	kill(pid, SIGSTOP);
	while (!process_is(pid, 'T')) /* a thread stops when it comes to look for signals */
		usleep(1000);
	ck_assert_int_eq(command_call(command, "list", NULL), 0);
	kill(pid, SIGCONT);
	ck_assert_ptr_nonnull(strstr(command->out, "silent"));
}
END_TEST

/* Steering */

START_TEST(a_paused_guest_stands_still_and_goes_on)
{
	int fd;

	start("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_int_eq(command_call(command, "pause", "web", NULL), 0);
	command_call(command, "list", NULL);
	ck_assert_ptr_nonnull(strstr(command->out, "paused"));
	say(fd, "echo abc\r");
	ck_assert_int_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 500), 0);
	ck_assert_int_eq(command_call(command, "resume", "web", NULL), 0);
	ck_assert(hear(fd, "\nabc"));
	close(fd);
}
END_TEST

START_TEST(pauses_lose_no_disk_request)
{
	int fd;

	files_make("disk", 64 << 20);
	ck_assert_int_eq(
		command_call(command, "run", "--detach", "--name", "web", "--disk", "path=disk", NULL), 0);
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	say(fd, "blk fill 0 0 65536\r");
	for (int i = 0; i < 20; i++) {
		ask("web", "{\"command\": \"pause\"}");
		ck_assert_ptr_nonnull(strstr(seen, "\"ok\":true"));
		usleep(5000);
		ask("web", "{\"command\": \"resume\"}");
		usleep(10000);
	}
	ck_assert(hear(fd, "lodger> "));
	say(fd, "blk verify 0 0 65536\r");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_ptr_null(strstr(seen, "FAIL"));
	ck_assert_ptr_nonnull(strstr(seen, "verif"));
	close(fd);
}
END_TEST

START_TEST(stop_presses_the_power_button)
{
	int fd;

	start("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_int_eq(command_call(command, "stop", "--grace", "60", "web", NULL), 0);
	ck_assert_str_eq(command->out, "web: poweroff\n");
	close(fd);
	ck_assert(nothing_is_left());
}
END_TEST

START_TEST(stop_wakes_a_paused_guest_to_power_off)
{
	int fd;

	start("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_int_eq(command_call(command, "pause", "web", NULL), 0);
	ck_assert_int_eq(command_call(command, "stop", "--grace", "60", "web", NULL), 0);
	ck_assert_str_eq(command->out, "web: poweroff\n");
	close(fd);
}
END_TEST

START_TEST(stop_ends_a_guest_that_ignores_the_button)
{
	int fd, pid;

	ck_assert_int_eq(
		command_call(command, "run", "--detach", "--name", "web", "--append", "nobutton", NULL), 0);
	pid = pid_of("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_int_eq(command_call(command, "stop", "--grace", "1", "web", NULL), 0);
	ck_assert_str_eq(command->out, "web: stopped\n");
	ck_assert(is_gone(pid));
	close(fd);
	ck_assert(nothing_is_left());
}
END_TEST

START_TEST(a_guest_with_too_many_clients_is_not_taken_for_gone)
{
	enum { CLIENTS = 32 };
	struct lodge_client *clients[CLIENTS];
	const char *line;

	start("web");
	for (unsigned i = 0; i < CLIENTS; i++) {
		ck_assert_int_eq(lodge_client_new("web", &clients[i], &error), 0);
		/* Those that came before, such as the last command, may be on their way out yet. */
		while (lodge_client_send(clients[i], "{\"command\": \"events\"}", &error) ||
			lodge_client_receive(clients[i], 20000, &line, &error) ||
			!strstr(line, "\"ok\":true")) {
			lodge_client_free(clients[i]);
			ck_assert_int_eq(lodge_client_new("web", &clients[i], &error), 0);
		}
	}
	ck_assert_int_eq(command_call(command, "stop", "--now", "web", NULL), 103);
	ck_assert_ptr_nonnull(strstr(command->err, "32 clients"));
	ck_assert_int_eq(command_call(command, "list", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "silent"));
	for (unsigned i = 0; i < CLIENTS; i++)
		lodge_client_free(clients[i]);
}
END_TEST

START_TEST(reset_starts_the_guest_anew_and_keeps_who_watches)
{
	int fd;

	start("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_int_eq(command_call(command, "reset", "web", NULL), 0);
	ck_assert(hear(fd, "lodger> "));
	say(fd, "echo again\r");
	ck_assert(hear(fd, "\nagain"));
	close(fd);
}
END_TEST

START_TEST(an_nmi_reaches_the_guest)
{
	int fd;

	start("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_int_eq(command_call(command, "nmi", "web", NULL), 0);
	ck_assert(hear(fd, "NMI"));
	close(fd);
}
END_TEST

START_TEST(events_tell_what_others_do)
{
	struct lodge_client *client;
	static const char *const wanted[] = {
		"\"paused\"", "\"reset\"", "\"paused\"", "\"resumed\"", "\"stopping\"", "\"exit\""};
	const char *line;

	start("web");
	ck_assert_int_eq(lodge_client_new("web", &client, &error), 0);
	ck_assert_int_eq(lodge_client_send(client, "{\"command\": \"events\"}", &error), 0);
	ck_assert_int_eq(lodge_client_receive(client, 20000, &line, &error), 0);
	command_call(command, "pause", "web", NULL);
	command_call(command, "reset", "web", NULL);
	command_call(command, "pause", "web", NULL);
	command_call(command, "pause", "web", NULL);
	command_call(command, "resume", "web", NULL);
	command_call(command, "stop", "--now", "web", NULL);
	for (unsigned i = 0; i < 6; i++) {
		ck_assert_msg(!lodge_client_receive(client, 20000, &line, &error), "%s", error.text);
		ck_assert_ptr_nonnull(strstr(line, wanted[i]));
	}
	ck_assert_ptr_nonnull(strstr(line, "\"outcome\":\"stopped\",\"status\":115"));
	ck_assert_int_eq(lodge_client_receive(client, 20000, &line, &error), -ECONNRESET);
	lodge_client_free(client);
}
END_TEST

START_TEST(stats_tell_what_the_guest_used)
{
	int fd;

	start("web");
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> "));
	ck_assert_int_eq(command_call(command, "stats", "--json", "web", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "\"guest_us\":"));
	ck_assert_ptr_nonnull(strstr(command->out, "\"name\":\"web\""));
	ck_assert_ptr_null(strstr(command->out, "\"guest_us\":0,"));
	ck_assert_ptr_null(strstr(command->out, "\"memory_resident\":0,"));
	ck_assert_int_eq(command_call(command, "stats", "web", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "in the guest"));
	close(fd);
}
END_TEST

/* Who else there is */

START_TEST(no_command_finds_a_guest_that_is_not_there)
{
	static const char *const names[] = {
		"attach", "pause", "resume", "reset", "nmi", "wait", "logs", "stats", "stop"};

	ck_assert_int_eq(command_call(command, names[_i], "nobody", NULL), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "'nobody'"));
	ck_assert_ptr_nonnull(strstr(command->err, names[_i]));
	ck_assert_int_eq(command_call(command, names[_i], NULL), 100);
}
END_TEST

/* A hundred */

static void name_guest(unsigned i, char name[16])
{
	snprintf(name, 16, "room-%02u", i);
}

START_TEST(a_hundred_guests_at_once)
{
	int fds[GUESTS_MAX], pids[GUESTS_MAX];
	char name[16], line[32];
	char **names;
	unsigned count;

	for (unsigned i = 0; i < GUESTS_MAX; i++) {
		name_guest(i, name);
		ck_assert_msg(!command_call(command, "run", "--detach", "--name", name, "-m", "16M", NULL),
			"%s", command->err);
		pids[i] = pid_of(name);
	}
	ck_assert_int_eq(lodge_guests_list(&names, &count, &error), 0);
	ck_assert_uint_eq(count, GUESTS_MAX);
	free(names);
	for (unsigned i = 0; i < GUESTS_MAX; i++) {
		name_guest(i, name);
		fds[i] = connect_console(name);
		snprintf(line, sizeof(line), "echo I am %s\r", name);
		ck_assert(hear(fds[i], "lodger> "));
		say(fds[i], line);
	}
	for (unsigned i = 0; i < GUESTS_MAX; i++) {
		name_guest(i, name);
		snprintf(line, sizeof(line), "\nI am %s", name);
		ck_assert(hear(fds[i], line));
		close(fds[i]);
	}
	ck_assert_int_eq(command_call(command, "list", "--json", NULL), 0);
	ck_assert_int_eq(command_call(command, "stop", "--all", "--grace", "100", NULL), 0);
	for (unsigned i = 0; i < GUESTS_MAX; i++) {
		name_guest(i, name);
		snprintf(line, sizeof(line), "%s: poweroff\n", name);
		ck_assert_ptr_nonnull(strstr(command->out, line));
		ck_assert(is_gone(pids[i]));
	}
	ck_assert(nothing_is_left());
}
END_TEST

Suite *guests_suite(void)
{
	Suite *suite = suite_create("guests");
	TCase *life = tcase_create("life"), *steer = tcase_create("steer"), *many = tcase_create("many");
	TCase *const all[] = {life, steer, many};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		tcase_add_checked_fixture(all[i], named_setup, named_teardown);
		tcase_set_timeout(all[i], 120);
		suite_add_tcase(suite, all[i]);
	}
	tcase_add_test(life, a_detached_guest_runs_when_the_command_returns);
	tcase_add_test(life, names_are_made_up_where_none_is_given);
	tcase_add_test(life, a_name_is_had_once);
	tcase_add_loop_test(life, a_guest_that_cannot_start_says_why_with_its_status, 0,
		sizeof(bad_starts) / sizeof(bad_starts[0]));
	tcase_add_test(life, a_detached_guest_holds_no_descriptor_of_its_caller);
	tcase_add_test(life, wait_returns_the_guests_status);
	tcase_add_test(life, a_report_is_written_at_the_end_of_a_detached_guest);
	tcase_add_test(life, a_killed_guest_is_forgotten_and_its_name_free);
	tcase_add_test(life, wait_for_a_guest_that_is_killed_tells_so);
	tcase_add_test(life, a_guest_whose_process_stands_still_is_listed_as_silent);
	tcase_add_loop_test(life, no_command_finds_a_guest_that_is_not_there, 0, 9);
	tcase_add_test(steer, a_paused_guest_stands_still_and_goes_on);
	tcase_add_test(steer, pauses_lose_no_disk_request);
	tcase_add_test(steer, stop_presses_the_power_button);
	tcase_add_test(steer, stop_wakes_a_paused_guest_to_power_off);
	tcase_add_test(steer, stop_ends_a_guest_that_ignores_the_button);
	tcase_add_test(steer, a_guest_with_too_many_clients_is_not_taken_for_gone);
	tcase_add_test(steer, reset_starts_the_guest_anew_and_keeps_who_watches);
	tcase_add_test(steer, an_nmi_reaches_the_guest);
	tcase_add_test(steer, events_tell_what_others_do);
	tcase_add_test(steer, stats_tell_what_the_guest_used);
	tcase_set_tags(many, "volume");
	tcase_add_test(many, a_hundred_guests_at_once);
	return suite;
}
