/* Every port, every register, at every width, and what lies beyond the devices' ends. */
#include <stddef.h>

#include "clock.h"
#include "console.h"
#include "hostile.h"
#include "hostile_rig.h"
#include "hw.h"
#include "keyboard.h"
#include "map.h"
#include "str.h"
#include "trap.h"
#include "uart16550.h"
#include "../firmware/virtio_regs.h"
#include "x86.h"

#define PORTS     0x10000u
#define HOLE      0xc0000000ul
#define HOLE_STEP 0x300000ul
#define FOUR_GIB  0x100000000ul
#define PINS      24u
#define REGISTERS 0x200u /* of a virtio-mmio slot */

static const uint64_t patterns[] = {
	0, UINT64_MAX, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 1, 0x8000000080000080, 0x0123456789abcdef};

#define PATTERNS (sizeof(patterns) / sizeof(patterns[0]))

static uint64_t ones(unsigned width)
{
	return width == 8 ? UINT64_MAX : (1ul << 8 * width) - 1;
}

static uint64_t in(unsigned port, unsigned width)
{
	return width == 1 ? inb((uint16_t)port) : width == 2 ? inw((uint16_t)port) : inl((uint16_t)port);
}

static void out(unsigned port, unsigned width, uint64_t value)
{
	if (width == 1)
		outb((uint16_t)port, (uint8_t)value);
	else if (width == 2)
		outw((uint16_t)port, (uint16_t)value);
	else
		outl((uint16_t)port, (uint32_t)value);
}

static uint64_t load(volatile void *at, unsigned width)
{
	switch (width) {
	case 1:
		return *(volatile uint8_t *)at;
	case 2:
		return *(volatile uint16_t *)at;
	case 4:
		return *(volatile uint32_t *)at;
	default:
		return *(volatile uint64_t *)at;
	}
}

static void store(volatile void *at, unsigned width, uint64_t value)
{
	switch (width) {
	case 1:
		*(volatile uint8_t *)at = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)at = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)at = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)at = value;
	}
}

static bool is_known(bool pio, uint64_t at, uint64_t len)
{
	for (unsigned i = 0; i < hw.device_count; i++) {
		const struct hw_device *d = &hw.devices[i];

		if (d->is_pio == pio && at < d->base + d->size && d->base < at + len)
			return true;
	}
	return false;
}

/* What KVM has of its own in there, if the machine has a PIC: PIC, PIT, speaker, ELCR. */
static bool is_kvms(unsigned port)
{
	return (port & 0xff7e) == 0x20 || (port >= 0x40 - 3 && port <= 0x43) ||
	       (port >= 0x61 - 3 && port <= 0x61) || (port >= 0x4d0 - 3 && port <= 0x4d1) ||
	       (port >= 0x1d && port <= 0x21) || (port >= 0x9d && port <= 0xa1);
}

/* Writes there may end the run, as hostile_end.c shows; and so may one that begins before. */
#define ENDS 5
static struct hw_range ends[ENDS];

/* Once, and not for each port: ring 0 may be slow. */
static void find_ends(void)
{
	static const enum hw_kind kinds[ENDS] = {
		HW_DEBUG_EXIT, HW_PVPANIC, HW_ACPI_SLEEP, HW_RESET_CONTROL, HW_I8042};

	for (size_t i = 0; i < ENDS; i++) {
		const struct hw_device *d = hw_find(kinds[i], 0);

		/* The 8042 has two ports, four apart, and is told of by its first. */
		if (d != NULL)
			ends[i] = (struct hw_range){d->base, kinds[i] == HW_I8042 ? 5 : d->size, 0};
	}
}

static bool is_an_end(unsigned port, unsigned width)
{
	for (size_t i = 0; i < ENDS; i++) {
		if (port < ends[i].base + ends[i].size && ends[i].base < port + width)
			return true;
	}
	return false;
}

static const char *try_port(unsigned port, bool thoroughly)
{
	for (unsigned width = 1; width <= 4; width *= 2) {
		uint64_t value = in(port, width);

		if (value != ones(width) && !is_known(true, port, width) && port != 0x64 && !is_kvms(port)) {
			print("hostile: port 0x%x, %u wide: 0x%lx\n", port, width, value);
			return "something answers where nothing is";
		}
		if (is_an_end(port, width))
			continue;
		for (size_t i = 0; thoroughly && i < PATTERNS; i++)
			out(port, width, patterns[i]);
		if (!thoroughly)
			out(port, width, patterns[port % PATTERNS]);
	}
	return NULL;
}

/*
 * COM1 and the keyboard controller are among the victims. Their interrupts are off until they are right again: the
 * handlers would not know them.
 */
static uint64_t give_up_chips(void)
{
	console_flush();
	return irq_save();
}

static void restore_chips(uint64_t flags)
{
	uint16_t port = uart_port();

	outb(port + 3, 0x03); /* LCR: no access to the divisor */
	outb(port + 1, 0);    /* IER */
	uart_early_init();
	uart_init();
	keyboard_init();
	irq_restore(flags);
}

