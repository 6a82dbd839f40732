/*
 * The command: what it writes, who asks it, and what it asks. Its calls are counted in a run without a fault, and then
 * fail one by one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "faults/engines.h"
#include "faults/suites.h"
#include "lib/command.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "lib/named_guests.h"

#define REPORT_MAX 16384

/* The command line's faults are planned by the environment. */
static void plan_for_command(const char *plan)
{
	if (plan)
		setenv("LODGE_FAULTS", plan, 1);
	else
		unsetenv("LODGE_FAULTS");
}

static struct fault_counts read_counts(void)
{
	struct fault_counts counts = {0};
	FILE *file = fopen("counts", "r");

	ck_assert_uint_eq(fread(&counts, sizeof(counts), 1, file), 1);
	fclose(file);
	return counts;
}

/* Names of the report's fields, as far as they stand at the left. */
static void read_fields(char fields[REPORT_MAX])
{
	FILE *file = fopen("report", "r");
	char line[4096];

	fields[0] = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "  \"", 3))
			strncat(fields, strtok(line, ":"), REPORT_MAX - strlen(fields) - 1);
	}
	if (file)
		fclose(file);
}

static const struct {
	enum fault_call call;
	const char *err;
} run_rows[] = {
	{FAULT_malloc, "ENOMEM"},
	{FAULT_calloc, "ENOMEM"},
	{FAULT_open, "EMFILE"},
	{FAULT_openat, "EMFILE"},
	{FAULT_socket, "EMFILE"},
	{FAULT_bind, "EADDRINUSE"},
	{FAULT_listen, "EADDRINUSE"},
	{FAULT_signalfd, "EMFILE"},
	{FAULT_write, "ENOSPC"},
	{FAULT_write, "EINTR"},
	{FAULT_write, "short"},
	{FAULT_pthread_create, "EAGAIN"},
};

#define ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))

static int run_once(void)
{
	remove("report");
	return command_call(command, "run", "--name", "faulty", "--report", "report", "--disk",
		"path=disk.img", "-m", "32M", "--append", "run=blk write 0 0 hello;echo well", NULL);
}

START_TEST(run_with_a_call_that_fails_is_a_good_run_or_says_why)
{
	static char whole[REPORT_MAX], fields[REPORT_MAX];
	const char *name = fault_names[run_rows[_i].call], *err = run_rows[_i].err;
	unsigned uses, most;
	char plan[64];

	files_make("disk.img", 1 << 20);
	files_make("counts", sizeof(struct fault_counts));
	setenv("LODGE_FAULT_COUNTS", "counts", 1);
	plan_for_command(NULL);
	ck_assert_msg(run_once() == 0, "%s", command->err);
	uses = read_counts().calls[run_rows[_i].call];
	ck_assert_msg(uses > 0, "%s is never called", name);
	read_fields(whole);
	/* Some hundred calls of malloc() are the report's: they are like each other. */
	most = uses > 60 ? uses / 30 : 1;
	/* libseccomp 2.5 makes the filters, and spins for ever where one of its own fails. */
	if (run_rows[_i].call == FAULT_calloc && uses > 60)
		uses = 60;
	for (unsigned nth = 1; nth <= uses; nth += nth < 20 ? 1 : most) {
		snprintf(plan, sizeof(plan), "%s:%u:%s", name, nth, err);
		plan_for_command(plan);
		run_once();
		read_fields(fields);
		if (getenv("SWEEP_VERBOSE"))
			fprintf(stderr, "%s of %u -> %d %s", plan, uses, command->status,
				command->status ? command->err : "\n");
		if (command->status == 0)
			ck_assert_msg(
				!strcmp(fields, whole) && strstr(command->out, "well") && !*command->err,
				"%s: %s\n%s\nnot %s", plan, command->err, fields, whole);
		else
			ck_assert_msg((command->status == LODGE_STATUS_HOST ||
					      command->status == LODGE_STATUS_VMM_ERROR ||
					      command->status == LODGE_STATUS_USAGE) &&
					      command_complained(command),
				"%s: %d: %s", plan, command->status, command->err);
		/* A process that cannot be confined ends where it stands; the next one clears up. */
		ck_assert_msg(access("rt/faulty", F_OK) != 0 || strstr(command->err, "sandbox: "),
			"%s: something is left of the name", plan);
	}
}
END_TEST

