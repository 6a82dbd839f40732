/* Kernels whose file is compressed: what is in it, what is no longer accepted as one, and what it may cost. */
#include "suites.h"

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/compress.h"
#include "lib/elf_builder.h"
#include "lib/files.h"
#include "loader/image.h"
#include "loader/loader.h"
#include "loader/unpack.h"
#include "unit/damage.h"
#include "unit/random.h"
#include "util/bytes.h"
#include "util/error.h"

#define CONTENT_MAX (3 * (size_t)MIB(1) + 7)
#define FILE_MAX    (2 * CONTENT_MAX)

static uint8_t content[CONTENT_MAX], file[FILE_MAX];
static size_t content_size, file_size;
static struct image image;
static struct error error;

/* Half of it zeroes, half of it what cannot be compressed: longer than all buffers, packed and unpacked. */
static void setup(void)
{
	uint32_t seed = 3;

	files_setup();
	content_size = sizeof(content);
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = i / 4096 % 2 ? 0 : (uint8_t)(random_next(&seed) >> 12);
	file_size = 0;
}

/* Appends a member that holds content[from, from+len). */
static void add_member(enum compress_format format, size_t from, size_t len)
{
	ck_assert_uint_le(file_size + compress_bound(len), sizeof(file));
	file_size += compress_bytes(format, content + from, len, file + file_size);
}

static void add_bytes(const void *bytes, size_t len)
{
	memcpy(file + file_size, bytes, len);
	file_size += len;
}

/* From a copy of exactly that size: ASan sees one byte too far. */
static int unpack_size(size_t size, uint64_t max)
{
	uint8_t *copy = malloc(size);
	int err;

	memcpy(copy, file, size);
	image_from_bytes(&image, "v.kernel", copy, size);
	err = image_unpack(&image, max, &error);
	if (!err && !image.compression)
		ck_assert_ptr_eq(image.bytes, copy);
	if (err || !image.compression)
		image_close(&image);
	free(copy);
	return err;
}

static void expect_content(const char *compression)
{
	int err = unpack_size(file_size, content_size);

	ck_assert_msg(!err, "%s", error.text);
	ck_assert_str_eq(image.compression, compression);
	ck_assert_str_eq(image.name, "v.kernel");
	ck_assert_uint_eq(image.size, content_size);
	ck_assert_mem_eq(image.bytes, content, content_size);
	image_close(&image);
	ck_assert_ptr_null(image.unpacked);
	image_close(&image);
}

static void expect_refused(size_t size, uint64_t max, int err, const char *why)
{
	ck_assert_int_eq(unpack_size(size, max), err);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	ck_assert_msg(!strncmp(error.text, "v.kernel: ", 10), "%s", error.text);
	ck_assert_msg(strstr(error.text, why) != NULL, "'%s' is not '%s'", error.text, why);
}

/* What is in it */

START_TEST(file_is_what_was_compressed)
{
	add_member(_i, 0, content_size);
	expect_content(compress_names[_i]);
	content_size = 1;
	file_size = 0;
	add_member(_i, 0, 1);
	expect_content(compress_names[_i]);
}
END_TEST

START_TEST(file_can_be_read_again_when_it_is_gone_from_the_disk)
{
	uint8_t bytes[5];
	unsigned before = files_open_fds();

	add_member(_i, 0, content_size);
	files_write("v.kernel", file, file_size);
	ck_assert_int_eq(image_open(&image, "v.kernel", &error), 0);
	ck_assert_int_eq(image_unpack(&image, content_size, &error), 0);
	ck_assert_uint_eq(files_open_fds(), before);
	unlink("v.kernel");
	for (unsigned round = 0; round < 2; round++) {
		ck_assert_int_eq(image_read(&image, content_size - 5, bytes, 5, "the end", &error), 0);
		ck_assert_mem_eq(bytes, content + content_size - 5, 5);
	}
	image_close(&image);
}
END_TEST

/* Each kernel that loader_probe() knows has its own magic still: one of them stands for all. */
START_TEST(kernel_in_it_is_judged_as_if_it_came_alone)
{
	struct kernel kernel;

	content_size = elf_build_pvh("code", 4, content, sizeof(content));
	add_member(_i, 0, content_size);
	ck_assert_int_eq(unpack_size(file_size, MIB(1)), 0);
	ck_assert_int_eq(loader_probe(&image, &kernel, &error), 0);
	ck_assert_str_eq(kernel.format, "ELF64 with a PVH note");
	ck_assert_str_eq(kernel.compression, compress_names[_i]);
	image_close(&image);
	/* As it is: nothing is said of compression. */
	image_from_bytes(&image, "v.kernel", content, content_size);
	ck_assert_int_eq(image_unpack(&image, MIB(1), &error), 0);
	ck_assert_int_eq(loader_probe(&image, &kernel, &error), 0);
	ck_assert_ptr_null(kernel.compression);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
} others[] = {
	{"x", 1},
	{"\x1f\x8b", 2},
	{"\x1f\x8b\x07rest", 7},
	{"\x1f\x8b\x09rest", 7},
	{"\xfd\x37zXZ", 5},
	{"\xfd\x37zXZ\1rest", 10},
	{"\x28\xb5\x2f", 3},
	{"\x28\xb5\x2f\xfcrest", 8},
	{"BZh91AY&SY", 10},
	{"\x04\x22\x4d\x18rest", 8},
	{"\0\x1f\x8b\x08rest", 8},
};

