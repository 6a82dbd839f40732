/*
 * A PCI function's configuration space (PCI 3.0, chapter 6): 256 bytes, a type 0 header, and which of their bits a driver
 * may change. Values are little-endian numbers. Built before the vCPUs run; its host bridge calls the rest, one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PCI_CONFIG_SIZE 256u

struct pci_function_ops {
	/* Before bytes from offset on are read, and after they were written. NULL: nothing is to be done. */
	void (*reading)(void *dev, unsigned offset, unsigned size);
	void (*written)(void *dev, unsigned offset, unsigned size);
};

struct pci_function {
	uint8_t space[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE]; /* a mask for each byte */
	const struct pci_function_ops *ops;
	void *dev;
	unsigned last_capability; /* where it lies; 0: there is none */
	unsigned end;             /* of all capabilities */
};

struct pci_function_id {
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem;
	uint32_t class_code; /* 24 bits: class, subclass, interface */
	uint8_t revision;
};

/* ops may be NULL. A driver may change the command register's bits for memory and bus mastering. */
void pci_function_init(struct pci_function *function, const struct pci_function_id *id,
	const struct pci_function_ops *ops, void *dev);

/* BAR 0: `size` bytes of memory, a power of two, at base below 4 GiB. It decodes from the start, as after a firmware. */
void pci_function_set_bar(struct pci_function *function, uint32_t base, uint32_t size);

/* Adds a capability of `size` bytes, of which `body` has those after the first two; returns where it lies. */
unsigned pci_function_add_capability(
	struct pci_function *function, uint8_t id, const void *body, unsigned size);

/* Lets a driver change more: a mask for each of `size` bytes. */
void pci_function_allow(struct pci_function *function, unsigned offset, uint64_t mask, unsigned size);

/* Whether BAR 0 decodes, and at base. */
bool pci_function_decodes(const struct pci_function *function, uint32_t base);

/* [offset, offset+size) lies inside. */
uint64_t pci_function_read(struct pci_function *function, unsigned offset, unsigned size);
void pci_function_write(struct pci_function *function, unsigned offset, unsigned size, uint64_t value);
