/* latchkey's INT 15h, 1Ah, 16h and 10h; and where the BIOS believes the machine's chips to be. */
#include "suites.h"

#include <string.h>

#include "bios_rig.h"
#include "util/bytes.h"
#include "x86/e820.h"
#include "x86/layout.h"

static_assert(COM1 == COM1_PORT && KEYBOARD_DATA_PORT == I8042_DATA_PORT && RTC_INDEX_PORT == RTC_PORT &&
		      PANIC_PORT == PVPANIC_PORT,
	"the ports");
static_assert(EBDA_SEGMENT << 4 == RAM_EBDA && CONVENTIONAL_KIB == RAM_EBDA / 1024, "the EBDA");
static_assert(VIRTIO_SLOTS_BASE == VIRTIO_MMIO_BASE && VIRTIO_SLOTS_STRIDE == VIRTIO_MMIO_STRIDE &&
		      DISKS_MAX == VIRTIO_MMIO_SLOTS,
	"the disks");
static_assert(BIOS_STATE >= ACPI_BASE + ACPI_SIZE && BIOS_STACK_TOP < MPTABLE_BASE &&
		      BIOS_STATE + sizeof(struct bios) <= BIOS_STATE_END,
	"the BIOS's state is reserved memory that nothing else has");
static_assert(E820_MAX >= E820_ENTRIES_MAX, "the map fits");

static enum verdict ask(uint32_t eax)
{
	rig.frame.eax = eax;
	return system_service(&rig.bios, &rig.frame);
}

static bool failed(void)
{
	return rig.frame.flags & FLAG_CARRY;
}

/* The machine's own map, of so much RAM below and above 4 GiB. */
static void set_map(uint64_t low, uint64_t high)
{
	struct e820_entry map[E820_ENTRIES_MAX];
	unsigned i;

	rig.bios.map_count = e820_build(map, low, high);
	for (i = 0; i < rig.bios.map_count; i++)
		rig.bios.map[i] = (struct e820){map[i].base, map[i].size, map[i].type};
}

START_TEST(map_is_told_an_entry_a_call)
{
	const uint32_t smap = 0x534d4150;
	unsigned i = 0;

	set_map(GIB(3), GIB(1));
	rig.frame = (struct frame){.es = 0x100, .edi = 0x20};
	do {
		const struct e820 *entry = &rig.bios.map[i++];

		rig.frame.edx = smap;
		rig.frame.ecx = 24;
		ask(0xe820);
		ck_assert(!failed());
		ck_assert_uint_eq(rig.frame.eax, smap);
		ck_assert_uint_eq(rig.frame.ecx, 20);
		ck_assert_uint_eq(memory_read64(0x1020), entry->base);
		ck_assert_uint_eq(memory_read64(0x1028), entry->size);
		ck_assert_uint_eq(memory_read32(0x1030), entry->type);
	} while (rig.frame.ebx && i < 10);
	ck_assert_uint_eq(i, rig.bios.map_count);
	ck_assert_uint_eq(memory_read64(0x1020), GIB(4));
}
END_TEST

START_TEST(map_refuses_what_it_does_not_know)
{
	set_map(MIB(32), 0);
	rig.frame = (struct frame){.edx = 0x534d4150, .ecx = 20, .ebx = 100};
	ask(0xe820);
	ck_assert(failed());
	ck_assert_uint_eq(high8(rig.frame.eax), 0x86);
	rig.frame = (struct frame){.edx = 0x534d4150, .ecx = 19};
	ask(0xe820);
	ck_assert(failed());
	rig.frame = (struct frame){.edx = 0x12345678, .ecx = 20};
	ask(0xe820);
	ck_assert(failed());
}
END_TEST

static const struct {
	uint64_t low, high;
	uint16_t extended, kib, blocks;
} sizes[] = {
	{MIB(16), 0, 0x3c00, 0x3c00, 0},
	{MIB(32), 0, 0x7c00, 0x3c00, 0x100},
	{MIB(64) + MIB(1), 0, 0xffff, 0x3c00, 0x310},
	{GIB(3), GIB(5), 0xffff, 0x3c00, 0xbf00},
};

