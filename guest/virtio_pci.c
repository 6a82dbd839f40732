#include "virtio_pci.h"

#include "hw.h"
#include "lapic.h"
#include "pci.h"
#include "trap.h"
#include "../firmware/virtio_regs.h"
#include "x86.h"

#define ID_MODERN 0x1040u /* 4.1.2: and the device's own is added to it */

/* 4.1.4: what a capability of the vendor's is about. */
enum {
	CFG_COMMON = 1,
	CFG_NOTIFY = 2,
	CFG_DEVICE = 4,
};

#define CFG_SIZE    16u /* bytes of such a capability */
#define NOTIFY_SIZE 20u

/* The common configuration (4.1.4.3): what virtio-mmio has not. */
enum {
	COMMON_CONFIG_VECTOR = 0x10,
	COMMON_QUEUE_SELECT = 0x16,
	COMMON_QUEUE_VECTOR = 0x1a,
	COMMON_NOTIFY_OFF = 0x1e,
	COMMON_SIZE = 0x38,
};

/* And what both have, by virtio-mmio's numbers; a width of 0 bytes: there is no such register. */
static const struct {
	uint8_t at;
	uint8_t width;
} common[CONFIG / 4] = {
	[DEVICE_FEATURES_SEL / 4] = {0x00, 4},
	[DEVICE_FEATURES / 4] = {0x04, 4},
	[DRIVER_FEATURES_SEL / 4] = {0x08, 4},
	[DRIVER_FEATURES / 4] = {0x0c, 4},
	[STATUS / 4] = {0x14, 1},
	[CONFIG_GENERATION / 4] = {0x15, 1},
	[QUEUE_SEL / 4] = {COMMON_QUEUE_SELECT, 2},
	[QUEUE_NUM_MAX / 4] = {0x18, 2}, /* until a size is written */
	[QUEUE_NUM / 4] = {0x18, 2},
	[QUEUE_READY / 4] = {0x1c, 2},
	[QUEUE_DESC / 4] = {0x20, 4},
	[QUEUE_DESC / 4 + 1] = {0x24, 4},
	[QUEUE_DRIVER / 4] = {0x28, 4},
	[QUEUE_DRIVER / 4 + 1] = {0x2c, 4},
	[QUEUE_DEVICE / 4] = {0x30, 4},
	[QUEUE_DEVICE / 4 + 1] = {0x34, 4},
};

/* MSI-X (PCI Local Bus Specification 3.0, 6.8.2). */
#define MSIX_SIZE   12u     /* bytes of the capability */
#define MSIX_ENABLE 0x8000u /* of its control word, which has the table's last index, too */
#define MSIX_LAST   0x7ffu
#define MSIX_BAR    7u  /* of the table's place: the rest is its offset */
#define MSIX_ENTRY  16u /* bytes: address, data, mask */
#define MSIX_ADDRESS \
	0xfee00000u /* Intel SDM vol. 3, 11.11.1: to the local APIC with the ID in bits 12 to 19 */

/* Our entries: a queue's interrupt has nothing to acknowledge, and no register is read for it. */
enum {
	VECTOR_CONFIG = 0,
	VECTOR_QUEUE = 1,
	VECTORS = 2,
};

static uint64_t place_of(const struct virtio_device *device, unsigned reg, unsigned *ret_width)
{
	if (reg == QUEUE_NOTIFY) {
		*ret_width = 2;
		return device->doorbell;
	}
	if (reg >= CONFIG) {
		*ret_width = (uint64_t)reg - CONFIG + 4 <= device->config_size ? 4 : 0;
		return device->config + reg - CONFIG;
	}
	*ret_width = common[reg / 4].width;
	return device->base + common[reg / 4].at;
}

static uint32_t pci_read(const struct virtio_device *device, unsigned reg)
{
	unsigned width;
	uint64_t addr = place_of(device, reg, &width);

	switch (width) {
	case 1:
		return mmio_read8(addr);
	case 2:
		return mmio_read16(addr);
	case 4:
		return mmio_read32(addr);
	default:
		return 0;
	}
}

static void pci_write(const struct virtio_device *device, unsigned reg, uint32_t value)
{
	unsigned width;
	uint64_t addr = place_of(device, reg, &width);

	switch (width) {
	case 1:
		mmio_write8(addr, (uint8_t)value);
		break;
	case 2:
		mmio_write16(addr, (uint16_t)value);
		break;
	case 4:
		mmio_write32(addr, value);
		break;
	default:
		break;
	}
}

/* So many bytes of a function's BAR, as a capability has it; 0: they are not there. */
struct bars {
	uint32_t function;
	unsigned index;
	struct pci_bar bar; /* the one asked for last: they are mostly all in one */
};

static uint64_t find_region(struct bars *bars, unsigned index, uint32_t offset, uint32_t len)
{
	if (bars->bar.size == 0 || bars->index != index) {
		bars->index = index;
		bars->bar = pci_bar(bars->function, index);
	}
	if (offset > bars->bar.size || len > bars->bar.size - offset)
		return 0;
	return bars->bar.base + offset;
}

/* Where the queues' doorbells are, each at a multiple (4.1.4.4). */
struct doorbells {
	uint64_t base;
	uint32_t len;
	uint32_t multiplier;
};

