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

static Elf64_Ehdr file_header(const struct elf_build *build, unsigned phnum)
{
	return (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = build->entry,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)phnum,
	};
}

static size_t put_segments(const struct elf_build *build, uint8_t *out, size_t size, size_t at)
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
		memcpy(out + sizeof(Elf64_Ehdr) + i * sizeof(phdr), &phdr, sizeof(phdr));
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
	struct elf_layout layout = {.phdrs = sizeof(Elf64_Ehdr)};
	Elf64_Ehdr header;
	size_t at;

	layout.phnum = build->segment_count + build->pvh;
	at = layout.phdrs + layout.phnum * sizeof(Elf64_Phdr);
	layout.first = at + (build->pvh ? sizeof(note) : 0);
	if (layout.first > size)
		return 0;
	header = file_header(build, layout.phnum);
	memcpy(out, &header, sizeof(header));
	if (build->pvh) {
		const Elf64_Phdr phdr = {.p_type = PT_NOTE,
			.p_flags = PF_R,
			.p_offset = at,
			.p_filesz = sizeof(note),
			.p_memsz = sizeof(note),
			.p_align = 4};

		layout.note = at;
		memcpy((uint8_t *)out + at - sizeof(phdr), &phdr, sizeof(phdr));
		memcpy((uint8_t *)out + at, &note, sizeof(note));
	}
	if (ret_layout)
		*ret_layout = layout;
	return put_segments(build, out, size, layout.first);
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
