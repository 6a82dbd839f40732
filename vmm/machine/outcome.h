/* The exit-status contract (docs/exit-status.md) as a table. */
#pragma once

#include <stdint.h>

#include "lodge.h"

/* The exit status of an outcome; code counts for LODGE_GUEST_EXIT only. */
int outcome_status(enum lodge_outcome outcome, uint32_t code);

/* The outcome of a status from 100 to 103, where lodge did not get to run a guest. */
enum lodge_outcome outcome_of_error(int status);
