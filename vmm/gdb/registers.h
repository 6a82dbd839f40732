/*
 * A vCPU's registers as GDB sees them: a description that it asks for, and their bytes in that order. The layout does not
 * follow the CPU's mode, as GDB learns of it once: it is the 64-bit one, unless the user wants the other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target_cpu;

enum registers_layout {
	REGISTERS_64,
	REGISTERS_32, /* GDB's i8086: it disassembles 16-bit code then */
};

#define REGISTERS_TEXT_MAX 8192 /* of the description, its NUL included */
#define REGISTER_SIZE_MAX  16   /* bytes */

/* The target description, XML: how long it is. */
size_t registers_describe(enum registers_layout layout, char to[REGISTERS_TEXT_MAX]);

/* How many bytes a register has; 0: there is no such register. */
size_t register_size(enum registers_layout layout, unsigned index);

/* The same, and which they are. */
size_t register_read(enum registers_layout layout, const struct target_cpu *cpu, unsigned index, uint8_t *to);
/* Changes it; what cannot be changed stays. False: there is no such register. */
bool register_write(
	enum registers_layout layout, struct target_cpu *cpu, unsigned index, const uint8_t *from);
