/* The lists of system calls, and what a call that is on none leads to. */
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/user.h"
#include "lib/files.h"
#include "sandbox/filter.h"
#include "sandbox/layers.h"
#include "sandbox/sanitized.h"
#include "sandbox/violation.h"
#include "util/bytes.h"

#define STATUS  103
#define EVERY   (SANDBOX_NEEDS_DISK | SANDBOX_NEEDS_SOCKET | SANDBOX_NEEDS_CLIENTS | SANDBOX_NEEDS_TESTDEV)
#define CLIENTS (SANDBOX_NEEDS_CLIENTS | SANDBOX_NEEDS_SOCKET)

static void expect(unsigned threads, unsigned needs, const char *call)
{
	const struct filter_config config = {.needs = needs};
	unsigned i;

	for (i = 0; i < SANDBOX_THREADS; i++)
		ck_assert_msg(filter_allows(i, &config, call) == (threads >> i & 1), "%s: %s", call,
			sandbox_thread_name(i));
}

#define ON(THREAD) (1u << SANDBOX_##THREAD)

/* Whatever is configured: no new file, socket, program, process, ring or namespace, and no look at another process. */
START_TEST(what_nobody_ever_may)
{
	static const char *const calls[] = {"socket", "connect", "bind", "execve", "execveat", "fork",
		"vfork", "mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "io_uring_setup",
		"memfd_create", "kill", "process_vm_writev", "pidfd_open", "bpf", "perf_event_open",
		"userfaultfd", "init_module", "keyctl", "openat2", "renameat2", "linkat", "symlinkat",
		"setuid", "capset", "sendmsg", "recvmsg"};

	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
		expect(0, EVERY, calls[i]);
}
END_TEST

START_TEST(without_a_socket_there_is_no_call_for_one)
{
	static const char *const calls[] = {"accept4", "getsockopt", "listen", "recvfrom", "sendto"};

	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
		expect(0, EVERY & ~CLIENTS, calls[i]);
	expect(ON(CONTROL) | ON(MAIN), CLIENTS, "accept4");
	expect(ON(CONTROL) | ON(MAIN), SANDBOX_NEEDS_SOCKET, "sendto");
	expect(0, SANDBOX_NEEDS_SOCKET, "accept4");
}
END_TEST

START_TEST(without_a_disk_there_is_no_call_for_one)
{
	static const char *const calls[] = {"io_uring_enter", "preadv", "pwritev", "fdatasync", "fallocate"};

	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
		expect(0, EVERY & ~(unsigned)SANDBOX_NEEDS_DISK, calls[i]);
	expect(ON(VCPU) | ON(IO) | ON(BLOCK) | ON(MAIN), SANDBOX_NEEDS_DISK, "fdatasync");
	expect(ON(VCPU) | ON(IO) | ON(MAIN), SANDBOX_NEEDS_DISK, "io_uring_enter");
}
END_TEST

START_TEST(files_are_made_and_removed_in_folders_that_are_named)
{
	const struct filter_config config = {.folders = {3}, .folder_count = 1};

	expect(0, EVERY, "unlinkat");
	expect(0, EVERY, "mkdirat");
	ck_assert(filter_allows(SANDBOX_CONTROL, &config, "mkdirat"));
	ck_assert(filter_allows(SANDBOX_MAIN, &config, "unlinkat"));
	ck_assert(!filter_allows(SANDBOX_VCPU, &config, "mkdirat"));
	ck_assert(!filter_allows(SANDBOX_IO, &config, "unlinkat"));
}
END_TEST

/* A new thread is under the main thread's filter too. */
START_TEST(the_main_thread_may_what_any_may)
{
	static const char *const calls[] = {"ioctl", "futex", "write", "read", "epoll_wait", "io_uring_enter",
		"preadv", "accept4", "timerfd_settime", "rt_sigtimedwait", "tgkill", "getpid"};
	const struct filter_config config = {.needs = EVERY};

	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
		ck_assert_msg(filter_allows(SANDBOX_MAIN, &config, calls[i]), "%s", calls[i]);
}
END_TEST

/* Calls, in a child under a filter. */

static int folder;

static long call_mkdirat(void)
{
	return mkdirat(folder, "made", 0700);
}

static long call_mkdirat_elsewhere(void)
{
	return mkdirat(AT_FDCWD, "made", 0700);
}

static long call_mmap(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static long call_mmap_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static long call_mprotect_code(void)
{
	return mprotect(&folder, 1, PROT_READ | PROT_WRITE | PROT_EXEC) && errno == EINVAL ? 0 : 1;
}

/* Of a descriptor that is none: allowed, it fails. */
static long call_ioctl(unsigned long request)
{
	return ioctl(-1, request, 0) < 0 && errno == EBADF ? 0 : 1;
}

static long call_kvm_run(void)
{
	return call_ioctl(KVM_RUN);
}

static long call_create_vm(void)
{
	return call_ioctl(KVM_CREATE_VM);
}

static long call_type_for_user(void)
{
	return call_ioctl(TIOCSTI);
}

static long call_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0;
}

