/* Private to block_*.c: the open file behind a disk, and the engines that carry its requests out. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/block.h"
#include "backend/block_file.h"

/* The largest block that direct I/O may ask for; the page of zeroes and the bounce buffer are made for it. */
#define BLOCK_FILE_ALIGN_MAX 4096u

/* Requests, first in, first out. Zeroed, it is empty. */
struct block_list {
	struct block_request *first, *last;
};

void block_list_add(struct block_list *list, struct block_request *request);
struct block_request *block_list_take(struct block_list *list); /* NULL: it is empty */

struct block_uring;
struct block_threads;

struct block_file {
	struct block_backend block;
	int fd;
	uint32_t memory_align; /* direct I/O: what the address of a segment must be a multiple of; else 0 */
	pthread_mutex_t bounce_lock; /* guards the bytes of the next; nothing is taken below it */
	uint8_t *bounce;             /* direct I/O: for segments that are not aligned */
	atomic_bool no_zero_range;   /* the host said that it cannot zero a range without a write */
	atomic_bool flush_failed;    /* once, and all that follow do */

	/* What the engine needs; that of the others is NULL. */
	struct block_list done; /* "memory": carried out, and not yet reaped */
	struct block_uring *uring;
	struct block_threads *threads;
};

static inline struct block_file *block_file_of(struct block_backend *block)
{
	return (struct block_file *)block; /* it is the first thing in there */
}

/* Allocates what direct I/O needs; 0 or -ENOMEM. */
int block_file_set_direct(struct block_file *file, uint32_t memory_align);

/* Frees all of it but the engine. */
void block_file_free(struct block_file *file);

/* Carries a request out here and now: 0 or -errno. Any threads, several at once. */
int block_file_execute(struct block_file *file, const struct block_request *request);

/* ... from the byte `done` of a read or a write on, the others having been moved already. */
int block_file_finish(struct block_file *file, const struct block_request *request, uint64_t done);

/* What to answer to a flush that the host answered with r. Any threads. */
int block_file_flushed(struct block_file *file, int r);

/* Whether a read or a write must go through the bounce buffer. */
bool block_file_needs_bounce(const struct block_file *file, const struct block_request *request);

/* The engines: each sets ops, engine and event_fd. 0 or -errno, and then the file is as it was. */
void block_memory_start(struct block_file *file);
int block_uring_start(struct block_file *file); /* an error: this host has, or allows, none */
int block_threads_start(struct block_file *file, const struct block_file_config *config);
