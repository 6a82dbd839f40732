/*
 * A virtio device as its transport sees it: identity, features, configuration space and queues, but
 * nothing of registers, addresses or interrupts. The transport (virtio_mmio.h) owns the virtqueues
 * and a lock; it calls every function below with that lock held, from a vCPU thread or from the I/O
 * thread.
 */
#pragma once

#include <stdint.h>

struct guest_memory;
struct virtqueue;

#define VIRTIO_QUEUES_MAX 8

struct virtio_device_ops {
	uint32_t device_id; /* virtio 1.2, 5 */
	/*
	 * Feature bits of the device type (0-23 and 50 up), the same at every call; the transport
	 * adds the ring's and VERSION_1.
	 */
	uint64_t (*features)(void *dev);
	/* The driver set FEATURES_OK with these bits, a subset of what was offered that has VERSION_1. */
	void (*negotiated)(void *dev, uint64_t features);
	/*
	 * Any offset; size is 1, 2, 4 or 8. Bytes that do not exist read 0, and a write of them is
	 * ignored.
	 */
	uint64_t (*config_read)(void *dev, uint64_t offset, unsigned size);
	void (*config_write)(void *dev, uint64_t offset, unsigned size, uint64_t value);
	/* Back to the state after start; requests that were taken are done with when it returns. */
	void (*reset)(void *dev);
	/*
	 * Serves ONE request of a started queue, on the I/O thread: 1 when one was done, 0 when the
	 * queue is empty, -EPROTO when the queue lies, which makes the transport set
	 * DEVICE_NEEDS_RESET; -EAGAIN when the next request has to wait until *ret_not_before, a
	 * time of clock_ns(), and is left in the queue.
	 */
	int (*serve)(void *dev, unsigned index, struct virtqueue *queue, const struct guest_memory *mem,
		uint64_t *ret_not_before);
	unsigned queue_count;    /* 1 to VIRTIO_QUEUES_MAX */
	uint16_t queue_size_max; /* a power of two, VIRTQUEUE_SIZE_MAX or less */
};
