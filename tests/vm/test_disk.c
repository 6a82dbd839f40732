/* Disks: what the guest writes is in the image, what is in the image the guest reads, and nothing is lost. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/disk_pattern.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

#define IMAGE "disk.img"

static struct guest guest;

static void run(const char *append, const struct lodge_disk *disk)
{
	guest_init(&guest, append);
	guest_run_with_disk(&guest, disk);
	ck_assert_msg(guest.result.status == 0, "%s: status %d %s\n%s", append, guest.result.status,
		guest.result.message, guest.console);
}

static void check_both_ways(bool direct, enum lodge_aio aio, const char *engine)
{
	const struct lodge_disk disk = {.path = IMAGE, .direct = direct, .aio = aio, .no_poll = direct};

	files_make(IMAGE, 1 << 20);
	run("run=blk fill 0 0 200 7;blk fill 0 2000 48 8;blk flush 0", &disk);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 0, 200, 7), 200);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 2000, 48, 8), 2048);
	pattern_fill(IMAGE, 300, 100, 9);
	run("run=blk verify 0 300 100 9;blk verify 0 0 200 7", &disk);
	ck_assert_uint_eq(guest.result.disks[0].errors, 0);
	ck_assert_uint_eq(guest.result.disks[0].bytes_read, 300 * SECTOR);
	if (engine)
		ck_assert_str_eq(guest.result.disks[0].engine, engine);
}

START_TEST(what_is_written_is_there_both_ways)
{
	check_both_ways(false, LODGE_AIO_AUTO, NULL);
}
END_TEST

START_TEST(what_is_written_is_there_both_ways_with_threads)
{
	check_both_ways(false, LODGE_AIO_THREADS, "threads");
}
END_TEST

START_TEST(what_is_written_is_there_both_ways_with_o_direct)
{
	int fd = open(IMAGE, O_RDWR | O_CREAT | O_DIRECT, 0600);

	if (fd < 0) {
		printf("SKIPPED: o_direct: this file system has none\n");
		return;
	}
	close(fd);
	check_both_ways(true, LODGE_AIO_AUTO, NULL);
}
END_TEST

START_TEST(a_wrong_sector_is_noticed)
{
	const struct lodge_disk disk = {.path = IMAGE};

	files_make(IMAGE, 1 << 20);
	pattern_fill(IMAGE, 0, 16, 1);
	pattern_fill(IMAGE, 5, 1, 2);
	guest_init(&guest, "run=blk verify 0 0 16 1");
	ck_assert_int_ne(guest_run_with_disk(&guest, &disk), 0);
	ck_assert_msg(strstr(guest.console, "5") != NULL, "%s", guest.console);
}
END_TEST

START_TEST(a_disk_that_is_read_only_cannot_be_written)
{
	const struct lodge_disk disk = {.path = IMAGE, .read_only = true};

	files_make(IMAGE, 1 << 20);
	pattern_fill(IMAGE, 0, 16, 1);
	chmod(IMAGE, 0400);
	run("run=blk verify 0 0 16 1", &disk);
	guest_init(&guest, "run=blk fill 0 0 1 2");
	ck_assert_int_ne(guest_run_with_disk(&guest, &disk), 0);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 0, 16, 1), 16);
}
END_TEST

START_TEST(eight_disks_are_eight_disks)
{
	struct lodge_disk disks[LODGE_DISKS_MAX];
	char paths[LODGE_DISKS_MAX][16], append[512] = "run=";

	for (unsigned i = 0; i < LODGE_DISKS_MAX; i++) {
		snprintf(paths[i], sizeof(paths[i]), "disk%u", i);
		files_make(paths[i], 64 << 10);
		disks[i] = (struct lodge_disk){.path = paths[i]};
		snprintf(append + strlen(append), 64, "blk fill %u 3 5 %u;blk flush %u;", i, 40 + i, i);
	}
	strcat(append, "blk list");
	guest_init(&guest, append);
	guest.config.disks = disks;
	guest.config.disk_count = LODGE_DISKS_MAX;
	ck_assert_msg(guest_run(&guest) == 0, "%s", guest.console);
	for (unsigned i = 0; i < LODGE_DISKS_MAX; i++)
		ck_assert_uint_eq(pattern_first_wrong(paths[i], 3, 5, 40 + i), 8);
}
END_TEST

START_TEST(a_scratch_disk_needs_no_file)
{
	const struct lodge_disk disk = {.size = 1 << 20, .serial = "scratch"};

	run("run=blk fill 0 0 16 3;blk verify 0 0 16 3;blk id 0", &disk);
	ck_assert_ptr_nonnull(strstr(guest.console, "scratch"));
}
END_TEST

START_TEST(two_guests_never_write_one_image)
{
	const struct lodge_disk writer = {.path = IMAGE}, reader = {.path = IMAGE, .read_only = true};
	struct lodge_vm *first, *second;

	files_make(IMAGE, 1 << 20);
	guest_init(&guest, NULL);
	guest.config.disk_count = 1;
	guest.config.disks = &writer;
	ck_assert_int_eq(lodge_vm_new(&guest.config, &first, &guest.error), 0);
	ck_assert_int_ne(lodge_vm_new(&guest.config, &second, &guest.error), 0);
	ck_assert_int_eq(guest.error.status, LODGE_STATUS_IMAGE);
	ck_assert_ptr_nonnull(strstr(guest.error.text, IMAGE));
	guest.config.disks = &reader;
	ck_assert_int_ne(lodge_vm_new(&guest.config, &second, &guest.error), 0);
	lodge_vm_free(first);
	ck_assert_int_eq(lodge_vm_new(&guest.config, &first, &guest.error), 0);
	ck_assert_int_eq(lodge_vm_new(&guest.config, &second, &guest.error), 0);
	lodge_vm_free(first);
	lodge_vm_free(second);
}
END_TEST

START_TEST(another_process_cannot_take_the_image_either)
{
	struct command *command = command_new(), *other = command_new();
	const char *const argv[] = {command_lodge(), "run", "--disk", "path=" IMAGE, NULL};

	files_make(IMAGE, 1 << 20);
	command_start(command, argv);
	ck_assert(command_expect(command, "lodger> ", 20));
	ck_assert_int_eq(command_call(other, "run", "--disk", "path=" IMAGE, NULL), 102);
	ck_assert_ptr_nonnull(strstr(other->err, IMAGE));
	kill(command->pid, SIGKILL);
	command_finish(command, 10);
	/* A lock dies with its holder. */
	ck_assert_int_eq(
		command_call(other, "run", "--disk", "path=" IMAGE, "--append", "run=poweroff", NULL), 0);
	free(command);
	free(other);
}
END_TEST

