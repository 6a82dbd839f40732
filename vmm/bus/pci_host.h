/*
 * A host bridge with configuration mechanism #1 (PCI 3.0, 3.2.2.3.2) and one bus: an address register of 32 bits, 0xcf8
 * on a PC, and a window of 4 bytes behind it. Any vCPU; one access to a function at a time.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "bus/bus.h"
#include "bus/pci_function.h"

#define PCI_HOST_DEVICES 32

struct pci_host {
	atomic_uint address; /* the register */
	pthread_mutex_t
		lock; /* guards the functions' configuration spaces; held while one is told of an access */
	struct pci_function bridge;                       /* device 0 */
	struct pci_function *functions[PCI_HOST_DEVICES]; /* function 0 of each device; NULL: none */
};

extern const struct bus_ops pci_host_ops; /* dev: a struct pci_host; 8 bytes: the register and the window */

void pci_host_init(struct pci_host *host);
void pci_host_fini(struct pci_host *host); /* zeroed ones too */

/* Plugs a function in, before the vCPUs run; device is 1 to PCI_HOST_DEVICES - 1. */
void pci_host_add(struct pci_host *host, unsigned device, struct pci_function *function);
