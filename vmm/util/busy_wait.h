/*
 * Whether to look for an answer, or to sleep until it wakes us: looking saves a wake-up, and costs a CPU. For so long
 * as answers have lately taken to come, within BUSY_WAIT_MAX, and only while there is one to come; between two looks
 * others have the CPU. Where they keep it, it rests for a while: who sleeps is given a CPU sooner than who yields.
 *
 * Time is a parameter, in ns. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/back_off.h"

/* What takes longer is not waited for: a wake-up is little beside it. */
#define BUSY_WAIT_MAX 500000
/* A yield that takes yield_max, which is that, went to other programs: a guest has halted or filled its queue before. */
#define BUSY_WAIT_YIELD_MAX 1000000
/* What is seen at a look. */
struct busy_look {
	uint64_t taken;     /* requests in all */
	uint64_t under_way; /* those without an answer */
	uint64_t yielded;   /* how long others had the CPU just before; 0: it was not offered */
};

/* Zeroed at first, but for what its maker sets. */
struct busy_wait {
	uint64_t yield_max;
	struct busy_look last;
	uint64_t moved_at; /* when a look last saw anything new */
	uint64_t bound;    /* for so long from then on it looks again */
	struct back_off rest;
};

/* After each look, and each wake-up's: whether to look again, once others had the CPU, in place of sleeping. */
bool busy_wait_goes_on(struct busy_wait *wait, const struct busy_look *look, uint64_t now);

/* Offers the CPU to others; how long they had it. */
uint64_t busy_wait_yield(void);
