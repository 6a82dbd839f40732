/* A debugger and its guest: who stops, who goes on, and what is seen meanwhile. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/elf_builder.h"
#include "lib/guest_code.h"
#include "vm/debugged.h"
#include "vm/suites.h"

/* clang-format off */
GUEST_CODE(answer, ".code32",
	"mov $5, %al\n"          /* 0 */
	"1: cmpb $0, 0x108000\n" /* 2 */
	"je 1b\n"                /* 9 */
	"mov %bl, %al\n"         /* 11 */
	"out %al, $0xf4\n"       /* 13 */
	"hlt\n");

/* Accesses to devices that lodge has, and has not: each is a step. */
GUEST_CODE(devices, ".code32",
	"mov $0x3fd, %edx\n"       /* 0: COM1's line status */
	"in (%dx), %al\n"          /* 5 */
	"mov %al, 0xd0000070\n"    /* 6: a virtio device's Status */
	"mov 0xd0000000, %ebx\n"   /* 11: its magic number, or nothing */
	"out %al, $0x80\n"         /* 17 */
	"rdtsc\n"                  /* 19 */
	"mov $9, %al\n"            /* 21 */
	"out %al, $0xf4\n"         /* 23 */
	"hlt\n");

GUEST_CODE(print_for_ever, ".code32", "mov $0x3f8, %edx\n mov $'x', %al\n 1: out %al, (%dx)\n jmp 1b\n");
/* clang-format on */

/* What is in the file by now, which another thread writes; and what the guest has printed, up to a ring of it. */
static off_t written(void)
{
	return lseek(debugged.captured.out, 0, SEEK_END);
}

static off_t printed(void)
{
	static char ring[1 << 20];

	return (off_t)lodge_vm_console_copy(debugged.vm, ring, sizeof(ring));
}

static void expect_silence(void)
{
	ck_assert(guest_stands_still(&debugged));
}

static void expect_more(void)
{
	off_t size = written();

	while (written() == size)
		usleep(1000);
}

START_TEST(a_guest_waits_for_its_debugger)
{
	guest_start(&debugged);
	expect_silence();
	debugger_connect(&gdb, "gdb");
	expect_silence();
	ck_assert_int_eq(printed(), 0);
	debugger_send(&gdb, "c");
	ck_assert(guest_wait_for(&debugged, "lodger> ", 1));
	debugged_stop();
	ck_assert_str_eq(debugger_wait(&gdb), "X0f");
}
END_TEST

START_TEST(a_guest_is_debugged_before_its_run)
{
	elf_write_pvh("kernel.elf", answer_code, answer_len);
	debugged.config.kernel = "kernel.elf";
	ck_assert_int_eq(lodge_vm_new(&debugged.config, &debugged.vm, &debugged.error), 0);
	ck_assert_int_eq(
		lodge_gdb_start(debugged.vm, debugged.gdb_fd, true, &debugged.gdb, &debugged.error), 0);
	debugger_connect(&gdb, "gdb");
	ck_assert_str_eq(debugger_ask(&gdb, "M108000,1:01"), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "P1=0b00000000000000"), "OK");
	debugger_send(&gdb, "vCont;c");
	lodge_vm_run(debugged.vm, &debugged.result);
	lodge_gdb_finish(debugged.gdb, &debugged.result);
	ck_assert_str_eq(debugger_wait(&gdb), "W0b");
	lodge_vm_free(debugged.vm);
}
END_TEST

START_TEST(a_vm_that_is_never_run_lets_its_debugger_go)
{
	ck_assert_int_eq(lodge_vm_new(&debugged.config, &debugged.vm, &debugged.error), 0);
	ck_assert_int_eq(
		lodge_gdb_start(debugged.vm, debugged.gdb_fd, false, &debugged.gdb, &debugged.error), 0);
	debugger_connect(&gdb, "gdb");
	lodge_gdb_finish(debugged.gdb, NULL);
	ck_assert_str_eq(debugger_wait(&gdb), "closed");
	lodge_vm_free(debugged.vm);
	lodge_gdb_finish(NULL, NULL);
}
END_TEST

