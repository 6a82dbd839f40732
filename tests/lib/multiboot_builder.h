/* Multiboot 1 headers, and kernels that have one: offsets are the specification's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MULTIBOOT_MAGIC     0x1badb002u
#define MULTIBOOT_ADDRESSES (1u << 16)
#define MULTIBOOT_HEADER    32 /* bytes, addresses included */

#define MULTIBOOT_RAW_AT   64        /* where multiboot_build_raw() has the header in the file ... */
#define MULTIBOOT_RAW_LOAD 0x200000u /* ... and what lies right before it in memory */

/* Writes a header with these flags and a right checksum; its addresses are left alone. */
void multiboot_put_header(uint8_t *at, uint32_t flags);

/*
 * A file that is no ELF file: 64 bytes of garbage, of which the last 16 are loaded, then the header, then the
 * code, which is also the entry; 4 KiB of zeroes follow it in memory. Returns its size, 0 if it does not fit.
 */
size_t multiboot_build_raw(const void *code, size_t len, void *out, size_t size);

/* An ELF file with the header before the code, at 1 MiB; bits is 32 or 64. */
size_t multiboot_build_elf(unsigned bits, const void *code, size_t len, void *out, size_t size);
