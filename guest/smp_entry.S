/*
 * From a SIPI to smp_main(): real mode in, long mode out, in one step. Copied to a page below 1 MiB, so that nothing
 * here is addressed but relative to CS, or absolutely above 1 MiB.
 */
#define SEL_CODE 0x08
#define SEL_DATA 0x10

#define CR0_BITS 0x80010031 /* PG, WP, NE, ET, PE */
#define CR4_BITS 0x00000620 /* PAE, OSFXSR, OSXMMEXCPT */
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

#define CPUS_MAX   64
#define STACK_BITS 12 /* 4 KiB each: interrupt handlers only */

	.section .rodata
	.globl smp_trampoline, smp_trampoline_size
	.code16
smp_trampoline:
	cli
	movw %cs, %ax
	movw %ax, %ds
	lgdtl 1f - smp_trampoline
	movl $CR4_BITS, %eax
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl $EFER_LME, %eax
	xorl %edx, %edx
	wrmsr
	/* Paging and protection at once: long mode needs no 32-bit stop on the way (AMD APM vol. 2, 14.6). */
	movl $CR0_BITS, %eax
	movl %eax, %cr0
	ljmpl $SEL_CODE, $smp_entry
	.balign 4
1:	.word gdt_limit
	.long gdt
2:
	.balign 8
smp_trampoline_size:
	.quad 2b - smp_trampoline

	.text
	.code64
smp_entry:
	movl $SEL_DATA, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	/* Who are we? CPUID 1 has the initial APIC ID; a stack for each. */
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	cmpl $CPUS_MAX, %ebx
	jae 2f
	movl %ebx, %edi
	incl %ebx
	shll $STACK_BITS, %ebx
	leaq smp_stacks(%rbx), %rsp
	xorl %ebp, %ebp
	/* No TSS: a double fault here is a triple fault. */
	lidt idt_pointer
	call smp_main
2:	cli
	hlt
	jmp 2b

	.bss
	.balign 16
smp_stacks:
	.skip CPUS_MAX << STACK_BITS

	.section .note.GNU-stack, "", @progbits
