/*
 * A KVM virtual machine: memory slots, interrupt controllers, and the eventfds that stand for doorbells and
 * interrupt lines. Each function is the ioctl of its name; all return 0 or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct kvm_msi;
struct kvm_system;

struct kvm_vm {
	int fd;
};

int kvm_vm_init(struct kvm_vm *vm, const struct kvm_system *system);
void kvm_vm_fini(struct kvm_vm *vm);

/* Shows size bytes at hva to the guest at gpa. Every slot comes before the irqchip: see docs/architecture.md. */
int kvm_vm_set_memory(struct kvm_vm *vm, unsigned slot, uint64_t gpa, uint64_t size, void *hva);

/* ... and where the guest only reads: what it writes there leaves as MMIO. */
int kvm_vm_set_rom(struct kvm_vm *vm, unsigned slot, uint64_t gpa, uint64_t size, void *hva);

/* The pages that KVM keeps for real mode on Intel hosts; before the first vCPU. */
int kvm_vm_set_real_mode_pages(struct kvm_vm *vm, uint64_t identity_gpa, uint64_t tss_gpa);

/* PIC, IOAPIC and local APICs; before the vCPUs. */
int kvm_vm_create_irqchip(struct kvm_vm *vm);

/*
 * ... or local APICs alone, for an IOAPIC of so many pins elsewhere, which reaches them by kvm_vm_signal_msi(). No
 * GSI leads anywhere then. -EINVAL: this KVM cannot do that.
 */
int kvm_vm_create_split_irqchip(struct kvm_vm *vm, unsigned pins);

/* A message to the local APICs; any thread. Whether one took it. */
bool kvm_vm_signal_msi(const struct kvm_vm *vm, uint32_t address, uint32_t data);

/*
 * With a split irqchip: the end of interrupt of these level-triggered messages leaves for user space, as
 * KVM_EXIT_IOAPIC_EOI, and of no others any more. As many as the IOAPIC has pins at most; any thread.
 */
int kvm_vm_watch_eoi(const struct kvm_vm *vm, const struct kvm_msi *messages, unsigned count);

int kvm_vm_create_pit(struct kvm_vm *vm);

/* Which vectors the two PICs begin at; behind kvm_vm_create_irqchip(). */
int kvm_vm_set_pic_vectors(struct kvm_vm *vm, uint8_t first, uint8_t second);

/* Sets the level of a GSI; any thread. */
int kvm_vm_irq_line(const struct kvm_vm *vm, unsigned gsi, bool level);

/* An NMI to every CPU; any thread. */
int kvm_vm_send_nmi(const struct kvm_vm *vm);

/* kvmclock, in nanoseconds: what it reads now, and what it shall go on from; any thread. */
int kvm_vm_get_clock(const struct kvm_vm *vm, uint64_t *ret_ns);
int kvm_vm_set_clock(const struct kvm_vm *vm, uint64_t ns);

/* A write to fd is an edge on the GSI, without an ioctl. */
int kvm_vm_add_irqfd(struct kvm_vm *vm, unsigned gsi, int fd);

/* A write at the MMIO address gpa, of whatever size and value, signals fd instead of leaving to user space. */
int kvm_vm_add_mmio_doorbell(struct kvm_vm *vm, uint64_t gpa, int fd);
