#include "pci.h"

#include "hw.h"
#include "x86.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define ENABLE         0x80000000u
#define DEVICE_SHIFT   11
#define DEVICES        32u

#define BAR0      0x10u
#define BARS      6u
#define BAR_IO    1u
#define BAR_TYPE  6u
#define BAR_64    4u
#define BAR_FLAGS 0xfu
#define FOUR_GIB  0x100000000ul

#define STATUS_HAS_LIST  (1u << 20) /* of the 32 bits at PCI_COMMAND */
#define CAPABILITIES     0x34u
#define CAPABILITIES_MIN 0x40u
#define CAPABILITIES_MAX 48u /* of 4 bytes, in what is left of 256 */

#define VENDOR_VIRTIO    0x1af4u
#define VIRTIO_ID_FIRST  0x1000u
#define VIRTIO_ID_LAST   0x107fu
#define HEADER_TYPE(reg) ((reg) >> 16 & 0x7f)

unsigned pci_device_number(uint32_t function)
{
	return function >> DEVICE_SHIFT & (DEVICES - 1);
}

uint32_t pci_read32(uint32_t function, unsigned offset)
{
	outl(CONFIG_ADDRESS, function | (offset & 0xfc));
	return inl(CONFIG_DATA);
}

void pci_write32(uint32_t function, unsigned offset, uint32_t value)
{
	outl(CONFIG_ADDRESS, function | (offset & 0xfc));
	outl(CONFIG_DATA, value);
}

void pci_write16(uint32_t function, unsigned offset, uint16_t value)
{
	outl(CONFIG_ADDRESS, function | (offset & 0xfc));
	outw((uint16_t)(CONFIG_DATA + (offset & 2)), value);
}

void pci_command(uint32_t function, uint16_t set)
{
	pci_write16(function, PCI_COMMAND, (uint16_t)pci_read32(function, PCI_COMMAND) | set);
}

bool pci_next_capability(uint32_t function, struct pci_capability *cap)
{
	unsigned next = cap->head >> 8 & 0xfc;

	if (cap->seen == 0) {
		if ((pci_read32(function, PCI_COMMAND) & STATUS_HAS_LIST) == 0)
			return false;
		next = pci_read32(function, CAPABILITIES) & 0xfc;
	}
	if (next < CAPABILITIES_MIN || cap->seen++ == CAPABILITIES_MAX)
		return false;
	cap->at = next;
	cap->head = pci_read32(function, next);
	return true;
}

/* 6.2.5.1: of all ones that are written, those that stay are the address's. */
struct pci_bar pci_bar(uint32_t function, unsigned index)
{
	unsigned at = BAR0 + 4 * index;
	uint32_t old = index < BARS ? pci_read32(function, at) : 0, base = old & ~BAR_FLAGS, size;

	if (base == 0 || (old & BAR_IO) != 0)
		return (struct pci_bar){0};
	if ((old & BAR_TYPE) == BAR_64 && (index + 1 == BARS || pci_read32(function, at + 4) != 0))
		return (struct pci_bar){0};
	uint16_t command = (uint16_t)pci_read32(function, PCI_COMMAND);

	pci_write16(function, PCI_COMMAND, command & (uint16_t)~PCI_COMMAND_MEMORY);
	pci_write32(function, at, UINT32_MAX);
	size = 0 - (pci_read32(function, at) & ~BAR_FLAGS);
	pci_write32(function, at, old);
	pci_write16(function, PCI_COMMAND, command);
	if (base + (uint64_t)size > FOUR_GIB)
		return (struct pci_bar){0};
	return (struct pci_bar){base, size};
}

static struct pci_bar first_bar(uint32_t function)
{
	/* A bridge has other things there. */
	if (HEADER_TYPE(pci_read32(function, PCI_HEADER)) != 0)
		return (struct pci_bar){0};
	for (unsigned i = 0; i < BARS; i++) {
		uint32_t value = pci_read32(function, BAR0 + 4 * i);

		if (value != 0 && (value & BAR_IO) == 0)
			return pci_bar(function, i);
	}
	return (struct pci_bar){0};
}

static void add_function(uint32_t function, uint32_t id)
{
	uint32_t device = id >> 16;
	bool is_virtio =
		(id & 0xffff) == VENDOR_VIRTIO && device >= VIRTIO_ID_FIRST && device <= VIRTIO_ID_LAST;
	struct pci_bar bar = first_bar(function);

	hw_add(&(struct hw_device){
		.kind = is_virtio ? HW_VIRTIO_PCI : HW_OTHER,
		.source = HW_PCI,
		.name = is_virtio ? "virtio-pci" : "pci",
		.irq = -1,
		.pci = function,
		.base = bar.base,
		.size = bar.size,
	});
}

void pci_discover(void)
{
	for (unsigned number = 0; number < DEVICES; number++) {
		uint32_t function = ENABLE | number << DEVICE_SHIFT;
		uint32_t id = pci_read32(function, PCI_ID);

		if (id != UINT32_MAX)
			add_function(function, id);
		else if (number == 0)
			return;
	}
}
