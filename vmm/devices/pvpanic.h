/* pvpanic (QEMU, docs/specs/pvpanic): a guest's panic handler tells the host. */
#pragma once

#include "bus/bus.h"
#include "bus/power.h"

#define PVPANIC_PANICKED 0x01 /* the one event that lodge supports, and what a read returns */

struct pvpanic_config {
	struct power_handle power;
};

struct pvpanic {
	struct pvpanic_config config; /* constant, so that it needs no lock */
};

extern const struct bus_ops pvpanic_ops; /* dev: a struct pvpanic */

void pvpanic_init(struct pvpanic *pvpanic, const struct pvpanic_config *config);
void pvpanic_fini(struct pvpanic *pvpanic);
