/* The local APIC: end of interrupt, and its timer (Intel SDM vol. 3, chapter 11). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

void lapic_init(void);
void lapic_enable(void); /* on each CPU but the first, where lapic_init() does it */
bool lapic_present(void);
uint32_t lapic_id(void);
void lapic_eoi(void);

/* To another CPU, by its APIC ID. A SIPI names the page, below 1 MiB, where that CPU shall begin. */
void lapic_send_ipi(uint32_t id, unsigned vector);
void lapic_send_init(uint32_t id);
void lapic_send_sipi(uint32_t id, unsigned page);

/* The timer's own rate: calibrated against the TSC at the first call. */
uint64_t lapic_timer_hz(void);

/* VECTOR_TIMER after us microseconds, once or each time. us 0 stops it. */
void lapic_timer_start(uint64_t us, bool periodic);
void lapic_timer_stop(void);
