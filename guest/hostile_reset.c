/* Resets, queues that stop, and drivers that give up, all while requests are in flight. */
#include <stddef.h>

#include "clock.h"
#include "console.h"
#include "hostile.h"
#include "hostile_rig.h"
#include "str.h"
#include "../firmware/virtio_regs.h"

#define IN_FLIGHT 64u /* requests, in one queue */
#define CHUNK     (RIG_DATA / 2)
#define MARK      0x5a
#define QUIET_US  2000

/* Reads into the first half of rig_data, and flushes, which no host has done at once; and nobody waits for them. */
static void launch(void)
{
	static struct blk_header flush = {.type = BLK_T_FLUSH};

	rig_start_with(RIG_FEATURES, 256);
	rig_chain(0, BLK_T_IN, 0, rig_data, CHUNK);
	rig_desc(&rig.desc[3], (uintptr_t)&flush, sizeof(flush), DESC_NEXT, 4);
	rig_desc(&rig.desc[4], (uintptr_t)&rig_status, 1, DESC_WRITE, 0);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		rig_offer(i % 2 == 0 ? 0 : 3);
	rig_kick();
}

/* Nothing arrives any more: neither data nor answers. */
static const char *is_quiet(void)
{
	uint16_t used = rig.used[RIG_INDEX];

	rig_status = MARK;
	for (unsigned i = 0; i < CHUNK; i += 512)
		rig_data[i] = MARK;
	clock_delay(QUIET_US);
	if (rig.used[RIG_INDEX] != used || rig_status != MARK)
		return "an answer came after the reset";
	for (unsigned i = 0; i < CHUNK; i += 512) {
		if (rig_data[i] != MARK)
			return "data came after the reset";
	}
	return NULL;
}

/* So that what is read is not the mark. */
static const char *clear_disk(void)
{
	rig_start();
	memset(rig_data, 0, SECTOR_SIZE);
	for (unsigned i = 0; i < CHUNK; i += 512)
		rig_data[i] = 0;
	rig_chain(0, BLK_T_OUT, 0, rig_data, CHUNK);
	return rig_try_answer(BLK_S_OK, 1, "a write");
}

/* cloud-hypervisor's CVE-2026-45782: what is under way when a reset comes must not come back later. */
static const char *reset_in_flight(uint64_t rounds)
{
	const char *why = clear_disk();

	for (uint64_t n = 0; why == NULL && n < rounds; n++) {
		launch();
		clock_delay(n % 8 * 20); /* at other moments of their lives */
		rig_write(STATUS, 0);
		if (rig_read(STATUS) != 0)
			return "the reset is not done when its write is";
		why = is_quiet();
	}
	return why;
}

/* 2.6.1 has a queue's reset; here QueueReady 0 is what there is: all that was taken is answered before it reads 0. */
static const char *stop_in_flight(uint64_t rounds)
{
	const char *why = clear_disk();

	for (uint64_t n = 0; why == NULL && n < rounds; n++) {
		launch();
		clock_delay(n % 8 * 20);
		rig_write(QUEUE_READY, 0);
		if (rig_read(QUEUE_READY) != 0)
			return "the queue does not stop";
		why = is_quiet();
	}
	return why;
}

/* FAILED is no reset: what was taken may be answered, but what is offered later is not looked at. */
static const char *fail_in_flight(uint64_t rounds)
{
	static volatile uint8_t late;
	const char *why = clear_disk();

	for (uint64_t n = 0; why == NULL && n < rounds; n++) {
		launch();
		rig_write(STATUS, STATUS_FAILED);
		late = MARK;
		rig_desc(&rig.desc[5], (uintptr_t)&rig_header, sizeof(rig_header), DESC_NEXT, 6);
		rig_desc(&rig.desc[6], (uintptr_t)rig_data + CHUNK, SECTOR_SIZE, DESC_NEXT | DESC_WRITE, 7);
		rig_desc(&rig.desc[7], (uintptr_t)&late, 1, DESC_WRITE, 0);
		rig_offer(5);
		rig_kick();
		clock_delay(QUIET_US);
		if (late != MARK)
			why = "a device that was given up goes on";
	}
	return why;
}

/* The same requests in flight, and one among them that makes the device give up. */
static const char *lie_in_flight(uint64_t rounds)
{
	const char *why = NULL;

	for (uint64_t n = 0; why == NULL && n < rounds; n++) {
		launch();
		rig_offer(256);
		rig_kick();
		why = rig_expect(RIG_NEEDS_RESET, "a lie behind 64 requests");
		rig_write(STATUS, 0);
		if (why == NULL)
			why = is_quiet();
	}
	return why;
}

/* Up and down, without a request in between, at full speed. */
static const char *reset_storm(uint64_t rounds)
{
	for (uint64_t n = 0; n < rounds; n++) {
		rig_start();
		rig_kick();
		if (n % 2 == 0)
			rig_write(QUEUE_READY, 0);
		rig_write(STATUS, 0);
	}
	return NULL;
}

const struct attack attacks_reset[] = {
	{.name = "reset-in-flight",
		.run = reset_in_flight,
		.rounds = 16,
		.what = "a reset amid 64 reads and flushes"},
	{.name = "stop-in-flight",
		.run = stop_in_flight,
		.rounds = 16,
		.disk = HW_VIRTIO_MMIO,
		.what = "QueueReady 0 amid them"},
	{.name = "fail-in-flight", .run = fail_in_flight, .rounds = 4, .what = "FAILED amid them"},
	{.name = "lie-in-flight",
		.run = lie_in_flight,
		.rounds = 4,
		.what = "an index out of range behind them"},
	{.name = "reset-storm",
		.run = reset_storm,
		.rounds = 50,
		.what = "a device that is started and reset all the time"},
	{.name = NULL},
};
