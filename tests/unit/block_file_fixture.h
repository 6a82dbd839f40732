/* A disk in a file of 256 KiB, and requests that are carried out one by one, for test_block_*.c. */
#pragma once

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/block.h"
#include "backend/block_file.h"
#include "util/bytes.h"
#include "util/error.h"

#define SIZE KIB(256)

static char folder[PATH_MAX];
static char path[PATH_MAX + 16];
static struct block_backend *block;
static struct error error;
static uint8_t *buffer; /* SIZE bytes, aligned to a page */
static enum block_aio aio;

static inline int open_disk(bool read_only, bool direct)
{
	struct block_file_config config = {
		.path = path, .read_only = read_only, .direct = direct, .aio = aio};

	error = (struct error){0};
	return block_file_open(&config, &block, &error);
}

static inline void close_disk(void)
{
	if (block)
		block->ops->close(block);
	block = NULL;
}

static inline void make_file(uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	memset(buffer, 0x11, SIZE);
	for (uint64_t done = 0; done < size; done += MIN(SIZE, size - done))
		ck_assert_int_gt(pwrite(fd, buffer, MIN(SIZE, size - done), (off_t)done), 0);
	close(fd);
}

static inline void set_up_any(enum block_aio with)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/lodge-test-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/disk.img", folder);
	ck_assert_int_eq(posix_memalign((void **)&buffer, 4096, SIZE), 0);
	make_file(SIZE);
	block = NULL;
	aio = with;
}

/* io_uring, where this host has it. */
static inline void set_up(void)
{
	set_up_any(BLOCK_AIO_AUTO);
}

static inline void set_up_threads(void)
{
	set_up_any(BLOCK_AIO_THREADS);
}

static inline void tear_down(void)
{
	close_disk();
	free(buffer);
	if (unlink(path) < 0)
		rmdir(path);
	rmdir(folder);
}

/* One request, to its end. */
static inline int carry_out(struct block_request *request)
{
	block->ops->submit(block, request);
	ck_assert_ptr_eq(block->ops->reap(block, true), request);
	ck_assert_ptr_null(block->ops->reap(block, true));
	return request->result;
}

static inline int transfer_segments(bool write, const struct iovec *iov, unsigned count, uint64_t offset)
{
	struct block_request request = {
		.op = write ? BLOCK_WRITE : BLOCK_READ, .iov = iov, .count = count, .offset = offset};

	for (unsigned i = 0; i < count; i++)
		request.len += iov[i].iov_len;
	return carry_out(&request);
}

static inline int transfer(bool write, void *at, size_t len, uint64_t offset)
{
	struct iovec iov = {at, len};

	return transfer_segments(write, &iov, 1, offset);
}

static inline int flush(void)
{
	return carry_out(&(struct block_request){.op = BLOCK_FLUSH});
}

static inline int discard(uint64_t offset, uint64_t len)
{
	return carry_out(&(struct block_request){.op = BLOCK_DISCARD, .offset = offset, .len = len});
}

static inline int write_zeroes(uint64_t offset, uint64_t len, bool unmap)
{
	return carry_out(&(struct block_request){
		.op = BLOCK_WRITE_ZEROES, .offset = offset, .len = len, .unmap = unmap});
}

static inline bool all_bytes(const uint8_t *at, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != value)
			return false;
	return true;
}
