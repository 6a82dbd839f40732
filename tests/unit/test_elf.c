/* The ELF loader: kernels that are good. */
#include "elf_fixture.h"

#include "lib/files.h"

static struct elf_fixture f;

static void setup(void)
{
	elf_fixture_setup(&f);
}

static void teardown(void)
{
	elf_fixture_teardown(&f);
}

static void load(const struct elf_build *build)
{
	int err;

	elf_fixture_build(&f, build);
	err = elf_fixture_load(&f, f.size);
	ck_assert_msg(!err, "%s", f.error.text);
}

START_TEST(pvh_note_gives_the_entry)
{
	const struct elf_build build = {
		.segments = {{.paddr = 0x100000, .bytes = "code", .filesz = 4, .bss = 0x1000}},
		.segment_count = 1,
		.entry = 0x100000,
		.pvh = true,
		.pvh_entry = 0x100002,
	};

	load(&build);
	ck_assert(f.kernel.has_pvh_entry);
	ck_assert_uint_eq(f.kernel.pvh_entry, 0x100002);
	ck_assert_uint_eq(f.kernel.end, 0x101004);
	ck_assert_mem_eq(elf_fixture_at(&f, 0x100000), "code\0\0", 6);
}
END_TEST

START_TEST(kernel_without_a_note_is_entered_at_its_entry)
{
	const struct elf_build build = {
		.segments = {{.paddr = 0x200000, .bytes = "code", .filesz = 4}},
		.segment_count = 1,
		.entry = 0x200003,
	};

	load(&build);
	ck_assert(!f.kernel.has_pvh_entry);
	ck_assert_uint_eq(f.kernel.entry, 0x200003);
	ck_assert_uint_eq(f.kernel.end, 0x200004);
}
END_TEST

/* As in vmlinux, where only the physical addresses are of use before paging. */
START_TEST(virtual_entry_becomes_a_physical_one)
{
	const struct elf_build build = {
		.segments = {{.paddr = 0x100000, .vaddr = 0xffffffff81000000, .bytes = "aa", .filesz = 2},
			{.paddr = 0x300000, .vaddr = 0xffffffff82000000, .bytes = "bbb", .filesz = 3}},
		.segment_count = 2,
		.entry = 0xffffffff82000001,
	};

	load(&build);
	ck_assert_uint_eq(f.kernel.entry, 0x300001);
	ck_assert_mem_eq(elf_fixture_at(&f, 0x100000), "aa", 3);
	ck_assert_mem_eq(elf_fixture_at(&f, 0x300000), "bbb", 4);
}
END_TEST

START_TEST(end_lies_behind_all_segments_whatever_their_order)
{
	const struct elf_build build = {
		.segments = {{.paddr = 0x400000, .bytes = "high", .filesz = 4, .bss = 12},
			{.paddr = 0x100000, .bytes = "low", .filesz = 3},
			{.paddr = HOLE_END, .bytes = "above", .filesz = 5}},
		.segment_count = 3,
		.entry = 0x100000,
	};

	load(&build);
	ck_assert_uint_eq(f.kernel.end, 0x400010);
	ck_assert_mem_eq(elf_fixture_at(&f, 0x400000), "high", 5);
	ck_assert_mem_eq(elf_fixture_at(&f, 0x100000), "low", 4);
	ck_assert_mem_eq(elf_fixture_at(&f, HOLE_END), "above", 6);
}
END_TEST

START_TEST(segments_may_touch_each_other_and_the_ends_of_memory)
{
	const struct elf_build build = {
		.segments = {{.paddr = 0x100000, .bytes = "12345678", .filesz = 8},
			{.paddr = 0x100008, .bytes = "9abcdef0", .filesz = 8},
			{.paddr = FIXTURE_LOW - 4, .bytes = "last", .filesz = 4},
			{.paddr = HOLE_END + FIXTURE_HIGH - 4, .bytes = "LAST", .filesz = 4}},
		.segment_count = 4,
		.entry = 0x100000,
	};

	load(&build);
	ck_assert_mem_eq(elf_fixture_at(&f, 0x100000), "123456789abcdef0", 16);
	ck_assert_mem_eq(elf_fixture_at(&f, FIXTURE_LOW - 4), "last", 4);
	ck_assert_mem_eq(elf_fixture_at(&f, HOLE_END + FIXTURE_HIGH - 4), "LAST", 4);
	ck_assert_uint_eq(f.kernel.end, FIXTURE_LOW);
}
END_TEST