/* What a guest's own process is given for its control socket, and whether the first client gets its answer. */
static const struct {
	const char *plan;
	bool answered;
} server_rows[] = {
	{"accept4:1:EINTR", true},
	{"accept4:1:EMFILE", true},
	{"accept4:1:ECONNABORTED", true},
	{"recv:1:EINTR", true},
	{"recv:1:EAGAIN", true},
	{"recv:1:short", true},
	{"recv:1:ECONNRESET", false},
	{"send:1:EINTR", true},
	{"send:1:EAGAIN", true},
	{"send:1:short", true},
	{"send:1:EPIPE", false},
	{"send:1:ENOBUFS", false},
};

START_TEST(a_control_client_that_fails_costs_nobody_else_a_thing)
{
	plan_for_command(server_rows[_i].plan);
	start("served");
	plan_for_command(NULL);
	command_call(command, "stats", "served", NULL);
	ck_assert_msg((command->status == 0) == server_rows[_i].answered, "%s: %d: %s", server_rows[_i].plan,
		command->status, command->err);
	ck_assert_msg(command->status == 0 || command_complained(command), "%s", command->err);
	ck_assert_msg(!command_call(command, "stats", "served", NULL), "%s", command->err);
	ck_assert_int_eq(command_call(command, "stop", "--now", "served", NULL), 0);
	ck_assert(nothing_is_left());
}
END_TEST

static unsigned fds_of(int pid)
{
	unsigned count = 0;
	char path[64];
	FILE *list;
	int c;

	snprintf(path, sizeof(path), "ls /proc/%d/fd", pid);
	list = popen(path, "r");
	while ((c = getc(list)) != EOF)
		count += c == '\n';
	pclose(list);
	return count;
}

static int connect_control(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s/control", runtime_dir, name);
	ck_assert_msg(!connect(fd, (struct sockaddr *)&address, sizeof(address)), "%s", strerror(errno));
	return fd;
}

