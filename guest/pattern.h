/*
 * What blk fill writes and blk verify wants, so that a host can check an image without us:
 * 64-bit little-endian words; word i (0..63) of sector s with seed k is
 * k * 0x9e3779b97f4a7c15 + s * 64 + i, modulo 2^64.
 */
#pragma once

#include <stdint.h>

void pattern_fill(void *buf, uint64_t sector, uint32_t count, uint64_t seed);

/* How many sectors from the first on are right: count if all are. */
uint32_t pattern_check(const void *buf, uint64_t sector, uint32_t count, uint64_t seed);
