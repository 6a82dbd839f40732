/* A ring of bytes over a buffer of its owner's. Not locked: its owner's lock guards it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *bytes;
	size_t size; /* a power of two */
	/* Free-running; head - tail bytes are in it. */
	size_t head;
	size_t tail;
};

static inline void ring_init(struct ring *ring, uint8_t *bytes, size_t size)
{
	*ring = (struct ring){.bytes = bytes, .size = size};
}

static inline size_t ring_used(const struct ring *ring)
{
	return ring->head - ring->tail;
}

static inline size_t ring_room(const struct ring *ring)
{
	return ring->size - ring_used(ring);
}

/* Appends as many of len bytes as there is room for, and returns how many. */
size_t ring_put(struct ring *ring, const uint8_t *from, size_t len);

/* The longest run of bytes that can be taken without a wrap: its start and *ret_len (0: empty). */
const uint8_t *ring_peek(const struct ring *ring, size_t *ret_len);

/* Drops len bytes, at most ring_used(), from the front. */
void ring_drop(struct ring *ring, size_t len);
