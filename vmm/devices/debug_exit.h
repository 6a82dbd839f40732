/* The debug-exit port: a guest writes its verdict there and its run ends. */
#pragma once

#include <stdbool.h>

#include "bus/bus.h"
#include "bus/power.h"

struct debug_exit_config {
	struct power_handle power;
	/*
	 * false: 0 powers off, every other value is the exit code (docs/exit-status.md).
	 * true: as QEMU's isa-debug-exit, the exit code is (value << 1) | 1 and never 0.
	 */
	bool qemu;
};

struct debug_exit {
	struct debug_exit_config config; /* constant, so that it needs no lock */
};

extern const struct bus_ops debug_exit_ops; /* dev: a struct debug_exit */

void debug_exit_init(struct debug_exit *port, const struct debug_exit_config *config);
void debug_exit_fini(struct debug_exit *port);
