/*
 * A virtual machine, as the files of this folder see it:
 *
 *   vm.c         what a VM is made of, made and freed
 *   config.c     its configuration's defaults and limits
 *   board.c      the one page where its devices are wired
 *   boot.c       the kernel, its initrd and the tables that describe the machine
 *   lines.c      interrupt lines and doorbells, from handles to KVM's eventfds
 *   run.c        its threads, and how a run ends
 *   vcpu.c       the thread of a vCPU, and the table of exits
 *   io_thread.c  the thread of the virtqueues
 *   pause.c      the gate between two KVM_RUNs
 *   result.c     what the guest did, for the caller
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/console.h"
#include "event/loop.h"
#include "kvm/kvm_exit.h"
#include "kvm/kvm_system.h"
#include "kvm/kvm_vcpu.h"
#include "kvm/kvm_vm.h"
#include "loader/image.h"
#include "loader/loader.h"
#include "lodge.h"
#include "machine/board.h"
#include "memory/guest_memory.h"
#include "util/trace.h"

struct boot_state;
struct error;

struct vcpu {
	struct kvm_vcpu kvm;
	struct lodge_vm *vm;
	unsigned id;
	pthread_t thread;
	bool started;
	/* Counted by the vCPU's own thread, and read when it has ended. */
	uint64_t exits[KVM_EXIT_REASONS];
	uint64_t pio[BUS_RANGES_MAX + 1]; /* by the range's index; the last: nobody's */
	uint64_t mmio[BUS_RANGES_MAX + 1];
};

/* An interrupt line to one IOAPIC pin. */
struct pin_line {
	const struct lodge_vm *vm;
	unsigned pin;
	int irqfd; /* an eventfd for virtio's pins; 0 for ISA's */
};

/* The I/O thread's view of a slot. */
struct io_slot {
	struct board_slot *slot;
	struct event_source doorbell;
	unsigned index;
	const struct trace *trace;
};

struct io_thread {
	struct event_loop loop;
	struct io_slot slots[VIRTIO_MMIO_SLOTS];
	pthread_t thread;
	bool started;
};

/* The first cause that ends a run, and what was seen then. */
struct ending {
	enum lodge_outcome outcome;
	uint32_t code;
	char message[256];
	bool has_registers;
	struct lodge_registers registers;
};

/* Where vCPU threads wait while the VM is paused. */
struct gate {
	pthread_mutex_t lock; /* guards the rest, and vcpu.started and .thread; no other is taken below it */
	pthread_cond_t moved; /* any of it has changed */
	unsigned vcpus;       /* threads that have not ended */
	unsigned waiting;     /* those of them that wait at the gate */
	bool abandoned;       /* the run ends: nothing waits any more */
	atomic_bool closed;   /* written under the lock, looked at without it before each KVM_RUN */
};

#define SETUP_PHASES_MAX 10

struct lodge_vm {
	struct lodge_config config;
	struct trace trace;
	struct kvm_system system;
	struct kvm_vm kvm;
	struct guest_memory mem;
	struct board_disk disks[LODGE_DISKS_MAX];
	struct image kernel, initrd; /* open until they are loaded */
	struct kernel kernel_plan;   /* what the first of them is */
	struct pin_line lines[IOAPIC_PINS];
	struct board board;
	struct vcpu *vcpus; /* config.cpus of them */
	unsigned vcpu_count;

	/* The caller's thread runs this loop: console, timeout, stop. */
	struct event_loop loop;
	struct console console;
	struct event_timer timeout;
	struct event_source stop_source;        /* an eventfd, for lodge_vm_stop() */
	struct event_source stop_config_source; /* config.stop_fd */
	struct io_thread io;

	pthread_mutex_t end_lock; /* guards ending and ended; innermost */
	struct ending ending;
	bool ended;
	struct gate gate;
	atomic_bool ending_now; /* the vCPU threads shall leave */
	bool ran;

	struct lodge_count setup_us[SETUP_PHASES_MAX];
	unsigned setup_count;
	uint64_t setup_at;             /* when the last phase ended, ns */
	uint64_t started_at, ended_at; /* ns */
};

/* Ends the run: the first caller's reason is kept. Any thread, with any of its locks held. */
void vm_end(struct lodge_vm *vm, const struct ending *ending);

/* Ends the run as a failure of lodge's own. */
void vm_fail(struct lodge_vm *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* boot.c: opens and checks the kernel and its initrd; loads them, and describes the machine to them. */
int boot_open(struct lodge_vm *vm, struct error *error);
void boot_close(struct lodge_vm *vm); /* zeroed VMs too, and twice */
int boot_load(struct lodge_vm *vm, struct boot_state *ret_state, struct error *error);

/* run.c: what the caller's thread waits for. */
int events_init(struct lodge_vm *vm, struct error *error);
void events_fini(struct lodge_vm *vm);

/* lines.c: gives board_config.irq and .irq_level their lines; then connects them, and the doorbells, to KVM. */
struct irq_line lines_get(void *vm, unsigned pin);
struct irq_line lines_get_level(void *vm, unsigned pin);
int lines_connect(struct lodge_vm *vm);
void lines_fini(struct lodge_vm *vm);

/* vcpu.c: the body of a vCPU's thread. */
void *vcpu_main(void *vcpu);

/*
 * pause.c: starts a vCPU's thread (0 or -errno); its thread says that it ends; its thread waits while the VM is
 * paused; and the run ends, so that nobody waits any more.
 */
int pause_start_vcpu(struct lodge_vm *vm, struct vcpu *vcpu);
void pause_end_vcpu(struct lodge_vm *vm);
void pause_pass(struct vcpu *vcpu);
void pause_abandon(struct lodge_vm *vm);

/* io_thread.c */
int io_thread_init(struct lodge_vm *vm);
void io_thread_fini(struct lodge_vm *vm);
int io_thread_start(struct lodge_vm *vm);
void io_thread_stop(struct lodge_vm *vm); /* requests that were taken are finished */

/* result.c: what is known when all threads have ended. */
void result_fill(struct lodge_vm *vm, struct lodge_result *ret_result);
