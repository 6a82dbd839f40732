/*
 * The newest bytes of a stream, over a buffer of its owner's, for any number of readers: each has a position of
 * its own, counted from the stream's first byte. Writing never fails; a reader that is overtaken misses what was
 * overwritten. Not locked: its owner's lock guards it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *bytes;
	size_t size;      /* a power of two */
	uint64_t written; /* bytes in all: the last `size` of them are kept */
};

static inline void ring_init(struct ring *ring, uint8_t *bytes, size_t size)
{
	*ring = (struct ring){.bytes = bytes, .size = size};
}

/* The position of the oldest byte that is kept. */
static inline uint64_t ring_start(const struct ring *ring)
{
	return ring->written > ring->size ? ring->written - ring->size : 0;
}

/* Appends all of it, over what is oldest. */
void ring_write(struct ring *ring, const uint8_t *from, size_t len);

/*
 * Copies what follows position *at, up to len bytes, and returns how many; 0: nothing is there yet. An overtaken
 * *at is first moved to the oldest byte. The position stays before the bytes that were copied.
 */
size_t ring_read(const struct ring *ring, uint64_t *at, uint8_t *to, size_t len);