/* In the middle of a request, with answers under way, or with answers it does not read. */
START_TEST(clients_that_vanish_leave_nothing_open)
{
	static const char *const lines[] = {
		"{\"comm", "{\"command\":\"stats\"}\n", "{\"command\":\"events\"}\n"};
	unsigned before, after, round;
	int pid;

	start("left");
	pid = pid_of("left");
	command_call(command, "stats", "left", NULL);
	before = fds_of(pid);
	for (round = 0; round < 60; round++) {
		int fd = connect_control("left");

		for (unsigned i = 0; i < (round % 3 == 1 ? 100 : 1); i++)
			send(fd, lines[round % 3], strlen(lines[round % 3]), MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
	}
	ck_assert_msg(!command_call(command, "stats", "left", NULL), "%s", command->err);
	for (round = 0; (after = fds_of(pid)) > before && round < 200; round++)
		usleep(10000);
	ck_assert_msg(after <= before, "%u descriptors, not %u", after, before);
	ck_assert_int_eq(command_call(command, "stop", "--now", "left", NULL), 0);
	ck_assert(nothing_is_left());
}
END_TEST

static const struct {
	enum fault_call call;
	const char *err;
} client_rows[] = {
	{FAULT_socket, "EMFILE"},
	{FAULT_connect, "EINTR"},
	{FAULT_connect, "EAGAIN"},
	{FAULT_connect, "ECONNREFUSED"},
	{FAULT_poll, "EINTR"},
	{FAULT_poll, "ENOMEM"},
	{FAULT_send, "EINTR"},
	{FAULT_send, "short"},
	{FAULT_recv, "EINTR"},
	{FAULT_recv, "short"},
	{FAULT_recv, "ECONNRESET"},
	{FAULT_malloc, "ENOMEM"},
	{FAULT_realloc, "ENOMEM"},
	{FAULT_open, "EMFILE"},
	{FAULT_openat, "EMFILE"},
};

START_TEST(a_list_that_cannot_look_says_so)
{
	start("listed");
	for (unsigned nth = 1; nth <= 2; nth++) {
		char plan[64];

		snprintf(plan, sizeof(plan), "openat:%u:EMFILE", nth);
		plan_for_command(plan);
		ck_assert_int_eq(command_call(command, "list", NULL), LODGE_STATUS_VMM_ERROR);
		ck_assert_msg(
			strstr(command->err, "the list of guests: Too many open files"), "%s", command->err);
		plan_for_command(NULL);
	}
	ck_assert_int_eq(command_call(command, "list", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "listed"));
}
END_TEST

START_TEST(a_command_that_cannot_ask_says_why_and_the_guest_runs_on)
{
	files_make("counts", sizeof(struct fault_counts));
	start("asked");
	setenv("LODGE_FAULT_COUNTS", "counts", 1);
	for (int row = 0; row < ROWS(client_rows); row++) {
		const char *name = fault_names[client_rows[row].call], *err = client_rows[row].err;
		bool again = !strcmp(err, "EINTR") || !strcmp(err, "short");
		unsigned uses;
		char plan[64];

		plan_for_command(NULL);
		ck_assert_msg(!command_call(command, "resume", "asked", NULL), "%s", command->err);
		uses = read_counts().calls[client_rows[row].call];
		if (getenv("SWEEP_VERBOSE"))
			fprintf(stderr, "%s: %u\n", name, uses);
		for (unsigned nth = 1; nth <= uses && nth <= 12; nth++) {
			snprintf(plan, sizeof(plan), "%s:%u:%s", name, nth, err);
			plan_for_command(plan);
			command_call(command, "resume", "asked", NULL);
			if (getenv("SWEEP_VERBOSE"))
				fprintf(stderr, "%s -> %d %s\n", plan, command->status, command->err);
			ck_assert_msg(
				command->status == 0 || (!again && command->status >= LODGE_STATUS_USAGE &&
								command->status <= LODGE_STATUS_VMM_ERROR),
				"%s: %d: %s", plan, command->status, command->err);
			/* It is not said that there is no guest when it cannot be told. */
			ck_assert_msg(
				!strstr(command->err, "no guest of this name"), "%s: %s", plan, command->err);
			ck_assert_msg(command->status == 0 ? !*command->err : command_complained(command),
				"%s: %s", plan, command->err);
		}
	}
	unsetenv("LODGE_FAULT_COUNTS");
	plan_for_command(NULL);
	ck_assert_int_eq(command_call(command, "stop", "--now", "asked", NULL), 0);
	ck_assert(nothing_is_left());
}
END_TEST

/* The kernel's file is read, not mapped: it may change while it is. */
START_TEST(a_kernel_cut_while_it_is_loaded_is_an_unusable_image)
{
	const char *const argv[] = {command_lodge(), "run", "kernel", "--append", "run=poweroff", NULL};
	char copy[600];

	snprintf(copy, sizeof(copy), "cp '%s' kernel", getenv("LODGER"));
	ck_assert_int_eq(system(copy), 0);
	plan_for_command("pread:7:delay=500");
	command_start(command, argv);
	usleep(250000);
	ck_assert_int_eq(truncate("kernel", 4096), 0);
	ck_assert_int_eq(command_finish(command, 20), LODGE_STATUS_IMAGE);
	ck_assert_msg(strstr(command->err, "kernel: ") && strstr(command->err, "the file shrank meanwhile") &&
			      command_complained(command),
		"%s", command->err);
	plan_for_command(NULL);
}
END_TEST

Suite *fault_command_suite(void)
{
	Suite *suite = suite_create("command");
	TCase *tcase = tcase_create("command");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, named_setup, named_teardown);
	tcase_add_loop_test(tcase, run_with_a_call_that_fails_is_a_good_run_or_says_why, 0, ROWS(run_rows));
	tcase_add_loop_test(
		tcase, a_control_client_that_fails_costs_nobody_else_a_thing, 0, ROWS(server_rows));
	tcase_add_test(tcase, clients_that_vanish_leave_nothing_open);
	tcase_add_test(tcase, a_list_that_cannot_look_says_so);
	tcase_add_test(tcase, a_command_that_cannot_ask_says_why_and_the_guest_runs_on);
	tcase_add_test(tcase, a_kernel_cut_while_it_is_loaded_is_an_unusable_image);
	suite_add_tcase(suite, tcase);
	return suite;
}
