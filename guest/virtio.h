/*
 * A virtio device (virtio 1.2), whatever the transport. Each transport has the same registers, at places and of
 * widths of its own: here they go by the names and numbers that they have on virtio-mmio (firmware/virtio_regs.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_ID_BLOCK        2
#define VIRTIO_F_INDIRECT_DESC (1ul << 28)
#define VIRTIO_F_EVENT_IDX     (1ul << 29)
#define VIRTIO_F_VERSION_1     (1ul << 32)

struct hw_device;
struct virtio_device;
struct virtqueue;

struct virtio_transport {
	/* Fills in what is below; false: there is no device there, or none that we know how to drive. */
	bool (*probe)(struct virtio_device *device);

	/* A register that the transport does not have reads 0, and takes no write. */
	uint32_t (*read)(const struct virtio_device *device, unsigned reg);
	void (*write)(const struct virtio_device *device, unsigned reg, uint32_t value);

	/* After each reset: the interrupts of queue 0, and of a device that needs a reset, find their way. */
	bool (*route)(struct virtio_device *device);
};

struct virtio_device {
	const struct hw_device *hw;
	const struct virtio_transport *transport;
	uint64_t base; /* virtio-mmio: of all registers; PCI: of the common configuration (4.1.4.3) */

	/* PCI only; 0: there is none. */
	uint64_t doorbell; /* of queue 0 */
	uint64_t config;
	uint64_t config_size;
	uint64_t msix_table;

	uint32_t version; /* 1: legacy */
	uint32_t id;      /* 0: an empty slot */
	uint64_t features;
	bool has_irq;
	volatile bool needs_reset;
	volatile uint64_t interrupts;
};

/* false: no virtio device there, or of a version we do not know. */
bool virtio_probe(struct virtio_device *device, const struct hw_device *place);

uint32_t virtio_read(const struct virtio_device *device, unsigned reg);
void virtio_write(const struct virtio_device *device, unsigned reg, uint32_t value);
void virtio_write64(const struct virtio_device *device, unsigned reg, uint64_t value);

/* Reset, ACKNOWLEDGE, DRIVER, features, interrupt; wanted: the features to take if offered. */
bool virtio_start(struct virtio_device *device, uint64_t wanted);

/* Queue 0 into the device, which is of at most size entries, then DRIVER_OK. memory: two pages. */
bool virtio_start_queue(struct virtio_device *device, struct virtqueue *q, uint8_t *memory);

void virtio_notify(const struct virtio_device *device);

/* Stops the device: it touches our memory no more. */
void virtio_reset(const struct virtio_device *device);

/* Configuration space: len bytes at offset, all of one generation (2.5.3). Fields of 32 bits, or two times that. */
void virtio_read_config(const struct virtio_device *device, unsigned offset, void *buf, unsigned len);
