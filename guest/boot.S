/*
 * From the PVH entry, which is GRUB's multiboot2 entry too, to main(): 32-bit protected mode in, long mode out.
 *
 * Every table is assembled, none is built at run time: on hosts that emulate ring 0 an
 * instruction costs 0.6 us, and the time to the first serial byte is what we are proud of.
 */
#define SEL_CODE 0x08
#define SEL_DATA 0x10

#define CR0_BITS 0x80010031 /* PG, WP, NE, ET, PE */
#define CR4_BITS 0x00000620 /* PAE, OSFXSR, OSXMMEXCPT */
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define MSR_FS_BASE 0xc0000100

#define PAGE_P  0x001
#define PAGE_W  0x002
#define PAGE_UC 0x018 /* PWT and PCD */
#define PAGE_PS 0x080

	/* Xen's public/elfnote.h: type 18 is XEN_ELFNOTE_PHYS32_ENTRY. */
	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 8, 18
	.asciz "Xen"
	.quad pvh_start

	.section .text.boot, "ax"
	/* Multiboot2 specification 2.0, 3.1: the header, and no tags but the last. */
	.balign 8
multiboot2_header:
	.long 0xe85250d6, 0, 24, -(0xe85250d6 + 24)
	.word 0, 0
	.long 8

	/*
	 * EBX = struct hvm_start_info; flat segments, no paging, interrupts off. GRUB comes in the same way, with its
	 * magic in EAX and its information in EBX.
	 */
	.code32
	.globl pvh_start
pvh_start:
	movl %eax, %esi
	rdtsc
	movl %eax, boot_tsc
	movl %edx, boot_tsc + 4
	movl $CR4_BITS, %eax
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl $EFER_LME, %eax
	xorl %edx, %edx
	wrmsr
	movl $CR0_BITS, %eax
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $SEL_CODE, $1f

	.code64
1:	movl $SEL_DATA, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	/* Debian's libfdt reads its stack protector's cookie from %fs:0x28; page 0 will go. */
	movl $MSR_FS_BASE, %ecx
	movl $fs_area, %eax
	xorl %edx, %edx
	wrmsr
	movl $boot_stack_top, %esp
	xorl %ebp, %ebp /* a back-trace ends here */
	movl %ebx, %edi
	call main
2:	cli
	hlt
	jmp 2b

	/*
	 * Identity map of the first 4 GiB in 2 MiB pages. The first 2 MiB are split: map_protect()
	 * takes page 0 away and makes our code read-only. 3..4 GiB is MMIO: uncached.
	 */
	.section .data.pages, "aw"
	.balign 4096
boot_pml4:
	.quad boot_pdpt + PAGE_P + PAGE_W
	.fill 511, 8, 0
boot_pdpt:
	.quad boot_pd + PAGE_P + PAGE_W
	.quad boot_pd + 0x1000 + PAGE_P + PAGE_W
	.quad boot_pd + 0x2000 + PAGE_P + PAGE_W
	.quad boot_pd + 0x3000 + PAGE_P + PAGE_W
	.quad window_pd + PAGE_P + PAGE_W /* see map_window() */
	.fill 507, 8, 0
boot_pd:
	.quad boot_pt + PAGE_P + PAGE_W
	.set addr, 0x200000
	.rept 3 * 512 - 1
	.quad addr + PAGE_P + PAGE_W + PAGE_PS
	.set addr, addr + 0x200000
	.endr
	.rept 512
	.quad addr + PAGE_P + PAGE_W + PAGE_PS + PAGE_UC
	.set addr, addr + 0x200000
	.endr
	.globl boot_pt
boot_pt:
	.set addr, 0
	.rept 512
	.quad addr + PAGE_P + PAGE_W
	.set addr, addr + 0x1000
	.endr
	.globl window_pd
window_pd:
	.fill 512, 8, 0

	.data
	/* All 256 gates: kernel code, 64-bit interrupt gate; vector 8 (#DF) has a stack of its own. */
	.balign 16
idt:
	.set vec, 0
	.rept 256
	.set stub, 0x101000 + 16 * vec
	.set ist, 0
	.if vec == 8
	.set ist, 1
	.endif
	.quad (stub & 0xffff) | (SEL_CODE << 16) | (ist << 32) | (0x8e << 40) | ((stub >> 16) << 48)
	.quad 0
	.set vec, vec + 1
	.endr

	.globl gdt, gdt_tss, boot_pml4
gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* SEL_CODE: 64-bit, ring 0 */
	.quad 0x00cf93000000ffff /* SEL_DATA */
gdt_tss:
	.quad 0, 0 /* trap_init() writes the TSS's address in */
gdt_end:
	.globl gdt_limit
	.set gdt_limit, gdt_end - gdt - 1

	.globl tss, tss_end
tss: /* Intel SDM vol. 3, 8.7: only IST1 is used */
	.long 0
	.quad 0, 0, 0
	.quad 0
	.quad fault_stack_top
	.quad 0, 0, 0, 0, 0, 0
	.quad 0
	.word 0, tss_end - tss
tss_end:

	.globl idt_pointer
gdt_pointer:
	.word gdt_limit
	.quad gdt
idt_pointer:
	.word 256 * 16 - 1
	.quad idt

	.globl boot_tsc
	.balign 8
boot_tsc:
	.quad 0

	.bss
	.balign 16
fs_area:
	.skip 64
	.skip 4096
fault_stack_top:
	.globl boot_stack, boot_stack_top
boot_stack:
	.skip 32768
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
