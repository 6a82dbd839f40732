/* A disk that takes its time, in each engine: whoever wants the guest to end, to be reset or paused, gets that. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "faults/engines.h"
#include "faults/suites.h"
#include "lib/command.h"
#include "lib/disk_pattern.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "lib/named_guests.h"

#define IMAGE "disk.img"
#define LATE  25 /* seconds: not for ever, on whatever busy host */

static struct guest guest;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The engines without direct I/O: how late a request is has nothing to do with it. */
static void configure(unsigned engine, struct lodge_disk *disk, unsigned delay_ms, const char *append)
{
	char plan[64];

	*disk = (struct lodge_disk){.path = IMAGE, .aio = engines[engine].aio};
	files_make(IMAGE, 1 << 20);
	guest_init(&guest, append);
	guest.config.disks = disk;
	guest.config.disk_count = 1;
	snprintf(plan, sizeof(plan), "%s:2:delay=%u", fault_names[engines[engine].calls[ENGINE_WRITE]],
		delay_ms);
	ck_assert(fault_plan(plan));
}

START_TEST(a_slow_disk_costs_the_guest_time_and_nothing_else)
{
	struct lodge_disk disk;

	configure((unsigned)_i, &disk, 300,
		"run=blk fill 0 0 8 7;blk fill 0 8 8 7;blk flush 0;blk verify 0 0 16 7");
	ck_assert_int_eq(guest_run(&guest), 0);
	ck_assert_uint_eq(fault_hits(), 1);
	ck_assert_uint_ge(guest.result.disks[0].latency.max_us, 300000);
	ck_assert_uint_eq(guest.result.disks[0].errors, 0);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 0, 16, 7), 16);
}
END_TEST

START_TEST(the_timeout_ends_a_guest_whose_request_hangs)
{
	struct lodge_disk disk;
	double start = now();

	configure((unsigned)_i, &disk, 1200, "run=blk fill 0 0 8 7;blk fill 0 8 8 7");
	guest.config.timeout_ms = 300;
	ck_assert_int_eq(guest_run(&guest), LODGE_STATUS_TIMEOUT);
	/* What was asked of the host is waited for: its memory is the guest's. */
	ck_assert_msg(now() - start < LATE, "%f s", now() - start);
	ck_assert_uint_eq(guest.result.disks[0].writes, 2);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 8, 8, 7), 16);
}
END_TEST

START_TEST(a_stop_and_a_pause_wait_for_the_request_and_no_longer)
{
	struct lodge_disk disk;
	double start;

	configure((unsigned)_i, &disk, 600,
		"run=echo go;blk fill 0 0 8 7;blk fill 0 8 8 7;echo done;blk fill 0 16 8 7");
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, "go", 1));
	for (unsigned tries = 0; !fault_hits() && tries < 5000; tries++)
		usleep(1000);
	start = now();
	ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 8, 8, 7), 16);
	ck_assert_msg(!guest_has(&guest, "done"), "%s", guest.console);
	ck_assert_msg(now() - start < LATE, "%f s", now() - start);
	ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), LODGE_STATUS_STOPPED);
}
END_TEST

/* Whoever resets: the guest itself, whose driver gives up on the request after 5 s; or lodge. */
START_TEST(a_reset_with_a_request_under_way_waits_for_it)
{
	struct lodge_disk disk;
	double start;

	configure((unsigned)_i, &disk, 700,
		"run=blk fill 0 0 8 7;blk fill 0 8 8 7;blk flush 0;blk verify 0 0 16 7");
	guest_start(&guest);
	for (unsigned tries = 0; !fault_hits() && tries < 5000; tries++)
		usleep(1000);
	start = now();
	ck_assert_int_eq(lodge_vm_reset(guest.vm), 0);
	ck_assert_int_eq(guest_finish(&guest), 0);
	ck_assert_msg(now() - start < LATE, "%f s", now() - start);
	ck_assert_uint_eq(guest.result.restarts, 1);
	ck_assert_uint_eq(guest.result.disks[0].writes, 4);
	ck_assert_uint_eq(guest.result.disks[0].errors, 0);
}
END_TEST

START_TEST(a_driver_that_gives_up_on_a_request_gets_its_reset)
{
	struct lodge_disk disk;

	configure(1, &disk, 5600, "run=blk fill 0 0 8 7;blk fill 0 8 8 7;blk fill 0 16 8 7");
	ck_assert_int_eq(guest_run(&guest), 1);
	ck_assert_msg(strstr(guest.console, "write at sector 8: no answer, device reset") &&
			      strstr(guest.console, "device is broken"),
		"%s", guest.console);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 8, 8, 7), 16);
}
END_TEST

/* The command, and the sockets that it is asked through. */
START_TEST(lodge_stop_ends_a_guest_whose_request_hangs)
{
	char plan[64], disk[64];
	double start;

	files_make(IMAGE, 1 << 20);
	snprintf(plan, sizeof(plan), "%s:1:delay=900", fault_names[engines[_i].calls[ENGINE_WRITE]]);
	snprintf(disk, sizeof(disk), "path=%s/" IMAGE "%s", getcwd((char[256]){0}, 256), engines[_i].option);
	setenv("LODGE_FAULTS", plan, 1);
	ck_assert_msg(!command_call(command, "run", "--detach", "--name", "slow", "-m", "32M", "--disk", disk,
			      "--append", "run=blk fill 0 0 8 7", NULL),
		"%s", command->err);
	unsetenv("LODGE_FAULTS");
	usleep(200000);
	start = now();
	/* Others are answered meanwhile. */
	ask("slow", "{\"command\":\"status\"}\n");
	ck_assert_msg(strstr(seen, "\"running\""), "%s", seen);
	ck_assert_int_eq(command_call(command, "stop", "--now", "slow", NULL), 0);
	ck_assert_str_eq(command->out, "slow: stopped\n");
	ck_assert_msg(now() - start < LATE, "%f s", now() - start);
	ck_assert_uint_eq(pattern_first_wrong(IMAGE, 0, 8, 7), 8);
	ck_assert(nothing_is_left());
}
END_TEST

Suite *fault_slow_suite(void)
{
	Suite *suite = suite_create("slow disk");
	TCase *tcase = tcase_create("slow disk");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, named_setup, named_teardown);
	tcase_add_loop_test(tcase, a_slow_disk_costs_the_guest_time_and_nothing_else, 0, 2);
	tcase_add_loop_test(tcase, the_timeout_ends_a_guest_whose_request_hangs, 0, 2);
	tcase_add_loop_test(tcase, a_stop_and_a_pause_wait_for_the_request_and_no_longer, 0, 2);
	tcase_add_loop_test(tcase, a_reset_with_a_request_under_way_waits_for_it, 0, 2);
	tcase_add_test(tcase, a_driver_that_gives_up_on_a_request_gets_its_reset);
	tcase_add_loop_test(tcase, lodge_stop_ends_a_guest_whose_request_hangs, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}
