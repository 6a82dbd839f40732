/* Linux's boot_params, the "zero page" of the 64-bit boot protocol: what RSI points to at entry. */
#pragma once

#include <stdint.h>

struct e820_entry;

#define BOOT_HEADER_AT  0x1f1 /* the setup header, in the page as in a bzImage */
#define BOOT_HEADER_MAX 0x9f  /* edd_mbr_sig_buffer follows */

/* A bzImage's own setup header, whole. */
struct boot_params_header {
	uint8_t bytes[BOOT_HEADER_MAX];
	unsigned len; /* 0: there is none */
};

struct boot_params_config {
	const struct boot_params_header *header; /* NULL: none, as with a vmlinux */
	uint32_t load_address;                   /* of a kernel that has one */
	uint32_t cmdline;
	uint32_t cmdline_len;
	uint32_t initrd_base;
	uint32_t initrd_size;
	uint64_t rsdp;       /* 0: no ACPI */
	uint64_t setup_data; /* the first of the list; 0: none */
	const struct e820_entry *map;
	unsigned map_count;
};

/* Writes BOOT_PARAMS_SIZE bytes to page. */
void boot_params_build(const struct boot_params_config *config, void *page);

/* Writes the BOOT_SETUP_DATA_SIZE bytes that stand before a device tree of len bytes and make it setup_data. */
void boot_params_setup_dtb(void *to, uint32_t len);
