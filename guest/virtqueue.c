#include "virtqueue.h"

#include "x86.h"

#define DESC_NEXT      1
#define DESC_WRITE     2
#define DESC_INDIRECT  4
#define USED_NO_NOTIFY 1

struct avail_ring {
	uint16_t flags;
	uint16_t index;
	uint16_t ring[]; /* size entries, then used_event */
};

struct used_ring {
	uint16_t flags;
	uint16_t index;
	struct {
		uint32_t id;
		uint32_t len;
	} ring[]; /* size entries, then 16 bits avail_event */
};

static volatile struct virtqueue_desc *descriptors(const struct virtqueue *q)
{
	return (volatile struct virtqueue_desc *)(void *)q->memory;
}

static volatile struct avail_ring *avail_ring(const struct virtqueue *q)
{
	return (volatile struct avail_ring *)(void *)(q->memory + 16ul * q->size);
}

static volatile struct used_ring *used_ring(const struct virtqueue *q)
{
	return (volatile struct used_ring *)(void *)(q->memory + VIRTQUEUE_ALIGN);
}

static uint16_t avail_event(const struct virtqueue *q)
{
	const volatile uint16_t *event =
		(const volatile void *)(q->memory + VIRTQUEUE_ALIGN + 4 + 8ul * q->size);

	return *event;
}

void virtqueue_init(struct virtqueue *q, uint16_t size, uint8_t *memory)
{
	*q = (struct virtqueue){.size = size, .memory = memory};
}

uint64_t virtqueue_avail_address(const struct virtqueue *q)
{
	return (uintptr_t)avail_ring(q);
}

uint64_t virtqueue_used_address(const struct virtqueue *q)
{
	return (uintptr_t)used_ring(q);
}

static void fill_desc(
	volatile struct virtqueue_desc *desc, const struct virtqueue_buffer *buffer, bool last, uint16_t next)
{
	desc->addr = (uintptr_t)buffer->data;
	desc->len = buffer->len;
	desc->flags = (uint16_t)((buffer->device_writes ? DESC_WRITE : 0) | (last ? 0 : DESC_NEXT));
	desc->next = last ? 0 : next;
}

/* 2.7.5.3: one descriptor that names a table of descriptors. */
static void put_indirect(struct virtqueue *q, const struct virtqueue_buffer *buffers, unsigned count)
{
	volatile struct virtqueue_desc *desc = &descriptors(q)[q->next_desc];

	for (unsigned i = 0; i < count; i++)
		fill_desc(&q->indirect[i], &buffers[i], i + 1 == count, (uint16_t)(i + 1));
	desc->addr = (uintptr_t)q->indirect;
	desc->len = count * (uint32_t)sizeof(struct virtqueue_desc);
	desc->flags = DESC_INDIRECT;
	desc->next = 0;
}

static void put_chain(struct virtqueue *q, const struct virtqueue_buffer *buffers, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned at = (q->next_desc + i) % q->size;

		fill_desc(&descriptors(q)[at], &buffers[i], i + 1 == count, (uint16_t)((at + 1) % q->size));
	}
}

bool virtqueue_offer(struct virtqueue *q, const struct virtqueue_buffer *buffers, unsigned count)
{
	volatile struct avail_ring *avail = avail_ring(q);

	if (q->indirect != NULL && count > 1)
		put_indirect(q, buffers, count);
	else
		put_chain(q, buffers, count);
	avail->ring[q->avail_index % q->size] = q->next_desc;
	if (q->event_index) /* 2.7.7: interrupt us for the very next chain */
		avail->ring[q->size] = q->used_seen;
	barrier(); /* the chain before the index that publishes it */
	avail->index = ++q->avail_index;
	memory_barrier(); /* 2.7.10: publish first, then look whether the device sleeps */
	if (q->event_index)
		return (uint16_t)(q->avail_index - avail_event(q) - 1) < 1;
	return (used_ring(q)->flags & USED_NO_NOTIFY) == 0;
}

bool virtqueue_is_done(const struct virtqueue *q)
{
	return used_ring(q)->index != q->used_seen;
}

bool virtqueue_take(struct virtqueue *q, uint32_t *ret_written)
{
	volatile struct used_ring *used = used_ring(q);

	barrier(); /* the index was read before the entry it publishes */
	uint32_t id = used->ring[q->used_seen % q->size].id;

	*ret_written = used->ring[q->used_seen % q->size].len;
	q->used_seen++;
	bool ours = id == q->next_desc && used->index == q->used_seen;

	/* Another head each time: a device that only ever looks at 0 does not pass. */
	q->next_desc = (uint16_t)((q->next_desc + 1) % q->size);
	return ours;
}