START_TEST(a_guest_that_need_not_wait_does_not)
{
	debugged.gdb_wait = false;
	debugged.config.append = "run=exit 4";
	guest_start(&debugged);
	ck_assert_int_eq(guest_finish(&debugged), 4);
}
END_TEST

START_TEST(registers_and_memory_are_read_and_written)
{
	debugged_start(answer_code, answer_len, NULL);
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD);
	ck_assert_str_eq(debugger_ask(&gdb, "vCont;s:1"), "T05thread:1;");
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD + 2);
	ck_assert_uint_eq(debugger_register(&gdb, 0) & 0xff, 5);
	ck_assert_str_eq(debugger_ask(&gdb, "m100000,4"), "b005803d");
	ck_assert_str_eq(debugger_ask(&gdb, "m107fff,3"), "000000");
	/* It leaves its loop, and with what is in bl. */
	ck_assert_str_eq(debugger_ask(&gdb, "M107fff,2:aa01"), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "m107ffe,4"), "00aa0100");
	ck_assert_str_eq(debugger_ask(&gdb, "P1=0900000000000000"), "OK");
	ck_assert_int_eq(debugged_finish(), 9);
}
END_TEST

START_TEST(memory_ends_where_there_is_none)
{
	debugged_start(answer_code, answer_len, NULL);
	/* 32 MiB of it. */
	ck_assert_str_eq(debugger_ask(&gdb, "m1fffffe,8"), "0000");
	ck_assert_str_eq(debugger_ask(&gdb, "m2000000,1"), "E0e");
	ck_assert_str_eq(debugger_ask(&gdb, "mfee00000,4"), "E0e");
	ck_assert_str_eq(debugger_ask(&gdb, "mffffffffffffffff,4"), "E0e");
	ck_assert_str_eq(debugger_ask(&gdb, "M2000000,1:00"), "E0e");
	ck_assert_str_eq(debugger_ask(&gdb, "M108000,1:01"), "OK");
	debugged_finish();
}
END_TEST

START_TEST(rip_can_be_set)
{
	debugged_start(answer_code, answer_len, NULL);
	ck_assert_str_eq(debugger_ask(&gdb, "P1=0300000000000000"), "OK");
	ck_assert_str_eq(debugger_ask(&gdb, "P10=0b00100000000000"), "OK");
	ck_assert_int_eq(debugged_finish(), 3);
}
END_TEST

START_TEST(a_step_is_one_instruction_whatever_it_accesses)
{
	static const unsigned offsets[] = {5, 6, 11, 17, 19, 21, 23};

	debugged_start(devices_code, devices_len, NULL);
	for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		ck_assert_str_eq(debugger_ask(&gdb, "s"), "T05thread:1;");
		ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD + offsets[i]);
		/* What was read is there with the step. */
		if (offsets[i] == 6)
			ck_assert_uint_eq(debugger_register(&gdb, 0) & 0xff, 0x60);
		if (offsets[i] == 17)
			ck_assert_uint_eq(debugger_register(&gdb, 1) & 0xffffffff, 0xffffffff);
	}
	ck_assert_int_eq(debugged_finish(), 9);
}
END_TEST

/* Between the two instructions of its loop, never with an access half done. */
START_TEST(ctrl_c_stops_a_running_guest)
{
	debugged_start(print_for_ever_code, print_for_ever_len, NULL);
	for (int i = 0; i < 20; i++) {
		uint64_t rip;

		debugger_send(&gdb, "vCont;c");
		expect_more();
		debugger_break(&gdb);
		ck_assert_str_eq(debugger_wait(&gdb), "T02thread:1;");
		rip = debugger_register(&gdb, DEBUGGER_RIP);
		ck_assert(rip == ELF_BUILD_LOAD + 7 || rip == ELF_BUILD_LOAD + 8);
		/* On from there, not from where KVM believes its access to end. */
		ck_assert_str_eq(debugger_ask(&gdb, "P10=0000100000000000"), "OK");
		ck_assert_str_eq(debugger_ask(&gdb, "s"), "T05thread:1;");
		ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD + 5);
	}
	expect_silence();
	debugged_stop();
	ck_assert_str_eq(debugger_wait(&gdb), "closed");
}
END_TEST

