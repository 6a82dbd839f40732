/* The engine of choice: io_uring, by liburing. A batch of requests costs one system call, and none of them a thread. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend/block_file_io.h"
#include "util/back_off.h"
#include "util/bytes.h"
#include "util/clock.h"

/* What the kernel takes for one buffer, and how many it takes. */
#define PIECE      GIB(1)
#define PIECES_MAX 1024

#define NOT_REGISTERED (-1)

/* Memory that is registered with the ring, in pieces. */
struct registered {
	uint64_t start, len;
	unsigned first; /* the index of its first piece */
};

struct block_uring {
	struct io_uring ring;
	struct registered memory[BLOCK_MEMORY_MAX];
	unsigned memory_count;
	unsigned under_way;     /* in the ring, on either side */
	struct block_list done; /* carried out without the ring, and not yet reaped */
	struct back_off slow;   /* of writes into the page cache: they had to wait for something */
};

/*
 * A write into the page cache is a copy. Where the file system does not write without waiting (ext4), io_uring leaves it to
 * a worker of the kernel's, which costs more than the copy. So small ones are copied at once; when one has had to wait, for a
 * journal or for what is dirty already, the ring has them for a while, so that no other request waits with it. The limit is
 * longer than other programs have the CPU at a time, and shorter than Linux makes a writer pause.
 */
#define COPY_MAX    KIB(256)
#define COPY_MAX_NS 8000000

static bool is_copy(const struct block_file *file, const struct block_request *request)
{
	return request->op == BLOCK_WRITE && !file->memory_align && request->len <= COPY_MAX &&
	       !back_off_lasts(&file->uring->slow, clock_ns());
}

static void copy(struct block_file *file, struct block_request *request)
{
	uint64_t start = clock_ns(), end;

	request->result = block_file_execute(file, request);
	block_list_add(&file->uring->done, request);
	end = clock_ns();
	if (end - start > COPY_MAX_NS)
		back_off(&file->uring->slow, end);
}

/* What the ring does not take is rare, and is carried out at once. */
static bool ring_takes(const struct block_file *file, const struct block_request *request)
{
	switch (request->op) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		return !block_file_needs_bounce(file, request) && request->len <= INT32_MAX;
	case BLOCK_FLUSH:
		return !file->block.read_only;
	case BLOCK_DISCARD:
		return true;
	case BLOCK_WRITE_ZEROES: /* asks for one way after the other */
		break;
	}
	return false;
}

/* The index of the registered piece that holds all of it, or NOT_REGISTERED. */
static int registered_index(const struct block_uring *uring, const struct iovec *iov)
{
	for (unsigned i = 0; i < uring->memory_count; i++) {
		const struct registered *memory = &uring->memory[i];
		uint64_t offset = (uintptr_t)iov->iov_base - memory->start;

		if (range_inside((uintptr_t)iov->iov_base, iov->iov_len, memory->start, memory->len) &&
			offset % PIECE + iov->iov_len <= PIECE)
			return (int)(memory->first + offset / PIECE);
	}
	return NOT_REGISTERED;
}

/* The registered file has index 0. */
static void prepare(
	const struct block_uring *uring, struct io_uring_sqe *sqe, const struct block_request *request)
{
	const struct iovec *iov = request->iov;
	bool one = request->count == 1; /* needs no vector that the kernel would have to fetch */
	int index = one ? registered_index(uring, iov) : NOT_REGISTERED;

	if (request->op == BLOCK_READ && index != NOT_REGISTERED)
		io_uring_prep_read_fixed(
			sqe, 0, iov->iov_base, (unsigned)iov->iov_len, request->offset, index);
	else if (request->op == BLOCK_WRITE && index != NOT_REGISTERED)
		io_uring_prep_write_fixed(
			sqe, 0, iov->iov_base, (unsigned)iov->iov_len, request->offset, index);
	else if (request->op == BLOCK_READ && one)
		io_uring_prep_read(sqe, 0, iov->iov_base, (unsigned)iov->iov_len, request->offset);
	else if (request->op == BLOCK_READ)
		io_uring_prep_readv(sqe, 0, iov, request->count, request->offset);
	else if (request->op == BLOCK_WRITE && one)
		io_uring_prep_write(sqe, 0, iov->iov_base, (unsigned)iov->iov_len, request->offset);
	else if (request->op == BLOCK_WRITE)
		io_uring_prep_writev(sqe, 0, iov, request->count, request->offset);
	else if (request->op == BLOCK_FLUSH)
		io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
	else
		io_uring_prep_fallocate(sqe, 0, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			(off_t)request->offset, (off_t)request->len);
}

