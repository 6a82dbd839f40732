#include "virtio/virtio_blk.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <sys/mman.h>

#include "backend/block.h"
#include "util/bytes.h"
#include "util/clock.h"
#include "virtio/virtqueue.h"

#define SECTOR     512u /* the unit of all sector numbers, whatever the block size (5.2.6) */
#define QUEUE_SIZE VIRTQUEUE_SIZE_MAX

/* What one request may ask of the host: punching is cheap, zeroes may have to be written. */
#define DISCARD_SEGMENTS_MAX 16u
#define DISCARD_SECTORS_MAX  (GIB(2) / SECTOR)
#define ZEROES_SEGMENTS_MAX  1u
#define ZEROES_SECTORS_MAX   (MIB(64) / SECTOR)

/*
 * What a request may move, and what may be under way before no other one is taken: whoever ends or pauses the run waits
 * for that, and a chain may name the same memory again and again, 4 GiB in all.
 */
#define TRANSFER_MAX MIB(64)
#define SEGMENTS     (VIRTQUEUE_CHAIN_MAX - 2) /* the header and the status take one each */
#define SEGMENT_MAX  KIB(256)
static_assert(SEGMENTS * SEGMENT_MAX <= TRANSFER_MAX, "what the configuration space allows is not refused");

#define FEATURE(bit) (UINT64_C(1) << (bit))

static bool negotiated(const struct virtio_blk *blk, unsigned bit)
{
	return blk->negotiated >> bit & 1;
}

/* sector and len, as the driver gave them, lie on the disk and on its blocks: 0 or -EINVAL. */
static int check_range(const struct virtio_blk *blk, uint64_t sector, uint64_t len)
{
	const struct block_backend *block = blk->block;

	if (len % block->logical_size)
		return -EINVAL;
	/* Multiplies nothing before it is known to be small. */
	if (!range_inside(sector, len / SECTOR, 0, block->size / SECTOR))
		return -EINVAL;
	return (sector * SECTOR % block->logical_size) ? -EINVAL : 0;
}

/* How many segments a request may have. */
#define SEGMENTS_MAX MAX(DISCARD_SEGMENTS_MAX, ZEROES_SEGMENTS_MAX)

/* A request from when it was taken to its answer. */
struct blk_request {
	struct block_request io; /* the part that the backend has; first, as reap() gives it back */
	struct virtqueue *queue;
	struct virtqueue_chain chain;
	uint8_t *status; /* in guest memory */
	uint32_t type;
	uint64_t start;   /* ns */
	uint32_t written; /* bytes of data that the driver gets, if all goes well */
	bool flush_after; /* a flush is the last part */
	/* Discard and write zeroes: the parts before that. */
	unsigned segment, segment_count;
	struct virtio_blk_discard_write_zeroes segments[SEGMENTS_MAX];
	struct blk_request *next_free;
};

#define REQUESTS_SIZE (BLOCK_REQUESTS_MAX * sizeof(struct blk_request))

static struct blk_request *get_request(struct virtio_blk *blk)
{
	struct blk_request *request = blk->free;

	if (request)
		blk->free = request->next_free;
	else if (blk->fresh < BLOCK_REQUESTS_MAX)
		request = &blk->requests[blk->fresh++];
	return request;
}

static void put_request(struct virtio_blk *blk, struct blk_request *request)
{
	request->next_free = blk->free;
	blk->free = request;
}

/* What follows fills request->io: 1: it is for the backend; 0: there is nothing to do; or -errno. */