START_TEST(other_file_is_left_as_it_is)
{
	add_bytes(others[_i].bytes, others[_i].len);
	ck_assert_int_eq(unpack_size(file_size, 1), 0);
	ck_assert_ptr_null(image.compression);
}
END_TEST

/* gzip(1), "Advanced usage"; xz(1), "Concatenation and padding with .xz files". */
START_TEST(members_follow_each_other)
{
	content_size = 100000;
	add_member(_i, 0, 1);
	add_member(_i, 1, 0);
	add_member(_i, 1, 65535);
	add_bytes("\0\0\0\0\0\0\0", 8);
	add_member(_i, 65536, content_size - 65536);
	expect_content(compress_names[_i]);
}
END_TEST

START_TEST(padding_may_be_longer_than_what_is_read_at_once)
{
	content_size = 5000;
	add_member(_i, 0, 2000);
	memset(file + file_size, 0, 200003);
	file_size += 200003;
	add_member(_i, 2000, 3000);
	expect_content(compress_names[_i]);
	/* Where a magic lies across the end of what was read, too: reads are a power of two. */
	for (size_t pad = 131072 - 2100; pad < 131072 - 1900; pad++) {
		file_size = 0;
		add_member(_i, 0, 2000);
		memset(file + file_size, 0, pad);
		file_size += pad;
		add_member(_i, 2000, 3000);
		expect_content(compress_names[_i]);
	}
}
END_TEST

/* As the kernel's build leaves it: the size, unpacked, in four bytes. */
static const struct {
	const char *bytes;
	size_t len;
} trailing[] = {
	{"\x04\x03\x02\x01", 4},
	{"\0\x30\x2c\x03", 4},
	{"\0\0\0\0", 4},
	{"\0", 1},
	{"\x1f\x8b", 2},
	{"\xfd\x37zXZ\1", 6},
	{"\x28\xb5\x2f\xfc", 4},
	{"a signature, or whatever else", 29},
};

START_TEST(what_follows_the_last_member_is_ignored)
{
	content_size = 70000;
	for (unsigned format = 0; format < COMPRESS_FORMATS; format++) {
		file_size = 0;
		add_member(format, 0, content_size);
		add_bytes(trailing[_i].bytes, trailing[_i].len);
		expect_content(compress_names[format]);
		/* Another format's member is no member. */
		add_member((format + 1) % COMPRESS_FORMATS, 0, 1);
		expect_content(compress_names[format]);
	}
}
END_TEST

/* What it may not be */

START_TEST(file_may_unpack_to_so_many_bytes_and_no_more)
{
	static const size_t sizes[] = {1, 4096, (size_t)MIB(1), 2 * (size_t)MIB(1) + 1, CONTENT_MAX};

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		content_size = sizes[i];
		file_size = 0;
		add_member(_i, 0, content_size);
		expect_content(compress_names[_i]); /* with just that for max */
		expect_refused(file_size, content_size - 1, -EFBIG, "unpacks to more than");
		/* ... nor by the last of two. */
		add_member(_i, 0, 1);
		expect_refused(file_size, content_size, -EFBIG, "(-m)");
	}
}
END_TEST

/* Its second half is missing, and nobody gets to see that. */
START_TEST(bomb_is_refused_before_it_is_unpacked)
{
	const size_t size = MIB(64);
	uint8_t *zeroes = calloc(1, size), *bomb = malloc(compress_bound(size));
	size_t bomb_size = compress_bytes(_i, zeroes, size, bomb);

	ck_assert_uint_lt(bomb_size, KIB(400));
	image_from_bytes(&image, "v.kernel", bomb, bomb_size / 2);
	ck_assert_int_eq(image_unpack(&image, MIB(16), &error), -EFBIG);
	ck_assert_str_eq(error.text,
		"v.kernel: unpacks to more than 16 MiB; a kernel has to fit the guest's memory (-m), and 4 GiB");
	free(zeroes);
	free(bomb);
}
END_TEST