START_TEST(vcpus_are_threads)
{
	debugged.config.cpus = 2;
	debugged_start(NULL, 0, NULL);
	debugger_send(&gdb, "vCont;c");
	ck_assert(guest_wait_for(&debugged, "lodger> ", 1));
	debugger_break(&gdb);
	ck_assert_str_eq(debugger_wait(&gdb), "T02thread:1;");
	ck_assert_str_eq(debugger_ask(&gdb, "qfThreadInfo"), "m1,2");
	/* Each in its own code, and on its own stack. */
	ck_assert_str_eq(debugger_ask(&gdb, "Hg2"), "OK");
	ck_assert_uint_ge(debugger_register(&gdb, DEBUGGER_RIP), 0x100000);
	ck_assert_uint_ge(debugger_register(&gdb, 7), 0x100000);
	ck_assert_str_eq(debugger_ask(&gdb, "qC"), "QC2");
	ck_assert_str_eq(debugger_ask(&gdb, "Hg1"), "OK");
	ck_assert_uint_ge(debugger_register(&gdb, DEBUGGER_RIP), 0x100000);
	debugger_send(&gdb, "vCont;c");
	lodge_vm_press_power(debugged.vm);
	ck_assert_int_eq(guest_finish(&debugged), 0);
	ck_assert_str_eq(debugger_wait(&gdb), "W00");
}
END_TEST

START_TEST(one_vcpu_steps_while_the_others_wait)
{
	debugged.config.cpus = 2;
	debugged_start(print_for_ever_code, print_for_ever_len, NULL);
	/* vCPU 1 waits for a SIPI. */
	debugger_send(&gdb, "vCont;c:2");
	expect_silence();
	ck_assert_int_eq(printed(), 0);
	debugger_break(&gdb);
	ck_assert_str_eq(debugger_wait(&gdb), "T02thread:1;");
	ck_assert_str_eq(debugger_ask(&gdb, "vCont;s:1"), "T05thread:1;");
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD + 5);
	ck_assert_str_eq(debugger_ask(&gdb, "vCont;s:1;c"), "T05thread:1;");
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD + 7);
	debugger_send(&gdb, "vCont;c:1");
	expect_more();
	debugged_stop();
}
END_TEST

START_TEST(detached_guest_goes_on)
{
	debugged_start(print_for_ever_code, print_for_ever_len, NULL);
	ck_assert_str_eq(debugger_ask(&gdb, "D"), "OK");
	ck_assert_str_eq(debugger_wait(&gdb), "closed");
	expect_more();
	/* Another debugger, another time. */
	debugger_connect(&gdb, "gdb");
	expect_silence();
	ck_assert_str_eq(debugger_ask(&gdb, "D"), "OK");
	expect_more();
	debugged_stop();
}
END_TEST

static const char *const kills[] = {"k", "vKill;1"};

START_TEST(killed_guest_ends_stopped)
{
	off_t size;

	debugged_start(print_for_ever_code, print_for_ever_len, NULL);
	debugger_send(&gdb, "c");
	expect_more();
	debugger_break(&gdb);
	debugger_wait(&gdb);
	size = printed();
	debugger_send(&gdb, "%s", kills[_i]);
	ck_assert_int_eq(guest_finish(&debugged), 115);
	ck_assert_int_eq(debugged.result.outcome, LODGE_STOPPED);
	ck_assert_uint_eq(strlen(debugged.console), (size_t)size);
}
END_TEST

START_TEST(client_that_vanishes_leaves_the_guest_going_on)
{
	debugged.gdb_wait = false;
	debugged_start(print_for_ever_code, print_for_ever_len, NULL);
	for (int i = 0; i < 10; i++) {
		expect_silence();
		debugger_close(&gdb);
		expect_more();
		debugger_connect(&gdb, "gdb");
	}
	/* In the midst of a packet; and while the guest runs. */
	debugger_send(&gdb, "c");
	ck_assert_int_eq(send(gdb.fd, "$m0,", 4, 0), 4);
	debugger_close(&gdb);
	expect_more();
	expect_more();
	debugger_connect(&gdb, "gdb");
	ck_assert_str_eq(debugger_ask(&gdb, "qC"), "QC1");
	debugged_stop();
}
END_TEST

