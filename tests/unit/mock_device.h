/* A mock device to put behind a transport of virtio, its guest's ring and its doorbell, for tests. */
#pragma once

#include <check.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>

#include "guest_ring.h"
#include "virtio/virtio_transport.h"

#define SIZE        64
#define DEVICE_BITS ((UINT64_C(1) << 5) | (UINT64_C(1) << 50))
#define VERSION_1   (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define TRANSPORT   (VERSION_1 | UINT64_C(3) << VIRTIO_RING_F_INDIRECT_DESC)
#define ACK_DRIVER  (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)
#define FEATURES_OK (ACK_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define DRIVER_OK   (FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)
#define NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET

/* A device with two queues. It answers each request with its head, or does what a test tells it. */
static struct {
	uint64_t negotiated;
	unsigned resets;
	unsigned served;           /* calls of take */
	int verdict;               /* if not 0, what take returns without a look at the queue */
	uint64_t not_before;       /* what goes with -EAGAIN */
	int64_t not_before_step;   /* ... and what is added to it for the next time */
	unsigned taken_from[SIZE]; /* the queues that requests were taken from, in order */
	unsigned taken;
	unsigned put_off_from;    /* if not 0, that call of take and those after it return -EAGAIN */
	bool wait;                /* take tells of its arrival and waits to be let go */
	bool quiet;               /* the driver was asked not to notify while a request was served */
	void (*when_empty)(void); /* called once, when take found nothing */
	unsigned holds;           /* so many requests are held back, the others answered at once */
	unsigned held;            /* of these, that are now */
	struct {
		struct virtqueue *queue;
		uint16_t head;
	} pending[4];
	unsigned progresses, waits; /* calls of progress; of them, those that wait */
	sem_t arrived, go;
	uint8_t space[16];
	uint64_t written_offset, written_value;
	unsigned written_size;
} device;

static inline uint64_t device_features(void *dev)
{
	(void)dev;
	return DEVICE_BITS;
}

static inline void device_negotiated(void *dev, uint64_t features)
{
	(void)dev;
	device.negotiated = features;
}

static inline uint64_t device_config_read(void *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	return offset + size <= sizeof(device.space) ? load_le(device.space + offset, size) : 0;
}

static inline void device_config_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	(void)dev;
	device.written_offset = offset;
	device.written_size = size;
	device.written_value = value;
}

static inline void device_reset(void *dev)
{
	(void)dev;
	device.resets++;
}

static inline int device_take(void *dev, unsigned index, struct virtqueue *queue,
	const struct guest_memory *mem, uint64_t *ret_not_before)
{
	struct virtqueue_chain chain;
	int r;

	(void)dev;
	device.served++;
	if (device.wait) {
		sem_post(&device.arrived);
		sem_wait(&device.go);
	}
	if (device.put_off_from && device.served >= device.put_off_from) {
		*ret_not_before = device.not_before;
		device.not_before += (uint64_t)device.not_before_step;
		return -EAGAIN;
	}
	if (device.verdict)
		return device.verdict;
	if (device.holds && device.held == device.holds)
		return -EBUSY;
	r = virtqueue_pop(queue, mem, &chain);
	device.quiet = queue->used->flags & VRING_USED_F_NO_NOTIFY;
	if (r > 0 && device.taken < SIZE)
		device.taken_from[device.taken++] = index;
	if (r > 0 && device.holds) {
		device.pending[device.held].queue = queue;
		device.pending[device.held++].head = chain.head;
	} else if (r > 0) {
		virtqueue_push(queue, chain.head, chain.head);
	}
	if (r == 0 && device.when_empty) {
		device.when_empty();
		device.when_empty = NULL;
	}
	return r;
}

/* Answers what is held back, where somebody waits for it or `let_go` says so. */
static bool let_go;

static inline bool device_progress(void *dev, bool wait)
{
	unsigned i, count = wait || let_go ? device.held : 0;

	(void)dev;
	device.progresses++;
	device.waits += wait;
	for (i = 0; i < count; i++) {
		ck_assert(virtqueue_started(device.pending[i].queue));
		virtqueue_push(device.pending[i].queue, device.pending[i].head, 1);
	}
	device.held -= count;
	return count;
}

static const struct virtio_device_ops device_ops = {
	.device_id = 42,
	.features = device_features,
	.negotiated = device_negotiated,
	.config_read = device_config_read,
	.config_write = device_config_write,
	.reset = device_reset,
	.take = device_take,
	.progress = device_progress,
	.queue_size_max = SIZE,
};

static struct guest_ring ring;
static struct doorbell bell;

/* What a transport of its own is made of, anew. */
static inline struct virtio_transport_config device_set_up(void)
{
	memset(&device, 0, sizeof(device));
	let_go = false;
	sem_init(&device.arrived, 0, 0);
	sem_init(&device.go, 0, 0);
	ring_init(&ring, SIZE);
	ck_assert_int_eq(doorbell_init(&bell), 0);
	return (struct virtio_transport_config){
		.mem = &ring.mem,
		.ops = &device_ops,
		.doorbell = &bell,
		.queue_count = 2,
	};
}

static inline void device_tear_down(void)
{
	doorbell_fini(&bell);
	ring_fini(&ring);
}

static inline bool rung(void)
{
	struct pollfd fd = {.fd = bell.fd, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static inline void offer(uint16_t head)
{
	ring_desc(&ring, RING_DESC, head, RING_DATA, 1, 0, 0);
	ring_offer(&ring, head);
}
