/* Breakpoints and watchpoints, where this host's KVM has them; and what the command line and GDB itself make of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/command_fixture.h"
#include "lib/elf_builder.h"
#include "lib/files.h"
#include "lib/guest_code.h"
#include "vm/debugged.h"
#include "vm/suites.h"

/* clang-format off */
/* Counts to 3 in bl, and leaves with that. */
GUEST_CODE(count, ".code32",
	"xor %ebx, %ebx\n"          /* 0 */
	"1: inc %ebx\n"             /* 2 */
	"mov %ebx, 0x108000\n"      /* 3 */
	"cmp $3, %ebx\n"            /* 9 */
	"jb 1b\n"                   /* 12 */
	"mov %bl, %al\n"            /* 14 */
	"out %al, $0xf4\n"          /* 16 */
	"hlt\n");

/* In real mode, at 1000:0000. */
GUEST_CODE(real, ".code16",
	"mov $0x1234, %ax\n"        /* 0 */
	"nop\n"                     /* 3 */
	"mov $6, %al\n"             /* 4 */
	"out %al, $0xf4\n"          /* 6 */
	"hlt\n");

/* Resets once: what is at 0x8000 is gone then, what is in CMOS not. */
GUEST_CODE(resetting, ".code32",
	"nop\n"                     /* 0 */
	"mov $6, %al\n"             /* 1 */
	"mov $0xcf9, %edx\n"
	"out %al, (%dx)\n"
	"hlt\n");
/* clang-format on */

static const char *const kinds[] = {"swbreak", "hwbreak"};

START_TEST(guest_stops_at_a_breakpoint_each_time)
{
	char stop[64];

	if (!debugger_has_breakpoints("guest_stops_at_a_breakpoint_each_time"))
		return;
	debugged_start(count_code, count_len, NULL);
	debugger_ask(&gdb, "qSupported:swbreak+;hwbreak+");
	snprintf(stop, sizeof(stop), "T05%s:;thread:1;", kinds[_i]);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_str_eq(debugger_ask(&gdb, "Z%d,100003,1", _i), "OK");
		ck_assert_str_eq(debugger_ask(&gdb, "vCont;c"), stop);
		ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD + 3);
		ck_assert_uint_eq(debugger_register(&gdb, 1), i + 1);
		/* Over it, as GDB does that. */
		ck_assert_str_eq(debugger_ask(&gdb, "z%d,100003,1", _i), "OK");
		ck_assert_str_eq(debugger_ask(&gdb, "vCont;s:1"), "T05thread:1;");
		ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD + 9);
	}
	ck_assert_int_eq(debugged_finish(), 3);
}
END_TEST

static void start_in_real_mode(void)
{
	files_write("real", real_code, real_len);
	debugged.config.kernel = "real";
	debugged.config.format = LODGE_FORMAT_FLAT;
	debugged_start(NULL, 0, NULL);
}

START_TEST(guest_stops_at_a_breakpoint_in_real_mode)
{
	if (!debugger_has_breakpoints("guest_stops_at_a_breakpoint_in_real_mode"))
		return;
	start_in_real_mode();
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), 0x10000);
	ck_assert_str_eq(debugger_ask(&gdb, "Z%d,10003,1", _i), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "c"), "T05thread:1;");
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), 0x10003);
	ck_assert_uint_eq(debugger_register(&gdb, 0), 0x1234);
	ck_assert_str_eq(debugger_ask(&gdb, "z%d,10003,1", _i), "OK");
	ck_assert_int_eq(debugged_finish(), 6);
}
END_TEST

/* Real mode without breakpoints, which works on every host. */
START_TEST(real_mode_is_stepped_by_linear_addresses)
{
	start_in_real_mode();
	ck_assert_str_eq(debugger_ask(&gdb, "m10000,4"), "b8341290");
	ck_assert_str_eq(debugger_ask(&gdb, "s"), "T05thread:1;");
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), 0x10003);
	ck_assert_str_eq(debugger_ask(&gdb, "P10=0600010000000000"), "OK");
	ck_assert_int_eq(debugged_finish(), 0x34);
}
END_TEST

