/* The virtio-mmio transport (virtio 1.2, 4.2), and its legacy form (4.2.4), QEMU's default. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_ID_BLOCK        2
#define VIRTIO_F_INDIRECT_DESC (1ul << 28)
#define VIRTIO_F_EVENT_IDX     (1ul << 29)
#define VIRTIO_F_VERSION_1     (1ul << 32)

struct hw_device;
struct virtqueue;

struct virtio_device {
	const struct hw_device *hw;
	uint64_t base;
	uint32_t version; /* 1: legacy */
	uint32_t id;      /* 0: an empty slot */
	uint64_t features;
	bool has_irq;
	volatile bool needs_reset;
	volatile uint64_t interrupts;
};

/* false: no virtio-mmio device there, or of a version we do not know. */
bool virtio_probe(struct virtio_device *device, const struct hw_device *place);

/* Reset, ACKNOWLEDGE, DRIVER, features, interrupt; wanted: the features to take if offered. */
bool virtio_start(struct virtio_device *device, uint64_t wanted);

/* Queue 0 into the device, which is of at most size entries, then DRIVER_OK. memory: two pages. */
bool virtio_start_queue(struct virtio_device *device, struct virtqueue *q, uint8_t *memory);

void virtio_notify(const struct virtio_device *device);

/* Stops the device: it touches our memory no more. */
void virtio_reset(const struct virtio_device *device);

/* Configuration space: len bytes at offset, all of one generation (2.5.3). len: a multiple of 4. */
void virtio_read_config(const struct virtio_device *device, unsigned offset, void *buf, unsigned len);
