/* The thread of a vCPU: KVM_RUN, and one small handler an exit. */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>

#include "machine/vm.h"
#include "util/clock.h"

#define NOBODY BUS_RANGES_MAX /* the index that counts what no device claims */

/* Registers, for the endings that need explaining. */

static void read_code(struct vcpu *vcpu, const struct kvm_sregs *sregs, struct lodge_registers *registers)
{
	/* In 64-bit mode the base of CS counts as 0, and KVM says so. */
	uint64_t linear = registers->rip + sregs->cs.base, gpa;
	unsigned len = (unsigned)MIN((uint64_t)LODGE_CODE_MAX, 0x1000 - (linear & 0xfff));

	if (kvm_vcpu_translate(&vcpu->kvm, linear, &gpa))
		return;
	if (!guest_memory_read(&vcpu->vm->mem, gpa, registers->code, len))
		registers->code_len = len;
}

void vcpu_read_registers(struct vcpu *vcpu, struct ending *ending)
{
	struct lodge_registers *to = &ending->registers;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (kvm_vcpu_get_regs(&vcpu->kvm, &regs, &sregs))
		return;
	*to = (struct lodge_registers){
		.cpu = vcpu->id,
		/* clang-format off */
		.rax = regs.rax, .rbx = regs.rbx, .rcx = regs.rcx, .rdx = regs.rdx,
		.rsi = regs.rsi, .rdi = regs.rdi, .rbp = regs.rbp, .rsp = regs.rsp,
		.r8 = regs.r8, .r9 = regs.r9, .r10 = regs.r10, .r11 = regs.r11,
		.r12 = regs.r12, .r13 = regs.r13, .r14 = regs.r14, .r15 = regs.r15,
		.rip = regs.rip, .rflags = regs.rflags,
		.cr0 = sregs.cr0, .cr2 = sregs.cr2, .cr3 = sregs.cr3, .cr4 = sregs.cr4,
		.efer = sregs.efer,
		.cs = sregs.cs.selector, .ss = sregs.ss.selector,
		.ds = sregs.ds.selector, .es = sregs.es.selector,
		/* clang-format on */
	};
	ending->has_registers = true;
	read_code(vcpu, &sregs, to);
}

static void end_with_registers(struct vcpu *vcpu, enum lodge_outcome outcome, const char *what)
{
	struct ending ending = {.outcome = outcome};

	vcpu_read_registers(vcpu, &ending);
	snprintf(ending.message, sizeof(ending.message), "%s on CPU %u at rip 0x%" PRIx64, what, vcpu->id,
		ending.registers.rip);
	vm_end(vcpu->vm, &ending);
}

/* The exits. */

static void count(counter_t *counts, int index)
{
	counter_add(&counts[index < 0 ? NOBODY : index], 1);
}

static void exit_io(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->kvm.run;
	const struct bus *bus = &vcpu->vm->board.pio;
	const struct trace *trace = &vcpu->vm->trace;
	uint8_t *data = (uint8_t *)vcpu->kvm.run + run->io.data_offset;
	unsigned size = run->io.size;
	uint32_t i;

	/* String instructions bring up to a page of accesses to one port at once. */
	for (i = 0; i < run->io.count; i++, data += size) {
		uint64_t value;

		if (run->io.direction == KVM_EXIT_IO_IN) {
			count(vcpu->pio, bus_read(bus, run->io.port, size, &value));
			store_le(data, value, size);
			TRACE(trace, TRACE_PIO, "pio in 0x%x %u 0x%" PRIx64, run->io.port, size, value);
		} else {
			value = load_le(data, size);
			TRACE(trace, TRACE_PIO, "pio out 0x%x %u 0x%" PRIx64, run->io.port, size, value);
			count(vcpu->pio, bus_write(bus, run->io.port, size, value));
		}
	}
}

static void exit_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->kvm.run;
	const struct bus *bus = &vcpu->vm->board.mmio;
	const struct trace *trace = &vcpu->vm->trace;
	uint64_t gpa = run->mmio.phys_addr, value;
	unsigned size = MIN(run->mmio.len, (uint32_t)sizeof(run->mmio.data));

	if (!run->mmio.is_write) {
		count(vcpu->mmio, bus_read(bus, gpa, size, &value));
		store_le(run->mmio.data, value, size);
		TRACE(trace, TRACE_MMIO, "mmio read 0x%" PRIx64 " %u 0x%" PRIx64, gpa, size, value);
	} else {
		value = load_le(run->mmio.data, size);
		TRACE(trace, TRACE_MMIO, "mmio write 0x%" PRIx64 " %u 0x%" PRIx64, gpa, size, value);
		count(vcpu->mmio, bus_write(bus, gpa, size, value));
	}
}

static void exit_shutdown(struct vcpu *vcpu)
{
	end_with_registers(vcpu, LODGE_TRIPLE_FAULT, "triple fault");
}

static void exit_internal_error(struct vcpu *vcpu)
{
	char what[128];

	if (debug_met_int3(vcpu))
		return;
	snprintf(what, sizeof(what), "KVM met %s (suberror %u)",
		kvm_internal_error_name(vcpu->kvm.run->internal.suberror), vcpu->kvm.run->internal.suberror);
	end_with_registers(vcpu, LODGE_KVM_INTERNAL_ERROR, what);
}

