#include "devices/rtc146818.h"

#include <stdbool.h>

#include "util/bytes.h"

/* Registers (MC146818 data sheet), and what IBM and its heirs keep in the RAM. */
enum {
	RTC_SECONDS = 0x00,
	RTC_SECONDS_ALARM = 0x01,
	RTC_MINUTES = 0x02,
	RTC_MINUTES_ALARM = 0x03,
	RTC_HOURS = 0x04,
	RTC_HOURS_ALARM = 0x05,
	RTC_WEEKDAY = 0x06,
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_A = 0x0a,
	RTC_B = 0x0b,
	RTC_C = 0x0c,
	RTC_D = 0x0d,
	CMOS_BASE_KIB = 0x15,
	CMOS_EXTENDED_KIB = 0x17,
	CMOS_EXTENDED_KIB_POST = 0x30,
	CMOS_CENTURY = 0x32,
	CMOS_ABOVE_16M = 0x34, /* in units of 64 KiB, as are the next */
	CMOS_ABOVE_4G = 0x5b,
};

#define A_UPDATE 0x80 /* UIP */
#define A_RATE   0x0f
#define A_RESET  0x26 /* 32768 Hz time base, 1024 Hz periodic rate: what firmware sets */

#define B_24H        0x02
#define B_BINARY     0x04
#define B_UPDATE_IRQ 0x10
#define B_SET        0x80

#define C_UPDATE   0x10 /* the flags have their enable bits' places in register B */
#define C_ALARM    0x20
#define C_PERIODIC 0x40
#define C_IRQ      0x80

#define D_VALID 0x80

#define HOUR_PM    0x80
#define ALARM_ANY  0xc0   /* both top bits set in an alarm register: every value matches */
#define UPDATE_NS  244000 /* UIP rises 244 us before the update */
#define TICKS      32768
#define DAY        INT64_C(86400)
#define YEAR_DAYS  365
#define CYCLE_DAYS 146097 /* 400 years of the Gregorian calendar */
#define DAYS_1970  719528 /* from 0000-01-01 */
#define YEARS      10000

struct rtc_date {
	unsigned second, minute, hour, weekday, day, month, year;
};

