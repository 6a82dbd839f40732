/*
 * A list of system calls as a seccomp(2) program: a binary search for the number of the call, then what its rules say of
 * its arguments. libseccomp takes forty times as long, every time that a guest starts (docs/sandbox.md).
 */
#pragma once

#include <linux/filter.h>
#include <stdint.h>

/* A call of this process's architecture: allowed, or answered with an error. */
struct call_rule {
	unsigned call;
	unsigned argument; /* the one that is looked at: its lower half's bits in mask must be as in value */
	uint32_t mask,
		value; /* mask 0: whatever the arguments are, also where other rules for the call look at some */
	unsigned error; /* only without a mask. 0: allowed */
};

/*
 * What no rule allows leads to `otherwise`, a SECCOMP_RET_...; a call of another architecture ends the process. 0, and
 * ret_program->filter is the caller's to free; -EINVAL: a rule that is none; -E2BIG: too many; -ENOMEM.
 */
int program_build(
	const struct call_rule *rules, unsigned count, uint32_t otherwise, struct sock_fprog *ret_program);
