/* What the host has no more of: descriptors, address space, memory, room on a file system. All of it is real. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults/engines.h"
#include "faults/suites.h"
#include "lib/command_fixture.h"
#include "lib/disk_pattern.h"
#include "lib/files.h"
#include "lib/guest.h"

#define IMAGE "disk.img"

static struct guest guest;

/* `lodge ARGUMENTS`, by a shell that does something before. */
static int call_after(const char *before, const char *arguments)
{
	char line[512];
	const char *const argv[] = {"/bin/sh", "-c", line, command_lodge(), NULL};

	snprintf(line, sizeof(line), "%s; exec \"$0\" %s", before, arguments);
	command_start(command, argv);
	return command_finish(command, 30);
}

START_TEST(too_few_descriptors_are_an_error_that_says_so)
{
	unsigned limit, failed = 0;
	char before[32];

	files_make(IMAGE, 1 << 20);
	for (limit = 5; limit < 64; limit++) {
		snprintf(before, sizeof(before), "ulimit -n %u", limit);
		if (!call_after(before, "run --disk path=" IMAGE " --name few --report report.json -m 32M "
					"--gdb unix:gdb.sock --append 'run=blk write 0 0 hello'"))
			break;
		failed++;
		ck_assert_msg(command->status == LODGE_STATUS_VMM_ERROR, "%s: status %d: %s", before,
			command->status, command->err);
		ck_assert_msg(command_complained(command) && strstr(command->err, "Too many open files"),
			"%s: %s", before, command->err);
		/* A process that cannot be confined ends where it stands; the next one clears up. */
		if (strstr(command->err, "sandbox: "))
			continue;
		ck_assert_msg(strstr(command->err, "ulimit -n") != NULL, "%s: %s", before, command->err);
		ck_assert_msg(access("rt/few", F_OK) != 0, "%s: something is left of the name", before);
	}
	ck_assert_msg(limit < 64 && failed > 10, "%u are too few, and %u runs failed", limit, failed);
}
END_TEST

/* A guest's memory, its threads' stacks, what lodge needs itself. */
START_TEST(too_little_address_space_is_an_error_that_says_so)
{
	unsigned failed = 0, ran = 0;
	char before[32];

#ifdef __SANITIZE_ADDRESS__
	return; /* the sanitizer alone takes terabytes */
#endif
	files_make(IMAGE, 1 << 20);
	for (unsigned mib = 8; mib <= 256; mib += mib < 80 ? 4 : 16) {
		snprintf(before, sizeof(before), "ulimit -v %u", mib << 10);
		call_after(before,
			"run --disk path=" IMAGE ",aio=threads -m 32M --append 'run=blk write 0 0 hello'");
		if (!command->status) {
			ran++;
			continue;
		}
		failed++;
		ck_assert_msg(!ran, "%s: fails, where less was enough", before);
		ck_assert_msg(
			command->status == LODGE_STATUS_HOST || command->status == LODGE_STATUS_VMM_ERROR,
			"%s: status %d: %s", before, command->status, command->err);
		ck_assert_msg(command_complained(command), "%s: %s", before, command->err);
	}
	ck_assert_msg(failed && ran, "%u failed, %u ran", failed, ran);
}
END_TEST

/* A file system of the test's own, with so many KiB; "full" is where it is mounted. False: this may not be done here. */
static bool mount_small(const char *options)
{
	if (!mkdir("full", 0700) && !unshare(CLONE_NEWNS) &&
		!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		!mount("lodge-test", "full", "tmpfs", 0, options))
		return true;
	printf("SKIPPED: a full file system: mount: %s\n", strerror(errno));
	return false;
}

static void unmount_small(void)
{
	umount2("full", MNT_DETACH);
}

START_TEST(a_full_file_system_is_the_guests_error_until_there_is_room)
{
	const struct engine *engine = &engines[_i];
	const struct lodge_disk disk = {.path = "full/" IMAGE, .aio = engine->aio, .direct = engine->direct};

	if (!mount_small("size=32k"))
		return;
	if (engine_works(engine, disk.path)) {
		/* 6 pages of 8, then 6 more. */
		guest_init(&guest,
			"run=blk fill 0 0 48 7;blk fill 0 128 48 8;blk zero 0 256 48;blk flush 0;"
			"blk verify 0 0 48 7;blk discard 0 0 48;blk fill 0 128 48 8;blk verify 0 128 48 8");
		guest_run_with_disk(&guest, &disk);
		ck_assert_msg(guest.result.status == 1 && guest.result.disks[0].errors == 2, "%s: %d: %s",
			engine->option, guest.result.status, guest.console);
		ck_assert(strstr(guest.console, "write at sector 128: IOERR") &&
			  strstr(guest.console, "write-zeroes at sector 256: IOERR"));
		ck_assert_msg(strstr(guest.console, "48 sectors from 0 are right") &&
				      strstr(guest.console, "48 sectors from 128 are right"),
			"%s: %s", engine->option, guest.console);
	}
	unmount_small();
}
END_TEST

