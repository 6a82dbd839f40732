/* Multiboot 1: which files are such kernels, where they go, what they are told. Offsets are the specification's. */
#include "suites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/elf_builder.h"
#include "lib/multiboot_builder.h"
#include "loader/image.h"
#include "loader/loader.h"
#include "memory/guest_memory.h"
#include "unit/damage.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

#define LOW  MIB(16)
#define HIGH MIB(2)

#define RAW_LOADED (16 + MULTIBOOT_HEADER + 4) /* bytes of the file */

static struct guest_memory mem;
static uint8_t file[KIB(64)];
static size_t file_size;
static struct kernel kernel;
static struct boot_state state;
static struct error error;

static void setup(void)
{
	memset(&mem, 0, sizeof(mem));
	ck_assert_int_eq(guest_memory_add(&mem, 0, LOW), 0);
	ck_assert_int_eq(guest_memory_add(&mem, HOLE_END, HIGH), 0);
	file_size = multiboot_build_raw("code", 4, file, sizeof(file));
	ck_assert_uint_gt(file_size, 0);
}

static void teardown(void)
{
	guest_memory_fini(&mem);
}

static const struct boot_data plain = {.cmdline = "one two"};

/* From a copy of exactly that size: ASan sees one byte too far. */
static int boot_as(const char *name, const struct boot_data *data, size_t size)
{
	uint8_t *copy = malloc(size);
	struct image image;
	int err;

	memcpy(copy, file, size);
	image_from_bytes(&image, name, copy, size);
	err = loader_probe(&image, &kernel, &error);
	if (!err)
		err = loader_load_kernel(&kernel, &image, &mem, &error);
	if (!err)
		err = loader_write_boot_data(data, &kernel, &mem, &state, &error);
	free(copy);
	return err;
}

static void boot(const struct boot_data *data)
{
	int err = boot_as("boot/m.kernel", data, file_size);

	ck_assert_msg(!err, "%s", error.text);
}

static uint64_t guest(uint64_t gpa, unsigned size)
{
	const void *at = guest_memory_at(&mem, gpa, size);

	ck_assert_msg(at != NULL, "0x%llx is outside guest memory", (unsigned long long)gpa);
	return load_le(at, size);
}

static const char *guest_text(uint64_t gpa)
{
	return guest_memory_at(&mem, gpa, 64);
}

/* Good kernels */

START_TEST(elf_file_of_either_class_is_entered_in_32_bit_mode)
{
	file_size = multiboot_build_elf(_i ? 64 : 32, "code", 4, file, sizeof(file));
	boot(&plain);
	ck_assert_int_eq(kernel.protocol, PROTOCOL_MULTIBOOT);
	ck_assert_str_eq(
		kernel.format, _i ? "ELF64 with a multiboot header" : "ELF32 with a multiboot header");
	ck_assert_int_eq(state.mode, BOOT_PROTECTED_32);
	ck_assert_uint_eq(state.rax, 0x2badb002);
	ck_assert_uint_eq(state.rip, 0x100000 + MULTIBOOT_HEADER);
	ck_assert_mem_eq(guest_memory_at(&mem, state.rip, 5), "code", 5);
	ck_assert(boot_protocol_wants_pc(kernel.protocol));
}
END_TEST

START_TEST(addresses_in_the_header_place_the_file)
{
	boot(&plain);
	ck_assert_str_eq(kernel.format, "multiboot, by the addresses in its header");
	ck_assert_int_eq(state.mode, BOOT_PROTECTED_32);
	ck_assert_uint_eq(state.rax, 0x2badb002);
	ck_assert_uint_eq(state.rip, 0x200000 + 16 + MULTIBOOT_HEADER);
	ck_assert_mem_eq(guest_memory_at(&mem, 0x200000, RAW_LOADED), file + 48, RAW_LOADED);
	ck_assert_uint_eq(guest(0x200000 + RAW_LOADED, 4), 0);
	ck_assert_uint_eq(segments_end(&kernel.segments), 0x200000 + RAW_LOADED + 4096);
}
END_TEST

static void put_raw(unsigned offset, uint32_t value)
{
	store_le(file + MULTIBOOT_RAW_AT + offset, value, 4);
}

