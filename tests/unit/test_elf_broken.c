/* The ELF loader: a table of files that lie, and random damage. None may be loaded, and none may crash us. */
#include "elf_fixture.h"

#include <errno.h>

#include "unit/damage.h"

static struct elf_fixture f;

/* Two segments and a note; the second segment is the high one. */
static void build(bool elf32)
{
	const struct elf_build kernel = {
		.elf32 = elf32,
		.segments = {{.paddr = 0x100000, .bytes = "first segment", .filesz = 13, .bss = 0x100},
			{.paddr = 0x200000, .bytes = "second", .filesz = 6}},
		.segment_count = 2,
		.entry = 0x100000,
		.pvh = true,
		.pvh_entry = 0x100000,
	};

	elf_fixture_build(&f, &kernel);
}

static void setup(void)
{
	elf_fixture_setup(&f);
	build(false);
}

static void teardown(void)
{
	elf_fixture_teardown(&f);
}

enum part { HEADER, SEGMENT0, SEGMENT1, NOTE_SEGMENT, NOTE };

/* Where a field is in ELF64 and in ELF32. */
struct field {
	enum part part;
	struct {
		size_t offset, size;
	} at[2];
};

#define FIELD_OF(type, field)                                     \
	{                                                         \
		offsetof(type, field), sizeof(((type *)0)->field) \
	}
#define IN_HEADER(field)                                                         \
	{                                                                        \
		HEADER,                                                          \
		{                                                                \
			FIELD_OF(Elf64_Ehdr, field), FIELD_OF(Elf32_Ehdr, field) \
		}                                                                \
	}
#define IN_IDENT(index)                  \
	{                                \
		HEADER,                  \
		{                        \
			{index, 1},      \
			{                \
				index, 1 \
			}                \
		}                        \
	}
#define IN(part, field)                                                          \
	{                                                                        \
		part,                                                            \
		{                                                                \
			FIELD_OF(Elf64_Phdr, field), FIELD_OF(Elf32_Phdr, field) \
		}                                                                \
	}
#define IN_NOTE(offset)                   \
	{                                 \
		NOTE,                     \
		{                         \
			{offset, 4},      \
			{                 \
				offset, 4 \
			}                 \
		}                         \
	}

/* Up to two fields are overwritten in a good file; what the message must say. */
struct broken {
	struct {
		struct field field;
		uint64_t value;
	} lies[2];
	const char *why;
};

