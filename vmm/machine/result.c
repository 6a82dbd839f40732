/* What the guest did, put together when all threads have ended. */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

#include "machine/outcome.h"
#include "machine/vm.h"

static uint64_t peak_rss(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) ? 0 : (uint64_t)usage.ru_maxrss * 1024;
}

void result_fill(struct lodge_vm *vm, struct lodge_result *ret_result)
{
	const struct kernel *kernel = &vm->kernel_plan;
	struct lodge_stats counts = vm->past;
	struct lodge_result result = {
		.outcome = vm->ending.outcome,
		.status = outcome_status(vm->ending.outcome, vm->ending.code),
		.has_guest_code = vm->ending.outcome == LODGE_GUEST_EXIT,
		.guest_code = vm->ending.code,
		.run_us = (vm->ended_at - vm->started_at) / 1000,
		.firmware_us = vm->firmware_us,
		.restarts = vm->restarts,
		.setup_count = vm->setup_count,
		.disk_count = vm->config.disk_count,
		.console_bytes_in = counter_get(&vm->console.bytes_in),
		.console_bytes_out = counter_get(&vm->console.bytes_out),
		.has_registers = vm->ending.has_registers,
		.registers = vm->ending.registers,
		.peak_rss = peak_rss(),
	};

	snprintf(result.kernel_format, sizeof(result.kernel_format), "%s%s%s", kernel->format,
		kernel->compression ? ", " : "", kernel->compression ? kernel->compression : "");
	snprintf(result.firmware, sizeof(result.firmware), "%s",
		vm->config.firmware ? vm->config.firmware : "");
	snprintf(result.message, sizeof(result.message), "%s", vm->ending.message);
	memcpy(result.setup_us, vm->setup_us, sizeof(vm->setup_us));
	stats_add_machine(vm, &counts);
	memcpy(result.vcpus, counts.vcpus, sizeof(counts.vcpus));
	memcpy(result.exits, counts.exits, sizeof(counts.exits));
	memcpy(result.devices, counts.devices, sizeof(counts.devices));
	result.vcpu_count = counts.vcpu_count;
	result.exit_count = counts.exit_count;
	result.device_count = counts.device_count;
	stats_disks(vm, result.disks);
	console_copy(&vm->console, result.console_tail, sizeof(result.console_tail) - 1);
	*ret_result = result;
}

void lodge_result_from_error(const struct lodge_error *error, struct lodge_result *ret_result)
{
	*ret_result = (struct lodge_result){
		.outcome = outcome_of_error(error->status),
		.status = error->status,
		.peak_rss = peak_rss(),
	};
	snprintf(ret_result->message, sizeof(ret_result->message), "%s", error->text);
}
