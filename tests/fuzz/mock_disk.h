/*
 * A block backend that keeps what it is given until it is told to finish some of it, in any order, and judges each
 * request: a device in front of it must ask for what the disk has, and only from and to guest memory.
 */
#pragma once

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "backend/block.h"
#include "fuzz.h"
#include "util/bytes.h"

struct mock_disk {
	struct block_backend block;
	struct block_request *submitted[BLOCK_REQUESTS_MAX]; /* not kicked yet */
	struct block_request *kicked[BLOCK_REQUESTS_MAX];
	struct block_request *done[BLOCK_REQUESTS_MAX];
	unsigned submitted_count, kicked_count, done_count;
	bool hold; /* what is kicked waits for mock_disk_finish() */
	int fail;  /* what requests end with: 0 or -errno */
};

static inline unsigned mock_disk_under_way(const struct mock_disk *disk)
{
	return disk->submitted_count + disk->kicked_count + disk->done_count;
}

static inline struct block_request *mock_disk_take(
	struct block_request **list, unsigned *count, unsigned index)
{
	struct block_request *request = list[index];

	list[index] = list[--*count];
	return request;
}

static inline void mock_disk_judge(const struct mock_disk *disk, const struct block_request *request)
{
	const struct block_backend *block = &disk->block;
	bool move = request->op == BLOCK_READ || request->op == BLOCK_WRITE;
	uint64_t sum = 0;

	if (request->op == BLOCK_FLUSH)
		return;
	FUZZ_CHECK(request->len > 0);
	FUZZ_CHECK(request->offset % block->logical_size == 0 && request->len % block->logical_size == 0);
	FUZZ_CHECK(range_inside(request->offset, request->len, 0, block->size));
	FUZZ_CHECK(request->op == BLOCK_READ || !block->read_only);
	FUZZ_CHECK(request->op != BLOCK_DISCARD || block->can_discard);
	FUZZ_CHECK(request->op != BLOCK_WRITE_ZEROES || block->can_write_zeroes);
	FUZZ_CHECK(!move || request->count <= IOV_MAX);
	for (unsigned i = 0; move && i < request->count; i++) {
		FUZZ_CHECK(fuzz_memory_has(request->iov[i].iov_base, request->iov[i].iov_len));
		sum += request->iov[i].iov_len;
	}
	FUZZ_CHECK(!move || sum == request->len);
}

/* Touches the ends of each segment: a page between could only be outside of memory if an end was. */
static inline void mock_disk_move(const struct block_request *request)
{
	static uint8_t byte;

	for (unsigned i = 0; i < request->count; i++) {
		uint8_t *first = request->iov[i].iov_base;

		if (request->iov[i].iov_len == 0)
			continue;
		for (uint8_t *at = first; at; at = at == first ? first + request->iov[i].iov_len - 1 : NULL) {
			if (request->op == BLOCK_READ)
				*(volatile uint8_t *)at = byte++;
			else
				byte += *(volatile uint8_t *)at;
			if (request->iov[i].iov_len == 1)
				break;
		}
	}
}

/* Carries the request out, as the host would, long after it was asked: what it was asked must still stand. */
static inline void mock_disk_finish(struct mock_disk *disk, unsigned index)
{
	struct block_request *request = mock_disk_take(disk->kicked, &disk->kicked_count, index);

	mock_disk_judge(disk, request);
	if (request->op == BLOCK_READ || request->op == BLOCK_WRITE)
		mock_disk_move(request);
	request->result = disk->fail;
	disk->done[disk->done_count++] = request;
}

static inline void mock_disk_submit(struct block_backend *block, struct block_request *request)
{
	struct mock_disk *disk = (struct mock_disk *)block;

	FUZZ_CHECK(mock_disk_under_way(disk) < BLOCK_REQUESTS_MAX);
	mock_disk_judge(disk, request);
	disk->submitted[disk->submitted_count++] = request;
}

static inline void mock_disk_kick(struct block_backend *block)
{
	struct mock_disk *disk = (struct mock_disk *)block;

	while (disk->submitted_count)
		disk->kicked[disk->kicked_count++] =
			mock_disk_take(disk->submitted, &disk->submitted_count, disk->submitted_count - 1);
	while (!disk->hold && disk->kicked_count)
		mock_disk_finish(disk, disk->kicked_count - 1);
}

static inline struct block_request *mock_disk_reap(struct block_backend *block, bool wait)
{
	struct mock_disk *disk = (struct mock_disk *)block;

	if (wait)
		mock_disk_kick(block);
	if (wait && !disk->done_count && disk->kicked_count)
		mock_disk_finish(disk, 0);
	if (!disk->done_count)
		return NULL;
	return mock_disk_take(disk->done, &disk->done_count, disk->done_count - 1);
}

static const struct block_ops mock_disk_ops = {
	.submit = mock_disk_submit,
	.kick = mock_disk_kick,
	.reap = mock_disk_reap,
};
