#include "sandbox/filter.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* A call that these threads may make, where the configuration has all the needs: with any arguments, if mask is 0. */
struct rule {
	int call;
	unsigned threads, needs;
	unsigned argument; /* the one that is looked at: its bits in mask must be as in value */
	uint64_t mask, value;
};

#define ANY(CALL, THREADS, NEEDS)                       \
	{                                               \
		SCMP_SYS(CALL), THREADS, NEEDS, 0, 0, 0 \
	}
#define IOCTL(REQUEST, THREADS, NEEDS)                                              \
	{                                                                           \
		SCMP_SYS(ioctl), THREADS, NEEDS, 1, UINT32_MAX, (uint32_t)(REQUEST) \
	}
#define NO_EXEC(CALL, THREADS)                              \
	{                                                   \
		SCMP_SYS(CALL), THREADS, 0, 2, PROT_EXEC, 0 \
	}
/* A thread of this process, in its namespaces. */
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

static const struct rule rules[] = {
	/* The way of an exit. */
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
	{SCMP_SYS(ioctl), ALL, 0, 1, UINT32_MAX, TCSETSF}, /* a violation's last act: violation.h */

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
	{SCMP_SYS(mprotect), VCPU, TESTDEV, 2, UINT32_MAX, PROT_READ | PROT_WRITE | PROT_EXEC},

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
	{SCMP_SYS(newfstatat), CONTROL, 0, 3, UINT32_MAX, 0x1000 /* AT_EMPTY_PATH */},

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
	{SCMP_SYS(rt_sigaction), MAIN, 0, 0, UINT32_MAX & ~1u, 32},
	{SCMP_SYS(clone), MAIN, 0, 0,
		THREAD_FLAGS | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET, THREAD_FLAGS},
	/* A new thread goes under a filter of its own, which can only take away. */
	{SCMP_SYS(seccomp), MAIN, 0, 0, UINT32_MAX, SECCOMP_SET_MODE_FILTER},
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
static const int folder_calls[] = {
	SCMP_SYS(openat), SCMP_SYS(mkdirat), SCMP_SYS(unlinkat), SCMP_SYS(newfstatat)};

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

static bool applies(const struct rule *rule, enum sandbox_thread thread, const struct filter_config *config)
{
	/* A thread that begins is under the main thread's filter, too: that allows all that any kind may do. */
	return (thread == SANDBOX_MAIN || rule->threads & (1u << thread)) &&
	       (rule->needs & config->needs) == rule->needs;
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

bool filter_allows(enum sandbox_thread thread, const struct filter_config *config, const char *call)
{
	int number = seccomp_syscall_resolve_name(call);
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].call == number && applies(&rules[i], thread, config))
			return true;
	}
	for (i = 0; i < ARRAY_SIZE(folder_calls) && may_reach_folders(thread); i++) {
		if (folder_calls[i] == number && config->folder_count)
			return true;
	}
	return number == SCMP_SYS(tgkill) && may_kick(thread, config);
}

static int add_rules(scmp_filter_ctx filter, enum sandbox_thread thread, const struct filter_config *config)
{
	const struct scmp_arg_cmp own = {0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (unsigned)config->pid};
	int err = 0;
	unsigned i, j;

	for (i = 0; !err && i < ARRAY_SIZE(rules); i++) {
		const struct rule *rule = &rules[i];
		struct scmp_arg_cmp argument = {rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, rule->value};

		if (applies(rule, thread, config))
			err = seccomp_rule_add_array(
				filter, SCMP_ACT_ALLOW, rule->call, rule->mask != 0, &argument);
	}
	for (i = 0; !err && i < config->folder_count && may_reach_folders(thread); i++) {
		struct scmp_arg_cmp folder = {
			0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (unsigned)config->folders[i]};

		for (j = 0; !err && j < ARRAY_SIZE(folder_calls); j++)
			err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, folder_calls[j], 1, &folder);
	}
	if (!err && may_kick(thread, config))
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &own);
	/* The C library then starts its threads by clone(), whose flags can be looked at. */
	if (!err && thread == SANDBOX_MAIN)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return err;
}

/* What is refused says whose filter it was: the handler of SIGSYS finds that in si_errno. */
static void name_thread(enum sandbox_thread thread, struct sock_fprog *program)
{
	unsigned short i;

	for (i = 0; i < program->len; i++) {
		if (program->filter[i].code == (BPF_RET | BPF_K) && program->filter[i].k == SECCOMP_RET_TRAP)
			program->filter[i].k |= (unsigned)thread;
	}
}

/* libseccomp 2.5 writes a program to a file, and nowhere else. */
static int export(scmp_filter_ctx filter, struct sock_fprog *ret_program)
{
	int fd = memfd_create("lodge-filter", MFD_CLOEXEC), err = fd < 0 ? -errno : 0;
	struct sock_filter *bytes = NULL;
	off_t size;

	if (!err)
		err = seccomp_export_bpf(filter, fd);
	if (err)
		goto done;
	size = lseek(fd, 0, SEEK_END);
	bytes = size > 0 ? malloc((size_t)size) : NULL;
	if (!bytes || pread(fd, bytes, (size_t)size, 0) != size) {
		err = -ENOMEM;
		free(bytes);
		goto done;
	}
	*ret_program = (struct sock_fprog){(unsigned short)((size_t)size / sizeof(*bytes)), bytes};
done:
	if (fd >= 0)
		close(fd);
	return err;
}

int filter_build(
	enum sandbox_thread thread, const struct filter_config *config, struct sock_fprog *ret_program)
{
	scmp_filter_ctx filter;
	int err;

	/* What Linux 4.14 has is all that is needed; to ask the kernel takes libseccomp nine calls a start. */
	seccomp_api_set(3);
	filter = seccomp_init(SCMP_ACT_TRAP);
	if (!filter)
		return -ENOMEM;
	err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A search tree: the kernel runs a program for each number of a call as it loads it. */
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!err)
		err = add_rules(filter, thread, config);
	if (!err)
		err = export(filter, ret_program);
	if (!err)
		name_thread(thread, ret_program);
	seccomp_release(filter);
	return err;
}

int filter_load(const struct sock_fprog *program)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) ? -errno : 0;
}
