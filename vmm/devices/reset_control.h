/* The reset control register (0xcf9 on a PC) as in Intel's ICH (ICH9 data sheet, RST_CNT). */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "bus/bus.h"
#include "bus/power.h"

struct reset_control_config {
	struct power_handle power;
};

struct reset_control_state {
	_Atomic uint8_t value; /* as last written, bits 1 to 3; any vCPU */
};

struct reset_control {
	struct power_handle power;
	struct reset_control_state state;
};

extern const struct bus_ops reset_control_ops; /* dev: a struct reset_control */

void reset_control_init(struct reset_control *reset, const struct reset_control_config *config);
void reset_control_fini(struct reset_control *reset);
