/*
 * A virtio device as its transport sees it: identity, features, configuration space and queues, but
 * nothing of registers, addresses or interrupts. The transport (virtio_transport.h) owns the virtqueues
 * and a lock; it calls every function below with that lock held, from a vCPU thread or from the I/O
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct guest_memory;
struct virtqueue;

#define VIRTIO_QUEUES_MAX 64

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
	/*
	 * Takes ONE request of a started queue, on the I/O thread: 1 when one was taken, to be answered at once or by
	 * progress(); 0 when the queue is empty; -EPROTO when the queue lies, which makes the transport set
	 * DEVICE_NEEDS_RESET; -EAGAIN when the next request has to wait until *ret_not_before, a time of clock_ns(),
	 * and is left in the queue; -EBUSY when the device holds as many as it can. The queue stays where it is, and
	 * started, until progress() was told to wait.
	 */
	int (*take)(void *dev, unsigned index, struct virtqueue *queue, const struct guest_memory *mem,
		uint64_t *ret_not_before);
	/*
	 * Has the host begin with what was taken, and answers what it is done with, of any queue: whether it has room
	 * again that it had not. With `wait` until all that was taken is answered.
	 */
	bool (*progress)(void *dev, bool wait);
	/* Back to the state after start; nothing is taken and not answered. */
	void (*reset)(void *dev);
	uint16_t queue_size_max; /* a power of two, VIRTQUEUE_SIZE_MAX or less */
};
