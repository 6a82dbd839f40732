/* What the driver says of a queue: its size, its place, its indices, and that there is something in it. */
#include <stddef.h>

#include "clock.h"
#include "console.h"
#include "hostile.h"
#include "hostile_rig.h"
#include "../firmware/virtio_regs.h"
#include "x86.h"

#define QUEUE_SIZE_LARGEST 256u
#define STATUS_RUNNING     (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK)
#define SETTLE_US          2000
#define NOWHERE            0xfffffffffffff000ul

/* Before DRIVER_OK there is no interrupt to be had: the status alone tells. */
static const char *ready_is(bool works, const char *what, uint64_t value)
{
	rig_write(QUEUE_READY, 1);
	bool ready = rig_read(QUEUE_READY) == 1, broken = (rig_read(STATUS) & STATUS_NEEDS_RESET) != 0;

	if (ready == works && broken != works)
		return NULL;
	print("hostile: %s 0x%lx: ready %u, needs reset %u\n", what, value, ready, broken);
	return works ? "a good queue was refused" : "a queue that cannot be was taken";
}

static const char *try_size(uint32_t size)
{
	bool works = size != 0 && size <= QUEUE_SIZE_LARGEST && (size & (size - 1)) == 0;

	rig_start();
	rig_reset(RIG_FEATURES);
	rig_write(QUEUE_SEL, 0);
	rig_write(QUEUE_NUM, size);
	rig_write64(QUEUE_DESC, (uintptr_t)rig.desc);
	rig_write64(QUEUE_DRIVER, (uintptr_t)rig.avail);
	rig_write64(QUEUE_DEVICE, (uintptr_t)rig.used);
	return ready_is(works, "a size of", size);
}

static const char *queue_size(uint64_t rounds)
{
	static const uint32_t sizes[] = {0, 1, 2, 3, 7, 255, 256, 257, 512, 1000, 0x8000, 0xffff, 0x10000,
		0x10001, 0x10010, 0x7fffffff, 0x80000000, 0xffffffff};

	(void)rounds;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (rig_is_pci() && (sizes[i] == 0 || sizes[i] > UINT16_MAX))
			continue;
		const char *why = try_size(sizes[i]);

		if (why != NULL)
			return why;
	}
	/* A queue that runs does not grow. */
	rig_start();
	rig_write(QUEUE_NUM, QUEUE_SIZE_LARGEST);
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	rig_offer(0);
	rig_kick();
	const char *why = rig_expect(RIG_ANSWER, "a size that changes while the queue runs");

	if (why != NULL)
		return why;
	rig_offer(RIG_SIZE);
	rig_kick();
	return rig_expect(RIG_NEEDS_RESET, "a head within the size that was said later");
}

/* One of the three parts lies at addr, the others where they should. */
static const char *try_place(unsigned part, uint64_t addr, bool works)
{
	rig_start();
	rig_reset(RIG_FEATURES);
	rig_write(QUEUE_SEL, 0);
	rig_write(QUEUE_NUM, RIG_SIZE);
	rig_write64(QUEUE_DESC, part == 0 ? addr : (uintptr_t)rig.desc);
	rig_write64(QUEUE_DRIVER, part == 1 ? addr : (uintptr_t)rig.avail);
	rig_write64(QUEUE_DEVICE, part == 2 ? addr : (uintptr_t)rig.used);
	return ready_is(works,
		part == 0   ? "descriptors at"
		: part == 1 ? "available ring at"
			    : "used ring at",
		addr);
}

static const char *queue_address(uint64_t rounds)
{
	static const uint64_t wrong[] = {0xc0000000, 0xd0000000, 0xfec00000, 0xfee00000, 0xfffff000,
		0xfffffff0, 1ul << 45, 1ul << 52, 1ul << 63, NOWHERE, 0xfffffffffffffff0,
		0x100000000ul - 256};
	static const uint32_t bytes[] = {16 * RIG_SIZE, 6 + 2 * RIG_SIZE, 6 + 8 * RIG_SIZE};
	static const uint32_t align[] = {16, 2, 4};
	const char *why = NULL;

	(void)rounds;
	for (unsigned part = 0; part < 3; part++) {
		uint64_t last = (rig_low_end() - bytes[part]) & ~(uint64_t)(align[part] - 1);

		for (size_t i = 0; why == NULL && i < sizeof(wrong) / sizeof(wrong[0]); i++)
			why = try_place(part, wrong[i], false);
		if (why == NULL)
			why = try_place(part, last, true);
		if (why == NULL)
			why = try_place(part, last + align[part], false);
		if (why == NULL)
			why = try_place(part, rig_low_end(), false);
		if (why == NULL)
			why = try_place(part, 0x8000 + align[part] / 2, false);
		if (why != NULL)
			return why;
	}
	return NULL;
}

