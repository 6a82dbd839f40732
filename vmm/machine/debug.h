/*
 * What a debugger stops a machine for. gdb/ sets it, while all vCPUs wait at the gate.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lodge_vm;
struct vcpu;

#define DEBUG_HARDWARE_MAX 4 /* debug registers: the first of the points */
#define DEBUG_POINTS_MAX   (DEBUG_HARDWARE_MAX + 64)
#define DEBUG_INT3         0xcc

/* What is watched; the numbers are those of the remote protocol's Z packets. */
enum debug_kind { DEBUG_SOFTWARE, DEBUG_HARDWARE, DEBUG_WRITE, DEBUG_READ, DEBUG_ACCESS };

struct debug_point {
	bool used;
	enum debug_kind kind;
	uint64_t address; /* linear */
	unsigned len;     /* bytes that are watched */
	uint64_t gpa;     /* of an int3, and the byte that it stands for */
	uint8_t byte;
};

enum debug_cause { DEBUG_HALTED, DEBUG_STEPPED, DEBUG_POINT };

struct debug_stop {
	enum debug_cause cause;
	unsigned cpu;
	enum debug_kind kind; /* DEBUG_POINT's, and where it is */
	uint64_t address;
};

/* What becomes of a vCPU when the guest goes on. */
enum debug_go { DEBUG_HOLD, DEBUG_STEP, DEBUG_CONTINUE };

/* Tells KVM what a vCPU that waits is to stop for; `control` has it inject an exception besides. 0 or -errno. */
int debug_arm(struct vcpu *vcpu, unsigned control);

/* Writes an int3 to point->gpa, and keeps the byte that was there. 0 or -EFAULT. */
int debug_put_in(struct lodge_vm *vm, struct debug_point *point);

/* vcpu.c: KVM_EXIT_DEBUG; an instruction that KVM cannot emulate, which may be an int3 of ours; a step is done. */
void debug_trapped(struct vcpu *vcpu);
bool debug_met_int3(struct vcpu *vcpu);
void debug_stepped(struct vcpu *vcpu);

/* vm.c: for the vCPUs and the memory of a new machine. */
void debug_rebuilt(struct lodge_vm *vm);
