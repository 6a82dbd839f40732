/*
 * The virtio block device (virtio 1.2, 5.2), in front of a block backend: one queue, requests
 * served in order and straight between guest memory and the backend.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <linux/virtio_blk.h>

#include "virtio/virtio_device.h"

struct block_backend;

/* Requests the driver made and bytes that were moved since the start; any thread may read them. */
struct virtio_blk_stats {
	_Atomic uint64_t reads;
	_Atomic uint64_t writes;
	_Atomic uint64_t flushes;
	_Atomic uint64_t discards; /* and write-zeroes */
	_Atomic uint64_t others;   /* the id, and what is not supported */
	_Atomic uint64_t errors;   /* those of all the above that were not answered with OK */
	_Atomic uint64_t bytes_read;
	_Atomic uint64_t bytes_written;
};

struct virtio_blk {
	struct block_backend *block;    /* the caller's, and open for as long as the device lives */
	struct virtio_blk_config space; /* the configuration space, constant */
	char serial[VIRTIO_BLK_ID_BYTES];
	uint64_t negotiated; /* feature bits */
	struct virtio_blk_stats stats;
};

extern const struct virtio_device_ops virtio_blk_ops; /* dev: a struct virtio_blk */

/* -EINVAL: the serial has more than VIRTIO_BLK_ID_BYTES bytes; "" is none. There is no fini. */
int virtio_blk_init(struct virtio_blk *blk, struct block_backend *block, const char *serial);