START_TEST(lodger_stops_at_a_symbol_on_the_cpu_that_comes_there)
{
	uint64_t address;

	if (!debugger_has_breakpoints("lodger_stops_at_a_symbol_on_the_cpu_that_comes_there"))
		return;
	address = debugger_symbol(getenv("LODGER"), "smp_main");
	debugged.config.cpus = 2;
	debugged_start(NULL, 0, "run=cpus;exit 5");
	ck_assert_str_eq(debugger_ask(&gdb, "Z1,%llx,1", (unsigned long long)address), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "vCont;c"), "T05thread:2;");
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), address);
	ck_assert_str_eq(debugger_ask(&gdb, "z1,%llx,1", (unsigned long long)address), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "vCont;s:2;c"), "T05thread:2;");
	ck_assert_uint_gt(debugger_register(&gdb, DEBUGGER_RIP), address);
	ck_assert_int_eq(debugged_finish(), 5);
	ck_assert_ptr_nonnull(strstr(debugged.console, "2 of 2 in use"));
}
END_TEST

START_TEST(breakpoints_outlive_a_reset_of_the_guest)
{
	if (!debugger_has_breakpoints("breakpoints_outlive_a_reset_of_the_guest"))
		return;
	debugged.config.restart = true;
	debugged_start(resetting_code, resetting_len, NULL);
	ck_assert_str_eq(debugger_ask(&gdb, "Z%d,100001,1", _i), "OK");
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_str_eq(debugger_ask(&gdb, "c"), "T05thread:1;");
		ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD + 1);
		ck_assert_str_eq(debugger_ask(&gdb, "z%d,100001,1", _i), "OK");
		ck_assert_str_eq(debugger_ask(&gdb, "s"), "T05thread:1;");
		ck_assert_str_eq(debugger_ask(&gdb, "Z%d,100001,1", _i), "OK");
	}
	debugger_send(&gdb, "k");
	ck_assert_int_eq(guest_finish(&debugged), 115);
	ck_assert_uint_eq(debugged.result.restarts, 2);
}
END_TEST

static const char *const ends[] = {"D", NULL};

/* What is left of an int3 would end the guest. */
START_TEST(breakpoints_go_with_their_debugger)
{
	debugged_start(count_code, count_len, NULL);
	ck_assert_str_eq(debugger_ask(&gdb, "Z0,100003,1"), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "m100003,1"), "cc");
	ck_assert_str_eq(debugger_ask(&gdb, "Z0,100003,1"), "OK"); /* twice is once */
	ck_assert_str_eq(debugger_ask(&gdb, "Z1,10000e,1"), "OK");
	/* It has begun. */
	ck_assert_str_eq(debugger_ask(&gdb, "s"), "T05thread:1;");
	if (ends[_i])
		ck_assert_str_eq(debugger_ask(&gdb, "%s", ends[_i]), "OK");
	else
		debugger_close(&gdb);
	ck_assert_int_eq(guest_finish(&debugged), 3);
}
END_TEST

START_TEST(breakpoints_run_out_and_can_be_had_again)
{
	debugged_start(count_code, count_len, NULL);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_str_eq(debugger_ask(&gdb, "Z1,%x,1", 0x100000 + i), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "Z1,100004,1"), "E1c");
	ck_assert_str_eq(debugger_ask(&gdb, "Z1,100002,1"), "OK"); /* it is there */
	ck_assert_str_eq(debugger_ask(&gdb, "z1,100002,1"), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "z1,100002,1"), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "Z1,100004,1"), "OK");
	for (unsigned i = 0; i < 64; i++)
		ck_assert_str_eq(debugger_ask(&gdb, "Z0,%x,1", 0x110000 - 64 + i), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "Z0,100000,1"), "E1c");
	ck_assert_str_eq(debugger_ask(&gdb, "m10ffff,1"), "cc");
	ck_assert_str_eq(debugger_ask(&gdb, "z0,10ffff,1"), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "m10ffff,1"), "00");
	ck_assert_str_eq(debugger_ask(&gdb, "Z0,2000000,1"), "E0e");
	ck_assert_str_eq(debugger_ask(&gdb, "D"), "OK");
	ck_assert_int_eq(guest_finish(&debugged), 3);
}
END_TEST

