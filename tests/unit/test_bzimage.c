/* bzImages: where they go, what they are told, and those that lie. Offsets are boot.rst's. */
#include "suites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bzimage_builder.h"
#include "loader/image.h"
#include "loader/loader.h"
#include "memory/guest_memory.h"
#include "unit/damage.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

#define LOW MIB(16)

static struct guest_memory mem;
static uint8_t file[4096];
static size_t file_size;
static struct kernel kernel;
static struct boot_state state;
static struct error error;

static void setup(void)
{
	memset(&mem, 0, sizeof(mem));
	ck_assert_int_eq(guest_memory_add(&mem, 0, LOW), 0);
	file_size = bzimage_build("code", 4, file, sizeof(file));
	ck_assert_uint_gt(file_size, 0);
}

static void teardown(void)
{
	guest_memory_fini(&mem);
}

/* From a copy of exactly that size: ASan sees one byte too far. */
static int boot_size(const struct boot_data *data, size_t size)
{
	uint8_t *copy = malloc(size);
	struct image image;
	int err;

	memcpy(copy, file, size);
	image_from_bytes(&image, "vmlinuz", copy, size);
	err = loader_probe(&image, &kernel, &error);
	if (!err)
		err = loader_load_kernel(&kernel, &image, &mem, &error);
	if (!err)
		err = loader_write_boot_data(data, &kernel, &mem, &state, &error);
	free(copy);
	return err;
}

static const struct boot_data plain = {.cmdline = "console=ttyS0"};

static void boot(const struct boot_data *data)
{
	int err = boot_size(data, file_size);

	ck_assert_msg(!err, "%s", error.text);
}

static uint64_t guest(uint64_t gpa, unsigned size)
{
	const void *at = guest_memory_at(&mem, gpa, size);

	ck_assert_msg(at != NULL, "0x%llx is outside guest memory", (unsigned long long)gpa);
	return load_le(at, size);
}

static void put(unsigned offset, uint64_t value, unsigned size)
{
	store_le(file + offset, value, size);
}

START_TEST(kernel_is_entered_in_64_bit_mode_at_its_preferred_address)
{
	boot(&plain);
	ck_assert_str_eq(kernel.format, "bzImage, 64-bit entry");
	ck_assert_int_eq(state.mode, BOOT_LONG_64);
	ck_assert_uint_eq(state.rip, BZIMAGE_PREF + 0x200);
	ck_assert_mem_eq(guest_memory_at(&mem, state.rip, 5), "code", 5);
	ck_assert_uint_eq(segments_end(&kernel.segments), BZIMAGE_PREF + BZIMAGE_INIT);
	/* The 64-bit protocol has page tables, and RSI point to boot_params. */
	ck_assert_uint_eq(state.rsi, BOOT_PARAMS_BASE);
	ck_assert_uint_eq(guest(BOOT_PAGES_BASE, 8) & 3, 3);
}
END_TEST

/* boot.rst, "Details of Header Fields": what is the loader's is written, all else is as in the file. */
START_TEST(setup_header_is_handed_back_with_the_loaders_fields)
{
	static const struct {
		unsigned offset, size;
		uint64_t value;
	} written[] = {
		{0x210, 1, 0xff},              /* type_of_loader */
		{0x211, 1, 0x21},              /* loadflags: the kernel's QUIET_FLAG stays */
		{0x214, 4, BZIMAGE_PREF},      /* code32_start */
		{0x218, 4, 0xf00000},          /* ramdisk_image */
		{0x21c, 4, 0x54321},           /* ramdisk_size */
		{0x224, 2, 0x7788},            /* heap_end_ptr: only 16-bit code has a heap */
		{0x226, 1, 0},                 /* ext_loader_ver */
		{0x227, 1, 0},                 /* ext_loader_type */
		{0x228, 4, BOOT_CMDLINE_BASE}, /* cmd_line_ptr */
		{0x250, 8, 0},                 /* setup_data */
	};
	static const struct boot_data data = {
		.cmdline = "quiet", .initrd_base = 0xf00000, .initrd_size = 0x54321, .rsdp = 0xe0000};
	uint8_t want[BZIMAGE_LENGTH + 0xf];

	put(0x211, 0xe3, 1);
	put(0x224, 0x7788, 2);
	put(0x226, 0x9999, 2);
	memcpy(want, file + 0x1f1, sizeof(want));
	for (unsigned i = 0; i < ARRAY_SIZE(written); i++)
		store_le(want + written[i].offset - 0x1f1, written[i].value, written[i].size);
	boot(&data);
	ck_assert_mem_eq(guest_memory_at(&mem, BOOT_PARAMS_BASE + 0x1f1, sizeof(want)), want, sizeof(want));
	/* What follows the header in the file is code, which is no part of it. */
	ck_assert_uint_eq(guest(BOOT_PARAMS_BASE + 0x26c, 4), 0);
	ck_assert_uint_eq(guest(BOOT_PARAMS_BASE, 8), 0);
	ck_assert_uint_eq(guest(BOOT_PARAMS_BASE + 0x70, 8), 0xe0000); /* acpi_rsdp_addr */
	ck_assert_uint_eq(guest(BOOT_PARAMS_BASE + 0x1e8, 1), 4);      /* e820_entries */
	ck_assert_str_eq(guest_memory_at(&mem, BOOT_CMDLINE_BASE, 6), "quiet");
}
END_TEST