static void exit_fail_entry(struct vcpu *vcpu)
{
	char what[128];

	snprintf(what, sizeof(what), "the CPU refused to enter the guest (reason 0x%llx)",
		(unsigned long long)vcpu->kvm.run->fail_entry.hardware_entry_failure_reason);
	end_with_registers(vcpu, LODGE_KVM_INTERNAL_ERROR, what);
}

static void exit_system_event(struct vcpu *vcpu)
{
	struct ending ending = {.outcome = LODGE_POWEROFF};

	switch (vcpu->kvm.run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		break;
	case KVM_SYSTEM_EVENT_RESET:
		ending.outcome = LODGE_RESET;
		ending.restart = vcpu->vm->config.restart;
		break;
	default:
		ending.outcome = LODGE_PANIC;
		break;
	}
	vm_end(vcpu->vm, &ending);
}

static void exit_ioapic_eoi(struct vcpu *vcpu)
{
	ioapic82093_eoi(&vcpu->vm->board.ioapic, vcpu->kvm.run->eoi.vector);
}

static void exit_again(struct vcpu *vcpu)
{
	(void)vcpu;
}

static void exit_unknown(struct vcpu *vcpu)
{
	char what[128];

	snprintf(what, sizeof(what), "KVM left with exit reason %u (%s), which lodge does not handle",
		vcpu->kvm.run->exit_reason, kvm_exit_name(vcpu->kvm.run->exit_reason));
	end_with_registers(vcpu, LODGE_KVM_INTERNAL_ERROR, what);
}

static void (*const exit_handlers[KVM_EXIT_REASONS])(struct vcpu *vcpu) = {
	[KVM_EXIT_IO] = exit_io,
	[KVM_EXIT_MMIO] = exit_mmio,
	[KVM_EXIT_SHUTDOWN] = exit_shutdown,
	[KVM_EXIT_INTERNAL_ERROR] = exit_internal_error,
	[KVM_EXIT_FAIL_ENTRY] = exit_fail_entry,
	[KVM_EXIT_SYSTEM_EVENT] = exit_system_event,
	[KVM_EXIT_IOAPIC_EOI] = exit_ioapic_eoi,
	[KVM_EXIT_DEBUG] = debug_trapped,
	[KVM_EXIT_INTR] = exit_again,
	[KVM_EXIT_IRQ_WINDOW_OPEN] = exit_again,
};

static void handle_exit(struct vcpu *vcpu)
{
	uint32_t reason = MIN(vcpu->kvm.run->exit_reason, (uint32_t)KVM_EXIT_REASONS - 1);
	uint64_t start = clock_cycles();

	counter_add(&vcpu->exits[reason], 1);
	TRACE(&vcpu->vm->trace, TRACE_EXIT, "exit %s cpu %u", kvm_exit_name(reason), vcpu->id);
	if (exit_handlers[reason])
		exit_handlers[reason](vcpu);
	else
		exit_unknown(vcpu);
	counter_add(&vcpu->exit_cycles, clock_cycles() - start);
}

/* Who looks at a guest that stands still finds no access half done; a step ends behind it. */
static void finish_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->kvm.run;
	int err;

	if (run->exit_reason != KVM_EXIT_IO && run->exit_reason != KVM_EXIT_MMIO)
		return;
	err = kvm_vcpu_finish_exit(&vcpu->kvm);
	if (!err) {
		handle_exit(vcpu);
		return;
	}
	run->exit_reason = KVM_EXIT_INTR;
	/* KVM's emulator has no step end here, kvm_amd has (the exit above). */
	if (vcpu->step)
		debug_stepped(vcpu);
}

/* Whether the guest runs on. */
static bool pass_gate(struct vcpu *vcpu)
{
	if (vcpu->step || pause_wanted(vcpu->vm, &vcpu->thread)) {
		finish_exit(vcpu);
		/* Its watchdogs shall not take the pause for a hang of theirs. */
		if (pause_pass(vcpu->vm, &vcpu->thread))
			kvm_vcpu_tell_paused(&vcpu->kvm);
	}
	/* vm_end() sets the flag before anybody kicks, and a kick is never lost: the guest runs no further. */
	return !atomic_load_explicit(&vcpu->vm->ending_now, memory_order_acquire);
}

void *vcpu_main(void *ctx)
{
	struct vcpu *vcpu = ctx;
	struct lodge_vm *vm = vcpu->vm;
	int err;

	thread_begins(&vm->config, LODGE_THREAD_VCPU);
	err = kvm_vcpu_accept_kicks(&vcpu->kvm);
	if (err)
		vm_fail(vm, "letting kicks in: %s", strerror(-err));
	while (pass_gate(vcpu)) {
		err = kvm_vcpu_run(&vcpu->kvm);
		if (!err) {
			handle_exit(vcpu);
		} else if (err != -EINTR && err != -EAGAIN) {
			char what[64];

			snprintf(what, sizeof(what), "KVM_RUN failed: %s", strerror(-err));
			end_with_registers(vcpu, LODGE_KVM_INTERNAL_ERROR, what);
		}
	}
	pause_end_thread(vm, &vcpu->thread);
	return NULL;
}
