/* Requests that are well-formed chains, and ask for what cannot be (virtio 1.2, 5.2.6). */
#include <stddef.h>

#include "console.h"
#include "hostile.h"
#include "hostile_rig.h"
#include "str.h"

#define GUARD        0xa5
#define UNMAP        1u
#define SECTORS_MOST (UINT64_MAX / SECTOR_SIZE)
#define ID_BUFFER    600u
#define DISCARD_SEGS 16u

static uint64_t capacity(void)
{
	return disk_get(0)->config.capacity;
}

static const char *sector_edges(uint64_t rounds)
{
	const uint64_t wrong[] = {
		capacity(), capacity() + 1, 1ul << 32, SECTORS_MOST, SECTORS_MOST + 1, 1ul << 63, UINT64_MAX};
	static const uint32_t odd[] = {1, 511, 513, 1025, 65535};
	const char *why = NULL;

	(void)rounds;
	rig_start();
	for (uint32_t type = BLK_T_IN; type <= BLK_T_OUT; type++) {
		for (size_t i = 0; why == NULL && i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			rig_chain(0, type, wrong[i], rig_data, SECTOR_SIZE);
			why = rig_try_answer(BLK_S_IOERR, 1, "a sector beyond the disk");
		}
		for (size_t i = 0; why == NULL && i < sizeof(odd) / sizeof(odd[0]); i++) {
			rig_chain(0, type, 0, rig_data, odd[i]);
			why = rig_try_answer(BLK_S_IOERR, 1, "a length that is no number of sectors");
		}
		if (why != NULL)
			return why;
		rig_chain(0, type, capacity() - 1, rig_data, 2 * SECTOR_SIZE);
		if ((why = rig_try_answer(BLK_S_IOERR, 1, "a request across the disk's end")) != NULL)
			return why;
	}
	rig_chain(0, BLK_T_IN, capacity() - 1, rig_data, SECTOR_SIZE);
	return rig_try_answer(BLK_S_OK, SECTOR_SIZE + 1, "the last sector");
}

static const char *request_types(uint64_t rounds)
{
	static const uint32_t none[] = {
		2, 3, 5, 6, 7, 9, 10, 12, 14, 15, 16, 24, 255, 0x10000, 0x80000000, 0x80000001, 0xffffffff};
	const char *why = NULL;

	(void)rounds;
	rig_start();
	for (size_t i = 0; why == NULL && i < sizeof(none) / sizeof(none[0]); i++) {
		rig_chain(0, none[i], 0, rig_data, SECTOR_SIZE);
		why = rig_try_answer(BLK_S_UNSUPP, 1, "a request that is none");
	}
	/* What was not negotiated is none either. */
	if (why == NULL) {
		rig_start_with(VIRTIO_F_VERSION_1, RIG_SIZE);
		rig_chain(0, BLK_T_DISCARD, 0, rig_data, sizeof(struct blk_range));
		why = rig_try_answer(BLK_S_UNSUPP, 1, "a discard without its feature");
	}
	if (why == NULL) {
		rig_chain(0, BLK_T_WRITE_ZEROES, 0, rig_data, sizeof(struct blk_range));
		why = rig_try_answer(BLK_S_UNSUPP, 1, "zeroes without their feature");
	}
	return why;
}

/* So many bytes of room for the 20 of a serial number, in one piece or in single bytes. */
static const char *try_id(uint32_t len, bool bytes)
{
	uint32_t given = len < DISK_ID_SIZE ? len : DISK_ID_SIZE;
	const char *why;

	memset(rig_data, GUARD, ID_BUFFER);
	rig_start_with(RIG_FEATURES, 64);
	rig_chain(0, BLK_T_GET_ID, 0, rig_data, len);
	for (uint32_t i = 0; bytes && i <= len; i++) {
		uint64_t addr = i < len ? (uintptr_t)&rig_data[i] : (uintptr_t)&rig_status;

		rig_desc(&rig.desc[1 + i], addr, 1, DESC_WRITE | (i < len ? DESC_NEXT : 0), i + 2);
	}
	why = rig_try_answer(BLK_S_OK, given + 1, "a serial number");
	for (uint32_t i = given; why == NULL && i < ID_BUFFER; i++) {
		if (rig_data[i] != GUARD)
			why = "more than the serial number was written";
	}
	return why;
}

