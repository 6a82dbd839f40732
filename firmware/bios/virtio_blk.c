/* The disks: virtio-blk over MMIO (virtio 1.2, 4.2 and 5.2), one request at a time, by polling. */
#include "bios/bios.h"
#include "bios/io.h"
#include "virtio_regs.h"

#define MAGIC_VALUE 0x74726976u /* "virt" */
#define ID_BLOCK    2

#define FEATURE_RO          (1u << 5)
#define FEATURE_FLUSH       (1u << 9)
#define FEATURE_1_VERSION_1 1u /* bit 32 */

#define DESC_NEXT    1
#define DESC_WRITE   2
#define NO_INTERRUPT 1
#define TYPE_IN      0
#define TYPE_OUT     1
#define TYPE_FLUSH   4
#define BLK_S_OK     0
#define BLK_S_UNSUPP 2
#define STATUS_UNSET 0xff

/* Between two looks at the clock and at the device: some milliseconds, where an instruction takes 0.6 us. */
#define POLLS           1000
#define TIMEOUT_SECONDS 60
#define RTC_SECONDS     0

#define barrier() __asm__ volatile("" ::: "memory")

static uint32_t reg_read(const struct disk *disk, uint32_t offset)
{
	return memory_read32(disk->registers + offset);
}

static void reg_write(const struct disk *disk, uint32_t offset, uint32_t value)
{
	memory_write32(disk->registers + offset, value);
}

/* Its upper half is 0: the queue lies below 4 GiB. */
static void reg_write_address(const struct disk *disk, uint32_t offset, const void *address)
{
	reg_write(disk, offset, (uint32_t)(uintptr_t)address);
	reg_write(disk, offset + 4, 0);
}

static uint32_t negotiate(const struct disk *disk)
{
	uint32_t features;

	reg_write(disk, DEVICE_FEATURES_SEL, 0);
	features = reg_read(disk, DEVICE_FEATURES) & (FEATURE_RO | FEATURE_FLUSH);
	reg_write(disk, DRIVER_FEATURES_SEL, 0);
	reg_write(disk, DRIVER_FEATURES, features);
	reg_write(disk, DRIVER_FEATURES_SEL, 1);
	reg_write(disk, DRIVER_FEATURES, FEATURE_1_VERSION_1);
	reg_write(disk, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	return features;
}

static bool start(struct disk *disk)
{
	uint32_t features;

	if (reg_read(disk, MAGIC) != MAGIC_VALUE || reg_read(disk, VERSION) != 2 ||
		reg_read(disk, DEVICE_ID) != ID_BLOCK)
		return false;
	reg_write(disk, STATUS, 0);
	reg_write(disk, STATUS, STATUS_ACKNOWLEDGE);
	reg_write(disk, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	features = negotiate(disk);
	reg_write(disk, QUEUE_SEL, 0);
	if (!(reg_read(disk, STATUS) & STATUS_FEATURES_OK) || reg_read(disk, QUEUE_NUM_MAX) < QUEUE_SIZE)
		return false;
	reg_write(disk, QUEUE_NUM, QUEUE_SIZE);
	reg_write_address(disk, QUEUE_DESC, disk->queue.descriptors);
	reg_write_address(disk, QUEUE_DRIVER, &disk->queue.available);
	reg_write_address(disk, QUEUE_DEVICE, &disk->queue.used);
	reg_write(disk, QUEUE_READY, 1);
	reg_write(disk, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	disk->queue.available.flags = NO_INTERRUPT;
	disk->read_only = features & FEATURE_RO;
	disk->flush = features & FEATURE_FLUSH;
	disk->sectors = reg_read(disk, CONFIG) | (uint64_t)reg_read(disk, CONFIG + 4) << 32;
	disk->geometry = geometry_of(disk->sectors);
	return true;
}

/* The machine has a place for each, and nothing in between; what is not there reads as all ones. */
void virtio_blk_find(struct bios *bios)
{
	uint32_t slot;

	for (slot = 0; slot < DISKS_MAX; slot++) {
		struct disk *disk = &bios->disks[bios->disk_count];

		*disk = (struct disk){.registers = VIRTIO_SLOTS_BASE + slot * VIRTIO_SLOTS_STRIDE};
		if (start(disk))
			bios->disk_count++;
	}
}

static void offer(
	struct queue *queue, enum direction direction, uint64_t sector, uint64_t address, uint32_t len)
{
	static const uint32_t types[] = {
		[DISK_READ] = TYPE_IN, [DISK_WRITE] = TYPE_OUT, [DISK_FLUSH] = TYPE_FLUSH};
	unsigned last = len ? 2 : 1;

	queue->header.type = types[direction];
	queue->header.sector = sector;
	queue->status = STATUS_UNSET;
	queue->descriptors[0].address = (uintptr_t)&queue->header;
	queue->descriptors[0].len = sizeof(queue->header);
	queue->descriptors[0].flags = DESC_NEXT;
	queue->descriptors[0].next = 1;
	queue->descriptors[1].address = address;
	queue->descriptors[1].len = len;
	queue->descriptors[1].flags = direction == DISK_READ ? DESC_NEXT | DESC_WRITE : DESC_NEXT;
	queue->descriptors[1].next = 2;
	queue->descriptors[last].address = (uintptr_t)&queue->status;
	queue->descriptors[last].len = 1;
	queue->descriptors[last].flags = DESC_WRITE;
	queue->available.ring[queue->available.index % QUEUE_SIZE] = 0;
	barrier(); /* the chain before the index that publishes it */
	queue->available.index++;
	barrier();
}

/*
 * Until the device is done with it. The clock is asked for changes of its seconds alone: so a guest that was paused
 * meanwhile has lost one at most.
 */
static bool wait(const struct disk *disk)
{
	const volatile uint16_t *used = &disk->queue.used.index;
	unsigned polls, seconds = 0;
	uint8_t second = 0, now;

	while (seconds <= TIMEOUT_SECONDS) {
		for (polls = 0; polls < POLLS; polls++) {
			if (*used == disk->queue.available.index)
				return true;
			__asm__ volatile("pause");
		}
		if (reg_read(disk, STATUS) & STATUS_NEEDS_RESET)
			return false;
		now = rtc_read(RTC_SECONDS);
		seconds += now != second;
		second = now;
	}
	return false;
}

enum transfer virtio_blk_transfer(
	struct disk *disk, enum direction direction, uint64_t sector, uint64_t address, uint32_t count)
{
	if (disk->dead)
		return TRANSFER_TIMEOUT;
	offer(&disk->queue, direction, sector, address, count * SECTOR_SIZE);
	reg_write(disk, QUEUE_NOTIFY, 0);
	if (!wait(disk)) {
		reg_write(disk, STATUS, 0); /* it touches memory no more */
		disk->dead = true;
		return TRANSFER_TIMEOUT;
	}
	barrier();
	switch (disk->queue.status) {
	case BLK_S_OK:
		return TRANSFER_OK;
	case BLK_S_UNSUPP:
		return TRANSFER_UNSUPPORTED;
	default:
		return TRANSFER_FAILED;
	}
}
