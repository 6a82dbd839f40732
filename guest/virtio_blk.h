/* virtio-blk (virtio 1.2, 5.2): several disks, one request at a time on each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio.h"
#include "virtqueue.h"

#define SECTOR_SIZE   512u
#define DISK_ID_SIZE  20u
#define DISK_CHUNK    65536u /* the most that one request here carries */
#define DISK_SEGMENTS 64u    /* and in how many pieces */

/* 5.2.6: request types. */
enum {
	BLK_T_IN = 0,
	BLK_T_OUT = 1,
	BLK_T_FLUSH = 4,
	BLK_T_GET_ID = 8,
	BLK_T_DISCARD = 11,
	BLK_T_WRITE_ZEROES = 13,
};

/* What a request ends with: the device's status byte, or one of our own. */
enum {
	BLK_S_OK = 0,
	BLK_S_IOERR = 1,
	BLK_S_UNSUPP = 2,
	BLK_TIMEOUT = 256, /* it never answered, and was reset */
	BLK_BROKEN = 257,  /* it asked for a reset, or lied about the queue, or died earlier */
};

#define BLK_F_SIZE_MAX     (1ul << 1)
#define BLK_F_SEG_MAX      (1ul << 2)
#define BLK_F_RO           (1ul << 5)
#define BLK_F_BLK_SIZE     (1ul << 6)
#define BLK_F_FLUSH        (1ul << 9)
#define BLK_F_DISCARD      (1ul << 13)
#define BLK_F_WRITE_ZEROES (1ul << 14)

/* 5.2.4: the configuration space; the parts we do not use are kept for their offsets. */
struct blk_config {
	uint64_t capacity;
	uint32_t size_max;
	uint32_t seg_max;
	uint32_t geometry;
	uint32_t blk_size;
	uint32_t topology[2];
	uint32_t writeback_and_queues;
	uint32_t max_discard_sectors;
	uint32_t max_discard_seg;
	uint32_t discard_sector_alignment;
	uint32_t max_write_zeroes_sectors;
	uint32_t max_write_zeroes_seg;
	uint32_t write_zeroes_may_unmap;
};

/* 5.2.6 */
struct blk_header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

/* 5.2.6: what DISCARD and WRITE_ZEROES are about. */
struct blk_range {
	uint64_t sector;
	uint32_t count;
	uint32_t flags;
};

struct disk {
	struct virtio_device device;
	struct virtqueue queue;
	struct blk_config config;
	bool dead;
};

/* Finds all disks. Cheap: nothing is read from them. */
void virtio_blk_init(void);

/* The index-th disk, or NULL. */
struct disk *disk_get(unsigned index);

/* Resets a disk, whatever became of it, and starts it anew; false: it does not start. */
bool disk_restart(unsigned index);

bool disk_has(const struct disk *disk, uint64_t feature);

/*
 * One request: its data (len bytes, at most DISK_CHUNK) goes to or from buf in pieces of at most
 * piece bytes (0: as few as the device allows). Returns one of BLK_S_* or BLK_TIMEOUT, BLK_BROKEN.
 */
int disk_request(struct disk *disk, uint32_t type, uint64_t sector, void *buf, uint32_t len, uint32_t piece);

/* DISCARD or WRITE_ZEROES of a range (5.2.6); flags: 1 is "unmap". */
int disk_range_request(struct disk *disk, uint32_t type, uint64_t sector, uint32_t count, uint32_t flags);

const char *disk_status_name(int status);
