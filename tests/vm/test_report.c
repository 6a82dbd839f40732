/* --report: one JSON object that says what the guest did. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/command_fixture.h"
#include "lib/files.h"
#include "vm/suites.h"

static json_t *load(void)
{
	json_error_t error;
	json_t *report = json_load_file("report.json", 0, &error);

	ck_assert_msg(report != NULL, "%s", error.text);
	return report;
}

static const char *text(json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	ck_assert_msg(value != NULL, "no string '%s'", key);
	return value;
}

static json_int_t number(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	ck_assert_msg(json_is_integer(value), "no number '%s'", key);
	return json_integer_value(value);
}

START_TEST(a_good_run_is_told_in_full)
{
	json_t *report, *disk;

	files_make("disk.img", 1 << 20);
	ck_assert_int_eq(
		command_call(command, "run", "--report", "report.json", "--disk", "path=disk.img", "--append",
			"run=blk fill 0 0 8 1;blk verify 0 0 8 1;blk flush 0;exit 5", NULL),
		5);
	report = load();
	ck_assert_str_eq(text(report, "outcome"), "guest-exit");
	ck_assert_int_eq(number(report, "status"), 5);
	ck_assert_int_eq(number(report, "guest_code"), 5);
	ck_assert_int_gt(number(report, "run_us"), 0);
	ck_assert_int_gt(number(report, "peak_rss_bytes"), 0);
	ck_assert_int_ge(number(json_object_get(report, "setup_us"), "memory"), 0);
	ck_assert_int_gt(number(json_object_get(report, "exits"), "io"), 0);
	ck_assert_int_gt(number(json_object_get(report, "exits"), "mmio"), 0);
	ck_assert_int_gt(number(json_object_get(report, "devices"), "serial"), 0);
	ck_assert_int_gt(number(json_object_get(report, "devices"), "virtio_mmio"), 0);
	ck_assert_int_eq(number(json_object_get(report, "devices"), "debug-exit"), 1);
	disk = json_array_get(json_object_get(report, "disks"), 0);
	ck_assert_int_ge(number(disk, "reads"), 1);
	ck_assert_int_ge(number(disk, "writes"), 1);
	ck_assert_int_ge(number(disk, "flushes"), 1);
	ck_assert_int_eq(number(disk, "bytes_read"), 8 * 512);
	ck_assert_int_eq(number(disk, "bytes_written"), 8 * 512);
	ck_assert_int_eq(number(disk, "errors"), 0);
	ck_assert_ptr_nonnull(strstr(text(report, "console_tail"), "lodger"));
	ck_assert_ptr_null(json_object_get(report, "registers"));
	json_decref(report);
}
END_TEST

START_TEST(a_fault_brings_registers_code_and_the_last_lines)
{
	json_t *report, *registers;

	ck_assert_int_eq(command_call(command, "run", "--report", "report.json", "--append",
				 "run=echo the last line;crash triple", NULL),
		111);
	report = load();
	ck_assert_str_eq(text(report, "outcome"), "triple-fault");
	ck_assert(json_is_null(json_object_get(report, "guest_code")));
	ck_assert_ptr_nonnull(strstr(text(report, "message"), "triple fault"));
	ck_assert_ptr_nonnull(strstr(text(report, "console_tail"), "the last line"));
	registers = json_object_get(report, "registers");
	ck_assert_int_eq(strncmp(text(registers, "rip"), "0x", 2), 0);
	text(registers, "rsp");
	text(registers, "cr3");
	text(registers, "code");
	ck_assert_int_eq(number(registers, "cpu"), 0);
	json_decref(report);
}
END_TEST

START_TEST(what_never_ran_is_reported_too)
{
	json_t *report;

	ck_assert_int_eq(command_call(command, "run", "--report", "report.json", "missing.elf", NULL), 102);
	report = load();
	ck_assert_str_eq(text(report, "outcome"), "image");
	ck_assert_int_eq(number(report, "status"), 102);
	ck_assert_ptr_nonnull(strstr(text(report, "message"), "missing.elf"));
	json_decref(report);
}
END_TEST

START_TEST(a_report_that_cannot_be_opened_is_a_usage_error)
{
	ck_assert_int_eq(command_call(command, "run", "--report", "no/such/folder", NULL), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "no/such/folder"));
}
END_TEST

START_TEST(a_report_that_cannot_be_written_is_an_error_of_lodge)
{
	ck_assert_int_eq(
		command_call(command, "run", "--report", "/dev/full", "--append", "run=poweroff", NULL), 103);
	ck_assert_ptr_nonnull(strstr(command->err, "No space left"));
}
END_TEST

Suite *report_suite(void)
{
	Suite *suite = suite_create("report");
	TCase *tcase = tcase_create("json");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, command_setup, command_teardown);
	tcase_add_test(tcase, a_good_run_is_told_in_full);
	tcase_add_test(tcase, a_fault_brings_registers_code_and_the_last_lines);
	tcase_add_test(tcase, what_never_ran_is_reported_too);
	tcase_add_test(tcase, a_report_that_cannot_be_opened_is_a_usage_error);
	tcase_add_test(tcase, a_report_that_cannot_be_written_is_an_error_of_lodge);
	suite_add_tcase(suite, tcase);
	return suite;
}