START_TEST(older_calls_tell_sizes)
{
	set_map(sizes[_i].low, sizes[_i].high);
	ask(0x8800);
	ck_assert(!failed());
	ck_assert_uint_eq(rig.frame.eax, sizes[_i].extended);
	ask(0xe801);
	ck_assert(!failed());
	ck_assert_uint_eq(rig.frame.eax, sizes[_i].kib);
	ck_assert_uint_eq(rig.frame.ecx, sizes[_i].kib);
	ck_assert_uint_eq(rig.frame.ebx, sizes[_i].blocks);
	ck_assert_uint_eq(rig.frame.edx, sizes[_i].blocks);
}
END_TEST

START_TEST(a20_is_open_and_stays_so)
{
	ask(0x2401);
	ck_assert(!failed());
	ask(0x2402);
	ck_assert(!failed());
	ck_assert_uint_eq(rig.frame.eax, 0x0001);
	ask(0x2400);
	ck_assert(failed());
}
END_TEST

START_TEST(blocks_are_moved_by_descriptors)
{
	rig.frame = (struct frame){.es = 0x800, .esi = 0, .ecx = 2};
	memory_write32(0x8010 + 2, 0x93012000); /* its base is 24 bits, and 8 more elsewhere */
	memory_write32(0x8018 + 2, 0x93013000);
	memory_write32(0x12000, 0x12345678);
	memory_write8(0x12004, 0x99);
	ask(0x8700);
	ck_assert(!failed());
	ck_assert_uint_eq(memory_read32(0x13000), 0x12345678);
	ck_assert_uint_eq(memory_read8(0x13004), 0);
}
END_TEST

START_TEST(wait_ends_when_the_ticks_say_so)
{
	memory_write32(BDA_TICKS, 100);
	rig.frame = (struct frame){.ecx = 1, .edx = 0xadb0}; /* 110000 us: two ticks */
	ck_assert_int_eq(ask(0x8600), BIOS_WAIT);
	memory_write32(BDA_TICKS, 102);
	ck_assert_int_eq(ask(0x8600), BIOS_WAIT);
	memory_write32(BDA_TICKS, 103);
	ck_assert_int_eq(ask(0x8600), BIOS_RETURN);
	/* Midnight does not make it last a day. */
	memory_write32(BDA_TICKS, TICKS_A_DAY - 1);
	ck_assert_int_eq(ask(0x8600), BIOS_WAIT);
	memory_write32(BDA_TICKS, 0);
	ck_assert_int_eq(ask(0x8600), BIOS_RETURN);
}
END_TEST

static void set_rtc(uint8_t b, uint8_t hours)
{
	rig.rtc[0x00] = b & 4 ? 58 : 0x58;
	rig.rtc[0x02] = b & 4 ? 59 : 0x59;
	rig.rtc[0x04] = hours;
	rig.rtc[0x07] = b & 4 ? 25 : 0x25;
	rig.rtc[0x08] = b & 4 ? 11 : 0x11;
	rig.rtc[0x09] = b & 4 ? 26 : 0x26;
	rig.rtc[0x32] = b & 4 ? 20 : 0x20;
	rig.rtc[0x0b] = b;
}

static const struct {
	uint8_t b, hours, told;
} hours[] = {
	{0x02, 0x23, 0x23},                     /* BCD, 24 hours */
	{0x06, 23, 0x23},                       /* binary */
	{0x00, 0x91, 0x23},                     /* BCD, 11 in the afternoon */
	{0x04, 0x8b, 0x23}, {0x00, 0x12, 0x00}, /* midnight */
	{0x00, 0x92, 0x12},                     /* noon */
};

