/* The I/O thread: serves the virtqueues when their doorbells ring. */
#include <errno.h>
#include <sys/epoll.h>

#include "machine/vm.h"

static void doorbell_rung(void *ctx, uint32_t events)
{
	struct io_slot *io = ctx;

	(void)events;
	TRACE(io->trace, TRACE_VIRTIO, "virtio slot %u doorbell", io->index);
	doorbell_clear(&io->slot->doorbell);
	virtio_mmio_serve(&io->slot->mmio, 0);
}

int io_thread_init(struct lodge_vm *vm)
{
	struct io_thread *io = &vm->io;
	int err = event_loop_init(&io->loop);
	unsigned i;

	for (i = 0; !err && i < vm->board.slot_count; i++) {
		struct io_slot *slot = &io->slots[i];

		slot->slot = &vm->board.slots[i];
		slot->index = i;
		slot->trace = &vm->trace;
		slot->doorbell = (struct event_source){
			.fd = slot->slot->doorbell.fd, .ready = doorbell_rung, .ctx = slot};
		err = event_loop_set(&io->loop, &slot->doorbell, EPOLLIN);
	}
	return err;
}

void io_thread_fini(struct lodge_vm *vm)
{
	event_loop_fini(&vm->io.loop);
}

static void *io_main(void *ctx)
{
	struct lodge_vm *vm = ctx;
	int err = event_loop_run(&vm->io.loop);

	if (err)
		vm_fail(vm, "the I/O thread: %s", strerror(-err));
	return NULL;
}

int io_thread_start(struct lodge_vm *vm)
{
	int err;

	if (!vm->board.slot_count)
		return 0;
	err = pthread_create(&vm->io.thread, NULL, io_main, vm);
	vm->io.started = !err;
	return -err;
}

void io_thread_stop(struct lodge_vm *vm)
{
	if (!vm->io.started)
		return;
	event_loop_stop(&vm->io.loop);
	pthread_join(vm->io.thread, NULL);
	vm->io.started = false;
}
