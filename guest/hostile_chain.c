/* Chains of descriptors that break the rules (virtio 1.2, 2.7.4 and 2.7.5). */
#include <stddef.h>

#include "console.h"
#include "hostile.h"
#include "hostile_rig.h"

#define TABLE_LARGEST 256u

static struct virtqueue_desc table[TABLE_LARGEST + 1] __attribute__((aligned(16)));

static const char *desc_loop(uint64_t rounds)
{
	static const uint16_t back[] = {1, 0}; /* what descriptor 1 goes on with */
	const char *why = NULL;

	(void)rounds;
	for (size_t i = 0; why == NULL && i < 2; i++) {
		rig_start();
		rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
		if (back[i] ==
			0) /* through a header, all of it for the device to read: the direction is right */
			rig.desc[1].flags = DESC_NEXT;
		rig.desc[1].next = back[i];
		why = rig_try(RIG_NEEDS_RESET, "a chain that bites its tail");
	}
	if (why != NULL)
		return why;
	/* All of the largest table, in a circle; empty pieces count as well. */
	for (uint32_t len = 0; why == NULL && len <= 16; len += 16) {
		rig_start_with(RIG_FEATURES, TABLE_LARGEST);
		for (unsigned i = 0; i < TABLE_LARGEST; i++)
			rig_desc(&rig.desc[i], (uintptr_t)rig_data, len, DESC_NEXT, (i + 1) % TABLE_LARGEST);
		why = rig_try(RIG_NEEDS_RESET, "a circle of 256");
	}
	return why;
}

/* Descriptor 0 names a table of so many bytes. */
static void name_table(uint64_t addr, uint32_t len, uint32_t flags)
{
	rig_desc(&rig.desc[0], addr, len, DESC_INDIRECT | flags, 1);
}

/* A good request in the table, at its beginning. */
static void fill_table(void)
{
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	for (unsigned i = 0; i < 3; i++)
		rig_desc(&table[i], rig.desc[i].addr, rig.desc[i].len, rig.desc[i].flags, rig.desc[i].next);
}

static const char *indirect_loop(uint64_t rounds)
{
	const char *why = NULL;

	(void)rounds;
	for (uint16_t back = 0; why == NULL && back < 2; back++) {
		rig_start();
		fill_table();
		table[1].flags = DESC_NEXT | (back == 1 ? DESC_WRITE : 0);
		table[1].next = back;
		name_table((uintptr_t)table, sizeof(table[0]) * 3, 0);
		why = rig_try(RIG_NEEDS_RESET, "a table that bites its tail");
	}
	if (why != NULL)
		return why;
	for (uint32_t len = 0; why == NULL && len <= 16; len += 16) {
		rig_start();
		for (unsigned i = 0; i < TABLE_LARGEST; i++)
			rig_desc(&table[i], (uintptr_t)rig_data, len, DESC_NEXT, (i + 1) % TABLE_LARGEST);
		name_table((uintptr_t)table, sizeof(table[0]) * TABLE_LARGEST, 0);
		why = rig_try(RIG_NEEDS_RESET, "a table of 256 in a circle");
	}
	return why;
}

/* Of the descriptor that names the table. */
static const char *indirect_name(uint64_t rounds)
{
	static const struct {
		uint64_t addr; /* 0: the table's */
		uint32_t len, flags;
		bool works;
	} cases[] = {
		{0, 48, 0, true},
		{0, 48, DESC_WRITE, true}, /* 2.7.5.3.2: ignored */
		{0, 0, 0, false},
		{0, 1, 0, false},
		{0, 15, 0, false},
		{0, 47, 0, false},
		{0, 49, 0, false},
		{0, 32, 0, false}, /* the third is beyond */
		{0, 16 * TABLE_LARGEST, 0, true},
		{0, 16 * (TABLE_LARGEST + 1), 0, false},
		{0, 0x80000000, 0, false},
		{0, 0xfffffff0, 0, false},
		{0, 0xffffffff, 0, false},
		{0, 48, DESC_NEXT, false},
		{0xd0000000, 48, 0, false},
		{0xfffffff0, 48, 0, false},
		{1ul << 63, 48, 0, false},
		{0xfffffffffffffff0, 48, 0, false},
		{0xffffffffffffffff, 48, 0, false},
	};
	const char *why = NULL;

	(void)rounds;
	for (size_t i = 0; why == NULL && i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_start();
		fill_table();
		name_table(
			cases[i].addr != 0 ? cases[i].addr : (uintptr_t)table, cases[i].len, cases[i].flags);
		why = rig_try(cases[i].works ? RIG_ANSWER : RIG_NEEDS_RESET, "an indirect table");
		if (why != NULL)
			print("hostile: table at 0x%lx of %u, flags %u\n", cases[i].addr, cases[i].len,
				cases[i].flags);
	}
	return why;
}

