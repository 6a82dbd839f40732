#include "kvm/kvm_vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm/kvm_system.h"
#include "kvm/kvm_vm.h"
#include "util/bytes.h"

#define MSRS_MAX    16
#define MASKED_KICK SIGRTMIN

static int vcpu_ioctl(const struct kvm_vcpu *vcpu, unsigned long request, const void *argument)
{
	return ioctl(vcpu->fd, request, argument) < 0 ? -errno : 0;
}

int kvm_vcpu_init(
	struct kvm_vcpu *vcpu, const struct kvm_system *system, const struct kvm_vm *vm, unsigned id)
{
	int err;

	*vcpu = (struct kvm_vcpu){.run_size = (size_t)system->run_size};
	do {
		vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)id);
	} while (vcpu->fd < 0 && errno == EINTR);
	if (vcpu->fd < 0)
		return -errno;
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		err = -errno;
		vcpu->run = NULL;
		kvm_vcpu_fini(vcpu);
		return err;
	}
	return 0;
}

void kvm_vcpu_fini(struct kvm_vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	if (vcpu->fd > 0)
		close(vcpu->fd);
	*vcpu = (struct kvm_vcpu){.fd = -1};
}

int kvm_vcpu_set_cpuid(struct kvm_vcpu *vcpu, const struct kvm_cpuid2 *cpuid)
{
	return vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
}

int kvm_vcpu_get_regs(struct kvm_vcpu *vcpu, struct kvm_regs *ret_regs, struct kvm_sregs *ret_sregs)
{
	int err = vcpu_ioctl(vcpu, KVM_GET_REGS, ret_regs);

	return err ? err : vcpu_ioctl(vcpu, KVM_GET_SREGS, ret_sregs);
}

int kvm_vcpu_set_regs(struct kvm_vcpu *vcpu, const struct kvm_regs *regs, const struct kvm_sregs *sregs)
{
	int err = vcpu_ioctl(vcpu, KVM_SET_SREGS, sregs);

	return err ? err : vcpu_ioctl(vcpu, KVM_SET_REGS, regs);
}

int kvm_vcpu_get_fpu(struct kvm_vcpu *vcpu, struct kvm_fpu *ret_fpu)
{
	return vcpu_ioctl(vcpu, KVM_GET_FPU, ret_fpu);
}

int kvm_vcpu_set_fpu(struct kvm_vcpu *vcpu, const struct kvm_fpu *fpu)
{
	return vcpu_ioctl(vcpu, KVM_SET_FPU, fpu);
}

int kvm_vcpu_set_debug(struct kvm_vcpu *vcpu, const struct kvm_guest_debug *debug)
{
	return vcpu_ioctl(vcpu, KVM_SET_GUEST_DEBUG, debug);
}

int kvm_vcpu_get_msr(struct kvm_vcpu *vcpu, uint32_t index, uint64_t *ret_value)
{
	union {
		struct kvm_msrs header;
		uint8_t bytes[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} list = {.header.nmsrs = 1};

	list.header.entries[0] = (struct kvm_msr_entry){.index = index};
	if (ioctl(vcpu->fd, KVM_GET_MSRS, &list) != 1)
		return -ENOENT;
	*ret_value = list.header.entries[0].data;
	return 0;
}

int kvm_vcpu_set_msrs(struct kvm_vcpu *vcpu, const struct kvm_msr_entry *msrs, unsigned count)
{
	union {
		struct kvm_msrs header;
		uint8_t bytes[sizeof(struct kvm_msrs) + MSRS_MAX * sizeof(*msrs)];
	} list = {.header.nmsrs = MIN(count, (unsigned)MSRS_MAX)};

	memcpy(list.header.entries, msrs, list.header.nmsrs * sizeof(*msrs));
	return vcpu_ioctl(vcpu, KVM_SET_MSRS, &list);
}

int kvm_vcpu_redraw_apic_map(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic_state state;
	int err = vcpu_ioctl(vcpu, KVM_GET_LAPIC, &state);

	return err ? err : vcpu_ioctl(vcpu, KVM_SET_LAPIC, &state);
}

uint32_t kvm_vcpu_tsc_khz(const struct kvm_vcpu *vcpu)
{
	int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);

	return khz > 0 ? (uint32_t)khz : 0;
}

int kvm_vcpu_translate(struct kvm_vcpu *vcpu, uint64_t gva, uint64_t *ret_gpa)
{
	struct kvm_translation translation = {.linear_address = gva};

	if (vcpu_ioctl(vcpu, KVM_TRANSLATE, &translation) || !translation.valid)
		return -EFAULT;
	*ret_gpa = translation.physical_address;
	return 0;
}

void kvm_vcpu_tell_paused(struct kvm_vcpu *vcpu)
{
	vcpu_ioctl(vcpu, KVM_KVMCLOCK_CTRL, NULL);
}

static int set_signal_mask(struct kvm_vcpu *vcpu)
{
	/* The kernel's signal set is 8 bytes, the C library's is longer. */
	union {
		struct kvm_signal_mask mask;
		uint8_t bytes[sizeof(struct kvm_signal_mask) + 8];
	} kernel = {.mask.len = 8};
	sigset_t allowed;

	sigfillset(&allowed);
	sigdelset(&allowed, MASKED_KICK);
	memcpy(kernel.mask.sigset, &allowed, 8);
	return vcpu_ioctl(vcpu, KVM_SET_SIGNAL_MASK, &kernel);
}

int kvm_vcpu_accept_kicks(struct kvm_vcpu *vcpu)
{
	sigset_t kick;

	if (!vcpu->kick_signal)
		return set_signal_mask(vcpu);
	sigemptyset(&kick);
	sigaddset(&kick, vcpu->kick_signal);
	return -pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
}

void kvm_vcpu_kick(struct kvm_vcpu *vcpu, pthread_t thread)
{
	/* For a KVM_RUN that has not begun yet, which is not there to be interrupted. */
	if (vcpu->kick_signal)
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(thread, vcpu->kick_signal ? vcpu->kick_signal : MASKED_KICK);
}

static void take_kicks(struct kvm_vcpu *vcpu)
{
	struct timespec now = {0};
	sigset_t kick;

	if (vcpu->kick_signal) {
		/* A kick that comes before this is taken with it: the cause was there before the kick. */
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		return;
	}
	sigemptyset(&kick);
	sigaddset(&kick, MASKED_KICK);
	while (sigtimedwait(&kick, NULL, &now) > 0)
		;
}

int kvm_vcpu_run(struct kvm_vcpu *vcpu)
{
	int err;

	if (!ioctl(vcpu->fd, KVM_RUN, 0))
		return 0;
	err = -errno;
	if (err == -EINTR)
		take_kicks(vcpu);
	return err;
}

int kvm_vcpu_finish_exit(struct kvm_vcpu *vcpu)
{
	int err;

	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	err = kvm_vcpu_run(vcpu);
	/* A kick that is taken back by this had its cause set before: who calls looks at that next. */
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	return err;
}
