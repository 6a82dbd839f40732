/* Exceptions and interrupts: the report, the back-trace, try/catch, and the handler table. */
#pragma once

#include <stdint.h>

/* As trap.S pushes it. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

enum {
	VECTOR_DE = 0,
	VECTOR_NMI = 2,
	VECTOR_UD = 6,
	VECTOR_DF = 8,
	VECTOR_GP = 13,
	VECTOR_PF = 14,
	VECTOR_IRQ = 0x30,   /* + 24 for each IOAPIC + pin */
	VECTOR_MSI = 0x90,   /* + 2 for each PCI device */
	VECTOR_TIMER = 0xf0, /* of the LAPIC */
	VECTOR_PING = 0xf1,  /* IPIs: smp.c */
	VECTOR_PONG = 0xf2,
	VECTOR_COUNT = 0xf3,
	VECTOR_SPURIOUS = 0xff,
};

void trap_init(void);

/* Interrupts of this vector go to fn(arg), with interrupts off; the LAPIC's EOI is done here. */
void trap_set_handler(unsigned vector, void (*fn)(void *), void *arg);

/* fn(arg) with exceptions caught: -1 when it returned, else the vector; then trap_error() holds. */
int trap_try(void (*fn)(void *), void *arg);
uint64_t trap_error(void);
uint64_t trap_address(void); /* CR2 of the last exception caught */

/* Interrupts that nobody had a handler for, spurious ones apart. */
uint64_t trap_stray_count(void);
