#include "backend/block_file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/bytes.h"

#define BOUNCE_SIZE  KIB(256)
#define ZEROES_PAGES 64
#define TRIES_MAX    1000

void block_list_add(struct block_list *list, struct block_request *request)
{
	request->next = NULL;
	if (list->first)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
}

struct block_request *block_list_take(struct block_list *list)
{
	struct block_request *request = list->first;

	if (request)
		list->first = request->next;
	return request;
}

/* A host that says nothing but "again", such as a file system in user space, is not asked for ever. */
static bool try_again(unsigned *tries)
{
	return (errno == EINTR || errno == EAGAIN) && (*tries)++ < TRIES_MAX;
}

static ssize_t transfer_some(int fd, bool write, const struct iovec *iov, unsigned count, uint64_t offset)
{
	int some = (int)MIN(count, (unsigned)IOV_MAX);

	return write ? pwritev(fd, iov, some, (off_t)offset) : preadv(fd, iov, some, (off_t)offset);
}

/* The host may move less than it was asked to, 2 GiB at most: goes on where it stopped, after `done` bytes. */
static int transfer(
	int fd, bool write, const struct iovec *iov, unsigned count, uint64_t offset, uint64_t done)
{
	unsigned tries = 0;

	offset += done;
	for (;;) {
		ssize_t moved;

		for (; count > 0 && done >= iov->iov_len; count--, iov++)
			done -= iov->iov_len;
		if (count == 0)
			return 0;
		if (done > 0) {
			struct iovec rest = {(uint8_t *)iov->iov_base + done, iov->iov_len - done};

			moved = transfer_some(fd, write, &rest, 1, offset);
		} else {
			moved = transfer_some(fd, write, iov, count, offset);
		}
		if (moved < 0 && try_again(&tries))
			continue;
		if (moved < 0)
			return -errno;
		if (moved == 0)
			return -EIO; /* the file became shorter than the disk */
		tries = 0;
		offset += (uint64_t)moved;
		done += (uint64_t)moved;
	}
}

/* Direct I/O takes no other segments (open(2), O_DIRECT). */
bool block_file_needs_bounce(const struct block_file *file, const struct block_request *request)
{
	if (!file->memory_align)
		return false;
	for (unsigned i = 0; i < request->count; i++)
		if ((uintptr_t)request->iov[i].iov_base % file->memory_align ||
			request->iov[i].iov_len % file->block.logical_size)
			return true;
	return false;
}

/* Copies len bytes between the bounce buffer and the segments, from `skip` bytes into iov[0] on. */
static void copy_segments(uint8_t *bounce, bool write, const struct iovec **iov, size_t *skip, size_t len)
{
	while (len > 0) {
		size_t part = MIN(len, (*iov)->iov_len - *skip);
		uint8_t *at = (uint8_t *)(*iov)->iov_base + *skip;

		memcpy(write ? bounce : at, write ? at : bounce, part);
		bounce += part;
		len -= part;
		*skip += part;
		if (*skip == (*iov)->iov_len) {
			(*iov)++;
			*skip = 0;
		}
	}
}

static int transfer_bounced(struct block_file *file, const struct block_request *request)
{
	bool write = request->op == BLOCK_WRITE;
	const struct iovec *iov = request->iov;
	uint64_t offset = request->offset, left = request->len;
	size_t skip = 0;
	int r = 0;

	pthread_mutex_lock(&file->bounce_lock);
	while (r == 0 && left > 0) {
		size_t part = MIN(left, BOUNCE_SIZE);
		struct iovec piece = {file->bounce, part};

		if (write)
			copy_segments(file->bounce, write, &iov, &skip, part);
		r = transfer(file->fd, write, &piece, 1, offset, 0);
		if (r == 0 && !write)
			copy_segments(file->bounce, write, &iov, &skip, part);
		offset += part;
		left -= part;
	}
	pthread_mutex_unlock(&file->bounce_lock);
	return r;
}

int block_file_finish(struct block_file *file, const struct block_request *request, uint64_t done)
{
	return transfer(
		file->fd, request->op == BLOCK_WRITE, request->iov, request->count, request->offset, done);
}

/*
 * The host tells of a write that was lost only once: it drops the data, and the next fsync() finds nothing to complain
 * about. So who has seen one flush fail is never told again that all is safe.
 */
