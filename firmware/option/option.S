/*
 * An option ROM for a BIOS that finds it in fw_cfg (SeaBIOS): what the BIOS boots is latchkey's way to a kernel. Wherever the
 * BIOS has put it, its 16-bit code runs by offsets; the rest of it is copied to where it is linked.
 * Plug and Play BIOS Specification 1.0A, 3.2: the expansion header and its bootstrap entry vector.
 */
#include "../segments.h"

	.section .option, "ax"
	.code16
option:
	.byte 0x55, 0xaa
	.byte option_sectors
	jmp init
	.org option + 0x1a, 0
	.word pnp - option
	.word 0 /* the checksum: firmware.mk puts it in here */

pnp:
	.ascii "$PnP"
	.byte 1, (pnp_end - pnp) / 16
	.word 0                       /* no further header */
	.byte 0, 0                    /* the checksum, which no BIOS looks at */
	.long 0                       /* no device's identifier */
	.word 0, product - option
	.byte 0, 0, 0, 0
	.word 0, 0, boot - option     /* of the three vectors, the one that boots */
	.word 0, 0
pnp_end:
product:
	.asciz "a kernel from fw_cfg, by latchkey"

	/* There is nothing to prepare. */
init:
	xorw %ax, %ax
	lretw

boot:
	cli
	cld
	xorl %ebx, %ebx
	movw %cs, %bx
	shll $4, %ebx
	leal (gdt32 - option)(%ebx), %eax
	pushl %eax
	pushw $(gdt32_end - gdt32 - 1)
	movw %sp, %bp
	lgdtl %ss:(%bp)
	movl %cr0, %eax
	orl $CR0_PE, %eax
	movl %eax, %cr0
	leal (option32 - option)(%ebx), %eax
	pushl $SEL_CODE32
	pushl %eax
	lretl

	.code32
option32:
	movl $SEL_DATA32, %eax
	movl %eax, %ds
	movl %eax, %es
	leal payload(%ebx), %esi
	movl $payload_at, %edi
	movl $payload_len, %ecx
	rep movsb
	movl $start32, %eax
	jmp *%eax

	.balign 8
gdt32: /* as reset.S's begins */
	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
gdt32_end:

	.section .note.GNU-stack, "", @progbits
