/*
 * A split virtqueue, driver side, one request at a time (virtio 1.2, 2.7).
 *
 *   descriptors [size]   what the buffers are          driver writes
 *   available ring       chains offered, used_event    driver writes
 *   (padding to a page: the legacy layout needs it, and it does the modern one no harm)
 *   used ring            chains done, avail_event      device writes
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTQUEUE_SIZE_MAX 128
#define VIRTQUEUE_ALIGN    4096

struct virtqueue_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct virtqueue_buffer {
	void *data;
	uint32_t len;
	bool device_writes;
};

struct virtqueue {
	uint16_t size;
	uint16_t next_desc;
	uint16_t avail_index;
	uint16_t used_seen;
	bool event_index;
	/* Descriptors and available ring on the first page, used ring on the second. */
	uint8_t *memory;
	/* For indirect chains; NULL when the device does not take them. */
	struct virtqueue_desc *indirect;
};

/* size: a power of two, at most VIRTQUEUE_SIZE_MAX; memory: two pages of zeroes, page-aligned. */
void virtqueue_init(struct virtqueue *q, uint16_t size, uint8_t *memory);

uint64_t virtqueue_avail_address(const struct virtqueue *q);
uint64_t virtqueue_used_address(const struct virtqueue *q);

/* Offers a chain of count buffers; whether the device wants to be notified of it. */
bool virtqueue_offer(struct virtqueue *q, const struct virtqueue_buffer *buffers, unsigned count);

/* Whether the device has finished the chain. */
bool virtqueue_is_done(const struct virtqueue *q);

/* Takes the finished chain back; false when the device names a chain that we did not offer. */
bool virtqueue_take(struct virtqueue *q, uint32_t *ret_written);
