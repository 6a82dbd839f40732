/* INT 1Ah: the ticks since midnight, which IRQ 0 counts, and the clock chip's time and date. */
#include "bios/bios.h"
#include "bios/io.h"

enum {
	RTC_SECONDS = 0x00,
	RTC_MINUTES = 0x02,
	RTC_HOURS = 0x04,
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_A = 0x0a,
	RTC_B = 0x0b,
	RTC_CENTURY = 0x32, /* a PC's convention */
};

#define A_UPDATING 0x80
#define B_24_HOURS 0x02
#define B_BINARY   0x04
#define B_SET      0x80
#define HOURS_PM   0x80

#define UPDATE_POLLS 10000 /* an update takes 2 ms at most */

#define PIT_HZ 1193182u

uint8_t rtc_read(uint8_t index)
{
	io_write8(RTC_INDEX_PORT, index);
	return io_read8(RTC_INDEX_PORT + 1);
}

static void rtc_write(uint8_t index, uint8_t value)
{
	io_write8(RTC_INDEX_PORT, index);
	io_write8(RTC_INDEX_PORT + 1, value);
}

static uint8_t to_bcd(uint8_t value)
{
	return (uint8_t)(value / 10 << 4 | value % 10);
}

static uint8_t from_bcd(uint8_t bcd)
{
	return (uint8_t)((bcd >> 4) * 10 + (bcd & 15));
}

/* A register in BCD, whatever the chip is set to. */
static uint8_t read_bcd(uint8_t index)
{
	uint8_t value = rtc_read(index);

	return rtc_read(RTC_B) & B_BINARY ? to_bcd(value) : value;
}

static void write_bcd(uint8_t index, uint8_t bcd)
{
	rtc_write(index, rtc_read(RTC_B) & B_BINARY ? from_bcd(bcd) : bcd);
}

/* 0 to 23: in its 12-hour mode the chip has 12 for 0, and a bit for the afternoon. */
static uint8_t read_hours(void)
{
	uint8_t value = rtc_read(RTC_HOURS), b = rtc_read(RTC_B), hours;

	if (b & B_24_HOURS)
		return b & B_BINARY ? to_bcd(value) : value;
	hours = value & (uint8_t)~HOURS_PM;
	if (!(b & B_BINARY))
		hours = from_bcd(hours);
	return to_bcd((uint8_t)(hours % 12 + (value & HOURS_PM ? 12 : 0)));
}

/* false: the chip updates itself for ever, which is none. */
static bool settle(void)
{
	unsigned polls;

	for (polls = 0; polls < UPDATE_POLLS; polls++) {
		if (!(rtc_read(RTC_A) & A_UPDATING))
			return true;
	}
	return false;
}

static void tell_ticks(struct frame *frame)
{
	uint32_t ticks = memory_read32(BDA_TICKS);

	set_low16(&frame->ecx, (uint16_t)(ticks >> 16));
	set_low16(&frame->edx, (uint16_t)ticks);
	set_low8(&frame->eax, memory_read8(BDA_MIDNIGHT));
	memory_write8(BDA_MIDNIGHT, 0);
}

static void set_ticks(const struct frame *frame)
{
	memory_write32(BDA_TICKS, frame->ecx << 16 | (uint16_t)frame->edx);
	memory_write8(BDA_MIDNIGHT, 0);
}

static bool tell_time(struct frame *frame)
{
	if (!settle())
		return false;
	set_high8(&frame->ecx, read_hours());
	set_low8(&frame->ecx, read_bcd(RTC_MINUTES));
	set_high8(&frame->edx, read_bcd(RTC_SECONDS));
	set_low8(&frame->edx, 0); /* no daylight saving */
	return true;
}

static bool tell_date(struct frame *frame)
{
	if (!settle())
		return false;
	set_high8(&frame->ecx, read_bcd(RTC_CENTURY));
	set_low8(&frame->ecx, read_bcd(RTC_YEAR));
	set_high8(&frame->edx, read_bcd(RTC_MONTH));
	set_low8(&frame->edx, read_bcd(RTC_DAY));
	return true;
}

static void set_time(const struct frame *frame)
{
	uint8_t b = (uint8_t)(rtc_read(RTC_B) | B_24_HOURS);

	rtc_write(RTC_B, b | B_SET);
	write_bcd(RTC_HOURS, high8(frame->ecx));
	write_bcd(RTC_MINUTES, low8(frame->ecx));
	write_bcd(RTC_SECONDS, high8(frame->edx));
	rtc_write(RTC_B, b & (uint8_t)~B_SET);
}

static void set_date(const struct frame *frame)
{
	uint8_t b = rtc_read(RTC_B);

	rtc_write(RTC_B, b | B_SET);
	write_bcd(RTC_CENTURY, high8(frame->ecx));
	write_bcd(RTC_YEAR, low8(frame->ecx));
	write_bcd(RTC_MONTH, high8(frame->edx));
	write_bcd(RTC_DAY, low8(frame->edx));
	rtc_write(RTC_B, b & (uint8_t)~B_SET);
}

enum verdict clock_service(struct bios *bios, struct frame *frame)
{
	bool served = true;

	(void)bios;
	switch (high8(frame->eax)) {
	case 0x00:
		tell_ticks(frame);
		break;
	case 0x01:
		set_ticks(frame);
		break;
	case 0x02:
		served = tell_time(frame);
		break;
	case 0x03:
		set_time(frame);
		break;
	case 0x04:
		served = tell_date(frame);
		break;
	case 0x05:
		set_date(frame);
		break;
	default: /* no alarm, and no PCI BIOS: there is no PCI */
		served = false;
		break;
	}
	set_flag(frame, FLAG_CARRY, !served);
	return BIOS_RETURN;
}

/* The ticks of today: 65536 periods of the PIT each. */
void clock_init(void)
{
	struct frame now = {0};
	uint32_t seconds = 0;

	if (tell_time(&now))
		seconds = from_bcd(high8(now.ecx)) * 3600u + from_bcd(low8(now.ecx)) * 60u +
		          from_bcd(high8(now.edx));
	memory_write32(BDA_TICKS, (uint32_t)((uint64_t)seconds * PIT_HZ >> 16));
	memory_write8(BDA_MIDNIGHT, 0);
}
