#include "run_suites.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_SKIPPED 77

int run_suites(Suite *(*const suites[])(void), size_t count)
{
	SRunner *runner = srunner_create(NULL);
	int failed;

	for (size_t i = 0; i < count; i++)
		srunner_add_suite(runner, suites[i]());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int run_kvm_suites(Suite *(*const suites[])(void), size_t count, const char *what)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0) {
		printf("SKIPPED: all %zu suites of %s: /dev/kvm: %s\n", count, what, strerror(errno));
		return EXIT_SKIPPED;
	}
	close(kvm);
	return run_suites(suites, count);
}
