/* Reads from the disk that land on what the device, or the CPU, is about to use. */
#include "hostile_dma.h"

#include <stddef.h>

#include "clock.h"
#include "console.h"
#include "hostile.h"
#include "hostile_rig.h"
#include "map.h"
#include "str.h"
#include "x86.h"

#define SECTOR     8u /* where what shall land comes from */
#define CODE_US    200000
#define MAPPED_AT  0x100000000ul /* map_window()'s */
#define MAP_LARGE  0x83ul        /* present, writable, 2 MiB */
#define CODE_VALUE 42

extern volatile uint64_t window_pd[]; /* boot.S */

static uint8_t code[SECTOR_SIZE] __attribute__((aligned(4096)));

const char *dma_prepare(const void *bytes)
{
	rig_start();
	rig_chain(0, BLK_T_OUT, SECTOR, bytes, SECTOR_SIZE);
	return rig_try_answer(BLK_S_OK, 1, "a write");
}

const char *dma_prepare_ones(void)
{
	memset(rig_data, 0xff, SECTOR_SIZE);
	return dma_prepare(rig_data);
}

void dma_launch(volatile void *to)
{
	rig_start();
	rig_chain(0, BLK_T_IN, SECTOR, (const void *)(uintptr_t)to, SECTOR_SIZE);
	rig_offer(0);
	rig_kick();
}

static const char *on_descriptors(uint64_t rounds)
{
	const char *why = dma_prepare_ones();

	(void)rounds;
	if (why != NULL)
		return why;
	dma_launch(rig.desc);
	if ((why = rig_expect(RIG_ANSWER, "data on its own descriptors")) != NULL)
		return why;
	if (rig_written() != SECTOR_SIZE + 1 || rig.desc[1].len != UINT32_MAX)
		return "the data did not land";
	return rig_try(RIG_NEEDS_RESET, "descriptors of ones");
}

static const char *on_avail(uint64_t rounds)
{
	const char *why = dma_prepare_ones();

	(void)rounds;
	if (why != NULL)
		return why;
	dma_launch(rig.avail);
	rig_wait();               /* it has landed, and the device may have seen it at once or not */
	rig.offered = UINT16_MAX; /* as the data says */
	rig_kick();
	return rig_expect(RIG_NEEDS_RESET, "data on the available ring");
}

/* The device knows by itself where it stands. */
static const char *on_used(uint64_t rounds)
{
	const char *why = dma_prepare_ones();

	(void)rounds;
	if (why != NULL)
		return why;
	dma_launch(rig.used);
	if ((why = rig_expect(RIG_ANSWER, "data on the used ring")) != NULL)
		return why;
	if (rig.used[RIG_RING + 4] != UINT16_MAX)
		return "the data did not land";
	rig_chain(0, BLK_T_IN, SECTOR, rig_data, SECTOR_SIZE);
	return rig_try_answer(BLK_S_OK, SECTOR_SIZE + 1, "a read after that");
}

/* What was asked for stays what was asked for. */
static const char *on_request(uint64_t rounds)
{
	static uint8_t page[SECTOR_SIZE] __attribute__((aligned(4096)));
	const char *why = dma_prepare_ones();

	(void)rounds;
	if (why != NULL)
		return why;
	/* On the header: */
	rig_chain(0, BLK_T_IN, SECTOR, page, SECTOR_SIZE);
	memcpy(page, &rig_header, sizeof(rig_header));
	rig.desc[0].addr = (uintptr_t)page;
	if ((why = rig_try_answer(BLK_S_OK, SECTOR_SIZE + 1, "data on its own header")) != NULL)
		return why;
	if (page[0] != 0xff)
		return "the data did not land";
	/* on the status byte, which is written last: */
	rig_chain(0, BLK_T_IN, SECTOR, page, SECTOR_SIZE);
	rig.desc[2].addr = (uintptr_t)&page[100];
	if ((why = rig_try(RIG_ANSWER, "data on its own status")) != NULL)
		return why;
	if (page[100] != BLK_S_OK || page[99] != 0xff || page[101] != 0xff)
		return "the status is not what is left there";
	/* and the same page twice, a header in between that is read before. */
	rig_start();
	rig_chain(0, BLK_T_IN, SECTOR, page, SECTOR_SIZE);
	rig_desc(&rig.desc[2], (uintptr_t)page, SECTOR_SIZE, DESC_NEXT | DESC_WRITE, 3);
	rig_desc(&rig.desc[3], (uintptr_t)&rig_status, 1, DESC_WRITE, 0);
	return rig_try_answer(BLK_S_OK, 2 * SECTOR_SIZE + 1, "two pieces in one place");
}

/*
 * rdtsc; shl rdx,32; or rax,rdx; cmp rax,rdi; jb back; xor eax,eax; ret: spins until a time, and returns 0; unless
 * these bytes become others before.
 */
static const uint8_t spin[] = {
	0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0x48, 0x39, 0xf8, 0x72, 0xf2, 0x31, 0xc0, 0xc3};
static const uint8_t leave[] = {0xb8, CODE_VALUE, 0, 0, 0, 0xc3}; /* mov eax,42; ret */

static const char *on_code(uint64_t rounds)
{
	uint32_t (*call)(uint64_t deadline);
	uint64_t deadline;
	const char *why;

	(void)rounds;
	memset(rig_data, 0x90, SECTOR_SIZE); /* nop: wherever the CPU is */
	memcpy(rig_data + 32, leave, sizeof(leave));
	if ((why = dma_prepare(rig_data)) != NULL)
		return why;
	memcpy(code, spin, sizeof(spin));
	call = (uint32_t(*)(uint64_t))(uintptr_t)code;
	dma_launch(code);
	deadline = rdtsc() + clock_hz() / 1000000 * CODE_US;
	if (call(deadline) != CODE_VALUE)
		return "code that was overwritten runs on";
	return rig_expect(RIG_ANSWER, "data on the code that runs");
}

static uint8_t read_byte(uint64_t addr)
{
	return mmio_read8(addr);
}

static const char *on_mapping(uint64_t rounds)
{
	uint64_t entries[SECTOR_SIZE / 8] = {((uintptr_t)rig_data & ~0x1ffffful) | MAP_LARGE};
	const char *why;

	(void)rounds;
	window_pd[0] = 0;
	invlpg(MAPPED_AT);
	if ((why = dma_prepare(entries)) != NULL)
		return why;
	dma_launch(window_pd);
	if ((why = rig_expect(RIG_ANSWER, "data on a page table")) != NULL)
		return why;
	invlpg(MAPPED_AT);
	rig_data[0] = 0x77;
	if (read_byte(MAPPED_AT + ((uintptr_t)rig_data & 0x1fffff)) != 0x77)
		return "the page table that came from the disk maps something else";
	return NULL;
}

const struct attack attacks_dma[] = {
	{.name = "dma-descriptors", .run = on_descriptors, .what = "a read lands on the descriptor table"},
	{.name = "dma-avail", .run = on_avail, .what = "a read lands on the available ring"},
	{.name = "dma-used", .run = on_used, .what = "a read lands on the used ring"},
	{.name = "dma-request",
		.run = on_request,
		.what = "a read lands on its own header, status, and itself"},
	{.name = "dma-code", .run = on_code, .what = "a read lands on the code that runs"},
	{.name = "dma-mapping",
		.run = on_mapping,
		.what = "a read lands on a page table, and makes a mapping"},
	{.name = NULL},
};
