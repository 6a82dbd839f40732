/* The memory map that every boot protocol hands over in its own form. */
#pragma once

#include <stdint.h>

#define E820_RAM      1u
#define E820_RESERVED 2u

#define E820_ENTRIES_MAX 8

/* In 20 bytes, as a BIOS gives it, and as fw_cfg's etc/e820 has it. */
struct e820_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

/* RAM of low_size bytes from 0 and high_size bytes from 4 GiB, as a sorted map; returns the entry count. */
unsigned e820_build(struct e820_entry map[E820_ENTRIES_MAX], uint64_t low_size, uint64_t high_size);
