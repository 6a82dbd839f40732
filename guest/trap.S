/*
 * Entry of all 256 vectors, and the try/catch that the self-tests stand on.
 * The frame pushed here is struct trap_frame (trap.h).
 */
	.section .text.stubs, "ax"
	.globl trap_stubs
trap_stubs: /* 16 bytes each, at the address that boot.S built the IDT for */
	.set vec, 0
	.rept 256
	.balign 16
	/* Vectors with an error code: Intel SDM vol. 3, table 6-1. */
	.if !(vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21 || vec == 29 || vec == 30)
	pushq $0
	.endif
	pushq $vec
	jmp trap_common
	.set vec, vec + 1
	.endr

	.text
trap_common:
	pushq %rax
	pushq %rbx
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %rbp
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	call trap_handle
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rbx
	popq %rax
	addq $16, %rsp
	iretq

	/*
	 * int trap_try(void (*fn)(void *), void *arg): calls fn(arg); -1 when it returned, the vector
	 * when it died of an exception: trap_handle() then returns to trap_landing on this stack.
	 */
	.globl trap_try, trap_landing
trap_try:
	pushq %rbp
	movq %rsp, %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq trap_catch_sp
	movq %rsp, trap_catch_sp
	movq %rdi, %rax
	movq %rsi, %rdi
	subq $8, %rsp /* the ABI wants rsp at a multiple of 16 before a call */
	call *%rax
	addq $8, %rsp
	movl $-1, %eax
trap_landing: /* eax: what to return; rsp: as saved in trap_catch_sp */
	popq trap_catch_sp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.section .note.GNU-stack, "", @progbits
