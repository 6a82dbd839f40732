/*
 * The virtio block device (virtio 1.2, 5.2), in front of a block backend: up to a queue a CPU, requests under way side
 * by side, and straight between guest memory and the backend.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <linux/virtio_blk.h>

#include "util/counter.h"
#include "util/histogram.h"
#include "util/token_bucket.h"
#include "virtio/virtio_device.h"

struct blk_request;
struct block_backend;

/* Requests the driver made and bytes that were moved since the start; any thread may read them. */
struct virtio_blk_stats {
	counter_t reads;
	counter_t writes;
	counter_t flushes;
	counter_t discards; /* and write-zeroes */
	counter_t others;   /* the id, and what is not supported */
	counter_t errors;   /* those of all the above that were not answered with OK */
	counter_t bytes_read;
	counter_t bytes_written;
	struct histogram latency; /* ns from the pop to the completion; the wait for the rate is not in it */
	/*
	 * ns that a request waited for the rate. While one waits, the time since which it does is taken off,
	 * which makes it negative: so it is one word, and a reader sees the wait grow.
	 */
	_Atomic int64_t throttled;
};

struct virtio_blk {
	struct block_backend *block;    /* the caller's, and open for as long as the device lives */
	struct virtio_blk_config space; /* the configuration space, constant */
	char serial[VIRTIO_BLK_ID_BYTES];
	uint64_t negotiated; /* feature bits */
	struct virtio_blk_stats stats;

	/* BLOCK_REQUESTS_MAX of them, of which those that were ever in use are in memory. */
	struct blk_request *requests;
	struct blk_request *free;
	unsigned fresh;           /* from this index on they were never in use */
	counter_t under_way;      /* given to the backend; any thread may read it */
	uint64_t bytes_under_way; /* of those, what the host may have to move */
	uint64_t waiting;         /* a bit a queue: its next request waits for the rate */

	/* The rate as it was set last, by any thread, and the buckets that follow it when a request comes. */
	_Atomic uint64_t bytes_per_s;
	_Atomic uint64_t requests_per_s;
	struct token_bucket byte_bucket;
	struct token_bucket request_bucket;
};

extern const struct virtio_device_ops virtio_blk_ops; /* dev: a struct virtio_blk */

/* queues: 1 to VIRTIO_QUEUES_MAX. -EINVAL: the serial has more than VIRTIO_BLK_ID_BYTES bytes; "" is none. -ENOMEM. */
int virtio_blk_init(struct virtio_blk *blk, struct block_backend *block, const char *serial, unsigned queues);
void virtio_blk_fini(struct virtio_blk *blk); /* with nothing under way; zeroed ones too */

/*
 * Limits reads, writes, discards and write-zeroes, and the bytes that they write or read, a second; 0: no limit.
 * Any thread; ring the doorbell afterwards, so that a request that waits is looked at again.
 */
void virtio_blk_set_rate(struct virtio_blk *blk, uint64_t bytes_per_s, uint64_t requests_per_s);

/* ns for which requests have waited for the rate until now. Any thread. */
uint64_t virtio_blk_throttled_ns(const struct virtio_blk *blk);

/* What a device has counted, kept for the one that takes its place, whose requests have not begun. */
void virtio_blk_keep(const struct virtio_blk *blk, struct virtio_blk_stats *ret_stats);
void virtio_blk_continue(struct virtio_blk *blk, const struct virtio_blk_stats *stats);
