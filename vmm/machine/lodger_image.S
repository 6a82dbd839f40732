/* lodger, the built-in kernel, as bytes of the library. */
	.section .rodata
	.globl lodger_image_start, lodger_image_end
	.hidden lodger_image_start, lodger_image_end
	.balign 4096
lodger_image_start:
	.incbin LODGER_ELF
lodger_image_end:
	.section .note.GNU-stack, "", @progbits