static void uring_submit(struct block_backend *block, struct block_request *request)
{
	struct block_file *file = block_file_of(block);
	struct block_uring *uring = file->uring;
	struct io_uring_sqe *sqe;

	if (is_copy(file, request)) {
		copy(file, request);
		return;
	}
	sqe = ring_takes(file, request) ? io_uring_get_sqe(&uring->ring) : NULL;
	if (!sqe) {
		request->result = block_file_execute(file, request);
		block_list_add(&uring->done, request);
		return;
	}
	prepare(uring, sqe, request);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, request);
	uring->under_way++;
}

/*
 * What the kernel has no memory for right now is taken back and done without it: nobody else may come by who would try
 * again. No thread of the kernel's reads the ring (IORING_SETUP_SQPOLL): it does so when it is entered, and not now.
 */
static void carry_out_rest(struct block_file *file)
{
	struct block_uring *uring = file->uring;
	struct io_uring_sq *sq = &uring->ring.sq;
	unsigned first = sq->sqe_tail - io_uring_sq_ready(&uring->ring);

	for (unsigned at = first; at != sq->sqe_tail; at++) {
		const struct io_uring_sqe *sqe = &sq->sqes[at & sq->ring_mask];
		struct block_request *request = (struct block_request *)(uintptr_t)sqe->user_data;

		request->result = block_file_execute(file, request);
		block_list_add(&uring->done, request);
		uring->under_way--;
	}
	sq->sqe_head = sq->sqe_tail = first;
	*sq->ktail = first;
}

static void uring_kick(struct block_backend *block)
{
	struct block_file *file = block_file_of(block);
	struct io_uring *ring = &file->uring->ring;

	while (io_uring_sq_ready(ring)) {
		if (io_uring_submit(ring) <= 0) {
			carry_out_rest(file);
			break;
		}
	}
}

/* From the kernel's answer to ours: less than asked for, or a signal, is no error yet. */
static int result_of(struct block_file *file, const struct block_request *request, int answer)
{
	bool transfer = request->op == BLOCK_READ || request->op == BLOCK_WRITE;

	if (answer == -EINTR || answer == -EAGAIN)
		return block_file_execute(file, request);
	if (request->op == BLOCK_FLUSH)
		return block_file_flushed(file, answer);
	if (answer < 0 || !transfer)
		return answer;
	if ((uint64_t)answer < request->len)
		return block_file_finish(file, request, (uint64_t)answer);
	return 0;
}

static struct io_uring_cqe *next_answer(struct io_uring *ring, bool wait)
{
	struct io_uring_cqe *cqe = NULL;

	while (io_uring_peek_cqe(ring, &cqe)) {
		int r = wait ? io_uring_wait_cqe(ring, &cqe) : -ENOENT;

		/* On others the kernel takes the ring for broken: nobody shall wait for ever. */
		if (r < 0 && r != -EINTR && r != -EAGAIN && r != -EBUSY)
			return NULL;
	}
	return cqe;
}

static struct block_request *uring_reap(struct block_backend *block, bool wait)
{
	struct block_file *file = block_file_of(block);
	struct block_uring *uring = file->uring;
	struct block_request *request;
	struct io_uring_cqe *cqe;
	int answer;

	if (wait)
		uring_kick(block);
	request = block_list_take(&uring->done);
	if (request || !uring->under_way)
		return request;
	cqe = next_answer(&uring->ring, wait);
	if (!cqe)
		return NULL;
	request = io_uring_cqe_get_data(cqe);
	answer = cqe->res;
	io_uring_cqe_seen(&uring->ring, cqe);
	uring->under_way--;
	request->result = result_of(file, request, answer);
	return request;
}

