#include "virtio/virtio_blk.h"

#include <errno.h>
#include <linux/virtio_ids.h>

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
	return sector * SECTOR % block->logical_size ? -EINVAL : 0;
}

static int serve_read(
	struct virtio_blk *blk, struct virtqueue_chain *chain, uint64_t sector, uint32_t *written)
{
	uint64_t len = chain->in_len;
	int r = check_range(blk, sector, len);

	counter_add(&blk->stats.reads, 1);
	if (r == 0 && len > 0)
		r = blk->block->ops->readv(blk->block, chain->in, (int)chain->in_count, sector * SECTOR);
	if (r < 0)
		return r;
	counter_add(&blk->stats.bytes_read, len);
	*written = (uint32_t)len;
	return 0;
}

/*
 * 5.2.6.2: a driver that was offered FLUSH and did not take it will never flush, so what it writes
 * is stable when the request completes.
 */
static int make_stable(struct virtio_blk *blk)
{
	return negotiated(blk, VIRTIO_BLK_F_FLUSH) ? 0 : blk->block->ops->flush(blk->block);
}

static int serve_write(struct virtio_blk *blk, struct virtqueue_chain *chain, uint64_t sector)
{
	uint64_t len = chain->out_len;
	int r = blk->block->read_only ? -EROFS : check_range(blk, sector, len);

	counter_add(&blk->stats.writes, 1);
	if (r == 0 && len > 0)
		r = blk->block->ops->writev(blk->block, chain->out, (int)chain->out_count, sector * SECTOR);
	if (r == 0)
		r = make_stable(blk);
	if (r == 0)
		counter_add(&blk->stats.bytes_written, len);
	return r;
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

/* Discard and write zeroes. All segments are judged before the first one is carried out. */
static int serve_discard(struct virtio_blk *blk, struct virtqueue_chain *chain, bool discard)
{
	struct virtio_blk_discard_write_zeroes segments[DISCARD_SEGMENTS_MAX];
	const struct block_ops *ops = blk->block->ops;
	uint64_t len = chain->out_len;
	unsigned count = (unsigned)(len / sizeof(segments[0]));
	int r = 0;

	counter_add(&blk->stats.discards, 1);
	if (!negotiated(blk, discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES))
		return -EOPNOTSUPP;
	if (len % sizeof(segments[0]) || len > sizeof(segments) ||
		count > (discard ? DISCARD_SEGMENTS_MAX : ZEROES_SEGMENTS_MAX))
		return -EINVAL;
	r = virtqueue_chain_read(chain, segments, len);
	for (unsigned i = 0; r == 0 && i < count; i++)
		r = check_segment(blk, discard, &segments[i]);
	for (unsigned i = 0; r == 0 && i < count; i++) {
		uint64_t offset = segments[i].sector * SECTOR;
		uint64_t bytes = (uint64_t)segments[i].num_sectors * SECTOR;
		bool unmap = segments[i].flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;

		if (bytes == 0)
			continue;
		if (discard) {
			r = ops->discard(blk->block, offset, bytes);
		} else {
			/* Many hosts have to write them, and all are asked to. */
			token_bucket_take(&blk->bytes, bytes, clock_ns());
			r = ops->write_zeroes(blk->block, offset, bytes, unmap);
		}
	}
	return r < 0 ? r : make_stable(blk);
}

/* 5.2.6.1: up to 20 bytes, NUL-padded; all 20 may be in use. */
static int serve_get_id(struct virtio_blk *blk, struct virtqueue_chain *chain, uint32_t *written)
{
	counter_add(&blk->stats.others, 1);
	*written = (uint32_t)virtqueue_chain_write(chain, blk->serial, sizeof(blk->serial));
	return 0;
}

/* 0 or -errno; *written is set to how many bytes of the data went to the driver. */
static int serve_request(struct virtio_blk *blk, const struct virtio_blk_outhdr *header,
	struct virtqueue_chain *chain, uint32_t *written)
{
	switch (header->type) {
	case VIRTIO_BLK_T_IN:
		return serve_read(blk, chain, header->sector, written);
	case VIRTIO_BLK_T_OUT:
		return serve_write(blk, chain, header->sector);
	case VIRTIO_BLK_T_FLUSH:
		counter_add(&blk->stats.flushes, 1);
		return blk->block->ops->flush(blk->block);
	case VIRTIO_BLK_T_DISCARD:
		return serve_discard(blk, chain, true);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return serve_discard(blk, chain, false);
	case VIRTIO_BLK_T_GET_ID:
		return serve_get_id(blk, chain, written);
	default:
		counter_add(&blk->stats.others, 1);
		return -EOPNOTSUPP;
	}
}

/* What the rate is about: requests that move data. The others cost the host little, or are its safety. */
static bool rate_limits(uint32_t type)
{
	return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_OUT || type == VIRTIO_BLK_T_DISCARD ||
	       type == VIRTIO_BLK_T_WRITE_ZEROES;
}

/* 0: the request may go, and is paid for; else the time at which it may. */
static uint64_t ask_rate(
	struct virtio_blk *blk, uint32_t type, const struct virtqueue_chain *chain, uint64_t now)
{
	uint64_t len = chain->out_len + chain->in_len, of_bytes, of_requests;

	if (!rate_limits(type))
		return 0;
	token_bucket_set_rate(&blk->bytes, atomic_load_explicit(&blk->bytes_per_s, memory_order_relaxed));
	token_bucket_set_rate(
		&blk->requests, atomic_load_explicit(&blk->requests_per_s, memory_order_relaxed));
	of_bytes = token_bucket_ready_at(&blk->bytes, len, now);
	of_requests = token_bucket_ready_at(&blk->requests, 1, now);
	if (of_bytes || of_requests)
		return MAX(of_bytes, of_requests);
	token_bucket_take(&blk->bytes, len, now);
	token_bucket_take(&blk->requests, 1, now);
	return 0;
}

/* Says whether a request waits for the rate from now on. */
static void set_throttled(struct virtio_blk *blk, bool waits, uint64_t now)
{
	int64_t throttled = atomic_load_explicit(&blk->stats.throttled, memory_order_relaxed);

	if (waits != (throttled < 0))
		atomic_store_explicit(&blk->stats.throttled,
			waits ? throttled - (int64_t)now : throttled + (int64_t)now, memory_order_relaxed);
}

/*
 * 5.2.6: a header of 16 bytes, data, and a status byte at the very end, cut into segments as the
 * driver likes. Without the byte there is no way to answer, and without a header nothing to answer
 * to: the queue is broken.
 */
static int blk_serve(void *dev, unsigned index, struct virtqueue *queue, const struct guest_memory *mem,
	uint64_t *ret_not_before)
{
	struct virtio_blk *blk = dev;
	struct virtqueue_chain chain;
	struct virtio_blk_outhdr header;
	uint64_t start, not_before;
	uint32_t written = 0;
	uint8_t *status;
	int r;

	(void)index;
	r = virtqueue_pop(queue, mem, &chain);
	if (r <= 0)
		return r;
	status = virtqueue_chain_take_last(&chain);
	if (!status || virtqueue_chain_read(&chain, &header, sizeof(header)) < 0)
		return -EPROTO;
	start = clock_ns();
	not_before = ask_rate(blk, header.type, &chain, start);
	set_throttled(blk, not_before, start);
	if (not_before) {
		virtqueue_unpop(queue);
		*ret_not_before = not_before;
		return -EAGAIN;
	}
	r = serve_request(blk, &header, &chain, &written);
	if (r < 0)
		counter_add(&blk->stats.errors, 1);
	*status = r == 0 ? VIRTIO_BLK_S_OK : r == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
	histogram_add(&blk->stats.latency, clock_ns() - start);
	virtqueue_push(queue, chain.head, written + 1);
	return 1;
}

static uint64_t blk_features(void *dev)
{
	const struct virtio_blk *blk = dev;
	uint64_t features = FEATURE(VIRTIO_BLK_F_SEG_MAX) | FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
	                    FEATURE(VIRTIO_BLK_F_TOPOLOGY) | FEATURE(VIRTIO_BLK_F_FLUSH);

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
	set_throttled(blk, false, clock_ns());
	blk->negotiated = 0;
}

const struct virtio_device_ops virtio_blk_ops = {
	.device_id = VIRTIO_ID_BLOCK,
	.features = blk_features,
	.negotiated = blk_negotiated,
	.config_read = blk_config_read,
	.config_write = blk_config_write,
	.reset = blk_reset,
	.serve = blk_serve,
	.queue_count = 1,
	.queue_size_max = QUEUE_SIZE,
};

/* 5.2.4 */
static void fill_config_space(struct virtio_blk_config *space, const struct block_backend *block)
{
	uint32_t blocks = MAX(block->physical_size / block->logical_size, 1);

	space->capacity = block->size / SECTOR;
	space->seg_max = VIRTQUEUE_CHAIN_MAX - 2; /* the header and the status take one each */
	space->blk_size = block->logical_size;
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

int virtio_blk_init(struct virtio_blk *blk, struct block_backend *block, const char *serial)
{
	size_t len = strlen(serial);

	*blk = (struct virtio_blk){.block = block};
	if (len > sizeof(blk->serial))
		return -EINVAL;
	memcpy(blk->serial, serial, len);
	fill_config_space(&blk->space, block);
	return 0;
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