static int prepare_transfer(struct virtio_blk *blk, struct blk_request *request, uint64_t sector)
{
	struct virtqueue_chain *chain = &request->chain;
	bool write = request->type == VIRTIO_BLK_T_OUT;
	struct block_request *io = &request->io;
	int r;

	counter_add(write ? &blk->stats.writes : &blk->stats.reads, 1);
	io->op = write ? BLOCK_WRITE : BLOCK_READ;
	io->iov = write ? chain->out : chain->in;
	io->count = write ? chain->out_count : chain->in_count;
	io->len = write ? chain->out_len : chain->in_len;
	if (io->len > TRANSFER_MAX)
		return -EINVAL;
	r = write && blk->block->read_only ? -EROFS : check_range(blk, sector, io->len);
	if (r < 0 || io->len == 0)
		return r;
	io->offset = sector * SECTOR;
	request->written = write ? 0 : (uint32_t)io->len;
	return 1;
}

static int prepare_flush(struct blk_request *request)
{
	request->io.op = BLOCK_FLUSH;
	return 1;
}

static int check_segment(
	const struct virtio_blk *blk, bool discard, const struct virtio_blk_discard_write_zeroes *segment)
{
	uint32_t known = discard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;

	if (segment->flags & ~known)
		return -EOPNOTSUPP; /* 5.2.6.2: UNSUPP, also for a discard with the unmap flag */
	if (segment->num_sectors > (discard ? DISCARD_SECTORS_MAX : ZEROES_SECTORS_MAX))
		return -EINVAL;
	return check_range(blk, segment->sector, (uint64_t)segment->num_sectors * SECTOR);
}

/* The next segment of a discard or of zeroes, or the flush that follows the last part of any request. */
static int prepare_next(struct virtio_blk *blk, struct blk_request *request)
{
	bool discard = request->type == VIRTIO_BLK_T_DISCARD;

	while (request->segment < request->segment_count) {
		const struct virtio_blk_discard_write_zeroes *segment =
			&request->segments[request->segment++];

		request->io.op = discard ? BLOCK_DISCARD : BLOCK_WRITE_ZEROES;
		request->io.offset = segment->sector * SECTOR;
		request->io.len = (uint64_t)segment->num_sectors * SECTOR;
		request->io.unmap = segment->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
		if (request->io.len == 0)
			continue;
		/* Many hosts have to write zeroes, and all are asked to. */
		if (!discard)
			token_bucket_take(&blk->byte_bucket, request->io.len, clock_ns());
		return 1;
	}
	if (!request->flush_after)
		return 0;
	request->flush_after = false;
	return prepare_flush(request);
}

/* Discard and write zeroes. All segments are judged before the first one is carried out. */
static int prepare_segments(struct virtio_blk *blk, struct blk_request *request)
{
	bool discard = request->type == VIRTIO_BLK_T_DISCARD;
	uint64_t len = request->chain.out_len;
	unsigned count = (unsigned)(len / sizeof(request->segments[0]));
	int r;

	counter_add(&blk->stats.discards, 1);
	if (!negotiated(blk, discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES))
		return -EOPNOTSUPP;
	if (len % sizeof(request->segments[0]) || len > sizeof(request->segments) ||
		count > (discard ? DISCARD_SEGMENTS_MAX : ZEROES_SEGMENTS_MAX))
		return -EINVAL;
	r = virtqueue_chain_read(&request->chain, request->segments, len);
	for (unsigned i = 0; r == 0 && i < count; i++)
		r = check_segment(blk, discard, &request->segments[i]);
	if (r < 0)
		return r;
	request->segment_count = count;
	return prepare_next(blk, request);
}

static int prepare(struct virtio_blk *blk, struct blk_request *request, uint64_t sector)
{
	/*
	 * 5.2.6.2: a driver that was offered FLUSH and did not take it will never flush, so what it writes
	 * is stable when the request completes.
	 */
	request->flush_after = !negotiated(blk, VIRTIO_BLK_F_FLUSH) && request->type != VIRTIO_BLK_T_IN &&
	                       request->type != VIRTIO_BLK_T_FLUSH;
	request->segment = request->segment_count = 0;
	request->written = 0;
	switch (request->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return prepare_transfer(blk, request, sector);
	case VIRTIO_BLK_T_FLUSH:
		counter_add(&blk->stats.flushes, 1);
		return prepare_flush(request);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return prepare_segments(blk, request);
	case VIRTIO_BLK_T_GET_ID: /* 5.2.6.1: up to 20 bytes, NUL-padded; all 20 may be in use */
		counter_add(&blk->stats.others, 1);
		request->written =
			(uint32_t)virtqueue_chain_write(&request->chain, blk->serial, sizeof(blk->serial));
		return 0;
	default:
		counter_add(&blk->stats.others, 1);
		return -EOPNOTSUPP;
	}
}

