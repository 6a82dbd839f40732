#include "machine/vm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/block.h"
#include "backend/block_file.h"
#include "machine/config.h"
#include "machine/lodge_error.h"
#include "memory/huge_pages.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/size.h"
#include "x86/boot_regs.h"
#include "x86/cpuid.h"

#define SCRATCH_DISK_SIZE MIB(16)

static void phase(struct lodge_vm *vm, const char *name)
{
	uint64_t now = clock_ns();

	if (vm->restarts)
		return; /* the first machine's are told */
	vm->setup_us[vm->setup_count++] =
		(struct lodge_count){.name = name, .count = (now - vm->setup_at) / 1000};
	vm->setup_at = now;
}

static void power_requested(void *ctx, enum power_event event, uint32_t code)
{
	static const enum lodge_outcome outcomes[] = {
		[POWER_OFF] = LODGE_POWEROFF,
		[POWER_EXIT] = LODGE_GUEST_EXIT,
		[POWER_RESET] = LODGE_RESET,
		[POWER_PANIC] = LODGE_PANIC,
	};
	struct lodge_vm *vm = ctx;
	struct ending ending = {.outcome = outcomes[event], .code = code};

	ending.restart = event == POWER_RESET && vm->config.restart;
	if (event == POWER_PANIC)
		snprintf(ending.message, sizeof(ending.message), "the guest panicked (pvpanic)");
	vm_end(vm, &ending);
}

/* The parts, in the order that costs KVM least: see docs/architecture.md. */

static void block_thread_begins(void *ctx)
{
	struct lodge_vm *vm = ctx;

	thread_begins(&vm->config, LODGE_THREAD_BLOCK);
}

static int open_disks(struct lodge_vm *vm, struct error *error)
{
	unsigned i;

	for (i = 0; i < vm->config.disk_count; i++) {
		const struct lodge_disk *from = &vm->config.disks[i];
		struct board_disk *disk = &vm->disks[i];
		int err;

		if (from->path) {
			const struct block_file_config file = {
				.path = from->path,
				.read_only = from->read_only,
				.direct = from->direct,
				.aio = (enum block_aio)from->aio,
				.thread_begins = block_thread_begins,
				.ctx = vm,
			};

			err = block_file_open(&file, &disk->block, error);
		} else {
			err = block_memory_open(
				from->size ? from->size : SCRATCH_DISK_SIZE, &disk->block, error);
		}
		if (err)
			return err;
		if (from->serial)
			snprintf(disk->serial, sizeof(disk->serial), "%s", from->serial);
		else
			snprintf(disk->serial, sizeof(disk->serial), "lodge-%u", i);
		disk->no_poll = from->no_poll;
		disk->bytes_per_s = from->rate.bytes_per_s;
		disk->requests_per_s = from->rate.requests_per_s;
	}
	return 0;
}

static int init_board(struct lodge_vm *vm, struct error *error)
{
	const struct board_config board = {
		.mem = &vm->mem,
		.power = {.request = power_requested, .ctx = vm},
		.console = console_sink(&vm->console),
		.msi = irqchip_msi(vm),
		.ioapic = vm->split_irqchip,
		.pci = vm->config.pci,
		.irq = lines_get,
		.irq_level = lines_get_level,
		.irq_ctx = vm,
		.disks = vm->disks,
		.disk_count = vm->config.disk_count,
		.cpus = vm->config.cpus,
		.qemu_debug_exit = vm->config.qemu_debug_exit,
		.pc_testdev = vm->config.pc_testdev,
	};
	int err = board_init(&vm->board, &board);

	if (err)
		return error_set(error, ERROR_VMM, err, "devices: %s", strerror(-err));
	return 0;
}

/* What KVM supports, told to each vCPU as its own. */
static int set_cpuid(struct lodge_vm *vm)
{
	struct cpuid_config config = {
		.cpus = vm->config.cpus,
		.tsc_deadline = kvm_system_capability(&vm->system, KVM_CAP_TSC_DEADLINE_TIMER),
		.tsc_khz = kvm_vcpu_tsc_khz(&vm->vcpus[0].kvm),
	};
	int err = 0;

	for (; !err && config.cpu < vm->vcpu_count; config.cpu++) {
		/* Adapted in place: all that is changed is set anew for each vCPU. */
		cpuid_adapt(&config, vm->cpuid);
		err = kvm_vcpu_set_cpuid(&vm->vcpus[config.cpu].kvm, vm->cpuid);
	}
	return err;
}

