/* The report: parsed back with jansson, field by field. */
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lodge.h"
#include "util/bytes.h"

static struct lodge_result result;
static json_t *report;

static void setup(void)
{
	memset(&result, 0, sizeof(result));
	result.outcome = LODGE_POWEROFF;
}

static void teardown(void)
{
	json_decref(report);
	report = NULL;
}

/* Writes the report to a file and parses it: one object with a newline behind it. */
static void write_report(void)
{
	int fd = memfd_create("report", MFD_CLOEXEC);
	char text[32768];
	json_error_t error;
	ssize_t len;

	ck_assert_int_eq(lodge_report_write(&result, fd), 0);
	len = pread(fd, text, sizeof(text), 0);
	ck_assert_int_gt(len, 2);
	ck_assert_int_lt(len, (ssize_t)sizeof(text));
	ck_assert_int_eq(text[len - 1], '\n');
	json_decref(report);
	report = json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(report, "%s", error.text);
	close(fd);
}

static uint64_t number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_integer(value), "%s is no number", name);
	return (uint64_t)json_integer_value(value);
}

static const char *string(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_string(value), "%s is no string", name);
	return json_string_value(value);
}

START_TEST(empty_result_has_every_field)
{
	static const char *const fields[] = {"outcome", "status", "guest_code", "message", "kernel",
		"firmware", "firmware_us", "run_us", "restarts", "setup_us", "vcpus", "exits", "devices",
		"disks", "console_bytes_in", "console_bytes_out", "sandbox", "peak_rss_bytes",
		"console_tail"};

	write_report();
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		ck_assert_msg(json_object_get(report, fields[i]), "no %s", fields[i]);
	ck_assert(json_is_null(json_object_get(report, "guest_code")));
	ck_assert(json_is_null(json_object_get(report, "kernel")));
	ck_assert(json_is_null(json_object_get(report, "firmware")));
	ck_assert(json_is_null(json_object_get(report, "firmware_us")));
	ck_assert_ptr_null(json_object_get(report, "registers"));
	ck_assert_uint_eq(json_array_size(json_object_get(report, "disks")), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(report, "vcpus")), 0);
	ck_assert_str_eq(string(report, "outcome"), "poweroff");
	ck_assert_str_eq(string(report, "message"), "");
}
END_TEST

START_TEST(facts_are_reported_as_they_are)
{
	result.outcome = LODGE_GUEST_EXIT;
	result.status = 99;
	result.has_guest_code = true;
	result.guest_code = 0xfedcba98;
	result.run_us = 5000000000;
	result.console_bytes_in = 123;
	result.console_bytes_out = 0x123456789ab;
	result.peak_rss = 0x40000000000;
	strcpy(result.kernel_format, "ELF64 with a PVH note");
	strcpy(result.firmware, "latchkey");
	result.firmware_us = 321;
	strcpy(result.message, "what \"went\" wrong");
	write_report();
	ck_assert_str_eq(string(report, "outcome"), "guest-exit");
	ck_assert_uint_eq(number(report, "status"), 99);
	ck_assert_uint_eq(number(report, "guest_code"), 0xfedcba98);
	ck_assert_uint_eq(number(report, "run_us"), 5000000000);
	ck_assert_uint_eq(number(report, "console_bytes_in"), 123);
	ck_assert_uint_eq(number(report, "console_bytes_out"), 0x123456789ab);
	ck_assert_uint_eq(number(report, "peak_rss_bytes"), 0x40000000000);
	ck_assert_str_eq(string(report, "kernel"), "ELF64 with a PVH note");
	ck_assert_str_eq(string(report, "firmware"), "latchkey");
	ck_assert_uint_eq(number(report, "firmware_us"), 321);
	ck_assert_str_eq(string(report, "message"), "what \"went\" wrong");
}
END_TEST

START_TEST(the_sandbox_is_a_list_of_names)
{
	const json_t *list;

	write_report();
	ck_assert(json_is_array(json_object_get(report, "sandbox")));
	ck_assert_uint_eq(json_array_size(json_object_get(report, "sandbox")), 0);
	result.sandbox[0] = "seccomp";
	result.sandbox[1] = "landlock";
	result.sandbox_count = 2;
	write_report();
	list = json_object_get(report, "sandbox");
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_str_eq(json_string_value(json_array_get(list, 1)), "landlock");
}
END_TEST

START_TEST(guest_code_of_zero_is_a_code)
{
	result.has_guest_code = true;
	write_report();
	ck_assert_uint_eq(number(report, "guest_code"), 0);
}
END_TEST

