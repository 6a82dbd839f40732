#include "util/ring.h"

#include "util/bytes.h"

void ring_write(struct ring *ring, const uint8_t *from, size_t len)
{
	size_t at, first;

	if (len > ring->size) {
		ring->written += len - ring->size;
		from += len - ring->size;
		len = ring->size;
	}
	at = ring->written & (ring->size - 1);
	first = MIN(len, ring->size - at);
	memcpy(ring->bytes + at, from, first);
	memcpy(ring->bytes, from + first, len - first);
	ring->written += len;
}

size_t ring_read(const struct ring *ring, uint64_t *at, uint8_t *to, size_t len)
{
	size_t from, first;

	*at = MAX(*at, ring_start(ring));
	len = MIN(len, ring->written - *at);
	from = *at & (ring->size - 1);
	first = MIN(len, ring->size - from);
	memcpy(to, ring->bytes + from, first);
	memcpy(to + first, ring->bytes, len - first);
	return len;
}