static long call_execve(void)
{
	return syscall(SYS_execve, NULL, NULL, NULL);
}

#if !SANITIZED
static long call_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}
#endif

static long call_tgkill_self(void)
{
	return syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0);
}

#if !SANITIZED
static long call_tgkill_init(void)
{
	return syscall(SYS_tgkill, 1, 1, 0);
}
#endif

/* What a line calls the thread and the call; name NULL: it is allowed. */
static const struct {
	enum sandbox_thread thread;
	unsigned needs;
	long (*call)(void);
	const char *name;
} calls[] = {
	{SANDBOX_VCPU, 0, call_kvm_run, NULL},
	{SANDBOX_VCPU, 0, call_create_vm, "the vCPU thread called ioctl (16),"},
	{SANDBOX_MAIN, 0, call_create_vm, NULL},
	{SANDBOX_IO, 0, call_kvm_run, "the I/O thread called ioctl (16),"},
	{SANDBOX_MAIN, EVERY, call_type_for_user, "the main thread called ioctl (16),"},
	{SANDBOX_VCPU, 0, call_mmap, NULL},
	{SANDBOX_VCPU, 0, call_mmap_code, "the vCPU thread called mmap (9),"},
	{SANDBOX_BLOCK, 0, call_mprotect_code, "the disk thread called mprotect (10),"},
	{SANDBOX_IO, SANDBOX_NEEDS_TESTDEV, call_mprotect_code, "the I/O thread called mprotect (10),"},
	{SANDBOX_VCPU, SANDBOX_NEEDS_TESTDEV, call_mprotect_code, NULL},
	{SANDBOX_VCPU, EVERY, call_socket, "the vCPU thread called socket (41),"},
	{SANDBOX_CONTROL, EVERY, call_socket, "the control thread called socket (41),"},
	{SANDBOX_BLOCK, EVERY, call_execve, "the disk thread called execve (59),"},
#if !SANITIZED
	{SANDBOX_MAIN, EVERY, call_fork, "the main thread called clone (56),"},
	{SANDBOX_CONTROL, EVERY, call_tgkill_init, "the control thread called tgkill (234),"},
#endif
	{SANDBOX_MAIN, 0, call_tgkill_self, NULL},
	{SANDBOX_CONTROL, 0, call_mkdirat, NULL},
	{SANDBOX_CONTROL, 0, call_mkdirat_elsewhere, "the control thread called mkdirat (258),"},
	{SANDBOX_VCPU, 0, call_mkdirat, "the vCPU thread called mkdirat (258),"},
};

static void in_child(unsigned index)
{
	const struct violation_config violation = {
		.status = STATUS, .report_fd = open("report", O_WRONLY | O_CREAT, 0600), .terminal_fd = -1};
	struct filter_config config = {
		.needs = calls[index].needs, .folders = {folder}, .folder_count = 1, .pid = getpid()};
	struct sock_fprog program;

	if (dup2(open("stderr", O_WRONLY | O_CREAT, 0600), STDERR_FILENO) < 0 || !layers_no_new_privs() ||
		filter_build(calls[index].thread, &config, &program))
		_exit(1);
	violation_install(&violation);
	if (filter_load(&program))
		_exit(2);
	_exit(calls[index].call() == 0 ? 0 : 3);
}

static char *read_text(const char *path)
{
	static char text[1024];
	int fd = open(path, O_RDONLY);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	close(fd);
	return text;
}

START_TEST(a_call_is_allowed_or_named)
{
	json_t *report;
	int status;
	pid_t pid;

	folder = open(".", O_RDONLY | O_DIRECTORY);
	pid = fork();
	if (!pid)
		in_child((unsigned)_i);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (!calls[_i].name) {
		ck_assert_int_eq(status, 0);
		return;
	}
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == STATUS, "%d", status);
	ck_assert_msg(strstr(read_text("stderr"), calls[_i].name), "%s", read_text("stderr"));
	ck_assert_uint_eq(strcspn(read_text("stderr"), "\n") + 1, strlen(read_text("stderr")));
	report = json_loads(read_text("report"), 0, NULL);
	ck_assert_ptr_nonnull(report);
	ck_assert_str_eq(json_string_value(json_object_get(report, "outcome")), "vmm-error");
	ck_assert_int_eq(json_integer_value(json_object_get(report, "status")), STATUS);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(report, "message")), calls[_i].name));
	json_decref(report);
}
END_TEST