START_TEST(counts_are_objects_by_name)
{
	static char names[LODGE_COUNTS_MAX][16];
	const json_t *exits;

	result.restarts = 7;
	result.setup_us[0] = (struct lodge_count){"kvm", 300};
	result.setup_us[1] = (struct lodge_count){"kernel", 40};
	result.setup_count = 2;
	result.devices[0] = (struct lodge_count){"serial", 77};
	result.device_count = 1;
	for (unsigned i = 0; i < LODGE_COUNTS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "exit-%u", i);
		result.exits[i] = (struct lodge_count){names[i], i * 1000000000ull};
	}
	result.exit_count = LODGE_COUNTS_MAX;
	write_report();
	ck_assert_uint_eq(number(report, "restarts"), 7);
	ck_assert_uint_eq(number(json_object_get(report, "setup_us"), "kvm"), 300);
	ck_assert_uint_eq(number(json_object_get(report, "setup_us"), "kernel"), 40);
	ck_assert_uint_eq(json_object_size(json_object_get(report, "setup_us")), 2);
	ck_assert_uint_eq(number(json_object_get(report, "devices"), "serial"), 77);
	ck_assert_uint_eq(json_object_size(json_object_get(report, "devices")), 1);
	exits = json_object_get(report, "exits");
	ck_assert_uint_eq(json_object_size(exits), LODGE_COUNTS_MAX);
	for (unsigned i = 0; i < LODGE_COUNTS_MAX; i++)
		ck_assert_uint_eq(number(exits, names[i]), i * 1000000000ull);
}
END_TEST

START_TEST(disks_are_an_array_in_order)
{
	static const char *const fields[] = {"reads", "writes", "flushes", "discards", "others", "errors",
		"bytes_read", "bytes_written", "throttled_us"};
	static const char *const latencies[] = {"count", "p50", "p90", "p99", "p999", "max"};

	result.disk_count = LODGE_DISKS_MAX;
	for (unsigned i = 0; i < LODGE_DISKS_MAX; i++)
		result.disks[i] = (struct lodge_disk_stats){.engine = "threads",
			.reads = 10 * i,
			.writes = 10 * i + 1,
			.flushes = 10 * i + 2,
			.discards = 10 * i + 3,
			.others = 10 * i + 4,
			.errors = 10 * i + 5,
			.bytes_read = 10 * i + 6,
			.bytes_written = 10 * i + 7,
			.throttled_ns = (10 * i + 8) * 1000,
			.latency = {i, i + 1, i + 2, i + 3, i + 4, i + 5}};
	write_report();
	ck_assert_uint_eq(json_array_size(json_object_get(report, "disks")), LODGE_DISKS_MAX);
	for (unsigned i = 0; i < LODGE_DISKS_MAX; i++) {
		const json_t *disk = json_array_get(json_object_get(report, "disks"), i);

		const json_t *latency = json_object_get(disk, "latency_us");

		ck_assert_uint_eq(json_object_size(disk), ARRAY_SIZE(fields) + 2);
		ck_assert_str_eq(json_string_value(json_object_get(disk, "engine")), "threads");
		ck_assert_uint_eq(json_object_size(latency), ARRAY_SIZE(latencies));
		for (unsigned k = 0; k < ARRAY_SIZE(latencies); k++)
			ck_assert_uint_eq(number(latency, latencies[k]), i + k);
		for (unsigned k = 0; k < ARRAY_SIZE(fields); k++)
			ck_assert_uint_eq(number(disk, fields[k]), 10 * i + k);
	}
}
END_TEST

START_TEST(vcpus_are_an_array_in_order)
{
	result.vcpu_count = LODGE_CPUS_MAX;
	for (unsigned i = 0; i < LODGE_CPUS_MAX; i++)
		result.vcpus[i] = (struct lodge_vcpu_stats){
			.guest_ns = 5000000000000 + i * 1000, .exit_ns = 1999, .exits = i};
	write_report();
	ck_assert_uint_eq(json_array_size(json_object_get(report, "vcpus")), LODGE_CPUS_MAX);
	for (unsigned i = 0; i < LODGE_CPUS_MAX; i++) {
		const json_t *vcpu = json_array_get(json_object_get(report, "vcpus"), i);

		ck_assert_uint_eq(json_object_size(vcpu), 3);
		ck_assert_uint_eq(number(vcpu, "guest_us"), 5000000000 + i);
		ck_assert_uint_eq(number(vcpu, "exit_us"), 1);
		ck_assert_uint_eq(number(vcpu, "exits"), i);
	}
}
END_TEST

