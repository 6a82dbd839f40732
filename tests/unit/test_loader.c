/* The loader: foreign formats, the initrd's place, and boot data for both ways in. */
#include "elf_fixture.h"

#include <errno.h>

#include "loader/loader.h"

static struct elf_fixture f;
static struct kernel kernel;

static void setup(void)
{
	elf_fixture_setup(&f);
}

static void teardown(void)
{
	elf_fixture_teardown(&f);
}

static int load(const void *bytes, size_t size)
{
	struct image image;
	int err;

	image_from_bytes(&image, "kernel", bytes, size);
	err = loader_probe(&image, &kernel, &f.error);
	return err ? err : loader_load_kernel(&kernel, &image, &f.mem, &f.error);
}

/* Kernels */

static const struct {
	unsigned offset;
	const char *magic;
	unsigned len;
	const char *advice;
} foreign[] = {
	{0, "BZh9", 4, "bunzip2"},
	{0, "\x04\x22\x4d\x18", 4, "unlz4"},
	{0, "MZ\x90", 3, "PE (EFI)"},
	{0, "#!/bin/sh\n", 10, "script"},
	{0, "nothing known", 13, "nor multiboot"},
	{1,
		"\x7f"
		"ELF",
		4, "nor multiboot"},
};

START_TEST(foreign_format_is_named_with_advice)
{
	uint8_t file[1024] = {0};

	memcpy(file + foreign[_i].offset, foreign[_i].magic, foreign[_i].len);
	ck_assert_int_eq(load(file, sizeof(file)), -ENOEXEC);
	ck_assert_int_eq(f.error.kind, ERROR_IMAGE);
	ck_assert_ptr_eq(strstr(f.error.text, "kernel: "), f.error.text);
	ck_assert_msg(strstr(f.error.text, foreign[_i].advice), "%s", f.error.text);
}
END_TEST

/* A bzImage begins as a PE file too, and is better known by what it is. */
START_TEST(efi_stub_kernel_is_a_bzimage)
{
	uint8_t file[1024] = "MZ";

	memcpy(file + 0x202, "HdrS", 4);
	ck_assert_int_eq(load(file, sizeof(file)), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(f.error.text, "boot protocol"));
}
END_TEST

START_TEST(file_of_any_length_is_judged_by_what_it_has)
{
	uint8_t *file;

	for (size_t size = 1; size < 0x220; size++) {
		file = calloc(1, size);
		ck_assert_int_eq(load(file, size), -ENOEXEC);
		memcpy(file,
			"\x7f"
			"ELF",
			MIN(size, 4u));
		ck_assert_int_lt(load(file, size), 0);
		ck_assert_int_eq(f.error.kind, ERROR_IMAGE);
		free(file);
	}
}
END_TEST

static void build_small_kernel(bool pvh, bool elf32)
{
	const struct elf_build build = {
		.elf32 = elf32,
		.segments = {{.paddr = 0x100000, .bytes = "code", .filesz = 4, .bss = 0x1000}},
		.segment_count = 1,
		.entry = 0x100001,
		.pvh = pvh,
		.pvh_entry = 0x100002,
	};

	elf_fixture_build(&f, &build);
}

static void load_small_kernel(bool pvh, bool elf32)
{
	build_small_kernel(pvh, elf32);
	ck_assert_int_eq(load(f.file, f.size), 0);
}

START_TEST(elf_kernel_is_told_by_its_note)
{
	load_small_kernel(true, false);
	ck_assert_int_eq(kernel.protocol, PROTOCOL_PVH);
	ck_assert_str_eq(kernel.format, "ELF64 with a PVH note");
	ck_assert_uint_eq(kernel.entry, 0x100002);
	ck_assert_uint_eq(segments_end(&kernel.segments), 0x101004);
	load_small_kernel(false, false);
	ck_assert_int_eq(kernel.protocol, PROTOCOL_LINUX64);
	ck_assert_str_eq(kernel.format, "ELF64, 64-bit entry");
	ck_assert_uint_eq(kernel.entry, 0x100001);
}
END_TEST