/* Of the table itself. */
static const char *indirect_inside(uint64_t rounds)
{
	const char *why;

	(void)rounds;
	rig_start();
	fill_table();
	table[1].flags = DESC_INDIRECT;
	name_table((uintptr_t)table, 48, 0);
	if ((why = rig_try(RIG_NEEDS_RESET, "a table in a table")) != NULL)
		return why;
	rig_start();
	fill_table();
	rig_desc(&table[0], (uintptr_t)table, 48, DESC_INDIRECT, 0);
	name_table((uintptr_t)table, 48, 0);
	if ((why = rig_try(RIG_NEEDS_RESET, "a table that names itself")) != NULL)
		return why;
	rig_start();
	fill_table();
	table[1].next = 3;
	name_table((uintptr_t)table, 48, 0);
	if ((why = rig_try(RIG_NEEDS_RESET, "a next beyond the table of three")) != NULL)
		return why;
	rig_start_with(RIG_FEATURES & ~VIRTIO_F_INDIRECT_DESC, RIG_SIZE);
	fill_table();
	name_table((uintptr_t)table, 48, 0);
	if ((why = rig_try(RIG_NEEDS_RESET, "a table that was not negotiated")) != NULL)
		return why;
	/* The queue's own descriptors, and the rings, for a table. */
	rig_start();
	rig_chain(1, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	name_table((uintptr_t)rig.desc, 48, 0);
	if ((why = rig_try(RIG_NEEDS_RESET, "the queue's table as an indirect one, which names itself")) !=
		NULL)
		return why;
	rig_start();
	name_table((uintptr_t)rig.used & ~15ul, 16, 0);
	return rig_try(RIG_NEEDS_RESET, "the used ring as a table");
}

/* Header, data and status in wrong order, in pieces, too short, or not there. */
static const char *chain_shape(uint64_t rounds)
{
	static const struct {
		const char *what;
		uint32_t len[4], flags[4]; /* of four buffers: header at first, status at last */
		enum rig_end end;
	} cases[] = {
		{"only a status", {0, 0, 0, 1}, {DESC_NEXT, DESC_NEXT, DESC_NEXT, DESC_WRITE},
			RIG_NEEDS_RESET},
		{"a header of 15 bytes", {15, 0, 0, 1}, {DESC_NEXT, DESC_NEXT, DESC_NEXT, DESC_WRITE},
			RIG_NEEDS_RESET},
		{"nothing to write to", {16, 512, 0, 1}, {DESC_NEXT, DESC_NEXT, DESC_NEXT, 0},
			RIG_NEEDS_RESET},
		{"nothing at all", {0, 0, 0, 0}, {DESC_NEXT, DESC_NEXT, DESC_NEXT, 0}, RIG_NEEDS_RESET},
		{"a status of no bytes", {16, 0, 0, 0}, {DESC_NEXT, DESC_NEXT, DESC_NEXT, DESC_WRITE},
			RIG_NEEDS_RESET},
		{"a header behind what is written", {16, 512, 16, 1},
			{DESC_NEXT, DESC_NEXT | DESC_WRITE, DESC_NEXT, DESC_WRITE}, RIG_NEEDS_RESET},
		{"the status before the header", {16, 0, 0, 1},
			{DESC_NEXT | DESC_WRITE, DESC_NEXT, DESC_NEXT, 0}, RIG_NEEDS_RESET},
		{"unknown flags", {16, 512, 0, 1},
			{DESC_NEXT | 0xfff8, DESC_NEXT | DESC_WRITE | 0xfff8, DESC_NEXT | DESC_WRITE,
				DESC_WRITE | 0x8000},
			RIG_ANSWER},
		{"empty pieces", {16, 0, 512, 1},
			{DESC_NEXT, DESC_NEXT | DESC_WRITE, DESC_NEXT | DESC_WRITE, DESC_WRITE}, RIG_ANSWER},
	};
	const char *why = NULL;

	(void)rounds;
	for (size_t i = 0; why == NULL && i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_start();
		rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
		rig_desc(&rig.desc[0], (uintptr_t)&rig_header, cases[i].len[0], cases[i].flags[0], 1);
		rig_desc(&rig.desc[1], (uintptr_t)rig_data, cases[i].len[1], cases[i].flags[1], 2);
		rig_desc(&rig.desc[2], (uintptr_t)rig_data, cases[i].len[2], cases[i].flags[2], 3);
		rig_desc(&rig.desc[3], (uintptr_t)&rig_status, cases[i].len[3], cases[i].flags[3], 0);
		why = rig_try(cases[i].end, cases[i].what);
	}
	return why;
}

/* lodge's guest memory is what lies below the hole, whatever is reserved of it, and what lies above. */
static bool is_memory(uint64_t addr, uint64_t len)
{
	uint64_t low = rig_low_end(), high = 0x100000000ul, high_end = rig_high_end();

	return (addr < low && len <= low - addr) ||
	       (addr >= high && addr < high_end && len <= high_end - addr);
}

enum place { DATA_IN, DATA_OUT, HEADER, STATUS_BYTE, PLACES };

static const char *try_address(enum place place, uint64_t addr, uint32_t len)
{
	bool memory = is_memory(addr, len);
	const char *why;

	/* What the device would write into must be nobody's. */
	rig_start();
	rig_chain(0, place == DATA_OUT ? BLK_T_OUT : BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	if (place == DATA_IN || place == DATA_OUT) {
		rig.desc[1].addr = addr;
		rig.desc[1].len = len;
	} else if (place == STATUS_BYTE) {
		rig.desc[2].addr = addr;
		rig.desc[2].len = len;
	} else {
		rig.desc[0].addr = addr;
		rig.desc[0].len = len < 16 ? 16 : len;
		memory = is_memory(addr, len < 16 ? 16 : len);
	}
	why = rig_try(memory ? RIG_ANSWER : RIG_NEEDS_RESET, "an address at an edge");
	if (why != NULL)
		print("hostile: place %u, address 0x%lx, length 0x%x\n", place, addr, len);
	return why;
}

/* One chain with its pieces at each edge of RAM, in the hole, on devices, and near 2^64. */
static const char *addresses(uint64_t rounds)
{
	uint64_t low = rig_low_end(), high = rig_high_end();
	const uint64_t edges[] = {0x600, 0xa0000, low - 512, low - 511, low - 16, low - 1, low, low + 1,
		0xbffffe00, 0xc0000000, 0xd0000000, 0xd00001ff, 0xfec00000, 0xfee00000, 0xffffffffu - 511,
		0xffffffff, 0x100000000ul, high - 512, high - 511, high - 1, high, 1ul << 46, 1ul << 52,
		1ul << 63, 0xfffffffffffffe00, 0xfffffffffffffe01, 0xffffffffffffffff};
	static const uint32_t lengths[] = {1, 512};

	(void)rounds;
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
			for (unsigned place = 0; place < PLACES; place++) {
				const char *why = try_address((enum place)place, edges[i], lengths[l]);

				if (why != NULL)
					return why;
			}
		}
	}
	return NULL;
}