/* struct setup_data: next, type 2 (SETUP_DTB), length, and the tree right behind. */
START_TEST(device_tree_is_setup_data_where_there_is_no_acpi)
{
	struct boot_data data = {.cmdline = "", .fdt_size = 0x1234};
	uint64_t at;

	boot(&data);
	at = guest(BOOT_PARAMS_BASE + 0x250, 8);
	ck_assert_uint_eq(at + 16, BOOT_FDT_BASE);
	ck_assert_uint_eq(guest(at, 8), 0);
	ck_assert_uint_eq(guest(at + 8, 4), 2);
	ck_assert_uint_eq(guest(at + 12, 4), 0x1234);
	data.rsdp = 0xe0000;
	boot(&data);
	ck_assert_uint_eq(guest(BOOT_PARAMS_BASE + 0x250, 8), 0);
}
END_TEST

static const struct {
	uint64_t pref;
	uint32_t align;
	uint8_t relocatable;
	uint64_t load;
} places[] = {
	{0x400000, 0x200000, 1, 0x400000}, {0x300000, 0x200000, 1, 0x400000},
	{0x300000, 0x200000, 0, 0x300000}, /* where it wants to be, aligned or not */
	{0x300000, 0, 0, 0x300000}, {0x100000, 0x1000, 1, 0x100000}, {0, 0x200000, 1, 0x200000},
	{0x1000, 1, 1, 0x100000}, {0xff8000, 0x1000, 1, 0xff8000}, /* up to the last byte of memory */
};

START_TEST(kernel_lies_where_it_may)
{
	put(0x258, places[_i].pref, 8);
	put(0x230, places[_i].align, 4);
	put(0x234, places[_i].relocatable, 1);
	boot(&plain);
	ck_assert_uint_eq(state.rip, places[_i].load + 0x200);
	ck_assert_uint_eq(guest(BOOT_PARAMS_BASE + 0x214, 4), places[_i].load);
	ck_assert_mem_eq(guest_memory_at(&mem, state.rip, 4), "code", 4);
}
END_TEST

/* Header lengths of 2.12 and 2.15, and of a version to come. */
static const unsigned lengths[] = {0x68, 0x6c, 0x70, 0x90};

START_TEST(header_of_any_length_is_copied_whole)
{
	const unsigned size = lengths[_i] + 0xf;

	for (unsigned i = 0x264; i < 0x200 + lengths[_i]; i++)
		file[i] = (uint8_t)i;
	put(0x201, lengths[_i] - 2, 1);
	boot(&plain);
	ck_assert_mem_eq(
		guest_memory_at(&mem, BOOT_PARAMS_BASE + 0x264, size - 0x73), file + 0x264, size - 0x73);
	if (lengths[_i] < 0x90)
		ck_assert_uint_eq(guest(BOOT_PARAMS_BASE + 0x200 + lengths[_i], 1), 0);
}
END_TEST

START_TEST(setup_sects_of_0_mean_4)
{
	memmove(file + 5 * 512, file + BZIMAGE_SETUP, file_size - BZIMAGE_SETUP);
	file_size += 3 * 512;
	put(0x1f1, 0, 1);
	boot(&plain);
	ck_assert_mem_eq(guest_memory_at(&mem, state.rip, 5), "code", 5);
}
END_TEST

