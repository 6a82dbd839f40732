#include "lib/disk_pattern.h"

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WORDS   (SECTOR / 8)
#define FACTOR  0x9e3779b97f4a7c15u
#define INVERSE 0xf1de83e19937733du /* FACTOR * INVERSE is 1, modulo 2^64 */

/* 64-bit little-endian words, word i of sector s with seed k: guest/README.md. */
static uint64_t pattern(uint64_t seed, uint64_t sector, unsigned word)
{
	return seed * FACTOR + sector * WORDS + word;
}

void pattern_fill(const char *path, uint64_t first, unsigned count, uint64_t seed)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	for (uint64_t sector = first; sector < first + count; sector++) {
		uint64_t words[WORDS];

		for (unsigned i = 0; i < WORDS; i++)
			words[i] = pattern(seed, sector, i);
		ck_assert_int_eq(pwrite(fd, words, SECTOR, (off_t)(sector * SECTOR)), SECTOR);
	}
	close(fd);
}

uint64_t pattern_seed(const void *bytes, uint64_t sector)
{
	uint64_t words[WORDS], seed;

	memcpy(words, bytes, sizeof(words));
	seed = (words[0] - sector * WORDS) * INVERSE;
	for (unsigned i = 0; i < WORDS; i++) {
		if (words[i] != pattern(seed, sector, i))
			return UINT64_MAX;
	}
	return seed;
}

uint64_t pattern_first_wrong(const char *path, uint64_t first, unsigned count, uint64_t seed)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t sector;

	for (sector = first; sector < first + count; sector++) {
		uint64_t words[WORDS];

		ck_assert_int_eq(pread(fd, words, SECTOR, (off_t)(sector * SECTOR)), SECTOR);
		if (pattern_seed(words, sector) != seed)
			break;
	}
	close(fd);
	return sector;
}
