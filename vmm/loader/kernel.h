/* What the formats' files fill in, and the rest of the loader goes by. */
#pragma once

#include <stdint.h>

#include "loader/segments.h"
#include "x86/boot_params.h"

/* How a kernel is entered, and what it is told; several file formats may share one. */
enum boot_protocol {
	PROTOCOL_PVH,         /* 32-bit, Xen's start_info */
	PROTOCOL_LINUX64,     /* 64-bit, Linux's boot_params */
	PROTOCOL_MULTIBOOT,   /* 32-bit, multiboot 1 */
	PROTOCOL_FLAT,        /* 16-bit, told nothing */
	PROTOCOL_BOOT_SECTOR, /* 16-bit, by firmware from a disk: there is no kernel to load */
	PROTOCOLS
};

/* A kernel as its file describes it: what goes where, and how it is entered. */
struct kernel {
	enum boot_protocol protocol;
	const char *format;      /* for people, static: "ELF64 with a PVH note" */
	const char *compression; /* of its file, static: "gzip"; NULL: none */
	const char *name;        /* the image's */
	uint64_t entry;          /* physical, below 4 GiB */
	struct segments segments;
	uint64_t initrd_limit;           /* the first byte that the initrd must not have */
	uint32_t cmdline_max;            /* bytes of command line that it takes, without the NUL */
	struct boot_params_header setup; /* of a bzImage */
};
