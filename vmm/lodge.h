/*
 * liblodge: virtual machines on Linux KVM, as a library.
 *
 *     struct lodge_config config;
 *     struct lodge_vm *vm;
 *     struct lodge_result result;
 *     struct lodge_error error;
 *
 *     lodge_config_init(&config);
 *     config.append = "run=selftest";
 *     if (lodge_vm_new(&config, &vm, &error) < 0)
 *             return error.status;
 *     lodge_vm_run(vm, &result);
 *     lodge_vm_free(vm);
 *     return result.status;
 *
 * The library keeps no global state, prints nothing and never exits: any number of VMs may live in one
 * process, each on a thread of its own. Functions return 0 or a negative errno.
 */
#ifndef LODGE_H
#define LODGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LODGE_API __attribute__((visibility("default")))

/* How a run ended; lodge_outcome_name() has the words. docs/exit-status.md is the contract. */
enum lodge_outcome {
	LODGE_POWEROFF,
	LODGE_GUEST_EXIT,
	LODGE_USAGE,
	LODGE_HOST,
	LODGE_IMAGE,
	LODGE_VMM_ERROR,
	LODGE_RESET,
	LODGE_TRIPLE_FAULT,
	LODGE_KVM_INTERNAL_ERROR,
	LODGE_PANIC,
	LODGE_TIMEOUT,
	LODGE_STOPPED,
};

/* The same as exit statuses; 1 to 99 are the guest's own. */
enum lodge_status {
	LODGE_STATUS_POWEROFF = 0,
	LODGE_STATUS_GUEST_MAX = 99,
	LODGE_STATUS_USAGE = 100,
	LODGE_STATUS_HOST = 101,
	LODGE_STATUS_IMAGE = 102,
	LODGE_STATUS_VMM_ERROR = 103,
	LODGE_STATUS_RESET = 110,
	LODGE_STATUS_TRIPLE_FAULT = 111,
	LODGE_STATUS_KVM_INTERNAL_ERROR = 112,
	LODGE_STATUS_PANIC = 113,
	LODGE_STATUS_TIMEOUT = 114,
	LODGE_STATUS_STOPPED = 115,
};

struct lodge_error {
	int status;     /* LODGE_STATUS_USAGE, _HOST, _IMAGE or _VMM_ERROR */
	char text[512]; /* one line for a person: what failed, on what, why, what to do */
};

#define LODGE_DISKS_MAX 8
#define LODGE_CPUS_MAX  64

/*
 * What a disk may do a second: bytes that requests read or write, and requests that do so, or discard. 0: no limit.
 * One second's worth may go at once; a request that is larger waits for all of it and then goes whole, and the next
 * one waits until that is paid for. A flush is never held up by a rate.
 */
struct lodge_disk_rate {
	uint64_t bytes_per_s, requests_per_s;
};

/* Who carries a disk's requests out. */
enum lodge_aio {
	LODGE_AIO_AUTO, /* io_uring, or threads where this host has none or forbids it */
	LODGE_AIO_IO_URING,
	LODGE_AIO_THREADS,
};

struct lodge_disk {
	const char *path; /* a raw image or block device; NULL: a scratch disk in memory, gone with the VM */
	uint64_t size;    /* bytes, of a scratch disk only; 0: 16 MiB */
	const char *serial; /* up to 20 bytes for GET_ID; NULL: "lodge-0", "lodge-1" ... */
	bool read_only;
	bool direct;        /* O_DIRECT: past the host's page cache */
	enum lodge_aio aio; /* of a file or block device */
	bool no_poll; /* never looks for the ends of its requests, where they are near, but sleeps until one comes */
	struct lodge_disk_rate rate;
};

/* Who reads the guest's serial console, and types on it. */
enum lodge_console_kind {
	LODGE_CONSOLE_STREAM, /* gets every byte: while it takes none, the guest's transmitter waits */
	LODGE_CONSOLE_VIEWER, /* holds nobody back: one that lags by more than the ring misses the oldest bytes */
	/*
	 * `in` is a listening unix stream socket: whoever connects, and is this process's user or root, is a viewer,
	 * and first gets what is kept. Up to 32 at a time; one more is hung up on.
	 */
	LODGE_CONSOLE_LISTEN,
};

