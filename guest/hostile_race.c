/* Another CPU changes, all the time, what the device is reading (virtio 1.2 forbids it; nobody else does). */
#include <stddef.h>

#include "clock.h"
#include "console.h"
#include "hostile.h"
#include "hostile_rig.h"
#include "lapic.h"
#include "smp.h"
#include "str.h"
#include "trap.h"
#include "../firmware/virtio_regs.h"
#include "x86.h"

#define VECTOR_FLIP 0xf8
#define GUARD       0xa5
#define GUARD_FROM  1024u /* no chain is right that writes more */
#define GUARD_TO    4096u
#define START_US    3000000
#define PAUSE_US    100

static void (*flip)(unsigned n);
static volatile bool flipping, stop;
static struct virtqueue_desc table[3] __attribute__((aligned(16)));

/* On the other CPU, as an interrupt handler. */
static void flip_on(void *arg)
{
	unsigned n = 0;

	(void)arg;
	flipping = true;
	while (!stop) {
		flip(n++);
		cpu_pause();
	}
	flipping = false;
}

static bool is_flipping(void *arg)
{
	return flipping == *(const bool *)arg;
}

static bool start_flips(void (*fn)(unsigned))
{
	static const bool yes = true;
	uint32_t id = 0;

	while (id < SMP_CPUS_MAX && (!smp_cpus[id].alive || id == smp_boot_id()))
		id++;
	flip = fn;
	stop = false;
	trap_set_handler(VECTOR_FLIP, flip_on, NULL);
	lapic_send_ipi(id, VECTOR_FLIP);
	return clock_wait(is_flipping, (void *)(uintptr_t)&yes, START_US);
}

static bool stop_flips(void)
{
	static const bool no = false;

	stop = true;
	return clock_wait(is_flipping, (void *)(uintptr_t)&no, START_US);
}

static void prepare(void)
{
	rig_start();
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	memcpy(table, (const void *)(uintptr_t)rig.desc, sizeof(table));
}

/* The ring full of chain 0, which so is read for some time. */
static void offer_all(void)
{
	for (unsigned i = 0; i < RIG_SIZE; i++)
		rig_offer(0);
	rig_kick();
}

/* Each round ends with an answer or with DEVICE_NEEDS_RESET, and nothing is written but where a chain said. */
static const char *run_flips(void (*fn)(unsigned), uint64_t rounds)
{
	unsigned answers = 0, resets = 0;
	const char *why = NULL;

	memset(rig_data, GUARD, GUARD_TO);
	prepare();
	if (!start_flips(fn))
		return "the other CPU does not come";
	for (uint64_t n = 0; why == NULL && n < rounds; n++) {
		offer_all();
		switch (rig_wait()) {
		case RIG_ANSWER:
			answers++;
			break;
		case RIG_NEEDS_RESET:
			resets++;
			prepare();
			break;
		default:
			why = "neither an answer nor DEVICE_NEEDS_RESET";
		}
	}
	if (!stop_flips())
		return "the other CPU does not stop";
	for (uint32_t i = GUARD_FROM; why == NULL && i < GUARD_TO; i++) {
		if (rig_data[i] != GUARD)
			why = "memory was written that no chain ever named";
	}
	print("hostile: %u answers, %u resets\n", answers, resets);
	return why;
}

static void flip_addr(unsigned n)
{
	static const uint64_t addrs[] = {0xd0000000, 0xfffffffffffffe00, 0xbffffe01, 1ul << 63};

	rig.desc[1].addr = n % 2 == 0 ? (uintptr_t)rig_data : addrs[n / 2 % 4];
}

static void flip_len(unsigned n)
{
	static const uint32_t lens[] = {0, 513, 0x80000000, 0xffffffff};

	rig.desc[1].len = n % 2 == 0 ? SECTOR_SIZE : lens[n / 2 % 4];
}

static void flip_links(unsigned n)
{
	static const uint16_t flags[] = {DESC_NEXT, DESC_WRITE, DESC_INDIRECT, DESC_INDIRECT | DESC_NEXT};
	static const uint16_t nexts[] = {0, 1, RIG_SIZE, 0xffff};

	rig.desc[1].flags = n % 2 == 0 ? DESC_NEXT | DESC_WRITE : flags[n / 2 % 4];
	rig.desc[1].next = n % 3 == 0 ? 2 : nexts[n / 3 % 4];
}

static void flip_ring(unsigned n)
{
	static const uint16_t heads[] = {RIG_SIZE, 0x8000, 0xffff, 2};

	/* The last of a round: it is read when the others have been. */
	rig.avail[RIG_RING + RIG_SIZE - 1] = n % 2 == 0 ? 0 : heads[n / 2 % 4];
}

