/* All the ways out: debug exit, power off, reset, panic. */
#pragma once

#include <stdint.h>

/* Leaves with this code through the debug-exit port; where there is none, powers off. */
__attribute__((noreturn)) void power_exit(uint32_t code);

__attribute__((noreturn)) void power_off(void);

enum power_reset { RESET_ANY, RESET_I8042, RESET_CF9, RESET_TRIPLE };

__attribute__((noreturn)) void power_reset(enum power_reset how);

/* Says why, then tells the VMM: pvpanic, else the debug-exit port (code 1), else a halt. */
__attribute__((noreturn)) void power_panic(const char *why);
