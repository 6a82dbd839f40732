/* The PVH boot protocol's start_info (Xen, "x86/HVM direct boot ABI"): what EBX points to at entry. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct e820_entry;

#define PVH_MODULES_MAX 2

struct pvh_module {
	uint64_t base;
	uint64_t size;
	const char *name; /* up to 15 bytes; becomes the module's command line; NULL: none */
};

struct pvh_config {
	uint64_t cmdline;
	uint64_t rsdp; /* 0: no ACPI */
	const struct e820_entry *map;
	unsigned map_count;
	const struct pvh_module *modules;
	unsigned module_count;
};

/* Writes start_info, module list and memory map to page (BOOT_START_SIZE bytes), seen by the guest at gpa. */
void pvh_start_info_build(const struct pvh_config *config, void *page, uint64_t gpa);
