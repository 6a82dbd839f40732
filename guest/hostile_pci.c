/* PCI: configuration spaces, those that are not there among them; BARs that move; MSI-X tables that lie. */
#include <stddef.h>

#include "clock.h"
#include "console.h"
#include "hostile.h"
#include "hostile_rig.h"
#include "lapic.h"
#include "pci.h"
#include "../firmware/virtio_regs.h"
#include "x86.h"

#define ADDRESS 0xcf8
#define WINDOW  0xcfc
#define ENABLE  0x80000000u
#define ALL     0xffff00u /* bus, device, function */
#define SPACE   256u

#define PCI_BAR0        0x10u
#define CFG_ACCESS      5u /* virtio 1.2, 4.1.4.9: a window to the BARs in configuration space */
#define COMMON_STATUS   0x14u
#define COMMON_VECTOR   0x10u /* of the configuration; and of a queue: */
#define COMMON_Q_VECTOR 0x1au
#define NO_VECTOR       0xffffu
#define ENTRY_WORDS     4u
#define ENTRY_MASKED    1u
#define MSIX_ENABLE     0x8000u
#define MSIX_MASK_ALL   0x4000u
#define MESSAGES        0xfee00000u
#define WAIT_US         3000000u
#define QUIET_US        2000u

static uint32_t saved[SPACE / 4], saved_table[2 * ENTRY_WORDS];

static uint32_t function(void)
{
	return disk_get(0)->device.hw->pci;
}

static uint64_t table(void)
{
	return disk_get(0)->device.msix_table;
}

static void save(void)
{
	rig_start();
	for (unsigned i = 0; i < SPACE / 4; i++)
		saved[i] = pci_read32(function(), 4 * i);
	for (unsigned i = 0; i < 2 * ENTRY_WORDS; i++)
		saved_table[i] = mmio_read32(table() + 4ul * i);
}

static const char *restore(void)
{
	for (unsigned i = 0; i < SPACE / 4; i++)
		pci_write32(function(), 4 * i, saved[i]);
	for (unsigned i = 0; i < 2 * ENTRY_WORDS; i++)
		mmio_write32(table() + 4ul * i, saved_table[i]);
	for (unsigned i = 0; i < SPACE / 4; i++) {
		if (pci_read32(function(), 4 * i) != saved[i]) {
			print("hostile: configuration space at 0x%x: 0x%x, not 0x%x\n", 4 * i,
				pci_read32(function(), 4 * i), saved[i]);
			return "configuration space is not what it was";
		}
	}
	return NULL;
}

/* 0: there is none. */
static unsigned find_capability(uint32_t id, uint32_t kind)
{
	struct pci_capability cap = {0};

	while (pci_next_capability(function(), &cap)) {
		if ((cap.head & 0xff) == id && (id != PCI_CAP_VENDOR || cap.head >> 24 == kind))
			return cap.at;
	}
	return 0;
}

static uint32_t window_in(unsigned at, unsigned width)
{
	uint16_t port = (uint16_t)(WINDOW + at);

	return width == 1 ? inb(port) : width == 2 ? inw(port) : inl(port);
}

static void window_out(unsigned at, unsigned width, uint32_t value)
{
	uint16_t port = (uint16_t)(WINDOW + at);

	if (width == 1)
		outb(port, (uint8_t)value);
	else if (width == 2)
		outw(port, (uint16_t)value);
	else
		outl(port, value);
}

/* Every byte at every width, the bridge's too; nothing that is not meant to changes for good. */
static const char *config_space(uint64_t rounds)
{
	static const uint32_t patterns[] = {0, UINT32_MAX, 0x55555555, 0x80000001};
	const uint32_t victims[] = {ENABLE, function()};

	(void)rounds;
	save();
	for (unsigned n = 0; n < 2 * SPACE; n++) {
		unsigned at = n % SPACE;

		for (unsigned width = 1; width <= 4; width *= 2) {
			uint32_t ones = UINT32_MAX >> (32 - 8 * width);

			for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
				outl(ADDRESS, victims[n / SPACE] | (at & 0xfc));
				window_out(at % 4, width, patterns[i]);
				if (at % 4 + width > 4 && window_in(at % 4, width) != ones)
					return "an access across the window's end is answered";
			}
		}
	}
	return restore();
}

