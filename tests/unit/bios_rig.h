/* latchkey's BIOS services without a machine: memory, ports and disks are the test's. */
#pragma once

#include "bios/bios.h"
#include "bios/io.h"

#define RIG_MEMORY 0x110000 /* 1 MiB, and what ffff:ffff reaches behind it */
#define RIG_OUTPUT 4096

struct bios_rig {
	struct bios bios;
	struct frame frame;
	uint8_t memory[RIG_MEMORY];
	uint8_t rtc[0x80]; /* by its index port */
	uint8_t rtc_index;
	const char *input; /* what waits in the UART */
	uint8_t ier, mcr;  /* the UART's */
	char output[RIG_OUTPUT];
	size_t output_len;
	/* The last transfer, and how it ends. */
	unsigned transfers, flushes;
	enum direction direction;
	uint64_t sector, address;
	uint32_t count;
	enum transfer answer;
};

extern struct bios_rig rig;

/* Zeroes, and a terminal whose screen is as screen_init() and keyboard_init() leave it; a Check fixture. */
void bios_rig_setup(void);

/* One disk of so many sectors. */
void bios_rig_disk(uint64_t sectors);

/* What was printed since the last call. */
const char *bios_rig_output(void);
