#include "pattern.h"

#define WORDS  64
#define FACTOR 0x9e3779b97f4a7c15u /* 2^64 / golden ratio: seeds that differ a little differ a lot */

void pattern_fill(void *buf, uint64_t sector, uint32_t count, uint64_t seed)
{
	uint64_t *words = buf;
	uint64_t value = seed * FACTOR + sector * WORDS;

	for (uint32_t i = 0; i < count * WORDS; i++)
		words[i] = value++;
}

uint32_t pattern_check(const void *buf, uint64_t sector, uint32_t count, uint64_t seed)
{
	const uint64_t *words = buf;
	uint64_t value = seed * FACTOR + sector * WORDS;

	for (uint32_t i = 0; i < count * WORDS; i++) {
		if (words[i] != value++)
			return i / WORDS;
	}
	return count;
}
