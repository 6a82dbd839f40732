/* What every engine of a disk does; the suite of test_block_file.c has one case for each. */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "block_file_fixture.h"
#include "suites.h"

START_TEST(what_is_written_is_read_and_is_in_the_file)
{
	uint8_t *at = buffer;
	struct iovec parts[4] = {{at, 100}, {at + 8192, 0}, {at + 4096, 412}, {at + 9000, 512}};

	ck_assert_int_eq(open_disk(false, false), 0);
	memset(at, 0xa1, 100);
	memset(at + 4096, 0xa2, 412);
	memset(at + 9000, 0xa3, 512);
	ck_assert_int_eq(transfer_segments(true, parts, 4, 1024), 0);
	ck_assert_int_eq(flush(), 0);
	memset(buffer, 0, SIZE);
	ck_assert_int_eq(transfer_segments(false, parts, 4, 1024), 0);
	ck_assert(all_bytes(at, 100, 0xa1) && all_bytes(at + 4096, 412, 0xa2));
	ck_assert(all_bytes(at + 9000, 512, 0xa3));
	close_disk();
	ck_assert_int_eq(open_disk(true, false), 0);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0);
	ck_assert(all_bytes(buffer, 1024, 0x11));
	ck_assert(all_bytes(buffer + 1024, 100, 0xa1) && all_bytes(buffer + 1124, 412, 0xa2));
	ck_assert(all_bytes(buffer + 1536, 512, 0xa3));
	ck_assert(all_bytes(buffer + 2048, SIZE - 2048, 0x11));
}
END_TEST

START_TEST(a_read_only_disk_offers_and_does_no_writing)
{
	ck_assert_int_eq(open_disk(true, false), 0);
	ck_assert(block->read_only && !block->can_discard && !block->can_write_zeroes);
	ck_assert_int_lt(transfer(true, buffer, 512, 0), 0);
	ck_assert_int_eq(flush(), 0);
}
END_TEST

START_TEST(a_file_cut_under_the_guest_is_eio)
{
	ck_assert_int_eq(open_disk(false, false), 0);
	ck_assert_int_eq(truncate(path, 1024), 0);
	ck_assert_int_eq(transfer(false, buffer, 1024, 0), 0);
	ck_assert_int_eq(transfer(false, buffer, 1024, 512), -EIO);
	ck_assert_int_eq(transfer(false, buffer, 512, 2048), -EIO);
}
END_TEST

START_TEST(a_discard_gives_space_back_and_reads_zeroes)
{
	struct stat before, after;

	ck_assert_int_eq(open_disk(false, false), 0);
	if (!block->can_discard) {
		fprintf(stderr, "skipped: %s cannot punch holes\n", folder);
		return;
	}
	ck_assert_int_eq(flush(), 0);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(discard(KIB(64), KIB(64)), 0);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(after.st_size, SIZE);
	ck_assert_int_lt(after.st_blocks, before.st_blocks);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0);
	ck_assert(all_bytes(buffer, KIB(64), 0x11));
	ck_assert(all_bytes(buffer + KIB(64), KIB(64), 0));
	ck_assert(all_bytes(buffer + KIB(128), KIB(128), 0x11));
}
END_TEST

/* In a file, and in memory, where ZERO_RANGE does not exist and zeroes have to be written. */
START_TEST(write_zeroes_writes_zeroes)
{
	bool unmap = _i & 1;
	uint64_t size = MIB(2);

	if (_i & 2)
		ck_assert_int_eq(block_memory_open(size, &block, &error), 0);
	else
		make_file(size);
	if (!block)
		ck_assert_int_eq(open_disk(false, false), 0);
	for (uint64_t at = 0; at < size; at += SIZE) {
		memset(buffer, 0x11, SIZE);
		ck_assert_int_eq(transfer(true, buffer, SIZE, at), 0);
	}
	ck_assert_int_eq(write_zeroes(512, size - 2560, unmap), 0);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0);
	ck_assert(all_bytes(buffer, 512, 0x11) && all_bytes(buffer + 512, SIZE - 512, 0));
	for (uint64_t at = SIZE; at < size - SIZE; at += SIZE) {
		ck_assert_int_eq(transfer(false, buffer, SIZE, at), 0);
		ck_assert(all_bytes(buffer, SIZE, 0));
	}
	ck_assert_int_eq(transfer(false, buffer, SIZE, size - SIZE), 0);
	ck_assert(all_bytes(buffer, SIZE - 2048, 0) && all_bytes(buffer + SIZE - 2048, 2048, 0x11));
}
END_TEST