/*
 * One of them. When the guest has ended, streams get the rest however long they take (a stop or the timeout ends
 * that), viewers as much as they take at once. A stream whose output fails ends the run; a viewer is dropped, as
 * is a pty's master whose other side is closed: keep that open. A socket that other processes accept from, too,
 * should be non-blocking.
 */
struct lodge_console {
	enum lodge_console_kind kind;
	int in;  /* what the guest receives; -1: nothing */
	int out; /* where it sends to; -1: nowhere */
	bool escape; /* Ctrl-A x on `in` stops the guest, Ctrl-A a sends Ctrl-A; connections to `in` have it too */
};

#define LODGE_CONSOLES_MAX 9
#define LODGE_CONSOLE_KEPT (1 << 20) /* bytes that are kept for who comes later: "the ring" */

enum lodge_trace {
	LODGE_TRACE_PIO = 1 << 0,
	LODGE_TRACE_MMIO = 1 << 1,
	LODGE_TRACE_IRQ = 1 << 2,
	LODGE_TRACE_VIRTIO = 1 << 3,
	LODGE_TRACE_EXIT = 1 << 4,
};

/* What the threads are for that the library starts. */
enum lodge_thread {
	LODGE_THREAD_VCPU,
	LODGE_THREAD_IO,      /* the virtqueues */
	LODGE_THREAD_BLOCK,   /* requests of a disk that has no io_uring; started in lodge_vm_new() */
	LODGE_THREAD_CONTROL, /* the control socket, or the debugger's */
};

/* What kind of file a kernel is. */
enum lodge_format {
	LODGE_FORMAT_AUTO, /* as its magic says: bzImage, ELF (PVH, multiboot 1, 64-bit entry), multiboot 1 */
	LODGE_FORMAT_FLAT, /* 16-bit code for 1000:0000: it has no magic, and gets no command line nor initrd */
	/* No kernel: latchkey starts the first disk's boot sector. */
	LODGE_FORMAT_BOOT_SECTOR,
};

/* Where the interrupt controllers are. */
enum lodge_irqchip {
	LODGE_IRQCHIP_AUTO, /* split, unless the kernel may want a PIC or this KVM cannot do it */
	LODGE_IRQCHIP_FULL, /* a PC's in KVM: two i8259s, IOAPIC, local APICs */
	LODGE_IRQCHIP_SPLIT, /* local APICs in KVM, the IOAPIC in lodge, no i8259: quicker to make and to free */
};

/*
 * What a VM is made of. Fill it with lodge_config_init(), then change what you want. Strings and descriptors
 * stay the caller's and must outlive the VM; descriptors are never closed, nor their flags changed.
 */
struct lodge_config {
	const char *kernel; /* a file, compressed or not; NULL: lodger, which is built into the library */
	enum lodge_format format;
	const char *initrd; /* NULL: none */
	/*
	 * A ROM that ends at 4 GiB, from which the boot processor starts as after power-up: a file, or "latchkey", which
	 * is built into the library. It finds the kernel through fw_cfg. NULL: none, the kernel is entered at once.
	 */
	const char *firmware;
	const char *append; /* the kernel's command line; NULL: empty */
	uint64_t memory;    /* bytes, a multiple of 4096, 16 MiB to 1 TiB */
	unsigned cpus;      /* 1 to LODGE_CPUS_MAX */
	const struct lodge_disk *disks;
	unsigned disk_count; /* up to LODGE_DISKS_MAX */
	const struct lodge_console *consoles;
	unsigned console_count; /* up to LODGE_CONSOLES_MAX; 0: the guest's output is only kept */
	uint64_t timeout_ms;    /* 0: none */
	bool qemu_debug_exit;   /* the debug-exit port reports (code << 1) | 1, as QEMU's does */
	bool pc_testdev;        /* QEMU's pc-testdev, which kvm-unit-tests wants */
	bool pit;               /* an i8254 timer; multiboot and flat kernels have one anyway */
	enum lodge_irqchip irqchip;
	bool pci; /* disks are on a PCI bus and interrupt by MSI-X, in place of virtio-mmio slots with a line each */
	bool no_acpi;    /* no ACPI tables: kernels find the machine by FDT or MP table */
	bool overcommit; /* allow more memory than the host has */
	bool hugepages;  /* memory, a multiple of 2 MiB, in huge pages that the host has set aside */
	bool restart;    /* a reset starts the guest anew, in place of ending the run */
	unsigned trace;  /* LODGE_TRACE_..., or-ed together */
	int trace_fd;
	int stop_fd; /* stops the VM when it becomes readable; -1: none */
	/*
	 * A signal for the library alone, which the caller has given a handler that does nothing, with SA_RESTART: it
	 * takes vCPU threads out of the guest. 0: none; KVM then changes the thread's signal mask twice at each exit,
	 * which is slower, and nothing of the process's is used.
	 */
	int kick_signal;
	/* Called once when the vCPUs run, on the thread in lodge_vm_run(); NULL: nobody. */
	void (*started)(void *ctx);
	void *started_ctx;
	const char *kvm_device; /* NULL: /dev/kvm */
	/*
	 * For who confines the process, as `lodge run` does (docs/sandbox.md); NULL: nobody. `opened` is called once, on
	 * the thread in lodge_vm_new(), when all that has a path is open and nothing of the kernel was looked at: the
	 * library opens no path from then on. `thread_started` is the first call on each thread that the library starts.
	 * Neither can fail: who may not go on unconfined has to end the process.
	 */
	void (*opened)(void *ctx);
	void (*thread_started)(void *ctx, enum lodge_thread thread);
	void *guard_ctx;
};

