#include "sandbox/filter.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/program.h"
#include "sandbox/sanitized.h"
#include "util/bytes.h"

enum {
	VCPU = 1 << SANDBOX_VCPU,
	IO = 1 << SANDBOX_IO,
	BLOCK = 1 << SANDBOX_BLOCK,
	CONTROL = 1 << SANDBOX_CONTROL,
	MAIN = 1 << SANDBOX_MAIN,
	ALL = VCPU | IO | BLOCK | CONTROL | MAIN,
};

enum {
	DISK = SANDBOX_NEEDS_DISK,
	SOCKET = SANDBOX_NEEDS_SOCKET,
	CLIENTS = SANDBOX_NEEDS_CLIENTS,
	TESTDEV = SANDBOX_NEEDS_TESTDEV,
	DEBUGGER = SANDBOX_NEEDS_DEBUGGER,
};

/* A call that these threads may make, where the configuration has all the needs. */
struct row {
	struct call_rule rule;
	unsigned threads, needs;
};

#define ANY(CALL, THREADS, NEEDS)                        \
	{                                                \
		{SYS_##CALL, 0, 0, 0, 0}, THREADS, NEEDS \
	}
#define WHERE(CALL, ARGUMENT, MASK, VALUE, THREADS, NEEDS)             \
	{                                                              \
		{SYS_##CALL, ARGUMENT, MASK, VALUE, 0}, THREADS, NEEDS \
	}
#define IOCTL(REQUEST, THREADS, NEEDS) WHERE(ioctl, 1, UINT32_MAX, (uint32_t)(REQUEST), THREADS, NEEDS)
#define NO_EXEC(CALL, THREADS)         WHERE(CALL, 2, PROT_EXEC, 0, THREADS, 0)
/* A thread of this process, in its namespaces. */
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

static const struct row rows[] = {
	/* The way of an exit comes first: it is looked at first. */
	IOCTL(KVM_RUN, VCPU, 0),
	/* What the C library does for every thread, and how a thread and the process end. */
	ANY(futex, ALL, 0),
	ANY(write, ALL, 0),         /* an eventfd's count; a line on stderr */
	ANY(clock_gettime, ALL, 0), /* where the vDSO cannot */
	ANY(rt_sigprocmask, ALL, 0),
	ANY(rt_sigreturn, ALL, 0),
	ANY(restart_syscall, ALL, 0),
	ANY(sched_yield, ALL, 0),
	ANY(brk, ALL, 0),
	NO_EXEC(mmap, ALL),
	NO_EXEC(mprotect, ALL),
	ANY(mremap, ALL, 0),
	ANY(munmap, ALL, 0),
	ANY(madvise, ALL, 0),
	ANY(exit, ALL, 0),
	ANY(exit_group, ALL, 0),
	IOCTL(TCSETSF, ALL, 0), /* a violation's last act: violation.h */

	/* A guest's exits: interrupts, the console's timer, the registers of a guest that died. */
	IOCTL(KVM_SIGNAL_MSI, VCPU | IO | CONTROL, 0),
	IOCTL(KVM_IRQ_LINE, VCPU | IO | CONTROL, 0),
	IOCTL(KVM_SET_GSI_ROUTING, VCPU, 0),
	IOCTL(KVM_GET_REGS, VCPU, 0),
	IOCTL(KVM_GET_SREGS, VCPU, 0),
	IOCTL(KVM_TRANSLATE, VCPU, 0),
	IOCTL(KVM_KVMCLOCK_CTRL, VCPU, 0),
	IOCTL(KVM_SET_SIGNAL_MASK, VCPU, 0),
	ANY(rt_sigtimedwait, VCPU, 0),
	ANY(timerfd_settime, VCPU | IO | CONTROL, 0),
	ANY(epoll_ctl, VCPU | IO | CONTROL, 0),
	WHERE(mprotect, 2, UINT32_MAX, PROT_READ | PROT_WRITE | PROT_EXEC, VCPU, TESTDEV),

	/* Disks. A vCPU's thread that resets one finishes what is under way. */
	ANY(io_uring_enter, VCPU | IO, DISK),
	ANY(io_uring_register, MAIN, DISK), /* guest memory; a ring's restrictions stay: block_uring.c */
	ANY(preadv, VCPU | IO | BLOCK, DISK),
	ANY(pwritev, VCPU | IO | BLOCK, DISK),
	ANY(pread64, VCPU | IO | BLOCK, DISK),
	ANY(pwrite64, VCPU | IO | BLOCK, DISK),
	ANY(fdatasync, VCPU | IO | BLOCK, DISK),
	ANY(fallocate, VCPU | IO | BLOCK, DISK),
	ANY(fcntl, VCPU | IO, DISK),

	/* Event loops. */
	ANY(read, VCPU | IO | BLOCK | CONTROL, 0),
	ANY(epoll_wait, IO | CONTROL, 0),
	ANY(epoll_pwait, IO | CONTROL, 0),
	ANY(poll, CONTROL, 0),
	ANY(ppoll, CONTROL, 0),
	ANY(close, CONTROL, 0),
	ANY(lseek, CONTROL, 0), /* /proc/self/smaps, from its start */
	ANY(fstat, CONTROL, 0),
	ANY(clock_nanosleep, CONTROL, 0),
	ANY(getpid, CONTROL, 0),
	ANY(gettid, CONTROL, 0),
	ANY(getrandom, CONTROL, 0),
	IOCTL(KVM_GET_CLOCK, CONTROL, 0),
	IOCTL(KVM_SET_CLOCK, CONTROL, 0),
	WHERE(newfstatat, 3, UINT32_MAX, 0x1000 /* AT_EMPTY_PATH */, CONTROL, 0),

	/* Clients of the control socket and of a console that listens. */
	ANY(accept4, CONTROL, CLIENTS),
	ANY(getsockopt, CONTROL, CLIENTS),
	ANY(geteuid, CONTROL, CLIENTS),
	IOCTL(TIOCGPTN, CONTROL, CLIENTS),
	IOCTL(TIOCSWINSZ, CONTROL, CLIENTS),
	ANY(recvfrom, CONTROL, SOCKET),
	ANY(sendto, CONTROL, SOCKET),

	/* A debugger, who is served by a thread of the control kind. */
	IOCTL(KVM_SET_GUEST_DEBUG, VCPU | CONTROL, DEBUGGER),
	IOCTL(KVM_SET_REGS, VCPU | CONTROL, DEBUGGER),
	IOCTL(KVM_SET_SREGS, VCPU | CONTROL, DEBUGGER),
	IOCTL(KVM_GET_REGS, CONTROL, DEBUGGER),
	IOCTL(KVM_GET_SREGS, CONTROL, DEBUGGER),
	IOCTL(KVM_GET_FPU, CONTROL, DEBUGGER),
	IOCTL(KVM_SET_FPU, CONTROL, DEBUGGER),
	IOCTL(KVM_GET_MSRS, CONTROL, DEBUGGER),
	IOCTL(KVM_TRANSLATE, CONTROL, DEBUGGER),
	ANY(getsockname, CONTROL, DEBUGGER),
	ANY(setsockopt, CONTROL, DEBUGGER),
	ANY(getpid, VCPU, DEBUGGER), /* one that meets a breakpoint stops the others: may_kick() */
	ANY(gettid, VCPU, DEBUGGER),

	/* The main thread: reads the kernel, builds a machine, and another one at a reset; prints, reports, leaves. */
	ANY(pread64, MAIN, 0),
	ANY(fcntl, MAIN, 0),
	ANY(dup2, MAIN, 0),
	ANY(eventfd2, MAIN, 0),
	ANY(epoll_create1, MAIN, 0),
	ANY(timerfd_create, MAIN, 0),
	ANY(sysinfo, MAIN, 0),
	ANY(getrusage, MAIN, 0),
	ANY(prlimit64, MAIN, 0),
	ANY(sched_getaffinity, MAIN, 0),
	ANY(listen, MAIN, CLIENTS),
	/* The first thread that the C library starts: its own two signals. */
	WHERE(rt_sigaction, 0, UINT32_MAX & ~1u, 32, MAIN, 0),
	WHERE(clone, 0, THREAD_FLAGS | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
		THREAD_FLAGS, MAIN, 0),
	/* Its flags can be looked at; without clone3() the C library takes it. */
	{{SYS_clone3, 0, 0, 0, ENOSYS}, MAIN, 0},
	/* A new thread goes under a filter of its own, which can only take away. */
	WHERE(seccomp, 0, UINT32_MAX, SECCOMP_SET_MODE_FILTER, MAIN, 0),
	ANY(set_robust_list, MAIN, 0),
	ANY(rseq, MAIN, 0),
	IOCTL(TCGETS, MAIN, 0),
	IOCTL(TCSETS, MAIN, 0),
	IOCTL(TCSETSW, MAIN, 0),
	IOCTL(FIONREAD, MAIN, 0),
	IOCTL(TIOCGPTN, MAIN, 0),
	IOCTL(KVM_CHECK_EXTENSION, MAIN, 0),
	IOCTL(KVM_CREATE_VM, MAIN, 0),
	IOCTL(KVM_SET_USER_MEMORY_REGION, MAIN, 0),
	IOCTL(KVM_SET_IDENTITY_MAP_ADDR, MAIN, 0),
	IOCTL(KVM_SET_TSS_ADDR, MAIN, 0),
	IOCTL(KVM_CREATE_IRQCHIP, MAIN, 0),
	IOCTL(KVM_GET_IRQCHIP, MAIN, 0),
	IOCTL(KVM_SET_IRQCHIP, MAIN, 0),
	IOCTL(KVM_CREATE_PIT2, MAIN, 0),
	IOCTL(KVM_ENABLE_CAP, MAIN, 0),
	IOCTL(KVM_CREATE_VCPU, MAIN, 0),
	IOCTL(KVM_GET_TSC_KHZ, MAIN, 0),
	IOCTL(KVM_SET_CPUID2, MAIN, 0),
	IOCTL(KVM_SET_MSRS, MAIN, 0),
	IOCTL(KVM_GET_LAPIC, MAIN, 0),
	IOCTL(KVM_SET_LAPIC, MAIN, 0),
	IOCTL(KVM_SET_REGS, MAIN, 0),
	IOCTL(KVM_SET_SREGS, MAIN, 0),
	IOCTL(KVM_IRQFD, MAIN, 0),
	IOCTL(KVM_IOEVENTFD, MAIN, 0),

#if SANITIZED
	/* sanitized.h */
	ANY(gettimeofday, ALL, 0),
	ANY(sigaltstack, ALL, 0),
	ANY(gettid, ALL, 0),
	ANY(getpid, ALL, 0),
	ANY(openat, ALL, 0),
	ANY(open, ALL, 0),
	ANY(read, ALL, 0),
	ANY(close, ALL, 0),
	ANY(readlink, ALL, 0),
	ANY(newfstatat, ALL, 0),
	ANY(fstat, ALL, 0),
	ANY(stat, ALL, 0),
	ANY(lseek, ALL, 0),
	ANY(getdents64, ALL, 0),
	ANY(getdents, ALL, 0),
	ANY(lstat, ALL, 0),
	ANY(access, ALL, 0),
	ANY(readlinkat, ALL, 0),
	ANY(prctl, ALL, 0),
	ANY(rt_sigaction, ALL, 0),
	ANY(sched_getaffinity, ALL, 0),
	ANY(clone, ALL, 0),
	ANY(ptrace, ALL, 0),
	ANY(wait4, ALL, 0),
	ANY(getppid, ALL, 0),
	ANY(getrlimit, ALL, 0),
	ANY(setrlimit, ALL, 0),
	ANY(prlimit64, ALL, 0),
	ANY(nanosleep, ALL, 0),
	ANY(clock_nanosleep, ALL, 0),
	ANY(process_vm_readv, ALL, 0),
	ANY(pipe, ALL, 0),
	ANY(pipe2, ALL, 0),
	ANY(getrusage, ALL, 0),
	ANY(tgkill, ALL, 0),
	ANY(sysinfo, ALL, 0),
	ANY(uname, ALL, 0),
	ANY(mincore, ALL, 0),
	ANY(getuid, ALL, 0),
	ANY(geteuid, ALL, 0),
	ANY(getrandom, ALL, 0),
#endif
};

/* Calls that name a file by a folder and a path. */
static const unsigned folder_calls[] = {SYS_openat, SYS_mkdirat, SYS_unlinkat, SYS_newfstatat};

const char *sandbox_thread_name(unsigned thread)
{
	static const char *const names[] = {
		[SANDBOX_VCPU] = "vCPU",
		[SANDBOX_IO] = "I/O",
		[SANDBOX_BLOCK] = "disk",
		[SANDBOX_CONTROL] = "control",
		[SANDBOX_MAIN] = "main",
	};

	return thread < ARRAY_SIZE(names) ? names[thread] : NULL;
}

bool filter_is_needed(enum sandbox_thread thread, const struct filter_config *config)
{
	switch (thread) {
	case SANDBOX_IO:
		return config->needs & DISK;
	case SANDBOX_CONTROL:
		return config->needs & CLIENTS;
	case SANDBOX_BLOCK:
		return false;
	default:
		return true;
	}
}

static bool applies(const struct row *row, enum sandbox_thread thread, const struct filter_config *config)
{
	/* A thread that begins is under the main thread's filter, too: that allows all that any kind may do. */
	return (thread == SANDBOX_MAIN || row->threads & (1u << thread)) &&
	       (row->needs & config->needs) == row->needs;
}

static bool may_reach_folders(enum sandbox_thread thread)
{
	return thread == SANDBOX_CONTROL || thread == SANDBOX_MAIN;
}

/* A vCPU is taken out of the guest by a signal. */
static bool may_kick(enum sandbox_thread thread, const struct filter_config *config)
{
	return thread == SANDBOX_CONTROL || thread == SANDBOX_MAIN ||
	       (thread == SANDBOX_VCPU && config->needs & DEBUGGER);
}

int filter_build(
	enum sandbox_thread thread, const struct filter_config *config, struct sock_fprog *ret_program)
{
	struct call_rule rules[ARRAY_SIZE(rows) + SANDBOX_FOLDERS_MAX * ARRAY_SIZE(folder_calls) + 1];
	unsigned count = 0, i, j;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (applies(&rows[i], thread, config))
			rules[count++] = rows[i].rule;
	}
	for (i = 0; i < config->folder_count && may_reach_folders(thread); i++) {
		for (j = 0; j < ARRAY_SIZE(folder_calls); j++)
			rules[count++] = (struct call_rule){
				folder_calls[j], 0, UINT32_MAX, (unsigned)config->folders[i], 0};
	}
	if (may_kick(thread, config))
		rules[count++] = (struct call_rule){SYS_tgkill, 0, UINT32_MAX, (unsigned)config->pid, 0};
	/* What is refused says whose filter it was: the handler of SIGSYS finds that in si_errno. */
	return program_build(rules, count, SECCOMP_RET_TRAP | thread, ret_program);
}

int filter_load(const struct sock_fprog *program)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) ? -errno : 0;
}