START_TEST(what_was_flushed_survives_sigkill)
{
	struct command *command = command_new();
	const char *const argv[] = {command_lodge(), "run", "--disk", "path=" IMAGE, NULL};
	static const char commands[] = "blk fill 0 10 100 77\nblk flush 0\necho flu''shed\n";

	files_make(IMAGE, 1 << 20);
	command->input = "";
	command->keep_input = true;
	command_start(command, argv);
	ck_assert(command_expect(command, "lodger> ", 20));
	command_send(command, commands, sizeof(commands) - 1);
	/* The answer to the echo, not the echo of the typing. */
	ck_assert(command_expect(command, "\nflu''shed", 30));
	kill(command->pid, SIGKILL);
	command_finish(command, 10);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 10, 100, 77), 110);
	free(command);
}
END_TEST

START_TEST(a_disk_that_shrinks_under_the_guest_gives_it_an_error)
{
	const struct lodge_disk disk = {.path = IMAGE};
	struct lodge_vm *vm;

	files_make(IMAGE, 1 << 20);
	guest_init(&guest, "run=blk read 0 2000");
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	ck_assert_int_eq(truncate(IMAGE, 4096), 0);
	ck_assert_int_eq(lodge_vm_run(vm, &guest.result), 0);
	lodge_vm_free(vm);
	ck_assert_int_eq(guest.result.status, 1);
	ck_assert_uint_eq(guest.result.disks[0].errors, 1);
}
END_TEST

START_TEST(a_file_size_limit_gives_the_guest_an_error)
{
	struct command *command = command_new();
	const char *const argv[] = {"/bin/sh", "-c",
		"ulimit -f 100; exec \"$0\" run --disk path=" IMAGE " --append 'run=blk fill 0 1000 8 1'",
		command_lodge(), NULL};

	files_make(IMAGE, 1 << 20);
	command_start(command, argv);
	ck_assert_int_eq(command_finish(command, 30), 1);
	ck_assert_ptr_nonnull(strstr(command->out, "IOERR"));
	free(command);
}
END_TEST

START_TEST(discard_and_write_zeroes_leave_zeroes)
{
	const struct lodge_disk disk = {.path = IMAGE};
	static const char zeroes[16 * SECTOR];
	char bytes[16 * SECTOR];
	int fd;

	files_make(IMAGE, 1 << 20);
	pattern_fill(IMAGE, 0, 64, 5);
	run("run=blk discard 0 16 16;blk zero 0 32 16;blk flush 0", &disk);
	fd = open(IMAGE, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), 16 * SECTOR), sizeof(bytes));
	ck_assert_mem_eq(bytes, zeroes, sizeof(bytes));
	ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), 32 * SECTOR), sizeof(bytes));
	ck_assert_mem_eq(bytes, zeroes, sizeof(bytes));
	close(fd);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 0, 16, 5), 16);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 48, 16, 5), 64);
}
END_TEST

Suite *disk_suite(void)
{
	Suite *suite = suite_create("disk");
	TCase *tcase = tcase_create("images");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_test(tcase, what_is_written_is_there_both_ways);
	tcase_add_test(tcase, what_is_written_is_there_both_ways_with_threads);
	tcase_add_test(tcase, what_is_written_is_there_both_ways_with_o_direct);
	tcase_add_test(tcase, a_wrong_sector_is_noticed);
	tcase_add_test(tcase, a_disk_that_is_read_only_cannot_be_written);
	tcase_add_test(tcase, eight_disks_are_eight_disks);
	tcase_add_test(tcase, a_scratch_disk_needs_no_file);
	tcase_add_test(tcase, two_guests_never_write_one_image);
	tcase_add_test(tcase, another_process_cannot_take_the_image_either);
	tcase_add_test(tcase, what_was_flushed_survives_sigkill);
	tcase_add_test(tcase, a_disk_that_shrinks_under_the_guest_gives_it_an_error);
	tcase_add_test(tcase, a_file_size_limit_gives_the_guest_an_error);
	tcase_add_test(tcase, discard_and_write_zeroes_leave_zeroes);
	suite_add_tcase(suite, tcase);
	return suite;
}