#define LODGE_CODE_MAX          16
#define LODGE_CONSOLE_MAX       2048
#define LODGE_COUNTS_MAX        40
#define LODGE_KERNEL_FORMAT_MAX 64
#define LODGE_SANDBOX_MAX       16
#define LODGE_FIRMWARE_MAX      256

struct lodge_count {
	const char *name; /* static */
	uint64_t count;
};

/* Percentiles are rounded up, by a sixteenth at most; all are 0 while count is. */
struct lodge_latency {
	uint64_t count, p50_us, p90_us, p99_us, p999_us, max_us;
};

struct lodge_disk_stats {
	const char *engine; /* static; who carries its requests out: "io_uring", "threads" or "memory" */
	uint64_t reads, writes, flushes, discards, others, errors;
	uint64_t bytes_read, bytes_written;
	struct lodge_latency
		latency;       /* of requests, from when lodge takes them from the queue to their end */
	uint64_t throttled_ns; /* for so long one had to wait for the rate, before it was taken */
};

struct lodge_vcpu_stats {
	uint64_t guest_ns; /* CPU time in the guest, and in KVM on its behalf */
	uint64_t exit_ns;  /* time in lodge's handlers of its exits */
	uint64_t exits;    /* to user space */
};

/* The state of the vCPU that ended a run by a fault. */
struct lodge_registers {
	unsigned cpu;
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags, cr0, cr2, cr3, cr4, efer;
	uint16_t cs, ss, ds, es;
	uint8_t code[LODGE_CODE_MAX]; /* the bytes at rip */
	unsigned code_len;            /* 0: rip is not mapped */
};

/* What the guest did. Counters add up over restarts. */
struct lodge_result {
	enum lodge_outcome outcome;
	int status; /* the exit status that goes with it */
	bool has_guest_code;
	uint32_t guest_code; /* what was written to the debug-exit port, whole */
	char message[512];   /* on failures: one line for a person; else empty */
	uint64_t run_us;     /* from the first instruction on */
	uint64_t restarts;   /* how often the guest was started anew */
	struct lodge_vcpu_stats vcpus[LODGE_CPUS_MAX];
	unsigned vcpu_count;
	/* Phases of the first set-up, in microseconds. */
	struct lodge_count setup_us[LODGE_COUNTS_MAX];
	unsigned setup_count;
	/* Exits to user space, of all vCPUs. */
	struct lodge_count exits[LODGE_COUNTS_MAX]; /* by reason */
	unsigned exit_count;
	struct lodge_count devices[LODGE_COUNTS_MAX]; /* by device; "unclaimed" for the rest */
	unsigned device_count;
	struct lodge_disk_stats disks[LODGE_DISKS_MAX];
	unsigned disk_count;
	uint64_t console_bytes_in, console_bytes_out;
	uint64_t peak_rss; /* bytes, of the whole process, guest memory included */
	/* What confined the process, for the report: the caller's to fill in, with names that live as long. */
	const char *sandbox[LODGE_SANDBOX_MAX];
	unsigned sandbox_count;
	/* "ELF64 with a PVH note", or, of a compressed file, "..., gzip"; empty: none was loaded. */
	char kernel_format[LODGE_KERNEL_FORMAT_MAX];
	char firmware[LODGE_FIRMWARE_MAX]; /* as configured; empty: none */
	/*
	 * Of run_us, what went by until latchkey, or its option ROM, entered the kernel, or latchkey went on to load a boot
	 * sector, the first time; 0: it has not, or the firmware is another, which does not tell.
	 */
	uint64_t firmware_us;
	bool has_registers; /* after a triple fault, a KVM error, and a timeout: of the first CPU */
	struct lodge_registers registers;
	char console_tail[LODGE_CONSOLE_MAX]; /* the last of what the guest printed, NUL-terminated */
};