static bool is_there(uint32_t address)
{
	for (unsigned i = 0; i < hw.device_count; i++) {
		if (hw.devices[i].pci == (address | ENABLE))
			return true;
	}
	return false;
}

/* Functions that are not there, and those that are with the address register's enable bit off. */
static const char *no_functions(uint64_t rounds)
{
	for (uint32_t n = 0; n < (ALL >> 8) + 1; n += (uint32_t)rounds) {
		uint32_t address = n << 8, at = n % SPACE & 0xfc;

		for (unsigned enabled = is_there(address) ? 0 : 1; enabled < 2; enabled++) {
			outl(ADDRESS, address | at | enabled << 31);
			outl(WINDOW, n * 0x01010101);
			if (inl(WINDOW) != UINT32_MAX || inb(WINDOW + 3) != 0xff) {
				print("hostile: %x answers\n", address);
				return "a function is there that is not";
			}
			if (is_there(address))
				break;
		}
	}
	return NULL;
}

/* Onto RAM, onto other devices: those stay what they are. Where the BAR was there is nothing meanwhile. */
static const char *move_bar(uint64_t rounds)
{
	const uint64_t base = disk_get(0)->device.base, id = lapic_id();
	const uint64_t to[] = {
		0, (uintptr_t)rig_data, 0x80000000, MESSAGES, 0xfec00000, base + 0x4000, 0xfffffff0};
	volatile uint8_t *ram = rig_data;

	(void)rounds;
	save();
	*ram = 0xa5;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		pci_write32(function(), PCI_BAR0, (uint32_t)to[i]);
		uint32_t there = mmio_read32(base);

		rig_write(QUEUE_NOTIFY, 0);
		bool others = *ram == 0xa5 && lapic_id() == id;

		pci_write32(function(), PCI_BAR0, saved[PCI_BAR0 / 4]);
		if (there != UINT32_MAX || !others) {
			print("hostile: BAR at 0x%lx\n", to[i]);
			return others ? "a BAR answers where it was" : "a BAR lies on something else";
		}
	}
	pci_write32(function(), PCI_COMMAND, 0);
	if (mmio_read32(base) != UINT32_MAX)
		return "a BAR answers that is off";
	const char *why = restore();

	if (why != NULL)
		return why;
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	return rig_try(RIG_ANSWER, "with the BAR back in its place");
}

/* Any BAR, any offset, any length; and then what it is for. */
static const char *bar_window(uint64_t rounds)
{
	static const uint32_t bars[] = {0, 1, 5, 6, 255};
	static const uint32_t numbers[] = {0, 1, 2, 3, 4, 5, 8, 0x7f, 0x1000, 0x2000, 0x3ffc, 0x3fff, 0x4000,
		0x10000, 0x7fffffff, 0xfffffffc, 0xffffffff};
	const size_t count = sizeof(numbers) / sizeof(numbers[0]);
	unsigned at = find_capability(PCI_CAP_VENDOR, CFG_ACCESS);

	(void)rounds;
	if (at == 0)
		return "there is no window to the BARs";
	save();
	for (size_t n = 0; n < sizeof(bars) / sizeof(bars[0]) * count * count; n++) {
		pci_write32(function(), at + 4, bars[n / count / count]);
		pci_write32(function(), at + 8, numbers[n / count % count]);
		pci_write32(function(), at + 12, numbers[n % count]);
		pci_read32(function(), at + 16);
		pci_write32(function(), at + 16, (uint32_t)n);
	}
	const char *why = restore();

	if (why != NULL)
		return why;
	rig_start();
	pci_write32(function(), at + 4, 0);
	pci_write32(function(), at + 8, (uint32_t)(rig.device.base - rig.device.hw->base) + COMMON_STATUS);
	pci_write32(function(), at + 12, 1);
	if ((pci_read32(function(), at + 16) & 0xff) != rig_read(STATUS))
		return "the window does not show the status";
	return restore();
}

static bool has_interrupted(void *arg)
{
	const uint64_t *before = arg;

	return rig.device.interrupts != *before;
}

/* A masked vector is kept until it may come. mask and unmask are of one kind. */
static const char *try_mask(void (*mask)(bool on), const char *what)
{
	uint64_t before;

	rig_start();
	mask(true);
	before = rig.device.interrupts;
	rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
	const char *why = rig_try(RIG_ANSWER, what);

	if (why != NULL)
		return why;
	clock_delay(QUIET_US);
	if (rig.device.interrupts != before)
		return "a masked interrupt came";
	mask(false);
	return clock_wait(has_interrupted, &before, WAIT_US) ? NULL
	                                                     : "an interrupt got lost while it was masked";
}

