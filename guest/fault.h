/* Exceptions on demand, for crash and selftest. */
#pragma once

#include <stdint.h>

/* Each takes the exception of its name; arg is not used. */
void fault_ud(void *arg);
void fault_pf(void *arg);
void fault_de(void *arg);
void fault_gp(void *arg);

#define FAULT_PF_ADDRESS 0x18u /* in page 0, which is not mapped */
