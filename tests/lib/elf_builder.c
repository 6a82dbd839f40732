#include "lib/elf_builder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTE_PHYS32 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define CODE_BSS    0x10000

struct pvh_note {
	Elf64_Nhdr header;
	char name[4];
	uint32_t entry;
};

static size_t put_file_header(const struct elf_build *build, uint8_t *out, unsigned phnum)
{
	const Elf64_Ehdr wide = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = build->dyn ? ET_DYN : ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = build->entry,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)phnum,
	};
	const Elf32_Ehdr narrow = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
		.e_type = wide.e_type,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = (Elf32_Addr)build->entry,
		.e_phoff = sizeof(Elf32_Ehdr),
		.e_ehsize = sizeof(Elf32_Ehdr),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = wide.e_phnum,
	};

	if (build->elf32)
		memcpy(out, &narrow, sizeof(narrow));
	else
		memcpy(out, &wide, sizeof(wide));
	return build->elf32 ? sizeof(narrow) : sizeof(wide);
}

/* Writes a program header of the file's class; returns the place of the next one. */
static uint8_t *put_program_header(const struct elf_build *build, uint8_t *out, const Elf64_Phdr *phdr)
{
	const Elf32_Phdr narrow = {
		.p_type = phdr->p_type,
		.p_flags = phdr->p_flags,
		.p_offset = (Elf32_Off)phdr->p_offset,
		.p_vaddr = (Elf32_Addr)phdr->p_vaddr,
		.p_paddr = (Elf32_Addr)phdr->p_paddr,
		.p_filesz = (Elf32_Word)phdr->p_filesz,
		.p_memsz = (Elf32_Word)phdr->p_memsz,
		.p_align = (Elf32_Word)phdr->p_align,
	};

	if (build->elf32)
		memcpy(out, &narrow, sizeof(narrow));
	else
		memcpy(out, phdr, sizeof(*phdr));
	return out + (build->elf32 ? sizeof(narrow) : sizeof(*phdr));
}

static size_t put_segments(
	const struct elf_build *build, uint8_t *out, size_t size, uint8_t **phdrs, size_t at)
{
	for (unsigned i = 0; i < build->segment_count; i++) {
		const struct elf_build_segment *segment = &build->segments[i];
		const Elf64_Phdr phdr = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_W | PF_X,
			.p_offset = at,
			.p_vaddr = segment->vaddr ? segment->vaddr : segment->paddr,
			.p_paddr = segment->paddr,
			.p_filesz = segment->filesz,
			.p_memsz = segment->filesz + segment->bss,
		};

		if (segment->filesz > size - at)
			return 0;
		*phdrs = put_program_header(build, *phdrs, &phdr);
		if (segment->filesz)
			memcpy(out + at, segment->bytes, segment->filesz);
		at += segment->filesz;
	}
	return at;
}

size_t elf_build(const struct elf_build *build, void *out, size_t size, struct elf_layout *ret_layout)
{
	const struct pvh_note note = {
		.header = {.n_namesz = 4, .n_descsz = 4, .n_type = NOTE_PHYS32},
		.name = "Xen",
		.entry = build->pvh_entry,
	};
	struct elf_layout layout = {.phnum = build->segment_count + build->pvh};
	uint8_t *phdrs;
	size_t at;

	layout.phdrs = build->elf32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr);
	layout.phentsize = build->elf32 ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
	at = layout.phdrs + layout.phnum * layout.phentsize;
	layout.first = at + (build->pvh ? sizeof(note) : 0);
	if (layout.first > size)
		return 0;
	phdrs = (uint8_t *)out + put_file_header(build, out, layout.phnum);
	if (build->pvh) {
		layout.note = at;
		memcpy((uint8_t *)out + at, &note, sizeof(note));
	}
	at = put_segments(build, out, size, &phdrs, layout.first);
	if (build->pvh) {
		const Elf64_Phdr phdr = {.p_type = PT_NOTE,
			.p_flags = PF_R,
			.p_offset = layout.note,
			.p_filesz = sizeof(note),
			.p_memsz = sizeof(note),
			.p_align = 4};

		put_program_header(build, phdrs, &phdr);
	}
	if (ret_layout)
		*ret_layout = layout;
	return at;
}

size_t elf_build_pvh(const void *code, size_t len, void *out, size_t size)
{
	const struct elf_build build = {
		.segments = {{.paddr = ELF_BUILD_LOAD, .bytes = code, .filesz = len, .bss = CODE_BSS}},
		.segment_count = 1,
		.entry = ELF_BUILD_LOAD,
		.pvh = true,
		.pvh_entry = ELF_BUILD_LOAD,
	};

	return elf_build(&build, out, size, NULL);
}

int elf_write_pvh(const char *path, const void *code, size_t len)
{
	size_t size = len + 512, at = 0;
	uint8_t *file = malloc(size);
	int fd, err = 0;

	if (!file)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = -errno;
		free(file);
		return err;
	}
	size = elf_build_pvh(code, len, file, size);
	while (at < size && !err) {
		ssize_t count = write(fd, file + at, size - at);

		if (count < 0)
			err = -errno;
		else
			at += (size_t)count;
	}
	if (close(fd) && !err)
		err = -errno;
	free(file);
	return err;
}