static const char *get_id(uint64_t rounds)
{
	static const uint32_t lens[] = {0, 1, 19, 20, 21, 40, 511, 512};
	const char *why = NULL;

	(void)rounds;
	for (size_t i = 0; why == NULL && i < sizeof(lens) / sizeof(lens[0]); i++) {
		why = try_id(lens[i], false);
		if (why == NULL && lens[i] <= 40)
			why = try_id(lens[i], true);
	}
	return why;
}

static const char *try_ranges(uint32_t type, const struct blk_range *ranges, uint32_t len, uint8_t status)
{
	const char *why;

	memcpy(rig_data, ranges, len);
	rig_chain(0, type, 0, rig_data, len);
	why = rig_try_answer(status, 1, type == BLK_T_DISCARD ? "a discard" : "zeroes");
	if (why != NULL)
		print("hostile: sector 0x%lx, count 0x%x, flags 0x%x, %u bytes\n", ranges[0].sector,
			ranges[0].count, ranges[0].flags, len);
	return why;
}

static const char *try_wrong_ranges(uint32_t type)
{
	uint32_t most = type == BLK_T_DISCARD ? disk_get(0)->config.max_discard_sectors
	                                      : disk_get(0)->config.max_write_zeroes_sectors;
	const struct {
		struct blk_range range;
		uint8_t status;
	} cases[] = {
		{{0, 1, 0}, BLK_S_OK},
		{{0, 0, 0}, BLK_S_OK},
		{{capacity(), 0, 0}, BLK_S_OK},
		{{capacity(), 1, 0}, BLK_S_IOERR},
		{{capacity() - 1, 2, 0}, BLK_S_IOERR},
		{{0, most + 1, 0}, BLK_S_IOERR},
		{{0, UINT32_MAX, 0}, BLK_S_IOERR},
		{{UINT64_MAX, 1, 0}, BLK_S_IOERR},
		{{UINT64_MAX, UINT32_MAX, 0}, BLK_S_IOERR},
		{{SECTORS_MOST, 1, 0}, BLK_S_IOERR},
		{{1ul << 63, 8, 0}, BLK_S_IOERR},
		{{0, 1, UNMAP}, type == BLK_T_DISCARD ? BLK_S_UNSUPP : BLK_S_OK},
		{{0, 1, 2}, BLK_S_UNSUPP},
		{{0, 1, 0x80000000}, BLK_S_UNSUPP},
		{{0, 1, 0xffffffff}, BLK_S_UNSUPP},
	};
	const char *why = NULL;

	for (size_t i = 0; why == NULL && i < sizeof(cases) / sizeof(cases[0]); i++)
		why = try_ranges(type, &cases[i].range, sizeof(cases[i].range), cases[i].status);
	return why;
}

static const char *ranges(uint64_t rounds)
{
	static const uint32_t cut[] = {1, 8, 15, 17, 31};
	static struct blk_range many[DISCARD_SEGS + 1];
	const char *why = NULL;

	(void)rounds;
	rig_start();
	for (uint32_t i = 0; i <= DISCARD_SEGS; i++)
		many[i] = (struct blk_range){.sector = i, .count = 1};
	for (uint32_t type = BLK_T_DISCARD; type <= BLK_T_WRITE_ZEROES; type += 2) {
		uint32_t segs = type == BLK_T_DISCARD ? DISCARD_SEGS : 1;

		why = try_wrong_ranges(type);
		for (size_t i = 0; why == NULL && i < sizeof(cut) / sizeof(cut[0]); i++)
			why = try_ranges(type, many, cut[i], BLK_S_IOERR);
		if (why == NULL)
			why = try_ranges(type, many, segs * sizeof(many[0]), BLK_S_OK);
		if (why == NULL)
			why = try_ranges(type, many, (segs + 1) * sizeof(many[0]), BLK_S_IOERR);
		if (why != NULL)
			return why;
		/* A whole page of segments; and none. */
		rig_chain(0, type, 0, rig_data, 4096);
		if ((why = rig_try_answer(BLK_S_IOERR, 1, "256 segments")) != NULL)
			return why;
		rig_chain(0, type, 0, rig_data, 0);
		if ((why = rig_try_answer(BLK_S_OK, 1, "no segment")) != NULL)
			return why;
	}
	return NULL;
}

