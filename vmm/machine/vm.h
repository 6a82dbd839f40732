/*
 * A virtual machine, as the files of this folder see it:
 *
 *   vm.c         what a VM is made of, made and freed
 *   config.c     its configuration's defaults and limits
 *   ram.c        guest memory
 *   board.c      the one page where its devices are wired
 *   firmware.c   the ROM, and what it is told through fw_cfg
 *   firmware_files.c what other firmware than latchkey is told
 *   boot.c       the kernel, its initrd and the tables that describe the machine
 *   irqchip.c    the interrupt controllers: which of them are KVM's
 *   lines.c      interrupt lines and doorbells, from handles to KVM's eventfds
 *   run.c        its threads, and how a run ends
 *   vcpu.c       the thread of a vCPU, and the table of exits
 *   io_thread.c  the thread of the virtqueues
 *   front_panel.c reset, NMI, power button
 *   pause.c      the gate where its threads wait while it is paused
 *   debug.c      what a debugger does with it
 *   stats.c      what the guest has used so far
 *   result.c     what the guest did, for the caller
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "backend/console.h"
#include "event/loop.h"
#include "firmware/boot_plan.h"
#include "kvm/kvm_exit.h"
#include "kvm/kvm_system.h"
#include "kvm/kvm_vcpu.h"
#include "kvm/kvm_vm.h"
#include "loader/image.h"
#include "loader/loader.h"
#include "lodge.h"
#include "machine/board.h"
#include "machine/debug.h"
#include "memory/guest_memory.h"
#include "memory/huge_pages.h"
#include "util/busy_wait.h"
#include "util/counter.h"
#include "util/trace.h"
#include "x86/e820.h"

struct boot_state;
struct error;
struct kvm_cpuid2;

/* A thread of the machine: a vCPU's or the I/O thread. */
struct gate_thread {
	pthread_t id;
	bool started;
	bool alive;       /* its clock can be read */
	uint64_t cpu_ns;  /* CPU time that it took, once it has ended */
	atomic_bool held; /* it waits at the open gate too; changes while it waits */
};

struct vcpu {
	struct kvm_vcpu kvm;
	struct lodge_vm *vm;
	unsigned id;
	struct gate_thread thread;
	bool step; /* one instruction, for the debugger; changes while its thread waits */
	/* Counted by the vCPU's own thread, read by any. */
	counter_t exits[KVM_EXIT_REASONS];
	counter_t exit_cycles;             /* of clock_cycles(), in the handlers */
	uint64_t guest_ns;                 /* as told last, under gate.lock */
	counter_t pio[BUS_RANGES_MAX + 1]; /* by the range's index; the last: nobody's */
	counter_t mmio[BUS_RANGES_MAX + 1];
};

/* An interrupt line to one IOAPIC pin. */
struct pin_line {
	struct lodge_vm *vm;
	unsigned pin;
	int irqfd; /* an eventfd for virtio's pins of KVM's IOAPIC; 0: none */
};

/* The I/O thread's view of a slot. */
struct io_slot {
	struct board_slot *slot;
	struct event_source doorbell;
	struct event_source done; /* the disk has answers */
	struct event_timer retry; /* when a request that waits for the disk's rate may go */
	unsigned index;
	bool may_look; /* for answers, before it sleeps until one comes */
	bool busy;     /* it is looked at again */
	struct busy_wait wait;
	const struct trace *trace;
};

struct io_thread {
	struct event_loop loop;
	struct io_slot slots[VIRTIO_MMIO_SLOTS];
	struct doorbell gate_bell; /* rung when the gate closes */
	struct event_source gate_source;
	struct gate_thread thread;
};

/* The first cause that ends a run, and what was seen then. */
struct ending {
	enum lodge_outcome outcome;
	bool restart; /* a reset that starts the guest anew, in place of an end */
	uint32_t code;
	char message[256];
	bool has_registers;
	struct lodge_registers registers;
};

enum gate_state {
	GATE_IDLE,  /* the VM does not run: not yet, or no more */
	GATE_RUNS,  /* there is a machine, and its threads are started or about to be */
	GATE_STOPS, /* its threads end: nobody waits at the gate any more */
};

/* Who keeps the gate closed: it opens when nobody does. */
enum gate_holder { HOLD_PAUSE = 1, HOLD_DEBUGGER = 2 };

