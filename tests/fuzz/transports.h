/*
 * The transports that a virtio device may be behind, and their driver's side: virtio-mmio, and virtio-pci, whose registers
 * go by virtio-mmio's names here.
 */
#pragma once

#include <linux/pci_regs.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_pci.h>

#include "fuzz.h"
#include "util/bytes.h"
#include "virtio/virtio_mmio.h"
#include "virtio/virtio_pci.h"

#define PCI_BASE 0xe0000000u

static struct {
	bool on_pci;
	struct virtio_transport *common; /* the one of the next two that is in use */
	struct virtio_mmio mmio;
	struct virtio_pci pci;
	bool line; /* virtio-mmio's */
} transports;

static void set_line(void *ctx, bool level)
{
	(void)ctx;
	transports.line = level;
}

/* PCI 3.0, 6.8.2: only while it may. */
static bool send_message(void *ctx, struct msi_message message)
{
	const struct msix *msix = ctx;

	FUZZ_CHECK(message.address >> 20 == 0xfee && message.address % 4 == 0);
	FUZZ_CHECK(msix->enabled && !msix->masked);
	return true;
}

static inline void transports_init(const struct virtio_transport_config *config, bool on_pci)
{
	const struct msi_handle msi = {.send = send_message, .ctx = &transports.pci.msix};

	memset(&transports, 0, sizeof(transports));
	transports.on_pci = on_pci;
	transports.common = on_pci ? &transports.pci.transport : &transports.mmio.transport;
	if (on_pci)
		FUZZ_CHECK(!virtio_pci_init(&transports.pci, config, PCI_BASE, 0x018000, &msi));
	else
		FUZZ_CHECK(!virtio_mmio_init(&transports.mmio, config, (struct irq_line){.set = set_line}));
}

static inline void transports_fini(void)
{
	virtio_pci_fini(&transports.pci);
	virtio_mmio_fini(&transports.mmio);
}

static const struct {
	uint16_t mmio, pci;
	uint8_t size; /* on PCI; else 4 */
} registers[] = {
	{VIRTIO_MMIO_DEVICE_FEATURES, VIRTIO_PCI_COMMON_DF, 4},
	{VIRTIO_MMIO_DEVICE_FEATURES_SEL, VIRTIO_PCI_COMMON_DFSELECT, 4},
	{VIRTIO_MMIO_DRIVER_FEATURES, VIRTIO_PCI_COMMON_GF, 4},
	{VIRTIO_MMIO_DRIVER_FEATURES_SEL, VIRTIO_PCI_COMMON_GFSELECT, 4},
	{VIRTIO_MMIO_QUEUE_SEL, VIRTIO_PCI_COMMON_Q_SELECT, 2},
	{VIRTIO_MMIO_QUEUE_NUM, VIRTIO_PCI_COMMON_Q_SIZE, 2},
	{VIRTIO_MMIO_QUEUE_READY, VIRTIO_PCI_COMMON_Q_ENABLE, 2},
	{VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_PCI_DOORBELL, 2},
	{VIRTIO_MMIO_INTERRUPT_STATUS, 0x100, 1},
	{VIRTIO_MMIO_STATUS, VIRTIO_PCI_COMMON_STATUS, 1},
	{VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_PCI_COMMON_Q_DESCLO, 4},
	{VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_PCI_COMMON_Q_AVAILLO, 4},
	{VIRTIO_MMIO_QUEUE_USED_LOW, VIRTIO_PCI_COMMON_Q_USEDLO, 4},
};

static unsigned row_of(uint64_t mmio)
{
	unsigned i = 0;

	while (registers[i].mmio != mmio)
		FUZZ_CHECK(++i < ARRAY_SIZE(registers));
	return i;
}

static uint64_t read_at(uint64_t offset, unsigned size)
{
	return (transports.on_pci ? virtio_pci_bus_ops.read(&transports.pci, offset, size)
				  : virtio_mmio_bus_ops.read(&transports.mmio, offset, size)) &
	       all_ones(size);
}

static void write_at(uint64_t offset, unsigned size, uint64_t value)
{
	if (transports.on_pci)
		virtio_pci_bus_ops.write(&transports.pci, offset, size, value & all_ones(size));
	else
		virtio_mmio_bus_ops.write(&transports.mmio, offset, size, value & all_ones(size));
}

/* A register, by its offset on virtio-mmio. */
static void put(uint64_t mmio, uint32_t value)
{
	unsigned row = row_of(mmio);

	if (transports.on_pci)
		write_at(registers[row].pci, registers[row].size, value);
	else
		write_at(mmio, 4, value);
}

static uint32_t get(uint64_t mmio)
{
	unsigned row = row_of(mmio);

	return (uint32_t)(transports.on_pci ? read_at(registers[row].pci, registers[row].size)
					    : read_at(mmio, 4));
}

/* The causes of interrupts that are there; the driver takes them back. */
static inline void acknowledge(void)
{
	uint32_t causes = get(VIRTIO_MMIO_INTERRUPT_STATUS);

	if (!transports.on_pci)
		write_at(VIRTIO_MMIO_INTERRUPT_ACK, 4, causes);
}

