/*
 * The host side of a disk. Requests go in by submit(), the host begins with them at kick() at the latest, and they
 * come back by reap(), in any order. One thread at a time calls it, whichever that is. Offsets and lengths are bytes,
 * multiples of logical_size; the caller keeps them inside `size`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* How many requests may be under way at once, from submit() to reap(). */
#define BLOCK_REQUESTS_MAX 128

#define BLOCK_MEMORY_MAX 4

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,        /* what was answered before is on stable storage */
	BLOCK_DISCARD,      /* with can_discard: gives the space back; the bytes read as zeroes afterwards */
	BLOCK_WRITE_ZEROES, /* with can_write_zeroes: the bytes read as zeroes */
};

/* The caller's, who leaves it and what it points to where they are until reap() gives it back. */
struct block_request {
	enum block_op op;
	bool unmap; /* BLOCK_WRITE_ZEROES: the space may be given back */
	const struct iovec
		*iov; /* BLOCK_READ, BLOCK_WRITE: `len` bytes, in up to IOV_MAX segments; never changed */
	unsigned count;
	uint64_t offset;
	uint64_t len; /* not of BLOCK_FLUSH */
	/*
	 * When it is done: 0 for the whole length, or -errno. An end of file in the middle is -EIO; -EOPNOTSUPP means
	 * that the host cannot do this at all.
	 */
	int result;
	struct block_request *next; /* the backend's */
};

/* Bytes that the host may have to move for it. */
static inline uint64_t block_request_moves(const struct block_request *request)
{
	return request->op == BLOCK_FLUSH || request->op == BLOCK_DISCARD ? 0 : request->len;
}

struct block_backend;

struct block_ops {
	void (*submit)(struct block_backend *block, struct block_request *request);
	void (*kick)(struct block_backend *block);
	/* The next request that is done; NULL: none is. With `wait`, which kicks too: NULL only when none is under way. */
	struct block_request *(*reap)(struct block_backend *block, bool wait);
	/*
	 * NULL where it makes no difference. Names memory that requests will point into, up to BLOCK_MEMORY_MAX pieces of it,
	 * for the host to look up once in place of each time; it is held in memory until other memory, or none, is named.
	 * With nothing under way. 0 or -errno, and then none is.
	 */
	int (*use_memory)(struct block_backend *block, const struct iovec *iov, unsigned count);
	void (*close)(struct block_backend *block); /* releases and frees it; nothing is under way */
};

/* Embedded as the first thing in each kind of backend; constant once it is open, but for engine. */
struct block_backend {
	const struct block_ops *ops;
	const char *engine; /* how requests are carried out: "io_uring", "threads", ... */
	int event_fd;       /* readable while reap() has something that kick() has not told of; -1: never */
	uint64_t size;      /* bytes, a multiple of 512 and of logical_size */
	uint32_t logical_size;  /* bytes: the smallest unit that can be read or written, 512 or more */
	uint32_t physical_size; /* bytes: the unit that is written without a read before it */
	bool read_only;
	bool can_discard;      /* never with read_only */
	bool can_write_zeroes; /* never with read_only */
};
