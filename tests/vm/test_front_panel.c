/* What is done to a machine from outside: NMI, power button. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

static struct guest guest;

static const unsigned cpu_counts[] = {1, 4};

START_TEST(an_nmi_reaches_every_cpu_and_the_guest_goes_on)
{
	static const char input[] = "cpus\n";
	char want[32];
	int in[2];

	guest_init(&guest, NULL);
	ck_assert_int_eq(pipe(in), 0);
	guest.captured.in = in[0];
	guest.config.cpus = cpu_counts[_i];
	guest_start(&guest);
	snprintf(want, sizeof(want), "cpus: %u of %u in use", cpu_counts[_i], cpu_counts[_i]);
	ck_assert_int_gt(write(in[1], input, sizeof(input) - 1), 0); /* waits for all of them */
	ck_assert_msg(guest_wait_for(&guest, want, 1), "%s", guest.console);
	/* The shell would print between the lines of the others. */
	ck_assert_msg(guest_wait_for(&guest, "lodger> ", 2), "%s", guest.console);
	for (unsigned round = 1; round <= 3; round++) {
		ck_assert_int_eq(lodge_vm_nmi(guest.vm), 0);
		for (unsigned cpu = 0; cpu < cpu_counts[_i]; cpu++) {
			snprintf(want, sizeof(want), "lodger: NMI on CPU %u\r", cpu);
			ck_assert_msg(guest_wait_for(&guest, want, round), "%s", guest.console);
		}
	}
	ck_assert_int_gt(write(in[1], "exit 9\n", 7), 0);
	ck_assert_int_eq(guest_finish(&guest), 9);
	close(in[0]);
	close(in[1]);
}
END_TEST

START_TEST(an_nmi_under_a_pause_is_taken_after_it)
{
	guest_init(&guest, NULL);
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, "lodger: ready", 1));
	ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
	ck_assert_int_eq(lodge_vm_nmi(guest.vm), 0);
	usleep(100000);
	ck_assert(!guest_has(&guest, "NMI on CPU"));
	ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
	ck_assert(guest_wait_for(&guest, "lodger: NMI on CPU 0", 1));
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), 115);
}
END_TEST

START_TEST(the_power_button_powers_lodger_off)
{
	guest_init(&guest, _i ? "run=selftest;selftest;selftest;selftest" : NULL);
	guest.config.cpus = 1 + (unsigned)_i;
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, _i ? "ok exception-ud" : "lodger: ready", 1));
	ck_assert_int_eq(lodge_vm_press_power(guest.vm), 0);
	ck_assert_int_eq(guest_finish(&guest), 0);
	ck_assert_int_eq(guest.result.outcome, LODGE_POWEROFF);
	ck_assert_msg(strstr(guest.console, "lodger: power button\r\n") != NULL, "%s", guest.console);
}
END_TEST

START_TEST(a_press_before_the_guest_listens_or_under_a_pause_is_kept)
{
	guest_init(&guest, NULL);
	guest_start(&guest);
	if (_i) {
		ck_assert(guest_wait_for(&guest, "lodger: ready", 1));
		ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
	}
	ck_assert_int_eq(lodge_vm_press_power(guest.vm), 0);
	ck_assert_int_eq(lodge_vm_press_power(guest.vm), 0);
	if (_i) {
		usleep(100000);
		ck_assert(!guest_has(&guest, "power button"));
		ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
	}
	ck_assert_int_eq(guest_finish(&guest), 0);
	ck_assert_ptr_nonnull(strstr(guest.console, "lodger: power button"));
}
END_TEST

START_TEST(a_guest_may_ignore_the_power_button)
{
	guest_init(&guest, "nobutton");
	guest_start(&guest);
	ck_assert(guest_wait_for(&guest, "lodger: ready", 1));
	ck_assert_int_eq(lodge_vm_press_power(guest.vm), 0);
	usleep(200000);
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), 115);
	ck_assert_ptr_null(strstr(guest.console, "power button"));
}
END_TEST

START_TEST(a_vm_that_does_not_run_has_no_front)
{
	struct lodge_vm *vm;

	guest_init(&guest, "run=exit 1");
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	ck_assert_int_eq(lodge_vm_nmi(vm), -ESRCH);
	ck_assert_int_eq(lodge_vm_press_power(vm), -ESRCH);
	ck_assert_int_eq(lodge_vm_run(vm, &guest.result), 0);
	ck_assert_int_eq(lodge_vm_nmi(vm), -ESRCH);
	ck_assert_int_eq(lodge_vm_press_power(vm), -ESRCH);
	lodge_vm_free(vm);
}
END_TEST

Suite *front_panel_suite(void)
{
	Suite *suite = suite_create("front panel");
	TCase *tcase = tcase_create("buttons");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_loop_test(tcase, an_nmi_reaches_every_cpu_and_the_guest_goes_on, 0, 2);
	tcase_add_test(tcase, an_nmi_under_a_pause_is_taken_after_it);
	tcase_add_loop_test(tcase, the_power_button_powers_lodger_off, 0, 2);
	tcase_add_loop_test(tcase, a_press_before_the_guest_listens_or_under_a_pause_is_kept, 0, 2);
	tcase_add_test(tcase, a_guest_may_ignore_the_power_button);
	tcase_add_test(tcase, a_vm_that_does_not_run_has_no_front);
	suite_add_tcase(suite, tcase);
	return suite;
}