static int init_vcpus(struct lodge_vm *vm, struct error *error)
{
	unsigned i, msr_count;
	const struct kvm_msr_entry *msrs = boot_msrs(&msr_count);
	int kick_signal = vm->config.kick_signal, err = 0;

	if (kick_signal && !kvm_system_capability(&vm->system, KVM_CAP_IMMEDIATE_EXIT))
		kick_signal = 0;

	vm->vcpus = calloc(vm->config.cpus, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return error_set(error, ERROR_VMM, -ENOMEM, "vCPUs: %s", strerror(ENOMEM));
	for (i = 0; !err && i < vm->config.cpus; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		vcpu->vm = vm;
		vcpu->id = i;
		err = kvm_vcpu_init(&vcpu->kvm, &vm->system, &vm->kvm, i);
		vcpu->kvm.kick_signal = kick_signal;
		if (!err)
			vm->vcpu_count++;
	}
	if (!err)
		err = set_cpuid(vm);
	for (i = 0; !err && i < vm->vcpu_count; i++)
		err = kvm_vcpu_set_msrs(&vm->vcpus[i].kvm, msrs, msr_count);
	if (!err && vm->vcpu_count > 1)
		err = kvm_vcpu_redraw_apic_map(&vm->vcpus[vm->vcpu_count - 1].kvm);
	if (err && vm->config.cpus > kvm_system_max_vcpus(&vm->system)) {
		return error_set(error, ERROR_HOST, err, "%u CPUs: this host's KVM allows %u",
			vm->config.cpus, kvm_system_max_vcpus(&vm->system));
	}
	if (err)
		return error_set(error, ERROR_HOST, err, "vCPUs: %s", strerror(-err));
	return 0;
}

/* The boot processor starts where the loader said; the others wait for its INIT and SIPI. */
static int init_guest(struct lodge_vm *vm, struct error *error)
{
	struct kvm_vcpu *boot_cpu = &vm->vcpus[0].kvm;
	struct boot_state state;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int err = boot_load(vm, &state, error);

	if (!err)
		err = firmware_load(vm, &state, error);
	if (err)
		return err;
	err = kvm_vcpu_get_regs(boot_cpu, &regs, &sregs);
	if (!err) {
		boot_regs_build(
			&state, &regs, &sregs, guest_memory_at(&vm->mem, BOOT_GDT_BASE, BOOT_GDT_SIZE));
		err = kvm_vcpu_set_regs(boot_cpu, &regs, &sregs);
	}
	if (err)
		return error_set(error, ERROR_VMM, err, "the boot processor: %s", strerror(-err));
	return 0;
}

static const char *kvm_path(const struct lodge_vm *vm)
{
	return vm->config.kvm_device ? vm->config.kvm_device : "/dev/kvm";
}

static int open_kvm(struct lodge_vm *vm, struct error *error)
{
	return kvm_system_open(&vm->system, kvm_path(vm), error);
}

/*
 * What KVM supports, asked of it once: it looks each leaf up in the CPU, and where lodge is a guest itself, each of
 * them is an exit to its host.
 */
static int get_cpuid(struct lodge_vm *vm, struct error *error)
{
	const unsigned room = CPUID_ENTRIES_MAX + CPUID_ENTRIES_ADDED;
	int err = -ENOMEM;

	vm->cpuid = malloc(sizeof(*vm->cpuid) + room * sizeof(vm->cpuid->entries[0]));
	if (vm->cpuid) {
		vm->cpuid->nent = CPUID_ENTRIES_MAX;
		err = kvm_system_get_cpuid(&vm->system, vm->cpuid);
	}
	if (err)
		return error_set(error, ERROR_HOST, err, "%s: CPUID: %s", kvm_path(vm), strerror(-err));
	return 0;
}

static int create_vm(struct lodge_vm *vm, struct error *error)
{
	int err = kvm_vm_init(&vm->kvm, &vm->system);

	if (err)
		return error_set(
			error, ERROR_HOST, err, "%s: KVM_CREATE_VM: %s", kvm_path(vm), strerror(-err));
	return 0;
}

static int init_io(struct lodge_vm *vm, struct error *error)
{
	int err = lines_connect(vm);

	if (!err && vm->board.slot_count)
		err = io_thread_init(vm);
	if (err)
		return error_set(error, ERROR_VMM, err, "interrupts and doorbells: %s", strerror(-err));
	return 0;
}

/* No path is opened from here on. */
static int tell_opened(struct lodge_vm *vm, struct error *error)
{
	(void)error;
	vm->smaps = fopen("/proc/self/smaps", "re");
	if (vm->config.hugepages)
		huge_pages_open(&vm->huge_pages);
	vm->debug.no_watchpoints = !access("/sys/module/kvm_pvm", F_OK);
	if (vm->config.opened)
		vm->config.opened(vm->config.guard_ctx);
	return 0;
}

struct setup_step {
	const char *name;
	int (*init)(struct lodge_vm *vm, struct error *error);
};

/* What lives as long as the VM: whatever has a path is opened here, once. */
static const struct setup_step host_steps[] = {
	{"disks", open_disks},
	{"images", boot_open},
	{"kvm", open_kvm},
	{"console", events_init},
	{"cpuid", get_cpuid},
	{"opened", tell_opened},
	{"kernel", boot_judge},
};

/*
 * The machine, which a restart builds anew. The order is performance. Once KVM's I/O bus has a user (irqchip, PIT,
 * ioeventfd), a change of a memory slot waits for a grace period of several milliseconds: so memory comes first and
 * doorbells come last.
 */
static const struct setup_step machine_steps[] = {
	{"vm", create_vm},
	{"memory", ram_init},
	{"irqchip", irqchip_init},
	{"vcpus", init_vcpus},
	{"board", init_board},
	{"guest", init_guest},
	{"doorbells", init_io},
};

static_assert(ARRAY_SIZE(host_steps) + ARRAY_SIZE(machine_steps) <= SETUP_PHASES_MAX, "a place a phase");

static int set_up(struct lodge_vm *vm, const struct setup_step *steps, unsigned count, struct error *error)
{
	unsigned i;
	int err = 0;

	for (i = 0; !err && i < count; i++) {
		err = steps[i].init(vm, error);
		if (!err)
			phase(vm, steps[i].name);
	}
	/* KVM is asked for what it lacks only now: at each start the questions would cost, and be answered yes. */
	if (err && vm->system.fd > 0 && error->kind != ERROR_IMAGE) {
		int missing = kvm_system_check(&vm->system, kvm_path(vm), error);

		err = missing ? missing : err;
	}
	return err;
}

/* Half-built and zeroed ones too, and twice. */
static void machine_fini(struct lodge_vm *vm)
{
	unsigned i;

	io_thread_fini(vm);
	board_fini(&vm->board);
	for (i = 0; i < vm->vcpu_count; i++)
		kvm_vcpu_fini(&vm->vcpus[i].kvm);
	free(vm->vcpus);
	vm->vcpus = NULL;
	vm->vcpu_count = 0;
	kvm_vm_fini(&vm->kvm);
	lines_fini(vm);
	if (vm->config.hugepages)
		ram_name(vm, 0);
	free(vm->firmware_files);
	vm->firmware_files = NULL;
	guest_memory_fini(&vm->staged);
	guest_memory_fini(&vm->mem);
}

/* A disk's counters, and how long its requests took, go on. */
static void keep_disk_stats(struct lodge_vm *vm)
{
	unsigned i;

	for (i = 0; i < vm->board.slot_count; i++)
		virtio_blk_keep(&vm->board.slots[i].blk, &vm->disks[i].stats);
}

int machine_rebuild(struct lodge_vm *vm, struct error *error)
{
	struct character_sink console = console_sink(&vm->console);
	int err;

	stats_add_machine(vm, &vm->past);
	keep_disk_stats(vm);
	vm->restarts++;
	machine_fini(vm);
	err = set_up(vm, machine_steps, ARRAY_SIZE(machine_steps), error);
	if (!err)
		debug_rebuilt(vm);
	/* The chip is a new one, and has room for what the old one had none for. */
	if (!err)
		console.want_input(console.ctx);
	return err;
}

int lodge_vm_new(const struct lodge_config *config, struct lodge_vm **ret_vm, struct lodge_error *ret_error)
{
	struct error error = {.kind = ERROR_VMM, .text = "out of memory"};
	struct character_source source;
	struct lodge_vm *vm = NULL;
	int err = config_check(config, &error);

	if (err)
		goto fail;
	err = -ENOMEM;
	/* Mapped, so that what a small machine does not use of it costs no memory. */
	vm = mmap(NULL, sizeof(*vm), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm == MAP_FAILED) {
		vm = NULL;
		goto fail;
	}
	vm->config = *config;
	vm->trace = (struct trace){.topics = config->trace, .fd = config->trace_fd};
	pthread_mutex_init(&vm->end_lock, NULL);
	pthread_mutex_init(&vm->gate.lock, NULL);
	pthread_cond_init(&vm->gate.moved, NULL);
	pthread_mutex_init(&vm->machine_lock, NULL);
	vm->setup_at = clock_ns();
	err = set_up(vm, host_steps, ARRAY_SIZE(host_steps), &error);
	if (!err)
		err = set_up(vm, machine_steps, ARRAY_SIZE(machine_steps), &error);
	if (err)
		goto fail;
	source = uart16550_source(&vm->board.com1);
	console_connect(&vm->console, &source);
	*ret_vm = vm;
	return 0;
fail:
	lodge_vm_free(vm);
	return lodge_error_from(&error, err, ret_error);
}

void lodge_vm_free(struct lodge_vm *vm)
{
	unsigned i;

	if (!vm)
		return;
	machine_fini(vm);
	events_fini(vm);
	if (vm->debug.event_fd > 0)
		close(vm->debug.event_fd);
	kvm_system_fini(&vm->system);
	free(vm->cpuid);
	boot_close(vm);
	if (vm->smaps)
		fclose(vm->smaps);
	huge_pages_close(&vm->huge_pages);
	for (i = 0; i < vm->config.disk_count; i++) {
		if (vm->disks[i].block)
			vm->disks[i].block->ops->close(vm->disks[i].block);
	}
	pthread_mutex_destroy(&vm->machine_lock);
	pthread_cond_destroy(&vm->gate.moved);
	pthread_mutex_destroy(&vm->gate.lock);
	pthread_mutex_destroy(&vm->end_lock);
	munmap(vm, sizeof(*vm));
}