START_TEST(watchpoint_stops_behind_the_access)
{
	if (!debugger_has_watchpoints("watchpoint_stops_behind_the_access"))
		return;
	debugged_start(count_code, count_len, NULL);
	ck_assert_str_eq(debugger_ask(&gdb, "Z2,108000,4"), "OK");
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_str_eq(debugger_ask(&gdb, "c"), "T05watch:108000;thread:1;");
		ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD + 9);
		ck_assert_uint_eq(debugger_register(&gdb, 1), i + 1);
	}
	ck_assert_int_eq(debugged_finish(), 3);
}
END_TEST

START_TEST(watchpoint_that_cannot_be_is_refused)
{
	debugged_start(count_code, count_len, NULL);
	ck_assert_str_eq(debugger_ask(&gdb, "Z2,108001,4"), "E16");
	ck_assert_str_eq(debugger_ask(&gdb, "Z3,108000,10"), "E16");
	/* KVM-PVM's emulator would never report it. */
	ck_assert_str_eq(debugger_ask(&gdb, "Z4,108000,4"), access("/sys/module/kvm_pvm", F_OK) ? "OK" : "");
	ck_assert_int_eq(debugged_finish(), 3);
}
END_TEST

/* The command line. */

static void start_command(const char *socket)
{
	command_start(command, (const char *[]){command_lodge(), "run", "-m", "32M", "--append", "run=exit 7",
				       "--gdb", socket, "--gdb-wait", "--timeout", "30", NULL});
}

START_TEST(the_socket_is_the_user_s_alone_and_goes_with_the_guest)
{
	struct stat st;

	start_command("unix:gdb.sock");
	while (stat("gdb.sock", &st))
		usleep(1000);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	debugger_connect(&gdb, "gdb.sock");
	debugger_send(&gdb, "c");
	ck_assert_str_eq(debugger_wait(&gdb), "W07");
	ck_assert_int_eq(command_finish(command, 30), 7);
	ck_assert_int_ne(stat("gdb.sock", &st), 0);
}
END_TEST

/* From latchkey's first instruction, in the sandbox, which knows what a debugger makes each thread call. */
START_TEST(a_confined_guest_is_followed_from_the_reset_vector)
{
	command_start(command,
		(const char *[]){command_lodge(), "run", "-c", "2", "--firmware", "latchkey", "--append",
			"run=cpus;exit 7", "--gdb", "unix:gdb.sock", "--gdb-wait", "--timeout", "60", NULL});
	while (access("gdb.sock", F_OK))
		usleep(1000);
	debugger_connect(&gdb, "gdb.sock");
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), 0xfffffff0);
	ck_assert_str_ne(debugger_ask(&gdb, "mfffffff0,2"), "0000"); /* the ROM is seen */
	for (unsigned i = 0; i < 20; i++)
		ck_assert_str_eq(debugger_ask(&gdb, "vCont;s:1"), "T05thread:1;");
	debugger_send(&gdb, "c");
	usleep(2000);
	debugger_break(&gdb);
	ck_assert_str_eq(debugger_wait(&gdb), "T02thread:1;");
	ck_assert_str_eq(
		debugger_ask(&gdb, "P10=%016llx",
			(unsigned long long)__builtin_bswap64(debugger_register(&gdb, DEBUGGER_RIP))),
		"OK");
	ck_assert_str_eq(debugger_ask(&gdb, "D"), "OK");
	ck_assert_msg(command_finish(command, 60) == 7, "%s%s", command->out, command->err);
	debugger_close(&gdb);
}
END_TEST

START_TEST(a_socket_that_cannot_be_had_is_told)
{
	files_write("taken", "x", 1);
	ck_assert_int_eq(command_call(command, "run", "--gdb", "unix:taken", NULL), 100);
	ck_assert_str_eq(command->err,
		"lodge: run: --gdb unix:taken: there is another file of that name; choose another, or remove "
		"it\n");
}
END_TEST

