/* The mock device behind virtio-mmio, and the driver's side of its registers, for tests. */
#pragma once

#include <check.h>
#include <linux/virtio_mmio.h>

#include "mock_device.h"
#include "virtio/virtio_mmio.h"

static struct virtio_mmio mmio;
static bool line;
static unsigned raises;
static bool overtaken; /* the next time the line is lowered, another thread raises it just before */

static inline void set_line(void *ctx, bool level)
{
	(void)ctx;
	if (overtaken && !level) {
		overtaken = false;
		atomic_fetch_or(&mmio.interrupt_status, VIRTIO_MMIO_INT_VRING);
	}
	__atomic_store_n(&line, level, __ATOMIC_SEQ_CST);
	raises += level;
}

static inline uint32_t get(uint64_t offset)
{
	return (uint32_t)virtio_mmio_bus_ops.read(&mmio, offset, 4);
}

static inline void put(uint64_t offset, uint32_t value)
{
	virtio_mmio_bus_ops.write(&mmio, offset, 4, value);
}

static inline void set_up(void)
{
	struct virtio_transport_config config = device_set_up();

	ck_assert_int_eq(virtio_mmio_init(&mmio, &config, (struct irq_line){.set = set_line}), 0);
	line = overtaken = false;
	raises = 0;
}

static inline void tear_down(void)
{
	virtio_mmio_fini(&mmio);
	device_tear_down();
}

static inline void accept_features(uint64_t features)
{
	for (uint32_t word = 0; word < 2; word++) {
		put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
		put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * word)));
	}
}

static inline void negotiate(uint64_t features)
{
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	put(VIRTIO_MMIO_STATUS, ACK_DRIVER);
	accept_features(features);
	put(VIRTIO_MMIO_STATUS, FEATURES_OK);
}

static inline void ready_queue(uint32_t index, const struct virtqueue_config *config)
{
	put(VIRTIO_MMIO_QUEUE_SEL, index);
	put(VIRTIO_MMIO_QUEUE_NUM, config->size);
	put(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)config->desc);
	put(VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(config->desc >> 32));
	put(VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)config->avail);
	put(VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)(config->avail >> 32));
	put(VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)config->used);
	put(VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(config->used >> 32));
	put(VIRTIO_MMIO_QUEUE_READY, 1);
}

/* A driver's whole start, with queue 1 in use; the doorbell's first ring is taken back. */
static inline void start_with(uint64_t features)
{
	negotiate(features);
	ready_queue(1, &ring.config);
	put(VIRTIO_MMIO_STATUS, DRIVER_OK);
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), DRIVER_OK);
	doorbell_clear(&bell);
}

static inline void start(void)
{
	start_with(VERSION_1);
}
