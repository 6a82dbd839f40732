/* The I/O APIC, through its two registers and its pins, against Intel's data sheet (290566). */
#include "suites.h"

#include "devices/ioapic82093.h"
#include "random.h"
#include "util/bytes.h"

#define BASE 0xfec00000u

enum { ID = 0, VERSION = 1, ARBITRATION = 2 };

#define LOW(pin)   (0x10 + 2 * (pin))
#define HIGH(pin)  (0x11 + 2 * (pin))
#define LEVEL      0x8000u
#define REMOTE_IRR 0x4000u
#define MASKED     0x10000u

static struct ioapic82093 ioapic;
static struct bus bus;

/* What the local APICs got. */
static struct {
	struct msi_message last;
	unsigned sent;
	bool refuse;
	struct msi_message watched[IOAPIC82093_PINS];
	unsigned watched_count;
	unsigned watches;
} seen;

static bool send(void *ctx, struct msi_message message)
{
	ck_assert_ptr_eq(ctx, &seen);
	seen.last = message;
	seen.sent++;
	return !seen.refuse;
}

static void watch(void *ctx, const struct msi_message *messages, unsigned count)
{
	ck_assert_ptr_eq(ctx, &seen);
	ck_assert_uint_le(count, IOAPIC82093_PINS);
	memcpy(seen.watched, messages, count * sizeof(*messages));
	seen.watched_count = count;
	seen.watches++;
}

static void setup(void)
{
	const struct ioapic82093_config config = {.msi = {.send = send, .watch = watch, .ctx = &seen}};

	ioapic82093_init(&ioapic, &config);
	ck_assert_int_eq(bus_attach(&bus, BASE, 0x1000, "ioapic", &ioapic82093_ops, &ioapic), 0);
}

static void teardown(void)
{
	ioapic82093_fini(&ioapic);
}

static uint32_t get(uint8_t number)
{
	uint64_t value;

	bus_write(&bus, BASE, 4, number);
	bus_read(&bus, BASE + 0x10, 4, &value);
	return (uint32_t)value;
}

static void put(uint8_t number, uint32_t value)
{
	bus_write(&bus, BASE, 4, number);
	bus_write(&bus, BASE + 0x10, 4, value);
}

static unsigned take_sent(void)
{
	unsigned sent = seen.sent;

	seen.sent = 0;
	return sent;
}

START_TEST(registers_are_as_after_a_reset)
{
	ck_assert_uint_eq(get(ID), 0);
	ck_assert_uint_eq(get(VERSION), 0x00170011);
	ck_assert_uint_eq(get(ARBITRATION), 0);
	for (unsigned pin = 0; pin < 24; pin++) {
		ck_assert_uint_eq(get((uint8_t)LOW(pin)), MASKED);
		ck_assert_uint_eq(get((uint8_t)HIGH(pin)), 0);
	}
}
END_TEST

START_TEST(id_has_four_bits_and_arbitration_follows_it)
{
	put(ID, UINT32_MAX);
	ck_assert_uint_eq(get(ID), 0x0f000000);
	ck_assert_uint_eq(get(ARBITRATION), 0x0f000000);
	put(ARBITRATION, 0);
	put(VERSION, 0);
	ck_assert_uint_eq(get(ID), 0x0f000000);
	ck_assert_uint_eq(get(VERSION), 0x00170011);
}
END_TEST

START_TEST(index_reads_back_and_what_is_not_there_is_all_ones)
{
	uint64_t value;

	bus_write(&bus, BASE, 1, 0x3f);
	bus_read(&bus, BASE, 4, &value);
	ck_assert_uint_eq(value, 0x3f);
	for (unsigned number = 3; number < 256; number++) {
		if (number >= 0x10 && number < 0x40)
			continue;
		put((uint8_t)number, 0);
		ck_assert_uint_eq(get((uint8_t)number), UINT32_MAX);
	}
	bus_read(&bus, BASE + 0x40, 4, &value);
	ck_assert_uint_eq(value, UINT32_MAX);
	bus_read(&bus, BASE + 0x11, 1, &value);
	ck_assert_uint_eq(value, 0xff);
}
END_TEST

START_TEST(an_entry_keeps_what_software_may_write)
{
	uint8_t pin = (uint8_t)_i;

	/* Delivery status and remote IRR are not software's; other entries are left alone. */
	put(LOW(pin), UINT32_MAX);
	put(HIGH(pin), UINT32_MAX);
	ck_assert_uint_eq(get(LOW(pin)), 0x0001afff);
	ck_assert_uint_eq(get(HIGH(pin)), 0xff000000);
	for (unsigned i = 0; i < 24; i++) {
		if (i != pin)
			ck_assert_uint_eq(get((uint8_t)LOW(i)), MASKED);
	}
}
END_TEST

