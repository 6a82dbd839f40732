/* Interrupt lines and doorbells: the ends of the narrow handles that are KVM's. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "machine/vm.h"

/* ISA devices and pc-testdev, on any thread: the line keeps its level, and the IOAPIC takes a rise for an edge. */
static void set_level(void *ctx, bool level)
{
	const struct pin_line *line = ctx;

	TRACE(&line->vm->trace, TRACE_IRQ, "irq %u %s", line->pin, level ? "high" : "low");
	if (line->vm->split_irqchip)
		ioapic82093_set(&line->vm->board.ioapic, line->pin, level);
	else
		/* It fails for a pin that does not exist, and for nothing else. */
		kvm_vm_irq_line(&line->vm->kvm, line->pin, level);
}

/*
 * virtio: every word that the line is high is an edge of its own, with KVM's IOAPIC one without an ioctl. The transport
 * says it again for each new cause and when an acknowledgement leaves one behind, so that the causes keep the meaning of a
 * level, while the guest's EOI costs neither an exit nor a wake-up of ours (docs/architecture.md).
 */
static void set_virtio(void *ctx, bool level)
{
	const struct pin_line *line = ctx;

	if (level)
		TRACE(&line->vm->trace, TRACE_IRQ, "irq %u edge", line->pin);
	if (line->vm->split_irqchip && level)
		ioapic82093_raise(&line->vm->board.ioapic, line->pin);
	else if (line->vm->split_irqchip)
		ioapic82093_set(&line->vm->board.ioapic, line->pin, false);
	else if (level)
		eventfd_write(line->irqfd, 1);
}

struct irq_line lines_get_level(void *ctx, unsigned pin)
{
	struct lodge_vm *vm = ctx;
	struct pin_line *line = &vm->lines[pin];

	line->vm = vm;
	line->pin = pin;
	return (struct irq_line){.set = set_level, .ctx = line};
}

struct irq_line lines_get(void *ctx, unsigned pin)
{
	struct irq_line line = lines_get_level(ctx, pin);

	if (pin >= VIRTIO_MMIO_IRQ)
		line.set = set_virtio;
	return line;
}

static int connect_line(struct pin_line *line)
{
	line->irqfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return line->irqfd < 0 ? -errno : kvm_vm_add_irqfd(&line->vm->kvm, line->pin, line->irqfd);
}

/* Slot n's line has pin VIRTIO_MMIO_IRQ + n, as wired in board.c. On PCI it has none. */
static int connect_slot(struct lodge_vm *vm, unsigned index)
{
	struct pin_line *line = &vm->lines[VIRTIO_MMIO_IRQ + index];
	const struct board_slot *slot = &vm->board.slots[index];
	int err = vm->split_irqchip || vm->config.pci ? 0 : connect_line(line);

	if (err)
		return err;
	return kvm_vm_add_mmio_doorbell(&vm->kvm, slot->doorbell_gpa, slot->doorbell.fd);
}

int lines_connect(struct lodge_vm *vm)
{
	unsigned i;
	int err;

	for (i = 0; i < vm->board.slot_count; i++) {
		err = connect_slot(vm, i);
		if (err)
			return err;
	}
	return 0;
}

void lines_fini(struct lodge_vm *vm)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(vm->lines); i++) {
		if (vm->lines[i].irqfd > 0)
			close(vm->lines[i].irqfd);
		vm->lines[i].irqfd = 0;
	}
}
