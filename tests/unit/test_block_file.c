#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/block.h"
#include "backend/block_file.h"
#include "suites.h"
#include "util/bytes.h"
#include "util/error.h"

#define SIZE KIB(256)

static char folder[PATH_MAX];
static char path[PATH_MAX + 16];
static struct block_backend *block;
static struct error error;
static uint8_t *buffer; /* SIZE bytes, aligned to a page */

static int open_disk(bool read_only, bool direct)
{
	struct block_file_config config = {.path = path, .read_only = read_only, .direct = direct};

	error = (struct error){0};
	return block_file_open(&config, &block, &error);
}

static void close_disk(void)
{
	if (block)
		block->ops->close(block);
	block = NULL;
}

static void make_file(uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	memset(buffer, 0x11, SIZE);
	for (uint64_t done = 0; done < size; done += MIN(SIZE, size - done))
		ck_assert_int_gt(pwrite(fd, buffer, MIN(SIZE, size - done), (off_t)done), 0);
	close(fd);
}

static void set_up(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/lodge-test-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/disk.img", folder);
	ck_assert_int_eq(posix_memalign((void **)&buffer, 4096, SIZE), 0);
	make_file(SIZE);
	block = NULL;
}

static void tear_down(void)
{
	close_disk();
	free(buffer);
	if (unlink(path) < 0)
		rmdir(path);
	rmdir(folder);
}

static int transfer(bool write, void *at, size_t len, uint64_t offset)
{
	struct iovec iov = {at, len};

	return write ? block->ops->writev(block, &iov, 1, offset) : block->ops->readv(block, &iov, 1, offset);
}

static bool all_bytes(const uint8_t *at, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != value)
			return false;
	return true;
}

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

START_TEST(what_is_written_is_read_and_is_in_the_file)
{
	uint8_t *at = buffer;
	struct iovec parts[4] = {{at, 100}, {at + 8192, 0}, {at + 4096, 412}, {at + 9000, 512}};

	ck_assert_int_eq(open_disk(false, false), 0);
	memset(at, 0xa1, 100);
	memset(at + 4096, 0xa2, 412);
	memset(at + 9000, 0xa3, 512);
	ck_assert_int_eq(block->ops->writev(block, parts, 4, 1024), 0);
	ck_assert_int_eq(block->ops->flush(block), 0);
	memset(buffer, 0, SIZE);
	ck_assert_int_eq(block->ops->readv(block, parts, 4, 1024), 0);
	ck_assert(all_bytes(at, 100, 0xa1) && all_bytes(at + 4096, 412, 0xa2));
	ck_assert(all_bytes(at + 9000, 512, 0xa3));
	close_disk();
	ck_assert_int_eq(open_disk(true, false), 0);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0);
	ck_assert(all_bytes(buffer, 1024, 0x11));
	ck_assert(all_bytes(buffer + 1024, 100, 0xa1) && all_bytes(buffer + 1124, 412, 0xa2));
	ck_assert(all_bytes(buffer + 1536, 512, 0xa3));
	ck_assert(all_bytes(buffer + 2048, SIZE - 2048, 0x11));
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

START_TEST(a_read_only_disk_offers_and_does_no_writing)
{
	ck_assert_int_eq(open_disk(true, false), 0);
	ck_assert(block->read_only && !block->can_discard && !block->can_write_zeroes);
	ck_assert_int_lt(transfer(true, buffer, 512, 0), 0);
	ck_assert_int_eq(block->ops->flush(block), 0);
}
END_TEST

START_TEST(a_file_cut_under_the_guest_is_eio)
{
	ck_assert_int_eq(open_disk(false, false), 0);
	ck_assert_int_eq(truncate(path, 1024), 0);
	ck_assert_int_eq(transfer(false, buffer, 1024, 0), 0);
	ck_assert_int_eq(transfer(false, buffer, 1024, 512), -EIO);
	ck_assert_int_eq(transfer(false, buffer, 512, 2048), -EIO);
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

START_TEST(a_discard_gives_space_back_and_reads_zeroes)
{
	struct stat before, after;

	ck_assert_int_eq(open_disk(false, false), 0);
	if (!block->can_discard) {
		fprintf(stderr, "skipped: %s cannot punch holes\n", folder);
		return;
	}
	ck_assert_int_eq(block->ops->flush(block), 0);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(block->ops->discard(block, KIB(64), KIB(64)), 0);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(after.st_size, SIZE);
	ck_assert_int_lt(after.st_blocks, before.st_blocks);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0);
	ck_assert(all_bytes(buffer, KIB(64), 0x11));
	ck_assert(all_bytes(buffer + KIB(64), KIB(64), 0));
	ck_assert(all_bytes(buffer + KIB(128), KIB(128), 0x11));
}
END_TEST

/* In a file, and in memory, where ZERO_RANGE does not exist and zeroes have to be written. */
START_TEST(write_zeroes_writes_zeroes)
{
	bool unmap = _i & 1;
	uint64_t size = MIB(2);

	if (_i & 2)
		ck_assert_int_eq(block_memory_open(size, &block, &error), 0);
	else
		make_file(size);
	if (!block)
		ck_assert_int_eq(open_disk(false, false), 0);
	for (uint64_t at = 0; at < size; at += SIZE) {
		memset(buffer, 0x11, SIZE);
		ck_assert_int_eq(transfer(true, buffer, SIZE, at), 0);
	}
	ck_assert_int_eq(block->ops->write_zeroes(block, 512, size - 2560, unmap), 0);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0);
	ck_assert(all_bytes(buffer, 512, 0x11) && all_bytes(buffer + 512, SIZE - 512, 0));
	for (uint64_t at = SIZE; at < size - SIZE; at += SIZE) {
		ck_assert_int_eq(transfer(false, buffer, SIZE, at), 0);
		ck_assert(all_bytes(buffer, SIZE, 0));
	}
	ck_assert_int_eq(transfer(false, buffer, SIZE, size - SIZE), 0);
	ck_assert(all_bytes(buffer, SIZE - 2048, 0) && all_bytes(buffer + SIZE - 2048, 2048, 0x11));
}
END_TEST

