/* The state of the boot processor at a kernel's entry, for each way in. */
#pragma once

#include <stdint.h>

struct kvm_msr_entry;
struct kvm_regs;
struct kvm_sregs;

enum boot_mode {
	BOOT_PROTECTED_32, /* flat segments, paging off: PVH, multiboot */
	BOOT_LONG_64,      /* paging on with BOOT_PAGES_BASE: Linux's 64-bit protocol */
	BOOT_REAL_16,      /* all segments at BOOT_FLAT_BASE: flat images */
	BOOT_RESET, /* what a CPU has after power-up, but for EDX and RIP, which are the state's: firmware */
};

/* What a loader found: how and where to enter the kernel. */
struct boot_state {
	enum boot_mode mode;
	uint64_t rip;
	uint64_t rax; /* multiboot: its magic */
	uint64_t rbx; /* PVH: start_info; multiboot: the information page */
	uint64_t rdx; /* at reset: the CPU's family, model and stepping */
	uint64_t rsi; /* Linux: boot_params */
	uint64_t rsp;
};

/*
 * Turns *sregs, as KVM made it, into the state for entry and fills *ret_regs. Descriptor caches are what the
 * CPU goes by; gdt (BOOT_GDT_SIZE bytes, seen by the guest at BOOT_GDT_BASE) gets the descriptors to match,
 * except in real mode, which has none: then it may be NULL.
 */
void boot_regs_build(
	const struct boot_state *state, struct kvm_regs *ret_regs, struct kvm_sregs *sregs, void *gdt);

/* What a PC's firmware leaves in every CPU's MSRs, the boot processor's and the others' alike. */
const struct kvm_msr_entry *boot_msrs(unsigned *ret_count);
