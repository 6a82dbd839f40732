/* Numerical Recipes' generator: the same damage on every machine. */
#pragma once

#include <stdint.h>

static inline uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}
