/*
 * From files to a guest that is ready to be entered: finds a kernel's format by its magic, loads it and its
 * initrd, and writes the boot data that its protocol asks for. Touches no vCPU.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "loader/segments.h"
#include "x86/boot_regs.h"

struct error;
struct guest_memory;
struct image;

enum kernel_format {
	KERNEL_ELF_PVH,     /* ELF64 with a PVH note */
	KERNEL_ELF_LINUX64, /* ELF64 without one: entered as Linux's vmlinux, in 64-bit mode */
	KERNEL_ELF32_PVH,   /* the same protocol as KERNEL_ELF_PVH */
	KERNEL_FORMATS
};

/* "ELF64 with a PVH note" */
const char *kernel_format_name(enum kernel_format format);

/* A kernel as its file describes it: what goes where, and how it is entered. */
struct kernel {
	enum kernel_format format;
	const char *name; /* the image's */
	uint64_t entry;   /* physical, below 4 GiB */
	struct segments segments;
};

/*
 * Finds out what a file is, and checks all that it says of itself; needs no guest. 0, or -errno and *error (ERROR_IMAGE): what the file is and what it lacks.
 */
int loader_probe(const struct image *image, struct kernel *ret_kernel, struct error *error);

/* Copies the kernel into guest memory, which is fresh. */
int loader_load_kernel(const struct kernel *kernel, const struct image *image, const struct guest_memory *mem,
	struct error *error);

/* Puts an initrd as high below 4 GiB as it goes, page-aligned, behind the kernel. */
int loader_load_initrd(const struct image *image, const struct guest_memory *mem, const struct kernel *kernel,
	uint64_t *ret_base, struct error *error);

struct boot_data {
	const char *cmdline; /* shorter than BOOT_CMDLINE_SIZE */
	uint64_t initrd_base;
	uint64_t initrd_size;
	uint64_t fdt_size; /* of the tree at BOOT_FDT_BASE */
	uint64_t rsdp;     /* gpa of the RSDP; 0: none */
};

/* Writes command line, memory map and the protocol's own structures below 1 MiB. */
int loader_write_boot_data(const struct boot_data *data, const struct kernel *kernel,
	const struct guest_memory *mem, struct boot_state *ret_state);