/* Whatever comes of it: not a hang, and not what other attacks say is wrong. */
static const char *try_overlap(
	const volatile void *desc, const volatile void *avail, const volatile void *used)
{
	rig_reset(RIG_FEATURES);
	rig_write(QUEUE_SEL, 0);
	rig_write(QUEUE_NUM, RIG_SIZE);
	rig_write64(QUEUE_DESC, (uintptr_t)desc);
	rig_write64(QUEUE_DRIVER, (uintptr_t)avail);
	rig_write64(QUEUE_DEVICE, (uintptr_t)used);
	rig_write(QUEUE_READY, 1);
	rig_write(STATUS, STATUS_RUNNING);
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	rig_offer(0);
	rig_kick();
	clock_delay(SETTLE_US);
	return rig_read(QUEUE_READY) == 1 ? NULL : "the queue is not ready";
}

static const char *queue_overlap(uint64_t rounds)
{
	const char *why;

	(void)rounds;
	rig_start();
	why = try_overlap(rig.desc, rig.avail, rig.avail);
	if (why == NULL)
		why = try_overlap(rig.desc, rig.desc, rig.used);
	if (why == NULL)
		why = try_overlap(rig.desc, rig.avail, rig.desc);
	if (why == NULL)
		why = try_overlap(rig.desc, rig.desc, rig.desc);
	return why;
}

static const char *avail_runaway(uint64_t rounds)
{
	static const uint16_t steps[] = {RIG_SIZE + 1, 0x7fff, 0x8000, 0xfffe, 0xffff};
	const char *why = NULL;

	(void)rounds;
	for (size_t i = 0; why == NULL && i < sizeof(steps) / sizeof(steps[0]); i++) {
		rig_start();
		rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
		/* One that is right first: the index runs away from there. */
		why = rig_try(RIG_ANSWER, "before the index runs away");
		rig.offered = (uint16_t)(rig.offered + steps[i]);
		rig.avail[RIG_INDEX] = rig.offered;
		rig_kick();
		if (why == NULL)
			why = rig_expect(RIG_NEEDS_RESET, "an index that runs away");
	}
	return why;
}

/* As much as fits, the same chain each time: no rule is broken, and all is answered. */
static const char *avail_repeat(uint64_t rounds)
{
	const char *why = NULL;

	rig_start();
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	for (uint64_t n = 0; why == NULL && n < rounds; n++) {
		for (unsigned i = 0; i < RIG_SIZE; i++)
			rig_offer(0);
		rig_kick();
		why = rig_expect(RIG_ANSWER, "one chain in all places of the ring");
	}
	return why;
}

static const char *index_range(uint64_t rounds)
{
	static const uint16_t wrong[] = {RIG_SIZE, RIG_SIZE + 1, 255, 256, 0x7fff, 0x8000, 0xffff};
	const char *why = NULL;

	(void)rounds;
	for (size_t i = 0; why == NULL && i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		rig_start();
		rig_offer(wrong[i]);
		rig_kick();
		why = rig_expect(RIG_NEEDS_RESET, "a head beyond the table");
		if (why != NULL)
			break;
		rig_start();
		rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
		rig.desc[1].next = wrong[i];
		why = rig_try(RIG_NEEDS_RESET, "a next beyond the table");
	}
	return why;
}