static void submit(struct virtio_blk *blk, struct blk_request *request)
{
	counter_add(&blk->under_way, 1);
	blk->bytes_under_way += block_request_moves(&request->io);
	blk->block->ops->submit(blk->block, &request->io);
}

static void answer(struct virtio_blk *blk, struct blk_request *request, int r)
{
	if (r < 0) {
		counter_add(&blk->stats.errors, 1);
		request->written = 0;
	} else if (request->type == VIRTIO_BLK_T_IN) {
		counter_add(&blk->stats.bytes_read, request->written);
	} else if (request->type == VIRTIO_BLK_T_OUT) {
		counter_add(&blk->stats.bytes_written, request->chain.out_len);
	}
	*request->status = r == 0             ? VIRTIO_BLK_S_OK
	                   : r == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP
	                                      : VIRTIO_BLK_S_IOERR;
	histogram_add(&blk->stats.latency, clock_ns() - request->start);
	virtqueue_push(request->queue, request->chain.head, request->written + 1);
	put_request(blk, request);
}

/* A part of a request is done: the next one, or the answer. Whether there is a next one. */
static bool go_on(struct virtio_blk *blk, struct blk_request *request)
{
	int r = request->io.result;

	counter_add(&blk->under_way, -UINT64_C(1));
	blk->bytes_under_way -= block_request_moves(&request->io);
	if (r == 0)
		r = prepare_next(blk, request);
	if (r > 0)
		submit(blk, request);
	else
		answer(blk, request, r);
	return r > 0;
}

static bool blk_progress(void *dev, bool wait)
{
	struct virtio_blk *blk = dev;
	const struct block_ops *ops = blk->block->ops;
	uint64_t before = counter_get(&blk->under_way);
	struct block_request *io;
	bool again = before;

	while (again) {
		ops->kick(blk->block);
		again = false;
		while ((io = ops->reap(blk->block, wait)))
			again |= go_on(blk, (struct blk_request *)io);
	}
	return counter_get(&blk->under_way) < before;
}

/* What the rate is about: requests that move data. The others cost the host little, or are its safety. */
static bool rate_limits(uint32_t type)
{
	return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_OUT || type == VIRTIO_BLK_T_DISCARD ||
	       type == VIRTIO_BLK_T_WRITE_ZEROES;
}

/* 0: the request may go, and is paid for; else the time at which it may. */
static uint64_t ask_rate(struct virtio_blk *blk, const struct blk_request *request, uint64_t now)
{
	uint64_t len = request->chain.out_len + request->chain.in_len, of_bytes, of_requests;

	if (!rate_limits(request->type))
		return 0;
	token_bucket_set_rate(
		&blk->byte_bucket, atomic_load_explicit(&blk->bytes_per_s, memory_order_relaxed));
	token_bucket_set_rate(
		&blk->request_bucket, atomic_load_explicit(&blk->requests_per_s, memory_order_relaxed));
	of_bytes = token_bucket_ready_at(&blk->byte_bucket, len, now);
	of_requests = token_bucket_ready_at(&blk->request_bucket, 1, now);
	if (of_bytes || of_requests)
		return MAX(of_bytes, of_requests);
	token_bucket_take(&blk->byte_bucket, len, now);
	token_bucket_take(&blk->request_bucket, 1, now);
	return 0;
}