/* The first of a kind that can be used is the one to use (4.1.4.1). */
static void take_virtio(struct virtio_device *device, struct bars *bars, const struct pci_capability *cap,
	struct doorbells *doorbells)
{
	uint32_t fn = bars->function, kind = cap->head >> 24, size = cap->head >> 16 & 0xff;

	if (cap->at + size > 256 || size < (kind == CFG_NOTIFY ? NOTIFY_SIZE : CFG_SIZE) ||
		(kind != CFG_COMMON && kind != CFG_NOTIFY && kind != CFG_DEVICE))
		return;
	uint32_t len = pci_read32(fn, cap->at + 12);
	uint64_t at = find_region(bars, pci_read32(fn, cap->at + 4) & 0xff, pci_read32(fn, cap->at + 8), len);

	if (at == 0)
		return;
	if (kind == CFG_COMMON && device->base == 0 && len >= COMMON_SIZE) {
		device->base = at;
	} else if (kind == CFG_NOTIFY && doorbells->base == 0) {
		*doorbells = (struct doorbells){at, len, pci_read32(fn, cap->at + 16)};
	} else if (kind == CFG_DEVICE && device->config == 0) {
		device->config = at;
		device->config_size = len;
	}
}

static void write_entry(uint64_t entry, unsigned vector)
{
	mmio_write32(entry, MSIX_ADDRESS | lapic_id() << 12);
	mmio_write32(entry + 4, 0);
	mmio_write32(entry + 8, vector); /* fixed, edge */
	mmio_write32(entry + 12, 0);     /* not masked */
}

static unsigned first_vector(const struct virtio_device *device)
{
	return VECTOR_MSI + VECTORS * pci_device_number(device->hw->pci);
}

/* Once: a reset of the device leaves PCI's part alone. */
static void take_msix(struct virtio_device *device, struct bars *bars, const struct pci_capability *cap)
{
	uint32_t fn = bars->function, control = cap->head >> 16;

	if (cap->at + MSIX_SIZE > 256 || (control & MSIX_LAST) + 1 < VECTORS || !lapic_present())
		return;
	uint32_t table = pci_read32(fn, cap->at + 4);
	uint64_t at = find_region(bars, table & MSIX_BAR, table & ~MSIX_BAR, VECTORS * MSIX_ENTRY);

	if (at == 0)
		return;
	for (unsigned i = 0; i < VECTORS; i++)
		write_entry(at + (uint64_t)i * MSIX_ENTRY, first_vector(device) + i);
	pci_write16(fn, cap->at + 2, MSIX_ENABLE);
	device->msix_table = at;
}

static bool pci_probe(struct virtio_device *device)
{
	struct bars bars = {.function = device->hw->pci};
	uint32_t id = pci_read32(bars.function, PCI_ID) >> 16;
	struct pci_capability cap = {0};
	struct doorbells doorbells = {0};

	pci_command(bars.function, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
	while (pci_next_capability(bars.function, &cap)) {
		if ((cap.head & 0xff) == PCI_CAP_VENDOR)
			take_virtio(device, &bars, &cap, &doorbells);
		else if ((cap.head & 0xff) == PCI_CAP_MSIX)
			take_msix(device, &bars, &cap);
	}
	if (device->base == 0 || doorbells.base == 0)
		return false;
	mmio_write16(device->base + COMMON_QUEUE_SELECT, 0);
	uint64_t offset = (uint64_t)mmio_read16(device->base + COMMON_NOTIFY_OFF) * doorbells.multiplier;

	if (offset + 2 > doorbells.len)
		return false;
	device->doorbell = doorbells.base + offset;
	device->version = 2;
	/* A transitional device has it elsewhere (4.1.2.3). */
	device->id = id >= ID_MODERN ? id - ID_MODERN : pci_read32(bars.function, PCI_SUBSYSTEM) >> 16;
	return true;
}

static void queue_irq(void *arg)
{
	struct virtio_device *device = arg;

	device->interrupts++;
}

static void config_irq(void *arg)
{
	struct virtio_device *device = arg;

	if (pci_read(device, STATUS) & STATUS_NEEDS_RESET)
		device->needs_reset = true;
}

/* 4.1.5.1.2.2: a device that cannot have the vector says so. */
static bool set_vector(const struct virtio_device *device, unsigned offset, uint16_t vector)
{
	mmio_write16(device->base + offset, vector);
	return mmio_read16(device->base + offset) == vector;
}

static bool pci_route(struct virtio_device *device)
{
	if (device->msix_table == 0)
		return false;
	trap_set_handler(first_vector(device) + VECTOR_CONFIG, config_irq, device);
	trap_set_handler(first_vector(device) + VECTOR_QUEUE, queue_irq, device);
	pci_write(device, QUEUE_SEL, 0);
	return set_vector(device, COMMON_CONFIG_VECTOR, VECTOR_CONFIG) &&
	       set_vector(device, COMMON_QUEUE_VECTOR, VECTOR_QUEUE);
}

const struct virtio_transport virtio_pci = {
	.probe = pci_probe,
	.read = pci_read,
	.write = pci_write,
	.route = pci_route,
};
