/* A seccomp(2) program, run as the kernel would. */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Whether that call may lead to that SECCOMP_RET_...: with the arguments it has, or, if any_arguments is set, with some
 * or other. A program that the kernel would refuse, or that the reader does not know, fails the test.
 */
bool seccomp_program_may(const struct sock_fprog *program, const struct seccomp_data *call,
	bool any_arguments, uint32_t action);
