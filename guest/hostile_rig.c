#include "hostile_rig.h"

#include "clock.h"
#include "console.h"
#include "hw.h"
#include "str.h"
#include "../firmware/virtio_regs.h"
#include "x86.h"

#define PATIENCE_US  5000000 /* a busy host: nobody waits so long if all goes well */
#define STATUS_UNSET 0xff
#define FOUR_GIB     0x100000000ul

struct rig rig;
struct blk_header rig_header __attribute__((aligned(16)));
volatile uint8_t rig_status;
uint8_t rig_data[RIG_DATA] __attribute__((aligned(4096)));

static uint8_t areas[3][4096] __attribute__((aligned(4096)));

bool rig_is_pci(void)
{
	return disk_get(0)->device.hw->kind == HW_VIRTIO_PCI;
}

uint32_t rig_read(unsigned reg)
{
	return virtio_read(&rig.device, reg);
}

void rig_write(unsigned reg, uint32_t value)
{
	virtio_write(&rig.device, reg, value);
}

void rig_write64(unsigned reg, uint64_t value)
{
	virtio_write64(&rig.device, reg, value);
}

void rig_reset(uint64_t features)
{
	if (rig.device.hw == NULL)
		rig.device = disk_get(0)->device;
	/* Stopped before the flag is cleared, so that no late interrupt sets it again. */
	virtio_reset(&rig.device);
	virtio_start(&rig.device, features);
	rig.device.needs_reset = false;
}

void rig_start_with(uint64_t features, uint32_t size)
{
	rig_reset(features);
	rig.desc = (volatile void *)areas[0];
	rig.avail = (volatile void *)areas[1];
	rig.used = (volatile void *)areas[2];
	rig.size = size;
	rig.offered = 0;
	rig.avail[0] = rig.avail[RIG_INDEX] = 0;
	rig.used[0] = rig.used[RIG_INDEX] = 0;
	rig_write(QUEUE_SEL, 0);
	rig_write(QUEUE_NUM, size);
	rig_write64(QUEUE_DESC, (uintptr_t)areas[0]);
	rig_write64(QUEUE_DRIVER, (uintptr_t)areas[1]);
	rig_write64(QUEUE_DEVICE, (uintptr_t)areas[2]);
	rig_write(QUEUE_READY, 1);
	rig_write(STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}

void rig_start(void)
{
	rig_start_with(RIG_FEATURES, RIG_SIZE);
}

void rig_desc(
	volatile struct virtqueue_desc *desc, uint64_t addr, uint32_t len, uint32_t flags, uint32_t next)
{
	desc->addr = addr;
	desc->len = len;
	desc->flags = (uint16_t)flags;
	desc->next = (uint16_t)next;
}

void rig_chain(unsigned first, uint32_t type, uint64_t sector, const void *data, uint32_t len)
{
	bool writes = type == BLK_T_IN || type == BLK_T_GET_ID;

	rig_header = (struct blk_header){.type = type, .sector = sector};
	rig_status = STATUS_UNSET;
	rig_desc(&rig.desc[first], (uintptr_t)&rig_header, sizeof(rig_header), DESC_NEXT, first + 1);
	rig_desc(
		&rig.desc[first + 1], (uintptr_t)data, len, DESC_NEXT | (writes ? DESC_WRITE : 0), first + 2);
	rig_desc(&rig.desc[first + 2], (uintptr_t)&rig_status, 1, DESC_WRITE, 0);
}

void rig_offer(unsigned head)
{
	rig.avail[RIG_RING + rig.offered % rig.size] = (uint16_t)head;
	barrier();
	rig.avail[RIG_INDEX] = ++rig.offered;
}

void rig_kick(void)
{
	memory_barrier();
	rig_write(QUEUE_NOTIFY, 0);
}

static bool is_over(void *arg)
{
	(void)arg;
	return rig.used[RIG_INDEX] == rig.offered || rig.device.needs_reset;
}

enum rig_end rig_wait(void)
{
	clock_wait(is_over, NULL, PATIENCE_US);
	if (rig.device.needs_reset) /* the interrupt's handler has read the status as well */
		return RIG_NEEDS_RESET;
	return rig.used[RIG_INDEX] == rig.offered ? RIG_ANSWER : RIG_SILENCE;
}

const char *rig_expect(enum rig_end want, const char *what)
{
	static const char *const names[] = {"an answer", "DEVICE_NEEDS_RESET", "silence"};
	enum rig_end got = rig_wait();

	if (got == want)
		return NULL;
	print("hostile: %s: %s, not %s\n", what, names[got], names[want]);
	return "the device did something else";
}

const char *rig_try(enum rig_end want, const char *what)
{
	rig_offer(0);
	rig_kick();
	return rig_expect(want, what);
}

uint32_t rig_written(void)
{
	unsigned at = RIG_RING + 4 * ((uint16_t)(rig.used[RIG_INDEX] - 1) % rig.size) + 2;

	return rig.used[at] | (uint32_t)rig.used[at + 1] << 16;
}

const char *rig_try_answer(uint8_t status, uint32_t written, const char *what)
{
	const char *why = rig_try(RIG_ANSWER, what);

	if (why != NULL)
		return why;
	if (rig_status == status && rig_written() == written)
		return NULL;
	print("hostile: %s: status %u, %u bytes; not status %u, %u bytes\n", what, rig_status, rig_written(),
		status, written);
	return "the answer is another one";
}

static uint64_t ram_end(uint64_t from, uint64_t to)
{
	uint64_t end = from;

	for (unsigned i = 0; i < hw.memory_count; i++) {
		const struct hw_range *r = &hw.memory[i];

		if (r->type == HW_RAM && r->base >= from && r->base < to && r->base + r->size > end)
			end = r->base + r->size;
	}
	return end;
}

uint64_t rig_low_end(void)
{
	return ram_end(0, FOUR_GIB);
}

uint64_t rig_high_end(void)
{
	return ram_end(FOUR_GIB, UINT64_MAX);
}