static bool decodes(void)
{
	return !transports.on_pci || atomic_load(&transports.pci.decodes);
}

/* Whether an access is one to this register. */
static inline bool is_register(uint64_t mmio, uint64_t offset, unsigned size)
{
	unsigned row = row_of(mmio);

	if (transports.on_pci)
		return decodes() && offset == registers[row].pci && size == registers[row].size;
	return offset == mmio && size == 4;
}

/* One of virtio-pci's registers near `offset` in a part of its BAR, by the width that it answers to (4.1.3.1). */
static inline uint64_t choose_field(uint64_t part, unsigned offset, unsigned *ret_size)
{
	bool common = part == 0;

	if (common)
		offset %= sizeof(struct virtio_pci_common_cfg);
	*ret_size = 4;
	if (common && offset >= VIRTIO_PCI_COMMON_MSIX && offset < VIRTIO_PCI_COMMON_Q_DESCLO)
		*ret_size = 2;
	if ((common && offset == VIRTIO_PCI_COMMON_STATUS) || part == 0x100)
		*ret_size = 1;
	return part + (part == 0x100 ? 0 : align_down(offset, *ret_size));
}

/* As a firmware has it, wherever the driver has put it: the BAR decodes. */
static inline void come_home(void)
{
	if (!transports.on_pci)
		return;
	pci_function_write(&transports.pci.function, PCI_BASE_ADDRESS_0, 4, PCI_BASE);
	pci_function_write(&transports.pci.function, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	FUZZ_CHECK(decodes());
}

/* Of virtio-pci: vector n for queue n, and the one behind them for the configuration. */
static inline void start_interrupts(void)
{
	unsigned count = transports.common->config.queue_count;

	if (!transports.on_pci)
		return;
	pci_function_write(
		&transports.pci.function, transports.pci.msix_at + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	for (unsigned i = 0; i <= count; i++) {
		write_at(0x2000 + i * MSIX_ENTRY_SIZE, 8, 0xfee00000);
		write_at(0x2008 + i * MSIX_ENTRY_SIZE, 8, 0x40 + i);
	}
	for (unsigned i = 0; i < count; i++) {
		put(VIRTIO_MMIO_QUEUE_SEL, i);
		write_at(VIRTIO_PCI_COMMON_Q_MSIX, 2, i);
	}
	write_at(VIRTIO_PCI_COMMON_MSIX, 2, count);
}

/* 4.1.4.9: a register through the window in configuration space. */
static inline void access_window(struct fuzz_input *input, bool write)
{
	struct pci_function *function = &transports.pci.function;
	unsigned at = transports.pci.access_at, size;
	uint64_t offset = choose_field(fuzz_byte(input) % 4 * 0x100u, fuzz_byte(input), &size);

	pci_function_write(function, at + VIRTIO_PCI_CAP_BAR, 1, 0);
	pci_function_write(function, at + VIRTIO_PCI_CAP_OFFSET, 4, offset);
	pci_function_write(function, at + VIRTIO_PCI_CAP_LENGTH, 4, size);
	if (write)
		pci_function_write(function, at + sizeof(struct virtio_pci_cap), 4, fuzz_number(input));
	else
		pci_function_read(function, at + sizeof(struct virtio_pci_cap), 4);
}

/* Configuration space, as behind a host bridge: what lies in a dword of it. */
static inline void access_config(struct fuzz_input *input)
{
	struct pci_function *function = &transports.pci.function;
	uint8_t kind = fuzz_byte(input);
	unsigned size = 1u << kind % 3, offset;

	switch (kind >> 4 & 7) {
	case 0:
	case 1:
		access_window(input, kind & 0x80);
		return;
	case 2: /* MSI-X off and on, masked or not */
		pci_function_write(function, transports.pci.msix_at + PCI_MSIX_FLAGS, 2, (kind & 3u) << 14);
		return;
	case 3: /* the window's own fields */
		offset = transports.pci.access_at + fuzz_byte(input) % 20;
		break;
	default:
		offset = fuzz_byte(input);
		break;
	}
	offset &= ~(size - 1);
	if (kind & 0x80)
		FUZZ_CHECK(pci_function_read(function, offset, size) <= all_ones(size));
	else
		pci_function_write(function, offset, size, fuzz_number(input));
}

/* What holds at any time. */
static inline void check_interrupts(void)
{
	const struct msix *msix = &transports.pci.msix;

	if (!transports.on_pci) {
		FUZZ_CHECK(transports.line == (atomic_load(&transports.mmio.interrupt_status) != 0));
		return;
	}
	/* What may be sent is not pending. */
	for (unsigned i = 0; i < msix->count; i++)
		FUZZ_CHECK(!msix->pending[i] || !msix->enabled || msix->masked || msix->entries[i].control);
	FUZZ_CHECK(transports.pci.config_vector < msix->count || transports.pci.config_vector == 0xffff);
	for (unsigned i = 0; i < transports.common->config.queue_count; i++)
		FUZZ_CHECK(transports.pci.queue_vectors[i] < msix->count ||
			   transports.pci.queue_vectors[i] == 0xffff);
}
