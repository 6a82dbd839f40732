/*
 * The virtio block device by itself: the driver's side of a queue, the transport, the device and the disk's engine, all
 * on one thread and without KVM. Requests at random places, `depth` of them under way, for so many seconds; prints the
 * requests a second. What fio does with the same file, block size and depth is its yardstick.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block.h"
#include "backend/block_file.h"
#include "memory/guest_memory.h"
#include "util/busy_wait.h"
#include "util/bytes.h"
#include "util/clock.h"
#include "util/error.h"
#include "virtio/virtio_blk.h"
#include "virtio/virtio_mmio.h"

#define SIZE      256
#define DEPTH_MAX 64 /* a chain has three descriptors */
#define BYTES_MAX MIB(1)

#define DESC   0x1000u
#define AVAIL  0x3000u
#define USED   0x4000u
#define HEADER 0x6000u
#define STATUS 0x8000u
#define DATA   MIB(1)

static struct {
	const char *path;
	bool write, direct, registered, no_poll;
	enum block_aio aio;
	uint32_t bytes;
	unsigned depth;
	double seconds;
	uint64_t random;

	struct guest_memory mem;
	struct block_backend *block;
	struct virtio_blk blk;
	struct virtio_mmio mmio;
	struct doorbell bell;
	uint64_t interrupts, waits;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t answered;
} bench = {.bytes = 4096, .depth = 1, .seconds = 1, .random = 88172645463325252u};

static void fail(const char *what)
{
	fprintf(stderr, "bench-blk: %s\n", what);
	exit(EXIT_FAILURE);
}

static void set_line(void *ctx, bool level)
{
	(void)ctx;
	bench.interrupts += level;
	/* The driver takes it at once, as an interrupt handler would. */
	if (level)
		virtio_mmio_bus_ops.write(&bench.mmio, VIRTIO_MMIO_INTERRUPT_ACK, 4, VIRTIO_MMIO_INT_VRING);
}

static void put(uint64_t offset, uint32_t value)
{
	virtio_mmio_bus_ops.write(&bench.mmio, offset, 4, value);
}

static void *at(uint64_t gpa)
{
	return guest_memory_at(&bench.mem, gpa, 1);
}

/* xorshift64 */
static uint64_t next_random(void)
{
	bench.random ^= bench.random << 13;
	bench.random ^= bench.random >> 7;
	bench.random ^= bench.random << 17;
	return bench.random;
}

static void start_device(void)
{
	const struct block_file_config file = {
		.path = bench.path, .read_only = !bench.write, .direct = bench.direct, .aio = bench.aio};
	struct virtio_transport_config transport = {
		.mem = &bench.mem,
		.ops = &virtio_blk_ops,
		.dev = &bench.blk,
		.doorbell = &bench.bell,
		.queue_count = 1,
	};
	uint32_t features;
	struct error error;

	if (block_file_open(&file, &bench.block, &error))
		fail(error.text);
	if (bench.block->size < bench.bytes)
		fail("the file is smaller than a block");
	if (guest_memory_add(&bench.mem, 0, DATA + (uint64_t)DEPTH_MAX * BYTES_MAX) ||
		doorbell_init(&bench.bell) || virtio_blk_init(&bench.blk, bench.block, "bench", 1) ||
		virtio_mmio_init(&bench.mmio, &transport, (struct irq_line){.set = set_line}))
		fail("out of memory");
	if (bench.registered) {
		const struct iovec iov = {bench.mem.regions[0].hva, bench.mem.regions[0].size};

		if (!bench.block->ops->use_memory || bench.block->ops->use_memory(bench.block, &iov, 1))
			fail("memory cannot be registered");
	}
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	/* All that is offered. */
	for (uint32_t word = 0; word < 2; word++) {
		put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, word);
		features = (uint32_t)virtio_mmio_bus_ops.read(&bench.mmio, VIRTIO_MMIO_DEVICE_FEATURES, 4);
		put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
		put(VIRTIO_MMIO_DRIVER_FEATURES, features);
	}
	put(VIRTIO_MMIO_STATUS,
		VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK);
	put(VIRTIO_MMIO_QUEUE_NUM, SIZE);
	put(VIRTIO_MMIO_QUEUE_DESC_LOW, DESC);
	put(VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAIL);
	put(VIRTIO_MMIO_QUEUE_USED_LOW, USED);
	put(VIRTIO_MMIO_QUEUE_READY, 1);
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
					VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	bench.avail = at(AVAIL);
	bench.used = at(USED);
}

static void stop_device(void)
{
	put(VIRTIO_MMIO_STATUS, 0);
	virtio_mmio_fini(&bench.mmio);
	virtio_blk_fini(&bench.blk);
	doorbell_fini(&bench.bell);
	bench.block->ops->close(bench.block);
	guest_memory_fini(&bench.mem);
}

