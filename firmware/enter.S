/*
 * The last step: out of latchkey's GDT, stack and variables, into what the kernel's protocol wants. All that is
 * written here, but for the kernel's registers below its stack pointer, was there before or is cleared.
 */
#include "segments.h"

/* struct boot_plan */
#define PLAN_MODE  0
#define PLAN_RIP   4
#define PLAN_RSP   8
#define PLAN_RAX   12
#define PLAN_RBX   16
#define PLAN_RSI   20
#define PLAN_GDT   24
#define PLAN_LIMIT 28
#define PLAN_CR3   32

#define MODE_LONG_64 2

	.section .text, "ax"
	.code32
	.globl enter_kernel
enter_kernel:
	movl 4(%esp), %edx
	movl PLAN_MODE(%edx), %ebp
	movl PLAN_RSP(%edx), %esp
	movl PLAN_CR3(%edx), %eax
	movl %eax, %cr3
	pushl $0
	pushl PLAN_RIP(%edx)
	pushl PLAN_RSI(%edx)
	pushl PLAN_RBX(%edx)
	pushl PLAN_RAX(%edx)

	/* Its GDT has a task that is busy already, which LTR refuses to load, and makes it so. */
	movl PLAN_GDT(%edx), %esi
	andb $~2, KERNEL_TSS + 5(%esi)
	pushl %esi
	pushw PLAN_LIMIT(%edx)
	lgdtl (%esp)
	addl $6, %esp
	lidtl kernel_idt
	movl $KERNEL_TSS, %eax
	ltr %ax

	xorl %eax, %eax
	movl $bss_start, %edi
	movl $stack_top, %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	rep stosl

	movl $KERNEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	xorl %edx, %edx
	xorl %edi, %edi
	cmpl $MODE_LONG_64, %ebp
	je enter_64

	movl %edx, %cr3
	ljmpl $KERNEL_CODE, $1f
1:	xorl %ebp, %ebp
	pushl $2 /* EFLAGS: only what is always set */
	popfl
	movl (%esp), %eax
	movl 4(%esp), %ebx
	movl 8(%esp), %esi
	leal 20(%esp), %esp
	jmp *-8(%esp)

	/* Paging on makes it long mode (Intel SDM vol. 3, 10.8.5); the 64-bit code segment, 64-bit mode. */
enter_64:
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	movl $EFER_LME, %eax
	wrmsr
	xorl %ecx, %ecx
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	ljmpl $KERNEL_CODE, $1f
	.code64
1:	xorl %ebp, %ebp
	movl (%rsp), %eax
	movl 4(%rsp), %ebx
	movl 8(%rsp), %esi
	pushq $2
	popfq
	leaq 20(%rsp), %rsp
	jmp *-8(%rsp)

	.section .rodata
	.balign 8
kernel_idt:
	.word 0
	.long 0

	.section .note.GNU-stack, "", @progbits
