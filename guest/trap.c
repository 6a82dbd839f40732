#include "trap.h"

#include <stddef.h>

#include "console.h"
#include "lapic.h"
#include "power.h"
#include "smp.h"
#include "uart16550.h"
#include "x86.h"

extern const char image_start[], text_end[];                                       /* kernel.ld */
extern const char trap_landing[];                                                  /* trap.S */
extern const char tss[], tss_end[], idt_pointer[], boot_stack[], boot_stack_top[]; /* boot.S */
extern uint64_t gdt_tss[2];

/* The name of each function, sorted by address: guest.mk writes it between the two links. */
struct symbol {
	uint64_t addr;
	const char *name;
};
extern const struct symbol ksyms[], ksyms_end[];

uint64_t trap_catch_sp; /* trap.S: where the innermost trap_try() is, 0: nowhere */

static struct {
	void (*fn)(void *);
	void *arg;
} handlers[256];
static uint64_t strays;
static uint64_t caught_error, caught_cr2;

/* The IDT was assembled (boot.S); what is left is the TSS's split address. */
void trap_init(void)
{
	uint64_t base = (uintptr_t)tss;
	uint64_t limit = (uint64_t)(tss_end - tss - 1);

	/* Intel SDM vol. 3, 7.2.3: type 9, available 64-bit TSS. */
	gdt_tss[0] = limit | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	gdt_tss[1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(0x18));
	__asm__ volatile("lidt (%0)" : : "r"(idt_pointer) : "memory");
}

void trap_set_handler(unsigned vector, void (*fn)(void *), void *arg)
{
	handlers[vector].arg = arg;
	handlers[vector].fn = fn;
}

uint64_t trap_error(void)
{
	return caught_error;
}

uint64_t trap_address(void)
{
	return caught_cr2;
}

uint64_t trap_stray_count(void)
{
	return strays;
}

static const struct symbol *symbol_at(uint64_t addr)
{
	const struct symbol *found = NULL;

	if (addr < (uintptr_t)image_start || addr >= (uintptr_t)text_end)
		return NULL;
	for (const struct symbol *s = ksyms; s < ksyms_end && s->addr <= addr; s++)
		found = s;
	return found;
}

static void print_call(uint64_t addr)
{
	const struct symbol *s = symbol_at(addr);

	if (s == NULL)
		print("  0x%lx\n", addr);
	else
		print("  0x%lx %s+0x%lx\n", addr, s->name, addr - s->addr);
}

/* -fno-omit-frame-pointer: [rbp] is the caller's rbp, [rbp + 8] where it goes on. */
static void print_backtrace(uint64_t rip, uint64_t rbp)
{
	print("back-trace:\n");
	print_call(rip);
	for (int depth = 0; depth < 24; depth++) {
		if (rbp % 8 != 0 || rbp < (uintptr_t)boot_stack || rbp + 16 > (uintptr_t)boot_stack_top)
			return;
		const uint64_t *frame = (const uint64_t *)rbp;

		print_call(frame[1]);
		if (frame[0] <= rbp) /* the stack grows down: anything else is damage */
			return;
		rbp = frame[0];
	}
}

static const char *vector_name(uint64_t vector)
{
	static const char *const names[] = {"#DE divide error", "#DB debug", "NMI", "#BP breakpoint",
		"#OF overflow", "#BR bound range", "#UD invalid opcode", "#NM no device", "#DF double fault",
		"coprocessor overrun", "#TS invalid TSS", "#NP segment not present", "#SS stack fault",
		"#GP general protection", "#PF page fault", "reserved", "#MF x87 error",
		"#AC alignment check", "#MC machine check", "#XM SIMD error", "#VE virtualization",
		"#CP control protection"};

	return vector < sizeof(names) / sizeof(names[0]) ? names[vector] : "exception";
}

static void report(const struct trap_frame *f, uint64_t cr2)
{
	print("\nlodger: exception %lu, %s, error code 0x%lx\n", f->vector, vector_name(f->vector), f->error);
	print("rip %016lx  rsp %016lx  rfl %016lx\n", f->rip, f->rsp, f->rflags);
	print("rax %016lx  rbx %016lx  rcx %016lx\n", f->rax, f->rbx, f->rcx);
	print("rdx %016lx  rsi %016lx  rdi %016lx\n", f->rdx, f->rsi, f->rdi);
	print("rbp %016lx  r8  %016lx  r9  %016lx\n", f->rbp, f->r8, f->r9);
	print("r10 %016lx  r11 %016lx  r12 %016lx\n", f->r10, f->r11, f->r12);
	print("r13 %016lx  r14 %016lx  r15 %016lx\n", f->r13, f->r14, f->r15);
	print("cr2 %016lx  cr3 %016lx  cs %04lx ss %04lx\n", cr2, read_cr3(), f->cs, f->ss);
	print_backtrace(f->rip, f->rbp);
}

static void handle_exception(struct trap_frame *f)
{
	uint64_t cr2 = read_cr2();

	/* Only the boot CPU tries things. */
	if (trap_catch_sp != 0 && smp_is_boot_cpu() && f->vector != VECTOR_DF) {
		caught_error = f->error;
		caught_cr2 = cr2;
		f->rip = (uintptr_t)trap_landing;
		f->rsp = trap_catch_sp;
		f->rax = f->vector;
		return;
	}
	trap_catch_sp = 0;
	report(f, cr2);
	power_panic("unexpected exception");
}

/*
 * All CPUs get theirs at once. The console's buffer may be in somebody's hands: the line goes straight to the port.
 * No other NMI comes before iretq (Intel SDM vol. 3, 6.7.1), so whoever waits here does not hold the lock itself.
 */
static void handle_nmi(void)
{
	static const char text[] = "lodger: NMI on CPU ";
	static volatile char busy;
	uint32_t id = lapic_id();
	char number[4];
	size_t len = 0;

	if (id >= 10)
		number[len++] = (char)('0' + id / 10 % 10);
	number[len++] = (char)('0' + id % 10);
	number[len++] = '\r';
	number[len++] = '\n';
	while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE))
		cpu_pause();
	uart_write(text, sizeof(text) - 1);
	uart_write(number, len);
	__atomic_clear(&busy, __ATOMIC_RELEASE);
}

void trap_handle(struct trap_frame *f); /* called by trap.S only */

void trap_handle(struct trap_frame *f)
{
	if (f->vector == VECTOR_NMI) {
		handle_nmi();
		return;
	}
	if (f->vector < 32) {
		handle_exception(f);
		return;
	}
	if (f->vector == VECTOR_SPURIOUS) /* Intel SDM vol. 3, 11.9: no EOI */
		return;
	if (handlers[f->vector].fn != NULL)
		handlers[f->vector].fn(handlers[f->vector].arg);
	else
		strays++;
	lapic_eoi();
}

/* Debian's libfdt is built with a stack protector; its cookie is the 0 at fs_area (boot.S). */
__attribute__((noreturn)) void __stack_chk_fail(void);

void __stack_chk_fail(void)
{
	power_panic("stack overrun in libfdt");
}