static const struct {
	uint32_t low, high;
	struct msi_message message;
} messages[] = {
	{0x00000030, 0x00000000, {0xfee00000, 0x30}},   /* fixed, physical 0 */
	{0x00000931, 0x03000000, {0xfee03004, 0x131}},  /* lowest priority, logical 3 */
	{0x000004ff, 0xff000000, {0xfeeff000, 0x4ff}},  /* NMI to all */
	{0x0000a732, 0x01000000, {0xfee01000, 0xc732}}, /* level, active low, ExtINT */
};

START_TEST(a_pin_sends_the_message_of_its_entry)
{
	put(HIGH(4), messages[_i].high);
	put(LOW(4), messages[_i].low);
	ck_assert_uint_eq(take_sent(), 0);
	ioapic82093_set(&ioapic, 4, true);
	ck_assert_uint_eq(take_sent(), 1);
	ck_assert_uint_eq(seen.last.address, messages[_i].message.address);
	ck_assert_uint_eq(seen.last.data, messages[_i].message.data);
	ioapic82093_set(&ioapic, 5, true);
	ck_assert_uint_eq(take_sent(), 0);
}
END_TEST

START_TEST(an_edge_is_a_rise_and_nobody_ends_it)
{
	put(LOW(1), 0x41);
	ioapic82093_set(&ioapic, 1, true);
	ioapic82093_set(&ioapic, 1, true);
	ck_assert_uint_eq(take_sent(), 1);
	ck_assert_uint_eq(get(LOW(1)), 0x41);
	ioapic82093_eoi(&ioapic, 0x41);
	put(LOW(1), 0x41);
	ck_assert_uint_eq(take_sent(), 0);
	ioapic82093_set(&ioapic, 1, false);
	ck_assert_uint_eq(take_sent(), 0);
	ioapic82093_set(&ioapic, 1, true);
	ck_assert_uint_eq(take_sent(), 1);
	ck_assert_uint_eq(seen.watches, 0);
}
END_TEST

START_TEST(raised_pins_make_an_edge_each_time)
{
	put(LOW(16), 0x41);
	for (unsigned i = 0; i < 3; i++)
		ioapic82093_raise(&ioapic, 16);
	ck_assert_uint_eq(take_sent(), 3);
}
END_TEST

/* 3.2.4, bit 16: what comes while the pin is masked is not held. */
START_TEST(a_masked_edge_is_lost)
{
	put(LOW(1), MASKED | 0x41);
	ioapic82093_set(&ioapic, 1, true);
	put(LOW(1), 0x41);
	ck_assert_uint_eq(take_sent(), 0);
}
END_TEST

START_TEST(a_level_interrupts_until_it_is_low)
{
	put(LOW(4), LEVEL | 0x51);
	ioapic82093_set(&ioapic, 4, true);
	ck_assert_uint_eq(take_sent(), 1);
	ck_assert_uint_eq(get(LOW(4)), LEVEL | REMOTE_IRR | 0x51);
	/* Once only, whatever happens before the end of interrupt. */
	ioapic82093_set(&ioapic, 4, false);
	ioapic82093_set(&ioapic, 4, true);
	put(LOW(4), LEVEL | 0x51);
	ioapic82093_eoi(&ioapic, 0x52);
	ck_assert_uint_eq(take_sent(), 0);
	ioapic82093_eoi(&ioapic, 0x51);
	ck_assert_uint_eq(take_sent(), 1);
	ioapic82093_set(&ioapic, 4, false);
	ioapic82093_eoi(&ioapic, 0x51);
	ck_assert_uint_eq(take_sent(), 0);
	ck_assert_uint_eq(get(LOW(4)), LEVEL | 0x51);
}
END_TEST

START_TEST(a_masked_level_comes_when_it_is_unmasked)
{
	put(LOW(4), MASKED | LEVEL | 0x51);
	ioapic82093_set(&ioapic, 4, true);
	ck_assert_uint_eq(take_sent(), 0);
	put(LOW(4), LEVEL | 0x51);
	ck_assert_uint_eq(take_sent(), 1);
	put(LOW(4), MASKED | LEVEL | 0x51);
	ioapic82093_eoi(&ioapic, 0x51);
	ck_assert_uint_eq(take_sent(), 0);
	ck_assert_uint_eq(get(LOW(4)), MASKED | LEVEL | 0x51);
}
END_TEST

START_TEST(one_end_of_interrupt_ends_all_pins_of_its_vector)
{
	for (unsigned pin = 4; pin < 7; pin++) {
		put((uint8_t)LOW(pin), LEVEL | 0x51);
		ioapic82093_set(&ioapic, pin, true);
	}
	ck_assert_uint_eq(take_sent(), 3);
	ioapic82093_set(&ioapic, 5, false);
	ioapic82093_eoi(&ioapic, 0x51);
	ck_assert_uint_eq(take_sent(), 2);
}
END_TEST

