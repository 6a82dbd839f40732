/* Faults of the host: README.md. Needs /dev/kvm, and says so with status 77 where it cannot be opened. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults/suites.h"

#define EXIT_SKIPPED 77

int main(void)
{
	Suite *(*const suites[])(void) = {
		fault_disk_suite,
		fault_sweep_suite,
		fault_limits_suite,
		fault_slow_suite,
		fault_command_suite,
		fault_crash_suite,
	};
	const size_t count = sizeof(suites) / sizeof(suites[0]);
	SRunner *runner = srunner_create(NULL);
	int failed, kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < count; i++)
		srunner_add_suite(runner, suites[i]());
	if (kvm < 0) {
		printf("SKIPPED: all %zu suites of faults: /dev/kvm: %s\n", count, strerror(errno));
		srunner_free(runner);
		return EXIT_SKIPPED;
	}
	close(kvm);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
