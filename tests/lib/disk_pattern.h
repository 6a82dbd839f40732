/* What lodger's `blk fill` writes and `blk verify` wants, and the records of its `blk log`. */
#pragma once

#include <stdint.h>

#define SECTOR 512

/* Writes the pattern of a seed into sectors of an image, as `blk fill` would. */
void pattern_fill(const char *path, uint64_t first, unsigned count, uint64_t seed);

/* The first sector that does not hold it, or first + count. */
uint64_t pattern_first_wrong(const char *path, uint64_t first, unsigned count, uint64_t seed);

/* The seed of the pattern that these 512 bytes hold as that sector; UINT64_MAX: they hold none. Zeroes have none. */
uint64_t pattern_seed(const void *bytes, uint64_t sector);