/* The whole rest of the ring, or far beyond: nobody can tell whether the next look is the last one. */
static void flip_index(unsigned n)
{
	rig.avail[RIG_INDEX] = n % 4 == 3 ? 0x8000 : (uint16_t)n;
}

static void flip_header(unsigned n)
{
	static volatile struct blk_header *const header = &rig_header;
	static const uint32_t types[] = {BLK_T_FLUSH, BLK_T_GET_ID, BLK_T_DISCARD, 0xffffffff};

	header->type = n % 2 == 0 ? BLK_T_IN : types[n / 2 % 4];
	header->sector = n % 3 == 0 ? 0 : n % 3 == 1 ? UINT64_MAX : disk_get(0)->config.capacity;
}

/* Descriptor 0 becomes a table and is none again; so does what is in the table. */
static void flip_table(unsigned n)
{
	volatile struct virtqueue_desc *inside = table;

	inside[1].addr = n % 2 == 0 ? (uintptr_t)rig_data : UINT64_MAX;
	inside[1].len = n % 3 == 0 ? SECTOR_SIZE : 0xffffffff;
	inside[0].next = n % 5 == 0 ? 3 : 1;
	if (n % 2 == 0)
		rig_desc(&rig.desc[0], (uintptr_t)table, n % 7 == 0 ? 49 : 48, DESC_INDIRECT, 0);
	else
		rig_desc(&rig.desc[0], (uintptr_t)&rig_header, 16, DESC_NEXT, 1);
}

static const char *race_addr(uint64_t rounds)
{
	return run_flips(flip_addr, rounds);
}

static const char *race_len(uint64_t rounds)
{
	return run_flips(flip_len, rounds);
}

static const char *race_links(uint64_t rounds)
{
	return run_flips(flip_links, rounds);
}

static const char *race_ring(uint64_t rounds)
{
	return run_flips(flip_ring, rounds);
}

static const char *race_header(uint64_t rounds)
{
	return run_flips(flip_header, rounds);
}

static const char *race_table(uint64_t rounds)
{
	return run_flips(flip_table, rounds);
}

/* What comes of a round cannot be told; that the device can be reset each time, and works in the end, can. */
static const char *run_blindly(void (*fn)(unsigned), uint64_t rounds)
{
	prepare();
	if (!start_flips(fn))
		return "the other CPU does not come";
	for (uint64_t n = 0; n < rounds; n++) {
		prepare();
		offer_all();
		clock_delay(PAUSE_US);
	}
	return stop_flips() ? NULL : "the other CPU does not stop";
}

static const char *race_index(uint64_t rounds)
{
	return run_blindly(flip_index, rounds);
}

/* Resets, stops, other queues and other sizes from one CPU while the other one starts the device and kicks. */
static void flip_registers(unsigned n)
{
	static const struct {
		unsigned reg;
		uint32_t value;
	} writes[] = {{STATUS, 0}, {QUEUE_READY, 0}, {QUEUE_NOTIFY, 0}, {QUEUE_READY, 1}, {QUEUE_SEL, 7},
		{QUEUE_NUM, 256}, {QUEUE_SEL, 0}, {STATUS, STATUS_FAILED}, {QUEUE_DESC + 4, 0xffffffff},
		{INTERRUPT_ACK, 3}, {STATUS, 15}};
	unsigned at = n % (sizeof(writes) / sizeof(writes[0]));

	rig_write(writes[at].reg, writes[at].value);
}

static const char *race_registers(uint64_t rounds)
{
	return run_blindly(flip_registers, rounds);
}

const struct attack attacks_race[] = {
	{.name = "race-address",
		.run = race_addr,
		.rounds = 100,
		.smp = true,
		.what = "a CPU flips a buffer's address"},
	{.name = "race-length",
		.run = race_len,
		.rounds = 100,
		.smp = true,
		.what = "a CPU flips a buffer's length"},
	{.name = "race-links",
		.run = race_links,
		.rounds = 100,
		.smp = true,
		.what = "a CPU flips a descriptor's flags and next"},
	{.name = "race-ring",
		.run = race_ring,
		.rounds = 100,
		.smp = true,
		.what = "a CPU flips the ring's heads"},
	{.name = "race-header",
		.run = race_header,
		.rounds = 100,
		.smp = true,
		.what = "a CPU flips a request's type and sector"},
	{.name = "race-table",
		.run = race_table,
		.rounds = 100,
		.smp = true,
		.what = "a CPU flips an indirect table and what names it"},
	{.name = "race-index",
		.run = race_index,
		.rounds = 50,
		.smp = true,
		.what = "a CPU lets the available index run"},
	{.name = "race-registers",
		.run = race_registers,
		.rounds = 50,
		.smp = true,
		.what = "a CPU resets and stops the device that another one starts"},
	{.name = NULL},
};