static const struct broken broken[] = {
	/* clang-format off */
	{{{IN_IDENT(EI_CLASS), 0}}, "neither 32-bit nor 64-bit"},
	{{{IN_IDENT(EI_CLASS), 3}}, "neither 32-bit nor 64-bit"},
	{{{IN_IDENT(EI_DATA), ELFDATA2MSB}}, "another machine"},
	{{{IN_HEADER(e_machine), EM_AARCH64}}, "another machine"},
	{{{IN_HEADER(e_type), 0}}, "ET_EXEC"},
	{{{IN_HEADER(e_type), ET_REL}}, "ET_EXEC"},
	{{{IN_HEADER(e_type), ET_CORE}}, "ET_EXEC"},
	{{{IN_HEADER(e_type), 0xffff}}, "ET_EXEC"},
	{{{IN_HEADER(e_phnum), 0}}, "without program headers"},
	{{{IN_HEADER(e_phnum), 65}}, "more than 64"},
	{{{IN_HEADER(e_phnum), 0xffff}}, "more than 64"},
	{{{IN_HEADER(e_phnum), 64}}, "truncated: the program header table"},
	{{{IN_HEADER(e_phentsize), 0}}, "without program headers"},
	{{{IN_HEADER(e_phentsize), 55}}, "without program headers"},
	{{{IN_HEADER(e_phentsize), 57}}, "without program headers"},
	{{{IN_HEADER(e_phentsize), 56 + 32}}, "without program headers"},
	{{{IN_HEADER(e_phentsize), 0xffff}}, "without program headers"},
	{{{IN_HEADER(e_phoff), 4096}}, "truncated: the program header table"},
	{{{IN_HEADER(e_phoff), UINT64_MAX}}, "truncated: the program header table"},
	{{{IN_HEADER(e_phoff), UINT64_MAX - 167}}, "truncated: the program header table"},
	{{{IN_HEADER(e_phoff), INT64_MAX}}, "truncated: the program header table"},
	/* The file's bytes */
	{{{IN(SEGMENT0, p_offset), 4096}}, "truncated: segment 0"},
	{{{IN(SEGMENT0, p_offset), UINT64_MAX}}, "truncated: segment 0"},
	{{{IN(SEGMENT0, p_offset), UINT64_MAX - 12}}, "truncated: segment 0"},
	{{{IN(SEGMENT0, p_offset), INT64_MAX}}, "truncated: segment 0"},
	{{{IN(SEGMENT0, p_filesz), 4096}, {IN(SEGMENT0, p_memsz), 4096}}, "truncated: segment 0"},
	{{{IN(SEGMENT0, p_filesz), UINT64_MAX}, {IN(SEGMENT0, p_memsz), UINT64_MAX}}, "truncated"},
	{{{IN(SEGMENT0, p_filesz), 0x10e}}, "larger in the file than in memory"},
	{{{IN(SEGMENT1, p_memsz), 5}}, "segment 1 is larger in the file than in memory"},
	{{{IN(SEGMENT1, p_memsz), 0}}, "segment 1 is larger in the file than in memory"},
	/* Guest memory */
	{{{IN(SEGMENT0, p_paddr), 0}}, "below 1 MiB"},
	{{{IN(SEGMENT0, p_paddr), 0xfffff}}, "below 1 MiB"},
	{{{IN(SEGMENT0, p_paddr), BOOT_FDT_BASE}}, "below 1 MiB"},
	{{{IN(SEGMENT1, p_paddr), FIXTURE_LOW}}, "outside guest memory"},
	{{{IN(SEGMENT1, p_paddr), FIXTURE_LOW - 5}}, "outside guest memory"},
	{{{IN(SEGMENT1, p_paddr), VIRTIO_MMIO_BASE}}, "outside guest memory"},
	{{{IN(SEGMENT1, p_paddr), UINT64_MAX}}, "outside guest memory"},
	{{{IN(SEGMENT1, p_paddr), UINT64_MAX - 5}}, "outside guest memory"},
	{{{IN(SEGMENT1, p_memsz), FIXTURE_LOW}}, "outside guest memory"},
	{{{IN(SEGMENT1, p_memsz), UINT64_MAX}}, "outside guest memory"},
	{{{IN(SEGMENT1, p_memsz), UINT64_MAX - 0x1fffff}}, "outside guest memory"},
	/* Overlaps */
	{{{IN(SEGMENT1, p_paddr), 0x100000}}, "segments 0 and 1 overlap"},
	{{{IN(SEGMENT1, p_paddr), 0x10010c}}, "segments 0 and 1 overlap"},
	{{{IN(SEGMENT0, p_memsz), 0x100001}}, "segments 0 and 1 overlap"},
	{{{IN(SEGMENT0, p_paddr), 0x200005}}, "segments 0 and 1 overlap"},
	/* Kernels without fixed addresses */
	{{{IN_HEADER(e_type), ET_DYN}, {IN(SEGMENT0, p_type), PT_INTERP}}, "dynamic linker"},
	{{{IN(SEGMENT1, p_type), PT_INTERP}}, "dynamic linker"},
	{{{IN_HEADER(e_type), ET_DYN}, {IN(SEGMENT0, p_memsz), 0x100001}}, "segments 0 and 1 overlap"},
	{{{IN_HEADER(e_type), ET_DYN}, {IN(SEGMENT1, p_paddr), UINT64_MAX - 5}}, "outside guest memory"},
	/* Nothing to load */
	{{{IN(SEGMENT0, p_type), PT_NULL}, {IN(SEGMENT1, p_type), PT_DYNAMIC}}, "nothing to load"},
	{{{IN_HEADER(e_phoff), 0}}, ""},
	/* Entries */
	{{{IN_NOTE(16), 0}}, "the PVH entry point 0x0 lies in none"},
	{{{IN_NOTE(16), 0x10010d}}, "the PVH entry point 0x10010d lies in none"},
	{{{IN_NOTE(16), UINT32_MAX}}, "the PVH entry point 0xffffffff lies in none"},
	{{{IN_NOTE(8), 17}, {IN_HEADER(e_entry), 0}}, "the entry point 0x0 lies in none"},
	{{{IN_NOTE(8), 17}, {IN_HEADER(e_entry), 0x200006}}, "the entry point 0x200006 lies in none"},
	{{{IN_NOTE(8), 17}, {IN_HEADER(e_entry), UINT64_MAX}}, "lies in none"},
	{{{IN(NOTE_SEGMENT, p_offset), 4096}}, "truncated: the notes"},
	{{{IN(NOTE_SEGMENT, p_offset), UINT64_MAX}}, "truncated: the notes"},
	{{{IN(NOTE_SEGMENT, p_filesz), 4096}}, "truncated: the notes"},
	/* clang-format on */
};

