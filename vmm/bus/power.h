/* The power handle: how a device tells the machine that the guest wants to end its run. */
#pragma once

#include <stdint.h>

enum power_event {
	POWER_OFF,   /* the guest powered off */
	POWER_EXIT,  /* ... wrote `code` to the debug-exit port */
	POWER_RESET, /* ... asked for a reset */
	POWER_PANIC, /* ... panicked, by pvpanic */
};

struct power_handle {
	/* Any thread. Does not block; the first event wins; code is 0 for all but POWER_EXIT. */
	void (*request)(void *ctx, enum power_event event, uint32_t code);
	void *ctx;
};

static inline void power_request(const struct power_handle *power, enum power_event event, uint32_t code)
{
	power->request(power->ctx, event, code);
}