/* O_DIRECT, from segments that no disk could take; left out where the file system has none. */
START_TEST(direct_io_takes_unaligned_segments)
{
	struct iovec odd[3] = {{buffer + 1, 1000}, {buffer + 2001, 24}, {buffer + 4099, SIZE / 2 - 1024}};
	int r;

	if (open_disk(false, true) < 0) {
		ck_assert_ptr_nonnull(strstr(error.text, "no direct I/O; leave `direct` out"));
		fprintf(stderr, "skipped: %s\n", error.text);
		return;
	}
	memset(odd[0].iov_base, 0xb1, 1000);
	memset(odd[1].iov_base, 0xb2, 24);
	memset(odd[2].iov_base, 0xb3, SIZE / 2 - 1024);
	ck_assert_int_eq(transfer_segments(true, odd, 3, 4096), 0);
	memset(buffer, 0, SIZE);
	ck_assert_int_eq(transfer_segments(false, odd, 3, 4096), 0);
	ck_assert(all_bytes(odd[0].iov_base, 1000, 0xb1) && all_bytes(odd[1].iov_base, 24, 0xb2));
	ck_assert(all_bytes(odd[2].iov_base, SIZE / 2 - 1024, 0xb3));
	ck_assert_uint_eq(buffer[0] + buffer[1001] + buffer[2025], 0);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0); /* aligned: no bounce */
	ck_assert(all_bytes(buffer, 4096, 0x11) && all_bytes(buffer + 4096, 1000, 0xb1));
	ck_assert(all_bytes(buffer + 5096, 24, 0xb2));
	ck_assert(all_bytes(buffer + 4096 + SIZE / 2, SIZE / 2 - 4096, 0x11));
	ck_assert_int_eq(truncate(path, 8192), 0);
	r = transfer(false, buffer + 1, SIZE - 4096, 0);
	ck_assert_int_eq(r, -EIO);
}
END_TEST

START_TEST(a_demo_disk_says_so_and_is_otherwise_empty)
{
	ck_assert_int_eq(block_memory_open(SIZE, &block, &error), 0);
	ck_assert_uint_eq(block->size, SIZE);
	ck_assert_uint_eq(block->logical_size, 512);
	ck_assert(!block->read_only && block->can_discard && block->can_write_zeroes);
	ck_assert_int_eq(transfer(false, buffer, SIZE, 0), 0);
	ck_assert_int_eq(memcmp(buffer, "lodge demo disk\n", 17), 0);
	ck_assert(all_bytes(buffer + 16, SIZE - 16, 0));
	ck_assert_int_eq(transfer(true, buffer, 512, 512), 0);
	ck_assert_int_eq(discard(0, 512), 0);
	ck_assert_int_eq(transfer(false, buffer, 1024, 0), 0);
	ck_assert(all_bytes(buffer, 512, 0));
	ck_assert_int_eq(memcmp(buffer + 512, "lodge demo disk\n", 17), 0);
	ck_assert_int_eq(flush(), 0);
}
END_TEST

/* Many at once, and all at once as far as the host can: each comes back once, with its own bytes. */
START_TEST(many_requests_are_under_way_side_by_side)
{
	static struct block_request requests[BLOCK_REQUESTS_MAX], *done;
	static struct iovec iov[BLOCK_REQUESTS_MAX];
	bool seen[BLOCK_REQUESTS_MAX] = {0};

	ck_assert_int_eq(open_disk(false, false), 0);
	for (unsigned i = 0; i < SIZE / 512; i++)
		memset(buffer + 512 * i, (int)i, 512);
	ck_assert_int_eq(transfer(true, buffer, SIZE, 0), 0);
	memset(buffer, 0xee, SIZE);
	for (unsigned i = 0; i < BLOCK_REQUESTS_MAX; i++) {
		iov[i] = (struct iovec){buffer + 1024 * i, 512};
		requests[i] = (struct block_request){
			.op = BLOCK_READ, .iov = &iov[i], .count = 1, .offset = 512 * i, .len = 512};
		block->ops->submit(block, &requests[i]);
	}
	block->ops->kick(block);
	while ((done = block->ops->reap(block, true))) {
		unsigned i = (unsigned)(done - requests);

		ck_assert_uint_lt(i, BLOCK_REQUESTS_MAX);
		ck_assert(!seen[i]);
		seen[i] = true;
		ck_assert_int_eq(done->result, 0);
		ck_assert(all_bytes(buffer + 1024 * i, 512, (uint8_t)i));
		ck_assert(all_bytes(buffer + 1024 * i + 512, 512, 0xee));
	}
	for (unsigned i = 0; i < BLOCK_REQUESTS_MAX; i++)
		ck_assert(seen[i]);
}
END_TEST

