/* Guests in assembly. */
#pragma once

#include <stdint.h>

/* Machine code for CPUs in another mode than ours: NAME_len bytes at NAME_code. */
#define GUEST_CODE(name, mode, text)                                                                  \
	extern const uint8_t name##_code[];                                                           \
	extern const uint64_t name##_len;                                                             \
	asm(".pushsection .rodata\n" mode "\n" #name "_code:\n" text "9:\n.code64\n.balign 8\n" #name \
	    "_len: .quad 9b - " #name "_code\n.popsection\n")