START_TEST(time_and_date_are_bcd_whatever_the_chip_is_set_to)
{
	set_rtc(hours[_i].b, hours[_i].hours);
	rig.frame = (struct frame){.eax = 0x0200, .flags = FLAG_CARRY};
	clock_service(&rig.bios, &rig.frame);
	ck_assert(!failed());
	ck_assert_uint_eq(rig.frame.ecx, hours[_i].told << 8 | 0x59);
	ck_assert_uint_eq(rig.frame.edx, 0x5800);
	rig.frame.eax = 0x0400;
	clock_service(&rig.bios, &rig.frame);
	ck_assert(!failed());
	ck_assert_uint_eq(rig.frame.ecx, 0x2026);
	ck_assert_uint_eq(rig.frame.edx, 0x1125);
}
END_TEST

START_TEST(time_and_date_can_be_set)
{
	set_rtc(0x06, 0);
	rig.frame = (struct frame){.eax = 0x0300, .ecx = 0x2130, .edx = 0x4500};
	clock_service(&rig.bios, &rig.frame);
	rig.frame = (struct frame){.eax = 0x0500, .ecx = 0x1999, .edx = 0x1231};
	clock_service(&rig.bios, &rig.frame);
	ck_assert_uint_eq(rig.rtc[0x04], 21);
	ck_assert_uint_eq(rig.rtc[0x02], 30);
	ck_assert_uint_eq(rig.rtc[0x00], 45);
	ck_assert_uint_eq(rig.rtc[0x32], 19);
	ck_assert_uint_eq(rig.rtc[0x09], 99);
	ck_assert_uint_eq(rig.rtc[0x0b], 0x06);
}
END_TEST

START_TEST(a_chip_that_never_settles_is_an_error)
{
	rig.rtc[0x0a] = 0x80;
	rig.frame = (struct frame){.eax = 0x0200};
	clock_service(&rig.bios, &rig.frame);
	ck_assert(failed());
}
END_TEST

START_TEST(ticks_begin_with_the_time_of_day)
{
	set_rtc(0x02, 0x23);
	clock_init();
	ck_assert_uint_le(memory_read32(BDA_TICKS), TICKS_A_DAY - 30); /* two seconds before midnight */
	ck_assert_uint_ge(memory_read32(BDA_TICKS), TICKS_A_DAY - 40);
	memory_write8(BDA_MIDNIGHT, 1);
	rig.frame = (struct frame){0};
	clock_service(&rig.bios, &rig.frame);
	ck_assert_uint_eq(rig.frame.ecx << 16 | rig.frame.edx, memory_read32(BDA_TICKS));
	ck_assert_uint_eq(low8(rig.frame.eax), 1);
	rig.frame.eax = 0;
	clock_service(&rig.bios, &rig.frame);
	ck_assert_uint_eq(low8(rig.frame.eax), 0);
}
END_TEST

START_TEST(no_pci_bios_answers)
{
	rig.frame = (struct frame){.eax = 0xb101, .edx = 0};
	clock_service(&rig.bios, &rig.frame);
	ck_assert(failed());
	ck_assert_uint_eq(rig.frame.edx, 0);
}
END_TEST

Suite *bios_suite(void)
{
	Suite *suite = suite_create("firmware/bios");
	TCase *tcase = tcase_create("bios");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, bios_rig_setup, NULL);
	tcase_add_test(tcase, map_is_told_an_entry_a_call);
	tcase_add_test(tcase, map_refuses_what_it_does_not_know);
	tcase_add_loop_test(tcase, older_calls_tell_sizes, 0, (int)ARRAY_SIZE(sizes));
	tcase_add_test(tcase, a20_is_open_and_stays_so);
	tcase_add_test(tcase, blocks_are_moved_by_descriptors);
	tcase_add_test(tcase, wait_ends_when_the_ticks_say_so);
	tcase_add_loop_test(
		tcase, time_and_date_are_bcd_whatever_the_chip_is_set_to, 0, (int)ARRAY_SIZE(hours));
	tcase_add_test(tcase, time_and_date_can_be_set);
	tcase_add_test(tcase, a_chip_that_never_settles_is_an_error);
	tcase_add_test(tcase, ticks_begin_with_the_time_of_day);
	tcase_add_test(tcase, no_pci_bios_answers);
	return suite;
}