/* Request n has the descriptors 3n to 3n + 2 and a place of its own for each of its parts. */
static void make_request(unsigned n)
{
	struct vring_desc *desc = (struct vring_desc *)at(DESC) + (size_t)3 * n;
	uint16_t first = (uint16_t)(3 * n), flags = bench.write ? 0 : VRING_DESC_F_WRITE;

	desc[0] = (struct vring_desc){HEADER + 16 * n, 16, VRING_DESC_F_NEXT, first + 1};
	desc[1] = (struct vring_desc){DATA + (uint64_t)n * BYTES_MAX, bench.bytes,
		(uint16_t)(VRING_DESC_F_NEXT | flags), first + 2};
	desc[2] = (struct vring_desc){STATUS + n, 1, VRING_DESC_F_WRITE, 0};
	memset(at(DATA + (uint64_t)n * BYTES_MAX), (int)n + 1, bench.bytes);
}

static void offer(unsigned n)
{
	struct virtio_blk_outhdr *header = (struct virtio_blk_outhdr *)at(HEADER) + n;
	uint64_t blocks = bench.block->size / bench.bytes;

	header->type = bench.write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
	header->sector = next_random() % blocks * (bench.bytes / 512);
	bench.avail->ring[bench.avail->idx % SIZE] = (uint16_t)(3 * n);
	__atomic_store_n(&bench.avail->idx, (uint16_t)(bench.avail->idx + 1), __ATOMIC_RELEASE);
}

/* Takes the answers there are, and offers the same requests anew, elsewhere; how many. */
static unsigned take_answers(void)
{
	unsigned count = 0;

	/* "No interrupt before the next one that I have not seen": each round is told of once. */
	while (bench.answered != __atomic_load_n(&bench.used->idx, __ATOMIC_ACQUIRE)) {
		unsigned n = bench.used->ring[bench.answered++ % SIZE].id / 3;

		if (*((uint8_t *)at(STATUS) + n) != VIRTIO_BLK_S_OK)
			fail("a request failed");
		offer(n);
		count++;
	}
	bench.avail->ring[SIZE] = bench.answered;
	return count;
}

/* As the I/O thread does: offers others the CPU and says for how long they had it, or sleeps until an answer comes. */
static uint64_t wait_for_answer(struct busy_wait *wait, uint64_t yielded)
{
	const struct busy_look look = {.taken = bench.mmio.transport.taken,
		.under_way = counter_get(&bench.blk.under_way),
		.yielded = yielded};
	struct pollfd fd = {.fd = bench.block->event_fd, .events = POLLIN};

	if (!bench.no_poll && busy_wait_goes_on(wait, &look, clock_ns()))
		return busy_wait_yield();
	bench.waits++;
	poll(&fd, 1, 1000);
	return 0;
}

static double run(void)
{
	uint64_t start = clock_ns(), now = start, end = start + (uint64_t)(bench.seconds * NS_PER_S),
		 count = 0, yielded = 0;
	struct busy_wait wait = {.yield_max = BUSY_WAIT_YIELD_MAX};
	unsigned n;

	for (n = 0; n < bench.depth; n++) {
		make_request(n);
		offer(n);
	}
	for (; now < end; now = clock_ns()) {
		unsigned answers;

		virtio_transport_serve(&bench.mmio.transport);
		answers = take_answers();
		count += answers;
		if (!answers)
			yielded = wait_for_answer(&wait, yielded);
	}
	return (double)count * NS_PER_S / (double)(now - start);
}

static void set(const char *key, const char *value)
{
	if (!strcmp(key, "rw"))
		bench.write = !strcmp(value, "write");
	else if (!strcmp(key, "bs"))
		bench.bytes = (uint32_t)strtoul(value, NULL, 0);
	else if (!strcmp(key, "depth"))
		bench.depth = (unsigned)strtoul(value, NULL, 0);
	else if (!strcmp(key, "seconds"))
		bench.seconds = strtod(value, NULL);
	else if (!strcmp(key, "direct"))
		bench.direct = !strcmp(value, "1");
	else if (!strcmp(key, "poll"))
		bench.no_poll = !strcmp(value, "off");
	else if (!strcmp(key, "registered"))
		bench.registered = !strcmp(value, "1");
	else if (!strcmp(key, "aio"))
		bench.aio = !strcmp(value, "threads") ? BLOCK_AIO_THREADS : BLOCK_AIO_URING;
	else
		fail(key);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr,
			"usage: bench-blk FILE [rw=read|write] [bs=BYTES] [depth=N] [seconds=S] [direct=0|1] [registered=0|1] [poll=auto|off]"
			" [aio=io_uring|threads]\n");
		return EXIT_FAILURE;
	}
	bench.path = argv[1];
	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			fail(argv[i]);
		*value++ = '\0';
		set(argv[i], value);
	}
	if (bench.bytes < 512 || bench.bytes % 512 || bench.bytes > BYTES_MAX || !bench.depth ||
		bench.depth > DEPTH_MAX)
		fail("bs is a multiple of 512 up to 1 MiB, depth 1 to 64");
	start_device();
	printf("%.0f\n", run());
	stop_device();
	return EXIT_SUCCESS;
}
