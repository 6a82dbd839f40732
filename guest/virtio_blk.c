#include "virtio_blk.h"

#include "clock.h"
#include "console.h"
#include "hw.h"
#include "str.h"
#include "x86.h"

#define DISKS_MAX    8
#define TIMEOUT_US   5000000
#define STATUS_UNSET 0xff

/* The fields of 32 bits and more: up to the geometry, and from the limits of discard on. */
#define BLK_CONFIG_SIZES  offsetof(struct blk_config, geometry)
#define BLK_CONFIG_RANGES offsetof(struct blk_config, max_discard_sectors)

#define FEATURES_WANTED                                                                             \
	(BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_RO | BLK_F_BLK_SIZE | BLK_F_FLUSH | BLK_F_DISCARD | \
		BLK_F_WRITE_ZEROES | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1)

static struct disk disks[DISKS_MAX];
static unsigned disk_count;
static uint8_t queue_memory[DISKS_MAX][2 * VIRTQUEUE_ALIGN] __attribute__((aligned(4096)));
static struct virtqueue_desc indirect[DISKS_MAX][DISK_SEGMENTS + 2] __attribute__((aligned(16)));

struct disk *disk_get(unsigned index)
{
	return index < disk_count ? &disks[index] : NULL;
}

bool disk_has(const struct disk *disk, uint64_t feature)
{
	return (disk->device.features & feature) != 0;
}

const char *disk_status_name(int status)
{
	switch (status) {
	case BLK_S_OK:
		return "OK";
	case BLK_S_IOERR:
		return "IOERR";
	case BLK_S_UNSUPP:
		return "UNSUPP";
	case BLK_TIMEOUT:
		return "no answer, device reset";
	case BLK_BROKEN:
		return "device is broken";
	default:
		return "a status that virtio does not know";
	}
}

static bool start_disk(unsigned index)
{
	struct disk *disk = &disks[index];

	if (!virtio_start(&disk->device, FEATURES_WANTED) ||
		!virtio_start_queue(&disk->device, &disk->queue, queue_memory[index]))
		return false;
	if (disk_has(disk, VIRTIO_F_INDIRECT_DESC))
		disk->queue.indirect = indirect[index];
	/* Fields beyond the features offered may not be there at all. */
	virtio_read_config(&disk->device, 0, &disk->config, BLK_CONFIG_SIZES);
	if (disk_has(disk, BLK_F_DISCARD | BLK_F_WRITE_ZEROES))
		virtio_read_config(&disk->device, BLK_CONFIG_RANGES, &disk->config.max_discard_sectors,
			sizeof(disk->config) - BLK_CONFIG_RANGES);
	return true;
}

static void find_disks(enum hw_kind kind)
{
	const struct hw_device *hw_device;

	for (unsigned i = 0; (hw_device = hw_find(kind, i)) != NULL; i++) {
		if (disk_count == DISKS_MAX)
			return;
		struct disk *disk = &disks[disk_count];

		if (!virtio_probe(&disk->device, hw_device) || disk->device.id != VIRTIO_ID_BLOCK)
			continue;
		if (start_disk(disk_count))
			disk_count++;
		else
			print("lodger: %s: this disk does not start\n", hw_device->name);
	}
}

void virtio_blk_init(void)
{
	find_disks(HW_VIRTIO_MMIO);
	find_disks(HW_VIRTIO_PCI);
}

bool disk_restart(unsigned index)
{
	struct disk *disk = &disks[index];

	virtio_reset(&disk->device);
	memset(queue_memory[index], 0, sizeof(queue_memory[index]));
	disk->device.needs_reset = false;
	disk->dead = !start_disk(index);
	return !disk->dead;
}

static bool is_finished(void *arg)
{
	const struct disk *disk = arg;

	return virtqueue_is_done(&disk->queue) || disk->device.needs_reset;
}

static int give_up(struct disk *disk, int status)
{
	virtio_reset(&disk->device);
	disk->dead = true;
	return status;
}

/* How large a piece may be so that len bytes fit: 0 if they cannot. */
static uint32_t piece_size(const struct disk *disk, uint32_t len, uint32_t piece)
{
	uint32_t most = disk->queue.size > 2 ? disk->queue.size - 2u : 1;

	if (most > DISK_SEGMENTS)
		most = DISK_SEGMENTS;
	if (disk_has(disk, BLK_F_SEG_MAX) && disk->config.seg_max < most)
		most = disk->config.seg_max;
	if (piece == 0)
		piece = len;
	if (disk_has(disk, BLK_F_SIZE_MAX) && piece > disk->config.size_max)
		piece = disk->config.size_max;
	return piece != 0 && (len + piece - 1) / piece <= most ? piece : 0;
}

int disk_request(struct disk *disk, uint32_t type, uint64_t sector, void *buf, uint32_t len, uint32_t piece)
{
	struct blk_header header = {.type = type, .sector = sector};
	volatile uint8_t status = STATUS_UNSET;
	struct virtqueue_buffer buffers[DISK_SEGMENTS + 2];
	bool device_writes = type == BLK_T_IN || type == BLK_T_GET_ID;
	unsigned count = 0;
	uint32_t written;

	if (disk->dead)
		return BLK_BROKEN;
	if (len > 0 && (piece = piece_size(disk, len, piece)) == 0)
		return BLK_S_UNSUPP;
	buffers[count++] = (struct virtqueue_buffer){&header, sizeof(header), false};
	for (uint32_t at = 0; at < len; at += piece) {
		uint32_t part = len - at < piece ? len - at : piece;

		buffers[count++] = (struct virtqueue_buffer){(uint8_t *)buf + at, part, device_writes};
	}
	buffers[count++] = (struct virtqueue_buffer){(void *)(uintptr_t)&status, 1, true};
	if (virtqueue_offer(&disk->queue, buffers, count))
		virtio_notify(&disk->device);
	if (!clock_wait(is_finished, disk, TIMEOUT_US))
		return give_up(disk, BLK_TIMEOUT);
	if (disk->device.needs_reset || !virtqueue_take(&disk->queue, &written))
		return give_up(disk, BLK_BROKEN);
	return status;
}

int disk_range_request(struct disk *disk, uint32_t type, uint64_t sector, uint32_t count, uint32_t flags)
{
	struct blk_range range = {sector, count, flags};

	return disk_request(disk, type, 0, &range, sizeof(range), 0);
}