/* An end of 0: all of the file, and no bss. */
START_TEST(ends_may_be_left_out)
{
	put_raw(20, 0);
	boot(&plain);
	ck_assert_uint_eq(segments_end(&kernel.segments), 0x200000 + RAW_LOADED + 4096);
	put_raw(24, 0);
	boot(&plain);
	ck_assert_uint_eq(segments_end(&kernel.segments), 0x200000 + RAW_LOADED);
	put_raw(20, 0x200000 + RAW_LOADED);
	boot(&plain);
	ck_assert_uint_eq(segments_end(&kernel.segments), 0x200000 + RAW_LOADED);
}
END_TEST

/* "Machine state" asks for the header's addresses even in an ELF file. */
static void expect_refused(const char *why);

/* From 0x7000 to 0x20000: what kvm-unit-tests' realmode.flat needs. */
START_TEST(low_memory_that_no_boot_data_has_may_hold_a_kernel)
{
	static uint8_t code[0x100];
	static const uint64_t places[] = {0x7000, 0x8000, 0x1ff00};
	struct elf_build build = {.elf32 = true, .segment_count = 1};

	memset(code, 0x5a, sizeof(code));
	multiboot_put_header(code, 0);
	build.entry = places[_i] + MULTIBOOT_HEADER;
	build.segments[0] = (struct elf_build_segment){
		.paddr = places[_i], .vaddr = places[_i], .bytes = code, .filesz = sizeof(code)};
	file_size = elf_build(&build, file, sizeof(file), NULL);
	boot(&plain);
	ck_assert_uint_eq(state.rip, places[_i] + MULTIBOOT_HEADER);
	ck_assert_mem_eq(guest_memory_at(&mem, places[_i], sizeof(code)), code, sizeof(code));
	build.segments[0].bss = 0x19000;
	file_size = elf_build(&build, file, sizeof(file), NULL);
	expect_refused("below 1 MiB");
	/* Linux's and PVH's boot data need that memory. */
	build.segments[0].bss = 0;
	build.pvh = true;
	build.pvh_entry = (uint32_t)build.entry;
	file_size = elf_build(&build, file, sizeof(file), NULL);
	expect_refused("below 1 MiB");
}
END_TEST

START_TEST(addresses_go_before_elf_headers)
{
	uint8_t bytes[64 + 4] = {0};
	const struct elf_build build = {
		.segments = {{.paddr = 0x300000, .bytes = bytes, .filesz = sizeof(bytes)}},
		.segment_count = 1,
		.entry = 0x300000,
	};
	struct elf_layout layout;
	uint8_t *header;

	file_size = elf_build(&build, file, sizeof(file), &layout);
	ck_assert_uint_eq(layout.first % 4, 0);
	header = file + layout.first;
	multiboot_put_header(header, MULTIBOOT_ADDRESSES);
	store_le(header + 12, 0x400000, 4);
	store_le(header + 16, 0x400000, 4);
	store_le(header + 28, 0x400020, 4);
	boot(&plain);
	ck_assert_str_eq(kernel.format, "multiboot, by the addresses in its header");
	ck_assert_uint_eq(state.rip, 0x400020);
	ck_assert_uint_eq(guest(0x400000, 4), MULTIBOOT_MAGIC);
	ck_assert_uint_eq(guest(0x300000, 4), 0);
}
END_TEST

START_TEST(pvh_note_goes_before_a_multiboot_header)
{
	uint8_t bytes[64] = {0};
	const struct elf_build build = {
		.elf32 = _i,
		.segments = {{.paddr = 0x300000, .bytes = bytes, .filesz = sizeof(bytes)}},
		.segment_count = 1,
		.pvh = true,
		.pvh_entry = 0x300004,
	};

	multiboot_put_header(bytes, 0);
	file_size = elf_build(&build, file, sizeof(file), NULL);
	boot(&plain);
	ck_assert_int_eq(kernel.protocol, PROTOCOL_PVH);
	ck_assert_uint_eq(state.rip, 0x300004);
}
END_TEST

/* Where the header may begin: 4-aligned, whole within the first 8192 bytes. */
static const struct {
	unsigned at;
	bool found;
} spots[] = {{0, true}, {4, true}, {8180, true}, {8184, false}, {8192, false}, {2, false}, {8179, false}};

