/*
 * Intel's 82093AA, the I/O APIC: 24 pins, and for each an entry that says what message a signal there becomes. It
 * has two registers, an index and a window onto what it points to.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/bus.h"
#include "bus/msi.h"

#define IOAPIC82093_PINS 24

struct ioapic82093_config {
	struct msi_handle msi;
};

struct ioapic82093_state {
	uint8_t index;
	uint8_t id;
	uint32_t high; /* a bit a pin: its level */
	uint64_t entries[IOAPIC82093_PINS];
};

struct ioapic82093 {
	struct ioapic82093_config config;
	pthread_mutex_t
		lock; /* guards the state; below the locks of all whose pins these are, held for msi */
	struct ioapic82093_state state;
};

/* dev: a struct ioapic82093 */
extern const struct bus_ops ioapic82093_ops;

void ioapic82093_init(struct ioapic82093 *ioapic, const struct ioapic82093_config *config);
void ioapic82093_fini(struct ioapic82093 *ioapic);

/* Sets a pin's level; a rise is an edge. Any thread, as the next two. */
void ioapic82093_set(struct ioapic82093 *ioapic, unsigned pin, bool level);

/* Sets a pin high, and makes an edge of it also where it was high before. */
void ioapic82093_raise(struct ioapic82093 *ioapic, unsigned pin);

/* A local APIC has ended a level-triggered interrupt with that vector: pins that are still high interrupt anew. */
void ioapic82093_eoi(struct ioapic82093 *ioapic, uint8_t vector);
