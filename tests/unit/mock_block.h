/*
 * A block backend in memory that counts its calls, fails when it is told to, and holds requests back when it is told to,
 * for tests.
 */
#pragma once

#include <check.h>
#include <string.h>

#include "backend/block_file_io.h"
#include "util/bytes.h"

#define SECTORS 64

static struct {
	struct block_backend block;
	uint8_t bytes[SECTORS * 512];
	int fail;
	unsigned calls, flushes, discards, zeroes;
	bool unmap;
	uint64_t offset, len;
	bool hold;      /* what is kicked waits for disk_finish(), or for who waits for it */
	unsigned kicks; /* that had something to kick */
	unsigned under_way, under_way_max;
	struct block_list submitted, kicked, done;
} disk;

static inline int disk_transfer(const struct block_request *request, bool write)
{
	uint64_t offset = request->offset;

	for (unsigned i = 0; i < request->count; i++) {
		const struct iovec *iov = &request->iov[i];

		ck_assert_uint_le(offset + iov->iov_len, sizeof(disk.bytes));
		if (write)
			memcpy(disk.bytes + offset, iov->iov_base, iov->iov_len);
		else
			memcpy(iov->iov_base, disk.bytes + offset, iov->iov_len);
		offset += iov->iov_len;
	}
	ck_assert_uint_eq(offset - request->offset, request->len);
	return 0;
}

static inline int disk_execute(const struct block_request *request)
{
	disk.calls++;
	switch (request->op) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		return disk.fail ? disk.fail : disk_transfer(request, request->op == BLOCK_WRITE);
	case BLOCK_FLUSH:
		disk.flushes++;
		return disk.fail;
	case BLOCK_DISCARD:
		disk.discards++;
		break;
	case BLOCK_WRITE_ZEROES:
		disk.zeroes++;
		disk.unmap = request->unmap;
		break;
	}
	disk.offset = request->offset;
	disk.len = request->len;
	return disk.fail;
}

static inline void disk_submit(struct block_backend *block, struct block_request *request)
{
	(void)block;
	block_list_add(&disk.submitted, request);
	disk.under_way++;
	disk.under_way_max = MAX(disk.under_way_max, disk.under_way);
	ck_assert_uint_le(disk.under_way, BLOCK_REQUESTS_MAX);
}

/* Finishes up to `count` of those that are held back. */
static inline void disk_finish(unsigned count)
{
	struct block_request *request;

	while (count-- && (request = block_list_take(&disk.kicked))) {
		request->result = disk_execute(request);
		block_list_add(&disk.done, request);
	}
}

static inline void disk_kick(struct block_backend *block)
{
	struct block_request *request;

	(void)block;
	disk.kicks += disk.submitted.first != NULL;
	while ((request = block_list_take(&disk.submitted)))
		block_list_add(&disk.kicked, request);
	if (!disk.hold)
		disk_finish(UINT32_MAX);
}

static inline struct block_request *disk_reap(struct block_backend *block, bool wait)
{
	struct block_request *request;

	if (wait) {
		disk_kick(block);
		disk_finish(UINT32_MAX);
	}
	request = block_list_take(&disk.done);
	disk.under_way -= request != NULL;
	return request;
}

static const struct block_ops disk_ops = {
	.submit = disk_submit,
	.kick = disk_kick,
	.reap = disk_reap,
};