static void mask_entry(bool on)
{
	mmio_write32(table() + 4ul * (ENTRY_WORDS + 3), on ? ENTRY_MASKED : 0);
}

static void mask_all(bool on)
{
	pci_write16(function(), find_capability(PCI_CAP_MSIX, 0) + 2, MSIX_ENABLE | (on ? MSIX_MASK_ALL : 0));
}

static const char *try_vectors(unsigned reg, unsigned count)
{
	static const uint16_t vectors[] = {0, 1, 2, 3, 4, 8, 9, 0x7ff, 0x800, 0x8000, 0xfffe, 0xffff};

	mmio_write16(rig.device.base + 0x16, 0);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint16_t want = vectors[i] < count ? vectors[i] : NO_VECTOR;

		mmio_write16(rig.device.base + reg, vectors[i]);
		if (mmio_read16(rig.device.base + reg) != want)
			return "a vector that is none was taken";
	}
	return NULL;
}

/* Messages to where no local APIC is, to vectors that are none, of kinds that are reserved: a request's answer comes. */
static const char *messages(uint64_t rounds)
{
	static const struct {
		uint32_t low, high, data;
	} wrong[] = {{0, 0, 0x90}, {UINT32_MAX, UINT32_MAX, UINT32_MAX}, {MESSAGES, 1, 0x91},
		{MESSAGES, UINT32_MAX, 0x91}, {MESSAGES | 0xfe000, 0, 0x91}, {MESSAGES, 0, 0x391},
		{MESSAGES, 0, 0x691}, {MESSAGES, 0, 0xffff00ee}, {MESSAGES | 0xffc, 0, 0x91},
		{0x80000000, 0, 0x91}};
	const char *why = NULL;

	(void)rounds;
	save();
	for (size_t i = 0; why == NULL && i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		for (unsigned entry = 0; entry < 2; entry++) {
			mmio_write32(table() + 16ul * entry, wrong[i].low);
			mmio_write32(table() + 16ul * entry + 4, wrong[i].high);
			mmio_write32(table() + 16ul * entry + 8, wrong[i].data);
		}
		rig_chain(0, BLK_T_IN, 0, rig_data, SECTOR_SIZE);
		why = rig_try(RIG_ANSWER, "with a message to nobody");
	}
	for (unsigned at = 0; at < 0x2000; at += 61) {
		mmio_read8(table() + at);
		mmio_write16(table() + (at & ~1u), 0xffff);
		mmio_write32(table() + (at & ~3u), 0x55555555);
	}
	const char *changed = restore();

	if (why == NULL)
		why = changed;
	unsigned count = (saved[find_capability(PCI_CAP_MSIX, 0) / 4] >> 16 & 0x7ff) + 1;

	if (why == NULL)
		why = try_vectors(COMMON_VECTOR, count);
	if (why == NULL)
		why = try_vectors(COMMON_Q_VECTOR, count);
	if (why == NULL)
		why = try_mask(mask_entry, "with its vector masked");
	if (why == NULL)
		why = try_mask(mask_all, "with all vectors masked");
	return why;
}

const struct attack attacks_pci[] = {
	{.name = "pci-config",
		.run = config_space,
		.disk = HW_VIRTIO_PCI,
		.what = "every byte of two configuration spaces at all widths"},
	{.name = "pci-nobody",
		.run = no_functions,
		.rounds = 13,
		.disk = HW_VIRTIO_PCI,
		.what = "functions that are not there: one in as many as there are rounds"},
	{.name = "pci-bar",
		.run = move_bar,
		.disk = HW_VIRTIO_PCI,
		.what = "a BAR that moves onto RAM and other devices, or is off"},
	{.name = "pci-window",
		.run = bar_window,
		.disk = HW_VIRTIO_PCI,
		.what = "the BAR by way of configuration space, and beyond its end"},
	{.name = "pci-msix",
		.run = messages,
		.disk = HW_VIRTIO_PCI,
		.what = "messages to nobody, vectors that are none, masks"},
	{.name = NULL},
};