/* kvmtool's CVE-2021-45464: an index of a queue that is none, and configuration space beyond its end. */
static const char *queue_select(uint64_t rounds)
{
	static const uint32_t queues[] = {
		8, 9, 255, 256, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};
	static const unsigned registers[] = {QUEUE_NUM, QUEUE_READY, QUEUE_DESC, QUEUE_DESC + 4, QUEUE_DRIVER,
		QUEUE_DRIVER + 4, QUEUE_DEVICE, QUEUE_DEVICE + 4, QUEUE_READY};

	(void)rounds;
	rig_start();
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		if (rig_is_pci() && queues[i] > UINT16_MAX)
			break;
		rig_write(QUEUE_SEL, queues[i]);
		if (rig_read(QUEUE_NUM_MAX) != 0 || rig_read(QUEUE_READY) != 0)
			return "a queue that is none has a size";
		for (size_t r = 0; r < sizeof(registers) / sizeof(registers[0]); r++)
			rig_write(registers[r], r % 2 == 0 ? 1 : UINT32_MAX);
		rig_write(QUEUE_NOTIFY, queues[i]);
		if (rig_read(QUEUE_READY) != 0)
			return "a queue that is none became ready";
	}
	for (unsigned at = CONFIG + sizeof(struct blk_config); at < 0x200; at += 4) {
		rig_write(at, UINT32_MAX);
		if (rig_read(at) != 0)
			return "there is something behind the configuration space";
	}
	/* The one queue that is has seen nothing of all that. */
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	return rig_try(RIG_ANSWER, "after queues that are none");
}

/* At full speed; what is offered meanwhile is answered all the same. */
static const char *kick_flood(uint64_t rounds)
{
	const char *why = NULL;

	rig_start();
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	for (uint64_t n = 0; n < rounds; n++) {
		rig_write(QUEUE_NOTIFY, (uint32_t)n);
		if (n % 1024 == 512) {
			rig_offer(0);
			rig_kick();
		}
		if (n % 1024 == 1023 && (why = rig_expect(RIG_ANSWER, "amid kicks")) != NULL)
			return why;
	}
	return NULL;
}

/* Rings before there is anybody to ring for, and of a device that has given up. */
static const char *kick_early(uint64_t rounds)
{
	(void)rounds;
	rig_start();
	rig_reset(RIG_FEATURES);
	rig_write(QUEUE_NOTIFY, 0);
	rig_start();
	rig_offer(RIG_SIZE);
	rig_kick();
	const char *why = rig_expect(RIG_NEEDS_RESET, "a head beyond the table");

	if (why != NULL)
		return why;
	/* It does not come back by itself, nor by a status that is not 0 (virtio 1.2, 2.1.2). */
	uint16_t seen = rig.used[RIG_INDEX];

	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	rig_offer(0);
	for (unsigned i = 0; i < 50; i++)
		rig_write(QUEUE_NOTIFY, 0);
	rig_write(STATUS, STATUS_RUNNING);
	rig_kick();
	clock_delay(SETTLE_US);
	if (rig.used[RIG_INDEX] != seen)
		return "a device that needs a reset goes on without one";
	return (rig_read(STATUS) & STATUS_NEEDS_RESET) != 0 ? NULL : "DEVICE_NEEDS_RESET went away";
}

const struct attack attacks_queue[] = {
	{.name = "queue-size",
		.run = queue_size,
		.what = "queues of sizes that cannot be, and of one that grows"},
	{.name = "queue-address",
		.run = queue_address,
		.what = "rings outside RAM, across its end, misaligned"},
	{.name = "queue-overlap", .run = queue_overlap, .what = "rings that lie on each other"},
	{.name = "queue-select",
		.run = queue_select,
		.what = "queues that are none, configuration beyond its end"},
	{.name = "avail-runaway", .run = avail_runaway, .what = "the available index jumps"},
	{.name = "avail-repeat",
		.run = avail_repeat,
		.rounds = 20,
		.what = "one chain in all of the ring, again and again"},
	{.name = "index-range", .run = index_range, .what = "heads and next fields beyond the table"},
	{.name = "kick-flood",
		.run = kick_flood,
		.rounds = 4096,
		.what = "doorbells at full speed, for any queue"},
	{.name = "kick-early",
		.run = kick_early,
		.what = "doorbells of a device that is not ready, or broken"},
	{.name = NULL},
};