/* Says which queues have a request that waits for the rate from now on. */
static void set_waiting(struct virtio_blk *blk, uint64_t waiting, uint64_t now)
{
	int64_t throttled = atomic_load_explicit(&blk->stats.throttled, memory_order_relaxed);

	blk->waiting = waiting;
	if ((waiting != 0) != (throttled < 0))
		atomic_store_explicit(&blk->stats.throttled,
			waiting ? throttled - (int64_t)now : throttled + (int64_t)now, memory_order_relaxed);
}

/*
 * 5.2.6: a header of 16 bytes, data, and a status byte at the very end, cut into segments as the
 * driver likes. Without the byte there is no way to answer, and without a header nothing to answer
 * to: the queue is broken. 1, 0 for an empty queue, or -EPROTO.
 */
static int pop(struct virtqueue *queue, const struct guest_memory *mem, struct blk_request *request,
	struct virtio_blk_outhdr *header)
{
	int r = virtqueue_pop(queue, mem, &request->chain);

	if (r <= 0)
		return r;
	request->queue = queue;
	request->status = virtqueue_chain_take_last(&request->chain);
	if (!request->status || virtqueue_chain_read(&request->chain, header, sizeof(*header)) < 0)
		return -EPROTO;
	request->type = header->type;
	return 1;
}

static int blk_take(void *dev, unsigned index, struct virtqueue *queue, const struct guest_memory *mem,
	uint64_t *ret_not_before)
{
	struct virtio_blk *blk = dev;
	struct blk_request *request = blk->bytes_under_way < TRANSFER_MAX ? get_request(blk) : NULL;
	uint64_t bit = UINT64_C(1) << index, not_before;
	struct virtio_blk_outhdr header;
	int r;

	if (!request)
		return -EBUSY;
	r = pop(queue, mem, request, &header);
	if (r <= 0) {
		put_request(blk, request);
		return r;
	}
	request->start = clock_ns();
	not_before = ask_rate(blk, request, request->start);
	set_waiting(blk, not_before ? blk->waiting | bit : blk->waiting & ~bit, request->start);
	if (not_before) {
		virtqueue_unpop(queue);
		put_request(blk, request);
		*ret_not_before = not_before;
		return -EAGAIN;
	}
	r = prepare(blk, request, header.sector);
	if (r > 0)
		submit(blk, request);
	else
		answer(blk, request, r);
	return 1;
}

static uint64_t blk_features(void *dev)
{
	const struct virtio_blk *blk = dev;
	uint64_t features = FEATURE(VIRTIO_BLK_F_SIZE_MAX) | FEATURE(VIRTIO_BLK_F_SEG_MAX) |
	                    FEATURE(VIRTIO_BLK_F_BLK_SIZE) | FEATURE(VIRTIO_BLK_F_TOPOLOGY) |
	                    FEATURE(VIRTIO_BLK_F_FLUSH);

	if (blk->space.num_queues > 1)
		features |= FEATURE(VIRTIO_BLK_F_MQ);
	if (blk->block->read_only)
		return features | FEATURE(VIRTIO_BLK_F_RO);
	if (blk->block->can_discard)
		features |= FEATURE(VIRTIO_BLK_F_DISCARD);
	if (blk->block->can_write_zeroes)
		features |= FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
	return features;
}

static void blk_negotiated(void *dev, uint64_t features)
{
	struct virtio_blk *blk = dev;

	blk->negotiated = features;
}

static uint64_t blk_config_read(void *dev, uint64_t offset, unsigned size)
{
	const struct virtio_blk *blk = dev;
	uint8_t bytes[8] = {0};

	for (unsigned i = 0; i < size; i++)
		if (offset < sizeof(blk->space) - i)
			bytes[i] = ((const uint8_t *)&blk->space)[offset + i];
	return load_le(bytes, sizeof(bytes));
}

/* The one field a driver may write, `writeback`, comes with CONFIG_WCE, which is not offered. */
static void blk_config_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	(void)dev;
	(void)offset;
	(void)size;
	(void)value;
}

