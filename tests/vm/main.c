/* The VM tests: guests on /dev/kvm. */
#include "vm/suites.h"

#include "lib/run_suites.h"

static Suite *(*const suites[])(void) = {
	exit_status_suite,
	report_suite,
	lodger_suite,
	console_suite,
	consoles_suite,
	terminal_suite,
	top_suite,
	disk_suite,
	pci_suite,
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

int main(void)
{
	return run_kvm_suites(suites, sizeof(suites) / sizeof(suites[0]), "VM tests");
}