struct lodge_vm;

/* The default: lodger, 128 MiB, one CPU, no disk, no console, no timeout. */
LODGE_API void lodge_config_init(struct lodge_config *config);

/*
 * Makes a VM: opens and checks all it needs, and loads the kernel. *ret_vm is the caller's to free. On
 * failure *ret_error (may be NULL) says why.
 */
LODGE_API int lodge_vm_new(
	const struct lodge_config *config, struct lodge_vm **ret_vm, struct lodge_error *ret_error);

/*
 * Runs the VM to its end, once; the caller's thread serves the console meanwhile. Always fills *ret_result,
 * and returns 0 unless lodge itself failed (-errno, outcome LODGE_VMM_ERROR).
 */
LODGE_API int lodge_vm_run(struct lodge_vm *vm, struct lodge_result *ret_result);

/* Ends a run, also one that has not begun. Any thread and signal handlers. */
LODGE_API void lodge_vm_stop(struct lodge_vm *vm);

/*
 * Takes every vCPU out of the guest and lets the I/O in flight finish: when it returns 0, nothing of the guest moves
 * and nothing is written to a disk until resume. -ESRCH: the VM does not run. kvmclock stands still meanwhile, the
 * TSC and a timeout run on. Paused twice is paused once. Any thread but the one in lodge_vm_run().
 */
LODGE_API int lodge_vm_pause(struct lodge_vm *vm);

/* Lets the guest go on: 0, also when it was not paused, or -ESRCH. Any thread. */
LODGE_API int lodge_vm_resume(struct lodge_vm *vm);

/*
 * Starts the guest anew from its kernel, as its own reset would with config.restart, also while it is paused (it runs
 * then): a new machine with memory of zeroes; disks, console and timeout stay. 0, or -ESRCH: the VM does not run.
 * Returns when it is asked for, not when it is done. Any thread.
 */
LODGE_API int lodge_vm_reset(struct lodge_vm *vm);

/*
 * Sends an NMI to every CPU, also while the guest is paused, which then takes it when it goes on: 0, -ESRCH when the
 * VM does not run, or KVM's -errno. Any thread.
 */
LODGE_API int lodge_vm_nmi(struct lodge_vm *vm);

/*
 * Presses the power button: ACPI's, and where the guest listens to its keyboard, Ctrl-Alt-Del. What the guest makes of
 * it is its affair. 0, or -ESRCH: the VM does not run. Any thread.
 */
LODGE_API int lodge_vm_press_power(struct lodge_vm *vm);

/*
 * Copies the newest bytes that the guest printed and the ring still has, up to size of them: how many. Any thread,
 * also before and after a run.
 */
LODGE_API size_t lodge_vm_console_copy(struct lodge_vm *vm, void *to, size_t size);

/* Tells the terminals among the consoles their size: those whose `out` is the master of a pty. Any thread. */
LODGE_API void lodge_vm_console_resize(struct lodge_vm *vm, unsigned columns, unsigned rows);

struct lodge_gdb;

