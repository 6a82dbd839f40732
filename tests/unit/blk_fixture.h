/* A block device behind a queue of eight, in front of the mock backend, for test_virtio_blk*.c. */
#pragma once

#include <check.h>
#include <linux/virtio_blk.h>
#include <string.h>

#include "guest_ring.h"
#include "mock_block.h"
#include "virtio/virtio_blk.h"

#define N      VRING_DESC_F_NEXT
#define W      VRING_DESC_F_WRITE
#define SIZE   8
#define BIT(b) (UINT64_C(1) << (b))

#define HEADER RING_DATA
#define DATA   (RING_DATA + 0x1000)
#define STATUS (RING_DATA + 0xf000)

enum { UNTOUCHED = 0xee };

static struct guest_ring ring;
static struct virtqueue queue;
static struct virtio_blk blk;
static uint64_t not_before; /* what take() said last */

static inline uint64_t features(void)
{
	return virtio_blk_ops.features(&blk);
}

static inline void set_up(void)
{
	memset(&disk, 0, sizeof(disk));
	disk.block = (struct block_backend){
		.ops = &disk_ops,
		.size = sizeof(disk.bytes),
		.logical_size = 512,
		.physical_size = 4096,
		.can_discard = true,
		.can_write_zeroes = true,
	};
	for (unsigned i = 0; i < sizeof(disk.bytes); i++)
		disk.bytes[i] = (uint8_t)(i / 512 + 1);
	ring_init(&ring, SIZE);
	ck_assert_int_eq(virtqueue_start(&queue, &ring.mem, &ring.config, BIT(28), SIZE), 0);
	ck_assert_int_eq(virtio_blk_init(&blk, &disk.block, "serial-42", 1), 0);
	virtio_blk_ops.negotiated(&blk, features());
}

static inline void tear_down(void)
{
	virtio_blk_ops.progress(&blk, true);
	virtio_blk_fini(&blk);
	ring_fini(&ring);
}

static inline uint8_t *data(void)
{
	return ring_at(&ring, DATA);
}

static inline void put_header(uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr header = {.type = type, .sector = sector};

	memcpy(ring_at(&ring, HEADER), &header, sizeof(header));
	*(uint8_t *)ring_at(&ring, STATUS) = UNTOUCHED;
}

static inline int take(void)
{
	return virtio_blk_ops.take(&blk, 0, &queue, &ring.mem, &not_before);
}

static inline int serve(void)
{
	int r = take();

	virtio_blk_ops.progress(&blk, false);
	return r;
}

static inline uint32_t used_len(void)
{
	return ring_used(&ring)->ring[(ring_used(&ring)->idx - 1) % SIZE].len;
}

static inline uint8_t answer(void)
{
	return *(uint8_t *)ring_at(&ring, STATUS);
}

/* The usual three segments. flags: W where the device writes the data. */
static inline void offer_request(uint32_t type, uint64_t sector, uint32_t len, uint16_t flags)
{
	put_header(type, sector);
	ring_desc(&ring, RING_DESC, 0, HEADER, 16, N, 1);
	ring_desc(&ring, RING_DESC, 1, DATA, len, N | flags, 2);
	ring_desc(&ring, RING_DESC, 2, STATUS, 1, W, 0);
	ring_offer(&ring, 0);
}

/* ... served, and the status that it ends with. */
static inline uint8_t request(uint32_t type, uint64_t sector, uint32_t len, uint16_t flags)
{
	offer_request(type, sector, len, flags);
	ck_assert_int_eq(serve(), 1);
	return answer();
}