START_TEST(empty_segment_may_be_anywhere)
{
	const struct elf_build build = {
		.segments = {{.paddr = 0, .bytes = NULL}, {.paddr = 0x100000, .bytes = "x", .filesz = 1}},
		.segment_count = 2,
		.entry = 0x100000,
	};

	load(&build);
	ck_assert_uint_eq(f.kernel.entry, 0x100000);
}
END_TEST

START_TEST(segment_of_bss_only_is_loaded)
{
	const struct elf_build build = {
		.segments = {{.paddr = 0x100000, .bytes = "x", .filesz = 1},
			{.paddr = 0x200000, .bss = 0x1000}},
		.segment_count = 2,
		.entry = 0x100000,
	};

	load(&build);
	ck_assert_uint_eq(f.kernel.end, 0x201000);
}
END_TEST

/* Compilers add notes of their own, such as the build id, before or behind the one that counts. */
START_TEST(pvh_note_is_found_among_others)
{
	struct elf_build build = {
		.segments = {{.paddr = 0x100000, .bytes = "c", .filesz = 1}},
		.segment_count = 1,
		.pvh = true,
		.pvh_entry = 0x100000,
	};
	const struct {
		Elf64_Nhdr header;
		char name[8];    /* "Longer" + NUL, padded */
		uint8_t desc[8]; /* 5 bytes, padded */
		Elf64_Nhdr other;
		char xen[4];
		Elf64_Nhdr pvh;
		char xen2[4];
		uint8_t entry[8];
	} notes = {
		.header = {.n_namesz = 7, .n_descsz = 5, .n_type = 18},
		.name = "Longer",
		.desc = {0xff, 0xff, 0xff, 0xff, 0xff},
		.other = {.n_namesz = 4, .n_descsz = 0, .n_type = 6},
		.xen = "Xen",
		.pvh = {.n_namesz = 4, .n_descsz = 8, .n_type = 18},
		.xen2 = "Xen",
		.entry = {0x00, 0x00, 0x10, 0x00},
	};
	Elf64_Phdr *phdr;

	build.segments[1] =
		(struct elf_build_segment){.paddr = 0x200000, .bytes = &notes, .filesz = sizeof(notes)};
	build.segment_count = 2;
	elf_fixture_build(&f, &build);
	/* The second segment's contents become the notes. */
	phdr = (Elf64_Phdr *)(void *)(f.file + f.layout.phdrs);
	phdr[2].p_offset = phdr[1].p_offset;
	phdr[2].p_filesz = sizeof(notes);
	ck_assert_int_eq(elf_fixture_load(&f, f.size), 0);
	ck_assert(f.kernel.has_pvh_entry);
	ck_assert_uint_eq(f.kernel.pvh_entry, 0x100000);
}
END_TEST

/* With the right name and another type, or the reverse, it is no PVH kernel. */
START_TEST(other_note_is_no_pvh_note)
{
	const struct elf_build build = {
		.segments = {{.paddr = 0x100000, .bytes = "c", .filesz = 1}},
		.segment_count = 1,
		.entry = 0x100000,
		.pvh = true,
		.pvh_entry = 0x100000,
	};
	static const struct {
		unsigned offset;
		uint8_t value;
	} changes[] = {{8, 17}, {12, 'Y'}, {15, '!'}, {4, 3}, {0, 3}};

	elf_fixture_build(&f, &build);
	f.file[f.layout.note + changes[_i].offset] = changes[_i].value;
	ck_assert_int_eq(elf_fixture_load(&f, f.size), 0);
	ck_assert(!f.kernel.has_pvh_entry);
	ck_assert_uint_eq(f.kernel.entry, 0x100000);
}
END_TEST

/* ELF32 says the same in narrower fields. */
START_TEST(elf32_is_loaded_alike)
{
	const struct elf_build build = {
		.elf32 = true,
		.segments = {{.paddr = 0x100000, .vaddr = 0xc0100000, .bytes = "aa", .filesz = 2},
			{.paddr = 0x300000, .vaddr = 0xc0300000, .bytes = "bbb", .filesz = 3, .bss = 5}},
		.segment_count = 2,
		.entry = 0xc0300001,
		.pvh = _i,
		.pvh_entry = 0x100001,
	};

	load(&build);
	ck_assert_int_eq(f.kernel.has_pvh_entry, _i);
	if (_i)
		ck_assert_uint_eq(f.kernel.pvh_entry, 0x100001);
	else
		ck_assert_uint_eq(f.kernel.entry, 0x300001);
	ck_assert_uint_eq(f.kernel.end, 0x300008);
	ck_assert_mem_eq(elf_fixture_at(&f, 0x100000), "aa", 3);
	ck_assert_mem_eq(elf_fixture_at(&f, 0x300000), "bbb", 4);
}
END_TEST

