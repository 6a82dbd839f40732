#include "kvm/kvm_vm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm/kvm_system.h"
#include "util/bytes.h"

#define ROUTES_MAX 24 /* an IOAPIC's pins */

static int vm_ioctl(const struct kvm_vm *vm, unsigned long request, const void *argument)
{
	return ioctl(vm->fd, request, argument) < 0 ? -errno : 0;
}

int kvm_vm_init(struct kvm_vm *vm, const struct kvm_system *system)
{
	do {
		vm->fd = ioctl(system->fd, KVM_CREATE_VM, 0);
	} while (vm->fd < 0 && errno == EINTR);
	return vm->fd < 0 ? -errno : 0;
}

void kvm_vm_fini(struct kvm_vm *vm)
{
	if (vm->fd > 0)
		close(vm->fd);
	vm->fd = -1;
}

static int set_slot(struct kvm_vm *vm, unsigned slot, uint32_t flags, uint64_t gpa, uint64_t size, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return vm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

int kvm_vm_set_memory(struct kvm_vm *vm, unsigned slot, uint64_t gpa, uint64_t size, void *hva)
{
	return set_slot(vm, slot, 0, gpa, size, hva);
}

int kvm_vm_set_rom(struct kvm_vm *vm, unsigned slot, uint64_t gpa, uint64_t size, void *hva)
{
	return set_slot(vm, slot, KVM_MEM_READONLY, gpa, size, hva);
}

int kvm_vm_set_real_mode_pages(struct kvm_vm *vm, uint64_t identity_gpa, uint64_t tss_gpa)
{
	int err = vm_ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_gpa);

	if (err && err != -EINVAL && err != -ENOTTY)
		return err;
	return ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)tss_gpa) < 0 ? -errno : 0;
}

int kvm_vm_create_irqchip(struct kvm_vm *vm)
{
	return vm_ioctl(vm, KVM_CREATE_IRQCHIP, NULL);
}

int kvm_vm_create_split_irqchip(struct kvm_vm *vm, unsigned pins)
{
	const struct kvm_enable_cap cap = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {pins}};

	return vm_ioctl(vm, KVM_ENABLE_CAP, &cap);
}

bool kvm_vm_signal_msi(const struct kvm_vm *vm, uint32_t address, uint32_t data)
{
	const struct kvm_msi msi = {.address_lo = address, .data = data};

	return ioctl(vm->fd, KVM_SIGNAL_MSI, &msi) > 0;
}

/* KVM looks among the first GSIs' routes, as many as the IOAPIC was said to have pins (kvm_scan_ioapic_routes()). */
int kvm_vm_watch_eoi(const struct kvm_vm *vm, const struct kvm_msi *messages, unsigned count)
{
	union {
		struct kvm_irq_routing header;
		uint8_t bytes[sizeof(struct kvm_irq_routing) +
			      ROUTES_MAX * sizeof(struct kvm_irq_routing_entry)];
	} routes = {.header.nr = MIN(count, (unsigned)ROUTES_MAX)};
	unsigned i;

	for (i = 0; i < routes.header.nr; i++) {
		routes.header.entries[i] = (struct kvm_irq_routing_entry){
			.gsi = i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = messages[i].address_lo, .data = messages[i].data},
		};
	}
	return vm_ioctl(vm, KVM_SET_GSI_ROUTING, &routes);
}

static int set_pic_vectors(struct kvm_vm *vm, unsigned chip, uint8_t first)
{
	struct kvm_irqchip state = {.chip_id = chip};
	int err = vm_ioctl(vm, KVM_GET_IRQCHIP, &state);

	if (err)
		return err;
	state.chip.pic.irq_base = first;
	return vm_ioctl(vm, KVM_SET_IRQCHIP, &state);
}

int kvm_vm_set_pic_vectors(struct kvm_vm *vm, uint8_t first, uint8_t second)
{
	int err = set_pic_vectors(vm, KVM_IRQCHIP_PIC_MASTER, first);

	return err ? err : set_pic_vectors(vm, KVM_IRQCHIP_PIC_SLAVE, second);
}

int kvm_vm_create_pit(struct kvm_vm *vm)
{
	/* The dummy speaker keeps port 0x61, which guests calibrate their TSC with, in the kernel too. */
	struct kvm_pit_config config = {.flags = KVM_PIT_SPEAKER_DUMMY};

	return vm_ioctl(vm, KVM_CREATE_PIT2, &config);
}

int kvm_vm_irq_line(const struct kvm_vm *vm, unsigned gsi, bool level)
{
	struct kvm_irq_level irq = {.irq = gsi, .level = level};

	return vm_ioctl(vm, KVM_IRQ_LINE, &irq);
}

int kvm_vm_send_nmi(const struct kvm_vm *vm)
{
	/* Intel SDM vol. 3, 11.11: physical destination 0xff is every local APIC, delivery mode 4 is NMI. */
	const struct kvm_msi msi = {.address_lo = 0xfeeff000, .data = 4 << 8};

	return vm_ioctl(vm, KVM_SIGNAL_MSI, &msi);
}

int kvm_vm_get_clock(const struct kvm_vm *vm, uint64_t *ret_ns)
{
	struct kvm_clock_data clock = {0};
	int err = vm_ioctl(vm, KVM_GET_CLOCK, &clock);

	if (!err)
		*ret_ns = clock.clock;
	return err;
}

int kvm_vm_set_clock(const struct kvm_vm *vm, uint64_t ns)
{
	/* No flags: KVM_CLOCK_REALTIME would have it add the time that has passed since. */
	const struct kvm_clock_data clock = {.clock = ns};

	return vm_ioctl(vm, KVM_SET_CLOCK, &clock);
}

int kvm_vm_add_irqfd(struct kvm_vm *vm, unsigned gsi, int fd)
{
	struct kvm_irqfd irqfd = {.fd = (uint32_t)fd, .gsi = gsi};

	return vm_ioctl(vm, KVM_IRQFD, &irqfd);
}

int kvm_vm_add_mmio_doorbell(struct kvm_vm *vm, uint64_t gpa, int fd)
{
	/* Without a length KVM need not decode the guest's instruction, where the CPU tells the address (EPT). */
	struct kvm_ioeventfd doorbell = {.addr = gpa, .len = 0, .fd = fd};

	return vm_ioctl(vm, KVM_IOEVENTFD, &doorbell);
}
