/* What ioctl_timer.c finds, in a file that all processes share: the one $BENCH_IOCTL_TIMES names. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define IOCTL_TIMES_VARIABLE "BENCH_IOCTL_TIMES"

struct ioctl_times {
	_Atomic uint64_t ioctl_ns; /* with at least one thread of the process in a KVM ioctl */
	_Atomic uint64_t close_ns; /* taking VMs apart */
	_Atomic uint64_t ioctls;
};
