/*
 * A virtual CPU. Its thread alone uses it once it runs; kick is the one thing that other threads do.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct kvm_cpuid2;
struct kvm_fpu;
struct kvm_guest_debug;
struct kvm_msr_entry;
struct kvm_regs;
struct kvm_run;
struct kvm_sregs;
struct kvm_system;
struct kvm_vm;

struct kvm_vcpu {
	int fd;
	struct kvm_run *run; /* shared with KVM: the reason and the data of the last exit */
	size_t run_size;
	int kick_signal; /* see kvm_vcpu_kick(); set before its thread is started */
};

/* 0 or -errno; vCPU 0 is the boot processor. */
int kvm_vcpu_init(
	struct kvm_vcpu *vcpu, const struct kvm_system *system, const struct kvm_vm *vm, unsigned id);
void kvm_vcpu_fini(struct kvm_vcpu *vcpu); /* half-built and zeroed ones too */

int kvm_vcpu_set_cpuid(struct kvm_vcpu *vcpu, const struct kvm_cpuid2 *cpuid);
int kvm_vcpu_get_regs(struct kvm_vcpu *vcpu, struct kvm_regs *ret_regs, struct kvm_sregs *ret_sregs);
int kvm_vcpu_set_regs(struct kvm_vcpu *vcpu, const struct kvm_regs *regs, const struct kvm_sregs *sregs);
int kvm_vcpu_get_fpu(struct kvm_vcpu *vcpu, struct kvm_fpu *ret_fpu);
int kvm_vcpu_set_fpu(struct kvm_vcpu *vcpu, const struct kvm_fpu *fpu);
int kvm_vcpu_get_msr(struct kvm_vcpu *vcpu, uint32_t index, uint64_t *ret_value);
int kvm_vcpu_set_debug(struct kvm_vcpu *vcpu, const struct kvm_guest_debug *debug);

/* Sets MSRs up to the first that KVM does not know; what it does not know, guests do without. */
int kvm_vcpu_set_msrs(struct kvm_vcpu *vcpu, const struct kvm_msr_entry *msrs, unsigned count);

/*
 * Makes the vCPUs that there are reachable for IPIs. KVM draws its map of APIC IDs while it creates a vCPU, which
 * is not in its list yet, and draws it anew when an APIC changes: until then the last one gets no INIT.
 * For the vCPU that was created last.
 */
int kvm_vcpu_redraw_apic_map(struct kvm_vcpu *vcpu);

/* The rate of its TSC; 0: KVM does not tell. */
uint32_t kvm_vcpu_tsc_khz(const struct kvm_vcpu *vcpu);

/* Guest-virtual to guest-physical, by the vCPU's page tables: 0 or -EFAULT. */
int kvm_vcpu_translate(struct kvm_vcpu *vcpu, uint64_t gva, uint64_t *ret_gpa);

/* Tells a guest that knows kvmclock that it was paused; others, and a KVM without it, are none the wiser. */
void kvm_vcpu_tell_paused(struct kvm_vcpu *vcpu);

/*
 * A kick takes a vCPU out of KVM_RUN, now or as soon as it gets there: none is ever lost. Its thread has all signals
 * blocked, and calls kvm_vcpu_accept_kicks() once: 0 or -errno.
 *
 * With kick_signal 0 no handler is installed in the embedder's process: KVM_RUN alone lets SIGRTMIN in, by a signal mask
 * that KVM sets and takes back at each entry. That costs more than all of lodge's part in an exit. A signal whose
 * handler does nothing is let in at any time, and KVM_RUN looks at a byte instead.
 */
int kvm_vcpu_accept_kicks(struct kvm_vcpu *vcpu);
void kvm_vcpu_kick(struct kvm_vcpu *vcpu, pthread_t thread);

/*
 * Runs the guest until it leaves for user space: 0 with run->exit_reason set, or -errno: -EINTR after a kick
 * (which this call has taken back; what the kick was for is seen by loads that follow), -EAGAIN for a vCPU that was not started yet, others for a broken KVM.
 */
int kvm_vcpu_run(struct kvm_vcpu *vcpu);

/*
 * Has KVM finish the access to a device for which it left, and the guest run no further: before that its registers are
 * as it were in the middle of the instruction. Returns as kvm_vcpu_run() does: -EINTR when that was all, 0 for another exit.
 */
int kvm_vcpu_finish_exit(struct kvm_vcpu *vcpu);
