/*
 * Small ELF kernels, made in memory: good ones, and by way of the spec broken ones. A file is header, program
 * headers, note, contents, with no section headers and no gaps.
 */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_BUILD_LOAD     0x100000u /* where elf_build_pvh() puts the code, which is also its entry */
#define ELF_BUILD_SEGMENTS 4

struct elf_build_segment {
	uint64_t paddr, vaddr;
	const void *bytes;
	uint64_t filesz;
	uint64_t bss; /* zeroes behind it */
};

struct elf_build {
	bool elf32; /* else ELF64 */
	bool dyn;   /* ET_DYN, else ET_EXEC */
	struct elf_build_segment segments[ELF_BUILD_SEGMENTS];
	unsigned segment_count;
	uint64_t entry; /* e_entry */
	bool pvh;       /* add a PT_NOTE with the PVH entry */
	uint32_t pvh_entry;
};

/* Where things are in the file, for those who want to break them. */
struct elf_layout {
	size_t phdrs; /* of the segments in order, then of the note if there is one */
	size_t phentsize;
	size_t note;  /* Elf64_Nhdr, "Xen", entry: 20 bytes; 0: none */
	size_t first; /* contents of the first segment */
	unsigned phnum;
};

/* Writes the file to out; returns its size, 0 if it needs more than size bytes. ret_layout may be NULL. */
size_t elf_build(const struct elf_build *build, void *out, size_t size, struct elf_layout *ret_layout);

/*
 * Machine code as a kernel with a PVH note: loaded at ELF_BUILD_LOAD and entered at its first byte, in 32-bit
 * protected mode with flat segments. 64 KiB of zeroes follow it. Returns the size, 0 if it does not fit.
 */
size_t elf_build_pvh(const void *code, size_t len, void *out, size_t size);

/* ... as a file: 0 or -errno. */
int elf_write_pvh(const char *path, const void *code, size_t len);
