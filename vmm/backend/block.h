/*
 * The host side of a disk. One thread at a time (the I/O thread) calls it; calls block until they
 * are done. Offsets and lengths are bytes, multiples of logical_size; the caller keeps them inside
 * `size`. All functions return 0 or -errno; -EOPNOTSUPP means that the host cannot do this at all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct block_backend;

struct block_ops {
	/* The whole length or an error: an end of file in the middle is -EIO. No vector is changed. */
	int (*readv)(struct block_backend *block, const struct iovec *iov, int count, uint64_t offset);
	int (*writev)(struct block_backend *block, const struct iovec *iov, int count, uint64_t offset);
	/* What was written is on stable storage. */
	int (*flush)(struct block_backend *block);
	/* With can_discard: gives the space back; the bytes read as zeroes afterwards. */
	int (*discard)(struct block_backend *block, uint64_t offset, uint64_t len);
	/* With can_write_zeroes: the bytes read as zeroes; with unmap their space may be given back. */
	int (*write_zeroes)(struct block_backend *block, uint64_t offset, uint64_t len, bool unmap);
	void (*close)(struct block_backend *block); /* releases and frees it */
};

/* Embedded as the first thing in each kind of backend; constant once it is open. */
struct block_backend {
	const struct block_ops *ops;
	uint64_t size;          /* bytes, a multiple of 512 and of logical_size */
	uint32_t logical_size;  /* bytes: the smallest unit that can be read or written, 512 or more */
	uint32_t physical_size; /* bytes: the unit that is written without a read before it */
	bool read_only;
	bool can_discard;      /* never with read_only */
	bool can_write_zeroes; /* never with read_only */
};
