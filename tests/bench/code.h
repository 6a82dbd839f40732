/* The guests that are measured: some bytes of 32-bit code each, entered by PVH, or by bare.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CODE_MAX        64
#define CODE_EXIT_COUNT 20000 /* round trips of code_pio() and code_mmio() */

/* Each writes to `code`, which has CODE_MAX bytes, and returns how many. All end with a 0 for the debug-exit port. */

/* Nothing but that. */
size_t code_one(uint8_t *code);

/* Reads COM1's scratch register. */
size_t code_pio(uint8_t *code);

/* Reads the first virtio slot's magic value. */
size_t code_mmio(uint8_t *code);

/* Prints so many bytes on COM1, each when the transmitter says that it is empty. */
size_t code_console(uint8_t *code, uint32_t bytes);