START_TEST(elf32_kernel_needs_a_pvh_note)
{
	load_small_kernel(true, true);
	ck_assert_int_eq(kernel.protocol, PROTOCOL_PVH);
	ck_assert_uint_eq(kernel.entry, 0x100002);
	ck_assert_str_eq(kernel.format, "ELF32 with a PVH note");
	build_small_kernel(false, true);
	ck_assert_int_eq(load(f.file, f.size), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(f.error.text, "32-bit ELF"));
}
END_TEST

/* Initrds */

#define KERNEL_END 0x101004

static const struct {
	uint64_t size, end, base; /* base 0: too large */
} initrds[] = {
	{1, KERNEL_END, FIXTURE_LOW - 0x1000},
	{0x1000, KERNEL_END, FIXTURE_LOW - 0x1000},
	{0x1001, KERNEL_END, FIXTURE_LOW - 0x2000},
	{FIXTURE_LOW - 0x102000, KERNEL_END, 0x102000},
	{FIXTURE_LOW - 0x102000 + 1, KERNEL_END, 0},
	{FIXTURE_LOW - 0x101000, 0x101000, 0x101000},
	{FIXTURE_LOW - 0x100000, 0, 0x100000}, /* the kernel lies above 4 GiB */
	{FIXTURE_LOW - 0x100000 + 1, 0, 0},
	{FIXTURE_LOW, KERNEL_END, 0},
	{FIXTURE_LOW + 1, KERNEL_END, 0},
	{FIXTURE_LOW * 2, KERNEL_END, 0},
	{1, FIXTURE_LOW, 0},
};

static struct kernel behind_one_segment(uint64_t end)
{
	return (struct kernel){.initrd_limit = HOLE_BASE,
		.segments = {.count = 1,
			.at = {{.paddr = end ? 0x1000 : HOLE_END, .memsz = end ? end - 0x1000 : 1}}}};
}

START_TEST(initrd_lies_as_high_as_it_goes_behind_the_kernel)
{
	const struct kernel behind = behind_one_segment(initrds[_i].end);
	uint64_t base = 42, size = initrds[_i].size;
	uint8_t *bytes = malloc(size);
	struct image image;
	int err;

	memset(bytes, 0x3c, size);
	bytes[0] = 'F';
	bytes[size - 1] = 'L';
	image_from_bytes(&image, "initrd.img", bytes, size);
	err = loader_load_initrd(&image, &f.mem, &behind, &base, &f.error);
	if (initrds[_i].base) {
		ck_assert_int_eq(err, 0);
		ck_assert_uint_eq(base, initrds[_i].base);
		ck_assert_mem_eq(guest_memory_at(&f.mem, base, size), bytes, size);
	} else {
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_uint_eq(base, 42);
		ck_assert_int_eq(f.error.kind, ERROR_IMAGE);
		ck_assert_ptr_eq(strstr(f.error.text, "initrd.img: "), f.error.text);
		ck_assert_ptr_nonnull(strstr(f.error.text, "-m"));
	}
	free(bytes);
}
END_TEST

/* Boot data */

static struct boot_state state;

static uint64_t guest(uint64_t gpa, unsigned size)
{
	const void *at = guest_memory_at(&f.mem, gpa, size);

	ck_assert_msg(at, "0x%llx is outside guest memory", (unsigned long long)gpa);
	return load_le(at, size);
}

static void write_boot_data(enum boot_protocol protocol)
{
	const struct boot_data data = {
		.cmdline = "console=ttyS0 run=selftest",
		.initrd_base = 0xf00000,
		.initrd_size = 0x54321,
		.fdt_size = 0x1234,
		.rsdp = ACPI_BASE,
	};
	const struct kernel loaded = {.name = "kernel",
		.protocol = protocol,
		.entry = 0x100abc,
		.cmdline_max = BOOT_CMDLINE_SIZE - 1};

	ck_assert_int_eq(loader_write_boot_data(&data, &loaded, &f.mem, &state, &f.error), 0);
	ck_assert_uint_eq(state.rip, 0x100abc);
	ck_assert_uint_eq(state.rsp, BOOT_STACK_TOP);
	/* multiboot puts the kernel's name before it */
	ck_assert_ptr_nonnull(
		strstr(guest_memory_at(&f.mem, BOOT_CMDLINE_BASE, BOOT_CMDLINE_SIZE), data.cmdline));
}

