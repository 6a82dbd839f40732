/* Pausing: between two KVM_RUNs every vCPU thread passes a gate, which another thread may close. */
#include <errno.h>

#include "machine/vm.h"

int pause_start_vcpu(struct lodge_vm *vm, struct vcpu *vcpu)
{
	struct gate *gate = &vm->gate;
	int err;

	/* Under the lock, so that whoever closes the gate kicks all threads there are, and none that is not yet. */
	pthread_mutex_lock(&gate->lock);
	err = pthread_create(&vcpu->thread, NULL, vcpu_main, vcpu);
	vcpu->started = !err;
	gate->vcpus += vcpu->started;
	pthread_mutex_unlock(&gate->lock);
	return -err;
}

void pause_end_vcpu(struct lodge_vm *vm)
{
	struct gate *gate = &vm->gate;

	pthread_mutex_lock(&gate->lock);
	gate->vcpus--;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

void pause_pass(struct vcpu *vcpu)
{
	struct lodge_vm *vm = vcpu->vm;
	struct gate *gate = &vm->gate;

	if (!atomic_load_explicit(&gate->closed, memory_order_acquire))
		return;
	pthread_mutex_lock(&gate->lock);
	gate->waiting++;
	pthread_cond_broadcast(&gate->moved);
	while (atomic_load(&gate->closed) && !atomic_load(&vm->ending_now))
		pthread_cond_wait(&gate->moved, &gate->lock);
	gate->waiting--;
	pthread_mutex_unlock(&gate->lock);
	/* The guest's watchdogs shall not take the pause for a hang of theirs. */
	kvm_vcpu_tell_paused(&vcpu->kvm);
}

void pause_abandon(struct lodge_vm *vm)
{
	struct gate *gate = &vm->gate;

	pthread_mutex_lock(&gate->lock);
	gate->abandoned = true;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

int lodge_vm_pause(struct lodge_vm *vm)
{
	struct gate *gate = &vm->gate;
	unsigned i;
	int err;

	pthread_mutex_lock(&gate->lock);
	if (gate->vcpus && !gate->abandoned) {
		atomic_store(&gate->closed, true);
		for (i = 0; i < vm->vcpu_count; i++) {
			if (vm->vcpus[i].started)
				kvm_vcpu_kick(vm->vcpus[i].thread);
		}
	}
	while (gate->waiting < gate->vcpus && !gate->abandoned)
		pthread_cond_wait(&gate->moved, &gate->lock);
	err = gate->vcpus && !gate->abandoned ? 0 : -ESRCH;
	pthread_mutex_unlock(&gate->lock);
	return err;
}

void lodge_vm_resume(struct lodge_vm *vm)
{
	struct gate *gate = &vm->gate;

	pthread_mutex_lock(&gate->lock);
	atomic_store(&gate->closed, false);
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}