/* What is no lie in ELF32, or another one. */
static const struct broken broken64[] = {
	/* clang-format off */
	{{{IN_IDENT(EI_CLASS), ELFCLASS32}}, ""},
	{{{IN_HEADER(e_machine), EM_386}}, "another machine"},
	{{{IN_HEADER(e_phentsize), 32}}, "without program headers"},
	{{{IN(SEGMENT1, p_paddr), HOLE_END - 1}}, "outside guest memory"},
	{{{IN(SEGMENT1, p_paddr), HOLE_END + FIXTURE_HIGH}}, "outside guest memory"},
	{{{IN(SEGMENT1, p_memsz), HOLE_END}}, "outside guest memory"},
	/* A segment round the end of the address space */
	{{{IN(SEGMENT1, p_memsz), UINT64_MAX}}, "whatever its size"},
	{{{IN(SEGMENT1, p_memsz), UINT64_MAX - 0x1fffff}}, "whatever its size"},
	{{{IN(SEGMENT1, p_paddr), UINT64_MAX - 4}}, "whatever its size"},
	/* clang-format on */
};

static uint8_t *part_at(enum part part)
{
	if (part == HEADER)
		return f.file;
	if (part == NOTE)
		return f.file + f.layout.note;
	return f.file + f.layout.phdrs + (part - SEGMENT0) * f.layout.phentsize;
}

static void lie(const struct field *field, bool elf32, uint64_t value)
{
	if (field->at[elf32].size)
		store_le(part_at(field->part) + field->at[elf32].offset, value,
			(unsigned)field->at[elf32].size);
}

static void expect_refused(const char *why)
{
	struct elf_loaded before = f.kernel;

	ck_assert_int_lt(elf_fixture_load(&f, f.size), 0);
	ck_assert_int_eq(f.error.kind, ERROR_IMAGE);
	ck_assert_msg(!strncmp(f.error.text, "kernel.elf: ", 12), "%s", f.error.text);
	ck_assert_msg(strstr(f.error.text, why), "'%s' is not '%s'", f.error.text, why);
	ck_assert_mem_eq(&f.kernel, &before, sizeof(before));
}

static void expect_row_refused(const struct broken *row, bool elf32)
{
	build(elf32);
	for (unsigned i = 0; i < ARRAY_SIZE(row->lies); i++)
		lie(&row->lies[i].field, elf32, row->lies[i].value);
	expect_refused(row->why);
}

START_TEST(file_that_lies_is_refused_with_the_reason)
{
	expect_row_refused(&broken[_i], false);
	expect_row_refused(&broken[_i], true);
}
END_TEST

START_TEST(elf64_file_that_lies_is_refused_with_the_reason)
{
	expect_row_refused(&broken64[_i], false);
}
END_TEST

/* One that is moved up must not be moved round the end of the address space, nor by a size that is none. */
START_TEST(relocatable_file_that_lies_is_refused)
{
	static const struct field type = IN_HEADER(e_type), paddr0 = IN(SEGMENT0, p_paddr),
				  paddr1 = IN(SEGMENT1, p_paddr), align = IN(SEGMENT0, p_align);

	lie(&type, false, ET_DYN);
	lie(&paddr0, false, 0);
	lie(&paddr1, false, UINT64_MAX - 0xfffff);
	expect_refused("do not fit any memory");
	lie(&paddr1, false, UINT64_MAX - 0x1fffff);
	store_le(f.file + f.layout.note + 8, 17, 4); /* the PVH entry is not in the way of the rest */
	expect_refused("outside guest memory");
	lie(&paddr1, false, 0x200000);
	lie(&align, false, 0x3000);
	expect_refused("no power of two");
	lie(&align, false, GIB(2));
	expect_refused("no power of two");
	lie(&align, false, UINT64_MAX);
	expect_refused("no power of two");
	lie(&align, false, GIB(1));
	expect_refused("outside guest memory");
}
END_TEST

