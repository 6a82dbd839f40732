#include "rtc146818.h"

#include "hw.h"
#include "x86.h"

enum { SECONDS = 0, MINUTES = 2, HOURS = 4, DAY = 7, MONTH = 8, YEAR = 9, REG_A = 10, REG_B = 11 };

#define CENTURY      0x32 /* not the chip's: a PC convention, 0 or all ones when absent */
#define A_UIP        0x80
#define B_24H        0x02
#define B_BINARY     0x04
#define HOURS_PM     0x80
#define UIP_POLLS    2000 /* an update takes 2 ms at most */
#define SECOND_POLLS 1000000

static uint8_t rtc_reg(uint16_t port, uint8_t index)
{
	outb(port, index);
	return inb(port + 1);
}

static bool rtc_settle(uint16_t port)
{
	for (int polls = 0; polls < UIP_POLLS; polls++) {
		if ((rtc_reg(port, REG_A) & A_UIP) == 0)
			return true;
	}
	return false;
}

static unsigned decode(uint8_t value, uint8_t reg_b)
{
	return reg_b & B_BINARY ? value : (value >> 4) * 10u + (value & 15);
}

bool rtc_read(struct rtc_time *ret_time)
{
	const struct hw_device *rtc = hw_find(HW_RTC, 0);
	uint16_t port = rtc == NULL ? 0 : (uint16_t)rtc->base;
	uint8_t b, hours;
	struct rtc_time t;

	if (rtc == NULL)
		return false;
	int tries = 0;

	do { /* again if a second passed half-way */
		if (tries++ == 5 || !rtc_settle(port))
			return false;
		b = rtc_reg(port, REG_B);
		t.second = decode(rtc_reg(port, SECONDS), b);
		t.minute = decode(rtc_reg(port, MINUTES), b);
		hours = rtc_reg(port, HOURS);
		t.day = decode(rtc_reg(port, DAY), b);
		t.month = decode(rtc_reg(port, MONTH), b);
		t.year = decode(rtc_reg(port, YEAR), b);
	} while (t.second != decode(rtc_reg(port, SECONDS), b));
	t.hour = decode(hours & (b & B_24H ? 0xff : 0x7f), b);
	if ((b & B_24H) == 0)
		t.hour = t.hour % 12 + (hours & HOURS_PM ? 12 : 0);
	unsigned century = decode(rtc_reg(port, CENTURY), b);

	t.year += 100 * (century >= 19 && century <= 99 ? century : 20);
	*ret_time = t;
	return true;
}

static bool next_second(uint16_t port)
{
	uint8_t now = rtc_reg(port, SECONDS);

	for (int polls = 0; polls < SECOND_POLLS; polls++) {
		if (rtc_reg(port, SECONDS) != now)
			return true;
	}
	return false;
}

uint64_t rtc_measure_tsc(void)
{
	const struct hw_device *rtc = hw_find(HW_RTC, 0);

	if (rtc == NULL || !rtc_settle((uint16_t)rtc->base) || !next_second((uint16_t)rtc->base))
		return 0;
	uint64_t start = rdtsc();

	return next_second((uint16_t)rtc->base) ? rdtsc() - start : 0;
}
