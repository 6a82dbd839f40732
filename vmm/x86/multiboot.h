/* The information page of the Multiboot 1 specification ("Boot information format"): what EBX points to. */
#pragma once

#include <stdint.h>

struct e820_entry;

#define MULTIBOOT_BOOT_MAGIC 0x2badb002u /* in EAX at entry */

struct multiboot_config {
	uint64_t low_size;    /* RAM from 0 on */
	uint32_t cmdline;     /* address of the text */
	uint32_t module_base; /* the one module; size 0: none */
	uint32_t module_size;
	const struct e820_entry *map;
	unsigned map_count;
};

/* Writes BOOT_START_SIZE bytes to page, seen by the guest at gpa. */
void multiboot_info_build(const struct multiboot_config *config, void *page, uint32_t gpa);
