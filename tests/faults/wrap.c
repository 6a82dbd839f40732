/* The wrappers of libc's functions: each asks the plan, and else does what it is asked to. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "faults/fault.h"

/* A call that fails with `bad` and errno. */
#define WRAP(type, bad, name, parameters, arguments)           \
	type __real_##name parameters;                         \
	type __wrap_##name parameters;                         \
	type __wrap_##name parameters                          \
	{                                                      \
		struct fault fault = fault_take(FAULT_##name); \
                                                               \
		if (fault.err) {                               \
			errno = fault.err;                     \
			return bad;                            \
		}                                              \
		return __real_##name arguments;                \
	}

/* ... that returns an errno. */
#define WRAP_ERRNO(name, parameters, arguments)                         \
	int __real_##name parameters;                                   \
	int __wrap_##name parameters;                                   \
	int __wrap_##name parameters                                    \
	{                                                               \
		struct fault fault = fault_take(FAULT_##name);          \
                                                                        \
		return fault.err ? fault.err : __real_##name arguments; \
	}

/* ... that moves `len` bytes, or fewer of them. */
#define WRAP_MOVE(name, parameters, arguments)                 \
	ssize_t __real_##name parameters;                      \
	ssize_t __wrap_##name parameters;                      \
	ssize_t __wrap_##name parameters                       \
	{                                                      \
		struct fault fault = fault_take(FAULT_##name); \
                                                               \
		if (fault.err) {                               \
			errno = fault.err;                     \
			return -1;                             \
		}                                              \
		if (fault.half)                                \
			len = (len + 1) / 2;                   \
		return __real_##name arguments;                \
	}

/* ... or those of a vector. */
#define WRAP_MOVE_V(name)                                                            \
	ssize_t __real_##name(int fd, const struct iovec *iov, int count, off_t at); \
	ssize_t __wrap_##name(int fd, const struct iovec *iov, int count, off_t at); \
	ssize_t __wrap_##name(int fd, const struct iovec *iov, int count, off_t at)  \
	{                                                                            \
		struct fault fault = fault_take(FAULT_##name);                       \
		struct iovec half;                                                   \
                                                                                     \
		if (fault.err) {                                                     \
			errno = fault.err;                                           \
			return -1;                                                   \
		}                                                                    \
		if (fault.half) {                                                    \
			half = (struct iovec){iov->iov_base, half_of(iov->iov_len)}; \
			return __real_##name(fd, &half, 1, at);                      \
		}                                                                    \
		return __real_##name(fd, iov, count, at);                            \
	}

/* Whole blocks, so that direct I/O takes it. */
static size_t half_of(size_t len)
{
	return len >= 8192 ? len / 2 / 4096 * 4096 : (len + 1) / 2;
}

/* clang-format off */
WRAP(int, -1, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags), (fd, address, len, flags))
WRAP(int, -1, bind, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len))
WRAP(void *, NULL, calloc, (size_t count, size_t size), (count, size))
WRAP(int, -1, connect, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len))
WRAP(int, -1, epoll_create1, (int flags), (flags))
WRAP(int, -1, epoll_ctl, (int fd, int op, int on, struct epoll_event *event), (fd, op, on, event))
WRAP(int, -1, epoll_wait, (int fd, struct epoll_event *events, int max, int timeout), (fd, events, max, timeout))
WRAP(int, -1, eventfd, (unsigned count, int flags), (count, flags))
WRAP(int, -1, fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len))
WRAP(int, -1, fdatasync, (int fd), (fd))
WRAP(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
WRAP(int, -1, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, -1, ftruncate, (int fd, off_t len), (fd, len))
WRAP(int, -1, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, -1, madvise, (void *address, size_t len, int advice), (address, len, advice))
WRAP(void *, NULL, malloc, (size_t size), (size))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(void *, MAP_FAILED, mmap, (void *address, size_t len, int prot, int flags, int fd, off_t at), (address, len, prot, flags, fd, at))
WRAP(int, -1, poll, (struct pollfd *fds, nfds_t count, int timeout), (fds, count, timeout))
WRAP_ERRNO(posix_memalign, (void **ret_memory, size_t align, size_t size), (ret_memory, align, size))
WRAP_ERRNO(pthread_create, (pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *ctx), (thread, attr, start, ctx))
WRAP(void *, NULL, realloc, (void *memory, size_t size), (memory, size))
WRAP(int, -1, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
WRAP(int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, -1, timerfd_create, (int clock, int flags), (clock, flags))
WRAP(int, -1, timerfd_settime, (int fd, int flags, const struct itimerspec *when, struct itimerspec *old), (fd, flags, when, old))
WRAP_MOVE(pread, (int fd, void *to, size_t len, off_t at), (fd, to, len, at))
WRAP_MOVE(pwrite, (int fd, const void *from, size_t len, off_t at), (fd, from, len, at))
WRAP_MOVE(read, (int fd, void *to, size_t len), (fd, to, len))
WRAP_MOVE(recv, (int fd, void *to, size_t len, int flags), (fd, to, len, flags))
WRAP_MOVE(send, (int fd, const void *from, size_t len, int flags), (fd, from, len, flags))
WRAP_MOVE_V(preadv)
WRAP_MOVE_V(pwritev)
/* clang-format on */

ssize_t __real_write(int fd, const void *from, size_t len);
ssize_t __wrap_write(int fd, const void *from, size_t len);

ssize_t __wrap_write(int fd, const void *from, size_t len)
{
	const struct fault any = fault_take(FAULT_write);
	const struct fault fault =
		any.err || any.half || len == sizeof(uint64_t) ? any : fault_take(FAULT_write_text);

	if (fault.err) {
		errno = fault.err;
		return -1;
	}
	return __real_write(fd, from, fault.half ? (len + 1) / 2 : len);
}

/* Those with an argument that may be missing. */

/* What stands there, or rubbish that the kernel does not look at. */
#define LAST_ARGUMENT(before, ret_argument)                \
	do {                                               \
		va_list arguments;                         \
                                                           \
		va_start(arguments, before);               \
		*(ret_argument) = va_arg(arguments, long); \
		va_end(arguments);                         \
	} while (0)

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

static bool failed(enum fault_call call)
{
	struct fault fault = fault_take(call);

	if (fault.err)
		errno = fault.err;
	return fault.err;
}

int __wrap_open(const char *path, int flags, ...)
{
	long mode;

	LAST_ARGUMENT(flags, &mode);
	return failed(FAULT_open) ? -1 : __real_open(path, flags, mode);
}

int __wrap_openat(int folder, const char *path, int flags, ...)
{
	long mode;

	LAST_ARGUMENT(flags, &mode);
	return failed(FAULT_openat) ? -1 : __real_openat(folder, path, flags, mode);
}

int __wrap_fcntl(int fd, int command, ...)
{
	long argument;

	LAST_ARGUMENT(command, &argument);
	return failed(FAULT_fcntl) ? -1 : __real_fcntl(fd, command, argument);
}

static enum fault_call kind_of_ioctl(unsigned long request)
{
	switch (request) {
	case KVM_RUN:
		return FAULT_kvm_run;
	case KVM_CREATE_VM:
	case KVM_CREATE_VCPU:
		return FAULT_kvm_create;
	default:
		return FAULT_ioctl;
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	long argument;

	LAST_ARGUMENT(request, &argument);
	return failed(kind_of_ioctl(request)) ? -1 : __real_ioctl(fd, request, argument);
}