START_TEST(pvh_kernel_gets_start_info)
{
	uint64_t modules, map, name;

	write_boot_data(PROTOCOL_PVH);
	ck_assert_int_eq(state.mode, BOOT_PROTECTED_32);
	ck_assert_uint_eq(state.rbx, BOOT_START_INFO);
	ck_assert_uint_eq(guest(state.rbx, 4), 0x336ec578);
	ck_assert_uint_eq(guest(state.rbx + 24, 8), BOOT_CMDLINE_BASE);
	ck_assert_uint_eq(guest(state.rbx + 32, 8), ACPI_BASE);
	/* The initrd is the first module, as Linux wants it; then the device tree. */
	ck_assert_uint_eq(guest(state.rbx + 12, 4), 2);
	modules = guest(state.rbx + 16, 8);
	ck_assert_uint_eq(guest(modules, 8), 0xf00000);
	ck_assert_uint_eq(guest(modules + 8, 8), 0x54321);
	ck_assert_uint_eq(guest(modules + 32, 8), BOOT_FDT_BASE);
	ck_assert_uint_eq(guest(modules + 40, 8), 0x1234);
	name = guest(modules + 48, 8);
	ck_assert_str_eq(guest_memory_at(&f.mem, name, 4), "fdt");
	/* The last entry of the memory map is what lies above 4 GiB. */
	map = guest(state.rbx + 40, 8) + 24 * (guest(state.rbx + 48, 4) - 1);
	ck_assert_uint_eq(guest(map, 8), HOLE_END);
	ck_assert_uint_eq(guest(map + 8, 8), FIXTURE_HIGH);
}
END_TEST

START_TEST(linux_kernel_gets_boot_params_and_page_tables)
{
	unsigned last;

	write_boot_data(PROTOCOL_LINUX64);
	ck_assert_int_eq(state.mode, BOOT_LONG_64);
	ck_assert_uint_eq(state.rsi, BOOT_PARAMS_BASE);
	ck_assert_uint_eq(guest(state.rsi + 0x202, 4), 0x53726448);
	ck_assert_uint_eq(guest(state.rsi + 0x228, 4), BOOT_CMDLINE_BASE);
	ck_assert_uint_eq(guest(state.rsi + 0x070, 8), ACPI_BASE);
	ck_assert_uint_eq(guest(state.rsi + 0x218, 4), 0xf00000);
	ck_assert_uint_eq(guest(state.rsi + 0x21c, 4), 0x54321);
	last = (unsigned)guest(state.rsi + 0x1e8, 1) - 1;
	ck_assert_uint_eq(guest(state.rsi + 0x2d0 + 20 * last, 8), HOLE_END);
	ck_assert_uint_eq(guest(state.rsi + 0x2d8 + 20 * last, 8), FIXTURE_HIGH);
	/* PML4, and the 2 MiB page that begins at 1 GiB. */
	ck_assert_uint_eq(guest(BOOT_PAGES_BASE, 8) & 3, 3);
	ck_assert_uint_eq(guest(BOOT_PAGES_BASE + 0x3000, 8), GIB(1) | 0x83);
}
END_TEST

START_TEST(boot_data_leaves_kernel_and_fdt_alone)
{
	memset(guest_memory_at(&f.mem, 0x100000, 0x1000), 0x99, 0x1000);
	memset(guest_memory_at(&f.mem, BOOT_FDT_BASE, BOOT_FDT_SIZE), 0x99, BOOT_FDT_SIZE);
	write_boot_data((enum boot_protocol)_i);
	for (unsigned i = 0; i < 0x1000; i += 8)
		ck_assert_uint_eq(guest(0x100000 + i, 8), 0x9999999999999999);
	for (unsigned i = 0; i < BOOT_FDT_SIZE; i += 8)
		ck_assert_uint_eq(guest(BOOT_FDT_BASE + i, 8), 0x9999999999999999);
}
END_TEST

