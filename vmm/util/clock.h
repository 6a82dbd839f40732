/* Time as lodge measures it. */
#pragma once

#include <stdint.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

/* Nanoseconds of a clock; 0 where it cannot be read. */
static inline uint64_t clock_read(clockid_t clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

/* The time-stamp counter: cheap enough for every exit, and of a rate that only a comparison with clock_ns() tells. */
static inline uint64_t clock_cycles(void)
{
	return __builtin_ia32_rdtsc();
}
