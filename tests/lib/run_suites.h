/* What the main() of a test program does. Each test is a process of its own, with a timeout. */
#pragma once

#include <check.h>
#include <stddef.h>

/* Runs them all, as Check's variables of the environment want it. Returns the exit status. */
int run_suites(Suite *(*const suites[])(void), size_t count);

/*
 * Suites that need /dev/kvm. Where it cannot be opened none is run: that is said, counted, and told by the exit status
 * 77. `what` they are: "VM tests".
 */
int run_kvm_suites(Suite *(*const suites[])(void), size_t count, const char *what);