/* Flat images */

START_TEST(flat_image_has_the_low_memory_to_itself)
{
	const struct boot_data data = {.cmdline = "not for it"};
	struct image image;
	uint8_t *bytes = malloc(BOOT_FLAT_SIZE + 1);

	memset(bytes, 0x99, BOOT_FLAT_SIZE + 1);
	image_from_bytes(&image, "boot.bin", bytes, BOOT_FLAT_SIZE);
	ck_assert_int_eq(loader_probe_flat(&image, &kernel, &f.error), 0);
	ck_assert_int_eq(kernel.protocol, PROTOCOL_FLAT);
	ck_assert_str_eq(kernel.format, "flat 16-bit image");
	ck_assert(boot_protocol_wants_pc(kernel.protocol));
	ck_assert_int_eq(loader_load_kernel(&kernel, &image, &f.mem, &f.error), 0);
	ck_assert_int_eq(loader_write_boot_data(&data, &kernel, &f.mem, &state, &f.error), 0);
	ck_assert_int_eq(state.mode, BOOT_REAL_16);
	ck_assert_uint_eq(state.rip, 0);
	ck_assert_uint_eq(state.rsp, 0xfffe);
	ck_assert_mem_eq(guest_memory_at(&f.mem, 0x10000, BOOT_FLAT_SIZE), bytes, BOOT_FLAT_SIZE);
	for (unsigned i = 0; i < 0x10000; i += 8)
		ck_assert_uint_eq(guest(i, 8), 0);
	image_from_bytes(&image, "boot.bin", bytes, BOOT_FLAT_SIZE + 1);
	ck_assert_int_eq(loader_probe_flat(&image, &kernel, &f.error), -EFBIG);
	ck_assert_int_eq(f.error.kind, ERROR_IMAGE);
	ck_assert_ptr_nonnull(strstr(f.error.text, "boot.bin: a flat image of 588801 bytes"));
	free(bytes);
}
END_TEST

/* Any file could be one: nothing is taken for one that its user did not say is one. */
START_TEST(flat_image_is_never_guessed)
{
	uint8_t boot_sector[512] = {0xfa, 0xf4};

	boot_sector[510] = 0x55;
	boot_sector[511] = 0xaa;
	ck_assert_int_eq(load(boot_sector, sizeof(boot_sector)), -ENOEXEC);
	ck_assert_msg(strstr(f.error.text, "--format flat") != NULL, "%s", f.error.text);
}
END_TEST

Suite *loader_suite(void)
{
	Suite *suite = suite_create("loader/loader");
	TCase *tcase = tcase_create("loader");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, foreign_format_is_named_with_advice, 0, ARRAY_SIZE(foreign));
	tcase_add_test(tcase, efi_stub_kernel_is_a_bzimage);
	tcase_add_test(tcase, file_of_any_length_is_judged_by_what_it_has);
	tcase_add_test(tcase, elf_kernel_is_told_by_its_note);
	tcase_add_test(tcase, elf32_kernel_needs_a_pvh_note);
	tcase_add_loop_test(tcase, initrd_lies_as_high_as_it_goes_behind_the_kernel, 0, ARRAY_SIZE(initrds));
	tcase_add_test(tcase, flat_image_has_the_low_memory_to_itself);
	tcase_add_test(tcase, flat_image_is_never_guessed);
	tcase_add_test(tcase, pvh_kernel_gets_start_info);
	tcase_add_test(tcase, linux_kernel_gets_boot_params_and_page_tables);
	tcase_add_loop_test(tcase, boot_data_leaves_kernel_and_fdt_alone, 0, PROTOCOL_FLAT);
	return suite;
}
