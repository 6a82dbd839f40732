#include "loader/elf.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>

#include "loader/image.h"
#include "memory/guest_memory.h"
#include "util/bytes.h"
#include "util/error.h"
#include "x86/layout.h"

#define SEGMENTS_MAX   64 /* program headers; kernels have fewer than ten */
#define NOTES_SIZE_MAX KIB(64)
#define NOTE_ALIGN     4
#define NOTE_PHYS32    18 /* XEN_ELFNOTE_PHYS32_ENTRY */

struct elf_file {
	const struct image *image;
	Elf64_Ehdr header;
	Elf64_Phdr segments[SEGMENTS_MAX];
};

static int bad(const struct elf_file *file, struct error *error, const char *why)
{
	return error_set(error, ERROR_IMAGE, -ENOEXEC, "%s: %s", file->image->name, why);
}

static int read_headers(struct elf_file *file, struct error *error)
{
	Elf64_Ehdr *header = &file->header;
	int err = image_read(file->image, 0, header, sizeof(*header), "the ELF header", error);

	if (err)
		return err;
	if (header->e_ident[EI_CLASS] != ELFCLASS64)
		return bad(file, error, "a 32-bit ELF file; lodge boots 64-bit ones");
	if (header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_X86_64)
		return bad(file, error, "an ELF file for another machine; lodge boots x86-64 ones");
	if (header->e_type != ET_EXEC) {
		return bad(file, error,
			"not an executable ELF file with fixed addresses (ET_EXEC); link the kernel with -no-pie");
	}
	if (header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum)
		return bad(file, error, "an ELF file without program headers: nothing in it can be loaded");
	if (header->e_phnum > SEGMENTS_MAX)
		return bad(file, error, "an ELF file with more than 64 program headers");
	return image_read(file->image, header->e_phoff, file->segments, header->e_phnum * sizeof(Elf64_Phdr),
		"the program header table", error);
}

static int check_segment(
	const struct elf_file *file, unsigned index, const struct guest_memory *mem, struct error *error)
{
	const Elf64_Phdr *segment = &file->segments[index];
	unsigned i;

	if (segment->p_filesz > segment->p_memsz) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: segment %u is larger in the file than in memory", file->image->name, index);
	}
	if (!range_inside(segment->p_offset, segment->p_filesz, 0, file->image->size)) {
		return error_set(error, ERROR_IMAGE, -EIO,
			"%s: truncated: segment %u should end at byte %" PRIu64 ", but the file has %" PRIu64,
			file->image->name, index, segment->p_offset + segment->p_filesz, file->image->size);
	}
	if (segment->p_paddr < RAM_HIGH) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: segment %u lies at 0x%" PRIx64
			", below 1 MiB, where the boot data is; link the kernel higher",
			file->image->name, index, segment->p_paddr);
	}
	if (!guest_memory_at(mem, segment->p_paddr, segment->p_memsz)) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: segment %u (0x%" PRIx64 " bytes at 0x%" PRIx64
			") lies outside guest memory; give it more with -m",
			file->image->name, index, segment->p_memsz, segment->p_paddr);
	}
	for (i = 0; i < index; i++) {
		const Elf64_Phdr *other = &file->segments[i];

		if (other->p_type == PT_LOAD &&
			ranges_overlap(segment->p_paddr, segment->p_memsz, other->p_paddr, other->p_memsz)) {
			return error_set(error, ERROR_IMAGE, -ENOEXEC,
				"%s: segments %u and %u overlap in memory", file->image->name, i, index);
		}
	}
	return 0;
}

