/* Time: the TSC, its rate from the best source there is, and bounded waits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

extern uint64_t boot_tsc;          /* boot.S: the TSC at our first instruction */
extern uint64_t clock_banner_tsc;  /* when the banner had left */
extern uint64_t clock_devices_tsc; /* when the devices were known */
extern uint64_t clock_ready_tsc;   /* when the shell took over */

/* TSC ticks a second; found at the first call, which may calibrate for some milliseconds. */
uint64_t clock_hz(void);
const char *clock_source(void);

uint64_t clock_ticks_to_ns(uint64_t ticks);

void clock_delay(uint64_t us);

/* Sleeps (hlt) until done(arg) or us microseconds have passed; returns what done() said last. */
bool clock_wait(bool (*done)(void *), void *arg, uint64_t us);
