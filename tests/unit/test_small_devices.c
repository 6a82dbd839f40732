/* The devices of a page each: debug-exit, Bochs's power-off port, pvpanic, the ACPI sleep registers, reset control. */
#include "suites.h"

#include "devices/acpi_sleep.h"
#include "devices/bochs_power.h"
#include "devices/debug_exit.h"
#include "devices/pvpanic.h"
#include "devices/reset_control.h"

/* What was asked of the machine. */
struct asked {
	unsigned count;
	enum power_event event;
	uint32_t code;
};

static void note_power(void *ctx, enum power_event event, uint32_t code)
{
	struct asked *asked = ctx;

	asked->count++;
	asked->event = event;
	asked->code = code;
}

static void check_asked(struct asked *asked, enum power_event event, uint32_t code)
{
	ck_assert_uint_eq(asked->count, 1);
	ck_assert_int_eq(asked->event, event);
	ck_assert_uint_eq(asked->code, code);
	*asked = (struct asked){0};
}

START_TEST(debug_exit_0_powers_off_and_other_codes_arrive_whole)
{
	struct asked asked = {0};
	struct debug_exit_config config = {.power = {note_power, &asked}};
	struct debug_exit port;

	debug_exit_init(&port, &config);
	debug_exit_ops.write(&port, 0, 4, 0);
	check_asked(&asked, POWER_OFF, 0);
	debug_exit_ops.write(&port, 0, 1, 42);
	check_asked(&asked, POWER_EXIT, 42);
	debug_exit_ops.write(&port, 0, 4, 0xdeadbeef);
	check_asked(&asked, POWER_EXIT, 0xdeadbeef);
	debug_exit_fini(&port);
}
END_TEST

START_TEST(debug_exit_in_qemu_mode_shifts_and_sets_bit_0)
{
	struct asked asked = {0};
	struct debug_exit_config config = {.power = {note_power, &asked}, .qemu = true};
	struct debug_exit port;

	debug_exit_init(&port, &config);
	debug_exit_ops.write(&port, 0, 4, 0);
	check_asked(&asked, POWER_EXIT, 1);
	debug_exit_ops.write(&port, 0, 4, 0x10);
	check_asked(&asked, POWER_EXIT, 0x21);
	debug_exit_fini(&port);
}
END_TEST

START_TEST(debug_exit_reads_all_ones_and_knows_offset_0_alone)
{
	struct asked asked = {0};
	struct debug_exit_config config = {.power = {note_power, &asked}};
	struct debug_exit port;
	struct bus bus = {0};
	uint64_t value;

	debug_exit_init(&port, &config);
	ck_assert_int_eq(bus_attach(&bus, 0xf4, 4, "debug-exit", &debug_exit_ops, &port), 0);
	bus_read(&bus, 0xf4, 1, &value);
	ck_assert_uint_eq(value, 0xff);
	bus_read(&bus, 0xf4, 4, &value);
	ck_assert_uint_eq(value, 0xffffffff);
	bus_write(&bus, 0xf5, 1, 7);
	bus_write(&bus, 0xf6, 2, 7);
	ck_assert_uint_eq(asked.count, 0);
	bus_write(&bus, 0xf4, 2, 0x107);
	check_asked(&asked, POWER_EXIT, 0x107);
	debug_exit_fini(&port);
}
END_TEST

START_TEST(pvpanic_offers_the_panic_event_alone)
{
	struct asked asked = {0};
	struct pvpanic_config config = {.power = {note_power, &asked}};
	struct pvpanic pvpanic;

	pvpanic_init(&pvpanic, &config);
	ck_assert_uint_eq(pvpanic_ops.read(&pvpanic, 0, 1), 1);
	pvpanic_ops.write(&pvpanic, 0, 1, 0);
	pvpanic_ops.write(&pvpanic, 0, 1, 2);
	pvpanic_ops.write(&pvpanic, 0, 1, 0xfe);
	ck_assert_uint_eq(asked.count, 0);
	pvpanic_ops.write(&pvpanic, 0, 1, 1);
	check_asked(&asked, POWER_PANIC, 0);
	pvpanic_ops.write(&pvpanic, 0, 1, 0xff);
	check_asked(&asked, POWER_PANIC, 0);
	pvpanic_fini(&pvpanic);
}
END_TEST

START_TEST(acpi_sleep_powers_off_for_s5_with_the_enable_bit_alone)
{
	struct asked asked = {0};
	struct acpi_sleep_config config = {.power = {note_power, &asked}};
	struct acpi_sleep sleep;
	unsigned value;

	acpi_sleep_init(&sleep, &config);
	for (value = 0; value < 0x100; value++) {
		acpi_sleep_ops.write(&sleep, 0, 1, value);
		if ((value & 0x20) && (value >> 2 & 7) == 5)
			check_asked(&asked, POWER_OFF, 0);
		ck_assert_uint_eq(asked.count, 0);
		/* SLP_EN is write-only, SLP_TYPx reads back. */
		ck_assert_uint_eq(acpi_sleep_ops.read(&sleep, 0, 1), value & 0x1c);
	}
	acpi_sleep_fini(&sleep);
}
END_TEST

