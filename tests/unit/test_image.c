/* Files to load: what is refused, and what a read of one gives. */
#include "suites.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/files.h"
#include "loader/image.h"
#include "util/error.h"

static struct image image;
static struct error error;

static void expect_refused(const char *path, int err, const char *why)
{
	unsigned before = files_open_fds();

	ck_assert_int_eq(image_open(&image, path, &error), err);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	ck_assert_msg(!strncmp(error.text, path, strlen(path)), "%s", error.text);
	ck_assert_msg(strstr(error.text, why), "%s", error.text);
	ck_assert_uint_eq(files_open_fds(), before);
	ck_assert_int_eq(image_open(&image, path, NULL), err);
	image_close(&image);
}

START_TEST(missing_file_is_refused)
{
	expect_refused("nowhere.elf", -ENOENT, "No such file or directory");
	expect_refused("", -ENOENT, "No such file or directory");
}
END_TEST

START_TEST(empty_file_is_refused)
{
	files_make("empty", 0);
	expect_refused("empty", -ENODATA, "empty");
}
END_TEST

START_TEST(directory_is_refused)
{
	mkdir("folder", 0700);
	expect_refused("folder", -EISDIR, "is a directory");
}
END_TEST

/* With nobody at its other end: opening it must not wait. */
START_TEST(fifo_is_refused_at_once)
{
	mkfifo("fifo", 0600);
	expect_refused("fifo", -EINVAL, "not a regular file");
	expect_refused("/dev/zero", -EINVAL, "not a regular file");
}
END_TEST

START_TEST(unreadable_file_is_refused)
{
	uid_t was_user = geteuid();

	files_make("secret", 512);
	chmod("secret", 0);
	if (!was_user) {
		/* Root may read everything: be somebody else for a while, in this test's own process. */
		chmod(".", 0755);
		ck_assert_int_eq(setresuid(0, 65534, 0), 0);
	}
	expect_refused("secret", -EACCES, "Permission denied");
	if (!was_user)
		ck_assert_int_eq(setresuid(0, 0, 0), 0);
}
END_TEST

START_TEST(file_is_read_where_asked)
{
	char bytes[6] = "";

	files_write("file", "0123456789", 10);
	ck_assert_int_eq(image_open(&image, "file", &error), 0);
	ck_assert_uint_eq(image.size, 10);
	ck_assert_str_eq(image.name, "file");
	ck_assert_int_eq(image_read(&image, 3, bytes, 5, "digits", &error), 0);
	ck_assert_str_eq(bytes, "34567");
	ck_assert_int_eq(image_read(&image, 10, bytes, 0, "nothing", &error), 0);
	image_close(&image);
	ck_assert_int_eq(image.fd, -1);
	image_close(&image);
}
END_TEST

static const struct {
	uint64_t offset, len;
} outside[] = {{0, 11}, {10, 1}, {11, 0}, {5, 6}, {UINT64_MAX, 1}, {UINT64_MAX, 2}, {1, UINT64_MAX},
	{5, UINT64_MAX - 2}, {UINT64_MAX - 1, UINT64_MAX}};

START_TEST(read_beyond_the_end_is_truncated)
{
	char bytes[16] = "untouched";

	files_write("file", "0123456789", 10);
	ck_assert_int_eq(image_open(&image, "file", &error), 0);
	ck_assert_int_eq(
		image_read(&image, outside[_i].offset, bytes, outside[_i].len, "the moon", &error), -EIO);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	ck_assert_ptr_nonnull(strstr(error.text, "file: truncated: the moon"));
	ck_assert_str_eq(bytes, "untouched");
	image_close(&image);
	image_from_bytes(&image, "built-in", "0123456789", 10);
	ck_assert_int_eq(
		image_read(&image, outside[_i].offset, bytes, outside[_i].len, "the moon", &error), -EIO);
	ck_assert_str_eq(bytes, "untouched");
}
END_TEST

/* A mapped file would give SIGBUS here. */
START_TEST(file_that_shrinks_is_an_error)
{
	char bytes[16384];

	files_make("file", sizeof(bytes));
	ck_assert_int_eq(image_open(&image, "file", &error), 0);
	ck_assert_int_eq(truncate("file", 5000), 0);
	ck_assert_int_eq(image_read(&image, 0, bytes, sizeof(bytes), "all", &error), -EIO);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	ck_assert_ptr_nonnull(strstr(error.text, "shrank"));
	image_close(&image);
}
END_TEST

START_TEST(built_in_bytes_are_read_alike)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5};
	uint8_t some[3];

	image_from_bytes(&image, "built-in", bytes, sizeof(bytes));
	ck_assert_int_eq(image_read(&image, 1, some, 3, "some", &error), 0);
	ck_assert_mem_eq(some, bytes + 1, 3);
	image_close(&image);
}
END_TEST

/* A program with its stdin closed gets descriptor 0 for the image. */
START_TEST(no_descriptor_is_left_where_stdin_was_closed)
{
	unsigned before;

	files_make("file", 1);
	close(STDIN_FILENO);
	before = files_open_fds();
	ck_assert_int_eq(image_open(&image, "file", &error), 0);
	image_close(&image);
	ck_assert_uint_eq(files_open_fds(), before);
	mkdir("folder", 0700);
	ck_assert_int_eq(image_open(&image, "folder", &error), -EISDIR);
	ck_assert_uint_eq(files_open_fds(), before);
}
END_TEST

Suite *image_suite(void)
{
	Suite *suite = suite_create("loader/image");
	TCase *tcase = tcase_create("image");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_test(tcase, missing_file_is_refused);
	tcase_add_test(tcase, empty_file_is_refused);
	tcase_add_test(tcase, directory_is_refused);
	tcase_add_test(tcase, fifo_is_refused_at_once);
	tcase_add_test(tcase, unreadable_file_is_refused);
	tcase_add_test(tcase, file_is_read_where_asked);
	tcase_add_loop_test(tcase, read_beyond_the_end_is_truncated, 0, sizeof(outside) / sizeof(outside[0]));
	tcase_add_test(tcase, file_that_shrinks_is_an_error);
	tcase_add_test(tcase, built_in_bytes_are_read_alike);
	tcase_add_test(tcase, no_descriptor_is_left_where_stdin_was_closed);
	return suite;
}