/* So many ports, evenly spread, and those in and near devices with more patterns; 65536 is all. */
static const char *ports(uint64_t rounds)
{
	unsigned step = rounds == 0 || rounds >= PORTS ? 1 : PORTS / (unsigned)rounds;
	const char *why = NULL;

	find_ends();
	uint64_t flags = give_up_chips();

	/* No function of PCI's is behind its window: what becomes of those is hostile_pci.c's. */
	outl(0xcf8, 0);
	for (unsigned port = 0; why == NULL && port < PORTS; port += step)
		why = try_port(port, false);
	for (unsigned i = 0; why == NULL && i < hw.device_count; i++) {
		const struct hw_device *d = &hw.devices[i];

		for (uint64_t port = d->base - 4; why == NULL && d->is_pio && port < d->base + d->size + 2;
			port++)
			why = try_port((unsigned)port, true);
	}
	restore_chips(flags);
	return why;
}

/* String instructions bring up to a page at once; the last port runs over into none. */
static const char *port_strings(uint64_t rounds)
{
	static const uint16_t at[] = {0x80, 0x71, 0x510, 0x511, 0x60, 0x3ff, 0xcf8, 0xfffe, 0xffff};
	static const uint16_t counts[] = {1, 3, 64, 700};

	(void)rounds;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
			insb(at[i], rig_data, counts[c]);
			if (at[i] != 0x60)
				outsb(at[i], rig_data, counts[c]);
			__asm__ volatile("rep insl" : : "D"(rig_data), "c"(counts[c]), "d"(at[i]) : "memory");
			__asm__ volatile("rep outsw"
					 :
					 : "S"(rig_data), "c"(counts[c]), "d"(at[i])
					 : "memory");
		}
	}
	memset(rig_data, 0, 8);
	insb(0x80, rig_data, 8);
	return rig_data[0] == 0xff && rig_data[7] == 0xff ? NULL : "a string of ones is none";
}

static const char *virtio_registers(uint64_t rounds)
{
	volatile uint8_t *base = (volatile uint8_t *)disk_get(0)->device.base;

	for (uint64_t n = 0; n < rounds; n++) {
		for (unsigned at = 0; at < REGISTERS; at++) {
			for (unsigned width = 1; width <= 8; width *= 2) {
				uint64_t value = load(base + at, width);

				/* 4.2.2.2: registers are 32 bits wide; what runs over the end is nobody's. */
				if (at < CONFIG && at % 4 != 0 && value != 0 && at + width <= REGISTERS)
					return "a register answers at an odd place";
				if (at + width > REGISTERS && value != ones(width))
					return "an access across the end is answered";
				store(base + at, width, patterns[(at / 4 + width + n) % PATTERNS]);
			}
		}
	}
	return NULL;
}

static const char *mmio_edges(uint64_t rounds)
{
	static const unsigned back[] = {7, 4, 3, 2, 1, 0};

	(void)rounds;
	for (unsigned i = 0; i < hw.device_count; i++) {
		const struct hw_device *d = &hw.devices[i];

		/* KVM's local APIC has ways of its own. */
		if (d->is_pio || d->size == 0 || d->kind == HW_LAPIC)
			continue;
		for (unsigned width = 2; width <= 8; width *= 2) {
			for (size_t b = 0; b < sizeof(back) / sizeof(back[0]); b++) {
				uint64_t at = d->base + d->size - back[b];
				bool across_page = (at & 0xfff) + width > 0x1000;

				if (back[b] >= width || across_page)
					continue;
				if (load((void *)at, width) != ones(width))
					return "an access across a device's end is answered";
				store((void *)at, width, patterns[b]);
			}
		}
		/* Before its first byte, into it: KVM cuts that at the page. */
		for (unsigned width = 2; width <= 8; width *= 2) {
			load((void *)(d->base - 1), width);
			store((void *)(d->base - 1), width, 0);
		}
	}
	return NULL;
}

static const char *try_nothing(volatile uint8_t *at)
{
	for (unsigned width = 1; width <= 8; width *= 2) {
		store(at, width, 0x1122334455667788);
		if (load(at, width) != ones(width))
			return "something answers where nothing is";
	}
	return NULL;
}

static volatile uint8_t *probe_at;
static const char *probe_result;

static void probe(void *arg)
{
	(void)arg;
	probe_result = try_nothing(probe_at);
}

