/*
 * PCI's configuration space by configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2): bus 0, and of
 * each device function 0. A function goes by the address of its configuration space, as it is written to port 0xcf8.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Byte offsets. */
enum {
	PCI_ID = 0x00, /* vendor, then device */
	PCI_COMMAND = 0x04,
	PCI_HEADER = 0x0c,    /* bits 16 to 22: its type */
	PCI_SUBSYSTEM = 0x2c, /* vendor, then device */
};

enum {
	PCI_COMMAND_MEMORY = 1u << 1,
	PCI_COMMAND_MASTER = 1u << 2,
	PCI_COMMAND_NO_INTX = 1u << 10,
};

enum {
	PCI_CAP_VENDOR = 0x09,
	PCI_CAP_MSIX = 0x11,
};

/* One of a function's capabilities: at, and its first 32 bits, of which 0 to 7 are its ID. */
struct pci_capability {
	unsigned at;
	uint32_t head;
	unsigned seen;
};

/* What a memory BAR decodes; size 0: nothing that we could reach. */
struct pci_bar {
	uint64_t base;
	uint64_t size;
};

/* Adds the functions that answer to hw. Nothing where there is no host bridge. */
void pci_discover(void);

/* 0 to 31 */
unsigned pci_device_number(uint32_t function);

/* offset: below 256, and a multiple of 4, or of 2. */
uint32_t pci_read32(uint32_t function, unsigned offset);
void pci_write32(uint32_t function, unsigned offset, uint32_t value);
void pci_write16(uint32_t function, unsigned offset, uint16_t value);

/* The command register, of whose neighbour a 1 that is written back would clear things. */
void pci_command(uint32_t function, uint16_t set);

/* From one that is all zeroes to the last; ends even where the list does not. */
bool pci_next_capability(uint32_t function, struct pci_capability *cap);

/* index: whatever a capability says. The function decodes no memory meanwhile. */
struct pci_bar pci_bar(uint32_t function, unsigned index);
