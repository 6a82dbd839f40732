/* What the guest did, put together when all threads have ended. */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

#include "machine/outcome.h"
#include "machine/vm.h"

/* Adds to the entry of that name, or makes one while there is room. */
static void add_count(struct lodge_count *counts, unsigned *len, const char *name, uint64_t count)
{
	unsigned i;

	if (!count)
		return;
	for (i = 0; i < *len && strcmp(counts[i].name, name) != 0; i++)
		;
	if (i == LODGE_COUNTS_MAX)
		return;
	if (i == *len)
		counts[(*len)++] = (struct lodge_count){.name = name};
	counts[i].count += count;
}

static void add_devices(struct lodge_result *result, const struct bus *bus, const uint64_t *counts)
{
	unsigned i;

	for (i = 0; i < bus->count; i++)
		add_count(result->devices, &result->device_count, bus->ranges[i].name, counts[i]);
	add_count(result->devices, &result->device_count, "unclaimed", counts[BUS_RANGES_MAX]);
}

static void add_vcpu(struct lodge_result *result, const struct lodge_vm *vm, const struct vcpu *vcpu)
{
	uint32_t reason;

	for (reason = 0; reason < KVM_EXIT_REASONS; reason++)
		add_count(result->exits, &result->exit_count, kvm_exit_name(reason), vcpu->exits[reason]);
	add_devices(result, &vm->board.pio, vcpu->pio);
	add_devices(result, &vm->board.mmio, vcpu->mmio);
}

static void add_disks(struct lodge_result *result, const struct lodge_vm *vm)
{
	unsigned i;

	for (i = 0; i < vm->board.slot_count; i++) {
		const struct virtio_blk_stats *stats = &vm->board.slots[i].blk.stats;
		struct lodge_disk_stats *disk = &result->disks[i];

		disk->reads += stats->reads;
		disk->writes += stats->writes;
		disk->flushes += stats->flushes;
		disk->discards += stats->discards;
		disk->others += stats->others;
		disk->errors += stats->errors;
		disk->bytes_read += stats->bytes_read;
		disk->bytes_written += stats->bytes_written;
	}
	result->disk_count = vm->config.disk_count;
}

void result_count(const struct lodge_vm *vm, struct lodge_result *counts)
{
	unsigned i;

	for (i = 0; i < vm->vcpu_count; i++)
		add_vcpu(counts, vm, &vm->vcpus[i]);
	add_disks(counts, vm);
}

static uint64_t peak_rss(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) ? 0 : (uint64_t)usage.ru_maxrss * 1024;
}

void result_fill(struct lodge_vm *vm, struct lodge_result *ret_result)
{
	const struct kernel *kernel = &vm->kernel_plan;
	struct lodge_result result = vm->past;

	result.outcome = vm->ending.outcome;
	result.status = outcome_status(vm->ending.outcome, vm->ending.code);
	result.has_guest_code = vm->ending.outcome == LODGE_GUEST_EXIT;
	result.guest_code = vm->ending.code;
	result.run_us = (vm->ended_at - vm->started_at) / 1000;
	result.setup_count = vm->setup_count;
	result.console_bytes_in = vm->console.bytes_in;
	result.console_bytes_out = vm->console.ring.written;
	result.has_registers = vm->ending.has_registers;
	result.registers = vm->ending.registers;
	result.peak_rss = peak_rss();
	snprintf(result.kernel_format, sizeof(result.kernel_format), "%s%s%s", kernel->format,
		kernel->compression ? ", " : "", kernel->compression ? kernel->compression : "");
	snprintf(result.message, sizeof(result.message), "%s", vm->ending.message);
	memcpy(result.setup_us, vm->setup_us, sizeof(vm->setup_us));
	result_count(vm, &result);
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