/* Linked from 0 on, a kernel without fixed addresses is moved up; from 1 MiB on, it is left alone. */
static const struct {
	uint64_t base, align, moved_by;
} movable[] = {{0, 0, 0x100000}, {0, 0x1000, 0x100000}, {0, 0x200000, 0x200000}, {0xff000, 0x1000, 0x100000},
	{0x100000, 0x200000, 0}, {0x400000, 0x1000, 0}, {0x400000, 3, 0}};

START_TEST(kernel_without_fixed_addresses_is_moved_above_1_mib)
{
	const uint64_t base = movable[_i].base, to = base + movable[_i].moved_by;
	struct elf_build build = {
		.dyn = true,
		.segments = {{.paddr = base, .bytes = "text", .filesz = 4},
			{.paddr = base + 0x2000, .bytes = "data", .filesz = 4, .bss = 4}},
		.segment_count = 2,
		.entry = base + 2,
		.pvh_entry = (uint32_t)base + 1,
	};

	for (int pvh = 0; pvh < 2; pvh++) {
		build.pvh = pvh;
		elf_fixture_build(&f, &build);
		store_le(f.file + f.layout.phdrs + offsetof(Elf64_Phdr, p_align), movable[_i].align, 8);
		ck_assert_msg(!elf_fixture_load(&f, f.size), "%s", f.error.text);
		ck_assert_uint_eq(pvh ? f.kernel.pvh_entry : f.kernel.entry, to + (pvh ? 1 : 2));
		ck_assert_mem_eq(elf_fixture_at(&f, to), "text", 4);
		ck_assert_mem_eq(elf_fixture_at(&f, to + 0x2000), "data", 4);
		ck_assert_uint_eq(f.kernel.end, to + 0x2008);
	}
}
END_TEST

START_TEST(kernel_is_loaded_from_a_file_alike)
{
	struct image image;

	files_setup();
	ck_assert_int_eq(elf_write_pvh("k.elf", "\xfa\xf4", 2), 0);
	ck_assert_int_eq(image_open(&image, "k.elf", &f.error), 0);
	ck_assert_int_eq(elf_fixture_load_image(&f, &image), 0);
	image_close(&image);
	files_teardown();
	ck_assert(f.kernel.has_pvh_entry);
	ck_assert_uint_eq(f.kernel.pvh_entry, ELF_BUILD_LOAD);
	ck_assert_mem_eq(elf_fixture_at(&f, ELF_BUILD_LOAD), "\xfa\xf4\0", 3);
	ck_assert_uint_eq(f.kernel.end, ELF_BUILD_LOAD + 2 + 0x10000);
}
END_TEST

Suite *elf_suite(void)
{
	Suite *suite = suite_create("loader/elf");
	TCase *tcase = tcase_create("good ELF files");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, pvh_note_gives_the_entry);
	tcase_add_test(tcase, kernel_without_a_note_is_entered_at_its_entry);
	tcase_add_test(tcase, virtual_entry_becomes_a_physical_one);
	tcase_add_test(tcase, end_lies_behind_all_segments_whatever_their_order);
	tcase_add_test(tcase, segments_may_touch_each_other_and_the_ends_of_memory);
	tcase_add_test(tcase, empty_segment_may_be_anywhere);
	tcase_add_test(tcase, segment_of_bss_only_is_loaded);
	tcase_add_test(tcase, pvh_note_is_found_among_others);
	tcase_add_loop_test(tcase, other_note_is_no_pvh_note, 0, 5);
	tcase_add_loop_test(tcase, elf32_is_loaded_alike, 0, 2);
	tcase_add_loop_test(
		tcase, kernel_without_fixed_addresses_is_moved_above_1_mib, 0, ARRAY_SIZE(movable));
	tcase_add_test(tcase, kernel_is_loaded_from_a_file_alike);
	suite_add_tcase(suite, elf_broken_tcase());
	return suite;
}
