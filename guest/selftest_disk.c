/*
 * Every kind of virtio-blk request, on the disk's last sectors, whose bytes are put back.
 * The order matters: save comes first, restore last.
 */
#include "selftest.h"

#include "clock.h"
#include "pattern.h"
#include "str.h"
#include "virtio_blk.h"

#define AREA        16ul /* sectors */
#define AREA_SIZE   (AREA * SECTOR_SIZE)
#define SEED        42u
#define T_UNKNOWN   99u
#define IRQ_WAIT_US 3000000

static struct disk *disk;
static uint8_t saved[AREA_SIZE] __attribute__((aligned(4096)));
static uint8_t data[AREA_SIZE] __attribute__((aligned(4096)));
static bool is_saved;

void selftest_use_disk(struct disk *use)
{
	disk = use;
	is_saved = false;
}

static uint64_t area(void)
{
	return disk->config.capacity - AREA;
}

static const char *unexpected(int status)
{
	return status == BLK_S_OK ? "OK, which it should not be" : disk_status_name(status);
}

static const char *why_not_writable(void)
{
	if (disk->config.capacity < AREA)
		return SKIP("the disk is too small");
	if (disk_has(disk, BLK_F_RO))
		return SKIP("the disk is read-only");
	return is_saved ? NULL : "its last sectors could not be read";
}

static const char *wanted(int status, int want)
{
	return status == want ? NULL : unexpected(status);
}

static const char *read_back(uint32_t piece)
{
	memset(data, 0xee, sizeof(data));
	return wanted(disk_request(disk, BLK_T_IN, area(), data, AREA_SIZE, piece), BLK_S_OK);
}

static bool interrupt_came(void *arg)
{
	const uint64_t *before = arg;

	return disk->device.interrupts != *before;
}

static const char *test_read(void)
{
	uint64_t before = disk->device.interrupts;

	if (disk->config.capacity < AREA)
		return SKIP("the disk is too small");
	const char *why = wanted(disk_request(disk, BLK_T_IN, area(), saved, AREA_SIZE, 0), BLK_S_OK);

	if (why != NULL)
		return why;
	is_saved = true;
	if (!disk->device.has_irq)
		return "its interrupt could not be routed";
	/* The request may be seen as done before its interrupt is. */
	return clock_wait(interrupt_came, &before, IRQ_WAIT_US) ? NULL : "no interrupt came";
}

static const char *test_id(void)
{
	char id[DISK_ID_SIZE];

	return wanted(disk_request(disk, BLK_T_GET_ID, 0, id, sizeof(id), 0), BLK_S_OK);
}

static const char *test_readonly(void)
{
	if (!disk_has(disk, BLK_F_RO))
		return SKIP("the disk is read-write");
	if (!is_saved)
		return SKIP("the disk is too small");
	return wanted(disk_request(disk, BLK_T_OUT, area(), saved, SECTOR_SIZE, 0), BLK_S_IOERR);
}

/* Writes the pattern and reads it, in pieces of so many bytes. */
static const char *write_and_read(uint32_t piece, uint64_t seed)
{
	const char *why = why_not_writable();

	if (why != NULL)
		return why;
	pattern_fill(data, area(), AREA, seed);
	why = wanted(disk_request(disk, BLK_T_OUT, area(), data, AREA_SIZE, piece), BLK_S_OK);
	if (why == NULL)
		why = read_back(piece);
	if (why != NULL)
		return why;
	return pattern_check(data, area(), AREA, seed) == AREA ? NULL : "other bytes came back";
}

static const char *test_write(void)
{
	return write_and_read(0, SEED);
}

/* 16 data buffers, or as many as the device takes: a chain, or an indirect table. */
static const char *test_chain(void)
{
	if (disk_has(disk, BLK_F_SEG_MAX) && disk->config.seg_max < AREA)
		return SKIP("the device takes fewer than 16 segments");
	return write_and_read(SECTOR_SIZE, SEED + 1);
}

/* The same without indirect descriptors: the device must take both forms. */
static const char *test_direct(void)
{
	struct virtqueue_desc *indirect = disk->queue.indirect;
	const char *why;

	if (indirect == NULL)
		return SKIP("the device takes no indirect descriptors anyway");
	if (disk_has(disk, BLK_F_SEG_MAX) && disk->config.seg_max < AREA)
		return SKIP("the device takes fewer than 16 segments");
	disk->queue.indirect = NULL;
	why = write_and_read(SECTOR_SIZE, SEED + 2);
	disk->queue.indirect = indirect;
	return why;
}

static const char *test_flush(void)
{
	if (!disk_has(disk, BLK_F_FLUSH))
		return SKIP("not offered");
	return wanted(disk_request(disk, BLK_T_FLUSH, 0, NULL, 0, 0), BLK_S_OK);
}

static const char *test_zeroes(void)
{
	const char *why = why_not_writable();

	if (!disk_has(disk, BLK_F_WRITE_ZEROES))
		return SKIP("not offered");
	if (why == NULL)
		why = write_and_read(0, SEED);
	if (why == NULL)
		why = wanted(disk_range_request(disk, BLK_T_WRITE_ZEROES, area() + 1, 2, 0), BLK_S_OK);
	if (why == NULL)
		why = read_back(0);
	if (why != NULL)
		return why;
	for (uint32_t i = 0; i < 2 * SECTOR_SIZE; i++) {
		if (data[SECTOR_SIZE + i] != 0)
			return "the sectors are not zero";
	}
	return pattern_check(data, area(), 1, SEED) == 1 ? NULL : "the sector before is hit, too";
}

static const char *test_discard(void)
{
	const char *why = why_not_writable();

	if (!disk_has(disk, BLK_F_DISCARD))
		return SKIP("not offered");
	if (why != NULL)
		return why;
	/* What is read afterwards is up to the device (5.2.6.2). */
	return wanted(disk_range_request(disk, BLK_T_DISCARD, area(), AREA, 0), BLK_S_OK);
}

static const char *test_beyond(void)
{
	uint64_t end = disk->config.capacity;
	int status = disk_request(disk, BLK_T_IN, end, data, SECTOR_SIZE, 0);

	if (status != BLK_S_IOERR)
		return unexpected(status);
	if (end > 0) { /* half in, half out */
		status = disk_request(disk, BLK_T_IN, end - 1, data, 2 * SECTOR_SIZE, 0);
		if (status != BLK_S_IOERR)
			return unexpected(status);
	}
	/* sector * 512 wraps around 2^64 */
	return wanted(disk_request(disk, BLK_T_IN, 1ul << 55, data, SECTOR_SIZE, 0), BLK_S_IOERR);
}

static const char *test_unknown(void)
{
	return wanted(disk_request(disk, T_UNKNOWN, 0, NULL, 0, 0), BLK_S_UNSUPP);
}

static const char *test_restore(void)
{
	const char *why = why_not_writable();

	if (why == NULL)
		why = wanted(disk_request(disk, BLK_T_OUT, area(), saved, AREA_SIZE, 0), BLK_S_OK);
	if (why == NULL)
		why = read_back(0);
	if (why != NULL)
		return why;
	return memcmp(data, saved, AREA_SIZE) == 0 ? NULL : "other bytes came back";
}

const struct selftest selftests_disk[] = {
	{"read", test_read},
	{"id", test_id},
	{"readonly", test_readonly},
	{"write", test_write},
	{"chain", test_chain},
	{"direct", test_direct},
	{"flush", test_flush},
	{"zeroes", test_zeroes},
	{"discard", test_discard},
	{"beyond", test_beyond},
	{"unknown", test_unknown},
	{"restore", test_restore},
	{NULL, NULL},
};