/* The table above proves something only if the file was good before. */
START_TEST(same_file_untouched_is_loaded)
{
	ck_assert_int_eq(elf_fixture_load(&f, f.size), 0);
	ck_assert_uint_eq(f.kernel.pvh_entry, 0x100000);
	build(true);
	ck_assert_int_eq(elf_fixture_load(&f, f.size), 0);
	ck_assert_uint_eq(f.kernel.pvh_entry, 0x100000);
}
END_TEST

/* Notes that lie make no PVH kernel of it; the 64-bit entry is still good. */
static const struct {
	uint32_t namesz, descsz;
} note_lies[] = {{UINT32_MAX, 4}, {UINT32_MAX - 3, 4}, {4, UINT32_MAX}, {4, UINT32_MAX - 3},
	{UINT32_MAX, UINT32_MAX}, {0x80000000, 0x80000000}, {4, 5}, {8, 4}, {9, 0}, {0, 0}, {4, 0}, {0, 4},
	{5, 4}, {0x7fffffff, 4}, {4, 0x7fffffff}};

START_TEST(note_that_lies_is_no_note)
{
	store_le(f.file + f.layout.note, note_lies[_i].namesz, 4);
	store_le(f.file + f.layout.note + 4, note_lies[_i].descsz, 4);
	ck_assert_int_eq(elf_fixture_load(&f, f.size), 0);
	ck_assert(!f.kernel.has_pvh_entry);
	ck_assert_uint_eq(f.kernel.entry, 0x100000);
}
END_TEST

START_TEST(note_segment_cut_anywhere_is_no_note)
{
	static const struct field filesz = IN(NOTE_SEGMENT, p_filesz);

	for (uint64_t size = 0; size < 20; size++) {
		lie(&filesz, false, size);
		ck_assert_int_eq(elf_fixture_load(&f, f.size), 0);
		ck_assert(!f.kernel.has_pvh_entry);
	}
}
END_TEST

START_TEST(file_cut_anywhere_is_truncated)
{
	build(_i);
	for (size_t size = 1; size < f.size; size++) {
		ck_assert_msg(elf_fixture_load(&f, size) == -EIO, "%zu bytes: %s", size, f.error.text);
		ck_assert_ptr_nonnull(strstr(f.error.text, "truncated"));
	}
}
END_TEST

/* Linux's 64-bit protocol has the first 4 GiB mapped: a kernel cannot begin above. */
START_TEST(entry_that_no_page_table_maps_is_refused)
{
	store_le(f.file + f.layout.note + 8, 17, 4);
	store_le(part_at(SEGMENT1) + offsetof(Elf64_Phdr, p_paddr), HOLE_END, 8);
	store_le(part_at(HEADER) + offsetof(Elf64_Ehdr, e_entry), HOLE_END, 8);
	expect_refused("entry point");
}
END_TEST

static int load_damaged(size_t size)
{
	int err = elf_fixture_load(&f, size);

	if (!err && f.kernel.has_pvh_entry)
		ck_assert_ptr_nonnull(elf_fixture_at(&f, f.kernel.pvh_entry));
	return err;
}

/* Mostly in the headers, where it hurts. */
START_TEST(random_damage_never_crashes_and_never_leaves_guest_memory)
{
	struct damage damage = {
		.file = f.file,
		.rounds = 4000,
		.load = load_damaged,
		.error = &f.error,
		.refused = 1000,
		.loaded = 200,
	};

	build(_i);
	damage.size = damage.len = f.size;
	damage_try(&damage);
}
END_TEST

TCase *elf_broken_tcase(void)
{
	TCase *tcase = tcase_create("broken ELF files");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, same_file_untouched_is_loaded);
	tcase_add_loop_test(tcase, file_that_lies_is_refused_with_the_reason, 0, ARRAY_SIZE(broken));
	tcase_add_loop_test(tcase, elf64_file_that_lies_is_refused_with_the_reason, 0, ARRAY_SIZE(broken64));
	tcase_add_test(tcase, relocatable_file_that_lies_is_refused);
	tcase_add_loop_test(tcase, note_that_lies_is_no_note, 0, ARRAY_SIZE(note_lies));
	tcase_add_test(tcase, note_segment_cut_anywhere_is_no_note);
	tcase_add_loop_test(tcase, file_cut_anywhere_is_truncated, 0, 2);
	tcase_add_test(tcase, entry_that_no_page_table_maps_is_refused);
	tcase_add_loop_test(tcase, random_damage_never_crashes_and_never_leaves_guest_memory, 0, 2);
	return tcase;
}