/* gmtime() and timegm() read the host's time zone from a file, which the sandbox forbids. */
static int64_t days_before_year(int64_t year)
{
	return YEAR_DAYS * year + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Seconds since 1970; whatever the host's clock says, the result is a date with a year of four
 * digits. */
static struct rtc_date date_from_seconds(int64_t seconds)
{
	const int64_t first = -(int64_t)DAYS_1970 * DAY;
	const int64_t end = (days_before_year(YEARS) - DAYS_1970) * DAY;
	int64_t since_0 = MIN(MAX(seconds, first), end - 1) - first;
	int64_t days = since_0 / DAY;
	unsigned second = (unsigned)(since_0 % DAY);
	int64_t year = days * 400 / CYCLE_DAYS; /* off by one at most */
	struct rtc_date date;

	if (days_before_year(year) > days)
		year--;
	else if (days_before_year(year + 1) <= days)
		year++;
	date = (struct rtc_date){
		.second = second % 60,
		.minute = second / 60 % 60,
		.hour = second / 3600,
		.weekday = (unsigned)((days + 6) % 7) + 1, /* 1 is Sunday; 0000-01-01 was a Saturday */
		.day = (unsigned)(days - days_before_year(year)) + 1,
		.month = 1,
		.year = (unsigned)year,
	};
	while (date.day > days_in_month(date.year, date.month)) {
		date.day -= days_in_month(date.year, date.month);
		date.month++;
	}
	return date;
}

static bool date_exists(const struct rtc_date *date)
{
	return date->second < 60 && date->minute < 60 && date->hour < 24 && date->year < YEARS &&
	       date->month >= 1 && date->month <= 12 && date->day >= 1 &&
	       date->day <= days_in_month(date->year, date->month);
}

static int64_t date_to_seconds(const struct rtc_date *date)
{
	int64_t days = days_before_year(date->year) - DAYS_1970 + date->day - 1;
	unsigned month;

	for (month = 1; month < date->month; month++)
		days += days_in_month(date->year, month);
	return days * DAY + date->hour * 3600L + date->minute * 60L + date->second;
}

static uint8_t encode(uint8_t b, unsigned value)
{
	return (uint8_t)(b & B_BINARY ? value : value / 10 << 4 | value % 10);
}

/* A byte that is no BCD number decodes to 100 or more, which is no part of any date. */
static unsigned decode(uint8_t b, uint8_t byte)
{
	if (b & B_BINARY)
		return byte;
	if ((byte & 0x0f) > 9)
		return UINT8_MAX;
	return (byte >> 4) * 10u + (byte & 0x0f);
}

/* Register B, 24/12: 12, 1 to 11, and the top bit for p.m. */
static uint8_t encode_hour(uint8_t b, unsigned hour)
{
	if (b & B_24H)
		return encode(b, hour);
	return encode(b, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(uint8_t b, uint8_t byte)
{
	unsigned hour;

	if (b & B_24H)
		return decode(b, byte);
	hour = decode(b, byte & ~HOUR_PM);
	if (hour < 1 || hour > 12)
		return UINT8_MAX;
	return hour % 12 + (byte & HOUR_PM ? 12 : 0);
}

static void registers_from_date(uint8_t *ram, const struct rtc_date *date)
{
	uint8_t b = ram[RTC_B];

	ram[RTC_SECONDS] = encode(b, date->second);
	ram[RTC_MINUTES] = encode(b, date->minute);
	ram[RTC_HOURS] = encode_hour(b, date->hour);
	ram[RTC_WEEKDAY] = encode(b, date->weekday);
	ram[RTC_DAY] = encode(b, date->day);
	ram[RTC_MONTH] = encode(b, date->month);
	ram[RTC_YEAR] = encode(b, date->year % 100);
	ram[CMOS_CENTURY] = encode(b, date->year / 100);
}

/* false: the registers hold no date that exists. */
static bool registers_to_date(const uint8_t *ram, struct rtc_date *ret_date)
{
	uint8_t b = ram[RTC_B];
	unsigned year = decode(b, ram[RTC_YEAR]);
	struct rtc_date date = {
		.second = decode(b, ram[RTC_SECONDS]),
		.minute = decode(b, ram[RTC_MINUTES]),
		.hour = decode_hour(b, ram[RTC_HOURS]),
		.day = decode(b, ram[RTC_DAY]),
		.month = decode(b, ram[RTC_MONTH]),
		.year = decode(b, ram[CMOS_CENTURY]) * 100 + year,
	};

	if (year > 99 || !date_exists(&date))
		return false;
	*ret_date = date;
	return true;
}

static void show_time(struct rtc146818_state *state, int64_t seconds)
{
	struct rtc_date date = date_from_seconds(seconds + state->offset);

	registers_from_date(state->ram, &date);
}

static void take_time(struct rtc146818_state *state, int64_t seconds)
{
	struct rtc_date date;

	if (registers_to_date(state->ram, &date))
		state->offset = date_to_seconds(&date) - seconds;
}

static bool alarm_part(uint8_t alarm, uint8_t now)
{
	return (alarm & ALARM_ANY) == ALARM_ANY || alarm == now;
}

/*
 * Whether the alarm went off in one of the last `count` seconds up to now, a day's worth at most:
 * backwards from now, past whole hours and minutes that do not match.
 */
static bool alarm_matched(const struct rtc146818_state *state, int64_t seconds, int64_t count)
{
	const uint8_t *ram = state->ram;
	uint8_t b = ram[RTC_B];
	int64_t day = (seconds + state->offset) % DAY + 2 * DAY;
	int64_t i = 0;

	while (i < MIN(count, DAY)) {
		unsigned at = (unsigned)((day - i) % DAY);

		if (!alarm_part(ram[RTC_HOURS_ALARM], encode_hour(b, at / 3600)))
			i += at % 3600 + 1;
		else if (!alarm_part(ram[RTC_MINUTES_ALARM], encode(b, at / 60 % 60)))
			i += at % 60 + 1;
		else if (!alarm_part(ram[RTC_SECONDS_ALARM], encode(b, at % 60)))
			i++;
		else
			return true;
	}
	return false;
}

/*
 * Counts up the flags of register C since the last time, with the settings that held since then: it
 * comes first in every access that depends on the time or changes it. No loop is longer than the
 * seconds that have really passed.
 */
static void count_flags(struct rtc146818_state *state, const struct timespec *now)
{
	uint8_t *ram = state->ram;
	int64_t ticks = now->tv_nsec * (int64_t)TICKS / 1000000000;
	int64_t passed = now->tv_sec - state->flags_seconds;
	unsigned rate = ram[RTC_A] & A_RATE;
	/* 3 to 15 halve 8192 Hz each; 1 and 2 are 256 and 128 Hz once more (register A, RS). */
	unsigned shift = rate <= 2 ? rate + 6 : rate - 1;

	/* A period divides the second: within one, its ticks alone tell periods apart. */
	if (rate && (passed > 0 || (passed == 0 && ticks >> shift > state->flags_ticks >> shift)))
		ram[RTC_C] |= C_PERIODIC;
	if (passed > 0 && !(ram[RTC_B] & B_SET)) {
		ram[RTC_C] |= C_UPDATE;
		if (alarm_matched(state, now->tv_sec, passed))
			ram[RTC_C] |= C_ALARM;
	}
	state->flags_seconds = now->tv_sec;
	state->flags_ticks = ticks;
}

static uint8_t read_c(uint8_t *ram)
{
	uint8_t flags = ram[RTC_C];

	ram[RTC_C] = 0;
	if (flags & ram[RTC_B] & (C_UPDATE | C_ALARM | C_PERIODIC))
		flags |= C_IRQ;
	return flags;
}

/* The update takes no time, so UIP is the 244 us of warning before it. */
static uint8_t read_a(const uint8_t *ram, const struct timespec *now)
{
	bool updating = !(ram[RTC_B] & B_SET) && now->tv_nsec >= 1000000000 - UPDATE_NS;

	return ram[RTC_A] | (updating ? A_UPDATE : 0);
}

static void write_b(struct rtc146818_state *state, uint8_t value, int64_t seconds)
{
	uint8_t old = state->ram[RTC_B];

	if (value & B_SET)
		value &= ~B_UPDATE_IRQ; /* the data sheet: SET clears it */
	state->ram[RTC_B] = value;
	if (value & ~old & B_SET)
		show_time(state, seconds);
	else if (old & ~value & B_SET)
		take_time(state, seconds);
}

static bool is_time(uint8_t index)
{
	switch (index) {
	case RTC_SECONDS:
	case RTC_MINUTES:
	case RTC_HOURS:
	case RTC_WEEKDAY:
	case RTC_DAY:
	case RTC_MONTH:
	case RTC_YEAR:
	case CMOS_CENTURY:
		return true;
	default:
		return false;
	}
}

static uint8_t read_register(struct rtc146818 *rtc, const struct timespec *now)
{
	struct rtc146818_state *state = &rtc->state;
	uint8_t index = state->index;

	if (is_time(index) && !(state->ram[RTC_B] & B_SET))
		show_time(state, now->tv_sec);
	if (index == RTC_A)
		return read_a(state->ram, now);
	if (index == RTC_C)
		return read_c(state->ram);
	return state->ram[index];
}

static void write_register(struct rtc146818 *rtc, uint8_t value, const struct timespec *now)
{
	struct rtc146818_state *state = &rtc->state;
	uint8_t index = state->index;

	switch (index) {
	case RTC_A:
		state->ram[RTC_A] = value & ~A_UPDATE;
		break;
	case RTC_B:
		write_b(state, value, now->tv_sec);
		break;
	case RTC_C:
	case RTC_D:
		break; /* read-only */
	default:
		if (is_time(index) && !(state->ram[RTC_B] & B_SET)) {
			show_time(state, now->tv_sec);
			state->ram[index] = value;
			take_time(state, now->tv_sec);
		} else {
			state->ram[index] = value;
		}
		break;
	}
}

static uint64_t rtc146818_read(void *dev, uint64_t offset, unsigned size)
{
	struct rtc146818 *rtc = dev;
	struct timespec now;
	uint8_t value;

	(void)size;
	if (offset != 1)
		return UINT64_MAX; /* the index register is write-only on a PC */
	pthread_mutex_lock(&rtc->lock);
	now = rtc->now(rtc->now_ctx);
	count_flags(&rtc->state, &now);
	value = read_register(rtc, &now);
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

static void rtc146818_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct rtc146818 *rtc = dev;
	struct timespec now;

	(void)size;
	pthread_mutex_lock(&rtc->lock);
	if (offset == 0) {
		/* The top bit masks NMIs on a PC; nothing here makes one. */
		rtc->state.index = value % RTC146818_RAM;
	} else {
		now = rtc->now(rtc->now_ctx);
		count_flags(&rtc->state, &now);
		write_register(rtc, (uint8_t)value, &now);
	}
	pthread_mutex_unlock(&rtc->lock);
}

const struct bus_ops rtc146818_ops = {
	.read = rtc146818_read,
	.write = rtc146818_write,
	.sizes = 1,
};

static struct timespec host_now(void *ctx)
{
	struct timespec now = {0};

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &now);
	return now;
}

/* What `bytes` of RAM have above `from`, in `unit`s, as far as 16 bits can tell. */
static uint16_t units_above(uint64_t bytes, uint64_t from, uint64_t unit)
{
	return bytes > from ? (uint16_t)MIN((bytes - from) / unit, UINT16_MAX) : 0;
}

void rtc146818_init(struct rtc146818 *rtc, const struct rtc146818_config *config)
{
	uint8_t *ram = rtc->state.ram;
	uint16_t extended = units_above(config->ram_below_4g, MIB(1), KIB(1));
	struct timespec now;

	*rtc = (struct rtc146818){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.now = config->now ? config->now : host_now,
		.now_ctx = config->now_ctx,
	};
	ram[RTC_A] = A_RESET;
	ram[RTC_B] = B_24H;
	ram[RTC_D] = D_VALID;
	store_le(&ram[CMOS_BASE_KIB], 640, 2);
	store_le(&ram[CMOS_EXTENDED_KIB], extended, 2);
	store_le(&ram[CMOS_EXTENDED_KIB_POST], extended, 2);
	store_le(&ram[CMOS_ABOVE_16M], units_above(config->ram_below_4g, MIB(16), KIB(64)), 2);
	store_le(&ram[CMOS_ABOVE_4G], MIN(config->ram_above_4g / KIB(64), 0xffffffu), 3);
	now = rtc->now(rtc->now_ctx);
	count_flags(&rtc->state, &now);
	ram[RTC_C] = 0;
}

void rtc146818_fini(struct rtc146818 *rtc)
{
	pthread_mutex_destroy(&rtc->lock);
}
