/* What the completion scripts of all commands have in common, as strings. */
#ifdef __CET__
#include <cet.h>
#endif

	.section .rodata
	.globl completion_bash, completion_zsh
completion_bash:
	.incbin "vmm/cli/completion.bash"
	.byte 0
completion_zsh:
	.incbin "vmm/cli/completion.zsh"
	.byte 0
	.section .note.GNU-stack, "", @progbits