/* GDB itself, over TCP, with lodger's symbols: a session as a person has it. */
START_TEST(gdb_debugs_lodger)
{
	struct command *real_gdb;
	char target[80], port[40];

	if (access("/usr/bin/gdb", X_OK)) {
		printf("SKIPPED: gdb_debugs_lodger: gdb is not installed\n");
		return;
	}
	if (!debugger_has_breakpoints("gdb_debugs_lodger"))
		return;
	snprintf(port, sizeof(port), "tcp:127.0.0.1:%u", 20000 + (unsigned)getpid() % 20000);
	snprintf(target, sizeof(target), "target remote %s", port + 4);
	start_command(port);
	real_gdb = command_new();
	command_start(real_gdb,
		(const char *[]){"/usr/bin/gdb", "-batch", "-nx", "-ex", "set debuginfod enabled off", "-ex",
			"set tcp connect-timeout 20", "-ex", target, "-ex", "info registers", "-ex",
			"break main", "-ex", "continue", "-ex", "next", "-ex", "stepi", "-ex", "info threads",
			"-ex", "hbreak power_exit", "-ex", "continue", "-ex", "backtrace", "-ex",
			"print code", "-ex", "print $cr0 & 1", "-ex", "print $xmm0.uint128", "-ex",
			"monitor info", "-ex", "delete", "-ex", "continue", getenv("LODGER"), NULL});
	ck_assert_int_eq(command_finish(real_gdb, 50), 0);
	ck_assert_int_eq(command_finish(command, 30), 7);
	ck_assert_ptr_nonnull(strstr(real_gdb->out, "pvh_start () at guest/boot.S"));
	ck_assert_ptr_nonnull(strstr(real_gdb->out, "Breakpoint 1, main ("));
	ck_assert_ptr_nonnull(strstr(real_gdb->out, "* 1    Thread 1 (64-bit mode, paging on)"));
	ck_assert_ptr_nonnull(strstr(real_gdb->out, "Breakpoint 2, power_exit (code="));
	ck_assert_ptr_nonnull(strstr(real_gdb->out, "in main ("));
	ck_assert_ptr_nonnull(strstr(real_gdb->out, "= 7\n"));
	ck_assert_ptr_nonnull(strstr(real_gdb->err, "CPU 0: 64-bit mode, paging on")); /* as GDB has it */
	ck_assert_ptr_nonnull(strstr(real_gdb->out, "exited with code 07]"));
	free(real_gdb);
}
END_TEST

Suite *gdb_points_suite(void)
{
	Suite *suite = suite_create("gdb points");
	TCase *points = tcase_create("points"), *commands = tcase_create("commands");

	tcase_set_timeout(points, 60);
	tcase_add_checked_fixture(points, debugged_setup, debugged_teardown);
	tcase_add_loop_test(points, guest_stops_at_a_breakpoint_each_time, 0, 2);
	tcase_add_loop_test(points, guest_stops_at_a_breakpoint_in_real_mode, 0, 2);
	tcase_add_test(points, real_mode_is_stepped_by_linear_addresses);
	tcase_add_test(points, lodger_stops_at_a_symbol_on_the_cpu_that_comes_there);
	tcase_add_loop_test(points, breakpoints_outlive_a_reset_of_the_guest, 0, 2);
	tcase_add_loop_test(points, breakpoints_go_with_their_debugger, 0, 2);
	tcase_add_test(points, breakpoints_run_out_and_can_be_had_again);
	tcase_add_test(points, watchpoint_stops_behind_the_access);
	tcase_add_test(points, watchpoint_that_cannot_be_is_refused);
	suite_add_tcase(suite, points);
	tcase_set_timeout(commands, 90);
	tcase_add_checked_fixture(commands, command_setup, command_teardown);
	tcase_add_test(commands, the_socket_is_the_user_s_alone_and_goes_with_the_guest);
	tcase_add_test(commands, a_confined_guest_is_followed_from_the_reset_vector);
	tcase_add_test(commands, a_socket_that_cannot_be_had_is_told);
	tcase_add_test(commands, gdb_debugs_lodger);
	suite_add_tcase(suite, commands);
	return suite;
}
