/*
 * From the reset vector to main(): real mode, then protected mode with flat segments and paging off.
 *
 * After power-up CS has the selector 0xf000, but the base 0xffff0000 (Intel SDM vol. 3, 10.1.4): the first instruction
 * is the ROM's, 16 bytes below 4 GiB. A near jump keeps that base; a far one would go on in the copy below 1 MiB,
 * which a guest may have written to.
 */
#include "segments.h"

	.section .reset, "ax"
	.code16
	.globl reset_vector
reset_vector:
	jmp start16
	.org reset_vector + 16, 0

	.section .text16, "ax"
	.code16
start16:
	cli
	cld
	/* Offsets in the segment: both the ROM and its copy have the pointer there. */
	lgdtl %cs:gdt_pointer
	movl %cr0, %eax
	andl $~(CR0_CD | CR0_NW), %eax /* caches on */
	orl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $SEL_CODE32, $start32

	.balign 8
	.globl gdt_pointer
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt

	.section .text.start32, "ax"
	.code32
	.globl start32
start32:
	movl $SEL_DATA32, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movl $stack_top, %esp
	xorl %eax, %eax
	movl $bss_start, %edi
	movl $bss_end, %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	rep stosl
	call main
1:	cli
	hlt
	jmp 1b

	.section .rodata
	.balign 8
	.globl gdt
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff /* SEL_CODE32 */
	.quad 0x00cf93000000ffff /* SEL_DATA32 */
	.quad 0x00009b0f0000ffff /* SEL_CODE16: the copy at 0xf0000 */
	.quad 0x000093000000ffff /* SEL_DATA16: base 0, as real mode's segment 0 */
gdt_end:

	.section .note.GNU-stack, "", @progbits
