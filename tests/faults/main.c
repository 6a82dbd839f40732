/* Faults of the host: README.md. */
#include "faults/suites.h"

#include "lib/run_suites.h"

static Suite *(*const suites[])(void) = {
	fault_disk_suite,
	fault_sweep_suite,
	fault_limits_suite,
	fault_slow_suite,
	fault_command_suite,
	fault_crash_suite,
};

int main(void)
{
	return run_kvm_suites(suites, sizeof(suites) / sizeof(suites[0]), "faults");
}
