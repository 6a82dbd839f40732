/* ELF64 kernels, with a PVH note or without (System V ABI; Xen, "x86/HVM direct boot ABI"). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct error;
struct guest_memory;
struct image;

struct elf_kernel {
	bool has_pvh_entry;
	uint32_t pvh_entry; /* physical, 32-bit protected mode */
	uint64_t entry;     /* physical, 64-bit mode */
	uint64_t end;       /* the first byte behind all segments below 4 GiB */
};

/*
 * Checks an ELF64 file and copies its segments into guest memory, which is fresh: what a segment does not
 * fill reads as zeroes already. 0, or -errno and *error (ERROR_IMAGE).
 */
int elf_load(const struct image *image, const struct guest_memory *mem, struct elf_kernel *ret_kernel,
	struct error *error);