static void blk_reset(void *dev)
{
	struct virtio_blk *blk = dev;

	/* What was taken from the buckets stays taken: a reset is no way around the rate. */
	set_waiting(blk, 0, clock_ns());
	blk->negotiated = 0;
}

const struct virtio_device_ops virtio_blk_ops = {
	.device_id = VIRTIO_ID_BLOCK,
	.features = blk_features,
	.negotiated = blk_negotiated,
	.config_read = blk_config_read,
	.config_write = blk_config_write,
	.reset = blk_reset,
	.take = blk_take,
	.progress = blk_progress,
	.queue_size_max = QUEUE_SIZE,
};

/* 5.2.4 */
static void fill_config_space(
	struct virtio_blk_config *space, const struct block_backend *block, unsigned queues)
{
	uint32_t blocks = MAX(block->physical_size / block->logical_size, 1);

	space->capacity = block->size / SECTOR;
	space->size_max = SEGMENT_MAX;
	space->seg_max = SEGMENTS;
	space->blk_size = block->logical_size;
	space->num_queues = (uint16_t)queues;
	while (2u << space->physical_block_exp <= blocks)
		space->physical_block_exp++;
	space->min_io_size = (uint16_t)(1u << space->physical_block_exp);
	if (block->can_discard) {
		space->max_discard_sectors = DISCARD_SECTORS_MAX;
		space->max_discard_seg = DISCARD_SEGMENTS_MAX;
		space->discard_sector_alignment = MAX(block->physical_size, block->logical_size) / SECTOR;
		space->write_zeroes_may_unmap = block->can_write_zeroes;
	}
	if (block->can_write_zeroes) {
		space->max_write_zeroes_sectors = ZEROES_SECTORS_MAX;
		space->max_write_zeroes_seg = ZEROES_SEGMENTS_MAX;
	}
}

int virtio_blk_init(struct virtio_blk *blk, struct block_backend *block, const char *serial, unsigned queues)
{
	size_t len = strlen(serial);

	*blk = (struct virtio_blk){.block = block};
	if (len > sizeof(blk->serial))
		return -EINVAL;
	memcpy(blk->serial, serial, len);
	fill_config_space(&blk->space, block, queues);
	/* Mapped, so that only what is used of it takes up memory. */
	blk->requests = mmap(NULL, REQUESTS_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (blk->requests == MAP_FAILED) {
		blk->requests = NULL;
		return -ENOMEM;
	}
	return 0;
}

void virtio_blk_fini(struct virtio_blk *blk)
{
	if (blk->requests)
		munmap(blk->requests, REQUESTS_SIZE);
	blk->requests = NULL;
}

void virtio_blk_set_rate(struct virtio_blk *blk, uint64_t bytes_per_s, uint64_t requests_per_s)
{
	atomic_store_explicit(&blk->bytes_per_s, bytes_per_s, memory_order_relaxed);
	atomic_store_explicit(&blk->requests_per_s, requests_per_s, memory_order_relaxed);
}

uint64_t virtio_blk_throttled_ns(const struct virtio_blk *blk)
{
	int64_t throttled = atomic_load_explicit(&blk->stats.throttled, memory_order_acquire);

	/* The clock is read after the word, so that it is not behind what was taken off there. */
	return (uint64_t)(throttled < 0 ? throttled + (int64_t)clock_ns() : throttled);
}

void virtio_blk_keep(const struct virtio_blk *blk, struct virtio_blk_stats *ret_stats)
{
	memcpy(ret_stats, &blk->stats, sizeof(*ret_stats));
	/* A request that waits goes with its device, and its wait ends here. */
	atomic_store(&ret_stats->throttled, (int64_t)virtio_blk_throttled_ns(blk));
}

void virtio_blk_continue(struct virtio_blk *blk, const struct virtio_blk_stats *stats)
{
	memcpy(&blk->stats, stats, sizeof(blk->stats));
}