/* A SIGSYS that somebody sends is not the kernel's word, and ends nothing. */
START_TEST(a_signal_that_was_sent_is_no_violation)
{
	const struct violation_config violation = {.status = STATUS, .report_fd = -1, .terminal_fd = -1};

	violation_install(&violation);
	ck_assert_int_eq(raise(SIGSYS), 0);
}
END_TEST

/* Layers: a child of the test is put under each that this host has. */

static int under_landlock(void)
{
	int kept = open("kept", O_RDONLY | O_DIRECTORY);

	layers_no_new_privs();
	if (!layers_landlock(&kept, 1))
		return 77;
	if (open("file", O_RDONLY) >= 0 || errno != EACCES)
		return 1;
	if (openat(kept, "new", O_WRONLY | O_CREAT, 0600) < 0 || unlinkat(kept, "new", 0))
		return 2;
	return mkdirat(kept, "../made", 0700) == 0 ? 3 : 0;
}

static int under_empty_root(void)
{
	unsigned layers = layers_unshare_user(0);
	int old = open(".", O_RDONLY | O_DIRECTORY);

	layers |= layers_unshare();
	if (!(layers & 1u << LAYER_MOUNT_NAMESPACE) || !layers_empty_root(layers))
		return 77;
	if (!access("/proc", F_OK) || !access("/tmp", F_OK) || open("/file", O_WRONLY | O_CREAT, 0600) >= 0)
		return 1;
	return faccessat(old, "file", F_OK, 0) ? 2 : 0;
}

static int without_capabilities(void)
{
	const struct layer_user stay = {0}, nobody = {65534, 65533};
	unsigned ruid, euid, suid;

	layers_no_new_privs();
	if (geteuid())
		return layers_drop(&stay) ? 0 : 1;
	if (!layers_drop(&nobody) || getresuid(&ruid, &euid, &suid) || ruid != 65534 || euid != 65534 ||
		suid != 65534 || getegid() != 65533 || getgroups(0, NULL))
		return 2;
	return prctl(PR_CAPBSET_READ, 0, 0, 0, 0) || setuid(0) == 0 ? 3 : 0;
}

static const struct {
	const char *name;
	int (*check)(void);
} confined[] = {
	{"Landlock", under_landlock},
	{"a mount namespace", under_empty_root},
	{"capabilities", without_capabilities},
};

START_TEST(a_layer_does_what_it_says)
{
	int status;
	pid_t pid;

	files_make("file", 1);
	ck_assert_int_eq(mkdir("kept", 0700), 0);
	pid = fork();
	if (!pid)
		_exit(confined[_i].check());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		printf("SKIPPED: a_layer_does_what_it_says: %s is not to be had here\n", confined[_i].name);
	else
		ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(users_are_found_by_name_and_number)
{
	static const struct {
		const char *text;
		int err;
		uid_t uid;
		gid_t gid;
	} users[] = {
		{"1234:5678", 0, 1234, 5678},
		{"4294967294:1", 0, 4294967294, 1},
		{"123456789", 0, 123456789, 123456789},
		{"nobody", 0, 65534, 65534},
		{"65534", 0, 65534, 65534},
		{"root", -EPERM, 0, 0},
		{"0", -EPERM, 0, 0},
		{"0:5", -EPERM, 0, 0},
		{"5:0", -EPERM, 0, 0},
		{"no such user", -ENOENT, 0, 0},
		{"", -ENOENT, 0, 0},
		{":5", -ENOENT, 0, 0},
		{"5:", -ENOENT, 0, 0},
		{"4294967295", -ENOENT, 0, 0},
		{"12345678901234567890123", -ENOENT, 0, 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(users); i++) {
		uid_t uid = 7;
		gid_t gid = 7;

		ck_assert_msg(user_parse(users[i].text, &uid, &gid) == users[i].err, "%s", users[i].text);
		if (!users[i].err && strcmp(users[i].text, "nobody") != 0) {
			ck_assert_uint_eq(uid, users[i].uid);
			ck_assert_uint_eq(gid, users[i].gid);
		}
	}
}
END_TEST

Suite *sandbox_suite(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tcase = tcase_create("lists");

	tcase_add_test(tcase, what_nobody_ever_may);
	tcase_add_test(tcase, without_a_socket_there_is_no_call_for_one);
	tcase_add_test(tcase, without_a_disk_there_is_no_call_for_one);
	tcase_add_test(tcase, files_are_made_and_removed_in_folders_that_are_named);
	tcase_add_test(tcase, the_main_thread_may_what_any_may);
	tcase_add_test(tcase, users_are_found_by_name_and_number);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("calls");
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_loop_test(tcase, a_call_is_allowed_or_named, 0, ARRAY_SIZE(calls));
	tcase_add_test(tcase, a_signal_that_was_sent_is_no_violation);
	tcase_add_loop_test(tcase, a_layer_does_what_it_says, 0, ARRAY_SIZE(confined));
	suite_add_tcase(suite, tcase);
	return suite;
}
