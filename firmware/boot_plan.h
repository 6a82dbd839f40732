/*
 * What latchkey is told of a kernel, as files of fw_cfg: where things go, and how it is entered. The library shares this
 * header; little-endian, all addresses below 4 GiB.
 */
#pragma once

#include <stdint.h>

/* A struct boot_plan; then the guest's memory as it shall be, of which it names the ranges that have something. */
#define BOOT_PLAN_FILE   "etc/lodge/boot-plan"
#define BOOT_MEMORY_FILE "etc/lodge/memory"
/* Empty: latchkey selects it right before it enters the kernel, which is how lodge knows when that was. */
#define BOOT_ENTERED_FILE "etc/lodge/entered"

#define BOOT_PLAN_RANGES_MAX 96 /* an ELF file's segments, boot data and tables, an initrd */

/* The CPU's mode at entry, as x86/boot_regs.h has them. */
enum boot_plan_mode {
	BOOT_PLAN_NONE, /* no kernel */
	BOOT_PLAN_PROTECTED_32,
	BOOT_PLAN_LONG_64,
};

struct boot_plan {
	uint32_t mode;
	uint32_t rip, rsp, rax, rbx, rsi;
	uint32_t gdt,
		gdt_limit; /* selectors as in Linux's protocol: code 0x10, data 0x18; a busy TSS, 0x20 */
	uint32_t cr3;      /* of long mode */
	uint32_t range_count;
	struct boot_plan_range {
		uint32_t base, size;
	} ranges[BOOT_PLAN_RANGES_MAX];
};
