/* What a PVH loader leaves in memory: Xen's public/arch-x86/hvm/start_info.h. */
#pragma once

#include <stdint.h>

#define PVH_MAGIC 0x336ec578u

struct start_info {
	uint32_t magic;
	uint32_t version; /* 1: the memory map is there */
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t memmap_count;
	uint32_t reserved;
};

struct pvh_module {
	uint64_t base;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};

struct pvh_range {
	uint64_t base;
	uint64_t size;
	uint32_t type; /* as in e820: 1 is RAM */
	uint32_t reserved;
};
