/*
 * Faults of the host, by plan: "CALL:N:WHAT[,...]", README.md. A program that is linked with this takes its plan from
 * $LODGE_FAULTS, a test from fault_plan().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum fault_call {
#define CALL(name) FAULT_##name,
#define KIND(name) FAULT_##name,
#include "faults/calls.def"
#undef CALL
#undef KIND
	FAULT_CALLS
};

extern const char *const fault_names[FAULT_CALLS];

/* What a process counts. */
struct fault_counts {
	unsigned calls[FAULT_CALLS];
	unsigned hits; /* faults that took place */
};

/* Replaces the plan, NULL: by none; and counts from 0 again. False: it was not understood, and there is none. */
bool fault_plan(const char *plan);

/* Another place for the counts: a file of that size, shared with whoever wants to know; by $LODGE_FAULT_COUNTS too. */
bool fault_count_in(const char *path);

unsigned fault_count(enum fault_call call);
unsigned fault_hits(void);

/* For the wrappers: */

struct fault {
	int err;  /* it fails with this errno, and nothing is done; 0: it does not */
	int half; /* it does half of what it shall */
};

/* Counts a call, and waits if that is its fault. */
struct fault fault_take(enum fault_call call);

/* The same, but leaves the wait to the caller. */
struct fault fault_take_delay(enum fault_call call, unsigned *ret_delay_ms);
