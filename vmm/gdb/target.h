/*
 * What the debugger reads and writes of a machine that stands still for it (machine/debug.h); -EBUSY where it does not. A
 * machine that is built anew meanwhile keeps its breakpoints.
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine/debug.h"

/* A vCPU's registers. */
struct target_cpu {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	uint64_t kernel_gs_base; /* is not written */
};

/* Before all else: an eventfd, the VM's, that is readable when there may be a stop to take. -errno: none can be had. */
int target_event_fd(struct lodge_vm *vm);

/* First on the thread that calls the rest: whoever confines the process hears of it. */
void target_thread_started(struct lodge_vm *vm);

/* Has the guest stop, before its run too, and waits until it stands still; *ret_stop is what stopped it. */
void target_halt(struct lodge_vm *vm, struct debug_stop *ret_stop);

/* Whether the guest has stopped by itself: then it stands still when this returns. */
bool target_take_stop(struct lodge_vm *vm, struct debug_stop *ret_stop);

/*
 * The rest, as a session uses it. access_memory reads, with `to`, or writes, with `from`, what this vCPU sees there,
 * whatever the page tables forbid: how many bytes, as far as there is memory; -EFAULT: none.
 *
 * insert and remove are for all vCPUs; what is set already is fine. -ENOSPC: no debug register, or no place for an
 * int3, is left; -EINVAL: a debug register cannot watch that; -EFAULT: no memory; -ENOTSUP: not by this host's KVM.
 *
 * resume has an entry of how[] for each vCPU.
 */
struct target_ops {
	int (*resume)(struct lodge_vm *vm, const enum debug_go *how);
	int (*read_cpu)(struct lodge_vm *vm, unsigned cpu, struct target_cpu *ret_cpu);
	int (*write_cpu)(struct lodge_vm *vm, unsigned cpu, const struct target_cpu *from);
	int (*access_memory)(
		struct lodge_vm *vm, unsigned cpu, uint64_t linear, void *to, const void *from, size_t len);
	int (*insert)(struct lodge_vm *vm, unsigned cpu, enum debug_kind kind, uint64_t linear, unsigned len);
	int (*remove)(struct lodge_vm *vm, enum debug_kind kind, uint64_t linear, unsigned len);
};

extern const struct target_ops target_ops;

/* Takes all breakpoints out and lets the guest go on, whatever it does now. */
void target_release(struct lodge_vm *vm);

unsigned target_cpus(const struct lodge_vm *vm);
