/* Sizes, alignment and little-endian bytes. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* `to` is a power of two; align_up() may wrap at the top of the address space. */
static inline uint64_t align_down(uint64_t value, uint64_t to)
{
	return value & ~(to - 1);
}

static inline uint64_t align_up(uint64_t value, uint64_t to)
{
	return align_down(value + to - 1, to);
}

/* All ones in the low `size` bytes: what a bus floats to. `size` is 1 to 8. */
static inline uint64_t all_ones(unsigned size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

/* [a, a+a_size) and [b, b+b_size) share a byte; no range wraps. */
static inline bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a_size && b_size && a < b + b_size && b < a + a_size;
}

/* [base, base+size) lies inside [outer, outer+outer_size), without wrap-around. */
static inline bool range_inside(uint64_t base, uint64_t size, uint64_t outer, uint64_t outer_size)
{
	return base >= outer && base - outer <= outer_size && size <= outer_size - (base - outer);
}

/* x86 is little-endian: a load of the low `size` bytes, 1 to 8, zero-extended. */
static inline uint64_t load_le(const void *from, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, from, size);
	return value;
}

static inline void store_le(void *to, uint64_t value, unsigned size)
{
	memcpy(to, &value, size);
}
