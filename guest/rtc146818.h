/* The real-time clock (Motorola MC146818A data sheet). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rtc_time {
	unsigned year, month, day, hour, minute, second;
};

/* false: there is none, or it never leaves its update cycle. */
bool rtc_read(struct rtc_time *ret_time);

/* TSC ticks from one second's beginning to the next: up to two seconds. 0: no RTC. */
uint64_t rtc_measure_tsc(void);
