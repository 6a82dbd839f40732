/* The clock: what a guest reads of the host's time, sets, polls for, and learns of its memory. */
#include "suites.h"

#include <stdbool.h>
#include <string.h>

#include "devices/rtc146818.h"
#include "util/bytes.h"

enum {
	SECONDS = 0x00,
	MINUTES = 0x02,
	HOURS = 0x04,
	WEEKDAY = 0x06,
	DAY = 0x07,
	MONTH = 0x08,
	YEAR = 0x09,
	A = 0x0a,
	B = 0x0b,
	C = 0x0c,
	D = 0x0d,
	CENTURY = 0x32,
};

#define LEAP_DAY 1709210096 /* Thursday 2024-02-29 12:34:56 UTC */

struct fixture {
	struct rtc146818 rtc;
	struct timespec now;
};

static struct timespec fixed_now(void *ctx)
{
	struct fixture *f = ctx;

	return f->now;
}

static void setup(struct fixture *f, time_t seconds)
{
	struct rtc146818_config config = {
		.ram_below_4g = MIB(64),
		.now = fixed_now,
		.now_ctx = f,
	};

	*f = (struct fixture){.now.tv_sec = seconds};
	rtc146818_init(&f->rtc, &config);
}

static uint8_t in(struct fixture *f, uint8_t index)
{
	rtc146818_ops.write(&f->rtc, 0, 1, index);
	return (uint8_t)rtc146818_ops.read(&f->rtc, 1, 1);
}

static void out(struct fixture *f, uint8_t index, uint8_t value)
{
	rtc146818_ops.write(&f->rtc, 0, 1, index);
	rtc146818_ops.write(&f->rtc, 1, 1, value);
}

/* Century, year, month, day, hour, minute, second, as the registers show them. */
static void check_time(struct fixture *f, const uint8_t expected[7])
{
	uint8_t shown[7] = {in(f, CENTURY), in(f, YEAR), in(f, MONTH), in(f, DAY), in(f, HOURS),
		in(f, MINUTES), in(f, SECONDS)};

	ck_assert_mem_eq(shown, expected, 7);
}

static void write_time(struct fixture *f, const uint8_t value[7])
{
	static const uint8_t registers[7] = {CENTURY, YEAR, MONTH, DAY, HOURS, MINUTES, SECONDS};
	unsigned i;

	for (i = 0; i < 7; i++)
		out(f, registers[i], value[i]);
}

#define CHECK_TIME(f, ...) check_time(f, (const uint8_t[7]){__VA_ARGS__})
#define WRITE_TIME(f, ...) write_time(f, (const uint8_t[7]){__VA_ARGS__})

#define SETUP(f, seconds) \
	struct fixture f; \
	setup(&(f), seconds)

START_TEST(at_start_it_shows_the_host_time_in_bcd_and_24_hours)
{
	SETUP(f, LEAP_DAY);
	ck_assert_uint_eq(in(&f, A), 0x26);
	ck_assert_uint_eq(in(&f, B), 0x02);
	ck_assert_uint_eq(in(&f, C), 0x00);
	ck_assert_uint_eq(in(&f, D), 0x80);
	CHECK_TIME(&f, 0x20, 0x24, 0x02, 0x29, 0x12, 0x34, 0x56);
	ck_assert_uint_eq(in(&f, WEEKDAY), 5);
	rtc146818_fini(&f.rtc);
}
END_TEST

START_TEST(register_b_chooses_binary)
{
	SETUP(f, LEAP_DAY);
	out(&f, B, 0x06);
	CHECK_TIME(&f, 20, 24, 2, 29, 12, 34, 56);
}
END_TEST

START_TEST(register_b_chooses_12_hours)
{
	SETUP(f, LEAP_DAY - LEAP_DAY % 86400);
	unsigned hour;

	for (hour = 0; hour < 24; hour++) {
		unsigned twelve = hour % 12 ? hour % 12 : 12;

		out(&f, B, 0x04);
		ck_assert_uint_eq(in(&f, HOURS), twelve | (hour >= 12 ? 0x80 : 0));
		out(&f, B, 0x00);
		ck_assert_uint_eq(in(&f, HOURS), (twelve / 10 << 4 | twelve % 10) | (hour >= 12 ? 0x80 : 0));
		f.now.tv_sec += 3600;
	}
}
END_TEST