/* O_DIRECT, from segments that no disk could take; left out where the file system has none. */
START_TEST(direct_io_takes_unaligned_segments)
{
	struct iovec odd[3] = {{buffer + 1, 1000}, {buffer + 2001, 24}, {buffer + 4099, SIZE / 2 - 1024}};
	int r;

	if (open_disk(false, true) < 0) {
		ck_assert_ptr_nonnull(strstr(error.text, "no direct I/O; leave `direct` out"));
		fprintf(stderr, "skipped: %s\n", error.text);
		return;
	}
	memset(odd[0].iov_base, 0xb1, 1000);
	memset(odd[1].iov_base, 0xb2, 24);
	memset(odd[2].iov_base, 0xb3, SIZE / 2 - 1024);
	ck_assert_int_eq(block->ops->writev(block, odd, 3, 4096), 0);
	memset(buffer, 0, SIZE);
	ck_assert_int_eq(block->ops->readv(block, odd, 3, 4096), 0);
	ck_assert(all_bytes(odd[0].iov_base, 1000, 0xb1) && all_bytes(odd[1].iov_base, 24, 0xb2));
	ck_assert(all_bytes(odd[2].iov_base, SIZE / 2 - 1024, 0xb3));
	ck_assert_uint_eq(buffer[0] + buffer[1001] + buffer[2025], 0);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0); /* aligned: no bounce */
	ck_assert(all_bytes(buffer, 4096, 0x11) && all_bytes(buffer + 4096, 1000, 0xb1));
	ck_assert(all_bytes(buffer + 5096, 24, 0xb2));
	ck_assert(all_bytes(buffer + 4096 + SIZE / 2, SIZE / 2 - 4096, 0x11));
	ck_assert_int_eq(truncate(path, 8192), 0);
	r = transfer(false, buffer + 1, SIZE - 4096, 0);
	ck_assert_int_eq(r, -EIO);
}
END_TEST

START_TEST(a_demo_disk_says_so_and_is_otherwise_empty)
{
	ck_assert_int_eq(block_memory_open(SIZE, &block, &error), 0);
	ck_assert_uint_eq(block->size, SIZE);
	ck_assert_uint_eq(block->logical_size, 512);
	ck_assert(!block->read_only && block->can_discard && block->can_write_zeroes);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0);
	ck_assert_int_eq(memcmp(buffer, "lodge demo disk\n", 17), 0);
	ck_assert(all_bytes(buffer + 16, SIZE - 16, 0));
	ck_assert_int_eq(transfer(true, buffer, 512, 512), 0);
	ck_assert_int_eq(block->ops->discard(block, 0, 512), 0);
	ck_assert_int_eq(transfer(false, buffer, 1024, 0), 0);
	ck_assert(all_bytes(buffer, 512, 0));
	ck_assert_int_eq(memcmp(buffer + 512, "lodge demo disk\n", 17), 0);
	ck_assert_int_eq(block->ops->flush(block), 0);
}
END_TEST

START_TEST(a_demo_disk_of_no_whole_sectors_is_an_error)
{
	ck_assert_int_eq(block_memory_open(0, &block, &error), -EINVAL);
	ck_assert_int_eq(block_memory_open(513, &block, NULL), -EINVAL);
	ck_assert_ptr_null(block);
}
END_TEST

Suite *block_file_suite(void)
{
	Suite *suite = suite_create("block_file");
	TCase *tc = tcase_create("block_file");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_file_is_a_disk_of_its_size);
	tcase_add_test(tc, what_is_written_is_read_and_is_in_the_file);
	tcase_add_test(tc, no_file_is_an_error);
	tcase_add_loop_test(tc, a_directory_is_an_error, 0, 2);
	tcase_add_loop_test(tc, a_fifo_is_an_error_and_does_not_hang, 0, 2);
	tcase_add_test(tc, a_character_device_is_an_error);
	tcase_add_test(tc, an_empty_file_is_an_error);
	tcase_add_test(tc, half_a_sector_is_an_error);
	tcase_add_loop_test(tc, a_file_that_may_only_be_read_says_ro, 0, 2);
	tcase_add_test(tc, two_guests_never_write_one_disk);
	tcase_add_test(tc, many_guests_may_read_one_disk);
	tcase_add_test(tc, a_failed_open_leaves_no_lock);
	tcase_add_test(tc, a_read_only_disk_offers_and_does_no_writing);
	tcase_add_test(tc, a_file_cut_under_the_guest_is_eio);
	tcase_add_test(tc, opening_changes_nothing);
	tcase_add_test(tc, a_discard_gives_space_back_and_reads_zeroes);
	tcase_add_loop_test(tc, write_zeroes_writes_zeroes, 0, 4);
	tcase_add_test(tc, direct_io_takes_unaligned_segments);
	tcase_add_test(tc, a_demo_disk_says_so_and_is_otherwise_empty);
	tcase_add_test(tc, a_demo_disk_of_no_whole_sectors_is_an_error);
	suite_add_tcase(suite, tc);
	return suite;
}
