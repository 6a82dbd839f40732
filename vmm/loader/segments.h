/*
 * What all kernel formats come down to: pieces of a file and where they go in guest memory. The formats
 * differ in how they say it; what a piece may be is judged here, once.
 */
#pragma once

#include <stdint.h>

struct error;
struct guest_memory;
struct image;

#define SEGMENTS_MAX 64 /* kernels have fewer than ten */

struct segment {
	unsigned number; /* for messages: the program header's */
	uint64_t offset; /* in the file */
	uint64_t filesz;
	uint64_t memsz; /* what the file does not fill is zeroes */
	uint64_t paddr;
	uint64_t vaddr;
};

struct segments {
	const char *one; /* what a kernel of one piece calls it: "the kernel"; NULL: "segment N" */
	unsigned count;
	struct segment at[SEGMENTS_MAX];
};

/*
 * Judges what the file alone shows: sizes, offsets, overlaps, and that each segment lies above 1 MiB, or
 * from `lowest` (RAM_HIGH or BOOT_LOW_BASE) to BOOT_LOW_END. 0, or -errno and *error (ERROR_IMAGE).
 */
int segments_check(
	const struct segments *segments, const struct image *image, uint64_t lowest, struct error *error);

/*
 * Copies segments that were checked into guest memory, which is fresh: what a segment does not fill reads
 * as zeroes already. 0, or -errno and *error (ERROR_IMAGE).
 */
int segments_load(const struct segments *segments, const struct image *image, const struct guest_memory *mem,
	struct error *error);

/* The segment that holds a physical address, or NULL. */
const struct segment *segments_at(const struct segments *segments, uint64_t paddr);

/* The first byte behind all segments below the hole; 0: there is none. */
uint64_t segments_end(const struct segments *segments);