/* The hole, between its devices, and addresses far above all RAM. */
static const char *mmio_hole(uint64_t rounds)
{
	uint64_t top = 1ul << (cpuid(0x80000008).eax & 0xff);
	const uint64_t high[] = {rig_high_end(), rig_high_end() + 0xffc, 1ul << 36, 1ul << 39, 1ul << 40,
		top / 2, top - 0x1000, top - 8};

	(void)rounds;
	for (uint64_t at = HOLE; at < FOUR_GIB; at += HOLE_STEP) {
		const char *why;

		if (is_known(false, at, 8) || at >= 0xfffb0000)
			continue;
		if ((why = try_nothing((volatile uint8_t *)at)) != NULL)
			return why;
	}
	for (size_t i = 0; i < sizeof(high) / sizeof(high[0]); i++) {
		if (high[i] < rig_high_end() || high[i] >= top)
			continue;
		probe_at = map_window(high[i]);
		probe_result = NULL;
		/* A host may have fewer address bits than it says: then a page fault is right. */
		if (trap_try(probe, NULL) < 0 && probe_result != NULL)
			return probe_result;
	}
	return NULL;
}

static void pin_write(volatile uint8_t *ioapic, unsigned number, uint32_t value)
{
	store(ioapic, 4, 0x10 + number);
	store(ioapic + 0x10, 4, value);
}

static const char *ioapic_registers(uint64_t rounds)
{
	volatile uint8_t *ioapic = (volatile uint8_t *)hw_find(HW_IOAPIC, 0)->base;
	uint32_t saved[2 * PINS];

	(void)rounds;
	for (unsigned i = 0; i < 2 * PINS; i++) {
		store(ioapic, 4, 0x10 + i);
		saved[i] = (uint32_t)load(ioapic + 0x10, 4);
	}
	for (unsigned index = 0; index < 256; index++) {
		for (size_t i = 0; i < PATTERNS; i += 2) {
			store(ioapic, 4, index | (i & 4) << 6);
			load(ioapic + 0x10, 4);
			store(ioapic + 0x10, 1u << i % 4, patterns[i]);
		}
	}
	for (unsigned at = 0; at < 0x1000; at += 0x20 - 1) {
		for (unsigned width = 1; width <= 8 && (at & 0xff8) != 0x10; width *= 2) {
			load(ioapic + at, width);
			store(ioapic + at, width, patterns[at % PATTERNS]);
		}
	}
	for (unsigned i = 0; i < 2 * PINS; i++)
		pin_write(ioapic, i, saved[i]);
	for (unsigned i = 0; i < 2 * PINS; i++) {
		store(ioapic, 4, 0x10 + i);
		if (((uint32_t)load(ioapic + 0x10, 4) ^ saved[i]) & ~0x5000u) /* the two read-only bits */
			return "an entry of the IOAPIC does not come back";
	}
	return NULL;
}

/* COM1, the clock, the keyboard controller, fw_cfg: every register with many values; those of the end are left out. */
static const char *chip_registers(uint64_t rounds)
{
	uint16_t port = uart_port();
	uint64_t flags = give_up_chips();

	(void)rounds;
	for (unsigned value = 0; value < 256; value += 5) {
		for (uint16_t reg = 0; reg < 8; reg++) {
			outb(port + reg, (uint8_t)value);
			inb(port + reg);
		}
	}
	for (unsigned index = 0; index < 256; index++) {
		outb(0x70, (uint8_t)index);
		outb(0x71, (uint8_t)(patterns[index % PATTERNS]));
		inb(0x71);
	}
	outb(0x70, 0x0b);
	outb(0x71, 0x02); /* no interrupts, 24 hours */
	outb(0x70, 0x0a);
	outb(0x71, 0x26); /* the divider runs */
	for (unsigned command = 0; command < 256; command++) {
		if (command >= 0xf0 && command % 2 == 0)
			continue; /* pulses the reset line */
		outb(0x64, (uint8_t)command);
		outb(0x60, 0xff); /* bit 0 keeps reset away, should it be the output port's */
		inb(0x64);
		inb(0x60);
	}
	for (unsigned item = 0; item < 0x10000; item += 509) {
		outw(0x510, (uint16_t)item);
		insb(0x511, rig_data, 40);
	}
	restore_chips(flags);
	outb(0x70, 0x0d);
	return inb(0x71) == 0x80 ? NULL : "the clock has lost its battery";
}

const struct attack attacks_io[] = {
	{.name = "ports",
		.run = ports,
		.rounds = 512,
		.what = "ports at all widths: as many as there are rounds, and those near devices (65536: all)"},
	{.name = "port-strings", .run = port_strings, .what = "string instructions on ports"},
	{.name = "registers",
		.run = virtio_registers,
		.rounds = 1,
		.disk = HW_VIRTIO_MMIO,
		.what = "every byte of the disk's registers at all widths"},
	{.name = "chip-registers",
		.run = chip_registers,
		.what = "registers of COM1, clock, keyboard controller, fw_cfg"},
	{.name = "ioapic-registers",
		.run = ioapic_registers,
		.what = "all of the IOAPIC's registers, at all widths"},
	{.name = "mmio-edges", .run = mmio_edges, .what = "accesses across the ends of devices"},
	{.name = "mmio-hole", .run = mmio_hole, .what = "the hole, and addresses above all RAM"},
	{.name = NULL},
};
