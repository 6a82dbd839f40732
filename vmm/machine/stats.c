/* What the guest has used so far: its threads count, and any thread reads. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "backend/block.h"
#include "machine/vm.h"
#include "memory/memory_usage.h"
#include "util/clock.h"

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

static void add_bus(
	struct lodge_count *devices, unsigned *len, const struct bus *bus, const counter_t *counts)
{
	unsigned i;

	for (i = 0; i < bus->count; i++)
		add_count(devices, len, bus->ranges[i].name, counter_get(&counts[i]));
	add_count(devices, len, "unclaimed", counter_get(&counts[BUS_RANGES_MAX]));
}

static struct lodge_latency latency_of(const struct histogram *histogram)
{
	return (struct lodge_latency){
		.count = histogram_count(histogram),
		.p50_us = histogram_percentile(histogram, 500) / 1000,
		.p90_us = histogram_percentile(histogram, 900) / 1000,
		.p99_us = histogram_percentile(histogram, 990) / 1000,
		.p999_us = histogram_percentile(histogram, 999) / 1000,
		.max_us = counter_get(&histogram->max) / 1000,
	};
}

void stats_disks(const struct lodge_vm *vm, struct lodge_disk_stats *ret_disks)
{
	unsigned i;

	for (i = 0; i < vm->board.slot_count; i++) {
		const struct virtio_blk *blk = &vm->board.slots[i].blk;
		const struct virtio_blk_stats *stats = &blk->stats;

		ret_disks[i] = (struct lodge_disk_stats){
			.engine = vm->disks[i].block->engine,
			.reads = counter_get(&stats->reads),
			.writes = counter_get(&stats->writes),
			.flushes = counter_get(&stats->flushes),
			.discards = counter_get(&stats->discards),
			.others = counter_get(&stats->others),
			.errors = counter_get(&stats->errors),
			.bytes_read = counter_get(&stats->bytes_read),
			.bytes_written = counter_get(&stats->bytes_written),
			.latency = latency_of(&stats->latency),
			.throttled_ns = virtio_blk_throttled_ns(blk),
		};
	}
}

/* Called with gate.lock held: what guards a live thread's clock. */
static uint64_t cpu_ns(const struct gate_thread *thread)
{
	clockid_t clock;

	if (!thread->alive)
		return thread->cpu_ns;
	return pthread_getcpuclockid(thread->id, &clock) ? 0 : clock_read(clock);
}

/* How long a cycle of clock_cycles() lasts, as the time since the run's start tells. */
static double ns_per_cycle(const struct lodge_vm *vm)
{
	uint64_t started_at = atomic_load(&vm->started_at), cycles, ns;

	if (!started_at)
		return 0;
	cycles = clock_cycles() - vm->started_cycles;
	ns = clock_ns() - started_at;
	return cycles ? (double)ns / (double)cycles : 0;
}

static void add_vcpu(struct lodge_vm *vm, struct vcpu *vcpu, double scale, struct lodge_stats *stats)
{
	struct lodge_vcpu_stats *to = &stats->vcpus[vcpu->id];
	uint64_t exit_ns = (uint64_t)((double)counter_get(&vcpu->exit_cycles) * scale), total_ns, guest_ns;
	uint32_t reason;

	pthread_mutex_lock(&vm->gate.lock);
	total_ns = cpu_ns(&vcpu->thread);
	guest_ns = total_ns - MIN(exit_ns, total_ns);
	/* Who loses its CPU in a handler spends time there, but none of the CPU's: that would count backwards. */
	guest_ns = vcpu->guest_ns = MAX(vcpu->guest_ns, guest_ns);
	pthread_mutex_unlock(&vm->gate.lock);
	to->exit_ns += exit_ns;
	to->guest_ns += guest_ns;
	for (reason = 0; reason < KVM_EXIT_REASONS; reason++) {
		uint64_t count = counter_get(&vcpu->exits[reason]);

		to->exits += count;
		add_count(stats->exits, &stats->exit_count, kvm_exit_name(reason), count);
	}
	add_bus(stats->devices, &stats->device_count, &vm->board.pio, vcpu->pio);
	add_bus(stats->devices, &stats->device_count, &vm->board.mmio, vcpu->mmio);
}

void stats_add_machine(struct lodge_vm *vm, struct lodge_stats *stats)
{
	double scale = ns_per_cycle(vm);
	unsigned i;

	for (i = 0; i < vm->vcpu_count; i++)
		add_vcpu(vm, &vm->vcpus[i], scale, stats);
	stats->vcpu_count = vm->config.cpus;
}

static uint64_t uptime_ns(struct lodge_vm *vm)
{
	uint64_t start = atomic_load(&vm->started_at), end;

	pthread_mutex_lock(&vm->end_lock);
	end = vm->ended ? vm->ended_at : clock_ns();
	pthread_mutex_unlock(&vm->end_lock);
	return start ? end - start : 0;
}

static void read_pauses(struct lodge_vm *vm, struct lodge_stats *stats)
{
	struct gate *gate = &vm->gate;

	pthread_mutex_lock(&gate->lock);
	stats->paused = gate->paused_at;
	stats->paused_ns = gate->paused_ns + (gate->paused_at ? clock_ns() - gate->paused_at : 0);
	pthread_mutex_unlock(&gate->lock);
}

/* A process may have no /proc, in a jail for instance: then nothing is known. */
static void read_memory(const struct lodge_vm *vm, struct lodge_stats *stats)
{
	struct memory_usage usage = {0};

	/* Held open: whoever confines the process may allow no opening by now. */
	if (vm->smaps) {
		rewind(vm->smaps);
		memory_usage_read(&vm->mem, vm->smaps, &usage);
	}
	stats->memory = guest_memory_size(&vm->mem);
	stats->memory_resident = usage.resident;
	stats->memory_shared = usage.shared;
	stats->vmm_resident = usage.rest;
}

int lodge_vm_stats(struct lodge_vm *vm, struct lodge_stats *ret_stats)
{
	pthread_mutex_lock(&vm->machine_lock);
	*ret_stats = vm->past;
	stats_add_machine(vm, ret_stats);
	stats_disks(vm, ret_stats->disks);
	ret_stats->disk_count = vm->config.disk_count;
	ret_stats->uptime_ns = uptime_ns(vm);
	ret_stats->console_bytes_in = counter_get(&vm->console.bytes_in);
	ret_stats->console_bytes_out = counter_get(&vm->console.bytes_out);
	read_pauses(vm, ret_stats);
	read_memory(vm, ret_stats);
	pthread_mutex_unlock(&vm->machine_lock);
	return 0;
}

int lodge_vm_set_disk_rate(struct lodge_vm *vm, unsigned disk, const struct lodge_disk_rate *rate)
{
	if (disk >= vm->config.disk_count)
		return -EINVAL;
	pthread_mutex_lock(&vm->machine_lock);
	vm->disks[disk].bytes_per_s = rate->bytes_per_s;
	vm->disks[disk].requests_per_s = rate->requests_per_s;
	/* A machine that could not be built anew has no slots. */
	if (disk < vm->board.slot_count) {
		struct board_slot *slot = &vm->board.slots[disk];

		virtio_blk_set_rate(&slot->blk, rate->bytes_per_s, rate->requests_per_s);
		/* Wakes the I/O thread, which looks again at a request that waits. */
		doorbell_ring(&slot->doorbell);
	}
	pthread_mutex_unlock(&vm->machine_lock);
	return 0;
}
