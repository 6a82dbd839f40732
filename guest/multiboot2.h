/* What GRUB's multiboot2 leaves in memory: Multiboot2 specification 2.0, 3.4 to 3.6. */
#pragma once

#include <stdint.h>

#define MULTIBOOT2_MAGIC 0x36d76289u /* in EAX at the entry */

/* A tag follows the other, each at a multiple of 8, behind 8 bytes that tell the size of all. */
struct multiboot2_tag {
	uint32_t type;
	uint32_t size; /* of the whole tag */
};

#define MULTIBOOT2_TAG_END     0
#define MULTIBOOT2_TAG_CMDLINE 1 /* a string */
#define MULTIBOOT2_TAG_MMAP    6

struct multiboot2_mmap {
	struct multiboot2_tag tag;
	uint32_t entry_size, entry_version;
};

struct multiboot2_range {
	uint64_t base, size;
	uint32_t type; /* as in e820: 1 is RAM */
	uint32_t reserved;
};
