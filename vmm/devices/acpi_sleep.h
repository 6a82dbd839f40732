/*
 * The sleep control and sleep status registers of hardware-reduced ACPI (ACPI 6.4, 4.8.3.7), at
 * offsets 0 and 1. S5, "soft off", is the only sleeping state there is.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "bus/bus.h"
#include "bus/power.h"

#define ACPI_SLEEP_TYPE_S5 5 /* SLP_TYPx; the DSDT's \_S5 says the same */

struct acpi_sleep_config {
	struct power_handle power;
};

struct acpi_sleep_state {
	_Atomic uint8_t type; /* SLP_TYPx as last written, in place (bits 2-4); any vCPU */
};

struct acpi_sleep {
	struct power_handle power;
	struct acpi_sleep_state state;
};

extern const struct bus_ops acpi_sleep_ops; /* dev: a struct acpi_sleep */

void acpi_sleep_init(struct acpi_sleep *sleep, const struct acpi_sleep_config *config);
void acpi_sleep_fini(struct acpi_sleep *sleep);