START_TEST(acpi_sleep_status_never_wakes_and_takes_no_command)
{
	struct asked asked = {0};
	struct acpi_sleep_config config = {.power = {note_power, &asked}};
	struct acpi_sleep sleep;

	acpi_sleep_init(&sleep, &config);
	ck_assert_uint_eq(acpi_sleep_ops.read(&sleep, 1, 1), 0);
	acpi_sleep_ops.write(&sleep, 1, 1, 0x80);
	acpi_sleep_ops.write(&sleep, 1, 1, 0x34);
	ck_assert_uint_eq(acpi_sleep_ops.read(&sleep, 1, 1), 0);
	ck_assert_uint_eq(acpi_sleep_ops.read(&sleep, 0, 1), 0);
	ck_assert_uint_eq(acpi_sleep_ops.read(&sleep, 2, 1), UINT64_MAX);
	ck_assert_uint_eq(asked.count, 0);
	acpi_sleep_fini(&sleep);
}
END_TEST

START_TEST(reset_control_resets_when_bit_2_rises)
{
	struct asked asked = {0};
	struct reset_control_config config = {.power = {note_power, &asked}};
	struct reset_control reset;

	reset_control_init(&reset, &config);
	ck_assert_uint_eq(reset_control_ops.read(&reset, 0, 1), 0);
	reset_control_ops.write(&reset, 0, 1, 0x02);
	reset_control_ops.write(&reset, 0, 1, 0xfb);
	ck_assert_uint_eq(asked.count, 0);
	reset_control_ops.write(&reset, 0, 1, 0x06);
	check_asked(&asked, POWER_RESET, 0);
	reset_control_ops.write(&reset, 0, 1, 0x0e); /* still high: no edge */
	ck_assert_uint_eq(asked.count, 0);
	reset_control_ops.write(&reset, 0, 1, 0x00);
	ck_assert_uint_eq(asked.count, 0);
	reset_control_ops.write(&reset, 0, 1, 0x0e);
	check_asked(&asked, POWER_RESET, 0);
	reset_control_fini(&reset);
}
END_TEST

START_TEST(reset_control_reads_back_bits_1_and_3)
{
	struct asked asked = {0};
	struct reset_control_config config = {.power = {note_power, &asked}};
	struct reset_control reset;
	unsigned value;

	reset_control_init(&reset, &config);
	for (value = 0; value < 0x100; value++) {
		reset_control_ops.write(&reset, 0, 1, value);
		ck_assert_uint_eq(reset_control_ops.read(&reset, 0, 1), value & 0x0a);
	}
	reset_control_fini(&reset);
}
END_TEST

static const struct {
	const char *text;
	bool off;
} bochs_texts[] = {
	{"Shutdown", true},
	{"Shutdow", false},
	{"shutdown", false},
	{"Shut", false},
	{"hutdown", false},
	{"ShutShutdown", true},
	{"SShutdown", true},
	{"Shut down", false},
	{"ShutdowS", false},
	{"XYZShutdown", true},
};

START_TEST(bochs_port_powers_off_for_its_word_alone)
{
	struct asked asked = {0};
	struct bochs_power_config config = {.power = {note_power, &asked}};
	struct bochs_power port;
	const char *c;

	bochs_power_init(&port, &config);
	for (c = bochs_texts[_i].text; *c; c++) {
		ck_assert_uint_eq(asked.count, 0);
		bochs_power_ops.write(&port, 0, 1, (uint8_t)*c);
	}
	if (bochs_texts[_i].off)
		check_asked(&asked, POWER_OFF, 0);
	ck_assert_uint_eq(asked.count, 0);
	ck_assert_uint_eq(bochs_power_ops.read(&port, 0, 1), UINT64_MAX);
	/* A run that goes on all the same can ask again. */
	for (c = "Shutdown"; *c; c++)
		bochs_power_ops.write(&port, 0, 1, (uint8_t)*c);
	check_asked(&asked, POWER_OFF, 0);
	bochs_power_fini(&port);
}
END_TEST

START_TEST(registers_of_a_byte_take_bytes_alone)
{
	ck_assert_uint_eq(pvpanic_ops.sizes, 1);
	ck_assert_uint_eq(acpi_sleep_ops.sizes, 1);
	ck_assert_uint_eq(reset_control_ops.sizes, 1);
	ck_assert_uint_eq(bochs_power_ops.sizes, 1);
	ck_assert_uint_eq(debug_exit_ops.sizes, 1 | 2 | 4);
}
END_TEST

Suite *small_devices_suite(void)
{
	Suite *suite = suite_create("small devices");
	TCase *tcase = tcase_create("small devices");

	tcase_add_test(tcase, debug_exit_0_powers_off_and_other_codes_arrive_whole);
	tcase_add_test(tcase, debug_exit_in_qemu_mode_shifts_and_sets_bit_0);
	tcase_add_test(tcase, debug_exit_reads_all_ones_and_knows_offset_0_alone);
	tcase_add_test(tcase, pvpanic_offers_the_panic_event_alone);
	tcase_add_test(tcase, acpi_sleep_powers_off_for_s5_with_the_enable_bit_alone);
	tcase_add_test(tcase, acpi_sleep_status_never_wakes_and_takes_no_command);
	tcase_add_test(tcase, reset_control_resets_when_bit_2_rises);
	tcase_add_test(tcase, reset_control_reads_back_bits_1_and_3);
	tcase_add_loop_test(tcase, bochs_port_powers_off_for_its_word_alone, 0,
		(int)(sizeof(bochs_texts) / sizeof(bochs_texts[0])));
	tcase_add_test(tcase, registers_of_a_byte_take_bytes_alone);
	suite_add_tcase(suite, tcase);
	return suite;
}
