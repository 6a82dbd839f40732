/* What a person could do at the front of a machine. Whoever does it may be any thread: machine_lock keeps it there. */
#include <errno.h>

#include "machine/vm.h"

int lodge_vm_reset(struct lodge_vm *vm)
{
	const struct ending ending = {.outcome = LODGE_RESET, .restart = true};
	int err = -ESRCH;

	pthread_mutex_lock(&vm->machine_lock);
	if (vm->gate.state == GATE_RUNS) {
		/* In this order: a guest that is paused does not take another step. */
		vm_end(vm, &ending);
		err = lodge_vm_resume(vm);
	}
	pthread_mutex_unlock(&vm->machine_lock);
	return err;
}

int lodge_vm_press_power(struct lodge_vm *vm)
{
	int err = -ESRCH;

	pthread_mutex_lock(&vm->machine_lock);
	if (vm->gate.state == GATE_RUNS) {
		board_press_power(&vm->board);
		err = 0;
	}
	pthread_mutex_unlock(&vm->machine_lock);
	return err;
}

int lodge_vm_nmi(struct lodge_vm *vm)
{
	int err = -ESRCH;

	pthread_mutex_lock(&vm->machine_lock);
	if (vm->gate.state == GATE_RUNS)
		err = kvm_vm_send_nmi(&vm->kvm);
	pthread_mutex_unlock(&vm->machine_lock);
	return err;
}
