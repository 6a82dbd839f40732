/*
 * The VM tests: guests on /dev/kvm. Each test is a process of its own, with a timeout. Where /dev/kvm cannot be
 * opened none is run: that is said, counted, and told by the exit status 77.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm/suites.h"

#define EXIT_SKIPPED 77

int main(void)
{
	Suite *(*const suites[])(void) = {
		exit_status_suite,
		report_suite,
		lodger_suite,
		console_suite,
		consoles_suite,
		terminal_suite,
		top_suite,
		disk_suite,
		machine_suite,
		irqchip_suite,
		host_suite,
		huge_pages_suite,
		formats_suite,
		firmware_suite,
		boot_disk_suite,
		lifecycle_suite,
		pause_suite,
		restart_suite,
		front_panel_suite,
		gdb_suite,
		gdb_points_suite,
		bad_input_suite,
		commands_suite,
		guests_suite,
		attach_suite,
		stats_suite,
		limits_suite,
		sandbox_suite,
		hostile_suite,
	};
	const size_t count = sizeof(suites) / sizeof(suites[0]);
	SRunner *runner = srunner_create(NULL);
	int failed, kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < count; i++)
		srunner_add_suite(runner, suites[i]());
	if (kvm < 0) {
		printf("SKIPPED: all %zu suites of VM tests: /dev/kvm: %s\n", count, strerror(errno));
		srunner_free(runner);
		return EXIT_SKIPPED;
	}
	close(kvm);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
