#include "bus/pci_function.h"

#include <linux/pci_regs.h>

#include "util/bytes.h"

static void set(struct pci_function *function, unsigned offset, uint64_t value, unsigned size)
{
	store_le(function->space + offset, value, size);
}

void pci_function_init(struct pci_function *function, const struct pci_function_id *id,
	const struct pci_function_ops *ops, void *dev)
{
	*function = (struct pci_function){.ops = ops, .dev = dev, .end = PCI_STD_HEADER_SIZEOF};
	set(function, PCI_VENDOR_ID, id->vendor, 2);
	set(function, PCI_DEVICE_ID, id->device, 2);
	set(function, PCI_REVISION_ID, id->revision, 1);
	set(function, PCI_CLASS_PROG, id->class_code, 3);
	set(function, PCI_SUBSYSTEM_VENDOR_ID, id->subsystem_vendor, 2);
	set(function, PCI_SUBSYSTEM_ID, id->subsystem, 2);
	pci_function_allow(function, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	/* Kept for whoever writes them, and of no meaning here (6.2.4, 7.6 of PCI Express for the first). */
	pci_function_allow(function, PCI_CACHE_LINE_SIZE, 0xff, 1);
	pci_function_allow(function, PCI_INTERRUPT_LINE, 0xff, 1);
}

void pci_function_set_bar(struct pci_function *function, uint32_t base, uint32_t size)
{
	set(function, PCI_BASE_ADDRESS_0, base | PCI_BASE_ADDRESS_MEM_TYPE_32, 4);
	/* 6.2.5.1: the bits that cannot be set tell the size. */
	pci_function_allow(function, PCI_BASE_ADDRESS_0, ~(size - 1), 4);
	set(function, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
}

unsigned pci_function_add_capability(
	struct pci_function *function, uint8_t id, const void *body, unsigned size)
{
	unsigned at = function->end, link = function->last_capability;

	set(function, link ? link + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST, at, 1);
	function->space[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	function->space[at + PCI_CAP_LIST_ID] = id;
	memcpy(function->space + at + PCI_CAP_FLAGS, body, size - PCI_CAP_FLAGS);
	function->last_capability = at;
	function->end = (unsigned)align_up(at + size, 4);
	return at;
}

void pci_function_allow(struct pci_function *function, unsigned offset, uint64_t mask, unsigned size)
{
	store_le(function->writable + offset, mask, size);
}

bool pci_function_decodes(const struct pci_function *function, uint32_t base)
{
	return (function->space[PCI_COMMAND] & PCI_COMMAND_MEMORY) &&
	       load_le(function->space + PCI_BASE_ADDRESS_0, 4) == base;
}

uint64_t pci_function_read(struct pci_function *function, unsigned offset, unsigned size)
{
	if (function->ops && function->ops->reading)
		function->ops->reading(function->dev, offset, size);
	return load_le(function->space + offset, size);
}

void pci_function_write(struct pci_function *function, unsigned offset, unsigned size, uint64_t value)
{
	uint64_t mask = load_le(function->writable + offset, size);
	uint64_t kept = load_le(function->space + offset, size) & ~mask;

	set(function, offset, kept | (value & mask), size);
	if (function->ops && function->ops->written)
		function->ops->written(function->dev, offset, size);
}
