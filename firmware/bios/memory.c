/* INT 15h: how much memory there is, and where; the gate of address line 20; and what else loaders ask. */
#include "bios/bios.h"
#include "bios/io.h"

#define STATUS_UNSUPPORTED 0x86

#define SMAP       0x534d4150u
#define E820_ENTRY 20

#define MIB(n)       ((uint64_t)(n) << 20)
#define KIB(n)       ((uint64_t)(n) << 10)
#define FOUR_GIB     ((uint64_t)1 << 32)
#define ISA_HOLE_KIB 0x3c00 /* up to 16 MiB: what E801 counts in KiB */

/* AH=C0h; entry.S has the table. */
extern const uint8_t system_table[];

/* Bytes of RAM from `from` on, without a gap, and below `to`. */
static uint64_t ram_between(const struct bios *bios, uint64_t from, uint64_t to)
{
	unsigned i;

	for (i = 0; i < bios->map_count; i++) {
		const struct e820 *entry = &bios->map[i];
		uint64_t end = entry->base + entry->size;

		if (entry->type == MAP_RAM && entry->base <= from && end > from)
			return (end < to ? end : to) - from;
	}
	return 0;
}

static bool tell_entry(const struct bios *bios, struct frame *frame)
{
	uint32_t to = linear(frame->es, (uint16_t)frame->edi), index = frame->ebx;

	if (frame->edx != SMAP || frame->ecx < E820_ENTRY || index >= bios->map_count)
		return false;
	memory_write64(to, bios->map[index].base);
	memory_write64(to + 8, bios->map[index].size);
	memory_write32(to + 16, bios->map[index].type);
	frame->eax = SMAP;
	frame->ecx = E820_ENTRY;
	frame->ebx = index + 1 < bios->map_count ? index + 1 : 0;
	return true;
}

/* AX=E801h: KiB from 1 to 16 MiB, and blocks of 64 KiB above; twice, for once they had two meanings. */
static void tell_two_sizes(const struct bios *bios, struct frame *frame)
{
	uint16_t kib = (uint16_t)(ram_between(bios, MIB(1), MIB(16)) / KIB(1));
	uint16_t blocks = (uint16_t)(ram_between(bios, MIB(16), FOUR_GIB) / KIB(64));

	set_low16(&frame->eax, kib);
	set_low16(&frame->ecx, kib);
	set_low16(&frame->ebx, blocks);
	set_low16(&frame->edx, blocks);
}

/* AH=88h: KiB above 1 MiB, as far as 16 bits count. */
static void tell_extended(const struct bios *bios, struct frame *frame)
{
	uint64_t kib = ram_between(bios, MIB(1), FOUR_GIB) / KIB(1);

	set_low16(&frame->eax, kib < UINT16_MAX ? (uint16_t)kib : UINT16_MAX);
}

/* AX=24xxh: the line is always open, and nothing can close it. */
static bool serve_a20(struct frame *frame)
{
	switch (low8(frame->eax)) {
	case 0x01:
		break;
	case 0x02:
		set_low8(&frame->eax, 1);
		break;
	case 0x03:
		set_low16(&frame->ebx, 0);
		break;
	default:
		return false;
	}
	set_high8(&frame->eax, 0);
	return true;
}

static uint32_t descriptor_base(uint32_t descriptor)
{
	return (memory_read32(descriptor + 2) & 0xffffff) | (uint32_t)memory_read8(descriptor + 7) << 24;
}

/* AH=87h: CX words between the bases of two descriptors, at ES:SI + 16 and + 24. */
static void move_block(struct frame *frame)
{
	uint32_t table = linear(frame->es, (uint16_t)frame->esi);
	uint32_t from = descriptor_base(table + 16), to = descriptor_base(table + 24);
	uint32_t words = (uint16_t)frame->ecx;

	while (words--) {
		memory_write16(to, memory_read16(from));
		from += 2;
		to += 2;
	}
	set_high8(&frame->eax, 0);
}

/* AH=86h: CX:DX microseconds, in ticks of 54925 each, and one more since the first is under way. */
static enum verdict wait(struct bios *bios, struct frame *frame)
{
	uint32_t us = frame->ecx << 16 | (uint16_t)frame->edx, now = memory_read32(BDA_TICKS);

	if (!bios->waiting) {
		bios->waiting = true;
		bios->wait_tick = now + us / 54925 + 1;
	}
	/* A day ends: so does the wait. */
	if (now < bios->wait_tick && now + us / 54925 + 1 >= bios->wait_tick)
		return BIOS_WAIT;
	bios->waiting = false;
	set_high8(&frame->eax, 0);
	set_flag(frame, FLAG_CARRY, false);
	return BIOS_RETURN;
}

static bool serve(const struct bios *bios, struct frame *frame)
{
	switch (high8(frame->eax)) {
	case 0x24:
		return serve_a20(frame);
	case 0x87:
		move_block(frame);
		return true;
	case 0x88:
		tell_extended(bios, frame);
		return true;
	case 0xc0:
		frame->es = BIOS_SEGMENT;
		set_low16(&frame->ebx, (uint16_t)(uintptr_t)system_table);
		set_high8(&frame->eax, 0);
		return true;
	case 0xc1:
		frame->es = EBDA_SEGMENT;
		return true;
	case 0xe8:
		if (low8(frame->eax) == 0x20)
			return tell_entry(bios, frame);
		if (low8(frame->eax) == 0x01) {
			tell_two_sizes(bios, frame);
			return true;
		}
		return false;
	default:
		return false;
	}
}

enum verdict system_service(struct bios *bios, struct frame *frame)
{
	bool served;

	if (high8(frame->eax) == 0x86)
		return wait(bios, frame);
	served = serve(bios, frame);
	if (!served)
		set_high8(&frame->eax, STATUS_UNSUPPORTED);
	set_flag(frame, FLAG_CARRY, !served);
	return BIOS_RETURN;
}
