/* Messages to the local APICs, as an I/O APIC sends them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* As on the bus: Intel SDM vol. 3, 11.11. */
struct msi_message {
	uint32_t address;
	uint32_t data;
};

struct msi_handle {
	/* Any thread; does not block. Whether a local APIC took it. */
	bool (*send)(void *ctx, struct msi_message message);
	/*
	 * Level-triggered ones whose end of interrupt the sender wants to hear of: these, and no others any more.
	 * Called before the first of them is sent.
	 */
	void (*watch)(void *ctx, const struct msi_message *messages, unsigned count);
	void *ctx;
};
