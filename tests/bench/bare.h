/* The yardstick: the ioctls that any VMM needs, and nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Makes a VM with memory and irqchip (split: with the local APICs alone in the kernel), runs `code` at 1 MiB in 32-bit protected mode, and calls KVM_RUN until
 * the guest writes to port 0xf4. Returns the nanoseconds from the first KVM_RUN to that; exits at any failure.
 */
uint64_t bare_run(const void *code, size_t len, bool split);
