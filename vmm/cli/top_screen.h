/* lodge top on a terminal. */
#pragma once

#include "cli/top_guests.h"

/*
 * Shows the guests until the user has enough, asked anew every so many ms: 0, or the exit status of an error, which was
 * printed; LODGE_STATUS_STOPPED after SIGINT, SIGTERM or SIGHUP.
 */
int top_screen_run(struct top_guests *guests, enum top_key key, uint64_t every_ms);