static const char *lengths(uint64_t rounds)
{
	static const uint32_t too_long[] = {0x80000000, 0xfffffe00, 0xffffffff};
	const char *why = NULL;

	(void)rounds;
	for (size_t i = 0; why == NULL && i < sizeof(too_long) / sizeof(too_long[0]); i++) {
		for (unsigned piece = 0; why == NULL && piece < 3; piece++) {
			rig_start();
			rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
			rig.desc[piece].len = too_long[i];
			/* Where there is so much memory, it is no more than a request that cannot be. */
			why = rig_try(
				is_memory(rig.desc[piece].addr, too_long[i]) ? RIG_ANSWER : RIG_NEEDS_RESET,
				"a long buffer");
		}
	}
	if (why != NULL)
		return why;
	/* Nothing is read into nowhere: an empty buffer's address means nothing. */
	rig_start();
	rig_chain(0, BLK_T_IN, 0, rig_data, 0);
	rig.desc[1].addr = UINT64_MAX;
	if ((why = rig_try_answer(BLK_S_OK, 1, "no bytes at 2^64 - 1")) != NULL)
		return why;
	/* As much as the guest has memory, again and again: more than 2^32 bytes in one chain. */
	rig_start_with(RIG_FEATURES, TABLE_LARGEST);
	uint32_t most = (uint32_t)(rig_low_end() < 0x80000000u ? rig_low_end() : 0x80000000u);

	rig_desc(&rig.desc[0], (uintptr_t)&rig_header, 16, DESC_NEXT, 1);
	for (unsigned i = 1; i < TABLE_LARGEST; i++)
		rig_desc(&rig.desc[i], 0, most, DESC_WRITE | (i + 1 < TABLE_LARGEST ? DESC_NEXT : 0), i + 1);
	return rig_try(RIG_NEEDS_RESET, "more than 2^32 bytes in one chain");
}

const struct attack attacks_chain[] = {
	{.name = "desc-loop", .run = desc_loop, .what = "chains that go in circles"},
	{.name = "indirect-loop", .run = indirect_loop, .what = "indirect tables that go in circles"},
	{.name = "indirect-name",
		.run = indirect_name,
		.what = "indirect tables of wrong lengths, in wrong places"},
	{.name = "indirect-inside",
		.run = indirect_inside,
		.what = "tables in tables, and where none may be"},
	{.name = "chain-shape",
		.run = chain_shape,
		.what = "chains without header, without status, out of order"},
	{.name = "addresses",
		.run = addresses,
		.what = "buffers at each edge of RAM, in the hole, near 2^64"},
	{.name = "lengths",
		.run = lengths,
		.what = "buffers of 0 and of up to 2^32 - 1 bytes, more than 2^32 in a chain"},
	{.name = NULL},
};
