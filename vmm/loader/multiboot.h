/*
 * Kernels with a Multiboot 1 header (Multiboot Specification 0.6.96, "OS image format"): ELF files of either
 * class, as GRUB boots them, and files that tell their addresses in the header itself (the "a.out kludge").
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_kernel;
struct error;
struct image;
struct kernel;

#define MULTIBOOT_SEARCH 8192 /* the header lies in so many first bytes, whole */

struct multiboot_header {
	uint32_t at; /* where in the file */
	uint32_t flags;
};

/* Whether there is a header in the first len bytes of a file. */
bool multiboot_find(const uint8_t *head, size_t len, struct multiboot_header *ret_header);

/* Whether there is one of version 2, which lodge does not boot. */
bool multiboot2_find(const uint8_t *head, size_t len);

/*
 * Judges a file with a header, and fills in *kernel but for the name; elf is NULL if it is no ELF file.
 * 0, or -errno and *error (ERROR_IMAGE).
 */
int multiboot_probe(const struct image *image, const struct multiboot_header *header,
	const struct elf_kernel *elf, struct kernel *kernel, struct error *error);
