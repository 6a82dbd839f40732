/* The driver's side of a split virtqueue, for tests: guest memory and the words a guest would write there. */
#pragma once

#include <check.h>
#include <linux/virtio_ring.h>
#include <stdint.h>

#include "memory/guest_memory.h"
#include "util/bytes.h"
#include "virtio/virtqueue.h"

/* Two regions that touch, and a hole behind them. */
#define LOW_SIZE  MIB(1)
#define HIGH_BASE LOW_SIZE
#define HIGH_SIZE KIB(64)
#define HOLE      (HIGH_BASE + HIGH_SIZE)

#define RING_DESC  0x1000u
#define RING_AVAIL 0x3000u
#define RING_USED  0x4000u
#define RING_TABLE 0x6000u  /* for indirect descriptors */
#define RING_DATA  0x10000u /* for buffers */

/* ThreadSanitizer is right to report a guest that races on purpose: such tests are left out. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN false
#endif

struct guest_ring {
	struct guest_memory mem;
	struct virtqueue_config config;
	uint16_t avail_idx;
};

static inline void ring_init(struct guest_ring *ring, uint16_t size)
{
	*ring = (struct guest_ring){.config = {
					    .desc = RING_DESC,
					    .avail = RING_AVAIL,
					    .used = RING_USED,
					    .size = size,
				    }};
	ck_assert_int_eq(guest_memory_add(&ring->mem, 0, LOW_SIZE), 0);
	ck_assert_int_eq(guest_memory_add(&ring->mem, HIGH_BASE, HIGH_SIZE), 0);
}

static inline void ring_fini(struct guest_ring *ring)
{
	guest_memory_fini(&ring->mem);
}

static inline void *ring_at(const struct guest_ring *ring, gpa_t gpa)
{
	void *at = guest_memory_at(&ring->mem, gpa, 1);

	ck_assert_ptr_nonnull(at);
	return at;
}

static inline struct vring_avail *ring_avail(const struct guest_ring *ring)
{
	return ring_at(ring, RING_AVAIL);
}

static inline struct vring_used *ring_used(const struct guest_ring *ring)
{
	return ring_at(ring, RING_USED);
}

/* Writes descriptor `index` of the table at gpa. */
static inline void ring_desc(const struct guest_ring *ring, gpa_t table, unsigned index, uint64_t addr,
	uint32_t len, uint16_t flags, uint16_t next)
{
	struct vring_desc desc = {.addr = addr, .len = len, .flags = flags, .next = next};

	ck_assert_int_eq(guest_memory_write(&ring->mem, table + 16 * index, &desc, sizeof(desc)), 0);
}

/* Makes the chain at `head` available. */
static inline void ring_offer(struct guest_ring *ring, uint16_t head)
{
	struct vring_avail *avail = ring_avail(ring);

	avail->ring[ring->avail_idx % ring->config.size] = head;
	__atomic_store_n(&avail->idx, ++ring->avail_idx, __ATOMIC_SEQ_CST);
}

/* The two event indices (virtio 1.2, 2.7.6 and 2.7.8). */
static inline uint16_t *ring_used_event(const struct guest_ring *ring)
{
	return &ring_avail(ring)->ring[ring->config.size];
}

static inline uint16_t *ring_avail_event(const struct guest_ring *ring)
{
	return (uint16_t *)&ring_used(ring)->ring[ring->config.size];
}