/*
 * Serves GDB's remote protocol (docs/gdb.md) at fd, a listening socket, which stays the caller's, on a thread of its own:
 * one debugger at a time, which stops the guest as it connects. Whoever can connect has the guest in his hands: only processes of this
 * one's user, or of root's, to a unix socket; to a TCP socket anybody, so bind it to 127.0.0.1. With `wait` the guest
 * does not begin before a debugger has sent it on. After lodge_vm_new(), and before the run: 0, or -errno and *ret_error.
 */
LODGE_API int lodge_gdb_start(
	struct lodge_vm *vm, int fd, bool wait, struct lodge_gdb **ret_gdb, struct lodge_error *ret_error);

/*
 * Tells the debugger how the run ended (result NULL: there was none), hangs up and frees *gdb. After the run, and before
 * the VM is freed. NULL is fine.
 */
LODGE_API void lodge_gdb_finish(struct lodge_gdb *gdb, const struct lodge_result *result);

/* What a guest has used so far. */
struct lodge_stats {
	bool paused;
	uint64_t uptime_ns; /* since the run began; after it, how long it was */
	uint64_t paused_ns; /* of it, paused */
	struct lodge_vcpu_stats vcpus[LODGE_CPUS_MAX];
	unsigned vcpu_count;
	struct lodge_count exits[LODGE_COUNTS_MAX]; /* by reason, as in lodge_result */
	unsigned exit_count;
	struct lodge_count devices[LODGE_COUNTS_MAX];
	unsigned device_count;
	struct lodge_disk_stats disks[LODGE_DISKS_MAX];
	unsigned disk_count;
	uint64_t memory; /* guest RAM, bytes */
	/* As /proc/self/smaps says; 0 where there is no /proc. */
	uint64_t memory_resident; /* of guest RAM, in the host's memory now */
	uint64_t memory_shared;   /* of that, shared with other mappings (KSM, the page cache) */
	uint64_t vmm_resident;    /* all else of the process, other VMs included */
	uint64_t console_bytes_in, console_bytes_out;
};

/*
 * Reads the statistics: 0 or -errno. Any thread, before, during and after a run; the guest does not wait for it. To
 * ask the kernel for the memory takes a millisecond or so, and longer with a large guest.
 */
LODGE_API int lodge_vm_stats(struct lodge_vm *vm, struct lodge_stats *ret_stats);

/*
 * Changes a disk's rate, which takes effect at once, also for a request that waits; a changed limit starts with
 * one second's worth. 0, or -EINVAL for a disk that is not there. Any thread, before, during and after a run.
 */
LODGE_API int lodge_vm_set_disk_rate(struct lodge_vm *vm, unsigned disk, const struct lodge_disk_rate *rate);

/* Frees a VM that does not run. NULL is fine. */
LODGE_API void lodge_vm_free(struct lodge_vm *vm);

/* Writes a result as one JSON object to fd: 0 or -errno. */
LODGE_API int lodge_report_write(const struct lodge_result *result, int fd);

/* The report of a VM that could not be made. */
LODGE_API void lodge_result_from_error(const struct lodge_error *error, struct lodge_result *ret_result);

/* "poweroff", "guest-exit", ...: the report's "outcome". */
LODGE_API const char *lodge_outcome_name(enum lodge_outcome outcome);

struct lodge_capability {
	const char *name; /* KVM's, without KVM_CAP_ */
	const char *use;  /* what lodge does with it */
	bool required;
	int value; /* 0: absent */
};

struct lodge_host {
	struct lodge_capability capabilities[LODGE_COUNTS_MAX];
	unsigned capability_count;
	unsigned max_cpus;    /* of one VM: lodge's or KVM's limit, the lower one */
	uint64_t max_memory;  /* of one VM, without overcommit: what the host has */
	uint64_t lodger_size; /* bytes of the built-in kernel */
	char kvm_module[32];  /* "kvm_intel", "kvm_amd", "kvm_pvm" or empty where it cannot be told */
};

/* What this host's KVM offers; path NULL: /dev/kvm. On failure *ret_error says what is missing. */
LODGE_API int lodge_host_probe(const char *path, struct lodge_host *ret_host, struct lodge_error *ret_error);

/* "0.1.0" */
LODGE_API const char *lodge_version(void);

#ifdef __cplusplus
}
#endif

#endif
