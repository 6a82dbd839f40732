#include "gdb/target.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "machine/vm.h"
#include "x86/control_regs.h"
#include "x86/debug_regs.h"

#define MSR_KERNEL_GS_BASE 0xc0000102
#define PAGE_SIZE          4096u

int target_event_fd(struct lodge_vm *vm)
{
	struct debug *debug = &vm->debug;
	int flags = kvm_system_capability(&vm->system, KVM_CAP_SET_GUEST_DEBUG2);

	if (!debug->event_fd) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		if (fd < 0)
			return -errno;
		debug->event_fd = fd;
	}
	/* A step is one of the program's, not one into the interrupt that has come due while the guest stood. */
	debug->step_control = KVM_GUESTDBG_SINGLESTEP | ((unsigned)flags & KVM_GUESTDBG_BLOCKIRQ);
	return debug->event_fd;
}

void target_thread_started(struct lodge_vm *vm)
{
	thread_begins(&vm->config, LODGE_THREAD_CONTROL);
}

/* Locks the machine, which has that vCPU, when it stands still for the debugger; one that has just begun does so soon. */
static int enter(struct lodge_vm *vm, unsigned cpu)
{
	int err = -EBUSY;

	while (atomic_load(&vm->gate.closed) & HOLD_DEBUGGER) {
		pthread_mutex_lock(&vm->machine_lock);
		if (cpu < vm->vcpu_count && pause_is_still(vm, HOLD_DEBUGGER))
			return 0;
		err = cpu < vm->vcpu_count ? -EBUSY : -ESRCH; /* it could not be built anew */
		pthread_mutex_unlock(&vm->machine_lock);
		if (err == -ESRCH)
			break;
		pause_wait(vm);
	}
	return err;
}

static int leave(struct lodge_vm *vm, int result)
{
	pthread_mutex_unlock(&vm->machine_lock);
	return result;
}

bool target_take_stop(struct lodge_vm *vm, struct debug_stop *ret_stop)
{
	if (!atomic_load(&vm->debug.stopped))
		return false;
	pause_wait(vm);
	*ret_stop = vm->debug.stop;
	return true;
}

void target_halt(struct lodge_vm *vm, struct debug_stop *ret_stop)
{
	pause_request(vm, HOLD_DEBUGGER);
	pause_wait(vm);
	if (!target_take_stop(vm, ret_stop))
		*ret_stop = (struct debug_stop){.cause = DEBUG_HALTED};
}

static int resume(struct lodge_vm *vm, const enum debug_go *how)
{
	unsigned i;
	int err = enter(vm, 0);

	if (err)
		return err;
	for (i = 0; !err && i < vm->vcpu_count; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		vcpu->step = how[i] == DEBUG_STEP;
		atomic_store(&vcpu->thread.held, how[i] == DEBUG_HOLD);
		err = debug_arm(vcpu, 0);
	}
	if (!err) {
		atomic_store(&vm->debug.stopped, false);
		pause_release(vm, HOLD_DEBUGGER);
	}
	return leave(vm, err);
}

/* An int3 is there no more if the guest has put something else in its place. */
static void take_out(struct lodge_vm *vm, struct debug_point *point)
{
	uint8_t byte;

	if (point->used && point >= &vm->debug.points[DEBUG_HARDWARE_MAX] &&
		!guest_memory_read(&vm->mem, point->gpa, &byte, 1) && byte == DEBUG_INT3)
		guest_memory_write(&vm->mem, point->gpa, &point->byte, 1);
	point->used = false;
}

void target_release(struct lodge_vm *vm)
{
	enum debug_go how[LODGE_CPUS_MAX];
	struct debug_stop ignored;
	unsigned i;

	target_halt(vm, &ignored);
	if (enter(vm, 0))
		return;
	for (i = 0; i < DEBUG_POINTS_MAX; i++)
		take_out(vm, &vm->debug.points[i]);
	for (i = 0; i < LODGE_CPUS_MAX; i++)
		how[i] = DEBUG_CONTINUE;
	leave(vm, 0);
	resume(vm, how);
}

unsigned target_cpus(const struct lodge_vm *vm)
{
	return vm->config.cpus;
}

static int read_cpu(struct lodge_vm *vm, unsigned cpu, struct target_cpu *ret_cpu)
{
	struct kvm_vcpu *vcpu;
	int err = enter(vm, cpu);

	if (err)
		return err;
	vcpu = &vm->vcpus[cpu].kvm;
	*ret_cpu = (struct target_cpu){0};
	err = kvm_vcpu_get_regs(vcpu, &ret_cpu->regs, &ret_cpu->sregs);
	if (!err)
		err = kvm_vcpu_get_fpu(vcpu, &ret_cpu->fpu);
	if (!err)
		kvm_vcpu_get_msr(vcpu, MSR_KERNEL_GS_BASE, &ret_cpu->kernel_gs_base);
	return leave(vm, err);
}