static int load_segments(
	const struct elf_file *file, const struct guest_memory *mem, uint64_t *ret_end, struct error *error)
{
	uint64_t end = 0;
	unsigned i, loaded = 0;
	int err;

	for (i = 0; i < file->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &file->segments[i];

		if (segment->p_type != PT_LOAD || !(segment->p_memsz | segment->p_filesz))
			continue;
		err = check_segment(file, i, mem, error);
		if (err)
			return err;
		err = image_read(file->image, segment->p_offset,
			guest_memory_at(mem, segment->p_paddr, segment->p_memsz), segment->p_filesz,
			"a segment", error);
		if (err)
			return err;
		if (segment->p_paddr < HOLE_BASE)
			end = MAX(end, segment->p_paddr + segment->p_memsz);
		loaded++;
	}
	if (!loaded)
		return bad(file, error, "an ELF file with nothing to load (no PT_LOAD segment)");
	*ret_end = end;
	return 0;
}

/* The segment that holds a physical address, or NULL. */
static const Elf64_Phdr *segment_at(const struct elf_file *file, uint64_t paddr)
{
	unsigned i;

	for (i = 0; i < file->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &file->segments[i];

		if (segment->p_type == PT_LOAD && paddr >= segment->p_paddr &&
			paddr - segment->p_paddr < segment->p_memsz)
			return segment;
	}
	return NULL;
}

/* The page tables at entry map the first 4 GiB. */
static int check_mapped(const struct elf_file *file, uint64_t entry, struct error *error)
{
	if (entry < HOLE_BASE)
		return 0;
	return error_set(error, ERROR_IMAGE, -ENOEXEC,
		"%s: the entry point 0x%" PRIx64 " lies above 3 GiB; link the kernel lower",
		file->image->name, entry);
}

/* Kernels give e_entry as a physical address (Linux) or as a virtual one: take what lies in a segment. */
static int find_entry(const struct elf_file *file, uint64_t *ret_entry, struct error *error)
{
	uint64_t entry = file->header.e_entry;
	unsigned i;

	if (segment_at(file, entry)) {
		*ret_entry = entry;
		return check_mapped(file, entry, error);
	}
	for (i = 0; i < file->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &file->segments[i];

		if (segment->p_type == PT_LOAD && entry >= segment->p_vaddr &&
			entry - segment->p_vaddr < segment->p_memsz) {
			*ret_entry = entry - segment->p_vaddr + segment->p_paddr;
			return check_mapped(file, *ret_entry, error);
		}
	}
	return error_set(error, ERROR_IMAGE, -ENOEXEC,
		"%s: the entry point 0x%" PRIx64 " lies in none of its segments", file->image->name, entry);
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

static int read_pvh_entry(const struct elf_file *file, struct elf_kernel *kernel, struct error *error)
{
	static_assert(NOTES_SIZE_MAX <= KIB(64), "it lives on the stack");
	uint8_t notes[NOTES_SIZE_MAX];
	unsigned i;

	for (i = 0; i < file->header.e_phnum && !kernel->has_pvh_entry; i++) {
		const Elf64_Phdr *segment = &file->segments[i];
		int err;

		if (segment->p_type != PT_NOTE || segment->p_filesz > sizeof(notes))
			continue;
		err = image_read(
			file->image, segment->p_offset, notes, segment->p_filesz, "the notes", error);
		if (err)
			return err;
		kernel->has_pvh_entry = find_pvh_note(notes, segment->p_filesz, &kernel->pvh_entry);
	}
	if (kernel->has_pvh_entry && !segment_at(file, kernel->pvh_entry)) {
		return error_set(error, ERROR_IMAGE, -ENOEXEC,
			"%s: the PVH entry point 0x%" PRIx32 " lies in none of its segments",
			file->image->name, kernel->pvh_entry);
	}
	return 0;
}

int elf_load(const struct image *image, const struct guest_memory *mem, struct elf_kernel *ret_kernel,
	struct error *error)
{
	struct elf_file file = {.image = image};
	struct elf_kernel kernel = {0};
	int err = read_headers(&file, error);

	if (err)
		return err;
	err = load_segments(&file, mem, &kernel.end, error);
	if (err)
		return err;
	err = read_pvh_entry(&file, &kernel, error);
	if (err)
		return err;
	if (!kernel.has_pvh_entry) {
		err = find_entry(&file, &kernel.entry, error);
		if (err)
			return err;
	}
	*ret_kernel = kernel;
	return 0;
}