START_TEST(file_cut_anywhere_is_truncated)
{
	static const size_t magic[] = {3, 6, 4};

	content_size = 3000;
	add_member(_i, 0, content_size);
	for (size_t size = magic[_i]; size < file_size; size++)
		expect_refused(size, content_size, -EIO, "truncated");
	expect_content(compress_names[_i]);
	/* In its second member, too; up to the magic that is something else behind the first. */
	content_size = 2000;
	file_size = 0;
	add_member(_i, 0, content_size);
	for (size_t first = file_size, size = first; size < first + 30; size++) {
		file_size = first;
		add_member(_i, 0, 1000);
		if (size >= first + magic[_i]) {
			expect_refused(size, MIB(1), -EIO, "truncated");
		} else {
			file_size = size;
			expect_content(compress_names[_i]);
		}
	}
}
END_TEST

/* A byte is flipped, counted from the end if it is negative, in a file that holds one byte. */
static const struct {
	enum compress_format format;
	int at;
	int err;
	const char *why;
} faults[] = {
	{COMPRESS_GZIP, 3, -EBADMSG, "(gzip): unknown header flags set"},
	{COMPRESS_GZIP, -8, -EBADMSG, "(gzip): incorrect data check"},
	{COMPRESS_GZIP, -5, -EBADMSG, "incorrect data check"},
	{COMPRESS_GZIP, -4, -EBADMSG, "incorrect length check"},
	{COMPRESS_GZIP, 10, -EBADMSG, "(gzip): invalid"},
	{COMPRESS_XZ, 6, -EBADMSG, "(xz): it is damaged"},
	{COMPRESS_XZ, 8, -EBADMSG, "(xz): it is damaged"},
	{COMPRESS_XZ, 13, -EBADMSG, "(xz): it is damaged"},
	{COMPRESS_XZ, 20, -EBADMSG, "(xz): it is damaged"},
	{COMPRESS_XZ, -1, -EBADMSG, "(xz): it is damaged"},
	{COMPRESS_XZ, -12, -EBADMSG, "(xz): it is damaged"},
	{COMPRESS_ZSTD, -1, -EBADMSG, "(zstd): Restored data doesn't match checksum"},
	{COMPRESS_ZSTD, -4, -EBADMSG, "checksum"},
};

START_TEST(damaged_file_is_refused_with_the_reason)
{
	int at = faults[_i].at;

	add_member(faults[_i].format, 0, 1);
	file[at < 0 ? file_size - (size_t)-at : (size_t)at] ^= 0xff;
	expect_refused(file_size, MIB(1), faults[_i].err, faults[_i].why);
	/* ... also behind a good member */
	file_size = 0;
	add_member(faults[_i].format, 0, 100);
	memmove(file + 10000, file, file_size);
	file_size = 0;
	add_member(faults[_i].format, 0, 1);
	file[at < 0 ? file_size - (size_t)-at : (size_t)at] ^= 0xff;
	memmove(file + 5000, file, file_size);
	at = (int)file_size;
	file_size = 0;
	add_member(faults[_i].format, 0, 100);
	add_bytes(file + 5000, (size_t)at);
	expect_refused(file_size, MIB(1), faults[_i].err, faults[_i].why);
}
END_TEST

START_TEST(file_with_nothing_in_it_is_refused)
{
	add_member(_i, 0, 0);
	expect_refused(file_size, MIB(1), -ENODATA, "nothing is in it");
	add_member(_i, 0, 0);
	expect_refused(file_size, MIB(1), -ENODATA, compress_names[_i]);
}
END_TEST

START_TEST(file_compressed_twice_is_refused)
{
	const unsigned inner = (unsigned)_i % COMPRESS_FORMATS, outer = (unsigned)_i / COMPRESS_FORMATS;
	char text[64];

	content_size = compress_bytes(inner, "code", 4, content);
	add_member(outer, 0, content_size);
	snprintf(text, sizeof(text), "compressed twice, by %s and then by %s", compress_names[inner],
		compress_names[outer]);
	expect_refused(file_size, MIB(1), -ENOEXEC, text);
}
END_TEST

/* What a decoder may cost */

/* The .xz file format, 3.1: a block header's size, flags, filter LZMA2 (0x21), 1 byte, its dictionary. */
START_TEST(xz_dictionary_has_a_limit)
{
	static const struct {
		uint8_t dictionary;
		bool fine;
	} rows[] = {{30, true}, {31, true}, {32, false}, {40, false}}; /* 128, 192, 256 MiB, 4 GiB */
	uint8_t *header = file + 12;

	add_member(COMPRESS_XZ, 0, 10);
	content_size = 10;
	ck_assert_uint_eq(header[2], 0x21);
	ck_assert_uint_eq(header[3], 1);
	header[4] = rows[_i].dictionary;
	store_le(header + 8, lzma_crc32(header, 8, 0), 4);
	if (rows[_i].fine)
		expect_content("xz");
	else
		expect_refused(file_size, MIB(1), -EOPNOTSUPP, "(xz): that takes more than 256 MiB");
}
END_TEST

