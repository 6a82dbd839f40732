/* What is built in, as bytes of the library: lodger, latchkey, and its way to a kernel as an option ROM for others. */
#ifdef __CET__
#include <cet.h>
#endif

	.macro image name, file
	.globl \name\()_image_start, \name\()_image_end
	.hidden \name\()_image_start, \name\()_image_end
	.balign 4096
\name\()_image_start:
	.incbin "\file"
\name\()_image_end:
	.endm

	.section .rodata
	image lodger, LODGER_ELF
	image latchkey, LATCHKEY_ROM
	image option, OPTION_ROM
	.section .note.GNU-stack, "", @progbits
