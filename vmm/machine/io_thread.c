/* The I/O thread: serves the virtqueues when their doorbells ring, and when what was asked of the host is done. */
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>

#include "backend/block.h"
#include "machine/vm.h"
#include "util/bytes.h"
#include "util/clock.h"

/* Looks at a disk; whether to look again rather than sleep, once others had the CPU. */
static bool look(struct io_slot *io, uint64_t yielded)
{
	struct busy_look seen = {.yielded = yielded};

	virtio_transport_look(io->slot->transport);
	seen.taken = io->slot->transport->taken;
	seen.under_way = counter_get(&io->slot->blk.under_way);
	return busy_wait_goes_on(&io->wait, &seen, clock_ns());
}

static void serve(struct io_slot *io, uint64_t yielded)
{
	uint64_t not_before, now;

	io->busy = io->may_look && look(io, yielded);
	if (io->busy)
		return;
	not_before = virtio_transport_serve(io->slot->transport);
	if (!not_before)
		return;
	/* Other slots are served meanwhile. Whoever rings before that time just has the timer set anew. */
	now = clock_ns();
	event_timer_arm(&io->retry, not_before > now ? not_before - now : 1);
}

/* Before the loop sleeps. All disks that are looked at have their turns, and between them whatever the loop finds. */
static bool look_again(void *ctx)
{
	struct lodge_vm *vm = ctx;
	uint64_t yielded = 0;
	bool busy = false;

	for (unsigned i = 0; i < vm->board.slot_count; i++) {
		struct io_slot *io = &vm->io.slots[i];

		if (!io->busy)
			continue;
		if (!yielded)
			yielded = MAX(busy_wait_yield(), 1);
		serve(io, yielded);
		busy |= io->busy;
	}
	return busy;
}

static void doorbell_rung(void *ctx, uint32_t events)
{
	struct io_slot *io = ctx;

	(void)events;
	TRACE(io->trace, TRACE_VIRTIO, "virtio slot %u doorbell", io->index);
	serve(io, 0);
}

static void requests_done(void *ctx, uint32_t events)
{
	struct io_slot *io = ctx;

	(void)events;
	TRACE(io->trace, TRACE_VIRTIO, "virtio slot %u done", io->index);
	serve(io, 0);
}

static void retry_due(void *ctx)
{
	struct io_slot *io = ctx;

	TRACE(io->trace, TRACE_VIRTIO, "virtio slot %u retry", io->index);
	serve(io, 0);
}

/* Every request that was taken is answered: nothing of the guest's is under way any more. */
static void drain(struct lodge_vm *vm)
{
	unsigned i;

	for (i = 0; i < vm->board.slot_count; i++)
		virtio_transport_drain(vm->board.slots[i].transport);
}

/*
 * The VM is paused, or was meanwhile. A kick that comes now stays in its doorbell until the thread is back in its
 * loop.
 */
static void gate_closed(void *ctx, uint32_t events)
{
	struct lodge_vm *vm = ctx;

	(void)events;
	doorbell_clear(&vm->io.gate_bell);
	drain(vm);
	pause_pass(vm, &vm->io.thread);
}

/*
 * How long a yield may take until it is others' programs that have the CPU. Where there is one CPU alone, it is the guest's own vCPUs that
 * have it, and have many requests ready when they let go.
 */
static uint64_t yield_max(void)
{
	cpu_set_t cpus;

	return !sched_getaffinity(0, sizeof(cpus), &cpus) && CPU_COUNT(&cpus) == 1 ? UINT64_MAX
	                                                                           : BUSY_WAIT_YIELD_MAX;
}

static int init_slot(struct lodge_vm *vm, unsigned index, uint64_t yield_most)
{
	struct event_loop *loop = &vm->io.loop;
	struct io_slot *io = &vm->io.slots[index];
	int done_fd = vm->disks[index].block->event_fd, err;

	*io = (struct io_slot){
		.slot = &vm->board.slots[index],
		.index = index,
		.may_look = !vm->disks[index].no_poll,
		.wait.yield_max = yield_most,
		.trace = &vm->trace,
	};
	io->doorbell = (struct event_source){.fd = io->slot->doorbell.fd, .ready = doorbell_rung, .ctx = io};
	io->done = (struct event_source){.fd = done_fd, .ready = requests_done, .ctx = io};
	/* By its edges: each ring is one, and none has to be taken back by a system call. */
	err = event_loop_set(loop, &io->doorbell, EPOLLIN | EPOLLET);
	if (!err && done_fd >= 0)
		err = event_loop_set(loop, &io->done, EPOLLIN);
	return err ? err : event_timer_init(&io->retry, loop, retry_due, io);
}

int io_thread_init(struct lodge_vm *vm)
{
	struct io_thread *io = &vm->io;
	int err = event_loop_init(&io->loop);
	uint64_t yield_most = yield_max();
	unsigned i;

	io->loop.busy = look_again;
	io->loop.busy_ctx = vm;
	if (!err)
		err = doorbell_init(&io->gate_bell);
	if (!err) {
		io->gate_source =
			(struct event_source){.fd = io->gate_bell.fd, .ready = gate_closed, .ctx = vm};
		err = event_loop_set(&io->loop, &io->gate_source, EPOLLIN);
	}

	for (i = 0; !err && i < vm->board.slot_count; i++)
		err = init_slot(vm, i, yield_most);
	return err;
}

void io_thread_fini(struct lodge_vm *vm)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(vm->io.slots); i++)
		event_timer_fini(&vm->io.slots[i].retry);
	event_loop_fini(&vm->io.loop);
	doorbell_fini(&vm->io.gate_bell);
}

static void *io_main(void *ctx)
{
	struct lodge_vm *vm = ctx;
	int err;

	thread_begins(&vm->config, LODGE_THREAD_IO);
	err = event_loop_run(&vm->io.loop);
	if (err)
		vm_fail(vm, "the I/O thread: %s", strerror(-err));
	drain(vm);
	pause_end_thread(vm, &vm->io.thread);
	return NULL;
}

int io_thread_start(struct lodge_vm *vm)
{
	if (!vm->board.slot_count)
		return 0;
	/* A gate that was closed before is passed as soon as the loop runs. */
	doorbell_ring(&vm->io.gate_bell);
	return pause_start_thread(vm, &vm->io.thread, io_main, vm);
}

void io_thread_stop(struct lodge_vm *vm)
{
	if (vm->io.thread.started)
		event_loop_stop(&vm->io.loop);
}

void io_thread_join(struct lodge_vm *vm)
{
	if (vm->io.thread.started)
		pthread_join(vm->io.thread.id, NULL);
	vm->io.thread.started = false;
}