START_TEST(guest_still_waits_when_a_debugger_leaves_before_it_began)
{
	debugged_start(print_for_ever_code, print_for_ever_len, NULL);
	debugger_close(&gdb);
	expect_silence();
	ck_assert_int_eq(printed(), 0);
	debugger_connect(&gdb, "gdb");
	debugger_send(&gdb, "c");
	expect_more();
	debugger_close(&gdb);
	expect_more();
	debugged_stop();
}
END_TEST

START_TEST(second_debugger_is_hung_up_on)
{
	struct debugger other;

	debugged_start(answer_code, answer_len, NULL);
	for (int i = 0; i < 100; i++) {
		struct sockaddr_storage address;
		socklen_t len = sizeof(address);

		ck_assert_int_eq(getpeername(gdb.fd, (struct sockaddr *)&address, &len), 0);
		other.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(connect(other.fd, (const struct sockaddr *)&address, len), 0);
		ck_assert_str_eq(debugger_wait(&other), "closed");
		debugger_close(&other);
	}
	ck_assert_str_eq(debugger_ask(&gdb, "M108000,1:01"), "OK");
	debugged_finish();
}
END_TEST

static const char *const garbage[] = {
	"GET / HTTP/1.1\r\nHost: 127.0.0.1:1234\r\n\r\n$m0,4#fd", "+++\n$?#3f", "}", "\x80"};

START_TEST(who_speaks_another_protocol_is_hung_up_on)
{
	debugged_start(print_for_ever_code, print_for_ever_len, NULL);
	debugger_send(&gdb, "c");
	ck_assert_int_eq(
		send(gdb.fd, garbage[_i], strlen(garbage[_i]), MSG_NOSIGNAL), (ssize_t)strlen(garbage[_i]));
	ck_assert_str_eq(debugger_wait(&gdb), "closed");
	expect_more();
	debugged_stop();
}
END_TEST

START_TEST(who_does_not_read_is_hung_up_on)
{
	char packets[4096];
	size_t len = 0;

	debugged_start(print_for_ever_code, print_for_ever_len, NULL);
	debugger_send(&gdb, "c");
	expect_more();
	debugger_break(&gdb);
	while (len + 5 < sizeof(packets)) {
		strcpy(packets + len, "$g#67");
		len += 5;
	}
	while (send(gdb.fd, packets, len, MSG_NOSIGNAL) > 0)
		;
	ck_assert(errno == EPIPE || errno == ECONNRESET);
	expect_more();
	debugged_stop();
}
END_TEST

START_TEST(broken_packet_is_asked_for_again)
{
	char answer[2];

	debugged_start(answer_code, answer_len, NULL);
	ck_assert_int_eq(send(gdb.fd, "$qC#00", 6, 0), 6);
	ck_assert_int_eq(recv(gdb.fd, answer, 1, 0), 1);
	ck_assert_int_eq(answer[0], '-');
	ck_assert_str_eq(debugger_ask(&gdb, "qC"), "QC1");
	/* And the last reply, when we want it again. */
	ck_assert_int_eq(send(gdb.fd, "-", 1, 0), 1);
	ck_assert_str_eq(debugger_wait(&gdb), "QC1");
	ck_assert_str_eq(debugger_ask(&gdb, "M108000,1:01"), "OK");
	/* Without acknowledgements nothing is said of it. */
	ck_assert_str_eq(debugger_ask(&gdb, "QStartNoAckMode"), "OK");
	ck_assert_int_eq(send(gdb.fd, "$qC#00-", 7, 0), 7);
	debugger_send(&gdb, "qC");
	ck_assert_int_eq(recv(gdb.fd, answer, 2, MSG_WAITALL), 2);
	ck_assert_int_eq(answer[0], '$');
	ck_assert_int_eq(answer[1], 'Q');
	debugger_close(&gdb);
	debugger_connect(&gdb, "gdb");
	debugged_finish();
}
END_TEST