/* As Linux does it where the version is below 0x20 (__eoi_ioapic_pin()). */
START_TEST(a_stuck_remote_irr_goes_with_the_level_trigger)
{
	put(LOW(4), LEVEL | 0x51);
	ioapic82093_set(&ioapic, 4, true);
	put(LOW(4), MASKED | 0x51);
	put(LOW(4), LEVEL | 0x51);
	ck_assert_uint_eq(take_sent(), 2);
}
END_TEST

START_TEST(a_level_that_no_local_apic_takes_is_not_lost)
{
	put(LOW(4), LEVEL | 0x51);
	seen.refuse = true;
	ioapic82093_set(&ioapic, 4, true);
	ck_assert_uint_eq(get(LOW(4)), LEVEL | 0x51);
	seen.refuse = false;
	ioapic82093_set(&ioapic, 4, true);
	ck_assert_uint_eq(get(LOW(4)), LEVEL | REMOTE_IRR | 0x51);
	ck_assert_uint_eq(take_sent(), 2);
}
END_TEST

START_TEST(level_entries_are_watched_before_they_send_and_as_long_as_they_are)
{
	ioapic82093_set(&ioapic, 7, true);
	put(HIGH(7), 0x02000000);
	ck_assert_uint_eq(seen.watches, 0);
	put(LOW(7), LEVEL | 0x61);
	ck_assert_uint_eq(seen.watches, 1);
	ck_assert_uint_eq(seen.watched_count, 1);
	ck_assert_mem_eq(&seen.watched[0], &seen.last, sizeof(seen.last));
	put(LOW(9), MASKED | LEVEL | 0x62);
	ck_assert_uint_eq(seen.watched_count, 2);
	ck_assert_uint_eq(seen.watched[1].data, 0xc062);
	/* Masking is frequent, and changes no message. */
	put(LOW(7), MASKED | LEVEL | 0x61);
	put(LOW(7), LEVEL | 0x61);
	ck_assert_uint_eq(seen.watches, 2);
	put(HIGH(7), 0x01000000);
	ck_assert_uint_eq(seen.watched[0].address, 0xfee01000);
	put(LOW(7), 0x61);
	ck_assert_uint_eq(seen.watched_count, 1);
	put(LOW(9), 0x62);
	ck_assert_uint_eq(seen.watched_count, 0);
}
END_TEST

START_TEST(any_access_leaves_it_whole)
{
	uint32_t state = 4711;

	for (unsigned i = 0; i < 200000; i++) {
		uint64_t value, offset = random_next(&state) % 0x1000, where = random_next(&state) % 4;

		if (where)
			offset = where == 1 ? 0 : 0x10;
		if (random_next(&state) % 2)
			bus_write(&bus, BASE + offset, 1u << random_next(&state) % 4, random_next(&state));
		else
			bus_read(&bus, BASE + offset, 1u << random_next(&state) % 4, &value);
		if (i % 7 == 0)
			ioapic82093_set(&ioapic, random_next(&state) % 24, random_next(&state) % 2);
		if (i % 11 == 0)
			ioapic82093_eoi(&ioapic, (uint8_t)random_next(&state));
	}
	for (unsigned pin = 0; pin < 24; pin++) {
		ck_assert_uint_eq(get((uint8_t)LOW(pin)) & ~0x1efffu, 0);
		ck_assert_uint_eq(get((uint8_t)HIGH(pin)) & 0xffffff, 0);
	}
	ck_assert_uint_gt(seen.sent, 0);
}
END_TEST

Suite *ioapic82093_suite(void)
{
	Suite *suite = suite_create("devices/ioapic82093");
	TCase *tcase = tcase_create("ioapic");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, registers_are_as_after_a_reset);
	tcase_add_test(tcase, id_has_four_bits_and_arbitration_follows_it);
	tcase_add_test(tcase, index_reads_back_and_what_is_not_there_is_all_ones);
	tcase_add_loop_test(tcase, an_entry_keeps_what_software_may_write, 0, 24);
	tcase_add_loop_test(tcase, a_pin_sends_the_message_of_its_entry, 0, ARRAY_SIZE(messages));
	tcase_add_test(tcase, an_edge_is_a_rise_and_nobody_ends_it);
	tcase_add_test(tcase, raised_pins_make_an_edge_each_time);
	tcase_add_test(tcase, a_masked_edge_is_lost);
	tcase_add_test(tcase, a_level_interrupts_until_it_is_low);
	tcase_add_test(tcase, a_masked_level_comes_when_it_is_unmasked);
	tcase_add_test(tcase, one_end_of_interrupt_ends_all_pins_of_its_vector);
	tcase_add_test(tcase, a_stuck_remote_irr_goes_with_the_level_trigger);
	tcase_add_test(tcase, a_level_that_no_local_apic_takes_is_not_lost);
	tcase_add_test(tcase, level_entries_are_watched_before_they_send_and_as_long_as_they_are);
	tcase_add_test(tcase, any_access_leaves_it_whole);
	return suite;
}
