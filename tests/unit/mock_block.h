/* A block backend in memory that counts its calls and fails when it is told to, for tests. */
#pragma once

#include <check.h>
#include <string.h>

#include "backend/block.h"

#define SECTORS 64

static struct {
	struct block_backend block;
	uint8_t bytes[SECTORS * 512];
	int fail;
	unsigned calls, flushes, discards, zeroes;
	bool unmap;
	uint64_t offset, len;
} disk;

static inline int disk_transfer(const struct iovec *iov, int count, uint64_t offset, bool write)
{
	disk.calls++;
	if (disk.fail)
		return disk.fail;
	for (int i = 0; i < count; i++) {
		ck_assert_uint_le(offset + iov[i].iov_len, sizeof(disk.bytes));
		if (write)
			memcpy(disk.bytes + offset, iov[i].iov_base, iov[i].iov_len);
		else
			memcpy(iov[i].iov_base, disk.bytes + offset, iov[i].iov_len);
		offset += iov[i].iov_len;
	}
	return 0;
}

static inline int disk_readv(struct block_backend *block, const struct iovec *iov, int count, uint64_t offset)
{
	(void)block;
	return disk_transfer(iov, count, offset, false);
}

static inline int disk_writev(
	struct block_backend *block, const struct iovec *iov, int count, uint64_t offset)
{
	(void)block;
	return disk_transfer(iov, count, offset, true);
}

static inline int disk_flush(struct block_backend *block)
{
	(void)block;
	disk.calls++;
	disk.flushes++;
	return disk.fail;
}

static inline int disk_discard(struct block_backend *block, uint64_t offset, uint64_t len)
{
	(void)block;
	disk.calls++;
	disk.discards++;
	disk.offset = offset;
	disk.len = len;
	return disk.fail;
}

static inline int disk_write_zeroes(struct block_backend *block, uint64_t offset, uint64_t len, bool unmap)
{
	(void)block;
	disk.calls++;
	disk.zeroes++;
	disk.offset = offset;
	disk.len = len;
	disk.unmap = unmap;
	return disk.fail;
}

static const struct block_ops disk_ops = {
	.readv = disk_readv,
	.writev = disk_writev,
	.flush = disk_flush,
	.discard = disk_discard,
	.write_zeroes = disk_write_zeroes,
};
