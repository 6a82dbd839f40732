/* Linux's boot_params, the "zero page" of the 64-bit boot protocol: what RSI points to at entry. */
#pragma once

#include <stdint.h>

struct e820_entry;

struct boot_params_config {
	uint32_t cmdline;
	uint32_t cmdline_len;
	uint32_t initrd_base;
	uint32_t initrd_size;
	uint64_t rsdp; /* gpa of the RSDP; 0: none */
	const struct e820_entry *map;
	unsigned map_count;
};

/* Writes BOOT_PARAMS_SIZE bytes to page. */
void boot_params_build(const struct boot_params_config *config, void *page);