static int write_cpu(struct lodge_vm *vm, unsigned cpu, const struct target_cpu *from)
{
	int err = enter(vm, cpu);

	if (err)
		return err;
	err = kvm_vcpu_set_regs(&vm->vcpus[cpu].kvm, &from->regs, &from->sregs);
	if (!err)
		err = kvm_vcpu_set_fpu(&vm->vcpus[cpu].kvm, &from->fpu);
	return leave(vm, err);
}

/* The physical address, and how much of len bytes lies in that page. */
static int translate(struct lodge_vm *vm, unsigned cpu, uint64_t linear, size_t *len, uint64_t *ret_gpa)
{
	*len = MIN(*len, PAGE_SIZE - linear % PAGE_SIZE);
	return kvm_vcpu_translate(&vm->vcpus[cpu].kvm, linear, ret_gpa);
}

static int access_memory(
	struct lodge_vm *vm, unsigned cpu, uint64_t linear, void *to, const void *from, size_t len)
{
	size_t done = 0, part;
	uint64_t gpa;
	int err = enter(vm, cpu);

	if (err)
		return err;
	for (; !err && done < len; done += err ? 0 : part) {
		part = len - done;
		err = translate(vm, cpu, linear + done, &part, &gpa);
		if (!err && to)
			err = guest_memory_read(&vm->mem, gpa, (uint8_t *)to + done, part);
		else if (!err)
			err = guest_memory_write(&vm->mem, gpa, (const uint8_t *)from + done, part);
	}
	return leave(vm, done || !len ? (int)done : -EFAULT);
}

/* Breakpoints. */

static struct debug_point *find(struct debug *debug, enum debug_kind kind, uint64_t linear, unsigned len)
{
	unsigned i;

	for (i = 0; i < DEBUG_POINTS_MAX; i++) {
		struct debug_point *point = &debug->points[i];

		if (point->used && point->kind == kind && point->address == linear && point->len == len)
			return point;
	}
	return NULL;
}

/* A place for one, of those from `first` on and before `end`. */
static struct debug_point *find_free(struct debug *debug, unsigned first, unsigned end)
{
	for (; first < end; first++) {
		if (!debug->points[first].used)
			return &debug->points[first];
	}
	return NULL;
}

static int insert_hardware(struct debug *debug, const struct debug_point *from)
{
	struct debug_point *point = find_free(debug, 0, DEBUG_HARDWARE_MAX);

	if (from->kind > DEBUG_HARDWARE && !debug_regs_can_watch(from->address, from->len))
		return -EINVAL;
	if (from->kind > DEBUG_HARDWARE && debug->no_watchpoints)
		return -ENOTSUP;
	if (!point)
		return -ENOSPC;
	*point = *from;
	return 0;
}

static int insert_software(struct lodge_vm *vm, unsigned cpu, const struct debug_point *from)
{
	struct debug_point *point = find_free(&vm->debug, DEBUG_HARDWARE_MAX, DEBUG_POINTS_MAX), to = *from;
	size_t len = 1;
	int err;

	if (!point)
		return -ENOSPC;
	err = translate(vm, cpu, to.address, &len, &to.gpa);
	if (!err)
		err = debug_put_in(vm, &to);
	if (!err)
		*point = to;
	return err;
}

/* In real mode a KVM that emulates gives an int3 to the guest: a debug register is better there, if one is left. */
static bool is_in_real_mode(struct lodge_vm *vm, unsigned cpu)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	return !kvm_vcpu_get_regs(&vm->vcpus[cpu].kvm, &regs, &sregs) && !(sregs.cr0 & CR0_PE);
}

static int insert(struct lodge_vm *vm, unsigned cpu, enum debug_kind kind, uint64_t linear, unsigned len)
{
	const struct debug_point point = {.used = true, .kind = kind, .address = linear, .len = len};
	struct debug *debug = &vm->debug;
	int err = enter(vm, cpu);

	if (err)
		return err;
	if (find(debug, kind, linear, len))
		return leave(vm, 0);
	err = -ENOSPC;
	if (kind != DEBUG_SOFTWARE || is_in_real_mode(vm, cpu))
		err = insert_hardware(debug, &point);
	if (err == -ENOSPC && kind == DEBUG_SOFTWARE)
		err = insert_software(vm, cpu, &point);
	return leave(vm, err);
}

static int remove_point(struct lodge_vm *vm, enum debug_kind kind, uint64_t linear, unsigned len)
{
	struct debug_point *point;
	int err = enter(vm, 0);

	if (err)
		return err;
	point = find(&vm->debug, kind, linear, len);
	if (point)
		take_out(vm, point);
	return leave(vm, 0);
}

const struct target_ops target_ops = {
	.resume = resume,
	.read_cpu = read_cpu,
	.write_cpu = write_cpu,
	.access_memory = access_memory,
	.insert = insert,
	.remove = remove_point,
};