/* ... 2.1.1: the stream header's two flags, with their checksum. */
START_TEST(xz_flags_of_the_future_are_refused)
{
	add_member(COMPRESS_XZ, 0, 10);
	file[6] = 1;
	store_le(file + 8, lzma_crc32(file + 6, 2, 0), 4);
	expect_refused(file_size, MIB(1), -EOPNOTSUPP, "(xz): its options are unknown");
}
END_TEST

/* RFC 8878, 3.1.1: magic, descriptor, window (exponent - 10, mantissa), a raw block that is the last one. */
START_TEST(zstd_window_has_a_limit)
{
	static const struct {
		uint8_t window;
		bool fine;
	} rows[] = {{17 << 3, true}, {17 << 3 | 1, false}, {18 << 3, false}, {31 << 3, false}};

	add_bytes("\x28\xb5\x2f\xfd\0", 5);
	add_bytes(&rows[_i].window, 1);
	add_bytes("\x09\0\0x", 4);
	content_size = 1;
	content[0] = 'x';
	if (rows[_i].fine)
		expect_content("zstd");
	else
		expect_refused(file_size, MIB(1), -EOPNOTSUPP, "(zstd): its window is larger than 128 MiB");
}
END_TEST

/* The file itself */

START_TEST(file_that_shrinks_is_an_error)
{
	add_member(_i, 0, content_size);
	files_write("v.kernel", file, file_size);
	ck_assert_int_eq(image_open(&image, "v.kernel", &error), 0);
	ck_assert_int_eq(truncate("v.kernel", 100000), 0);
	ck_assert_int_eq(image_unpack(&image, CONTENT_MAX, &error), -EIO);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	ck_assert_ptr_nonnull(strstr(error.text, "v.kernel: reading the compressed data: the file shrank"));
	image_close(&image);
}
END_TEST

/* The checksums leave no choice: what is not refused is what it was. But zstd's is gone with one bit. */
static int load_damaged(size_t size)
{
	int err = unpack_size(size, MIB(1));

	bool has_checksum = file[0] != 0x28 || (file[4] & 4);

	if (err || !image.compression)
		return err;
	if (has_checksum) {
		ck_assert_uint_eq(image.size, content_size);
		ck_assert_mem_eq(image.bytes, content, content_size);
	}
	image_close(&image);
	return 0;
}

START_TEST(random_damage_is_seen)
{
	struct damage damage = {
		.file = file,
		.rounds = 3000,
		.seed = 5,
		.load = load_damaged,
		.error = &error,
		.refused = 1500,
		.loaded = 100,
	};

	content_size = 300;
	add_member(_i, 0, content_size);
	/* Here damage does no harm: else almost none is survived. */
	memset(file + file_size, 'x', file_size);
	damage.size = damage.len = 2 * file_size;
	damage_try(&damage);
}
END_TEST

Suite *unpack_suite(void)
{
	Suite *suite = suite_create("loader/unpack");
	TCase *tcase = tcase_create("compressed kernels");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, files_teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, file_is_what_was_compressed, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, file_can_be_read_again_when_it_is_gone_from_the_disk, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, kernel_in_it_is_judged_as_if_it_came_alone, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, other_file_is_left_as_it_is, 0, ARRAY_SIZE(others));
	tcase_add_loop_test(tcase, members_follow_each_other, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, padding_may_be_longer_than_what_is_read_at_once, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, what_follows_the_last_member_is_ignored, 0, ARRAY_SIZE(trailing));
	tcase_add_loop_test(tcase, file_may_unpack_to_so_many_bytes_and_no_more, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, bomb_is_refused_before_it_is_unpacked, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, file_cut_anywhere_is_truncated, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, damaged_file_is_refused_with_the_reason, 0, ARRAY_SIZE(faults));
	tcase_add_loop_test(tcase, file_with_nothing_in_it_is_refused, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, file_compressed_twice_is_refused, 0, COMPRESS_FORMATS * COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, xz_dictionary_has_a_limit, 0, 4);
	tcase_add_test(tcase, xz_flags_of_the_future_are_refused);
	tcase_add_loop_test(tcase, zstd_window_has_a_limit, 0, 4);
	tcase_add_loop_test(tcase, file_that_shrinks_is_an_error, 0, COMPRESS_FORMATS);
	tcase_add_loop_test(tcase, random_damage_is_seen, 0, COMPRESS_FORMATS);
	return suite;
}
