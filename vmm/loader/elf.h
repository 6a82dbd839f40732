/*
 * ELF kernels of either class (System V ABI, chapter 5), and the PVH note in them (Xen, "x86/HVM direct boot
 * ABI"). Only headers and notes are read here; segments.h does the rest.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loader/segments.h"

struct error;
struct image;

struct elf_kernel {
	unsigned bits;      /* 32 or 64 */
	uint64_t raw_entry; /* as the header has it */
	uint64_t bias;      /* what was added to all physical addresses: see elf_read() */
	bool has_pvh_entry;
	uint32_t pvh_entry; /* physical, 32-bit protected mode, in one of the segments */
	struct segments segments;
};

/*
 * Reads an ELF file. One without fixed addresses (ET_DYN) keeps those it is linked at if they are above
 * 1 MiB; else it is moved up as a whole, by a multiple of its alignment. Relocating itself is its own affair.
 * `lowest` is that of segments_check(). 0, or -errno and *error (ERROR_IMAGE).
 */
int elf_read(const struct image *image, uint64_t lowest, struct elf_kernel *ret_kernel, struct error *error);

/*
 * The entry point as a physical address below 4 GiB: in one of the segments by its physical addresses, as
 * Linux gives it, or else by the virtual ones.
 */
int elf_entry(
	const struct elf_kernel *kernel, const struct image *image, uint64_t *ret_entry, struct error *error);
