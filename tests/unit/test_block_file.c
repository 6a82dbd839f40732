#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "block_file_fixture.h"
#include "suites.h"

/* The error is for people: an image's, one line, path first, and it says what to do. */
static void assert_error(int r, int expected, const char *remedy)
{
	ck_assert_int_eq(r, expected);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	ck_assert_msg(strncmp(error.text, path, strlen(path)) == 0, "%s", error.text);
	ck_assert_msg(strstr(error.text, remedy) != NULL, "%s", error.text);
	ck_assert_ptr_null(strchr(error.text, '\n'));
	ck_assert_ptr_null(block);
}

START_TEST(a_file_is_a_disk_of_its_size)
{
	ck_assert_int_eq(open_disk(false, false), 0);
	ck_assert_uint_eq(block->size, SIZE);
	ck_assert_uint_eq(block->logical_size, 512);
	ck_assert_uint_ge(block->physical_size, 512);
	ck_assert_uint_eq(block->physical_size & (block->physical_size - 1), 0);
	ck_assert(!block->read_only && block->can_write_zeroes);
}
END_TEST

START_TEST(no_file_is_an_error)
{
	unlink(path);
	assert_error(open_disk(false, false), -ENOENT, "No such file or directory; make an empty disk");
}
END_TEST

START_TEST(a_directory_is_an_error)
{
	unlink(path);
	mkdir(path, 0700);
	assert_error(open_disk(_i, false), -EISDIR, "is a directory; a disk is a raw image file");
}
END_TEST

START_TEST(a_fifo_is_an_error_and_does_not_hang)
{
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	assert_error(open_disk(_i, false), -EINVAL, "not a disk; a disk is a raw image file");
}
END_TEST

START_TEST(a_character_device_is_an_error)
{
	unlink(path);
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	assert_error(open_disk(false, false), -EINVAL, "not a disk");
}
END_TEST

START_TEST(an_empty_file_is_an_error)
{
	ck_assert_int_eq(truncate(path, 0), 0);
	assert_error(open_disk(false, false), -EINVAL, "is empty; give it a size with `truncate -s 1G ");
}
END_TEST

START_TEST(half_a_sector_is_an_error)
{
	ck_assert_int_eq(truncate(path, 1000), 0);
	assert_error(open_disk(false, false), -EINVAL, "1000 bytes, is not a multiple of 512");
	ck_assert_ptr_nonnull(strstr(error.text, "`truncate -s 1024 "));
}
END_TEST

/* Root may open anything, so this runs as somebody else, in a process of its own. */
START_TEST(a_file_that_may_only_be_read_says_ro)
{
	int status;
	pid_t child;

	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert_int_eq(chmod(path, _i == 0 ? 0444 : 0000), 0);
	child = fork();
	if (child == 0) {
		int r = geteuid() == 0 && seteuid(65534) < 0 ? 0 : open_disk(false, false);

		if (r != -EACCES || error.kind != ERROR_IMAGE)
			_exit(1);
		if (_i == 0)
			_exit(!strstr(
				error.text, "cannot be written (Permission denied); open it read-only"));
		_exit(!strstr(error.text, "Permission denied; see `ls -lL "));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(two_guests_never_write_one_disk)
{
	struct block_backend *first;

	ck_assert_int_eq(open_disk(false, false), 0);
	first = block;
	block = NULL;
	assert_error(open_disk(false, false), -EBUSY, "in use by another guest; open it read-only in all");
	assert_error(open_disk(true, false), -EBUSY, "or make a copy");
	first->ops->close(first);
	ck_assert_int_eq(open_disk(false, false), 0);
}
END_TEST

/* As that of a guest which was killed: its last request is not done yet. */
START_TEST(a_lock_that_is_let_go_in_a_moment_is_waited_for)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fds[2], status;
	char byte = 0;
	pid_t child;

	ck_assert_int_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		int fd = open(path, O_RDWR | O_CLOEXEC);

		if (fcntl(fd, F_OFD_SETLK, &lock) || write(fds[1], &byte, 1) != 1)
			_exit(1);
		usleep(50000);
		_exit(0);
	}
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	ck_assert_int_eq(open_disk(false, false), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(many_guests_may_read_one_disk)
{
	struct block_backend *first;

	ck_assert_int_eq(open_disk(true, false), 0);
	first = block;
	ck_assert_int_eq(open_disk(true, false), 0);
	close_disk();
	assert_error(open_disk(false, false), -EBUSY, "in use by another guest");
	first->ops->close(first);
}
END_TEST

START_TEST(a_failed_open_leaves_no_lock)
{
	ck_assert_int_eq(truncate(path, 1000), 0);
	ck_assert_int_eq(open_disk(false, false), -EINVAL);
	ck_assert_int_eq(truncate(path, 1024), 0);
	ck_assert_int_eq(open_disk(false, false), 0);
}
END_TEST

START_TEST(opening_changes_nothing)
{
	struct stat before, after;

	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(open_disk(false, false), 0);
	close_disk();
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(after.st_size, before.st_size);
	ck_assert_int_eq(after.st_blocks, before.st_blocks);
	ck_assert_int_eq(open_disk(false, false), 0);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0);
	ck_assert(all_bytes(buffer, SIZE, 0x11));
}
END_TEST

START_TEST(a_demo_disk_of_no_whole_sectors_is_an_error)
{
	ck_assert_int_eq(block_memory_open(0, &block, &error), -EINVAL);
	ck_assert_int_eq(block_memory_open(513, &block, NULL), -EINVAL);
	ck_assert_ptr_null(block);
}
END_TEST

/* In a process of its own, where seccomp forbids to set a ring up. */
START_TEST(without_io_uring_threads_do_the_work)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog forbid = {ARRAY_SIZE(code), code};
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &forbid))
			_exit(2);
		if (open_disk(false, false) || strcmp(block->engine, "threads") != 0)
			_exit(3);
		if (transfer(false, buffer, SIZE, 0) || !all_bytes(buffer, SIZE, 0x11))
			_exit(4);
		close_disk();
		aio = BLOCK_AIO_URING;
		if (open_disk(false, false) != -EPERM || error.kind != ERROR_HOST ||
			!strstr(error.text, "leave `aio=io_uring` out"))
			_exit(5);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

Suite *block_file_suite(void)
{
	Suite *suite = suite_create("block_file");
	TCase *tc = tcase_create("opening");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_file_is_a_disk_of_its_size);
	tcase_add_test(tc, no_file_is_an_error);
	tcase_add_loop_test(tc, a_directory_is_an_error, 0, 2);
	tcase_add_loop_test(tc, a_fifo_is_an_error_and_does_not_hang, 0, 2);
	tcase_add_test(tc, a_character_device_is_an_error);
	tcase_add_test(tc, an_empty_file_is_an_error);
	tcase_add_test(tc, half_a_sector_is_an_error);
	tcase_add_loop_test(tc, a_file_that_may_only_be_read_says_ro, 0, 2);
	tcase_add_test(tc, two_guests_never_write_one_disk);
	tcase_add_test(tc, a_lock_that_is_let_go_in_a_moment_is_waited_for);
	tcase_add_test(tc, many_guests_may_read_one_disk);
	tcase_add_test(tc, a_failed_open_leaves_no_lock);
	tcase_add_test(tc, opening_changes_nothing);
	tcase_add_test(tc, a_demo_disk_of_no_whole_sectors_is_an_error);
	tcase_add_test(tc, without_io_uring_threads_do_the_work);
	suite_add_tcase(suite, block_engine_tcase(false));
	suite_add_tcase(suite, block_engine_tcase(true));
	return suite;
}
