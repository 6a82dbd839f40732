/*
 * Bochs's power-off port: the bytes of "Shutdown", written one after another. Small kernels try it where they know of
 * no ACPI; kvm-unit-tests does where the debug-exit port did not end it.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "bus/bus.h"
#include "bus/power.h"

struct bochs_power_config {
	struct power_handle power;
};

struct bochs_power {
	struct power_handle power;
	_Atomic uint8_t matched; /* bytes of the word so far; any vCPU */
};

extern const struct bus_ops bochs_power_ops; /* dev: a struct bochs_power */

void bochs_power_init(struct bochs_power *port, const struct bochs_power_config *config);
void bochs_power_fini(struct bochs_power *port);
