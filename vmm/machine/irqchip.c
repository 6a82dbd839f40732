/*
 * The interrupt controllers. KVM has a PC's whole set; or it has the local APICs alone, and the board has an IOAPIC
 * that sends them messages. The second way leaves KVM's I/O bus empty, so that a VM without a disk is freed in a
 * fraction of a millisecond (docs/architecture.md); but there is no PIC.
 */
#include <errno.h>
#include <linux/kvm.h>

#include "machine/vm.h"
#include "util/error.h"

/* What kernels of that kind find on a PC, and may rely on: a timer, and a PIC with a BIOS's vectors. */
static bool wants_pc(const struct lodge_vm *vm)
{
	return boot_protocol_wants_pc(vm->kernel_plan.protocol) || firmware_wants_pc(vm);
}

/*
 * PVH and Linux's boot protocol promise no PIC, and with ACPI's reduced hardware Linux looks for none. But for an
 * ELF file that is entered as Linux is and is none (it has no setup header): unikernels that know the 8259 alone.
 */
static bool wants_pic(const struct lodge_vm *vm)
{
	const struct lodge_config *config = &vm->config;
	const struct kernel *kernel = &vm->kernel_plan;

	return wants_pc(vm) || config->pit || config->no_acpi || config->pc_testdev ||
	       (kernel->protocol == PROTOCOL_LINUX64 && !kernel->setup.len);
}

int irqchip_check(const struct lodge_vm *vm, struct error *error)
{
	if (vm->config.irqchip == LODGE_IRQCHIP_SPLIT && wants_pc(vm)) {
		return error_set(error, ERROR_USAGE, -EINVAL,
			"a split irqchip has no i8259, which %s (%s) expect",
			firmware_wants_pc(vm) ? "other firmwares" : "kernels of this format",
			firmware_wants_pc(vm) ? vm->firmware.name : vm->kernel_plan.format);
	}
	return 0;
}

static int create_full(struct lodge_vm *vm)
{
	int err = kvm_vm_create_irqchip(&vm->kvm);

	if (!err && wants_pc(vm))
		err = kvm_vm_set_pic_vectors(&vm->kvm, PIC_VECTORS, PIC_SECOND_VECTORS);
	if (!err && (wants_pc(vm) || vm->config.pit))
		err = kvm_vm_create_pit(&vm->kvm);
	return err;
}

int irqchip_init(struct lodge_vm *vm, struct error *error)
{
	enum lodge_irqchip wanted = vm->config.irqchip;
	int err = 0;

	vm->split_irqchip = wanted == LODGE_IRQCHIP_SPLIT || (wanted == LODGE_IRQCHIP_AUTO && !wants_pic(vm));
	if (vm->split_irqchip) {
		err = kvm_vm_create_split_irqchip(&vm->kvm, IOAPIC_PINS);
		if (err && wanted == LODGE_IRQCHIP_SPLIT)
			return error_set(error, ERROR_HOST, err, "a split irqchip: %s", strerror(-err));
		vm->split_irqchip = !err;
	}
	if (!vm->split_irqchip)
		err = create_full(vm);
	if (err)
		return error_set(error, ERROR_HOST, err, "interrupt controllers: %s", strerror(-err));
	return 0;
}

static bool send_msi(void *ctx, struct msi_message message)
{
	const struct lodge_vm *vm = ctx;

	TRACE(&vm->trace, TRACE_IRQ, "msi 0x%x 0x%x", message.address, message.data);
	return kvm_vm_signal_msi(&vm->kvm, message.address, message.data);
}

/* For pins that a guest makes level-triggered; ours are edges. */
static void watch_msi(void *ctx, const struct msi_message *messages, unsigned count)
{
	struct lodge_vm *vm = ctx;
	struct kvm_msi routes[IOAPIC_PINS];
	unsigned i;
	int err;

	for (i = 0; i < count; i++)
		routes[i] = (struct kvm_msi){.address_lo = messages[i].address, .data = messages[i].data};
	err = kvm_vm_watch_eoi(&vm->kvm, routes, count);
	if (err)
		vm_fail(vm, "KVM_SET_GSI_ROUTING: %s", strerror(-err));
}

struct msi_handle irqchip_msi(struct lodge_vm *vm)
{
	return (struct msi_handle){.send = send_msi, .watch = watch_msi, .ctx = vm};
}
