#include "loader/elf.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "loader/image.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

#define NOTES_SIZE_MAX KIB(64)
#define NOTE_ALIGN     4
#define NOTE_PHYS32    18 /* XEN_ELFNOTE_PHYS32_ENTRY */

static_assert(NOTES_SIZE_MAX <= KIB(64), "they live on the stack");

struct elf_file {
	const struct image *image;
	Elf64_Ehdr header; /* of either class, in the wider form */
	Elf64_Phdr program[SEGMENTS_MAX];
};

static int bad(const struct elf_file *file, struct error *error, const char *why)
{
	return error_set(error, ERROR_IMAGE, -ENOEXEC, "%s: %s", file->image->name, why);
}

/* The two classes differ in the width and the order of fields, and in nothing that matters after this. */

static int read_file_header(struct elf_file *file, struct error *error)
{
	Elf64_Ehdr *header = &file->header;
	Elf32_Ehdr narrow;
	int err = image_read(file->image, 0, &narrow, sizeof(narrow), "the ELF header", error);

	if (err)
		return err;
	if (narrow.e_ident[EI_CLASS] == ELFCLASS64)
		return image_read(file->image, 0, header, sizeof(*header), "the ELF header", error);
	memcpy(header->e_ident, narrow.e_ident, sizeof(header->e_ident));
	header->e_type = narrow.e_type;
	header->e_machine = narrow.e_machine;
	header->e_entry = narrow.e_entry;
	header->e_phoff = narrow.e_phoff;
	header->e_phentsize = narrow.e_phentsize;
	header->e_phnum = narrow.e_phnum;
	return 0;
}

static int read_program_headers(struct elf_file *file, struct error *error)
{
	const Elf64_Ehdr *header = &file->header;
	Elf32_Phdr narrow[SEGMENTS_MAX];
	unsigned i;
	int err;

	if (header->e_ident[EI_CLASS] == ELFCLASS64) {
		return image_read(file->image, header->e_phoff, file->program,
			header->e_phnum * sizeof(Elf64_Phdr), "the program header table", error);
	}
	err = image_read(file->image, header->e_phoff, narrow, header->e_phnum * sizeof(Elf32_Phdr),
		"the program header table", error);
	for (i = 0; !err && i < header->e_phnum; i++) {
		file->program[i] = (Elf64_Phdr){
			.p_type = narrow[i].p_type,
			.p_offset = narrow[i].p_offset,
			.p_vaddr = narrow[i].p_vaddr,
			.p_paddr = narrow[i].p_paddr,
			.p_filesz = narrow[i].p_filesz,
			.p_memsz = narrow[i].p_memsz,
			.p_align = narrow[i].p_align,
		};
	}
	return err;
}

static int read_headers(struct elf_file *file, struct error *error)
{
	const Elf64_Ehdr *header = &file->header;
	int err = read_file_header(file, error);
	bool wide;

	if (err)
		return err;
	wide = header->e_ident[EI_CLASS] == ELFCLASS64;
	if (!wide && header->e_ident[EI_CLASS] != ELFCLASS32)
		return bad(file, error, "an ELF file that is neither 32-bit nor 64-bit");
	if (header->e_ident[EI_DATA] != ELFDATA2LSB ||
		(header->e_machine != EM_X86_64 && (wide || header->e_machine != EM_386)))
		return bad(file, error, "an ELF file for another machine; lodge boots x86 ones");
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return bad(file, error, "an ELF file that is not linked to be run (ET_EXEC or ET_DYN)");
	if (header->e_phentsize != (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || !header->e_phnum)
		return bad(file, error, "an ELF file without program headers: nothing in it can be loaded");
	if (header->e_phnum > SEGMENTS_MAX)
		return bad(file, error, "an ELF file with more than 64 program headers");
	return read_program_headers(file, error);
}

static int list_segments(const struct elf_file *file, struct segments *segments, struct error *error)
{
	unsigned i;

	for (i = 0; i < file->header.e_phnum; i++) {
		const Elf64_Phdr *from = &file->program[i];

		if (from->p_type == PT_INTERP) {
			return bad(file, error,
				"a program that wants a dynamic linker (PT_INTERP), not a kernel");
		}
		/* One that has no memory but bytes in the file is a lie, and is kept for segments_check(). */
		if (from->p_type != PT_LOAD || (!from->p_memsz && !from->p_filesz))
			continue;
		segments->at[segments->count++] = (struct segment){
			.number = i,
			.offset = from->p_offset,
			.filesz = from->p_filesz,
			.memsz = from->p_memsz,
			.paddr = from->p_paddr,
			.vaddr = from->p_vaddr,
		};
	}
	if (!segments->count)
		return bad(file, error, "an ELF file with nothing to load (no PT_LOAD segment)");
	return 0;
}

/* Linkers give ET_DYN files addresses from 0 on, where the boot data is. */
static int move_up(const struct elf_file *file, struct elf_kernel *kernel, struct error *error)
{
	uint64_t lowest = UINT64_MAX, align = 0x1000;
	unsigned i;

	for (i = 0; i < file->header.e_phnum; i++) {
		const Elf64_Phdr *from = &file->program[i];

		if (from->p_type != PT_LOAD || !from->p_memsz)
			continue;
		lowest = MIN(lowest, from->p_paddr);
		align = MAX(align, from->p_align);
	}
	if (lowest >= RAM_HIGH)
		return 0;
	if (align & (align - 1) || align > GIB(1))
		return bad(
			file, error, "a relocatable ELF file whose alignment is no power of two up to 1 GiB");
	kernel->bias = align_up(RAM_HIGH, align);
	for (i = 0; i < kernel->segments.count; i++) {
		struct segment *segment = &kernel->segments.at[i];

		if (segment->paddr > UINT64_MAX - kernel->bias)
			return bad(
				file, error, "a relocatable ELF file whose segments do not fit any memory");
		segment->paddr += kernel->bias;
	}
	return 0;
}

/* Walks the notes in one PT_NOTE segment, len bytes at notes, for the PVH entry. */
static bool find_pvh_note(const uint8_t *notes, uint64_t len, uint32_t *ret_entry)
{
	uint64_t at = 0;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		uint64_t name = at + sizeof(Elf64_Nhdr), desc, next;
		Elf64_Nhdr note;

		memcpy(&note, notes + at, sizeof(note));
		desc = name + align_up(note.n_namesz, NOTE_ALIGN);
		next = desc + align_up(note.n_descsz, NOTE_ALIGN);
		if (desc > len || desc + note.n_descsz > len)
			return false;
		if (note.n_type == NOTE_PHYS32 && note.n_namesz == sizeof("Xen") &&
			!memcmp(notes + name, "Xen", sizeof("Xen")) && note.n_descsz >= 4) {
			*ret_entry = (uint32_t)load_le(notes + desc, 4);
			return true;
		}
		if (next > len)
			return false;
		at = next;
	}
	return false;
}

