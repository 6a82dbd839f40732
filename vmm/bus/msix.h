/*
 * MSI-X (PCI 3.0, 6.8.2): a table of messages, a vector each, which the driver fills and may mask, and the bits of those
 * that are pending meanwhile.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/msi.h"

#define MSIX_VECTORS_MAX 65
#define MSIX_ENTRY_SIZE  UINT64_C(16)

struct msix_entry {
	uint64_t address;
	uint32_t data;
	uint32_t control;
};

struct msix {
	struct msi_handle msi;
	unsigned count;       /* of vectors; both are constant */
	pthread_mutex_t lock; /* guards the rest; below the locks of whose vectors these are, held for msi */
	bool enabled, masked; /* as message control has it */
	struct msix_entry entries[MSIX_VECTORS_MAX];
	bool pending[MSIX_VECTORS_MAX];
};

/* All masked, and disabled. count: 1 to MSIX_VECTORS_MAX. */
void msix_init(struct msix *msix, unsigned count, const struct msi_handle *msi);
void msix_fini(struct msix *msix); /* after msix_init() */

/* The rest: any thread. */

/* Bits 15 and 14 of message control. What was pending is sent where it may now. */
void msix_control(struct msix *msix, bool enabled, bool masked);

/* Interrupts; a vector that does not exist is nobody's, and so is a message to where no local APIC is. Does not block. */
void msix_send(struct msix *msix, unsigned vector);

/* The table: size is 1 to 8, and only aligned accesses of 4 and 8 bytes are any (6.8.2). Offsets behind it read 0. */
uint64_t msix_table_read(struct msix *msix, uint64_t offset, unsigned size);
void msix_table_write(struct msix *msix, uint64_t offset, unsigned size, uint64_t value);

/* The pending bits, which are for reading: likewise. */
uint64_t msix_pending_read(struct msix *msix, uint64_t offset, unsigned size);