/* All are judged before the first is done: one wrong segment, and the sector of the right one keeps its bytes. */
static const char *ranges_half_right(uint64_t rounds)
{
	const struct blk_range two[] = {{.sector = 3, .count = 1}, {.sector = capacity(), .count = 1}};
	const char *why;

	(void)rounds;
	rig_start();
	memset(rig_data, GUARD, SECTOR_SIZE);
	rig_chain(0, BLK_T_OUT, 3, rig_data, SECTOR_SIZE);
	if ((why = rig_try_answer(BLK_S_OK, 1, "a write")) != NULL)
		return why;
	if ((why = try_ranges(BLK_T_DISCARD, two, sizeof(two), BLK_S_IOERR)) != NULL)
		return why;
	memset(rig_data, 0, SECTOR_SIZE);
	rig_chain(0, BLK_T_IN, 3, rig_data, SECTOR_SIZE);
	if ((why = rig_try_answer(BLK_S_OK, SECTOR_SIZE + 1, "a read")) != NULL)
		return why;
	for (uint32_t i = 0; i < SECTOR_SIZE; i++) {
		if (rig_data[i] != GUARD)
			return "half of a wrong discard was carried out";
	}
	return NULL;
}

/* A ring full of them each time. */
static const char *flush_storm(uint64_t rounds)
{
	const char *why = NULL;

	rig_start_with(RIG_FEATURES, 256);
	rig_chain(0, BLK_T_FLUSH, 0, rig_data, 0);
	for (uint64_t n = 0; why == NULL && n < rounds; n++) {
		for (unsigned i = 0; i < 256; i++)
			rig_offer(0);
		rig_kick();
		why = rig_expect(RIG_ANSWER, "256 flushes");
	}
	return why;
}

/* As many pieces as a queue has, of one byte each, read and written. */
static const char *byte_pieces(uint64_t rounds)
{
	const char *why = NULL;

	(void)rounds;
	for (uint32_t type = BLK_T_IN; why == NULL && type <= BLK_T_OUT; type++) {
		uint32_t write = type == BLK_T_IN ? DESC_WRITE : 0;

		rig_start_with(RIG_FEATURES, 256);
		rig_chain(0, type, 0, rig_data, 1);
		for (uint32_t i = 1; i < 255; i++)
			rig_desc(&rig.desc[i], (uintptr_t)&rig_data[i], i < 254 ? 1 : SECTOR_SIZE - 253,
				DESC_NEXT | write, i + 1);
		rig_desc(&rig.desc[255], (uintptr_t)&rig_status, 1, DESC_WRITE, 0);
		why = rig_try_answer(BLK_S_OK, type == BLK_T_IN ? SECTOR_SIZE + 1 : 1, "254 pieces");
	}
	return why;
}

const struct attack attacks_disk[] = {
	{.name = "sector-edges",
		.run = sector_edges,
		.what = "sectors beyond the disk, lengths that are no sectors"},
	{.name = "request-types",
		.run = request_types,
		.what = "requests that there are not, or were not negotiated"},
	{.name = "get-id",
		.run = get_id,
		.what = "serial numbers into buffers of any length, and in single bytes"},
	{.name = "ranges",
		.run = ranges,
		.what = "discard and write zeroes: overflows, unknown flags, too many"},
	{.name = "ranges-half-right",
		.run = ranges_half_right,
		.what = "a discard of a right and a wrong segment"},
	{.name = "flush-storm",
		.run = flush_storm,
		.rounds = 4,
		.what = "a ring full of flushes, again and again"},
	{.name = "byte-pieces", .run = byte_pieces, .what = "requests of 254 pieces of a byte each"},
	{.name = NULL},
};
