/* The debug registers: Intel SDM vol. 3, 18.2. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum dr7_access { DR7_EXECUTE = 0, DR7_WRITE = 1, DR7_READ_WRITE = 3 };

/* Whether one register can watch len bytes at address: 1, 2, 4 or 8, at a multiple of that. */
bool debug_regs_can_watch(uint64_t address, unsigned len);

/* DR7's bits that have register `index` (0 to 3) watch len bytes; 0 bytes is a breakpoint on an instruction. */
uint64_t debug_regs_dr7(unsigned index, enum dr7_access access, unsigned len);