START_TEST(who_does_not_wait_is_told_by_the_event_fd)
{
	struct iovec iov = {buffer, 512};
	struct block_request request = {.op = BLOCK_READ, .iov = &iov, .count = 1, .len = 512}, *done;
	struct pollfd fd;

	ck_assert_int_eq(open_disk(false, false), 0);
	fd = (struct pollfd){.fd = block->event_fd, .events = POLLIN};
	ck_assert_int_eq(poll(&fd, 1, 0), 0);
	ck_assert_ptr_null(block->ops->reap(block, false));
	for (int i = 0; i < 3; i++) {
		block->ops->submit(block, &request);
		block->ops->kick(block);
		while (!(done = block->ops->reap(block, false)))
			ck_assert_int_eq(poll(&fd, 1, 10000), 1);
		ck_assert_ptr_eq(done, &request);
		ck_assert_int_eq(poll(&fd, 1, 0), 0);
	}
}
END_TEST

/* Whether the byte is in the file after submit(), and before the host is told to begin. */
static bool is_written_at_once(uint64_t offset, void *at, size_t len, uint8_t value)
{
	struct iovec iov = {at, len};
	struct block_request request = {
		.op = BLOCK_WRITE, .iov = &iov, .count = 1, .offset = offset, .len = len};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t seen = 0;

	block->ops->submit(block, &request);
	ck_assert_int_eq(pread(fd, &seen, 1, (off_t)offset), 1);
	close(fd);
	ck_assert_ptr_eq(block->ops->reap(block, true), &request);
	ck_assert_int_eq(request.result, 0);
	return seen == value;
}

/* Fills the page that a write of this process waits for, some time later. */
static void *fill_late(void *ctx)
{
	struct uffdio_zeropage zero = {0};
	struct uffd_msg fault;
	int uffd = *(int *)ctx;

	ck_assert_int_eq(read(uffd, &fault, sizeof(fault)), sizeof(fault));
	usleep(20000);
	zero.range.start = fault.arg.pagefault.address & ~UINT64_C(4095);
	zero.range.len = 4096;
	ck_assert_int_eq(ioctl(uffd, UFFDIO_ZEROPAGE, &zero), 0);
	return NULL;
}

