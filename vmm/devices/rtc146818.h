/*
 * The Motorola MC146818 real-time clock with the 128 bytes of CMOS RAM of a PC: an index register
 * at offset 0, data at offset 1.
 *
 * It shows the host's clock, in UTC, plus the offset that the guest has set it to. A guest sets it
 * as on the chip: with the SET bit held the registers are its own, and when it lets go the date
 * they show is the date; one that does not exist is dropped, and the clock goes on as before.
 * Without SET a write counts at once, by the same rule. The day of the week follows from the date,
 * and writes to it are lost.
 *
 * No interrupt line: a timer would be the only one here. The flags of register C are kept honestly,
 * counted up whenever the guest looks, so that a guest may poll for the periodic, alarm and update
 * events.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "bus/bus.h"

#define RTC146818_RAM 128

struct rtc146818_config {
	uint64_t ram_below_4g; /* bytes; what firmware would write into the CMOS RAM */
	uint64_t ram_above_4g;
	/* The time in UTC since 1970, nanoseconds below 10^9. NULL: the host's CLOCK_REALTIME. */
	struct timespec (*now)(void *ctx);
	void *now_ctx;
};

struct rtc146818_state {
	uint8_t index;
	uint8_t ram[RTC146818_RAM]; /* the registers as well; the time only while SET is on */
	int64_t offset;             /* seconds that the guest's clock is ahead of the host's */
	int64_t flags_seconds;      /* the host's time at which register C's flags were last counted */
	int64_t flags_ticks;        /* ... and its fraction in units of 1/32768 s */
};

struct rtc146818 {
	pthread_mutex_t lock; /* guards state; innermost */
	struct timespec (*now)(void *ctx);
	void *now_ctx;
	struct rtc146818_state state;
};

extern const struct bus_ops rtc146818_ops; /* dev: a struct rtc146818 */

void rtc146818_init(struct rtc146818 *rtc, const struct rtc146818_config *config);
void rtc146818_fini(struct rtc146818 *rtc);
