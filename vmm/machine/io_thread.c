/* The I/O thread: serves the virtqueues when their doorbells ring, and when what was asked of the host is done. */
#include <errno.h>
#include <sys/epoll.h>

#include "backend/block.h"
#include "machine/vm.h"
#include "util/clock.h"

/* For so long one disk is looked at before the others, and who closes the gate, have a turn. */
#define POLL_NS 200000

/* An answer that is waited for in sleep comes later by a wake-up. It may still come so, after the turn. */
static uint64_t serve_and_poll(struct io_slot *io)
{
	uint64_t start = clock_ns(), not_before;

	do {
		not_before = virtio_transport_serve(io->slot->transport);
	} while (counter_get(&io->slot->blk.under_way) && clock_ns() - start < POLL_NS);
	return not_before;
}

static void serve(struct io_slot *io)
{
	uint64_t not_before = io->poll ? serve_and_poll(io) : virtio_transport_serve(io->slot->transport),
		 now;

	if (!not_before)
		return;
	/* Other slots are served meanwhile. Whoever rings before that time just has the timer set anew. */
	now = clock_ns();
	event_timer_arm(&io->retry, not_before > now ? not_before - now : 1);
}

static void doorbell_rung(void *ctx, uint32_t events)
{
	struct io_slot *io = ctx;

	(void)events;
	TRACE(io->trace, TRACE_VIRTIO, "virtio slot %u doorbell", io->index);
	serve(io);
}

static void requests_done(void *ctx, uint32_t events)
{
	struct io_slot *io = ctx;

	(void)events;
	TRACE(io->trace, TRACE_VIRTIO, "virtio slot %u done", io->index);
	serve(io);
}

static void retry_due(void *ctx)
{
	struct io_slot *io = ctx;

	TRACE(io->trace, TRACE_VIRTIO, "virtio slot %u retry", io->index);
	serve(io);
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

static int init_slot(struct lodge_vm *vm, unsigned index)
{
	struct event_loop *loop = &vm->io.loop;
	struct io_slot *io = &vm->io.slots[index];
	int done_fd = vm->disks[index].block->event_fd, err;

	*io = (struct io_slot){
		.slot = &vm->board.slots[index],
		.index = index,
		.poll = vm->disks[index].poll,
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
	unsigned i;

	if (!err)
		err = doorbell_init(&io->gate_bell);
	if (!err) {
		io->gate_source =
			(struct event_source){.fd = io->gate_bell.fd, .ready = gate_closed, .ctx = vm};
		err = event_loop_set(&io->loop, &io->gate_source, EPOLLIN);
	}

	for (i = 0; !err && i < vm->board.slot_count; i++)
		err = init_slot(vm, i);
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