START_TEST(registers_are_hex_and_code_is_bytes)
{
	static const char *const names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8",
		"r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags", "cr0", "cr2", "cr3", "cr4",
		"efer"};
	/* As lodge.h has them: in this order, right behind the CPU's number. */
	uint64_t *values = &result.registers.rax;
	const json_t *registers;
	char text[32];

	result.has_registers = true;
	result.registers = (struct lodge_registers){.cpu = 3,
		.cs = 0x10,
		.ss = 0x18,
		.ds = 0xffff,
		.es = 0,
		.code = {0x0f, 0x0b, 0x00, 0xff},
		.code_len = 4};
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		values[i] = 0xfedcba9800000000 + i;
	write_report();
	registers = json_object_get(report, "registers");
	ck_assert_uint_eq(number(registers, "cpu"), 3);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(text, sizeof(text), "0xfedcba98%08x", i);
		ck_assert_str_eq(string(registers, names[i]), text);
	}
	ck_assert_str_eq(string(registers, "cs"), "0x10");
	ck_assert_str_eq(string(registers, "ss"), "0x18");
	ck_assert_str_eq(string(registers, "ds"), "0xffff");
	ck_assert_str_eq(string(registers, "es"), "0x0");
	ck_assert_str_eq(string(registers, "code"), "0f 0b 00 ff");
}
END_TEST

START_TEST(code_may_be_missing_or_whole)
{
	result.has_registers = true;
	write_report();
	ck_assert_str_eq(string(json_object_get(report, "registers"), "code"), "");
	result.registers.code_len = LODGE_CODE_MAX;
	memset(result.registers.code, 0xcc, LODGE_CODE_MAX);
	write_report();
	ck_assert_uint_eq(
		strlen(string(json_object_get(report, "registers"), "code")), 3 * LODGE_CODE_MAX - 1);
}
END_TEST

static const struct {
	const char *printed, *reported;
} consoles[] = {
	{"", ""},
	{"lodger: ready\r\n\tlodger> ", "lodger: ready\r\n\tlodger> "},
	{"\"quotes\" and \\ back", "\"quotes\" and \\ back"},
	{"\x1b[31mred\x07", "?[31mred?"},
	{"\xff\xfe\x80 \xc3\xa4", "??? ??"},
	{"\x01\x1f", "??"},
	{"%s%n", "%s%n"},
	{"</script>\x7f", "</script>\x7f"},
};

START_TEST(odd_bytes_of_the_console_make_no_bad_json)
{
	strcpy(result.console_tail, consoles[_i].printed);
	strcpy(result.message, consoles[_i].printed);
	write_report();
	ck_assert_str_eq(string(report, "console_tail"), consoles[_i].reported);
	ck_assert_str_eq(string(report, "message"), consoles[_i].reported);
}
END_TEST

START_TEST(all_of_a_full_tail_is_reported)
{
	memset(result.console_tail, 0xdd, LODGE_CONSOLE_MAX - 1);
	result.console_tail[0] = '[';
	result.console_tail[LODGE_CONSOLE_MAX - 2] = ']';
	write_report();
	ck_assert_uint_eq(strlen(string(report, "console_tail")), LODGE_CONSOLE_MAX - 1);
	ck_assert_int_eq(string(report, "console_tail")[LODGE_CONSOLE_MAX - 2], ']');
}
END_TEST

START_TEST(report_that_cannot_be_written_is_an_error)
{
	int fds[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(lodge_report_write(&result, full), -ENOSPC);
	ck_assert_int_eq(pipe(fds), 0);
	close(fds[0]);
	ck_assert_int_eq(lodge_report_write(&result, fds[1]), -EPIPE);
	ck_assert_int_eq(lodge_report_write(&result, -1), -EBADF);
	close(full);
}
END_TEST

START_TEST(vm_that_could_not_be_made_has_a_report_too)
{
	const struct lodge_error error = {.status = LODGE_STATUS_IMAGE, .text = "x: the file is empty"};

	lodge_result_from_error(&error, &result);
	write_report();
	ck_assert_str_eq(string(report, "outcome"), "image");
	ck_assert_uint_eq(number(report, "status"), 102);
	ck_assert_str_eq(string(report, "message"), "x: the file is empty");
	ck_assert_uint_gt(number(report, "peak_rss_bytes"), 0);
}
END_TEST

Suite *report_suite(void)
{
	Suite *suite = suite_create("control/report");
	TCase *tcase = tcase_create("report");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, empty_result_has_every_field);
	tcase_add_test(tcase, facts_are_reported_as_they_are);
	tcase_add_test(tcase, the_sandbox_is_a_list_of_names);
	tcase_add_test(tcase, guest_code_of_zero_is_a_code);
	tcase_add_test(tcase, counts_are_objects_by_name);
	tcase_add_test(tcase, disks_are_an_array_in_order);
	tcase_add_test(tcase, vcpus_are_an_array_in_order);
	tcase_add_test(tcase, registers_are_hex_and_code_is_bytes);
	tcase_add_test(tcase, code_may_be_missing_or_whole);
	tcase_add_loop_test(tcase, odd_bytes_of_the_console_make_no_bad_json, 0, ARRAY_SIZE(consoles));
	tcase_add_test(tcase, all_of_a_full_tail_is_reported);
	tcase_add_test(tcase, report_that_cannot_be_written_is_an_error);
	tcase_add_test(tcase, vm_that_could_not_be_made_has_a_report_too);
	return suite;
}