/* Secure Boot's signature is appended, and is not counted by syssize. */
START_TEST(bytes_behind_the_kernel_do_no_harm)
{
	memset(file + file_size, 0x5a, 64);
	file_size += 64;
	boot(&plain);
	put(0x260, load_le(file + 0x1f4, 4) * 16, 4); /* no room for them either */
	boot(&plain);
	ck_assert_uint_eq(segments_end(&kernel.segments), BZIMAGE_PREF + 0x210);
}
END_TEST

START_TEST(command_line_may_be_as_long_as_the_kernel_says)
{
	struct boot_data data = {.cmdline = "0123456789"};

	put(0x238, 10, 4);
	boot(&data);
	put(0x238, 9, 4);
	ck_assert_int_eq(boot_size(&data, file_size), -E2BIG);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	ck_assert_str_eq(
		error.text, "vmlinuz: a command line of 10 bytes is longer than this kernel takes: 9");
	data.cmdline = "";
	put(0x238, 0, 4);
	boot(&data);
}
END_TEST

/* initrd_addr_max is the last byte that it may have. */
static const struct {
	uint32_t addr_max;
	uint64_t size, base; /* base 0: too large */
} initrds[] = {
	{0x7fffffff, 0x1000, LOW - 0x1000},
	{UINT32_MAX, 0x1001, LOW - 0x2000},
	{LOW - 1, 0x1000, LOW - 0x1000},
	{0x9fffff, 0x1000, 0x9ff000},
	{0x9ffffe, 0x1000, 0x9fe000},
	{0x40bfff, 0x4000, 0x408000},
	{0x40bfff, 0x4001, 0},
	{BZIMAGE_PREF + BZIMAGE_INIT, 0x1000, 0},
	{0x100000, 1, 0},
	{0, 1, 0},
};

START_TEST(initrd_ends_where_the_kernel_wants_it_to)
{
	uint8_t *bytes = calloc(1, initrds[_i].size);
	struct image image;
	uint64_t base = 42;
	int err;

	put(0x22c, initrds[_i].addr_max, 4);
	boot(&plain);
	image_from_bytes(&image, "initrd.img", bytes, initrds[_i].size);
	err = loader_load_initrd(&image, &mem, &kernel, &base, &error);
	if (initrds[_i].base) {
		ck_assert_int_eq(err, 0);
		ck_assert_uint_eq(base, initrds[_i].base);
	} else {
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_uint_eq(base, 42);
		ck_assert_int_eq(error.kind, ERROR_IMAGE);
		ck_assert_msg(strstr(error.text, "vmlinuz wants it to end") != NULL, "%s", error.text);
	}
	free(bytes);
}
END_TEST

/* Up to two fields are overwritten in a good file; what the message must say. */
static const struct {
	struct {
		unsigned offset, size;
		uint64_t value;
	} lies[2];
	const char *why;
} broken[] = {
	/* clang-format off */
	{{{0x1fe, 2, 0}}, "boot flag"},
	{{{0x1fe, 2, 0x55aa}}, "boot flag"},
	/* what it is */
	{{{0x206, 2, 0}}, "boot protocol 0.00"},
	{{{0x206, 2, 0x20b}}, "boot protocol 2.11; lodge needs 2.12"},
	{{{0x211, 1, 0}}, "zImage"},
	{{{0x236, 2, 0}}, "32-bit Linux"},
	{{{0x236, 2, 0xfffe}}, "32-bit Linux"},
	/* its header's length */
	{{{0x201, 1, 0}}, "impossible length"},
	{{{0x201, 1, 0x61}}, "impossible length"},
	{{{0x201, 1, 0x8f}}, "impossible length"},
	{{{0x201, 1, 0xff}}, "impossible length"},
	/* its size */
	{{{0x1f1, 1, 3}}, "truncated"},
	{{{0x1f1, 1, 0}}, "truncated"},
	{{{0x1f1, 1, 0xff}}, "truncated"},
	{{{0x1f4, 4, 0}}, "no kernel behind"},
	{{{0x1f4, 4, 0x20}}, "no kernel behind"},
	{{{0x1f4, 4, 0x22}}, "truncated"},
	{{{0x1f4, 4, 0x80000000}}, "truncated"},
	{{{0x1f4, 4, UINT32_MAX}}, "truncated"},
	{{{0x260, 4, 0}}, "less memory"},
	{{{0x260, 4, 0x20f}}, "less memory"},
	/* its place */
	{{{0x260, 4, LOW}}, "the kernel (0x1000000 bytes at 0x400000) lies outside guest memory"},
	{{{0x260, 4, LOW - BZIMAGE_PREF + 1}}, "outside guest memory"},
	{{{0x260, 4, UINT32_MAX}}, "outside guest memory"},
	{{{0x258, 8, LOW}}, "outside guest memory"},
	{{{0x258, 8, HOLE_BASE - 1}}, "outside guest memory"},
	{{{0x258, 8, HOLE_BASE}}, "above all memory below 4 GiB"},
	{{{0x258, 8, GIB(4)}}, "above all memory below 4 GiB"},
	{{{0x258, 8, UINT64_MAX}}, "above all memory below 4 GiB"},
	{{{0x258, 8, 0}, {0x234, 1, 0}}, "below 1 MiB"},
	{{{0x258, 8, 0xfffff}, {0x234, 1, 0}}, "below 1 MiB"},
	{{{0x230, 4, 0}}, "no power of two"},
	{{{0x230, 4, 0x300000}}, "no power of two"},
	{{{0x230, 4, UINT32_MAX}}, "no power of two"},
	{{{0x230, 4, 0x80000000}}, "outside guest memory"},
	/* what it takes */
	{{{0x238, 4, 12}}, "longer than this kernel takes"},
	{{{0x238, 4, 0}}, "longer than this kernel takes"},
	/* clang-format on */
};

