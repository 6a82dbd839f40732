/*
 * Interrupts of real mode, from the caller to bios_service() and back.
 *
 * The caller's registers go onto the caller's stack, as struct frame, and its GDTR below them. Then: flat 32-bit mode,
 * a stack of our own, the service, real mode again. It is called from real mode only: in virtual-8086 mode the switch
 * faults.
 */
#include "bios/layout.h"
#include "segments.h"

#define GDTR_ROOM 8

	.section .text16, "ax"
	.code16

	/* A vector's stub: its number, for struct frame. */
	.macro stub vector
	.balign 8
	pushw $\vector
	jmp enter
	.endm

	.balign 8
	.globl interrupt_stubs
interrupt_stubs:
	.set n, 0
	.rept 0x20
	stub n
	.set n, n + 1
	.endr
	.set n, 0x70
	.rept 8
	stub n
	.set n, n + 1
	.endr
	.balign 8

enter:
	cli /* a caller may have called, in place of INT */
	cld
	pushw %ds
	pushw %es
	pushw %fs
	pushw %gs
	pushal
	subw $GDTR_ROOM, %sp
serve:
	movw %sp, %bp
	sgdtl (%bp)
	xorl %ebx, %ebx
	movw %ss, %bx
	movl %esp, %edi /* whole: callers that address by it expect its upper half back */
	movl %ebx, %eax
	shll $4, %eax
	movzwl %sp, %ecx
	leal GDTR_ROOM(%eax, %ecx), %eax
	lgdtl %cs:gdt_pointer
	movl %cr0, %ecx
	orb $CR0_PE, %cl
	movl %ecx, %cr0
	ljmpl $SEL_CODE32, $serve32

	.section .text, "ax"
	.code32
serve32:
	movl $SEL_DATA32, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %fs
	movl %ecx, %gs
	movl %ecx, %ss
	movl $BIOS_STACK_TOP, %esp
	pushl %eax
	call bios_service
	/*
	 * Real mode takes a segment's limit as protected mode has left it. The stack's is 64 KiB; the others keep 4 GiB,
	 * as a caller may have had it ("unreal mode"). The selectors are the caller's again at the end.
	 */
	movl $SEL_DATA16, %ecx
	movl %ecx, %ss
	ljmpl $SEL_CODE16, $leave

	.section .text16, "ax"
	.code16
leave:
	movl %cr0, %ecx
	andb $~CR0_PE, %cl
	movl %ecx, %cr0
	ljmpw $BIOS_SEGMENT, $1f
1:	movw %bx, %ss
	movl %edi, %esp
	movw %sp, %bp
	lgdtl (%bp)
	testl %eax, %eax
	jnz wait
	addw $GDTR_ROOM, %sp
	popal
	popw %gs
	popw %fs
	popw %es
	popw %ds
	addw $2, %sp /* the vector */
	iretw

wait:
	sti
	hlt
	cli
	jmp serve

	/* INT 19h: the caller's stack is given up; the boot sector gets this one. */
	.globl interrupt_boot
interrupt_boot:
	cli
	xorw %ax, %ax
	movw %ax, %ss
	movl $BOOT_SECTOR, %esp
	pushfw
	pushw %cs
	pushw $interrupt_boot /* bios_service() puts another place here, or does not return */
	pushw $0x19
	jmp enter

	/* The PIC's eight lines, on to where a PC has their handlers: programs hook those. */
	.balign 4
	.globl interrupt_lines
interrupt_lines:
	.set n, PC_VECTORS
	.rept 8
	.balign 4
	int $n
	iretw
	.set n, n + 1
	.endr

	/* IRQ 0, 18.2 times a second: too often for the way through 32-bit mode. */
	.globl interrupt_tick
interrupt_tick:
	pushw %ds
	pushl %eax
	xorw %ax, %ax
	movw %ax, %ds
	incl BDA_TICKS
	cmpl $TICKS_A_DAY, BDA_TICKS
	jb 1f
	movl $0, BDA_TICKS
	movb $1, BDA_MIDNIGHT
1:	int $0x1c /* a program's, if it wants to know */
	movb $0x20, %al
	outb %al, $PIC1_PORT
	popl %eax
	popw %ds
	/* Falls through. */
	.globl interrupt_nothing
interrupt_nothing:
	iretw

	/* INT 15h, AH=C0h: a PC AT with two PICs, a clock chip and an EBDA. */
	.balign 2
	.globl system_table
system_table:
	.word 8
	.byte 0xfc, 0x01, 0x00, 0x64, 0x00, 0x00, 0x00, 0x00

	/* INT 1Eh points to it: boot sectors copy it before they know what they were loaded from. 1.44 MB. */
	.globl diskette_table
diskette_table:
	.byte 0xaf, 0x02, 0x25, 0x02, 18, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08

	.section .text, "ax"
	.code32
	.globl real_mode_boot
real_mode_boot:
	movl $SEL_DATA16, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %fs
	movl %ecx, %gs
	movl %ecx, %ss
	ljmpl $SEL_CODE16, $boot16

	.section .text16, "ax"
	.code16
boot16:
	movl %cr0, %ecx
	andb $~CR0_PE, %cl
	movl %ecx, %cr0
	ljmpw $BIOS_SEGMENT, $1f
1:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	int $0x19 /* as its vector says; its stack is set there */

	.section .note.GNU-stack, "", @progbits
