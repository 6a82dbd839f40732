/* latchkey, the built-in firmware, as bytes of the library. */
	.section .rodata
	.globl latchkey_image_start, latchkey_image_end
	.hidden latchkey_image_start, latchkey_image_end
latchkey_image_start:
	.incbin LATCHKEY_ROM
latchkey_image_end:
	.section .note.GNU-stack, "", @progbits
