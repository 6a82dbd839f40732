/* The sandbox of `lodge run`, looked at from outside: /proc says of each thread what confines it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/files.h"
#include "lib/huge_pages.h"
#include "lib/named_guests.h"
#include "util/bytes.h"
#include "vm/suites.h"

#define NOBODY 65534

/* ThreadSanitizer has a thread of its own, which is older than the sandbox, and memory of its own beside the guest's. */
#ifdef __SANITIZE_THREAD__
#define WATCHED true
#else
#define WATCHED false
#endif

/* What follows NAME and a tab in a file such as /proc/PID/status; until the next call. */
static char *field(const char *path, const char *name)
{
	static char line[256];
	FILE *file = fopen(path, "r");
	size_t len = strlen(name);

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, len)) {
			fclose(file);
			line[strcspn(line, "\n")] = '\0';
			return line + len + strspn(line + len, " \t");
		}
	}
	if (file)
		fclose(file);
	return NULL;
}

static bool same(const char *found, const char *wanted)
{
	return found && wanted && !strcmp(found, wanted);
}

#define PATIENCE 5000 /* ms, for a disk's thread that has not begun yet: nobody waits for it */

static void expect_field(const char *path, const char *name, const char *wanted)
{
	const char *found = field(path, name);
	unsigned i;

	for (i = 0; i < PATIENCE && found && !same(found, wanted); i++) {
		usleep(1000);
		found = field(path, name);
	}
	/* A thread may have ended meanwhile. */
	ck_assert_msg(!found || same(found, wanted), "%s: %s %s", path, name, found);
}

/* Calls check with "PID/task/TID" of each thread: so many there are. */
static unsigned each_thread(int pid, void (*check)(const char *thread, const void *ctx), const void *ctx)
{
	char path[300];
	const struct dirent *entry;
	unsigned count = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	ck_assert_ptr_nonnull(tasks);
	while ((entry = readdir(tasks))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%d/task/%s", pid, entry->d_name);
		check(path, ctx);
		count++;
	}
	closedir(tasks);
	return count;
}

struct expected {
	const char *name, *value;
};

static void expect_of_thread(const char *thread, const void *ctx)
{
	const struct expected *expected = ctx;
	char path[320];

	snprintf(path, sizeof(path), "/proc/%s/status", thread);
	expect_field(path, expected->name, expected->value);
}

static unsigned expect_of_threads(int pid, const char *name, const char *wanted)
{
	const struct expected expected = {name, wanted};

	return each_thread(pid, expect_of_thread, &expected);
}

/* main, control, I/O, two vCPUs and the disk's four; and a descriptor that it was not asked to have. */
static int start_with_all_threads(void)
{
	static char script[512];
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};

	files_make("disk", 1 << 20);
	snprintf(script, sizeof(script),
		"exec %s run -d --name web -c 2 --disk path=disk,aio=threads 9</dev/zero", command_lodge());
	command_start(command, argv);
	ck_assert_int_eq(command_finish(command, 60), 0);
	return pid_of("web");
}

START_TEST(every_thread_is_confined)
{
	int pid;

	if (WATCHED)
		return;
	pid = start_with_all_threads();
	ck_assert_uint_ge(expect_of_threads(pid, "NoNewPrivs:", "1"), 9);
	expect_of_threads(pid, "Seccomp:", "2");
	expect_of_threads(pid, "CapEff:", "0000000000000000");
	expect_of_threads(pid, "CapPrm:", "0000000000000000");
	expect_of_threads(pid, "CapInh:", "0000000000000000");
	expect_of_threads(pid, "CapAmb:", "0000000000000000");
}
END_TEST

static bool has_layer(const char *path, const char *name)
{
	json_t *report = json_load_file(path, 0, NULL), *layers = json_object_get(report, "sandbox");
	bool found = false;
	size_t i;

	ck_assert_msg(json_is_array(layers), "%s", path);
	for (i = 0; i < json_array_size(layers); i++)
		found |= !strcmp(json_string_value(json_array_get(layers, i)), name);
	json_decref(report);
	return found;
}

START_TEST(the_report_lists_the_layers)
{
	ck_assert_int_eq(
		command_call(command, "run", "--append", "run=exit 3", "--report", "report", NULL), 3);
	ck_assert(has_layer("report", "no_new_privs"));
	ck_assert(has_layer("report", "seccomp"));
	ck_assert(has_layer("report", "capabilities"));
	ck_assert_str_eq(command->err, "");
}
END_TEST

