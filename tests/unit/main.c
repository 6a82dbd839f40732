/* The unit tests: every module that needs no /dev/kvm. Each test is a process of its own, with a timeout. */
#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#include "unit/suites.h"

static Suite *(*const suites[])(void) = {
	size_suite,
	ring_suite,
	token_bucket_suite,
	histogram_suite,
	bench_suite,
	trace_suite,
	event_loop_suite,
	console_suite,
	e820_suite,
	page_tables_suite,
	boot_regs_suite,
	debug_regs_suite,
	gdb_packet_suite,
	gdb_registers_suite,
	gdb_session_suite,
	pvh_suite,
	boot_params_suite,
	cpuid_suite,
	fdt_suite,
	aml_suite,
	acpi_suite,
	mptable_suite,
	image_suite,
	elf_suite,
	bzimage_suite,
	unpack_suite,
	multiboot_suite,
	loader_suite,
	config_suite,
	outcome_suite,
	report_suite,
	board_suite,
	io_thread_suite,
	options_suite,
	run_options_suite,
	top_suite,
	kvm_vcpu_suite,
	bus_suite,
	guest_memory_suite,
	memory_usage_suite,
	uart16550_suite,
	i8042_suite,
	ioapic82093_suite,
	rtc146818_suite,
	rom_suite,
	fwcfg_suite,
	pc_testdev_suite,
	small_devices_suite,
	virtqueue_suite,
	virtio_mmio_suite,
	virtio_blk_suite,
	block_file_suite,
	runtime_dir_suite,
	control_client_suite,
	control_server_suite,
	cgroup_suite,
	limits_suite,
	sandbox_suite,
	bios_suite,
	bios_disk_suite,
	bios_console_suite,
};

int main(void)
{
	const size_t count = sizeof(suites) / sizeof(suites[0]);
	SRunner *runner = srunner_create(NULL);
	int failed;

	for (size_t i = 0; i < count; i++)
		srunner_add_suite(runner, suites[i]());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
