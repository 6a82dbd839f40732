/* Disks in raw files, on host block devices and in memory. No format is ever probed: bytes are bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct block_backend;
struct error;

/* Who carries the requests out. */
enum block_aio {
	BLOCK_AIO_AUTO, /* io_uring, or threads where the host has none or forbids it */
	BLOCK_AIO_URING,
	BLOCK_AIO_THREADS,
};

struct block_file_config {
	const char *path; /* a regular file or a block device */
	bool read_only;
	bool direct; /* around the host's page cache (O_DIRECT) */
	enum block_aio aio;
	void (*thread_begins)(
		void *ctx); /* first thing on each thread that the engine starts; NULL: nobody is told */
	void *ctx;
};

/*
 * Opens a disk and locks it against other guests, in this process or another: one that may write,
 * or any number that only read. An error is of kind ERROR_IMAGE and says what to do; -errno says
 * what it was: -EBUSY in use, -EINVAL not usable as a disk, or what open() said. ERROR_HOST: there is
 * no io_uring, and nothing else was asked for. Closed by ops->close().
 */
int block_file_open(
	const struct block_file_config *config, struct block_backend **ret_block, struct error *error);

/*
 * A demo disk of `size` bytes, a multiple of 512, in memory that is gone when it is closed. Its
 * first sector holds the text "lodge demo disk\n", the rest zeroes.
 */
int block_memory_open(uint64_t size, struct block_backend **ret_block, struct error *error);