START_TEST(a_full_file_system_for_what_lodge_writes_is_an_error_of_lodge)
{
	static const char *const rows[][3] = {
		{"run --report full/report --append run=poweroff", "--report: full/report", "No space left"},
		{"run --console file=full/log --append run=poweroff", "console output", "No space left"},
	};

	if (!mount_small("size=4k"))
		return;
	ck_assert_int_eq(system("cat /dev/zero >full/zeroes 2>/dev/null") != 0, 1);
	for (unsigned i = 0; i < 2; i++) {
		call_after(":", rows[i][0]);
		ck_assert_msg(command->status == LODGE_STATUS_VMM_ERROR && strstr(command->err, rows[i][1]) &&
				      strstr(command->err, rows[i][2]) && command_complained(command),
			"%s: %d: %s", rows[i][0], command->status, command->err);
	}
	unmount_small();
}
END_TEST

START_TEST(a_full_file_system_for_the_name_is_an_error_of_the_host)
{
	if (!mount_small("size=1m,nr_inodes=2"))
		return;
	setenv("LODGE_RUNTIME_DIR", "full/rt", 1);
	call_after(":", "run --name nobody --append run=poweroff");
	ck_assert_msg(command->status == LODGE_STATUS_HOST && strstr(command->err, "nobody") &&
			      strstr(command->err, "No space left") && command_complained(command),
		"%d: %s", command->status, command->err);
	ck_assert(access("full/rt/nobody", F_OK) != 0);
	unmount_small();
}
END_TEST

/* Killed for want of memory: neither its disk nor its name is in the way of the next one. */
START_TEST(a_guest_that_the_host_kills_for_memory_leaves_nothing_in_the_way)
{
	const char *const run =
		"run --name victim --disk path=" IMAGE " -m 64M --append 'run=blk write 0 0 hello'";
	static const char *const kinds[][2] = {
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}};
	char before[256], folder[64], limit[96];
	unsigned i;

	for (i = 0; i < 2; i++) {
		snprintf(folder, sizeof(folder), "%s/lodge-test-%d", kinds[i][0], getpid());
		snprintf(limit, sizeof(limit), "%s/%s", folder, kinds[i][1]);
		if (!mkdir(folder, 0700) && !access(limit, W_OK))
			break;
		rmdir(folder);
	}
	if (i == 2) {
		printf("SKIPPED: a guest that the host kills: no memory cgroup can be made\n");
		return;
	}
	files_make(IMAGE, 1 << 20);
	snprintf(before, sizeof(before), "echo 1M >%s/memory.limit_in_bytes; echo $$ >%s/cgroup.procs",
		folder, folder);
	call_after(before, run);
	ck_assert_msg(command->status == 128 + 9, "status %d: %s", command->status, command->err);
	ck_assert_msg(!call_after(":", run), "status %d: %s", command->status, command->err);
	rmdir(folder);
}
END_TEST

Suite *fault_limits_suite(void)
{
	Suite *suite = suite_create("limits");
	TCase *tcase = tcase_create("limits");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, command_setup, command_teardown);
	tcase_add_test(tcase, too_few_descriptors_are_an_error_that_says_so);
	tcase_add_test(tcase, too_little_address_space_is_an_error_that_says_so);
	tcase_add_loop_test(tcase, a_full_file_system_is_the_guests_error_until_there_is_room, 0, ENGINES);
	tcase_add_test(tcase, a_full_file_system_for_what_lodge_writes_is_an_error_of_lodge);
	tcase_add_test(tcase, a_full_file_system_for_the_name_is_an_error_of_the_host);
	tcase_add_test(tcase, a_guest_that_the_host_kills_for_memory_leaves_nothing_in_the_way);
	suite_add_tcase(suite, tcase);
	return suite;
}
