#include "backend/block_file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/bytes.h"

#define BOUNCE_SIZE  KIB(256)
#define ZEROES_PAGES 64

static struct block_file *to_file(struct block_backend *block)
{
	return (struct block_file *)block; /* it is the first thing in there */
}

static ssize_t transfer_some(int fd, bool write, const struct iovec *iov, int count, uint64_t offset)
{
	count = MIN(count, IOV_MAX);
	return write ? pwritev(fd, iov, count, (off_t)offset) : preadv(fd, iov, count, (off_t)offset);
}

/* The host may move less than it was asked to, 2 GiB at most: goes on where it stopped. */
static int transfer(int fd, bool write, const struct iovec *iov, int count, uint64_t offset)
{
	size_t done = 0; /* bytes of iov[0] that were moved already */

	for (;;) {
		ssize_t moved;

		while (count > 0 && done == iov->iov_len) {
			iov++;
			count--;
			done = 0;
		}
		if (count == 0)
			return 0;
		if (done > 0) {
			struct iovec rest = {(uint8_t *)iov->iov_base + done, iov->iov_len - done};

			moved = transfer_some(fd, write, &rest, 1, offset);
		} else {
			moved = transfer_some(fd, write, iov, count, offset);
		}
		if (moved < 0 && errno == EINTR)
			continue;
		if (moved < 0)
			return -errno;
		if (moved == 0)
			return -EIO; /* the file became shorter than the disk */
		offset += (uint64_t)moved;
		for (done += (size_t)moved; count > 0 && done >= iov->iov_len; count--, iov++)
			done -= iov->iov_len;
	}
}

/* Direct I/O takes no other segments (open(2), O_DIRECT). */
static bool segments_aligned(const struct block_file *file, const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++)
		if ((uintptr_t)iov[i].iov_base % file->memory_align ||
			iov[i].iov_len % file->block.logical_size)
			return false;
	return true;
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

static int transfer_bounced(
	struct block_file *file, bool write, const struct iovec *iov, int count, uint64_t offset)
{
	uint64_t left = 0;
	size_t skip = 0;

	for (int i = 0; i < count; i++)
		left += iov[i].iov_len;
	while (left > 0) {
		size_t part = MIN(left, BOUNCE_SIZE);
		struct iovec piece = {file->bounce, part};
		int r;

		if (write)
			copy_segments(file->bounce, write, &iov, &skip, part);
		r = transfer(file->fd, write, &piece, 1, offset);
		if (r < 0)
			return r;
		if (!write)
			copy_segments(file->bounce, write, &iov, &skip, part);
		offset += part;
		left -= part;
	}
	return 0;
}

static int file_transfer(
	struct block_file *file, bool write, const struct iovec *iov, int count, uint64_t offset)
{
	if (file->memory_align && !segments_aligned(file, iov, count))
		return transfer_bounced(file, write, iov, count, offset);
	return transfer(file->fd, write, iov, count, offset);
}

static int file_readv(struct block_backend *block, const struct iovec *iov, int count, uint64_t offset)
{
	return file_transfer(to_file(block), false, iov, count, offset);
}

static int file_writev(struct block_backend *block, const struct iovec *iov, int count, uint64_t offset)
{
	return file_transfer(to_file(block), true, iov, count, offset);
}

static int file_flush(struct block_backend *block)
{
	int r;

	if (block->read_only)
		return 0;
	do
		r = fdatasync(to_file(block)->fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int file_fallocate(const struct block_file *file, int mode, uint64_t offset, uint64_t len)
{
	int r;

	do
		r = fallocate(file->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int file_discard(struct block_backend *block, uint64_t offset, uint64_t len)
{
	return file_fallocate(to_file(block), FALLOC_FL_PUNCH_HOLE, offset, len);
}

/* What works everywhere. One page stands for all the zeroes, so that this needs no buffer. */
static int write_zero_pages(const struct block_file *file, uint64_t offset, uint64_t len)
{
	static const _Alignas(BLOCK_FILE_ALIGN_MAX) uint8_t page[BLOCK_FILE_ALIGN_MAX];

	while (len > 0) {
		struct iovec iov[ZEROES_PAGES];
		uint64_t part = 0;
		int count, r;

		for (count = 0; count < ZEROES_PAGES && part < len; count++) {
			/* The cast drops const: writing reads from it. */
			iov[count].iov_base = (void *)(uintptr_t)page;
			iov[count].iov_len = MIN(sizeof(page), len - part);
			part += iov[count].iov_len;
		}
		r = transfer(file->fd, true, iov, count, offset);
		if (r < 0)
			return r;
		offset += part;
		len -= part;
	}
	return 0;
}

static int file_write_zeroes(struct block_backend *block, uint64_t offset, uint64_t len, bool unmap)
{
	struct block_file *file = to_file(block);
	int r = -EOPNOTSUPP;

	if (unmap && block->can_discard)
		r = file_fallocate(file, FALLOC_FL_PUNCH_HOLE, offset, len);
	if (r == -EOPNOTSUPP && !file->no_zero_range)
		r = file_fallocate(file, FALLOC_FL_ZERO_RANGE, offset, len);
	if (r != -EOPNOTSUPP)
		return r;
	file->no_zero_range = true;
	return write_zero_pages(file, offset, len);
}

static void file_close(struct block_backend *block)
{
	struct block_file *file = to_file(block);

	close(file->fd); /* and with it goes the lock */
	free(file->bounce);
	free(file);
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

const struct block_ops block_file_ops = {
	.readv = file_readv,
	.writev = file_writev,
	.flush = file_flush,
	.discard = file_discard,
	.write_zeroes = file_write_zeroes,
	.close = file_close,
};
