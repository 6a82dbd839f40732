/* The local APIC: end of interrupt, and its timer (Intel SDM vol. 3, chapter 11). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

void lapic_init(void);
bool lapic_present(void);
uint32_t lapic_id(void);
void lapic_eoi(void);

/* The timer's own rate: calibrated against the TSC at the first call. */
uint64_t lapic_timer_hz(void);

/* VECTOR_TIMER after us microseconds, once or each time. us 0 stops it. */
void lapic_timer_start(uint64_t us, bool periodic);
void lapic_timer_stop(void);
