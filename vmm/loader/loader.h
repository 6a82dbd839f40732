/*
 * From files to a guest that is ready to be entered: finds a kernel's format by its magic, loads it and its
 * initrd, and writes the boot data that its protocol asks for. Touches no vCPU.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/kernel.h"
#include "x86/boot_regs.h"

struct error;
struct guest_memory;
struct image;

/* Whether kernels of that protocol expect what a PC's BIOS leaves them: an i8254, and the i8259s' vectors. */
bool boot_protocol_wants_pc(enum boot_protocol protocol);

/*
 * Finds out what a file is, and checks all that it says of itself; needs no guest. One that fits several
 * formats is taken for the first of these: ELF with a PVH note, ELF with a multiboot header, ELF64, bzImage,
 * multiboot without ELF. 0, or -errno and *error (ERROR_IMAGE): what the file is and what it lacks.
 */
int loader_probe(const struct image *image, struct kernel *ret_kernel, struct error *error);

/* ... for a flat image, which has no magic: its user has to say that it is one. */
int loader_probe_flat(const struct image *image, struct kernel *ret_kernel, struct error *error);

/*
 * ... for a disk whose first sector firmware will load in place of a kernel: whether there is one and it ends with 55 AA.
 * What it does is the guest's.
 */
int loader_probe_disk(const char *path, struct kernel *ret_kernel, struct error *error);

/* Copies the kernel into guest memory, which is fresh. */
int loader_load_kernel(const struct kernel *kernel, const struct image *image, const struct guest_memory *mem,
	struct error *error);

/* Puts an initrd as high below 4 GiB as the kernel allows, page-aligned, behind the kernel. */
int loader_load_initrd(const struct image *image, const struct guest_memory *mem, const struct kernel *kernel,
	uint64_t *ret_base, struct error *error);

struct boot_data {
	const char *cmdline; /* shorter than BOOT_CMDLINE_SIZE */
	uint64_t initrd_base;
	uint64_t initrd_size;
	uint64_t fdt_size; /* of the tree at BOOT_FDT_BASE */
	uint64_t rsdp;     /* ACPI's root pointer, a guest-physical address; 0: no ACPI */
};

/*
 * Writes command line, memory map and the protocol's own structures below 1 MiB; nothing for a flat image,
 * which may fill the low memory itself. -E2BIG and *error
 * (ERROR_IMAGE): the command line is too long for this kernel.
 */
int loader_write_boot_data(const struct boot_data *data, const struct kernel *kernel,
	const struct guest_memory *mem, struct boot_state *ret_state, struct error *error);
