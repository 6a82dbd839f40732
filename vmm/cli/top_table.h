/* lodge top's table: what is known of each guest, its rates, and the lines it is shown in. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lodge_control.h"

/* What is counted, and shown a second: of all vCPUs, of all disks. */
enum top_total {
	TOP_CPU_US,
	TOP_EXITS,
	TOP_READS,
	TOP_WRITES,
	TOP_BYTES_READ,
	TOP_BYTES_WRITTEN,
	TOP_TOTALS
};

struct top_guest {
	char name[LODGE_NAME_MAX + 1];
	char state[12]; /* of its "stats"; or "starting", "silent" */
	unsigned cpus;
	uint64_t uptime_us, memory, resident;
	uint64_t totals[TOP_TOTALS];
	double rates
		[TOP_TOTALS]; /* a second, between the last two answers; at first since the guest's start */
	/* top_guests.c */
	struct lodge_client *client; /* NULL: not connected */
	uint64_t asked_ns;           /* when it was asked what it has not answered; 0: nothing */
	bool listed;
};

enum top_key { TOP_BY_CPU, TOP_BY_MEMORY, TOP_BY_DISK, TOP_BY_NAME };

#define TOP_LINE_MAX 256

/* Takes the result of "stats". */
void top_guest_update(struct top_guest *guest, const json_t *stats);

/* Nothing new is known: its rates are 0. */
void top_guest_set_state(struct top_guest *guest, const char *state);

/* The greatest first, but names in their order, which also decides between equals. */
void top_sort(struct top_guest *guests, unsigned count, enum top_key key);

/* How wide the column of names is where a line may have so many columns. */
unsigned top_name_width(const struct top_guest *guests, unsigned count, unsigned columns);

/* Lines without a newline: the sum of all, the columns' heads, a guest. */
void top_print_sum(const struct top_guest *guests, unsigned count, char line[TOP_LINE_MAX]);
void top_print_heads(unsigned name_width, char line[TOP_LINE_MAX]);
void top_print_guest(const struct top_guest *guest, unsigned name_width, char line[TOP_LINE_MAX]);
