/*
 * Sits between a virtio device and virtqueue.h, whose calls are linked to these functions (mk/fuzz.mk): what a device
 * gives back it has taken, and gives back once only, with no more written than there was room for.
 */
#pragma once

#include "fuzz.h"
#include "virtio/virtqueue.h"

#define TAKEN_MAX 1024

/* What was popped from a queue and not yet pushed back. */
static struct {
	const struct virtqueue *queue;
	uint16_t head;
	uint64_t room; /* bytes that the device may write */
} taken[TAKEN_MAX];
static unsigned taken_count;

int __real_virtqueue_pop(
	struct virtqueue *queue, const struct guest_memory *mem, struct virtqueue_chain *ret_chain);
int __wrap_virtqueue_pop(
	struct virtqueue *queue, const struct guest_memory *mem, struct virtqueue_chain *ret_chain);
int __wrap_virtqueue_pop(
	struct virtqueue *queue, const struct guest_memory *mem, struct virtqueue_chain *ret_chain)
{
	int r = __real_virtqueue_pop(queue, mem, ret_chain);

	if (r == 1) {
		FUZZ_CHECK(taken_count < TAKEN_MAX);
		taken[taken_count].queue = queue;
		taken[taken_count].head = ret_chain->head;
		taken[taken_count++].room = ret_chain->in_len;
	}
	return r;
}

void __real_virtqueue_unpop(struct virtqueue *queue);
void __wrap_virtqueue_unpop(struct virtqueue *queue);
void __wrap_virtqueue_unpop(struct virtqueue *queue)
{
	FUZZ_CHECK(taken_count && taken[taken_count - 1].queue == queue);
	taken_count--;
	__real_virtqueue_unpop(queue);
}

void __real_virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);
void __wrap_virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);
void __wrap_virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written)
{
	unsigned best = taken_count;

	FUZZ_CHECK(virtqueue_started(queue));
	/* A driver may offer a chain twice, and change it between: then it is the shortest that was long enough. */
	for (unsigned i = 0; i < taken_count; i++) {
		if (taken[i].queue == queue && taken[i].head == head && written <= taken[i].room &&
			(best == taken_count || taken[i].room < taken[best].room))
			best = i;
	}
	FUZZ_CHECK(best < taken_count);
	taken[best] = taken[--taken_count];
	__real_virtqueue_push(queue, head, written);
}