static int uring_use_memory(struct block_backend *block, const struct iovec *iov, unsigned count)
{
	struct block_uring *uring = block_file_of(block)->uring;
	struct iovec *pieces;
	unsigned piece_count = 0;
	int r = 0;

	if (uring->memory_count)
		io_uring_unregister_buffers(&uring->ring);
	uring->memory_count = 0;
	block->engine = "io_uring";
	if (!count)
		return 0;
	pieces = calloc(PIECES_MAX, sizeof(pieces[0]));
	if (!pieces)
		return -ENOMEM;
	for (unsigned i = 0; i < count && r == 0; i++) {
		uring->memory[i] =
			(struct registered){(uintptr_t)iov[i].iov_base, iov[i].iov_len, piece_count};
		for (uint64_t at = 0; at < iov[i].iov_len && r == 0; at += PIECE) {
			if (piece_count == PIECES_MAX)
				r = -E2BIG;
			else
				pieces[piece_count++] = (struct iovec){
					(uint8_t *)iov[i].iov_base + at, MIN(PIECE, iov[i].iov_len - at)};
		}
	}
	if (r == 0)
		r = io_uring_register_buffers(&uring->ring, pieces, piece_count);
	if (r == 0) {
		uring->memory_count = count;
		block->engine = "io_uring, memory registered";
	}
	free(pieces);
	return r;
}

static void uring_close(struct block_backend *block)
{
	struct block_file *file = block_file_of(block);

	/* The kernel takes rings apart later, and the disk's lock would stay as long as the file is in one. */
	io_uring_unregister_files(&file->uring->ring);
	io_uring_queue_exit(&file->uring->ring);
	free(file->uring);
	block_file_free(file);
}

static const struct block_ops uring_ops = {
	.submit = uring_submit,
	.kick = uring_kick,
	.reap = uring_reap,
	.use_memory = uring_use_memory,
	.close = uring_close,
};

/*
 * What the ring may ever be asked for. A ring is a way around seccomp(2): what it is asked for is no system call. Whoever
 * takes this process over shall not open files by it.
 */
static int restrict_ring(struct io_uring *ring)
{
	static const uint8_t ops[] = {IORING_OP_READ, IORING_OP_READV, IORING_OP_READ_FIXED, IORING_OP_WRITE,
		IORING_OP_WRITEV, IORING_OP_WRITE_FIXED, IORING_OP_FSYNC, IORING_OP_FALLOCATE};
	static const uint8_t registers[] = {
		IORING_REGISTER_BUFFERS, IORING_UNREGISTER_BUFFERS, IORING_UNREGISTER_FILES};
	struct io_uring_restriction list[ARRAY_SIZE(ops) + ARRAY_SIZE(registers) + 1] = {0};
	unsigned count = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
		list[count++] =
			(struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = ops[i]};
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++)
		list[count++] = (struct io_uring_restriction){
			.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = registers[i]};
	/* The disk's file, which is registered, and no other; and no other flag. */
	list[count++] = (struct io_uring_restriction){
		.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE};
	/* liburing 2.3 has functions for both, but not in its shared library. */
	if (syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, list, count) ||
		syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		return -errno;
	return 0;
}

int block_uring_start(struct block_file *file)
{
	/*
	 * Linux 5.19: completions need not interrupt whoever submitted, who sleeps or looks for them by himself; the flag
	 * tells him that one waits for the kernel to be entered.
	 */
	struct io_uring_params params = {
		.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED};
	struct block_uring *uring = calloc(1, sizeof(*uring));
	int r;

	if (!uring)
		return -ENOMEM;
	r = io_uring_queue_init_params(BLOCK_REQUESTS_MAX, &uring->ring, &params);
	if (r < 0)
		goto fail;
	/* Registered, the file is not looked up for each request. */
	r = io_uring_register_files(&uring->ring, &file->fd, 1);
	if (r == 0)
		r = restrict_ring(&uring->ring);
	if (r < 0) {
		io_uring_queue_exit(&uring->ring);
		goto fail;
	}
	file->uring = uring;
	file->block.ops = &uring_ops;
	file->block.engine = "io_uring";
	file->block.event_fd = uring->ring.ring_fd;
	return 0;
fail:
	free(uring);
	return r;
}