/* Every day of the 400 years of a Gregorian cycle, against libc. */
START_TEST(every_day_of_a_cycle_of_400_years_is_right)
{
	SETUP(f, 0);
	const time_t first = -2208988800; /* 1900-01-01 */
	unsigned day, wrong = 0;

	out(&f, B, 0x06);
	for (day = 0; day < 146097; day++) {
		struct tm tm = {0};

		f.now.tv_sec = first + (time_t)day * 86400 + day % 86400;
		gmtime_r(&f.now.tv_sec, &tm);
		wrong += in(&f, CENTURY) * 100 + in(&f, YEAR) != tm.tm_year + 1900;
		wrong += in(&f, MONTH) != tm.tm_mon + 1;
		wrong += in(&f, DAY) != tm.tm_mday;
		wrong += in(&f, HOURS) != tm.tm_hour;
		wrong += in(&f, MINUTES) != tm.tm_min;
		wrong += in(&f, SECONDS) != tm.tm_sec;
		wrong += in(&f, WEEKDAY) != tm.tm_wday + 1;
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(a_host_time_beyond_four_digits_of_years_stops_at_the_ends)
{
	SETUP(f, 1000000000000);
	CHECK_TIME(&f, 0x99, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59);
	f.now.tv_sec = -1000000000000;
	CHECK_TIME(&f, 0x00, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00);
}
END_TEST

START_TEST(uip_is_set_in_the_last_244_us_of_a_second_and_only_then)
{
	SETUP(f, LEAP_DAY);
	ck_assert_uint_eq(in(&f, A), 0x26);
	f.now.tv_nsec = 999755999;
	ck_assert_uint_eq(in(&f, A), 0x26);
	f.now.tv_nsec = 999756000;
	ck_assert_uint_eq(in(&f, A), 0xa6);
	f.now.tv_nsec = 999999999;
	ck_assert_uint_eq(in(&f, A), 0xa6);
	out(&f, B, 0x82);
	ck_assert_uint_eq(in(&f, A), 0x26); /* SET: no update to come */
	out(&f, B, 0x02);
	f.now.tv_sec++;
	f.now.tv_nsec = 0;
	ck_assert_uint_eq(in(&f, A), 0x26);
	out(&f, A, 0xff);
	ck_assert_uint_eq(in(&f, A), 0x7f); /* UIP is read-only */
}
END_TEST

START_TEST(set_freezes_the_registers_and_the_clock_with_them)
{
	SETUP(f, LEAP_DAY);
	out(&f, B, 0x82);
	f.now.tv_sec += 100;
	CHECK_TIME(&f, 0x20, 0x24, 0x02, 0x29, 0x12, 0x34, 0x56);
	out(&f, B, 0x02);
	CHECK_TIME(&f, 0x20, 0x24, 0x02, 0x29, 0x12, 0x34, 0x56);
	f.now.tv_sec += 5;
	CHECK_TIME(&f, 0x20, 0x24, 0x02, 0x29, 0x12, 0x35, 0x01);
}
END_TEST

START_TEST(a_time_that_the_guest_sets_reads_back_and_goes_on)
{
	SETUP(f, LEAP_DAY);
	out(&f, B, 0x82);
	WRITE_TIME(&f, 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58);
	CHECK_TIME(&f, 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58);
	f.now.tv_nsec = 700000000;
	out(&f, B, 0x02);
	CHECK_TIME(&f, 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58);
	f.now.tv_sec += 2;
	CHECK_TIME(&f, 0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00);
	ck_assert_uint_eq(in(&f, WEEKDAY), 7); /* a Saturday */
	f.now.tv_sec += 59 * 86400;
	CHECK_TIME(&f, 0x20, 0x00, 0x02, 0x29, 0x00, 0x00, 0x00);
	f.now.tv_sec += 86400;
	CHECK_TIME(&f, 0x20, 0x00, 0x03, 0x01, 0x00, 0x00, 0x00);
}
END_TEST

START_TEST(a_time_can_be_set_in_binary_and_12_hours)
{
	SETUP(f, LEAP_DAY);
	out(&f, B, 0x84);
	WRITE_TIME(&f, 21, 0, 2, 28, 0x80 | 11, 59, 59); /* 2100 is no leap year */
	out(&f, B, 0x06);
	/* Released in the 24-hour format: hour 0x8b does not exist there, so nothing changed. */
	CHECK_TIME(&f, 20, 24, 2, 29, 12, 34, 56);
	out(&f, B, 0x84);
	WRITE_TIME(&f, 21, 0, 2, 28, 0x80 | 11, 59, 59);
	out(&f, B, 0x04);
	CHECK_TIME(&f, 21, 0, 2, 28, 0x8b, 59, 59);
	f.now.tv_sec++;
	CHECK_TIME(&f, 21, 0, 3, 1, 12, 0, 0);
	/* 12 comes before 1: noon, and above it midnight. */
	out(&f, B, 0x84);
	out(&f, HOURS, 0x80 | 12);
	out(&f, B, 0x04);
	CHECK_TIME(&f, 21, 0, 3, 1, 0x8c, 0, 0);
	out(&f, B, 0x06);
	CHECK_TIME(&f, 21, 0, 3, 1, 12, 0, 0);
	out(&f, B, 0x04);
	out(&f, HOURS, 12);
	out(&f, B, 0x06);
	CHECK_TIME(&f, 21, 0, 3, 1, 0, 0, 0);
}
END_TEST

START_TEST(a_date_that_does_not_exist_is_dropped)
{
	static const uint8_t bad[][7] = {
		{0x20, 0x23, 0x02, 0x29, 0x00, 0x00, 0x00},
		{0x19, 0x00, 0x02, 0x29, 0x00, 0x00, 0x00},
		{0x20, 0x24, 0x13, 0x01, 0x00, 0x00, 0x00},
		{0x20, 0x24, 0x00, 0x01, 0x00, 0x00, 0x00},
		{0x20, 0x24, 0x04, 0x31, 0x00, 0x00, 0x00},
		{0x20, 0x24, 0x04, 0x00, 0x00, 0x00, 0x00},
		{0x20, 0x24, 0x04, 0x01, 0x24, 0x00, 0x00},
		{0x20, 0x24, 0x04, 0x01, 0x00, 0x60, 0x00},
		{0x20, 0x24, 0x04, 0x01, 0x00, 0x00, 0x60},
		{0x20, 0x24, 0x04, 0x01, 0x00, 0x00, 0x0a},
		{0x20, 0xa0, 0x04, 0x01, 0x00, 0x00, 0x00},
		{0xff, 0x24, 0x04, 0x01, 0x00, 0x00, 0x00},
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	};
	SETUP(f, LEAP_DAY);
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		out(&f, B, 0x82);
		write_time(&f, bad[i]);
		out(&f, B, 0x02);
		CHECK_TIME(&f, 0x20, 0x24, 0x02, 0x29, 0x12, 0x34, 0x56);
	}
	/* Binary: the year's two digits are no more than that; 12 hours: there is no hour 0 or 13.
	 */
	out(&f, B, 0x86);
	WRITE_TIME(&f, 20, 100, 4, 1, 0, 0, 0);
	out(&f, B, 0x06);
	CHECK_TIME(&f, 20, 24, 2, 29, 12, 34, 56);
	for (i = 0; i <= 13; i += 13) {
		out(&f, B, 0x84);
		WRITE_TIME(&f, 20, 24, 4, 1, (uint8_t)i, 0, 0);
		out(&f, B, 0x04);
		CHECK_TIME(&f, 20, 24, 2, 29, 0x8c, 34, 56);
	}
}
END_TEST

START_TEST(a_write_without_set_counts_at_once)
{
	SETUP(f, LEAP_DAY);
	out(&f, MINUTES, 0x59);
	CHECK_TIME(&f, 0x20, 0x24, 0x02, 0x29, 0x12, 0x59, 0x56);
	f.now.tv_sec += 4;
	CHECK_TIME(&f, 0x20, 0x24, 0x02, 0x29, 0x13, 0x00, 0x00);
	out(&f, YEAR, 0x23); /* 2023-02-29: dropped */
	CHECK_TIME(&f, 0x20, 0x24, 0x02, 0x29, 0x13, 0x00, 0x00);
	out(&f, WEEKDAY, 1); /* follows from the date */
	ck_assert_uint_eq(in(&f, WEEKDAY), 5);
}
END_TEST

START_TEST(the_update_flag_rises_each_second_and_reading_clears_it)
{
	SETUP(f, LEAP_DAY);
	out(&f, A, 0x20); /* no periodic flag */
	f.now.tv_nsec = 999999999;
	ck_assert_uint_eq(in(&f, C), 0x00);
	f.now.tv_sec++;
	f.now.tv_nsec = 0;
	ck_assert_uint_eq(in(&f, C), 0x10);
	ck_assert_uint_eq(in(&f, C), 0x00);
	out(&f, B, 0x12);
	f.now.tv_sec++;
	ck_assert_uint_eq(in(&f, C), 0x90); /* enabled: IRQF as well */
	out(&f, B, 0x92);
	ck_assert_uint_eq(in(&f, B), 0x82); /* SET clears UIE */
	f.now.tv_sec++;
	ck_assert_uint_eq(in(&f, C), 0x00); /* ... and stops the updates */
	out(&f, B, 0x02);
	f.now.tv_sec -= 10; /* the host's clock was set back */
	ck_assert_uint_eq(in(&f, C), 0x00);
}
END_TEST

START_TEST(the_periodic_flag_follows_the_rate)
{
	/* Register A's rate in ns, rounded up; 1 and 2 are as 8 and 9. */
	static const long periods[16] = {0, 3906250, 7812500, 122071, 244141, 488282, 976563, 1953125,
		3906250, 7812500, 15625000, 31250000, 62500000, 125000000, 250000000, 500000000};
	unsigned rate;

	for (rate = 0; rate < 16; rate++) {
		SETUP(f, LEAP_DAY);
		out(&f, A, (uint8_t)(0x20 | rate));
		out(&f, B, 0x42);
		ck_assert_uint_eq(in(&f, C), 0x00);
		f.now.tv_nsec = rate ? periods[rate] - 1 : 999999999;
		ck_assert_uint_eq(in(&f, C), 0x00);
		f.now.tv_nsec = periods[rate];
		ck_assert_uint_eq(in(&f, C), rate ? 0xc0 : 0x00);
		ck_assert_uint_eq(in(&f, C), 0x00);
		f.now.tv_nsec = 2 * periods[rate] % 1000000000;
		f.now.tv_sec += 2 * periods[rate] / 1000000000;
		ck_assert_uint_eq(in(&f, C) & 0xc0, rate ? 0xc0 : 0x00);
	}
}
END_TEST

START_TEST(the_alarm_flag_rises_at_its_time)
{
	SETUP(f, LEAP_DAY); /* 12:34:56 */
	out(&f, A, 0x20);
	out(&f, B, 0x22);
	out(&f, 0x01, 0x10);
	out(&f, 0x03, 0x35);
	out(&f, 0x05, 0x12);
	f.now.tv_sec += 13;
	ck_assert_uint_eq(in(&f, C), 0x10);
	f.now.tv_sec += 1;
	ck_assert_uint_eq(in(&f, C), 0xb0);
	f.now.tv_sec += 86399;
	ck_assert_uint_eq(in(&f, C), 0x10);
	f.now.tv_sec += 100; /* passed over between two looks */
	ck_assert_uint_eq(in(&f, C), 0xb0);
	f.now.tv_sec += 100000000;
	ck_assert_uint_eq(in(&f, C), 0xb0);
	/* "Don't care" minutes and hours: once a minute. */
	out(&f, 0x03, 0xc0);
	out(&f, 0x05, 0xff);
	f.now.tv_sec += 60;
	ck_assert_uint_eq(in(&f, C), 0xb0);
	out(&f, 0x01, 0x60); /* never */
	f.now.tv_sec += 86400;
	ck_assert_uint_eq(in(&f, C), 0x10);
}
END_TEST

START_TEST(c_and_d_are_read_only)
{
	SETUP(f, LEAP_DAY);
	out(&f, C, 0xff);
	out(&f, D, 0x00);
	ck_assert_uint_eq(in(&f, C), 0x00);
	ck_assert_uint_eq(in(&f, D), 0x80);
}
END_TEST

START_TEST(the_ram_keeps_what_is_written_and_the_index_has_7_bits)
{
	SETUP(f, LEAP_DAY);
	unsigned index;

	for (index = 0x0e; index < 0x80; index++) {
		if (index != CENTURY)
			out(&f, (uint8_t)index, (uint8_t)(index ^ 0x5a));
	}
	for (index = 0x0e; index < 0x80; index++) {
		if (index != CENTURY) {
			ck_assert_uint_eq(in(&f, (uint8_t)index), index ^ 0x5a);
			ck_assert_uint_eq(in(&f, (uint8_t)(index | 0x80)), index ^ 0x5a);
		}
	}
	ck_assert_uint_eq(rtc146818_ops.read(&f.rtc, 0, 1), UINT64_MAX); /* write-only */
}
END_TEST

static unsigned in_word(struct fixture *f, uint8_t index)
{
	return in(f, index) | in(f, (uint8_t)(index + 1)) << 8;
}

START_TEST(the_memory_sizes_are_where_firmware_puts_them)
{
	/* Below 4 GiB and above; KiB over 1 MiB, 64 KiB over 16 MiB, 64 KiB over 4 GiB. */
	static const uint64_t cases[][5] = {
		{KIB(512), 0, 0, 0, 0},
		{MIB(16), 0, 15360, 0, 0},
		{MIB(64), 0, 64512, 768, 0},
		{MIB(65), 0, 65535, 784, 0},
		{GIB(3), GIB(5), 65535, 48896, 81920},
		{GIB(8), GIB(1024), 65535, 65535, 0xffffff},
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rtc146818_config config = {
			.ram_below_4g = cases[i][0],
			.ram_above_4g = cases[i][1],
		};
		struct fixture f;

		rtc146818_init(&f.rtc, &config);
		ck_assert_uint_eq(in_word(&f, 0x15), 640);
		ck_assert_uint_eq(in_word(&f, 0x17), cases[i][2]);
		ck_assert_uint_eq(in_word(&f, 0x30), cases[i][2]);
		ck_assert_uint_eq(in_word(&f, 0x34), cases[i][3]);
		ck_assert_uint_eq(in_word(&f, 0x5b) | (unsigned)in(&f, 0x5d) << 16, cases[i][4]);
		rtc146818_fini(&f.rtc);
	}
}
END_TEST

START_TEST(without_a_time_source_it_is_the_host_clock)
{
	struct rtc146818_config config = {0};
	struct fixture f;
	time_t before = time(NULL);
	struct tm tm;

	rtc146818_init(&f.rtc, &config);
	out(&f, B, 0x86); /* frozen, binary */
	tm = (struct tm){
		.tm_year = in(&f, CENTURY) * 100 + in(&f, YEAR) - 1900,
		.tm_mon = in(&f, MONTH) - 1,
		.tm_mday = in(&f, DAY),
		.tm_hour = in(&f, HOURS),
		.tm_min = in(&f, MINUTES),
		.tm_sec = in(&f, SECONDS),
	};
	ck_assert_int_ge(timegm(&tm), before);
	ck_assert_int_le(timegm(&tm), time(NULL));
	rtc146818_fini(&f.rtc);
	rtc146818_fini(&(struct rtc146818){0});
}
END_TEST

Suite *rtc146818_suite(void)
{
	Suite *suite = suite_create("rtc146818");
	TCase *tcase = tcase_create("rtc146818");

	tcase_add_test(tcase, at_start_it_shows_the_host_time_in_bcd_and_24_hours);
	tcase_add_test(tcase, register_b_chooses_binary);
	tcase_add_test(tcase, register_b_chooses_12_hours);
	tcase_add_test(tcase, every_day_of_a_cycle_of_400_years_is_right);
	tcase_add_test(tcase, a_host_time_beyond_four_digits_of_years_stops_at_the_ends);
	tcase_add_test(tcase, uip_is_set_in_the_last_244_us_of_a_second_and_only_then);
	tcase_add_test(tcase, set_freezes_the_registers_and_the_clock_with_them);
	tcase_add_test(tcase, a_time_that_the_guest_sets_reads_back_and_goes_on);
	tcase_add_test(tcase, a_time_can_be_set_in_binary_and_12_hours);
	tcase_add_test(tcase, a_date_that_does_not_exist_is_dropped);
	tcase_add_test(tcase, a_write_without_set_counts_at_once);
	tcase_add_test(tcase, the_update_flag_rises_each_second_and_reading_clears_it);
	tcase_add_test(tcase, the_periodic_flag_follows_the_rate);
	tcase_add_test(tcase, the_alarm_flag_rises_at_its_time);
	tcase_add_test(tcase, c_and_d_are_read_only);
	tcase_add_test(tcase, the_ram_keeps_what_is_written_and_the_index_has_7_bits);
	tcase_add_test(tcase, the_memory_sizes_are_where_firmware_puts_them);
	tcase_add_test(tcase, without_a_time_source_it_is_the_host_clock);
	suite_add_tcase(suite, tcase);
	return suite;
}