START_TEST(file_that_lies_is_refused_with_the_reason)
{
	for (unsigned i = 0; i < ARRAY_SIZE(broken[_i].lies); i++) {
		if (broken[_i].lies[i].size)
			put(broken[_i].lies[i].offset, broken[_i].lies[i].value, broken[_i].lies[i].size);
	}
	ck_assert_int_lt(boot_size(&plain, file_size), 0);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	ck_assert_msg(!strncmp(error.text, "vmlinuz: ", 9), "%s", error.text);
	ck_assert_msg(strstr(error.text, broken[_i].why), "'%s' is not '%s'", error.text, broken[_i].why);
}
END_TEST

START_TEST(file_cut_anywhere_is_refused)
{
	for (size_t size = 1; size < file_size; size++) {
		ck_assert_int_lt(boot_size(&plain, size), 0);
		ck_assert_int_eq(error.kind, ERROR_IMAGE);
		if (size >= 0x206)
			ck_assert_msg(strstr(error.text, "truncated") != NULL, "%zu: %s", size, error.text);
	}
}
END_TEST

static int load_damaged(size_t size)
{
	int err = boot_size(&plain, size);

	if (!err)
		ck_assert_ptr_nonnull(guest_memory_at(&mem, state.rip, 1));
	return err;
}

START_TEST(random_damage_never_crashes_and_never_leaves_guest_memory)
{
	const struct damage damage = {
		.file = file,
		.size = file_size,
		.from = 0x1f1, /* the header */
		.len = 0x7b,
		.seed = 7,
		.rounds = 4000,
		.load = load_damaged,
		.error = &error,
		.refused = 500,
		.loaded = 200,
	};

	damage_try(&damage);
}
END_TEST

Suite *bzimage_suite(void)
{
	Suite *suite = suite_create("loader/bzimage");
	TCase *tcase = tcase_create("bzImages");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, kernel_is_entered_in_64_bit_mode_at_its_preferred_address);
	tcase_add_test(tcase, setup_header_is_handed_back_with_the_loaders_fields);
	tcase_add_test(tcase, device_tree_is_setup_data_where_there_is_no_acpi);
	tcase_add_loop_test(tcase, kernel_lies_where_it_may, 0, ARRAY_SIZE(places));
	tcase_add_loop_test(tcase, header_of_any_length_is_copied_whole, 0, ARRAY_SIZE(lengths));
	tcase_add_test(tcase, setup_sects_of_0_mean_4);
	tcase_add_test(tcase, bytes_behind_the_kernel_do_no_harm);
	tcase_add_test(tcase, command_line_may_be_as_long_as_the_kernel_says);
	tcase_add_loop_test(tcase, initrd_ends_where_the_kernel_wants_it_to, 0, ARRAY_SIZE(initrds));
	tcase_add_loop_test(tcase, file_that_lies_is_refused_with_the_reason, 0, ARRAY_SIZE(broken));
	tcase_add_test(tcase, file_cut_anywhere_is_refused);
	tcase_add_test(tcase, random_damage_never_crashes_and_never_leaves_guest_memory);
	return suite;
}