START_TEST(no_sandbox_means_none_and_is_told)
{
	static const char *const fields[] = {"Seccomp:", "NoNewPrivs:", "CapEff:"};
	json_t *report;
	unsigned i;
	int pid;

	ck_assert_int_eq(command_call(command, "run", "-d", "--name", "web", "--no-sandbox", "--report",
				 "report", NULL),
		0);
	pid = pid_of("web");
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		char ours[64];

		snprintf(ours, sizeof(ours), "%s", field("/proc/self/status", fields[i]));
		expect_of_threads(pid, fields[i], ours);
	}
	ck_assert_int_eq(command_call(command, "stop", "web", NULL), 0);
	report = json_load_file("report", 0, NULL);
	ck_assert_int_eq(json_array_size(json_object_get(report, "sandbox")), 0);
	ck_assert(json_is_array(json_object_get(report, "sandbox")));
	json_decref(report);
}
END_TEST

static ino_t namespace_of(const char *process, const char *kind)
{
	char path[320];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, kind);
	return stat(path, &st) ? 0 : st.st_ino;
}

static void expect_network(const char *thread, const void *ctx)
{
	const ino_t *network = ctx;
	unsigned i;

	for (i = 0; i < PATIENCE && namespace_of(thread, "net") != *network; i++)
		usleep(1000);
	ck_assert_msg(i < PATIENCE, "%s", thread);
}

/* Each thread's, those of a disk included, which are older than the rest of the sandbox. */
static void expect_one_network(const char *pid)
{
	ino_t network = namespace_of(pid, "net");

	ck_assert_uint_ge(each_thread(atoi(pid), expect_network, &network), 6);
}

/* The report says what is in force, and this is what it means: of a guest with a name, and of one on a terminal. */
START_TEST(namespaces_are_what_the_report_says)
{
	static const char *const kinds[][2] = {{"mount_namespace", "mnt"}, {"network_namespace", "net"},
		{"ipc_namespace", "ipc"}, {"pid_namespace", "pid"}, {"user_namespace", "user"}};
	const char *const argv[] = {command_lodge(), "run", "--disk", "path=disk,aio=threads", "--report",
		"report", _i ? NULL : "-d", "--name", "web", NULL};
	bool differ[5], empty_root;
	char pid[16], path[64];
	unsigned i;
	DIR *root;

	if (WATCHED)
		return;
	files_make("disk", 1 << 20);
	command->input = "";
	command->keep_input = true;
	command_start(command, argv);
	if (_i)
		ck_assert(command_expect(command, "lodger> ", 30));
	else
		ck_assert_int_eq(command_finish(command, 60), 0);
	snprintf(pid, sizeof(pid), "%d", _i ? command->pid : pid_of("web"));
	for (i = 0; i < 5; i++)
		differ[i] = namespace_of(pid, kinds[i][1]) != namespace_of("self", kinds[i][1]);
	snprintf(path, sizeof(path), "/proc/%s/root/proc", pid);
	empty_root = access(path, F_OK) != 0;
	snprintf(path, sizeof(path), "/proc/%s/root", pid);
	root = opendir(path);
	ck_assert_ptr_nonnull(root);
	closedir(root);
	expect_one_network(pid);
	if (_i) {
		command_send(command, "poweroff\n", 9);
		ck_assert_int_eq(command_finish(command, 60), 0);
	} else {
		ck_assert_int_eq(command_call(command, "stop", "web", NULL), 0);
		ck_assert(nothing_is_left());
	}
	for (i = 1; i < 5; i++)
		ck_assert_msg(has_layer("report", kinds[i][0]) == differ[i], "%s", kinds[i][0]);
	ck_assert_int_eq(has_layer("report", "mount_namespace"), empty_root);
}
END_TEST

/* What a command makes the control thread do differs: an IOAPIC of KVM's takes another request than one of lodge's. */
START_TEST(each_command_is_within_the_list)
{
	static const char *const commands[] = {"pause", "stats", "resume", "nmi", "logs"};
	unsigned i;
	int fd;

	files_make("disk", 1 << 20);
	ck_assert_int_eq(command_call(command, "run", "-d", "--name", "web", "--irqchip",
				 _i ? "full" : "split", "--disk", "path=disk", "--report", "report", NULL),
		0);
	fd = connect_console("web");
	ck_assert(hear(fd, "lodger> ")); /* it is ready for an NMI */
	close(fd);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		ck_assert_msg(command_call(command, commands[i], "web", NULL) == 0, "%s: %s", commands[i],
			command->err);
	ck_assert_int_eq(command_call(command, "set", "web", "disk-rate=0:requests=1000", NULL), 0);
	/* Its power button is pressed; whether it hears is another matter, so soon after a reset. */
	ck_assert_int_eq(command_call(command, "reset", "web", NULL), 0);
	ck_assert_int_eq(command_call(command, "stop", "web", "--grace", "1", NULL), 0);
	ck_assert(has_layer("report", "seccomp"));
	ck_assert(nothing_is_left());
}
END_TEST