/* Where the machine's threads wait while the VM is paused. */
struct gate {
	pthread_mutex_t lock;  /* guards the rest, and each gate_thread; no other is taken below it */
	pthread_cond_t moved;  /* any of it has changed */
	enum gate_state state; /* changes with machine_lock held too: either lock will do to read it */
	unsigned threads;      /* that have not ended */
	unsigned waiting;      /* those of them that wait at the gate */
	bool has_clock;        /* clock_ns is kvmclock as it stood when the last of them had come */
	uint64_t clock_ns;
	uint64_t paused_at; /* when the last of them had come, ns; 0: the VM is not paused */
	uint64_t paused_ns; /* how long it was paused before that */
	atomic_uint closed; /* gate_holders; written under the lock, looked at without it at each passage */
};

/* The debugger's, with its breakpoints: they change while all vCPUs wait at the gate. */
struct debug {
	int event_fd;        /* rung by a vCPU that stops; 0: there is no debugger */
	atomic_bool stopped; /* by the vCPU whose `stop` it is, the first one */
	struct debug_stop stop;
	struct debug_point points[DEBUG_POINTS_MAX];
	unsigned step_control; /* for KVM */
	bool no_watchpoints; /* kvm_pvm's emulator looks at debug registers where an instruction begins, and nowhere else */
};

#define SETUP_PHASES_MAX 14

struct lodge_vm {
	/* What lives as long as the VM. */
	struct lodge_config config;
	struct trace trace;
	struct kvm_system system;
	struct kvm_cpuid2
		*cpuid; /* what it supports, as adapted for the last vCPU; NULL: not asked for yet */
	struct board_disk disks[LODGE_DISKS_MAX];
	struct image kernel, initrd; /* a restart loads them again */
	struct kernel kernel_plan;   /* what the first of them is */
	struct image firmware;       /* without a name: there is none */
	/* What may be asked later on, when no path can be opened any more. */
	FILE *smaps;                        /* NULL: there is no /proc */
	struct huge_pages_files huge_pages; /* with config.hugepages */
	/* The caller's thread runs this loop: console, timeout, stop. */
	struct event_loop loop;
	struct console console;
	int console_err; /* -errno of a stream that failed; the same thread's */
	struct event_timer timeout;
	struct event_source stop_source;        /* an eventfd, for lodge_vm_stop() */
	struct event_source stop_config_source; /* config.stop_fd */

	/*
	 * Held while the machine is built anew, and by other threads that reach for it: there is one, whole, where
	 * gate.state is GATE_RUNS. Outermost. The machine's own threads never take it, as they are joined below it.
	 */
	pthread_mutex_t machine_lock;

	/* The machine: a restart takes it apart and builds another. Its own threads are there as long as it is. */
	struct kvm_vm kvm;
	bool split_irqchip; /* the IOAPIC is the board's, and there is no PIC */
	struct guest_memory mem;
	struct guest_memory staged; /* with firmware: what mem would have at the kernel's entry without */
	struct boot_plan boot_plan; /* ... and what latchkey takes from there */
	struct e820_entry e820[E820_ENTRIES_MAX]; /* for a BIOS */
	struct firmware_files *firmware_files;    /* what other firmware takes besides */
	uint64_t initrd_base;                     /* 0: there is none */
	struct pin_line lines[IOAPIC_PINS];
	struct board board;
	struct vcpu *vcpus; /* config.cpus of them */
	unsigned vcpu_count;
	struct io_thread io;

	/* The run. */
	pthread_mutex_t end_lock; /* guards ending, ended and ended_at; innermost */
	struct ending ending;
	bool ended;
	struct gate gate;
	struct debug debug;
	atomic_bool ending_now; /* the vCPU threads shall leave */
	bool ran;
	struct lodge_stats past; /* the counters of machines that are gone, but for the disks' */
	uint64_t restarts;       /* how many these are */

	struct lodge_count setup_us[SETUP_PHASES_MAX]; /* of the first machine */
	unsigned setup_count;
	uint64_t setup_at; /* when the last phase ended, ns */
	uint64_t
		firmware_us; /* from the start until latchkey entered the kernel, the first time; 0: it has not */

	uint64_t started_cycles;     /* clock_cycles() at the start; published by the next */
	_Atomic uint64_t started_at; /* ns; 0: not yet */
	uint64_t ended_at;           /* ns; under end_lock */
};

/* vm.c: takes the machine apart and builds another, after its threads have ended: 0, or -errno and *error. */
int machine_rebuild(struct lodge_vm *vm, struct error *error);

/* Ends the run: the first caller's reason is kept. Any thread, with any of its locks held. */
void vm_end(struct lodge_vm *vm, const struct ending *ending);