/* Not on the stack, whose pages are probed one by one (-fstack-clash-protection): notes have some bytes, and may have many. */
static int read_notes(const struct elf_file *file, const Elf64_Phdr *segment, struct elf_kernel *kernel,
	struct error *error)
{
	uint8_t *notes;
	int err;

	if (segment->p_type != PT_NOTE || !segment->p_filesz || segment->p_filesz > NOTES_SIZE_MAX)
		return 0;
	notes = malloc(segment->p_filesz);
	if (!notes)
		return error_set(error, ERROR_VMM, -ENOMEM, "%s: out of memory", file->image->name);
	err = image_read(file->image, segment->p_offset, notes, segment->p_filesz, "the notes", error);
	if (!err)
		kernel->has_pvh_entry = find_pvh_note(notes, segment->p_filesz, &kernel->pvh_entry);
	free(notes);
	return err;
}

static int read_pvh_entry(const struct elf_file *file, struct elf_kernel *kernel, struct error *error)
{
	unsigned i;
	int err;

	for (i = 0; i < file->header.e_phnum && !kernel->has_pvh_entry; i++) {
		err = read_notes(file, &file->program[i], kernel, error);
		if (err)
			return err;
	}
	if (!kernel->has_pvh_entry)
		return 0;
	kernel->pvh_entry += (uint32_t)kernel->bias;
	if (!segments_at(&kernel->segments, kernel->pvh_entry)) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: the PVH entry point 0x%" PRIx32 " lies in none of its segments",
			file->image->name, kernel->pvh_entry);
	}
	return 0;
}

int elf_read(const struct image *image, uint64_t lowest, struct elf_kernel *ret_kernel, struct error *error)
{
	struct elf_file file = {.image = image};
	struct elf_kernel kernel = {0};
	int err = read_headers(&file, error);

	if (!err)
		err = list_segments(&file, &kernel.segments, error);
	if (!err && file.header.e_type == ET_DYN)
		err = move_up(&file, &kernel, error);
	if (!err)
		err = segments_check(&kernel.segments, image, lowest, error);
	if (!err)
		err = read_pvh_entry(&file, &kernel, error);
	if (err)
		return err;
	kernel.bits = file.header.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	kernel.raw_entry = file.header.e_entry;
	*ret_kernel = kernel;
	return 0;
}

int elf_entry(
	const struct elf_kernel *kernel, const struct image *image, uint64_t *ret_entry, struct error *error)
{
	uint64_t entry = kernel->raw_entry + kernel->bias;
	bool found = segments_at(&kernel->segments, entry) != NULL;
	unsigned i;

	for (i = 0; !found && i < kernel->segments.count; i++) {
		const struct segment *segment = &kernel->segments.at[i];

		if (kernel->raw_entry < segment->vaddr ||
			kernel->raw_entry - segment->vaddr >= segment->memsz)
			continue;
		entry = kernel->raw_entry - segment->vaddr + segment->paddr;
		found = true;
	}
	if (!found) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: the entry point 0x%" PRIx64 " lies in none of its segments", image->name,
			kernel->raw_entry);
	}
	/* 64-bit entry comes with a map of the first 4 GiB; 32-bit entry has no more than that. */
	if (entry >= GIB(4)) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: the entry point 0x%" PRIx64 " lies above 4 GiB, where no kernel can begin",
			image->name, entry);
	}
	*ret_entry = entry;
	return 0;
}