/* The flags of a descriptor, in octal: O_CLOEXEC is 02000000. */
START_TEST(descriptors_are_closed_on_exec_and_none_is_inherited)
{
	int pid = start_with_all_threads();
	char path[512], target[256];
	const struct dirent *entry;
	unsigned count = 0;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	ck_assert_ptr_nonnull(fds);
	while ((entry = readdir(fds))) {
		const char *flags;
		ssize_t len;

		if (*entry->d_name == '.' || atoi(entry->d_name) <= STDERR_FILENO)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, entry->d_name);
		len = readlink(path, target, sizeof(target) - 1);
		if (len <= 0)
			continue; /* closed meanwhile, as a client's connection is */
		target[len] = '\0';
		ck_assert_str_ne(target, "/dev/zero");
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, entry->d_name);
		flags = field(path, "flags:");
		count++;
		ck_assert_msg(!flags || strtoul(flags, NULL, 8) & O_CLOEXEC, "%s: %s %s", entry->d_name,
			target, flags);
	}
	closedir(fds);
	ck_assert_uint_gt(count, 10);
}
END_TEST

/* How many KiB of mappings have the flag "dd", of those that may be guest memory; a sanitizer has far larger and smaller ones. */
static unsigned long not_dumped(int pid, unsigned long from, unsigned long to)
{
	unsigned long kib = 0, total = 0;
	char path[64], line[512];
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	smaps = fopen(path, "r");
	ck_assert_ptr_nonnull(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "Size: %lu kB", &kib) == 1)
			continue;
		if (!strncmp(line, "VmFlags:", 8) && strstr(line, " dd") && kib >= from && kib <= to)
			total += kib;
	}
	fclose(smaps);
	return total;
}

static bool lent;

static void lend(void)
{
	lent = huge_pages_lend(16);
}

START_TEST(guest_memory_is_in_no_core_dump)
{
	bool huge = _i;

	if (WATCHED)
		return;
	if (huge && !lent) {
		printf("SKIPPED: guest_memory_is_in_no_core_dump: no huge pages are to be had here\n");
		return;
	}
	ck_assert_int_eq(command_call(command, "run", "-d", "--name", "web", "-m", "32M",
				 huge ? "--hugepages" : "--verbose", NULL),
		0);
	/* Memory that transparent huge pages are advised for is a mapping of its own. */
	ck_assert_uint_eq(not_dumped(pid_of("web"), 8 * 1024, 32 * 1024), 32 * 1024);
	ck_assert_int_eq(command_call(command, "stop", "web", NULL), 0);
}
END_TEST

/* Who may open KVM's device and nothing else: 0, or what went wrong. */
static int run_as_nobody(void)
{
	char status[64];

	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		return 10;
	if (command_call(command, "run", "-d", "--kvm-device", "kvm", "--name", "web", "--report",
		    "out/report", NULL)) {
		printf("%s", command->err);
		return strstr(command->err, "ermission") || command->status > 100 ? 77 : 11;
	}
	snprintf(status, sizeof(status), "/proc/%d/status", pid_of("web"));
	if (!same(field(status, "Uid:"), "65534\t65534\t65534\t65534") ||
		!same(field(status, "Seccomp:"), "2"))
		return 12;
	if (command_call(command, "stop", "web", NULL))
		return 13;
	return has_layer("out/report", "seccomp") ? 0 : 14;
}

START_TEST(a_user_who_may_only_open_the_device_gets_along)
{
	int status;
	pid_t pid;

	if (geteuid() || mknod("kvm", S_IFCHR | 0666, makedev(10, 232)) || chmod("kvm", 0666) ||
		access(command_lodge(), X_OK)) {
		printf("SKIPPED: a_user_who_may_only_open_the_device_gets_along: only root can become another user\n");
		return;
	}
	ck_assert(!chmod(".", 0755) && !mkdir("out", 0777) && !chmod("out", 0777));
	setenv("LODGE_RUNTIME_DIR", "out/rt", 1);
	pid = fork();
	if (!pid)
		_exit(run_as_nobody());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		printf("SKIPPED: a_user_who_may_only_open_the_device_gets_along: nobody cannot reach %s\n",
			command_lodge());
	else
		ck_assert_int_eq(status, 0);
}
END_TEST