/* A write that has to wait: its bytes are there 20 ms later. False: this host does not let us. */
static bool write_slowly(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register range = {
		.range = {(uintptr_t)page, 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	struct uffdio_api api = {.api = UFFD_API};
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	pthread_t thread;

	if (uffd < 0)
		return false;
	ck_assert(!ioctl(uffd, UFFDIO_API, &api) && !ioctl(uffd, UFFDIO_REGISTER, &range));
	ck_assert_int_eq(pthread_create(&thread, NULL, fill_late, &uffd), 0);
	ck_assert_int_eq(transfer(true, page, 512, 0), 0);
	pthread_join(thread, NULL);
	close(uffd);
	munmap(page, 4096);
	return true;
}

START_TEST(small_writes_into_the_page_cache_are_done_at_once_until_one_has_to_wait)
{
	uint8_t *large;

	ck_assert_int_eq(open_disk(false, false), 0);
	if (strcmp(block->engine, "io_uring") != 0)
		return; /* threads never do */
	memset(buffer, 0x77, SIZE);
	ck_assert(is_written_at_once(1024, buffer, 512, 0x77));
	ck_assert(is_written_at_once(0, buffer, SIZE, 0x77));
	close_disk();
	make_file(2 * SIZE);
	large = malloc(2 * SIZE);
	memset(large, 0x99, 2 * SIZE);
	ck_assert_int_eq(open_disk(false, false), 0);
	ck_assert(!is_written_at_once(0, large, 2 * SIZE, 0x99));
	ck_assert(is_written_at_once(0, large, 512, 0x99));
	if (write_slowly()) {
		memset(large, 0x55, 512);
		ck_assert(!is_written_at_once(0, large, 512, 0x55));
	} else {
		printf("SKIPPED: a write that has to wait: %s\n", strerror(errno));
	}
	free(large);
}
END_TEST

/* The kernel takes an io_uring apart some time later; nobody has to wait for that. */
START_TEST(a_disk_that_was_closed_is_free_at_once)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd;

	ck_assert_int_eq(open_disk(false, false), 0);
	ck_assert_int_eq(transfer(true, buffer, 4096, 0), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_lt(fcntl(fd, F_OFD_SETLK, &lock), 0);
	close_disk();
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	close(fd);
}
END_TEST

/* Named memory, memory that is not, and both in one request; then other memory, and none. */
START_TEST(memory_that_is_named_serves_as_well_as_any)
{
	static const unsigned halves[2] = {0, SIZE / 2};
	int r = 0;

	ck_assert_int_eq(open_disk(false, false), 0);
	if (!block->ops->use_memory)
		return; /* it makes no difference to this engine */
	for (unsigned round = 0; round < 3; round++) {
		/* The half in the middle, so that a request may reach into it and out of it. */
		const struct iovec named = {buffer + SIZE / 4 + 4096 * round, SIZE / 2};
		const struct iovec mixed[2] = {{buffer + 512, 512}, {buffer + SIZE / 2, 512}};

		r = block->ops->use_memory(block, &named, round < 2);
		if (r < 0)
			break;
		ck_assert_int_eq(strcmp(block->engine, "io_uring") == 0, round == 2);
		for (unsigned i = 0; i < 2; i++) {
			memset(buffer, 0xc0 + (int)(2 * round + i), SIZE);
			ck_assert_int_eq(transfer(true, buffer + halves[i], 4096, 8192), 0);
			ck_assert_int_eq(transfer(true, buffer, SIZE / 2, SIZE / 2), 0);
			memset(buffer, 0, SIZE);
			ck_assert_int_eq(transfer(false, buffer + SIZE / 2 - halves[i], 4096, 8192), 0);
			ck_assert(all_bytes(
				buffer + SIZE / 2 - halves[i], 4096, (uint8_t)(0xc0 + 2 * round + i)));
			ck_assert_int_eq(transfer_segments(false, mixed, 2, SIZE / 2), 0);
			ck_assert(all_bytes(buffer + 512, 512, (uint8_t)(0xc0 + 2 * round + i)));
			ck_assert(all_bytes(buffer + SIZE / 2, 512, (uint8_t)(0xc0 + 2 * round + i)));
		}
	}
	if (r < 0)
		fprintf(stderr, "skipped: this process may not hold memory: %s\n", strerror(-r));
}
END_TEST

/* The engine is what was asked for; without io_uring, threads. */
START_TEST(the_engine_says_its_name)
{
	ck_assert_int_eq(open_disk(false, false), 0);
	if (aio == BLOCK_AIO_THREADS)
		ck_assert_str_eq(block->engine, "threads");
	else if (strcmp(block->engine, "io_uring") != 0)
		fprintf(stderr, "skipped: no io_uring here: %s\n", block->engine);
}
END_TEST

TCase *block_engine_tcase(bool threads)
{
	TCase *tc = tcase_create(threads ? "threads" : "io_uring");

	tcase_add_checked_fixture(tc, threads ? set_up_threads : set_up, tear_down);
	tcase_add_test(tc, what_is_written_is_read_and_is_in_the_file);
	tcase_add_test(tc, a_read_only_disk_offers_and_does_no_writing);
	tcase_add_test(tc, a_file_cut_under_the_guest_is_eio);
	tcase_add_test(tc, a_discard_gives_space_back_and_reads_zeroes);
	tcase_add_loop_test(tc, write_zeroes_writes_zeroes, 0, 4);
	tcase_add_test(tc, direct_io_takes_unaligned_segments);
	tcase_add_test(tc, a_demo_disk_says_so_and_is_otherwise_empty);
	tcase_add_test(tc, many_requests_are_under_way_side_by_side);
	tcase_add_test(tc, who_does_not_wait_is_told_by_the_event_fd);
	tcase_add_test(tc, small_writes_into_the_page_cache_are_done_at_once_until_one_has_to_wait);
	tcase_add_test(tc, a_disk_that_was_closed_is_free_at_once);
	tcase_add_test(tc, memory_that_is_named_serves_as_well_as_any);
	tcase_add_test(tc, the_engine_says_its_name);
	return tc;
}
