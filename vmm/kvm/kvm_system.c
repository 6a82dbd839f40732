#include "kvm/kvm_system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/error.h"

#define CAP(name) KVM_CAP_##name, #name
const struct kvm_capability kvm_capabilities[] = {
	{CAP(USER_MEMORY), true, "guest memory"},
	{CAP(IRQCHIP), true, "PIC, IOAPIC and local APICs in the kernel"},
	{CAP(IRQFD), true, "interrupts from the I/O thread without an ioctl"},
	{CAP(IOEVENTFD), true, "virtio kicks without a user-space exit"},
	{CAP(IOEVENTFD_ANY_LENGTH), true, "kicks that KVM need not decode"},
	{CAP(EXT_CPUID), true, "CPUID leaves"},
	{CAP(MP_STATE), true, "parked vCPUs"},
	{CAP(SET_TSS_ADDR), true, "real mode on Intel hosts"},
	{CAP(SET_IDENTITY_MAP_ADDR), false, "real mode on Intel hosts"},
	{CAP(PIT2), false, "--pit"},
	{CAP(KVMCLOCK_CTRL), false, "telling a guest that it was paused"},
	{CAP(ADJUST_CLOCK), false, "a kvmclock that stands still in a pause"},
	{CAP(SPLIT_IRQCHIP), false, "an IOAPIC of lodge's own, where the guest needs no PIC"},
	{CAP(SIGNAL_MSI), false, "NMIs from outside, and --pci"},
	{CAP(IMMEDIATE_EXIT), false, "exits without a change of the thread's signal mask"},
	{CAP(TSC_DEADLINE_TIMER), false, "the guest's TSC-deadline timer"},
};
#undef CAP
const unsigned kvm_capability_count = ARRAY_SIZE(kvm_capabilities);

int kvm_system_check(const struct kvm_system *system, const char *path, struct error *error)
{
	unsigned i;

	for (i = 0; i < kvm_capability_count; i++) {
		if (kvm_capabilities[i].required &&
			!kvm_system_capability(system, kvm_capabilities[i].number)) {
			return error_set(error, ERROR_HOST, -ENOTSUP,
				"%s: this host's KVM lacks %s (%s); a newer kernel has it", path,
				kvm_capabilities[i].name, kvm_capabilities[i].use);
		}
	}
	return 0;
}

static const char *open_hint(int err)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "load kvm_intel or kvm_amd, and enable virtualization in the firmware or in the "
		       "hypervisor around this machine";
	case EACCES:
	case EPERM:
		return "join the group that owns it (often: sudo usermod -aG kvm $USER, then log in again)";
	default:
		return "see `lodge info`";
	}
}

int kvm_system_open(struct kvm_system *system, const char *path, struct error *error)
{
	int err;

	system->fd = TEMP_FAILURE_RETRY(open(path, O_RDWR | O_CLOEXEC));
	if (system->fd < 0) {
		err = errno;
		return error_set(error, ERROR_HOST, -err, "%s: %s; %s", path, strerror(err), open_hint(err));
	}
	if (ioctl(system->fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		err = error_set(error, ERROR_HOST, -ENODEV,
			"%s: not a KVM device with API version %d; load kvm_intel or kvm_amd", path,
			KVM_API_VERSION);
		goto fail;
	}
	system->run_size = ioctl(system->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (system->run_size < (int)sizeof(struct kvm_run)) {
		err = error_set(error, ERROR_HOST, -ENODEV, "%s: KVM_GET_VCPU_MMAP_SIZE is too small", path);
		goto fail;
	}
	return 0;
fail:
	kvm_system_fini(system);
	return err;
}

void kvm_system_fini(struct kvm_system *system)
{
	if (system->fd > 0)
		close(system->fd);
	system->fd = -1;
}

int kvm_system_capability(const struct kvm_system *system, int number)
{
	int value = ioctl(system->fd, KVM_CHECK_EXTENSION, number);

	return MAX(value, 0);
}

unsigned kvm_system_max_vcpus(const struct kvm_system *system)
{
	int max = kvm_system_capability(system, KVM_CAP_MAX_VCPUS);

	return (unsigned)MAX(1, max);
}

int kvm_system_get_cpuid(const struct kvm_system *system, struct kvm_cpuid2 *cpuid)
{
	return ioctl(system->fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 ? -errno : 0;
}