/* Opened as root, run as somebody else; what root alone could remove is removed by who looks next. */
START_TEST(root_becomes_the_user_that_it_is_told_to)
{
	int pid;

	if (WATCHED)
		return;
	if (geteuid()) {
		printf("SKIPPED: root_becomes_the_user_that_it_is_told_to: only root can become another user\n");
		ck_assert_int_eq(command_call(command, "run", "--user", "65534", NULL), 100);
		return;
	}
	files_make("disk", 1 << 20);
	ck_assert_int_eq(command_call(command, "run", "-d", "--user", "65534:65533", "--name", "web",
				 "--disk", "path=disk,aio=threads", "--report", "report", NULL),
		0);
	pid = pid_of("web");
	ck_assert_uint_ge(expect_of_threads(pid, "Uid:", "65534\t65534\t65534\t65534"), 8);
	expect_of_threads(pid, "Gid:", "65533\t65533\t65533\t65533");
	expect_of_threads(pid, "Groups:", "");
	expect_of_threads(pid, "CapEff:", "0000000000000000");
	ck_assert_int_eq(command_call(command, "reset", "web", NULL), 0);
	ck_assert_int_eq(command_call(command, "stop", "web", NULL), 0);
	ck_assert(has_layer("report", "seccomp"));
	ck_assert_int_eq(command_call(command, "list", NULL), 0);
	ck_assert(nothing_is_left());
	ck_assert_int_eq(command_call(command, "run", "--user", "0", NULL), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "would be root"));
	ck_assert_int_eq(command_call(command, "run", "--user", "65534", "--no-sandbox", NULL), 100);
}
END_TEST

/* Root, but one of a container's that took the capability away. */
START_TEST(who_cannot_become_that_user_runs_no_guest)
{
	const char *const argv[] = {"/usr/bin/setpriv", "--bounding-set=-setuid,-setgid", command_lodge(),
		"run", "--user", "65534", "--append", "run=exit 3", "--disk", "path=disk,aio=threads", NULL};

	if (geteuid() || access(argv[0], X_OK)) {
		printf("SKIPPED: who_cannot_become_that_user_runs_no_guest: needs root, and setpriv\n");
		return;
	}
	files_make("disk", 1 << 20);
	command_start(command, argv);
	ck_assert_int_eq(command_finish(command, 60), 103);
	ck_assert_ptr_nonnull(strstr(command->err, "may not become user 65534"));
	ck_assert_str_eq(command->out, "");
}
END_TEST

START_TEST(info_tells_the_layers_of_this_host)
{
	ck_assert_int_eq(command_call(command, "info", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "\nno_new_privs             yes "));
	ck_assert_ptr_nonnull(strstr(command->out, "\nseccomp "));
	ck_assert_ptr_nonnull(strstr(command->out, "\nlandlock "));
	ck_assert_ptr_nonnull(strstr(command->out, "\nmount_namespace "));
}
END_TEST

Suite *sandbox_suite(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tcase = tcase_create("sandbox");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, named_setup, named_teardown);
	tcase_add_test(tcase, every_thread_is_confined);
	tcase_add_test(tcase, the_report_lists_the_layers);
	tcase_add_test(tcase, no_sandbox_means_none_and_is_told);
	tcase_add_loop_test(tcase, namespaces_are_what_the_report_says, 0, 2);
	tcase_add_loop_test(tcase, each_command_is_within_the_list, 0, 2);
	tcase_add_test(tcase, descriptors_are_closed_on_exec_and_none_is_inherited);
	tcase_add_test(tcase, a_user_who_may_only_open_the_device_gets_along);
	tcase_add_test(tcase, root_becomes_the_user_that_it_is_told_to);
	tcase_add_test(tcase, who_cannot_become_that_user_runs_no_guest);
	tcase_add_test(tcase, info_tells_the_layers_of_this_host);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("core dump");
	tcase_set_timeout(tcase, 60);
	tcase_add_unchecked_fixture(tcase, lend, huge_pages_return);
	tcase_add_checked_fixture(tcase, named_setup, named_teardown);
	tcase_add_loop_test(tcase, guest_memory_is_in_no_core_dump, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}
