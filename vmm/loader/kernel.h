/* What the formats' files fill in, and the rest of the loader goes by. */
#pragma once

#include <stdint.h>

#include "loader/segments.h"
#include "x86/boot_params.h"

enum kernel_format {
	KERNEL_ELF_PVH,     /* ELF64 with a PVH note */
	KERNEL_ELF_LINUX64, /* ELF64 without one: entered as Linux's vmlinux, in 64-bit mode */
	KERNEL_ELF32_PVH,   /* the same protocol as KERNEL_ELF_PVH */
	KERNEL_BZIMAGE,     /* Linux's own format, entered in 64-bit mode */
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
	uint64_t initrd_limit;           /* the first byte that the initrd must not have */
	uint32_t cmdline_max;            /* bytes of command line that it takes, without the NUL */
	struct boot_params_header setup; /* of a bzImage */
};
