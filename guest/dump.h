/* Hex dumps. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Lines of 16 bytes: address, hex, text. */
void dump_bytes(uint64_t addr, const void *bytes, size_t len);
