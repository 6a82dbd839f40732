#include "machine/debug.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/eventfd.h>

#include "machine/vm.h"
#include "x86/debug_regs.h"

#define BP_VECTOR 3

static void stop(struct vcpu *vcpu, enum debug_cause cause, const struct debug_point *point)
{
	struct debug *debug = &vcpu->vm->debug;

	/* Of several, one is told: the others have not passed their breakpoint, and meet it again. */
	if (!atomic_exchange(&debug->stopped, true)) {
		debug->stop = (struct debug_stop){.cause = cause, .cpu = vcpu->id};
		if (point) {
			debug->stop.kind = point->kind;
			debug->stop.address = point->address;
		}
	}
	pause_request(vcpu->vm, HOLD_DEBUGGER);
	eventfd_write(debug->event_fd, 1);
}

int debug_arm(struct vcpu *vcpu, unsigned control)
{
	static const enum dr7_access accesses[] = {
		[DEBUG_SOFTWARE] = DR7_EXECUTE,
		[DEBUG_HARDWARE] = DR7_EXECUTE,
		[DEBUG_WRITE] = DR7_WRITE,
		[DEBUG_READ] = DR7_READ_WRITE, /* there is none for reads alone */
		[DEBUG_ACCESS] = DR7_READ_WRITE,
	};
	const struct debug *debug = &vcpu->vm->debug;
	struct kvm_guest_debug to = {.control = control | (vcpu->step ? debug->step_control : 0)};
	unsigned i;

	for (i = 0; i < DEBUG_POINTS_MAX; i++) {
		const struct debug_point *point = &debug->points[i];

		if (point->used && i >= DEBUG_HARDWARE_MAX)
			to.control |= KVM_GUESTDBG_USE_SW_BP;
		if (!point->used || i >= DEBUG_HARDWARE_MAX)
			continue;
		to.control |= KVM_GUESTDBG_USE_HW_BP;
		to.arch.debugreg[i] = point->address;
		to.arch.debugreg[7] |= debug_regs_dr7(i, accesses[point->kind], point->len);
	}
	if (to.control)
		to.control |= KVM_GUESTDBG_ENABLE;
	return kvm_vcpu_set_debug(&vcpu->kvm, &to);
}

static const struct debug_point *find_int3(const struct debug *debug, uint64_t linear)
{
	unsigned i;

	for (i = DEBUG_HARDWARE_MAX; i < DEBUG_POINTS_MAX; i++) {
		if (debug->points[i].used && debug->points[i].address == linear)
			return &debug->points[i];
	}
	return NULL;
}

static const struct debug_point *find_hit(const struct debug *debug, uint64_t dr6)
{
	unsigned i;

	for (i = 0; i < DEBUG_HARDWARE_MAX; i++) {
		if (debug->points[i].used && dr6 >> i & 1)
			return &debug->points[i];
	}
	return NULL;
}

void debug_trapped(struct vcpu *vcpu)
{
	const struct kvm_debug_exit_arch *exit = &vcpu->kvm.run->debug.arch;
	const struct debug *debug = &vcpu->vm->debug;
	bool int3 = exit->exception == BP_VECTOR;
	const struct debug_point *point = int3 ? find_int3(debug, exit->pc) : find_hit(debug, exit->dr6);

	if (point)
		stop(vcpu, DEBUG_POINT, point);
	else if (!int3 && vcpu->step)
		stop(vcpu, DEBUG_STEPPED, NULL);
	else
		debug_arm(vcpu, int3 ? KVM_GUESTDBG_INJECT_BP : KVM_GUESTDBG_INJECT_DB); /* the guest's own */
}

bool debug_met_int3(struct vcpu *vcpu)
{
	const struct debug_point *point;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (!vcpu->vm->debug.event_fd || kvm_vcpu_get_regs(&vcpu->kvm, &regs, &sregs))
		return false;
	point = find_int3(&vcpu->vm->debug, sregs.cs.base + regs.rip);
	if (!point)
		return false;
	/* KVM would have the guest take a #UD for it: forgotten as its registers are set. */
	kvm_vcpu_set_regs(&vcpu->kvm, &regs, &sregs);
	stop(vcpu, DEBUG_POINT, point);
	return true;
}

void debug_stepped(struct vcpu *vcpu)
{
	stop(vcpu, DEBUG_STEPPED, NULL);
}

int debug_put_in(struct lodge_vm *vm, struct debug_point *point)
{
	const uint8_t int3 = DEBUG_INT3;

	if (guest_memory_read(&vm->mem, point->gpa, &point->byte, 1))
		return -EFAULT;
	return guest_memory_write(&vm->mem, point->gpa, &int3, 1);
}

/* The new memory has no int3, the new vCPUs no debug registers, and what is held or steps is gone. */
void debug_rebuilt(struct lodge_vm *vm)
{
	unsigned i;

	if (!vm->debug.event_fd)
		return;
	for (i = DEBUG_HARDWARE_MAX; i < DEBUG_POINTS_MAX; i++) {
		if (vm->debug.points[i].used)
			debug_put_in(vm, &vm->debug.points[i]);
	}
	for (i = 0; i < vm->vcpu_count; i++)
		debug_arm(&vm->vcpus[i], 0);
}
