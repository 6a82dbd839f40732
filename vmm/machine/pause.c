/*
 * Pausing: a gate that every thread of the machine passes before it does the next thing for the guest, and that
 * other threads may close: a vCPU's between two KVM_RUNs, the I/O thread's between two rings of a doorbell.
 */
#include <errno.h>

#include "machine/vm.h"
#include "util/clock.h"
#include "util/thread.h"

int pause_start_thread(struct lodge_vm *vm, struct gate_thread *thread, void *(*body)(void *), void *ctx)
{
	struct gate *gate = &vm->gate;
	int err;

	/* Under the lock, so that whoever closes the gate kicks all threads there are, and none that is not yet. */
	pthread_mutex_lock(&gate->lock);
	err = thread_start(&thread->id, body, ctx);
	thread->started = thread->alive = !err;
	gate->threads += thread->started;
	pthread_mutex_unlock(&gate->lock);
	return err;
}

void pause_end_thread(struct lodge_vm *vm, struct gate_thread *thread)
{
	struct gate *gate = &vm->gate;

	pthread_mutex_lock(&gate->lock);
	/* Its clock goes with it. */
	thread->cpu_ns = clock_read(CLOCK_THREAD_CPUTIME_ID);
	thread->alive = false;
	gate->threads--;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

bool pause_pass(struct lodge_vm *vm, struct gate_thread *thread)
{
	struct gate *gate = &vm->gate;

	if (!pause_wanted(vm, thread))
		return false;
	pthread_mutex_lock(&gate->lock);
	gate->waiting++;
	pthread_cond_broadcast(&gate->moved);
	while (pause_wanted(vm, thread) && gate->state == GATE_RUNS)
		pthread_cond_wait(&gate->moved, &gate->lock);
	gate->waiting--;
	pthread_mutex_unlock(&gate->lock);
	return true;
}

/* Called with the gate's lock held. */
static void count_pause(struct gate *gate)
{
	if (gate->paused_at)
		gate->paused_ns += clock_ns() - gate->paused_at;
	gate->paused_at = 0;
}

void pause_set_state(struct lodge_vm *vm, enum gate_state state)
{
	struct gate *gate = &vm->gate;

	pthread_mutex_lock(&gate->lock);
	gate->state = state;
	if (state != GATE_RUNS)
		gate->has_clock = false; /* it was this machine's */
	if (state == GATE_IDLE)
		count_pause(gate);
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

/* Called with the lock held, as is the next one. */
static void close_gate(struct lodge_vm *vm, enum gate_holder holder)
{
	unsigned i;

	atomic_fetch_or(&vm->gate.closed, holder);
	if (vm->gate.state != GATE_RUNS)
		return;
	for (i = 0; i < vm->vcpu_count; i++) {
		if (vm->vcpus[i].thread.started)
			kvm_vcpu_kick(&vm->vcpus[i].kvm, vm->vcpus[i].thread.id);
	}
	if (vm->io.thread.started)
		doorbell_ring(&vm->io.gate_bell);
}

/* kvmclock stands still with the guest. A KVM that cannot do that has it run on, and nothing more is lost. */
static void open_gate(struct lodge_vm *vm, enum gate_holder holder)
{
	struct gate *gate = &vm->gate;

	if (atomic_fetch_and(&gate->closed, ~(unsigned)holder) != holder)
		return; /* somebody else keeps it closed, or nobody did */
	if (gate->has_clock)
		kvm_vm_set_clock(&vm->kvm, gate->clock_ns);
	gate->has_clock = false;
	count_pause(gate);
	pthread_cond_broadcast(&gate->moved);
}

void pause_request(struct lodge_vm *vm, enum gate_holder holder)
{
	pthread_mutex_lock(&vm->gate.lock);
	close_gate(vm, holder);
	pthread_mutex_unlock(&vm->gate.lock);
}

int pause_wait(struct lodge_vm *vm)
{
	struct gate *gate = &vm->gate;
	int err;

	pthread_mutex_lock(&gate->lock);
	/* Another thread may resume the VM, or the run may end, before the last one is here. */
	while (atomic_load(&gate->closed) && gate->state != GATE_IDLE &&
		(gate->state == GATE_STOPS || gate->waiting < gate->threads))
		pthread_cond_wait(&gate->moved, &gate->lock);
	err = gate->state == GATE_IDLE ? -ESRCH : 0;
	if (!err && atomic_load(&gate->closed) && !gate->has_clock)
		gate->has_clock = !kvm_vm_get_clock(&vm->kvm, &gate->clock_ns);
	if (!err && !gate->paused_at && atomic_load(&gate->closed))
		gate->paused_at = clock_ns();
	pthread_mutex_unlock(&gate->lock);
	/* Who looks at a guest that stands still sees all that it has printed. */
	console_flush(&vm->console);
	return err;
}

bool pause_is_still(struct lodge_vm *vm, enum gate_holder holder)
{
	struct gate *gate = &vm->gate;
	bool still;

	pthread_mutex_lock(&gate->lock);
	still = atomic_load(&gate->closed) & holder && gate->waiting == gate->threads;
	pthread_mutex_unlock(&gate->lock);
	return still;
}

void pause_release(struct lodge_vm *vm, enum gate_holder holder)
{
	pthread_mutex_lock(&vm->gate.lock);
	open_gate(vm, holder);
	pthread_mutex_unlock(&vm->gate.lock);
}

int lodge_vm_pause(struct lodge_vm *vm)
{
	pthread_mutex_lock(&vm->gate.lock);
	if (vm->gate.state != GATE_IDLE)
		close_gate(vm, HOLD_PAUSE);
	pthread_mutex_unlock(&vm->gate.lock);
	return pause_wait(vm);
}

int lodge_vm_resume(struct lodge_vm *vm)
{
	struct gate *gate = &vm->gate;
	int err;

	pthread_mutex_lock(&gate->lock);
	err = gate->state == GATE_IDLE ? -ESRCH : 0;
	if (!err)
		open_gate(vm, HOLD_PAUSE);
	pthread_mutex_unlock(&gate->lock);
	return err;
}