START_TEST(header_is_found_where_it_may_be)
{
	memset(file, 0, sizeof(file));
	file_size = 9000;
	multiboot_put_header(file + spots[_i].at, MULTIBOOT_ADDRESSES);
	store_le(file + spots[_i].at + 12, 0x200000 + spots[_i].at, 4);
	store_le(file + spots[_i].at + 16, 0x200000, 4);
	store_le(file + spots[_i].at + 28, 0x200000, 4);
	if (spots[_i].found) {
		boot(&plain);
		ck_assert_uint_eq(state.rip, 0x200000);
		ck_assert_uint_eq(segments_end(&kernel.segments), 0x200000 + 9000);
	} else {
		ck_assert_int_eq(boot_as("m", &plain, file_size), -ENOEXEC);
		ck_assert_ptr_nonnull(strstr(error.text, "nor multiboot"));
	}
}
END_TEST

/* What it is told */

START_TEST(information_has_memory_map_module_and_names)
{
	static const struct boot_data data = {
		.cmdline = "one two", .initrd_base = 0xf00000, .initrd_size = 0x54321};
	uint64_t info, module, map;

	boot(&data);
	info = state.rbx;
	ck_assert_uint_eq(info % 4, 0);
	ck_assert_uint_eq(guest(info, 4), 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	ck_assert_uint_eq(guest(info + 4, 4), 639);
	ck_assert_uint_eq(guest(info + 8, 4), 15 * 1024);
	ck_assert_str_eq(guest_text(guest(info + 16, 4)), "m.kernel one two");
	ck_assert_uint_eq(guest(info + 20, 4), 1);
	module = guest(info + 24, 4);
	ck_assert_uint_eq(guest(module, 4), 0xf00000);
	ck_assert_uint_eq(guest(module + 4, 4), 0xf00000 + 0x54321);
	ck_assert_str_eq(guest_text(guest(module + 8, 4)), "initrd");
	ck_assert_str_eq(guest_text(guest(info + 64, 4)), "lodge");
	/* The map: size (of what follows it), base, length, type. */
	map = guest(info + 48, 4);
	ck_assert_uint_eq(guest(info + 44, 4), 5 * 24);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_uint_eq(guest(map + 24 * i, 4), 20);
	ck_assert_uint_eq(guest(map + 4, 8), 0);
	ck_assert_uint_eq(guest(map + 12, 8), 0x9fc00);
	ck_assert_uint_eq(guest(map + 20, 4), 1);
	ck_assert_uint_eq(guest(map + 24 + 20, 4), 2);
	ck_assert_uint_eq(guest(map + 96 + 4, 8), HOLE_END);
	ck_assert_uint_eq(guest(map + 96 + 12, 8), HIGH);
}
END_TEST

START_TEST(without_an_initrd_there_is_no_module)
{
	boot(&plain);
	ck_assert_uint_eq(guest(state.rbx + 20, 4), 0);
}
END_TEST

/* The first word is the kernel, whatever its file is called. */
static const struct {
	const char *name, *cmdline, *text;
} cmdlines[] = {
	{"k", "", "k"},
	{"k", "a", "k a"},
	{"/a b/c d\te", "x=1 y", "c_d_e x=1 y"},
	{"dir/", "x", "x"},
};

START_TEST(command_line_begins_with_the_kernels_name)
{
	const struct boot_data data = {.cmdline = cmdlines[_i].cmdline};

	ck_assert_int_eq(boot_as(cmdlines[_i].name, &data, file_size), 0);
	ck_assert_str_eq(guest_text(guest(state.rbx + 16, 4)), cmdlines[_i].text);
}
END_TEST

START_TEST(name_and_command_line_have_room_for_4095_bytes)
{
	static char name[2 * BOOT_CMDLINE_SIZE], cmdline[BOOT_CMDLINE_SIZE];
	const struct boot_data data = {.cmdline = cmdline};

	memset(cmdline, 'c', 4000);
	memset(name, 'n', 94);
	ck_assert_int_eq(boot_as(name, &data, file_size), 0);
	ck_assert_uint_eq(strlen(guest_memory_at(&mem, BOOT_CMDLINE_BASE, BOOT_CMDLINE_SIZE)), 4095);
	name[94] = 'n';
	ck_assert_int_eq(boot_as(name, &data, file_size), -E2BIG);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	memset(name, 'n', sizeof(name) - 1);
	ck_assert_int_eq(boot_as(name, &data, file_size), -E2BIG);
	ck_assert_int_eq(boot_as(name, &plain, file_size), -E2BIG);
}
END_TEST

/* Bad kernels */

static void expect_refused(const char *why)
{
	ck_assert_int_lt(boot_as("m.kernel", &plain, file_size), 0);
	ck_assert_int_eq(error.kind, ERROR_IMAGE);
	ck_assert_msg(!strncmp(error.text, "m.kernel: ", 10), "%s", error.text);
	ck_assert_msg(strstr(error.text, why) != NULL, "'%s' is not '%s'", error.text, why);
}

static const struct {
	uint32_t flags;
	const char *why; /* NULL: it is fine */
} demands[] = {
	{0x3, NULL},
	{0xfffe0003, NULL}, /* what is not understood above flag 15 may be ignored */
	{0x4, "video mode"},
	{0x8, "flags 0x8"},
	{0x8000, "flags 0x8000"},
	{0xfff8, "flags 0xfff8"},
};

START_TEST(demand_that_cannot_be_met_is_named)
{
	multiboot_put_header(file + MULTIBOOT_RAW_AT, demands[_i].flags | MULTIBOOT_ADDRESSES);
	if (demands[_i].why)
		expect_refused(demands[_i].why);
	else
		boot(&plain);
}
END_TEST

/* In a file whose kernel is loaded at 0x200000, 0x10 before the header. */
static const struct {
	struct {
		unsigned offset; /* 0: none */
		uint32_t value;
	} lies[4];
	const char *why;
} broken[] = {
	/* clang-format off */
	{{{12, 0x1fffff}}, "cannot lie at 0x1fffff"},
	{{{12, 0}}, "cannot lie at 0x0"},
	{{{12, 0x200041}}, "cannot lie at 0x200041"},
	{{{12, UINT32_MAX}}, "cannot lie at 0xffffffff"},
	{{{16, 0x200011}}, "cannot lie at 0x200010"},
	{{{16, UINT32_MAX}}, "cannot lie at 0x200010"},
	{{{16, UINT32_MAX - 7}, {12, 8}, {20, 0}, {24, 0}}, "cannot lie at 0x8"}, /* 16 before, round the end */
	{{{16, 0}}, "cannot lie at 0x200010"},
	{{{16, 0xffff0}, {12, 0x100000}, {20, 0}, {24, 0}}, "below 1 MiB"},
	{{{16, 0}, {12, 0x10}, {20, 0}, {24, 0}}, "below 1 MiB"},
	{{{16, 0x6ff0}, {12, 0x7000}, {20, 0}, {24, 0}}, "below 1 MiB"},
	{{{16, 0x1fff0}, {12, 0x20000}, {20, 0}, {24, 0}}, "below 1 MiB"},
	{{{16, 0x20000}, {12, 0x20010}, {20, 0}, {24, 0}}, "below 1 MiB"},
	{{{16, 0x9f000}, {12, 0x9f010}, {20, 0}, {24, 0}}, "below 1 MiB"},
	{{{20, 0x200000}}, "end before it begins"},
	{{{20, 1}}, "end before it begins"},
	{{{24, 0x200000}}, "end before it begins"},
	{{{24, 1}}, "end before it begins"},
	{{{20, 0x200000 + RAW_LOADED + 1}}, "truncated"},
	{{{20, UINT32_MAX}}, "larger in the file than in memory"},
	{{{20, UINT32_MAX}, {24, 0}}, "truncated"},
	{{{24, 0x200000 + RAW_LOADED - 1}}, "larger in the file than in memory"},
	{{{24, 0x200000 + RAW_LOADED - 1}, {20, 0}}, "larger in the file than in memory"},
	{{{24, LOW + 1}}, "the kernel (0xe00001 bytes at 0x200000) lies outside guest memory"},
	{{{24, UINT32_MAX}}, "outside guest memory"},
	{{{28, 0}}, "the entry point 0x0 lies outside the kernel"},
	{{{28, 0x1fffff}}, "lies outside the kernel"},
	{{{28, 0x200000 + RAW_LOADED + 4096}}, "lies outside the kernel"},
	{{{28, UINT32_MAX}}, "lies outside the kernel"},
	/* clang-format on */
};

START_TEST(header_that_lies_is_refused_with_the_reason)
{
	for (unsigned i = 0; i < ARRAY_SIZE(broken[_i].lies); i++) {
		if (broken[_i].lies[i].offset)
			put_raw(broken[_i].lies[i].offset, broken[_i].lies[i].value);
	}
	expect_refused(broken[_i].why);
}
END_TEST

START_TEST(raw_file_without_addresses_is_refused)
{
	multiboot_put_header(file + MULTIBOOT_RAW_AT, 0);
	expect_refused("no ELF file, and without addresses");
}
END_TEST

START_TEST(wrong_checksum_is_no_header)
{
	put_raw(8, (uint32_t)load_le(file + MULTIBOOT_RAW_AT + 8, 4) + 1);
	expect_refused("nor multiboot");
}
END_TEST

START_TEST(multiboot_2_is_told_from_multiboot_1)
{
	/* elf_build() puts the contents at 0x78. The header is in the first 32 KiB, whole. */
	static const unsigned at[] = {0, KIB(32) - 0x78 - 16};
	static uint8_t bytes[KIB(32)];
	const struct elf_build build = {
		.segments = {{.paddr = 0x300000, .bytes = bytes, .filesz = sizeof(bytes)}},
		.segment_count = 1,
		.entry = 0x300000,
	};

	store_le(bytes + at[_i], 0xe85250d6, 4);
	store_le(bytes + at[_i] + 8, 16, 4);
	store_le(bytes + at[_i] + 12, 0u - 0xe85250d6u - 16, 4);
	file_size = elf_build(&build, file, sizeof(file), NULL);
	expect_refused("multiboot 2");
}
END_TEST

START_TEST(file_cut_anywhere_is_refused)
{
	for (size_t size = 1; size < file_size; size++) {
		ck_assert_int_lt(boot_as("m", &plain, size), 0);
		ck_assert_int_eq(error.kind, ERROR_IMAGE);
		if (size >= MULTIBOOT_RAW_AT + 12)
			ck_assert_msg(strstr(error.text, "truncated") != NULL, "%zu: %s", size, error.text);
	}
}
END_TEST

static int load_damaged(size_t size)
{
	int err = boot_as("m", &plain, size);

	if (!err)
		ck_assert_ptr_nonnull(guest_memory_at(&mem, state.rip, 1));
	return err;
}

START_TEST(random_damage_never_leaves_guest_memory)
{
	struct damage damage = {
		.file = file,
		.seed = 11,
		.rounds = 3000,
		.load = load_damaged,
		.error = &error,
		.refused = 300,
		.loaded = 100,
	};

	if (_i)
		file_size = multiboot_build_elf(_i, "code", 4, file, sizeof(file));
	damage.size = damage.len = file_size;
	damage_try(&damage);
}
END_TEST

Suite *multiboot_suite(void)
{
	Suite *suite = suite_create("loader/multiboot");
	TCase *tcase = tcase_create("multiboot kernels");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, elf_file_of_either_class_is_entered_in_32_bit_mode, 0, 2);
	tcase_add_test(tcase, addresses_in_the_header_place_the_file);
	tcase_add_test(tcase, ends_may_be_left_out);
	tcase_add_loop_test(tcase, low_memory_that_no_boot_data_has_may_hold_a_kernel, 0, 3);
	tcase_add_test(tcase, addresses_go_before_elf_headers);
	tcase_add_loop_test(tcase, pvh_note_goes_before_a_multiboot_header, 0, 2);
	tcase_add_loop_test(tcase, header_is_found_where_it_may_be, 0, ARRAY_SIZE(spots));
	tcase_add_test(tcase, information_has_memory_map_module_and_names);
	tcase_add_test(tcase, without_an_initrd_there_is_no_module);
	tcase_add_loop_test(tcase, command_line_begins_with_the_kernels_name, 0, ARRAY_SIZE(cmdlines));
	tcase_add_test(tcase, name_and_command_line_have_room_for_4095_bytes);
	tcase_add_loop_test(tcase, demand_that_cannot_be_met_is_named, 0, ARRAY_SIZE(demands));
	tcase_add_loop_test(tcase, header_that_lies_is_refused_with_the_reason, 0, ARRAY_SIZE(broken));
	tcase_add_test(tcase, raw_file_without_addresses_is_refused);
	tcase_add_test(tcase, wrong_checksum_is_no_header);
	tcase_add_loop_test(tcase, multiboot_2_is_told_from_multiboot_1, 0, 2);
	tcase_add_test(tcase, file_cut_anywhere_is_refused);
	for (int bits = 0; bits <= 64; bits += 32)
		tcase_add_loop_test(tcase, random_damage_never_leaves_guest_memory, bits, bits + 1);
	return suite;
}
