#include "util/ring.h"

#include "util/bytes.h"

size_t ring_put(struct ring *ring, const uint8_t *from, size_t len)
{
	size_t at = ring->head & (ring->size - 1), first;

	len = MIN(len, ring_room(ring));
	first = MIN(len, ring->size - at);
	memcpy(ring->bytes + at, from, first);
	memcpy(ring->bytes, from + first, len - first);
	ring->head += len;
	return len;
}

const uint8_t *ring_peek(const struct ring *ring, size_t *ret_len)
{
	size_t at = ring->tail & (ring->size - 1);

	*ret_len = MIN(ring_used(ring), ring->size - at);
	return ring->bytes + at;
}

void ring_drop(struct ring *ring, size_t len)
{
	ring->tail += len;
}