/* Ends the run as a failure of lodge's own. */
void vm_fail(struct lodge_vm *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Called first on each thread of the library's. */
static inline void thread_begins(const struct lodge_config *config, enum lodge_thread thread)
{
	if (config->thread_started)
		config->thread_started(config->guard_ctx, thread);
}

/* ram.c: guest memory, with KVM's slots; its first `count` regions are named to the disks, or none any more. */
int ram_init(struct lodge_vm *vm, struct error *error);
void ram_name(struct lodge_vm *vm, unsigned count);

/*
 * boot.c: opens the kernel and its initrd; unpacks and checks the kernel; loads them, and describes the machine to
 * them. What boots from disk has no *ret_state: firmware_load() makes it.
 */
int boot_open(struct lodge_vm *vm, struct error *error);
int boot_judge(struct lodge_vm *vm, struct error *error);
void boot_close(struct lodge_vm *vm); /* zeroed VMs too, and twice */
int boot_load(struct lodge_vm *vm, struct boot_state *ret_state, struct error *error);

/*
 * firmware.c, all of it nothing where there is none: opens and checks the ROM; makes its place, and shows it to the
 * guest; fills it, and turns the kernel's state into that of a CPU at reset.
 */
int firmware_open(struct lodge_vm *vm, struct error *error);
int firmware_map(struct lodge_vm *vm);
int firmware_load(struct lodge_vm *vm, struct boot_state *state, struct error *error);
bool firmware_wants_pc(const struct lodge_vm *vm); /* a timer and a PIC, whatever the kernel's format */

/* firmware_files.c: adds all that other firmware looks for to fw_cfg, whose bytes are freed with it: 0, or -errno and *error. */
int firmware_add_files(struct lodge_vm *vm, struct error *error);

/* run.c: what the caller's thread waits for. */
int events_init(struct lodge_vm *vm, struct error *error);
void events_fini(struct lodge_vm *vm);

/*
 * irqchip.c: whether the kernel can do with what the configuration says of them; makes KVM's part of the interrupt
 * controllers; and where what sends messages on the board sends them to.
 */
int irqchip_check(const struct lodge_vm *vm, struct error *error);
int irqchip_init(struct lodge_vm *vm, struct error *error);
struct msi_handle irqchip_msi(struct lodge_vm *vm);

/* lines.c: gives board_config.irq and .irq_level their lines; then connects them, and the doorbells, to KVM. */
struct irq_line lines_get(void *vm, unsigned pin);
struct irq_line lines_get_level(void *vm, unsigned pin);
int lines_connect(struct lodge_vm *vm);
void lines_fini(struct lodge_vm *vm);

/* vcpu.c: the body of a vCPU's thread. */
void *vcpu_main(void *vcpu);
void vcpu_read_registers(
	struct vcpu *vcpu, struct ending *ending); /* on its thread, or when that has ended */

/*
 * pause.c: starts a thread of the machine (0 or -errno); that thread says that it ends; whether it has to wait, which it
 * does, and is told whether it has; and what becomes of the machine.
 */
int pause_start_thread(struct lodge_vm *vm, struct gate_thread *thread, void *(*body)(void *), void *ctx);
void pause_end_thread(struct lodge_vm *vm, struct gate_thread *thread);
static inline bool pause_wanted(const struct lodge_vm *vm, const struct gate_thread *thread)
{
	return atomic_load_explicit(&vm->gate.closed, memory_order_acquire) ||
	       atomic_load_explicit(&thread->held, memory_order_relaxed);
}

bool pause_pass(struct lodge_vm *vm, struct gate_thread *thread);
void pause_set_state(struct lodge_vm *vm, enum gate_state state);

/*
 * Closes the gate, in any state; waits until everybody is there, or somebody opens it: 0, or -ESRCH when the VM does not
 * run; whether all stand still because of this holder; opens it.
 */
void pause_request(struct lodge_vm *vm, enum gate_holder holder);
int pause_wait(struct lodge_vm *vm);
bool pause_is_still(struct lodge_vm *vm, enum gate_holder holder);
void pause_release(struct lodge_vm *vm, enum gate_holder holder);

/* io_thread.c: only where there are disks is there anything to init; the others do nothing where there is none. */
int io_thread_init(struct lodge_vm *vm);
void io_thread_fini(struct lodge_vm *vm);
int io_thread_start(struct lodge_vm *vm);
void io_thread_stop(
	struct lodge_vm *vm); /* it takes no more requests, and finishes those that it has taken */
void io_thread_join(struct lodge_vm *vm);

/*
 * stats.c: adds what the machine's threads have counted to *stats; what its disks did, over all restarts. Any thread, with
 * machine_lock held where the machine may be taken apart.
 */
void stats_add_machine(struct lodge_vm *vm, struct lodge_stats *stats);
void stats_disks(const struct lodge_vm *vm, struct lodge_disk_stats *ret_disks);

/* result.c: what is known when all threads have ended. */
void result_fill(struct lodge_vm *vm, struct lodge_result *ret_result);