int block_file_flushed(struct block_file *file, int r)
{
	if (r < 0)
		atomic_store(&file->flush_failed, true);
	return atomic_load(&file->flush_failed) ? -EIO : 0;
}

static int file_flush(struct block_file *file)
{
	unsigned tries = 0;
	int r;

	if (file->block.read_only)
		return 0;
	do
		r = fdatasync(file->fd);
	while (r < 0 && try_again(&tries));
	return block_file_flushed(file, r);
}

static int file_fallocate(const struct block_file *file, int mode, uint64_t offset, uint64_t len)
{
	unsigned tries = 0;
	int r;

	do
		r = fallocate(file->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len);
	while (r < 0 && try_again(&tries));
	return r < 0 ? -errno : 0;
}

/* What works everywhere. One page stands for all the zeroes, so that this needs no buffer. */
static int write_zero_pages(const struct block_file *file, uint64_t offset, uint64_t len)
{
	static const _Alignas(BLOCK_FILE_ALIGN_MAX) uint8_t page[BLOCK_FILE_ALIGN_MAX];

	while (len > 0) {
		struct iovec iov[ZEROES_PAGES];
		uint64_t part = 0;
		unsigned count;
		int r;

		for (count = 0; count < ZEROES_PAGES && part < len; count++) {
			/* The cast drops const: writing reads from it. */
			iov[count].iov_base = (void *)(uintptr_t)page;
			iov[count].iov_len = MIN(sizeof(page), len - part);
			part += iov[count].iov_len;
		}
		r = transfer(file->fd, true, iov, count, offset, 0);
		if (r < 0)
			return r;
		offset += part;
		len -= part;
	}
	return 0;
}

static int file_write_zeroes(struct block_file *file, const struct block_request *request)
{
	uint64_t offset = request->offset, len = request->len;
	int r = -EOPNOTSUPP;

	if (request->unmap && file->block.can_discard)
		r = file_fallocate(file, FALLOC_FL_PUNCH_HOLE, offset, len);
	if (r == -EOPNOTSUPP && !atomic_load(&file->no_zero_range))
		r = file_fallocate(file, FALLOC_FL_ZERO_RANGE, offset, len);
	if (r != -EOPNOTSUPP)
		return r;
	atomic_store(&file->no_zero_range, true);
	return write_zero_pages(file, offset, len);
}

int block_file_execute(struct block_file *file, const struct block_request *request)
{
	switch (request->op) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		if (block_file_needs_bounce(file, request))
			return transfer_bounced(file, request);
		return block_file_finish(file, request, 0);
	case BLOCK_FLUSH:
		return file_flush(file);
	case BLOCK_DISCARD:
		return file_fallocate(file, FALLOC_FL_PUNCH_HOLE, request->offset, request->len);
	case BLOCK_WRITE_ZEROES:
		return file_write_zeroes(file, request);
	}
	return -EOPNOTSUPP;
}

int block_file_set_direct(struct block_file *file, uint32_t memory_align)
{
	void *bounce;

	if (posix_memalign(&bounce, BLOCK_FILE_ALIGN_MAX, BOUNCE_SIZE))
		return -ENOMEM;
	file->bounce = bounce;
	file->memory_align = memory_align;
	return 0;
}

void block_file_free(struct block_file *file)
{
	close(file->fd); /* and with it goes the lock */
	free(file->bounce);
	pthread_mutex_destroy(&file->bounce_lock);
	free(file);
}

/* The engine of disks in memory: to copy takes no longer than to hand the request to somebody else. */

static void memory_submit(struct block_backend *block, struct block_request *request)
{
	struct block_file *file = block_file_of(block);

	request->result = block_file_execute(file, request);
	block_list_add(&file->done, request);
}

static void memory_kick(struct block_backend *block)
{
	(void)block;
}

static struct block_request *memory_reap(struct block_backend *block, bool wait)
{
	(void)wait;
	return block_list_take(&block_file_of(block)->done);
}

static void memory_close(struct block_backend *block)
{
	block_file_free(block_file_of(block));
}

static const struct block_ops memory_ops = {
	.submit = memory_submit,
	.kick = memory_kick,
	.reap = memory_reap,
	.close = memory_close,
};

void block_memory_start(struct block_file *file)
{
	file->block.ops = &memory_ops;
	file->block.engine = "memory";
	file->block.event_fd = -1;
}