/* The guest goes on when neither has it stand still any more. */
START_TEST(pause_and_debugger_do_not_undo_each_other)
{
	debugged_start(print_for_ever_code, print_for_ever_len, NULL);
	ck_assert_int_eq(lodge_vm_pause(debugged.vm), 0);
	ck_assert_int_eq(lodge_vm_resume(debugged.vm), 0);
	expect_silence();
	ck_assert_int_eq(lodge_vm_pause(debugged.vm), 0);
	debugger_send(&gdb, "c");
	expect_silence();
	ck_assert_int_eq(printed(), 0);
	ck_assert_int_eq(lodge_vm_resume(debugged.vm), 0);
	expect_more();
	ck_assert_int_eq(lodge_vm_pause(debugged.vm), 0);
	debugger_break(&gdb);
	ck_assert_str_eq(debugger_wait(&gdb), "T02thread:1;");
	ck_assert_int_eq(lodge_vm_resume(debugged.vm), 0);
	expect_silence();
	debugger_close(&gdb);
	expect_more();
	debugged_stop();
}
END_TEST

START_TEST(timeout_runs_on_while_the_guest_stands_still)
{
	debugged.config.timeout_ms = 2000; /* in which the debugger has to be there */
	debugged_start(answer_code, answer_len, NULL);
	ck_assert_int_eq(guest_finish(&debugged), 114);
	ck_assert_str_eq(debugger_wait(&gdb), "closed");
}
END_TEST

/* A reset from outside gets by: the guest stands at its beginning then, and its debugger steps on from there. */
START_TEST(reset_guest_stands_still_at_its_first_instruction)
{
	debugged_start(answer_code, answer_len, NULL);
	ck_assert_str_eq(debugger_ask(&gdb, "s"), "T05thread:1;");
	ck_assert_str_eq(debugger_ask(&gdb, "M108000,1:01"), "OK");
	ck_assert_int_eq(lodge_vm_reset(debugged.vm), 0);
	/* It is asked for, and done a moment later. */
	while (strcmp(debugger_ask(&gdb, "m108000,1"), "01") == 0)
		usleep(1000);
	ck_assert_str_eq(debugger_ask(&gdb, "m108000,1"), "00");
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD);
	ck_assert_str_eq(debugger_ask(&gdb, "s"), "T05thread:1;");
	ck_assert_uint_eq(debugger_register(&gdb, DEBUGGER_RIP), ELF_BUILD_LOAD + 2);
	ck_assert_str_eq(debugger_ask(&gdb, "M108000,1:01"), "OK");
	debugged_finish();
	ck_assert_uint_eq(debugged.result.restarts, 1);
}
END_TEST

Suite *gdb_suite(void)
{
	Suite *suite = suite_create("gdb");
	TCase *tcase = tcase_create("debugger");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, debugged_setup, debugged_teardown);
	tcase_add_test(tcase, a_guest_waits_for_its_debugger);
	tcase_add_test(tcase, a_guest_is_debugged_before_its_run);
	tcase_add_test(tcase, a_vm_that_is_never_run_lets_its_debugger_go);
	tcase_add_test(tcase, a_guest_that_need_not_wait_does_not);
	tcase_add_test(tcase, registers_and_memory_are_read_and_written);
	tcase_add_test(tcase, memory_ends_where_there_is_none);
	tcase_add_test(tcase, rip_can_be_set);
	tcase_add_test(tcase, a_step_is_one_instruction_whatever_it_accesses);
	tcase_add_test(tcase, ctrl_c_stops_a_running_guest);
	tcase_add_test(tcase, vcpus_are_threads);
	tcase_add_test(tcase, one_vcpu_steps_while_the_others_wait);
	tcase_add_test(tcase, detached_guest_goes_on);
	tcase_add_loop_test(tcase, killed_guest_ends_stopped, 0, 2);
	tcase_add_test(tcase, client_that_vanishes_leaves_the_guest_going_on);
	tcase_add_test(tcase, guest_still_waits_when_a_debugger_leaves_before_it_began);
	tcase_add_test(tcase, second_debugger_is_hung_up_on);
	tcase_add_loop_test(tcase, who_speaks_another_protocol_is_hung_up_on, 0, 4);
	tcase_add_test(tcase, who_does_not_read_is_hung_up_on);
	tcase_add_test(tcase, broken_packet_is_asked_for_again);
	tcase_add_test(tcase, pause_and_debugger_do_not_undo_each_other);
	tcase_add_test(tcase, timeout_runs_on_while_the_guest_stands_still);
	tcase_add_test(tcase, reset_guest_stands_still_at_its_first_instruction);
	suite_add_tcase(suite, tcase);
	return suite;
}
