/* Segments and control bits, for assembly. */
#pragma once

/* latchkey's own; reset.S has their descriptors. */
#define SEL_CODE32 0x08
#define SEL_DATA32 0x10
#define SEL_CODE16 0x18
#define SEL_DATA16 0x20

/* The kernel's, in the GDT at BOOT_GDT_BASE (vmm/x86/boot_regs.c). */
#define KERNEL_CODE 0x10
#define KERNEL_DATA 0x18
#define KERNEL_TSS  0x20

#define CR0_PE   0x00000001
#define CR0_NW   0x20000000
#define CR0_CD   0x40000000
#define CR0_PG   0x80000000
#define CR4_PAE  0x00000020
#define MSR_EFER 0xc0000080
#define EFER_LME 0x00000100
