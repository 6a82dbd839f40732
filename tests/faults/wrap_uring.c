/*
 * The wrappers of liburing's functions. What happens to a request that is in the ring is the kernel's doing: so what
 * shall fail is taken out of it here (a request that does nothing stands in), and the kernel's answer is written over.
 */
#include <errno.h>
#include <liburing.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "faults/fault.h"

#define EDITS_MAX 16

/* Requests whose answers are not the kernel's. */
struct edits {
	uint64_t data[EDITS_MAX];
	int result[EDITS_MAX];
	unsigned count;
};

int __real_io_uring_queue_init_params(
	unsigned entries, struct io_uring *ring, struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(
	unsigned entries, struct io_uring *ring, struct io_uring_params *params);
int __real_io_uring_register_files(struct io_uring *ring, const int *files, unsigned count);
int __wrap_io_uring_register_files(struct io_uring *ring, const int *files, unsigned count);
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);

int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *params)
{
	struct fault fault = fault_take(FAULT_io_uring_queue_init_params);

	return fault.err ? -fault.err : __real_io_uring_queue_init_params(entries, ring, params);
}

int __wrap_io_uring_register_files(struct io_uring *ring, const int *files, unsigned count)
{
	struct fault fault = fault_take(FAULT_io_uring_register_files);

	return fault.err ? -fault.err : __real_io_uring_register_files(ring, files, count);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* Six words are taken, however many were given: a sanitizer sees that, and the kernel does not look at the rest. */
__attribute__((no_sanitize("address"))) long __wrap_syscall(long number, ...)
{
	struct fault fault = fault_take(FAULT_syscall);
	long arguments[6];
	va_list list;

	va_start(list, number);
	for (unsigned i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (fault.err) {
		errno = fault.err;
		return -1;
	}
	/* A ring that takes only what the product asks for would not take what stands in for it. */
	if (number == SYS_io_uring_register && arguments[1] == IORING_REGISTER_RESTRICTIONS)
		return 0;
	return __real_syscall(
		number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

static enum fault_call kind_of(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
		return FAULT_uring_read;
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
		return FAULT_uring_write;
	case IORING_OP_FSYNC:
		return FAULT_uring_fsync;
	case IORING_OP_FALLOCATE:
		return FAULT_uring_fallocate;
	default:
		return FAULT_CALLS; /* one of our own */
	}
}

static void make_nop(struct io_uring_sqe *sqe, unsigned flags)
{
	uint64_t data = sqe->user_data;

	io_uring_prep_nop(sqe);
	io_uring_sqe_set_flags(sqe, flags);
	sqe->user_data = data;
}

/* Puts a time to wait for in front of it, which needs a place for each: nobody hears of what is left in the old one. */
static void make_late(
	struct io_uring *ring, struct io_uring_sqe *sqe, struct __kernel_timespec *time, unsigned ms)
{
	struct io_uring_sqe *wait = io_uring_get_sqe(ring), *late = io_uring_get_sqe(ring);

	if (!wait || !late)
		return;
	*time = (struct __kernel_timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	io_uring_prep_timeout(wait, time, 0, IORING_TIMEOUT_ETIME_SUCCESS);
	io_uring_sqe_set_flags(wait, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
	*late = *sqe;
	make_nop(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

static void apply(
	struct io_uring *ring, struct io_uring_sqe *sqe, struct edits *edits, struct __kernel_timespec *time)
{
	enum fault_call kind = kind_of(sqe);
	struct fault fault;
	unsigned delay_ms;

	if (kind == FAULT_CALLS)
		return;
	fault = fault_take_delay(kind, &delay_ms);
	if (delay_ms)
		make_late(ring, sqe, time, delay_ms);
	if (fault.half)
		sqe->len = sqe->len >= 8192 ? sqe->len / 2 / 4096 * 4096 : (sqe->len + 1) / 2;
	if (fault.err && edits->count < EDITS_MAX) {
		edits->data[edits->count] = sqe->user_data;
		edits->result[edits->count++] = -fault.err;
		make_nop(sqe, 0);
	}
}

/* Every answer is there. */
static void write_over(struct io_uring *ring, const struct edits *edits)
{
	struct io_uring_cqe *cqe;
	unsigned head;

	io_uring_for_each_cqe(ring, head, cqe)
	{
		for (unsigned i = 0; i < edits->count; i++) {
			if (cqe->user_data == edits->data[i])
				cqe->res = edits->result[i];
		}
	}
}

static int submit(struct io_uring *ring)
{
	struct __kernel_timespec times[EDITS_MAX]; /* the kernel reads them before it returns */
	struct edits edits = {.count = 0};
	unsigned count = io_uring_sq_ready(ring), first = ring->sq.sqe_tail - count;
	int r;

	for (unsigned i = 0; i < count && i < EDITS_MAX; i++)
		apply(ring, &ring->sq.sqes[(first + i) & ring->sq.ring_mask], &edits, &times[i]);
	if (!edits.count)
		return __real_io_uring_submit(ring);
	r = io_uring_submit_and_wait(ring, io_uring_cq_ready(ring) + count);
	write_over(ring, &edits);
	return r;
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	struct fault fault = fault_take(FAULT_io_uring_submit);

	return fault.err ? -fault.err : submit(ring);
}
