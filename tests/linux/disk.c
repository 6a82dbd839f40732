/*
 * In a Linux guest: how many requests a second its disk serves. Past the page cache, by the kernel's own asynchronous I/O
 * (its system calls, so that a static program needs no library), at random places, for a fixed time.
 *
 * Usage: linux-disk DEVICE read|write BYTES DEPTH SECONDS; prints one number.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX 256

struct load {
	int fd;
	uint16_t opcode;
	uint64_t block, blocks; /* bytes each, and how many the disk has */
	uint64_t random;
	unsigned depth;
	aio_context_t context;
	struct iocb requests[DEPTH_MAX];
};

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Marsaglia's xorshift. */
static uint64_t next_random(struct load *load)
{
	load->random ^= load->random << 13;
	load->random ^= load->random >> 7;
	load->random ^= load->random << 17;
	return load->random;
}

static void submit(struct load *load, struct iocb **requests, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		requests[i]->aio_offset = (int64_t)(next_random(load) % load->blocks * load->block);
	while (count) {
		long done = syscall(SYS_io_submit, load->context, count, requests);

		if (done <= 0)
			fail("io_submit");
		requests += done;
		count -= (unsigned)done;
	}
}

static void prepare(struct load *load)
{
	for (unsigned i = 0; i < load->depth; i++) {
		void *buffer = aligned_alloc(4096, load->block);

		if (!buffer)
			fail("aligned_alloc");
		memset(buffer, (int)i, load->block);
		load->requests[i] = (struct iocb){
			.aio_lio_opcode = load->opcode,
			.aio_fildes = (uint32_t)load->fd,
			.aio_buf = (uintptr_t)buffer,
			.aio_nbytes = load->block,
		};
	}
	if (syscall(SYS_io_setup, load->depth, &load->context))
		fail("io_setup");
}

/* Requests a second; those that end together go out together. */
static double run(struct load *load, double seconds)
{
	struct iocb *free_ones[DEPTH_MAX];
	struct io_event events[DEPTH_MAX];
	double start = now(), end = start;
	uint64_t done = 0;

	for (unsigned i = 0; i < load->depth; i++)
		free_ones[i] = &load->requests[i];
	submit(load, free_ones, load->depth);
	while (end - start < seconds) {
		long count = syscall(SYS_io_getevents, load->context, 1, load->depth, events, NULL);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			fail("io_getevents");
		for (long i = 0; i < count; i++) {
			free_ones[i] = (struct iocb *)(uintptr_t)events[i].obj;
			if (events[i].res != (int64_t)load->block) {
				errno = events[i].res < 0 ? (int)-events[i].res : EIO;
				fail("a request");
			}
		}
		done += (uint64_t)count;
		end = now();
		if (end - start < seconds)
			submit(load, free_ones, (unsigned)count);
	}
	return (double)done / (end - start);
}

int main(int argc, char **argv)
{
	static struct load load;
	double seconds = argc == 6 ? atof(argv[5]) : 0;
	uint64_t size = 0;

	if (seconds <= 0) {
		fprintf(stderr, "usage: linux-disk DEVICE read|write BYTES DEPTH SECONDS\n");
		return EXIT_FAILURE;
	}
	load.opcode = strcmp(argv[2], "write") ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE;
	load.block = strtoull(argv[3], NULL, 10);
	load.depth = (unsigned)atoi(argv[4]);
	load.random = 0x9e3779b97f4a7c15;
	load.fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (load.fd < 0 || ioctl(load.fd, BLKGETSIZE64, &size))
		fail(argv[1]);
	if (!load.block || load.block % 512 || size < load.block || !load.depth || load.depth > DEPTH_MAX) {
		fprintf(stderr, "linux-disk: a size of blocks or a depth that does not do\n");
		return EXIT_FAILURE;
	}
	load.blocks = size / load.block;
	prepare(&load);
	printf("%.1f\n", run(&load, seconds));
	return EXIT_SUCCESS;
}
